"""Where the bytes of one file come from: the archive, a local disk, or anything fsspec opens.

All three answer the same questions: what the file begins with, what certain spans of it hold, and where the
whole of it lies on a local disk.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

from empiarreader import settings
from empiarreader.addresses import decode_path
from empiarreader.cache.items import KeptFile
from empiarreader.errors import (
    ArchiveFileNotFoundError,
    DamagedDataError,
    FileChangedError,
    InvalidRequestError,
    ServiceError,
)
from empiarreader.mirror import mirrored
from empiarreader.ranges import (
    FileVersion,
    JoinedSpans,
    Spans,
    ask_version,
    fetch_file,
    fetch_loose,
    fetch_range,
    fetch_spans,
)

_NEARBY_BYTES = 4096
_STREAMED_AT_ONCE = 16 * 1024 * 1024
_FIRST_PEEK_BYTES = 64 * 1024
_MOST_PEEKED_BYTES = 1024 * 1024


class ByteSource(ABC):
    """A file whose bytes can be had in parts.

    Attributes
    ----------
    label : str
        Address or path, for messages and for the attribute ``filename``.
    """

    label: str

    @abstractmethod
    def beginning(self, length: int) -> tuple[FileVersion, bytes]:
        """Return the version of the file and its first ``length`` bytes; fewer where it is shorter."""

    @abstractmethod
    def spans(self, spans: Spans, view: memoryview, *, version: FileVersion) -> None:
        """Fill ``view`` with ``(start, length)`` spans of that version of the file, one after the other.

        Spans that cannot be had raise, and the view may be filled in part; bytes of another version never
        stand in it after a return.
        """

    @abstractmethod
    def local_copy(self, version: FileVersion | None = None) -> Path:
        """Return where the whole file lies on a local disk; fetched into the cache where it does not yet.

        Parameters
        ----------
        version
            The version that must lie there; None takes what the file is now.

        Raises
        ------
        FileChangedError
            If the file is no longer that version.
        InvalidRequestError
            If the file is larger than the cache may be.
        """

    def range(self, start: int, length: int, version: FileVersion) -> bytes:
        """Return ``length`` bytes from ``start`` on; a range beyond the end of the file raises."""
        buffer = bytearray(length)
        self.spans([(start, length)], memoryview(buffer), version=version)
        return bytes(buffer)

    def ranges(
        self, spans: Spans, version: FileVersion, *, nearby_bytes: int = _NEARBY_BYTES
    ) -> list[memoryview]:
        """Return the bytes of many ``(start, length)`` spans, in the order given, all fetched together.

        Spans that overlap, or lie no more than ``nearby_bytes`` apart, move as one.
        """
        joined = JoinedSpans(spans, nearby_bytes)
        view = memoryview(bytearray(joined.total_bytes))
        self.spans(joined.spans, view, version=version)
        return joined.cut(view)

    def stream(self, version: FileVersion) -> Iterator[bytes]:
        """Yield the whole of that version of the file in order; the next piece is on its way meanwhile."""

        def piece(start: int) -> bytes:
            return self.range(start, min(_STREAMED_AT_ONCE, version.size - start), version)

        with ThreadPoolExecutor(1, thread_name_prefix="empiarreader-stream") as ahead:
            coming = [ahead.submit(piece, 0)]
            for start in range(_STREAMED_AT_ONCE, version.size + _STREAMED_AT_ONCE, _STREAMED_AT_ONCE):
                arrived = coming.pop().result()
                if start < version.size:
                    coming.append(ahead.submit(piece, start))
                yield arrived

    def unpacked_beginning(self, kind: str, length: int) -> tuple[FileVersion, bytes]:
        """Return the version of a compressed file and the first ``length`` bytes of what it unpacks to.

        At most a mebibyte of the file is read for it.

        Parameters
        ----------
        kind
            ``gzip``, ``bzip2`` or ``xz``.
        length
            How many unpacked bytes are wanted; fewer come where there are fewer.

        Raises
        ------
        DamagedDataError
            If the file is no such stream.
        """
        version, packed = self.beginning(_FIRST_PEEK_BYTES)
        found = _unpack_some(packed, kind, self.label, length, whole=len(packed) == version.size)
        if len(found) < length and len(packed) < version.size:
            # A block of bzip2 says nothing before it is there as a whole, and takes up to 910 kB.
            rest = min(_MOST_PEEKED_BYTES, version.size) - len(packed)
            packed += self.range(len(packed), rest, version)
            found = _unpack_some(packed, kind, self.label, length, whole=len(packed) == version.size)
        return version, found

    def unpacked_copy(
        self, kind: str, version: FileVersion | None = None, *, limit_bytes: int | None = None
    ) -> Path:
        """Return where the unpacked content of a compressed file lies on a local disk.

        The first time, the file is streamed once and unpacked into the cache as it comes.

        Parameters
        ----------
        kind
            ``gzip``, ``bzip2`` or ``xz``.
        version
            The version wanted; None takes what the file is now.
        limit_bytes
            What it may unpack to, where its beginning says so; never more than the cache may hold.

        Raises
        ------
        DamagedDataError
            If it is damaged, cut short, or unpacks to more than it may.
        """
        from empiarreader.cache.copies import kept_copy
        from empiarreader.cache.unpacking import unpack

        wanted = self.beginning(1)[0] if version is None else version
        limit = min(settings.cache_size_bytes(), limit_bytes or settings.cache_size_bytes())

        def write(file: BinaryIO) -> None:
            for piece in unpack(self.stream(wanted), kind, label=self.label, limit_bytes=limit):
                _write_all(file, piece)

        name = PurePosixPath(file_name(self.label))
        return kept_copy(
            kind,
            self.label,
            wanted,
            name=name.stem if len(name.suffixes) > 1 else name.name,
            size_bytes=min(limit, limit_bytes or 4 * wanted.size),
            write=write,
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
            return LocalFile(local).beginning(0)[0]
        return self._kept(None).version if settings.offline() else ask_version(self.label)

    def copy_into(self, file: BinaryIO) -> None:
        """Write the whole file to an open one, which must have a descriptor."""
        version = self.version()
        if self.is_near(version):
            for piece in self.stream(version):
                _write_all(file, piece)
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
        from empiarreader.cache.facts import not_kept

        kept = self._find(version)
        if kept is None:
            raise ServiceError(not_kept(self.label))
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
        """Return the size of the file and its first bytes, through fsspec."""
        filesystem, path = self._open()
        try:
            size = int(filesystem.size(path) or 0)
            return FileVersion(size=size), bytes(filesystem.cat_file(path, start=0, end=min(length, size)))
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

        wanted = self.beginning(1)[0] if version is None else version

        def write(file: BinaryIO) -> None:
            for piece in self.stream(wanted):
                _write_all(file, piece)

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
    if scheme == "file":
        return LocalFile(Path(unquote(urlsplit(text).path)))
    if scheme:
        return FsspecFile(text)
    return LocalFile(Path(text).expanduser())


def file_name(label: str) -> str:
    """Return the name of a file by its address or path, decoded.

    Examples
    --------
    >>> file_name("https://host/10943/a%20b.mrc"), file_name("/data/a b.mrc")
    ('a b.mrc', 'a b.mrc')
    """
    if "://" in label:
        return decode_path(urlsplit(label).path.rpartition("/")[2])
    return Path(label).name


def _unpack_some(packed: bytes, kind: str, label: str, length: int, *, whole: bool) -> bytes:
    from empiarreader.cache.unpacking import unpack

    found = bytearray()
    limit = len(packed) * 2000 + length  # what a mebibyte of zeros packed by bzip2 grows to is cut off here
    for piece in unpack([packed], kind, label=label, limit_bytes=limit, whole=whole):
        found += piece[: length - len(found)]
        if len(found) == length:
            break
    return bytes(found)


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


def _write_all(file: BinaryIO, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]
