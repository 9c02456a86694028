"""Exact sizes of files, which pages of the archive do not show: one question without a body for each file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from empiarreader.listing.tree import ArchiveFile
from empiarreader.network.connections import CONNECTIONS_PER_HOST
from empiarreader.network.ranges import ask_version


def with_exact_sizes(
    files: Sequence[ArchiveFile], progress: Callable[[int, int], object] = lambda done, total: None
) -> list[ArchiveFile]:
    """Return the same files with ``size_bytes``: one request for each that lacks it, sixteen at once.

    Parameters
    ----------
    files
        As the archive lists them.
    progress
        Called after each with how many have been asked for, and how many there are.

    Raises
    ------
    ArchiveFileNotFoundError
        If a listed file is not there.
    ServiceError
        If the archive cannot be asked, or does not say.
    """
    workers = ThreadPoolExecutor(CONNECTIONS_PER_HOST, thread_name_prefix="empiarreader-sizes")
    try:
        found = []
        for file in workers.map(_with_size, files):
            found.append(file)
            progress(len(found), len(files))
        return found
    finally:
        # After an error or an interrupt nobody waits for requests under way.
        workers.shutdown(wait=False, cancel_futures=True)


def _with_size(file: ArchiveFile) -> ArchiveFile:
    if file.size_bytes is not None:
        return file
    size = ask_version(file.url).size
    return replace(file, size_bytes=size, approximate_size_bytes=size)
