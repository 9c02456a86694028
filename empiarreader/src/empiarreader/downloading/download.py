"""Many files of the archive onto a disk: in parallel, continued where they stopped, whole or not at all."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import TYPE_CHECKING

from empiarreader.addresses import check_target
from empiarreader.downloading.manifest import DownloadedFile, DownloadFailure, Manifest, read_records
from empiarreader.downloading.placement import Placement, parse_address, place_all, with_unique_target
from empiarreader.downloading.transfer import fetch_file, is_unchanged
from empiarreader.errors import EmpiarReaderError, InvalidRequestError, LocalFileError
from empiarreader.listing.tree import ArchiveFile

if TYPE_CHECKING:
    from empiarreader.source import EmpiarSource

Outcome = DownloadedFile | EmpiarReaderError
_MOST_WORKERS = 64


def download(
    files: EmpiarSource | Iterable[str | ArchiveFile],
    directory: str | os.PathLike[str],
    *,
    workers: int = 8,
    overwrite: bool = False,
    progress: Callable[[int, int, str], None] | None = None,
) -> Manifest:
    """Download files of the archive into a folder.

    A file is written beside its place and gets its name when its length is right, so that a name stands for
    a whole file. What has arrived of one that was interrupted is kept as ``.part`` and continued next time,
    if the file in the archive is still the same. A file that is there already, from the same address and
    unchanged in the archive, is left as it is (one request, no bytes).

    Parameters
    ----------
    files
        Addresses of files, files from :meth:`EmpiarEntry.find`, or a source.
    directory
        Folder to save in; made if need be, with its parents. Files get their own names in it, without the
        directories they have in the archive. Files that share a name get ``ENTRY/path/in/entry`` instead,
        all of them.
    workers
        How many files move at once.
    overwrite
        Replace files of unknown origin that are in the way. Without it each is a failure.
    progress
        Called with the number of files done, the number of all, and the address just done.

    Returns
    -------
    Manifest
        The files, with sizes and SHA-256, and the failures: one address that fails stops no other. The same
        is written to ``empiarreader-manifest.jsonl`` in the folder.

    Raises
    ------
    InvalidRequestError
        If ``workers`` makes no sense, or ``directory`` is a file.
    """
    if not 1 <= workers <= _MOST_WORKERS:
        raise InvalidRequestError(f"workers is {workers}; use 1 to {_MOST_WORKERS}")
    folder = Path(directory).expanduser()
    urls = addresses_of(files)
    outcomes: dict[str, Outcome] = {}
    wanted = _read_addresses(urls, outcomes)
    if wanted:
        records = _prepare_folder(folder)
        jobs = [_avoid_others(placement, records) for placement in place_all(wanted)]
        outcomes.update(_run_all(jobs, folder, records, workers, overwrite, progress))
    return _collect(folder, urls, outcomes)


def addresses_of(files: EmpiarSource | Iterable[str | ArchiveFile]) -> list[str]:
    """Return the addresses of files, each once, in the order given."""
    from empiarreader.source import EmpiarSource

    given: Iterable[str | ArchiveFile] = files.files if isinstance(files, EmpiarSource) else files
    if isinstance(given, str):
        given = [given]
    return list(dict.fromkeys(file.url if isinstance(file, ArchiveFile) else file for file in given))


def _read_addresses(urls: Sequence[str], outcomes: dict[str, Outcome]) -> list[Placement]:
    """Return where to put what; two spellings of one address are one file. Refusals become outcomes."""
    wanted: dict[str, Placement] = {}
    for url in urls:
        try:
            placement = parse_address(url)
        except EmpiarReaderError as error:
            outcomes[url] = error
            continue
        wanted.setdefault(placement.url, placement)
    return list(wanted.values())


def _prepare_folder(folder: Path) -> dict[str, DownloadedFile]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise InvalidRequestError(f"{folder} is no folder to save in: {error.strerror}") from error
    return read_records(folder)


def _avoid_others(placement: Placement, records: dict[str, DownloadedFile]) -> Placement:
    """Give way where an earlier download of another file has the name."""
    record = records.get(placement.target)
    return placement if record is None or record.url == placement.url else with_unique_target(placement)


def _run_all(
    jobs: Sequence[Placement],
    folder: Path,
    records: dict[str, DownloadedFile],
    workers: int,
    overwrite: bool,
    progress: Callable[[int, int, str], None] | None,
) -> dict[str, Outcome]:
    cancelled = threading.Event()
    outcomes: dict[str, Outcome] = {}

    def run(job: Placement) -> DownloadedFile:
        return _one(job, folder, records.get(job.target), overwrite, cancelled)

    pool = ThreadPoolExecutor(workers, thread_name_prefix="empiarreader-download")
    try:
        futures: dict[Future[DownloadedFile], str] = {pool.submit(run, job): job.url for job in jobs}
        for future in as_completed(futures):
            url = futures[future]
            outcomes[url] = _outcome(future)
            if progress is not None:
                progress(len(outcomes), len(jobs), url)
    finally:
        # After an interrupt nothing new begins, and what moves stops at its next piece, without being waited
        # for: a silent server could keep it for long. Without one, all is done here.
        cancelled.set()
        pool.shutdown(wait=False, cancel_futures=True)
    return outcomes


def _outcome(future: Future[DownloadedFile]) -> Outcome:
    try:
        return future.result()
    except EmpiarReaderError as error:
        return error


def _one(
    job: Placement,
    folder: Path,
    record: DownloadedFile | None,
    overwrite: bool,
    cancelled: threading.Event,
) -> DownloadedFile:
    path = folder / check_target(job.target)
    try:
        there = os.path.lexists(path)
        if there and record is not None and is_unchanged(path, record):
            return record
        if there and record is None and not overwrite:
            raise LocalFileError(
                f"{path} is there already and no manifest says where it is from; move it away, or overwrite"
            )
        path.parent.mkdir(parents=True, exist_ok=True)
        return fetch_file(job.url, folder, job.target, cancelled=cancelled)
    except OSError as error:
        if isinstance(error, EmpiarReaderError):
            raise
        raise LocalFileError(f"cannot write {path}: {error.strerror or error}") from error


def _collect(folder: Path, urls: Sequence[str], outcomes: dict[str, Outcome]) -> Manifest:
    files: dict[str, DownloadedFile] = {}
    failures: dict[str, DownloadFailure] = {}
    for url in urls:
        key = url if url in outcomes else parse_address(url).url
        outcome = outcomes[key]
        if isinstance(outcome, DownloadedFile):
            files[key] = outcome
        else:
            failures[key] = DownloadFailure(url=key, error=outcome)
    return Manifest(directory=folder, files=tuple(files.values()), failures=tuple(failures.values()))
