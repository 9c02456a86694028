"""Where the bytes of one file come from: the archive, a local disk, or anything fsspec opens.

All three answer the same two questions: what the file begins with, and what certain spans of it hold.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import unquote, urlsplit

from empiarreader.errors import ArchiveFileNotFoundError, DamagedDataError, FileChangedError, ServiceError
from empiarreader.ranges import FileVersion, fetch_range, fetch_spans


class ByteSource(Protocol):
    """A file whose bytes can be had in parts."""

    @property
    def label(self) -> str:
        """Address or path, for messages and for the attribute ``filename``."""
        ...

    def beginning(self, length: int) -> tuple[FileVersion, bytes]:
        """Return the version of the file and its first ``length`` bytes; fewer where it is shorter."""
        ...

    def spans(self, spans: Sequence[tuple[int, int]], view: memoryview, *, version: FileVersion) -> None:
        """Fill ``view`` with ``(start, length)`` spans of that version of the file, one after the other."""
        ...


class RemoteFile:
    """A file behind an ``http`` or ``https`` address."""

    def __init__(self, url: str) -> None:
        self.label = url

    def beginning(self, length: int) -> tuple[FileVersion, bytes]:
        """Return the version of the file and its first bytes: one request."""
        buffer = bytearray(length)
        version, count = fetch_range(self.label, 0, memoryview(buffer))
        return version, bytes(buffer[:count])

    def spans(self, spans: Sequence[tuple[int, int]], view: memoryview, *, version: FileVersion) -> None:
        """Fill ``view``: one request for each part of about a mebibyte, up to 16 at once."""
        fetch_spans(self.label, spans, view, known=version)


class LocalFile:
    """A file on a disk of this machine."""

    def __init__(self, path: Path) -> None:
        self.label = str(path)

    def beginning(self, length: int) -> tuple[FileVersion, bytes]:
        """Return the version of the file, by size and time of change, and its first bytes."""
        try:
            with Path(self.label).open("rb", buffering=0) as file:
                return _local_version(os.fstat(file.fileno())), file.read(length)
        except FileNotFoundError:
            raise ArchiveFileNotFoundError(f"there is no file {self.label}") from None
        except OSError as error:
            raise ServiceError(f"cannot read {self.label}: {error.strerror}") from error

    def spans(self, spans: Sequence[tuple[int, int]], view: memoryview, *, version: FileVersion) -> None:
        """Fill ``view`` from the file, opened for this call only."""
        try:
            with Path(self.label).open("rb", buffering=0) as file:
                if _local_version(os.fstat(file.fileno())).differs_from(version):
                    raise FileChangedError(f"{self.label} has changed since reading of it began")
                place = 0
                for start, length in spans:
                    file.seek(start)
                    _read_fully(file, view[place : place + length], self.label)
                    place += length
        except FileNotFoundError:
            raise ArchiveFileNotFoundError(f"there is no file {self.label} any more") from None


class FsspecFile:
    """A file behind any address that fsspec knows (``s3://``, ``ftp://``, ``memory://`` …)."""

    def __init__(self, url: str) -> None:
        self.label = url

    def beginning(self, length: int) -> tuple[FileVersion, bytes]:
        """Return the size of the file and its first bytes, through fsspec."""
        filesystem, path = self._open()
        try:
            size = int(filesystem.size(path) or 0)
            return FileVersion(size=size), bytes(filesystem.cat_file(path, start=0, end=min(length, size)))
        except FileNotFoundError:
            raise ArchiveFileNotFoundError(f"there is no file {self.label}") from None

    def spans(self, spans: Sequence[tuple[int, int]], view: memoryview, *, version: FileVersion) -> None:
        """Fill ``view`` span by span, through fsspec."""
        filesystem, path = self._open()
        place = 0
        for start, length in spans:
            data = filesystem.cat_file(path, start=start, end=start + length)
            if len(data) != length:
                raise DamagedDataError(f"{self.label} ends before byte {start + length}")
            view[place : place + length] = data
            place += length

    def _open(self) -> tuple[Any, str]:
        from fsspec.core import url_to_fs

        filesystem, path = url_to_fs(self.label)
        return filesystem, path


def open_bytes(location: str | os.PathLike[str]) -> ByteSource:
    """Return the byte source for an address or a local path; nothing is opened yet."""
    text = os.fspath(location)
    scheme = urlsplit(text).scheme.lower() if "://" in text else ""
    if scheme in {"http", "https"}:
        return RemoteFile(text)
    if scheme == "file":
        return LocalFile(Path(unquote(urlsplit(text).path)))
    if scheme:
        return FsspecFile(text)
    return LocalFile(Path(text).expanduser())


def _local_version(status: os.stat_result) -> FileVersion:
    return FileVersion(size=status.st_size, etag=f"{status.st_ino:x}-{status.st_mtime_ns:x}")


def _read_fully(file: Any, view: memoryview, label: str) -> None:
    filled = 0
    while filled < len(view):
        count = file.readinto(view[filled:])
        if not count:
            raise DamagedDataError(f"{label} ends {len(view) - filled} bytes too early")
        filled += count
