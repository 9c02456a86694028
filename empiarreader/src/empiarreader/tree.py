"""The files of an entry, from the pages of its directories: one request each, sixteen at once."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

from empiarreader.addresses import entry_address, join_path, normalise_path
from empiarreader.errors import ArchiveFileNotFoundError, EntryNotFoundError, ServiceError
from empiarreader.listing import apparatus_links, is_listing, parse_listing
from empiarreader.transport import CONNECTIONS_PER_HOST, open_answer, with_retries

_LARGEST_PAGE_BYTES = 256 * 1024 * 1024
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
    approximate_size_bytes : int or None
        What the page shows: rounded to three figures or fewer, never exact.
    modified : str or None
        What the page shows, in the server's time zone.
    """

    path: str
    url: str
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


@dataclass(frozen=True)
class EntryTree:
    """The directories of one entry under a base address."""

    base: str
    entry_id: int

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
            return self._ask(path)
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
        workers = ThreadPoolExecutor(CONNECTIONS_PER_HOST, thread_name_prefix="empiarreader-list")
        try:
            pending = self._submit(workers, first, enter)
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                for future in done:
                    directory = future.result()
                    pending |= self._submit(workers, directory, enter)
                    yield directory
        finally:
            # Whoever leaves early, by choice or by an interrupt, does not wait for pages under way.
            workers.shutdown(wait=False, cancel_futures=True)

    def files(self, path: str = "", *, enter: Callable[[str], bool] = lambda path: True) -> list[ArchiveFile]:
        """Return the files of a directory and of those below it, sorted by path."""
        found = [file for directory in self.walk(path, enter=enter) for file in directory.files]
        return sorted(found, key=lambda file: file.path)

    def _submit(
        self, workers: ThreadPoolExecutor, directory: Directory, enter: Callable[[str], bool]
    ) -> set[Future[Directory]]:
        if directory.path.count("/") > _DEEPEST:
            raise ServiceError(f"{directory.url} is nested without end; the server may be going in circles")
        return {workers.submit(self.list_directory, path) for path in directory.directories if enter(path)}

    def _ask(self, path: str) -> Directory:
        url = self.address(path, directory=True)

        def ask(attempt: int) -> str:
            with open_answer("GET", url, attempt=attempt) as answer:
                page = answer.body(limit_bytes=_LARGEST_PAGE_BYTES).decode("utf-8", "surrogateescape")
            if not is_listing(page):
                raise ServiceError(f"{url} answered with a page that lists no directory", retryable=True)
            return page

        page = with_retries(ask)
        items = parse_listing(page)
        return Directory(
            path=path,
            url=url,
            directories=tuple(join_path(path, item.name) for item in items if item.is_directory),
            files=tuple(
                ArchiveFile(
                    path=join_path(path, item.name),
                    url=self.address(join_path(path, item.name)),
                    approximate_size_bytes=item.approximate_size_bytes,
                    modified=item.modified,
                )
                for item in items
                if not item.is_directory
            ),
            apparatus=apparatus_links(page),
        )

    def _missing(self, path: str) -> EntryNotFoundError | ArchiveFileNotFoundError:
        """Return the error for a directory that is not there, with what is there instead."""
        missing = path
        while missing:
            parent, _, name = missing.rpartition("/")
            try:
                found = self._ask(parent)
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
