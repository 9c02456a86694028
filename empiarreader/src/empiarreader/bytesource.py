"""What can be asked of a file, wherever its bytes come from.

What it begins with, what certain spans of it hold, where the whole of it lies on a local disk, and what it
unpacks to. :mod:`empiarreader.bytefiles` answers for remote files, local ones, and those of fsspec.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from urllib.parse import urlsplit

from empiarreader import settings
from empiarreader.addresses import decode_path
from empiarreader.network.ranges import FileVersion, JoinedSpans, Spans
from empiarreader.threads import Threads

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

    def version(self) -> FileVersion:
        """Return which version of the file there is: one small request."""
        return self.beginning(1)[0]

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

        with Threads(1, "empiarreader-stream") as ahead:
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

        wanted = self.version() if version is None else version
        limit = min(settings.cache_size_bytes(), limit_bytes or settings.cache_size_bytes())

        def write(file: BinaryIO) -> None:
            for piece in unpack(self.stream(wanted), kind, label=self.label, limit_bytes=limit):
                write_all(file, piece)

        name = PurePosixPath(file_name(self.label))
        return kept_copy(
            kind,
            self.label,
            wanted,
            name=name.stem if len(name.suffixes) > 1 else name.name,
            size_bytes=min(limit, limit_bytes or 4 * wanted.size),
            write=write,
        )


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


def write_all(file: BinaryIO, data: bytes) -> None:
    """Write all of it: an unbuffered file may take the beginning only."""
    view = memoryview(data)
    while view:
        view = view[file.write(view) :]
