"""The archive as a file system for fsspec: ``empiar://10943/data/movie.tif``, read-only.

The first part of a path is the entry, the rest is the path inside it, decoded: spaces, ``#``, ``%`` and ``+``
stand for themselves. fsspec finds the class by its entry point: nothing needs to be imported or registered.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from fsspec.spec import AbstractBufferedFile, AbstractFileSystem

from empiarreader import settings
from empiarreader.addresses import normalise_path, parse_entry_id
from empiarreader.bytefiles import RemoteFile, fetch_loose_ranges
from empiarreader.errors import (
    ArchiveFileNotFoundError,
    DamagedDataError,
    EmpiarReaderError,
    EntryNotFoundError,
    InvalidRequestError,
    ReadOnlyArchiveError,
)
from empiarreader.listing.sizes import with_exact_sizes
from empiarreader.listing.tree import ArchiveFile, Directory, EntryTree
from empiarreader.network.ranges import FileVersion
from empiarreader.readahead import CACHE_NAME, register_cache

register_cache()


class EmpiarFileSystem(AbstractFileSystem):  # type: ignore[misc]  # fsspec has no types
    """Files of EMPIAR, by entry and path.

    Parameters
    ----------
    listing
        How directories are listed: over ``"https"``, or over ``"ftp"``, which tells exact sizes at once.

    Examples
    --------
    >>> import fsspec
    >>> archive = fsspec.filesystem("empiar")
    >>> archive.url("10943/data/a b#1.mrc")
    'https://ftp.ebi.ac.uk/empiar/world_availability/10943/data/a%20b%231.mrc'
    """

    protocol = "empiar"
    root_marker = ""

    def __init__(self, *, listing: str = "https", **options: Any) -> None:
        from empiarreader.addresses import check_protocol

        super().__init__(listing=listing, **options)
        self._listing = check_protocol(listing)

    def url(self, path: str) -> str:
        """Return the address of a file."""
        tree, within = self._split(path)
        return tree.address(within)

    def info(self, path: str, **options: Any) -> dict[str, Any]:
        """Return name, type, exact size and, of a file, address, ETag and date: one request.

        Raises
        ------
        ArchiveFileNotFoundError
            If there is neither a file nor a directory of that name.
        """
        tree, within = self._split(path)
        if within:
            try:
                return _file_info(self._strip_protocol(path), tree.address(within))
            except ArchiveFileNotFoundError:
                pass  # a directory, or nothing
        self._list(tree, within)
        return _directory_info(_join(tree, within))

    def ls(
        self, path: str, detail: bool = True, *, exact_sizes: bool = False, **options: Any
    ) -> list[dict[str, Any]] | list[str]:
        """Return what a directory holds, sorted by name.

        Parameters
        ----------
        path
            Directory; a file lists itself.
        detail
            Return dictionaries (name, type, size), not names only.
        exact_sizes
            Ask for the size of every file that the listing does not tell exactly: one request each. Without
            it such a size is None, never a rounded one.
        """
        tree, within = self._split(path)
        try:
            found = self._list(tree, within)
        except ArchiveFileNotFoundError:
            info = self.info(path)
            if info["type"] != "file":
                raise
            return [info] if detail else [info["name"]]
        infos = _infos(tree, [found], exact_sizes=exact_sizes and detail)
        return infos if detail else [info["name"] for info in infos]

    def find(
        self,
        path: str,
        maxdepth: int | None = None,
        withdirs: bool = False,
        detail: bool = False,
        *,
        exact_sizes: bool = False,
        **options: Any,
    ) -> list[str] | dict[str, dict[str, Any]]:
        """Return all files below a directory: sixteen directories are listed at once."""
        if maxdepth is not None and maxdepth < 1:
            raise ValueError("maxdepth must be at least 1")  # as fsspec words it
        tree, within = self._split(path)
        depth = within.count("/") + bool(within)

        def enter(directory: str) -> bool:
            return maxdepth is None or directory.count("/") + 1 - depth < maxdepth

        try:
            listed = list(tree.walk(within, enter=enter))
        except (ArchiveFileNotFoundError, EntryNotFoundError):
            info = self._info_or_none(path)
            infos = [info] if info is not None else []
        else:
            infos = _infos(tree, listed, exact_sizes=exact_sizes and detail)
            if withdirs:
                infos = [_directory_info(_join(tree, within)), *infos]
        chosen = {
            info["name"]: info
            for info in sorted(infos, key=lambda info: str(info["name"]))
            if withdirs or info["type"] == "file"
        }
        return chosen if detail else list(chosen)

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **options: Any) -> bytes:
        """Return a file or a part of it; large parts move in parallel."""
        source = RemoteFile(self.url(path))
        if start is not None and start >= 0 and end is not None and end > start:
            with contextlib.suppress(DamagedDataError):  # shorter than that: sliced below
                return bytes(fetch_loose_ranges([(source, start, end)])[0])
        version = source.version()
        first, last, _ = slice(start, end).indices(version.size)
        return source.range(first, last - first, version) if last > first else b""

    def cat_ranges(
        self,
        paths: Sequence[str],
        starts: Sequence[int] | int,
        ends: Sequence[int] | int,
        max_gap: int | None = None,
        on_error: str = "return",
        **options: Any,
    ) -> list[Any]:
        """Return many ranges of any files, all fetched together, up to sixteen requests at once.

        Ranges of one file that lie no more than ``max_gap`` apart move as one. With ``on_error="return"``,
        what goes wrong with a range stands in its place; any other value raises it.
        """
        wanted = list(zip(paths, _each(starts, paths), _each(ends, paths), strict=True))
        try:
            return [
                bytes(found)
                for found in fetch_loose_ranges(
                    [(RemoteFile(self.url(path)), start, end) for path, start, end in wanted],
                    nearby_bytes=max_gap or 0,
                )
            ]
        except (EmpiarReaderError, TypeError):
            return [self._cat_or_error(on_error, *one) for one in wanted]

    def get_file(
        self, rpath: str, lpath: str | os.PathLike[str], callback: Any = None, **options: Any
    ) -> None:
        """Copy a file to a local path, in parallel ranges; it appears whole or not at all."""
        target = Path(lpath)
        if self.isdir(rpath):
            target.mkdir(parents=True, exist_ok=True)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        source = RemoteFile(self.url(rpath))
        beside = target.with_name(f".{target.name[:200]}.{os.getpid()}.part")
        try:
            with beside.open("xb", buffering=0) as file:
                source.copy_into(file)
            beside.replace(target)
        finally:
            beside.unlink(missing_ok=True)

    def created(self, path: str) -> Any:
        """Refused: the archive tells when a file changed, not when it came."""
        raise NotImplementedError("the archive does not tell when a file was made")

    def modified(self, path: str) -> Any:
        """Return when a file changed, as a datetime with a zone."""
        from email.utils import parsedate_to_datetime

        stated = self.info(path).get("LastModified")
        if stated is None:
            raise NotImplementedError(f"the archive does not tell when {path} changed")
        return parsedate_to_datetime(stated)

    def checksum(self, path: str) -> int:
        """Return a number that changes when a file does."""
        from fsspec.utils import tokenize

        return int(tokenize(self.info(path)), 16)

    def _open(self, path: str, mode: str = "rb", block_size: int | None = None, **options: Any) -> EmpiarFile:
        if mode != "rb":
            self._refuse(path)
        options.pop("autocommit", None)
        options.setdefault("cache_type", CACHE_NAME)
        return EmpiarFile(self, path, mode=mode, block_size=block_size or "default", **options)

    def _refuse(self, path: Any = "", *arguments: Any, **options: Any) -> Any:
        raise ReadOnlyArchiveError(f"nothing can be written to the archive ({path!r}); it is read-only")

    mkdir = makedirs = rmdir = rm = rm_file = _rm = _refuse
    cp_file = mv = touch = put_file = pipe_file = _refuse

    def _split(self, path: str) -> tuple[EntryTree, str]:
        entry, _, within = self._strip_protocol(path).partition("/")
        if not entry:
            raise InvalidRequestError(
                "the archive has thousands of entries; say which: empiar://10943, empiar://10943/data …"
            )
        tree = EntryTree(settings.archive_url(), parse_entry_id(entry), self._listing)
        return tree, normalise_path(within)

    def _list(self, tree: EntryTree, within: str) -> Directory:
        try:
            return tree.list_directory(within)
        except EntryNotFoundError as error:  # a LookupError, where fsspec expects a missing file
            raise ArchiveFileNotFoundError(str(error)) from error

    def _info_or_none(self, path: str) -> dict[str, Any] | None:
        try:
            return self.info(path)
        except ArchiveFileNotFoundError:
            return None

    def _cat_or_error(self, on_error: str, path: str, start: int | None, end: int | None) -> Any:
        try:
            return self.cat_file(path, start, end)
        except Exception as error:
            if on_error == "return":
                return error
            raise


class EmpiarFile(AbstractBufferedFile):  # type: ignore[misc]  # fsspec has no types
    """A file of the archive, open for reading.

    All of it is read from the version that was there when it was opened; a later one raises a
    :class:`~empiarreader.FileChangedError`.
    """

    DEFAULT_BLOCK_SIZE = 16 * 1024

    def __init__(self, fs: EmpiarFileSystem, path: str, *, size: int | None = None, **options: Any) -> None:
        self._source = RemoteFile(fs.url(path))
        self._version: FileVersion = self._source.version()
        options.pop("cache_size", None)
        super().__init__(fs, path, size=self._version.size, **options)

    def _fetch_range(self, start: int, end: int) -> bytes:
        last = min(end, self._version.size)
        return self._source.range(start, last - start, self._version) if last > start else b""


def _file_info(name: str, url: str) -> dict[str, Any]:
    version = RemoteFile(url).version()
    return {
        "name": name,
        "size": version.size,
        "type": "file",
        "url": url,
        "ETag": version.etag,
        "LastModified": version.last_modified,
    }


def _directory_info(name: str) -> dict[str, Any]:
    return {"name": name, "size": 0, "type": "directory"}


def _infos(tree: EntryTree, listed: Iterable[Directory], *, exact_sizes: bool) -> list[dict[str, Any]]:
    found = list(listed)
    size_all: Callable[[Sequence[ArchiveFile]], Sequence[ArchiveFile]] = (
        with_exact_sizes if exact_sizes else lambda files: files
    )
    files = size_all([file for directory in found for file in directory.files])
    infos = [
        {
            "name": _join(tree, file.path),
            "size": file.size_bytes,
            "type": "file",
            "url": file.url,
            "modified": file.modified,
        }
        for file in files
    ]
    infos += [_directory_info(_join(tree, path)) for directory in found for path in directory.directories]
    return sorted(infos, key=lambda info: str(info["name"]))


def _join(tree: EntryTree, within: str) -> str:
    return f"{tree.entry_id}/{within}" if within else str(tree.entry_id)


def _each(values: Sequence[int] | int, paths: Sequence[str]) -> Sequence[int]:
    return [values] * len(paths) if isinstance(values, int) or values is None else values
