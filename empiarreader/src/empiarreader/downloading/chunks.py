"""Some files of a download: fetched by one process, named and recorded by another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from empiarreader.downloading.crew import Crew
from empiarreader.downloading.ledger import Arrival, Ledger, cannot_write, open_ledger
from empiarreader.downloading.manifest import DownloadedFile
from empiarreader.downloading.options import Outcome, TransferOptions
from empiarreader.downloading.parts import PartFile
from empiarreader.downloading.placement import Placement


@dataclass(frozen=True)
class Chunk:
    """What has become of some files, none of which has its name yet.

    Attributes
    ----------
    fetched : tuple
        Of each file that is whole and checked, under the name of its part: where it goes, and its record.
    settled : tuple
        Addresses of the others, each with its record, where the file was there already and is unchanged, or
        the error.
    """

    fetched: tuple[tuple[Placement, DownloadedFile], ...]
    settled: tuple[tuple[str, Outcome], ...]


def fetch_chunk(placements: Sequence[Placement], directory: str, options: TransferOptions) -> Chunk:
    """Fetch files into a folder without naming them or writing its manifest, as another process will.

    Everything given and returned can be pickled. :func:`name_chunk` does the rest. A process that ends in
    between leaves parts that are whole, which the next download names.
    """
    ledger = open_ledger(Path(directory), overwrite=options.overwrite)
    fetched: list[tuple[Placement, DownloadedFile]] = []

    def keep(arrival: Arrival) -> None:
        arrival.part.keep()
        fetched.append((arrival.placement, arrival.record))

    crew = Crew(placements, ledger, options, deliver=keep)
    crew.run(lambda: None)
    return Chunk(tuple(fetched), tuple(crew.outcomes()))


def name_chunk(ledger: Ledger, chunk: Chunk) -> list[tuple[str, Outcome]]:
    """Give the files of a chunk their names, and the manifest its lines; return what became of each."""
    outcomes = list(chunk.settled)
    for placement, record in chunk.fetched:
        try:
            part = PartFile(ledger.folder / placement.target, placement.url)
            ledger.take(Arrival(placement, record, part))
        except OSError as error:
            outcomes.append((placement.url, cannot_write(ledger.folder / placement.target, error)))
    return outcomes + ledger.settle()
