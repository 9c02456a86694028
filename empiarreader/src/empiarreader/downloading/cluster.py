"""A download by the workers of a dask cluster: they fetch, and this process names the files and records them.

The connections to the archive, and the bytes a second that are allowed, are shared out: all workers together
use no more than one process would. What a worker had in its hands when it died, another goes on with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from empiarreader.downloading.chunks import Chunk, fetch_chunk, name_chunk
from empiarreader.downloading.ledger import open_ledger
from empiarreader.downloading.manifest import DownloadedFile
from empiarreader.downloading.options import Outcome, TransferOptions
from empiarreader.downloading.placement import Placement
from empiarreader.downloading.progress import Meter, Progress
from empiarreader.errors import EmpiarReaderError, WorkerLostError
from empiarreader.spreading.work import spread
from empiarreader.spreading.workers import hire

_CHUNKS_A_WORKER = 8  # so that those who are done first can go on
_LARGEST_CHUNK = 64
_ATTEMPTS = 5


def fetch_on_cluster(
    placements: Sequence[Placement],
    folder: Path,
    options: TransferOptions,
    client: Any,
    progress: Callable[[int, int, str], None] | None,
    watch: Callable[[Progress], None] | None,
) -> dict[str, Outcome]:
    """Fetch files through the workers of a cluster; return what became of each, by its address.

    Parameters
    ----------
    placements, folder, options
        As for a download by this process. The workers must reach the folder.
    client
        A ``distributed.Client``.
    progress
        Called with the number of files done, the number of all, and the address just done.
    watch
        Called with how far it is, whenever files are done.
    """
    folder = folder.absolute()
    ledger = open_ledger(folder, overwrite=options.overwrite)
    hired = hire(client, workers=None, processes=False)
    at_once = min(hired.count, options.workers, len(placements))
    fetch = partial(fetch_chunk, directory=str(folder), options=_share(options, at_once))
    outcomes: dict[str, Outcome] = {}
    counts = _Counts()
    meter = Meter(placements, counts)
    for done in spread(fetch, _chunks(placements, at_once), hired, in_flight=at_once, attempts=_ATTEMPTS):
        for url, outcome in _outcomes(done.job, done.value, done.error, partial(name_chunk, ledger)):
            outcomes[url] = outcome
            counts.add(outcome)
            if progress is not None:
                progress(len(outcomes), len(placements), url)
        if watch is not None:
            watch(meter.read(len(outcomes)))
    return outcomes


class _Counts:
    """What has arrived of files that are done."""

    def __init__(self) -> None:
        self.bytes_arrived = self.bytes_known = self.files_known = 0

    def add(self, outcome: Outcome) -> None:
        size = outcome.size if isinstance(outcome, DownloadedFile) else 0
        self.bytes_arrived += size
        self.bytes_known += size
        self.files_known += 1


def _share(options: TransferOptions, at_once: int) -> TransferOptions:
    rate = options.bytes_per_second
    return replace(
        options,
        workers=max(1, options.workers // at_once),
        bytes_per_second=rate / at_once if rate is not None else None,
    )


def _chunks(placements: Sequence[Placement], at_once: int) -> Iterator[Sequence[Placement]]:
    length = min(_LARGEST_CHUNK, max(1, len(placements) // (at_once * _CHUNKS_A_WORKER)))
    return (placements[k : k + length] for k in range(0, len(placements), length))


def _outcomes(
    placements: Sequence[Placement],
    chunk: Chunk | None,
    error: Exception | None,
    name: Callable[[Chunk], list[tuple[str, Outcome]]],
) -> list[tuple[str, Outcome]]:
    if chunk is not None:
        return name(chunk)
    trouble = error if isinstance(error, EmpiarReaderError) else WorkerLostError(f"a worker failed: {error}")
    return [(placement.url, trouble) for placement in placements]
