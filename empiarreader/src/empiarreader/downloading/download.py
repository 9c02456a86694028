"""Files of the archive onto a disk: many at once, continued where they stopped, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from empiarreader import settings
from empiarreader.addresses import check_protocol
from empiarreader.downloading.crew import Crew
from empiarreader.downloading.ledger import open_ledger
from empiarreader.downloading.manifest import DownloadedFile, DownloadFailure, Manifest
from empiarreader.downloading.options import Outcome, TransferOptions
from empiarreader.downloading.placement import Placement
from empiarreader.downloading.planning import check_room, plan_for
from empiarreader.downloading.progress import Meter, Progress
from empiarreader.downloading.selecting import Wanted, select_files
from empiarreader.errors import InvalidRequestError, ServiceError
from empiarreader.network.connections import CONNECTIONS_PER_HOST

if TYPE_CHECKING:
    from empiarreader.downloading.selecting import Downloadable

_MOST_WORKERS = 64


def download(
    files: Downloadable,
    directory: str | os.PathLike[str],
    *,
    workers: int = CONNECTIONS_PER_HOST,
    protocol: str = "https",
    layout: str | None = None,
    overwrite: bool = False,
    bytes_per_second: float | None = None,
    client: Any | None = None,
    progress: Callable[[int, int, str], None] | None = None,
    watch: Callable[[Progress], None] | None = None,
) -> Manifest:
    """Download files of the archive into a folder.

    A file is written beside its place and gets its name when its length is right, so that a name stands for
    a whole file. Large files move in pieces, side by side. What has arrived of one that was interrupted, in
    whatever way, is kept as ``.part`` and continued next time, if the file in the archive is still the same.
    A file that is there already, from the same address and unchanged in the archive, is left as it is (one
    request, no bytes). Several jobs may download into one folder at once.

    Parameters
    ----------
    files
        What to download: an :class:`EmpiarEntry`, a source, files from :meth:`EmpiarEntry.find`, addresses,
        or somebody's :class:`Manifest`, by whose SHA-256 everything is checked then.
    directory
        Folder to save in; made if need be, with its parents.
    workers
        How many connections to use, 16 at most (8 for FTP), each for a file or a piece of one.
    protocol
        ``"https"``, or ``"ftp"``: the same files from ``EMPIARREADER_FTP_URL``, one connection a file.
    layout
        ``"tree"`` keeps the directories of the entry (``data/sub/a.mrc``), ``"flat"`` leaves them out
        (``a.mrc``), ``"archive"`` puts the number of the entry first, too, as a mirror is laid out. Files
        that would share a name get ``ENTRY/path/in/entry`` instead, all of them. None: flat for plain
        addresses, as in earlier versions, the manifest's own paths for a manifest, and a tree for all else.
    overwrite
        Replace files of unknown origin that are in the way. Without it each is a failure.
    bytes_per_second
        What all connections together may take; None for no limit.
    client
        A ``distributed.Client``: the workers of its cluster fetch, sharing connections and bytes a second,
        and this process names the files and records them. All must reach the folder. None fetches here.
    progress
        Called with the number of files done, the number of all, and the address just done.
    watch
        Called some twenty times a second with a :class:`Progress`: bytes, rate and time left; with a client,
        whenever files are done.

    Returns
    -------
    Manifest
        The files, with sizes and SHA-256, and the failures: one address that fails stops no other. The same
        is written to ``empiarreader-manifest.jsonl`` in the folder.

    Raises
    ------
    InvalidRequestError
        If an argument makes no sense, or ``directory`` is a file.
    LocalFileError
        If the folder cannot be made, or the sizes that are known beforehand do not fit onto the disk. Nothing
        has moved then.
    EntryNotFoundError, ArchiveFileNotFoundError, ServiceError
        If an entry or a source cannot be listed.
    """
    if not 1 <= workers <= _MOST_WORKERS:
        raise InvalidRequestError(f"workers is {workers}; use 1 to {_MOST_WORKERS}")
    options = TransferOptions(
        workers=workers,
        protocol=check_protocol(protocol),
        overwrite=overwrite,
        bytes_per_second=bytes_per_second,
    )
    wanted = select_files(files, layout=layout)
    outcomes: dict[str, Outcome] = dict(wanted.refused)
    folder = Path(directory).expanduser()
    if wanted.placements and client is not None:
        from empiarreader.downloading.cluster import fetch_on_cluster

        outcomes |= fetch_on_cluster(wanted.placements, folder, options, client, progress, watch)
    elif wanted.placements:
        outcomes |= _fetch_all(wanted.placements, folder, options, progress, watch)
    return _collect(folder, wanted, outcomes)


def _fetch_all(
    placements: Sequence[Placement],
    folder: Path,
    options: TransferOptions,
    progress: Callable[[int, int, str], None] | None,
    watch: Callable[[Progress], None] | None,
) -> dict[str, Outcome]:
    _refuse_offline(placements)
    ledger = open_ledger(folder, overwrite=options.overwrite)
    check_room(plan_for(placements, ledger))
    crew = Crew(placements, ledger, options, deliver=ledger.take)
    meter = Meter(placements, crew)
    outcomes: dict[str, Outcome] = {}

    def tick() -> None:
        for url, outcome in [*ledger.settle(), *crew.outcomes()]:
            outcomes[url] = outcome
            if progress is not None:
                progress(len(outcomes), len(placements), url)
        if watch is not None:
            watch(meter.read(len(outcomes)))

    try:
        crew.run(tick)
    finally:
        ledger.settle()  # after an interrupt: what is whole gets its name
    return outcomes


def _refuse_offline(placements: Sequence[Placement]) -> None:
    if settings.offline():
        raise ServiceError(settings.not_kept(placements[0].url))


def _collect(folder: Path, wanted: Wanted, outcomes: dict[str, Outcome]) -> Manifest:
    files = tuple(outcome for url in wanted.order if isinstance(outcome := outcomes[url], DownloadedFile))
    failures = tuple(
        DownloadFailure(url=url, error=outcome)
        for url in wanted.order
        if not isinstance(outcome := outcomes[url], DownloadedFile)
    )
    return Manifest(directory=folder, files=files, failures=failures)
