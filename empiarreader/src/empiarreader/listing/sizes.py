"""Exact sizes of files, which pages of the archive do not show: one question without a body for each file."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from empiarreader.listing.tree import ArchiveFile
from empiarreader.network.connections import CONNECTIONS_PER_HOST
from empiarreader.network.ranges import ask_version


def with_exact_sizes(files: Sequence[ArchiveFile]) -> list[ArchiveFile]:
    """Return the same files with ``size_bytes``: one request for each that lacks it, sixteen at once.

    Raises
    ------
    ArchiveFileNotFoundError
        If a listed file is not there.
    ServiceError
        If the archive cannot be asked, or does not say.
    """
    with ThreadPoolExecutor(CONNECTIONS_PER_HOST, thread_name_prefix="empiarreader-sizes") as workers:
        try:
            return list(workers.map(_with_size, files))
        except BaseException:
            workers.shutdown(wait=False, cancel_futures=True)
            raise


def _with_size(file: ArchiveFile) -> ArchiveFile:
    if file.size_bytes is not None:
        return file
    size = ask_version(file.url).size
    return replace(file, size_bytes=size, approximate_size_bytes=size)
