"""The files of an entry, from its directories: one request each, sixteen at once."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from datetime import datetime

from empiarreader.addresses import Protocol, entry_address, join_path, normalise_path
from empiarreader.errors import ArchiveFileNotFoundError, EntryNotFoundError, ServiceError
from empiarreader.listing.doors import look
from empiarreader.listing.pages import ListedItem
from empiarreader.network.connections import CONNECTIONS_PER_HOST
from empiarreader.threads import Threads

LISTING_AGE_SECONDS = 3600.0
_DEEPEST = 64
_SUGGESTIONS = 5


@dataclass(frozen=True, kw_only=True)
class ArchiveFile:
    """A file of an entry, as the archive lists it.

    Attributes
    ----------
    path : str
        Decoded and relative to the entry: ``data/a b.mrc``.
    url : str
        Its address.
    size_bytes : int or None
        Exact size, where it is known: FTP and mirrors tell it, pages do not.
    approximate_size_bytes : int or None
        What a page shows, rounded to three figures or fewer; the exact size where that is known.
    modified : str or None
        What the directory shows, in the server's time zone.
    """

    path: str
    url: str
    size_bytes: int | None = None
    approximate_size_bytes: int | None = None
    modified: str | None = None


@dataclass(frozen=True, kw_only=True)
class Directory:
    """A directory of an entry: its path, the paths of its subdirectories, and its files, sorted by name."""

    path: str
    url: str
    directories: tuple[str, ...]
    files: tuple[ArchiveFile, ...]
    apparatus: tuple[str, ...] = ()  # links of the page that lead to no file
    listed: datetime | None = None  # when the archive said so: now, or when the cache came to hold it


@dataclass(frozen=True)
class EntryTree:
    """The directories of one entry under a base address.

    With the protocol ``"ftp"`` they are listed through the archive's FTP door, and an entry that the mirror
    holds is listed there; addresses are those below ``base`` in any case. A listing that the cache holds is
    good for ``max_age_seconds``, an hour where nothing else is said. ``progress`` is called during a walk
    with how many directories have been listed, and how many are known.
    """

    base: str
    entry_id: int
    protocol: Protocol = "https"
    max_age_seconds: float = LISTING_AGE_SECONDS
    progress: Callable[[int, int], object] | None = None

    def address(self, path: str = "", *, directory: bool = False) -> str:
        """Return the address of a file or directory of the entry."""
        return entry_address(self.base, self.entry_id, path, directory=directory)

    def list_directory(self, path: str = "") -> Directory:
        """Return what a directory holds: one request.

        Raises
        ------
        EntryNotFoundError
            If the archive has no such entry.
        ArchiveFileNotFoundError
            If the entry has no such directory; the message says what there is instead.
        ServiceError
            If the archive cannot be asked, or answers with something that is no listing.
        """
        path = normalise_path(path)
        try:
            return self._look(path)
        except ArchiveFileNotFoundError as error:
            raise self._missing(path) from error

    def walk(
        self, path: str = "", *, enter: Callable[[str], bool] = lambda path: True
    ) -> Iterator[Directory]:
        """Yield a directory and those below it, as they arrive, up to sixteen requests at once.

        Parameters
        ----------
        path
            Where to begin.
        enter
            Says by its path whether a subdirectory is listed at all.
        """
        first = self.list_directory(path)
        yield first
        # Whoever leaves early, by choice or by an interrupt, does not wait for pages under way.
        with Threads(CONNECTIONS_PER_HOST, "empiarreader-list") as workers:
            pending = self._submit(workers, first, enter)
            listed = 1
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in done:
                    directory = future.result()
                    pending |= self._submit(workers, directory, enter)
                    yield directory
                listed += len(done)
                if self.progress is not None:
                    self.progress(listed, listed + len(pending))

    def files(self, path: str = "", *, enter: Callable[[str], bool] = lambda path: True) -> list[ArchiveFile]:
        """Return the files of a directory and of those below it, sorted by path."""
        found = [file for directory in self.walk(path, enter=enter) for file in directory.files]
        return sorted(found, key=lambda file: file.path)

    def _submit(
        self, workers: Threads, directory: Directory, enter: Callable[[str], bool]
    ) -> set[Future[Directory]]:
        if directory.path.count("/") > _DEEPEST:
            raise ServiceError(f"{directory.url} is nested without end; the server may be going in circles")
        return {workers.submit(self.list_directory, path) for path in directory.directories if enter(path)}

    def _look(self, path: str) -> Directory:
        seen = look(
            self.base, self.entry_id, path, protocol=self.protocol, max_age_seconds=self.max_age_seconds
        )
        return Directory(
            path=path,
            url=self.address(path, directory=True),
            directories=tuple(join_path(path, item.name) for item in seen.items if item.is_directory),
            files=tuple(self._file(path, item) for item in seen.items if not item.is_directory),
            apparatus=seen.apparatus,
            listed=seen.time,
        )

    def _file(self, directory: str, item: ListedItem) -> ArchiveFile:
        path, exact = join_path(directory, item.name), item.size_bytes
        return ArchiveFile(
            path=path,
            url=self.address(path),
            size_bytes=exact,
            approximate_size_bytes=item.size_bytes
            if item.size_bytes is not None
            else item.approximate_size_bytes,
            modified=item.modified,
        )

    def _missing(self, path: str) -> EntryNotFoundError | ArchiveFileNotFoundError:
        """Return the error for a directory that is not there, with what is there instead."""
        missing = path
        while missing:
            parent, _, name = missing.rpartition("/")
            try:
                found = self._look(parent)
            except ArchiveFileNotFoundError:
                missing = parent
                continue
            return ArchiveFileNotFoundError(
                f"EMPIAR-{self.entry_id} has no directory {path!r}; {_whats_there(found, name)}"
            )
        return EntryNotFoundError(
            f"the archive has no entry {self.entry_id}, or has not released it ({self.address()})"
        )


def _whats_there(directory: Directory, wanted: str) -> str:
    where = repr(directory.path) if directory.path else "the entry"
    if join_path(directory.path, wanted) in {file.path for file in directory.files}:
        return f"{wanted!r} is a file there"
    names = [path.rpartition("/")[2] for path in directory.directories]
    close = difflib.get_close_matches(wanted, names, n=_SUGGESTIONS, cutoff=0.5) or names[:_SUGGESTIONS]
    if not close:
        return f"{where} has no directories"
    more = ", …" if len(names) > len(close) else ""
    hint = "; write names decoded, with spaces and not %20" if "%" in wanted else ""
    return f"{where} has {', '.join(close)}{more}{hint}"
