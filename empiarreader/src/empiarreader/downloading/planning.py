"""What a download would fetch and whether there is room for it, before anything moves."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from empiarreader.byteunits import describe_bytes, describe_files
from empiarreader.downloading.ledger import Ledger
from empiarreader.downloading.manifest import DownloadFailure
from empiarreader.downloading.placement import Placement
from empiarreader.downloading.presence import is_in_place
from empiarreader.downloading.room import disk_full, free_bytes
from empiarreader.downloading.selecting import select_files
from empiarreader.errors import EmpiarReaderError

if TYPE_CHECKING:
    from empiarreader.downloading.selecting import Downloadable

_ASKED_ONE_BY_ONE = 500
# Pages show sizes to three figures or fewer, 1.0G from 999 MiB on.
_ROUNDED_BY = 0.9


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What would be fetched into a folder.

    Attributes
    ----------
    directory : Path
        The folder.
    files, size_bytes : int
        What is to be fetched. ``size_bytes`` is None where no size is known.
    is_exact : bool
        Whether the size is; the archive's pages show rounded ones.
    there : int
        Files that are there already, by the folder's manifest.
    failures : tuple of DownloadFailure
        What would not be fetched.
    """

    directory: Path
    files: int
    size_bytes: int | None
    is_exact: bool
    there: int
    failures: tuple[DownloadFailure, ...] = ()

    def describe(self) -> str:
        """Return the plan in one sentence.

        Examples
        --------
        >>> Plan(directory=Path("maps"), files=2, size_bytes=32768, is_exact=True, there=0).describe()
        'would fetch 2 files, 32.8 kB, into maps (0 already there)'
        """
        about = "" if self.is_exact else "about "
        size = "of unknown size" if self.size_bytes is None else about + describe_bytes(self.size_bytes)
        files = describe_files(self.files)
        return f"would fetch {files}, {size}, into {self.directory} ({self.there} already there)"


def plan_download(
    files: Downloadable, directory: str | os.PathLike[str], *, layout: str | None = None
) -> Plan:
    """Return what :func:`download` would fetch, without fetching or writing anything.

    Sizes that are not known, or only rounded, are asked for where that takes few requests (up to 500).

    Raises
    ------
    EmpiarReaderError
        As :func:`download` does.
    """
    wanted = select_files(files, layout=layout)
    failures = dict(wanted.refused)
    placements = list(wanted.placements)
    folder = Path(directory).expanduser()
    ledger = Ledger(folder, overwrite=False)
    missing = [placement for placement in placements if not _is_there(placement, ledger)]
    unsure = [placement for placement in missing if placement.size is None or not placement.size_is_exact]
    sized = {placement.url: placement for placement in missing}
    if len(unsure) <= _ASKED_ONE_BY_ONE:
        sized |= _ask_sizes(unsure, failures)
    plan = plan_for([placement for url, placement in sized.items() if url not in failures], ledger)
    return replace(
        plan,
        there=len(placements) - len(missing),
        failures=tuple(DownloadFailure(url=url, error=error) for url, error in failures.items()),
    )


def plan_for(placements: Sequence[Placement], ledger: Ledger) -> Plan:
    """Return what is to be fetched, by what is known already."""
    missing = [placement for placement in placements if not _is_there(placement, ledger)]
    sizes = [placement.size for placement in missing]
    return Plan(
        directory=ledger.folder,
        files=len(missing),
        size_bytes=None if None in sizes else sum(size or 0 for size in sizes),
        is_exact=all(placement.size_is_exact for placement in missing),
        there=len(placements) - len(missing),
    )


def check_room(plan: Plan) -> None:
    """Raise where what is to be fetched cannot fit onto the disk.

    Raises
    ------
    LocalFileError
        If it does not fit.
    """
    if not plan.size_bytes:
        return
    free = free_bytes(plan.directory)
    if plan.size_bytes * (1 if plan.is_exact else _ROUNDED_BY) > free:
        about = "" if plan.is_exact else "about "
        raise disk_full(
            f"to come: {about}{describe_bytes(plan.size_bytes)} in {describe_files(plan.files)}; "
            f"{plan.directory} has room for {describe_bytes(free)}; make room or choose fewer"
        )


def _is_there(placement: Placement, ledger: Ledger) -> bool:
    record = ledger.record(placement)
    path = ledger.folder / placement.target
    return record is not None and record.url == placement.url and is_in_place(path, record)


def _ask_sizes(
    placements: Sequence[Placement], failures: dict[str, EmpiarReaderError]
) -> dict[str, Placement]:
    from empiarreader.listing.sizes import ask_sizes

    sized = {}
    sizes = ask_sizes([placement.url for placement in placements])
    for placement, size in zip(placements, sizes, strict=True):
        if isinstance(size, EmpiarReaderError):
            failures[placement.url] = size
        else:
            sized[placement.url] = replace(placement, size=size, size_is_exact=True)
    return sized
