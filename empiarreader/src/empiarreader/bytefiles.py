"""Where the bytes of a file come from: the archive, a local disk, or anything fsspec opens."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

from empiarreader import settings
from empiarreader.addresses import archive_address
from empiarreader.bytesource import ByteSource, file_name, write_all
from empiarreader.cache.items import KeptFile
from empiarreader.errors import (
    ArchiveFileNotFoundError,
    DamagedDataError,
    FileChangedError,
    InvalidRequestError,
    ServiceError,
)
from empiarreader.listing.mirror import mirrored
from empiarreader.network.ranges import (
    FileVersion,
    Spans,
    ask_version,
    fetch_file,
    fetch_loose,
    fetch_range,
    fetch_spans,
)


class RemoteFile(ByteSource):
    """A file behind an ``http`` or ``https`` address.

    A file of the archive is read from ``EMPIARREADER_MIRROR`` where that folder has it. A whole copy in the
    cache serves the spans of the version that it is a copy of; offline, it serves everything.
    """

    def __init__(self, url: str) -> None:
        self.label = url

    def beginning(self, length: int) -> tuple[FileVersion, bytes]:
        """Return the version of the file and its first bytes: one request."""
        if (local := mirrored(self.label)) is not None:
            return LocalFile(local).beginning(length)
        if settings.offline():
            kept = self._kept(None)
            return kept.version, LocalFile(kept.path).beginning(length)[1]
        buffer = bytearray(length)
        version, count = fetch_range(self.label, 0, memoryview(buffer))
        return version, bytes(buffer[:count])

    def version(self) -> FileVersion:
        """Return which version of the file there is, and so its size: one request without a body."""
        if (local := mirrored(self.label)) is not None:
            return LocalFile(local).version()
        return self._kept(None).version if settings.offline() else ask_version(self.label)

    def copy_into(self, file: BinaryIO) -> None:
        """Write the whole file to an open one, which must have a descriptor."""
        version = self.version()
        if self.is_near(version):
            for piece in self.stream(version):
                write_all(file, piece)
        else:
            fetch_file(self.label, file, known=version)

    def spans(self, spans: Spans, view: memoryview, *, version: FileVersion) -> None:
        """Fill ``view``: one request for each part of about a mebibyte, up to 16 at once."""
        if (local := mirrored(self.label)) is not None:
            LocalFile(local).spans(spans, view, version=version)
        elif (kept := self._find(version)) is not None:
            _read_spans(kept.path, spans, view)
        elif settings.offline():
            self._kept(version)
        else:
            fetch_spans(self.label, spans, view, known=version)

    def local_copy(self, version: FileVersion | None = None) -> Path:
        """Return where the file lies, fetched in parallel ranges into the cache the first time."""
        from empiarreader.cache.copies import AS_IS, kept_copy

        if (local := mirrored(self.label)) is not None:
            return LocalFile(local).local_copy(version)
        if settings.offline():
            return self._kept(version).path
        wanted = self.version() if version is None else version
        return kept_copy(
            AS_IS,
            self.label,
            wanted,
            name=file_name(self.label),
            size_bytes=wanted.size,
            write=lambda file: fetch_file(self.label, file, known=wanted),
        )

    def is_near(self, version: FileVersion | None = None) -> bool:
        """Return whether that version (None: any) is read from a disk, or could only be, being offline."""
        return mirrored(self.label) is not None or settings.offline() or self._find(version) is not None

    def _find(self, version: FileVersion | None) -> KeptFile | None:
        from empiarreader.cache.copies import find_copy

        return find_copy(self.label, version)

    def _kept(self, version: FileVersion | None) -> KeptFile:
        """Return the copy in the cache, for want of anything else."""
        kept = self._find(version)
        if kept is None:
            raise ServiceError(settings.not_kept(self.label))
        return kept


def fetch_loose_ranges(
    wanted: Sequence[tuple[RemoteFile, int, int]], *, nearby_bytes: int = 0
) -> list[memoryview]:
    """Return ``(file, start, end)`` ranges of any files in the order given, all fetched together.

    Raises
    ------
    InvalidRequestError
        If a range does not go forward from a byte to another.
    FileChangedError, DamagedDataError, ServiceError, ArchiveFileNotFoundError
        As for any reading.
    """
    by_file: dict[str, list[tuple[int, int]]] = {}
    for file, start, end in wanted:
        given: tuple[object, object] = start, end  # checked, as it comes from outside
        if not all(isinstance(place, int) for place in given) or not 0 <= start < end:
            raise InvalidRequestError(f"{file.label} has no range from {start} to {end}")
        by_file.setdefault(file.label, []).append((start, end - start))
    near = {label for label in by_file if settings.offline() or mirrored(label) is not None}
    found = fetch_loose(
        {label: spans for label, spans in by_file.items() if label not in near}, nearby_bytes=nearby_bytes
    )
    for label in near:
        file = RemoteFile(label)
        found[label] = file.ranges(by_file[label], file.version(), nearby_bytes=nearby_bytes)
    iterators = {label: iter(pieces) for label, pieces in found.items()}
    return [next(iterators[file.label]) for file, _, _ in wanted]


class LocalFile(ByteSource):
    """A file on a disk of this machine."""

    def __init__(self, path: Path) -> None:
        self.label = str(path)

    def beginning(self, length: int) -> tuple[FileVersion, bytes]:
        """Return the version of the file, by size and time of change, and its first bytes."""
        with _opened(self.label) as file:
            return _local_version(os.fstat(file.fileno())), _read_up_to(file, length)

    def spans(self, spans: Spans, view: memoryview, *, version: FileVersion) -> None:
        """Fill ``view`` from the file, opened for this call only."""
        self._check(version)
        _read_spans(Path(self.label), spans, view)

    def local_copy(self, version: FileVersion | None = None) -> Path:
        """Return the path of the file itself."""
        self._check(version)
        return Path(self.label)

    def _check(self, version: FileVersion | None) -> None:
        with _opened(self.label) as file:
            found = _local_version(os.fstat(file.fileno()))
        if version is not None and found.differs_from(version):
            raise FileChangedError(f"{self.label} has changed since reading of it began")


class FsspecFile(ByteSource):
    """A file behind any address that fsspec knows (``s3://``, ``ftp://``, ``memory://`` …)."""

    def __init__(self, url: str) -> None:
        self.label = url

    def beginning(self, length: int) -> tuple[FileVersion, bytes]:
        """Return size and fingerprint of the file and its first bytes, through fsspec."""
        filesystem, path = self._open()
        try:
            size = int(filesystem.size(path) or 0)
            version = FileVersion(size=size, etag=str(filesystem.ukey(path)))
            return version, bytes(filesystem.cat_file(path, start=0, end=min(length, size)))
        except FileNotFoundError:
            raise ArchiveFileNotFoundError(f"there is no file {self.label}") from None

    def spans(self, spans: Spans, view: memoryview, *, version: FileVersion) -> None:
        """Fill ``view`` through fsspec's own reading of many ranges at once."""
        filesystem, path = self._open()
        starts = [start for start, _ in spans]
        ends = [start + length for start, length in spans]
        place = 0
        for data, start, end in zip(
            filesystem.cat_ranges([path] * len(starts), starts, ends, on_error="raise"),
            starts,
            ends,
            strict=True,
        ):
            if len(data) != end - start:
                raise DamagedDataError(f"{self.label} ends before byte {end}")
            view[place : place + len(data)] = data
            place += len(data)

    def local_copy(self, version: FileVersion | None = None) -> Path:
        """Return where the file lies, streamed into the cache the first time."""
        from empiarreader.cache.copies import AS_IS, kept_copy

        wanted = self.version() if version is None else version

        def write(file: BinaryIO) -> None:
            for piece in self.stream(wanted):
                write_all(file, piece)

        return kept_copy(
            AS_IS, self.label, wanted, name=file_name(self.label), size_bytes=wanted.size, write=write
        )

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
    if scheme == "empiar":
        return RemoteFile(archive_address(settings.archive_url(), text))
    if scheme == "file":
        return LocalFile(Path(unquote(urlsplit(text).path)))
    if scheme:
        return FsspecFile(text)
    return LocalFile(Path(text).expanduser())


def _opened(path: str) -> BinaryIO:
    try:
        return Path(path).open("rb", buffering=0)
    except FileNotFoundError:
        raise ArchiveFileNotFoundError(f"there is no file {path}") from None
    except OSError as error:
        raise ServiceError(f"cannot read {path}: {error.strerror}") from error


def _local_version(status: os.stat_result) -> FileVersion:
    return FileVersion(size=status.st_size, etag=f"{status.st_ino:x}-{status.st_mtime_ns:x}")


def _read_spans(path: Path, spans: Spans, view: memoryview) -> None:
    with _opened(str(path)) as file:
        place = 0
        for start, length in spans:
            file.seek(start)
            _read_fully(file, view[place : place + length], str(path))
            place += length


def _read_up_to(file: BinaryIO, length: int) -> bytes:
    found = bytearray()
    while len(found) < length and (piece := file.read(length - len(found))):
        found += piece
    return bytes(found)


def _read_fully(file: Any, view: memoryview, label: str) -> None:
    filled = 0
    while filled < len(view):
        count = file.readinto(view[filled:])
        if not count:
            raise DamagedDataError(f"{label} ends {len(view) - filled} bytes too early")
        filled += count
