"""Exact sizes of files, which pages of the archive do not show: one question without a body for each file."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import replace

from empiarreader.errors import EmpiarReaderError
from empiarreader.listing.tree import ArchiveFile
from empiarreader.network.connections import CONNECTIONS_PER_HOST
from empiarreader.network.ranges import ask_version
from empiarreader.threads import Threads


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
    found = []
    with closing(ask_sizes([file.url for file in files if file.size_bytes is None])) as sizes:
        for file in files:
            found.append(file if file.size_bytes is not None else _with_size(file, next(sizes)))
            progress(len(found), len(files))
    return found


def ask_sizes(urls: Sequence[str]) -> Generator[int | EmpiarReaderError, None, None]:
    """Yield the size of each file in bytes, in order, or why it is not known; sixteen are asked at once."""
    with Threads(CONNECTIONS_PER_HOST, "empiarreader-sizes") as workers:
        yield from workers.map(_ask_size, urls)


def _ask_size(url: str) -> int | EmpiarReaderError:
    try:
        return ask_version(url).size
    except EmpiarReaderError as error:
        return error


def _with_size(file: ArchiveFile, size: int | EmpiarReaderError) -> ArchiveFile:
    if isinstance(size, EmpiarReaderError):
        raise size
    return replace(file, size_bytes=size, approximate_size_bytes=size)
