"""A file of which a few pieces are at hand: what libraries that want to seek and read are given."""

from __future__ import annotations

import io
from pathlib import Path

from empiarreader.bytesource import ByteSource
from empiarreader.errors import DamagedDataError
from empiarreader.network.ranges import FileVersion, Spans

_READ_AHEAD_BYTES = 4096


class SparseFile(io.RawIOBase):
    """A read-only file over the pieces that were fetched of it; what is missing is fetched when it is read.

    With `fetches_later`, what is missing is an `OSError` for whoever reads, and is fetched by :meth:`supply`.

    Parameters
    ----------
    file, version
        Where the bytes are.
    pieces
        ``(start, bytes)`` that are at hand already.
    limit_bytes
        How much may be fetched beside them: what describes an image is small, and a damaged description
        must not make a reader fetch everything.
    fetches_later
        For libraries that hold a lock while they read. To fetch takes other threads; should one of them come
        to collect garbage of that library, it waits for the lock, and the reader for it, for ever.
    """

    def __init__(
        self,
        file: ByteSource,
        version: FileVersion,
        *,
        pieces: list[tuple[int, bytes]] | None = None,
        limit_bytes: int = 1024 * 1024,
        fetches_later: bool = False,
    ) -> None:
        super().__init__()
        self.pieces = list(pieces or ())
        self.missed: list[tuple[int, bytes]] = []  # what had to be fetched beside pieces and prefetched spans
        self.label = file.label
        self.size = version.size
        self._file, self._version = file, version
        self._left = limit_bytes
        self._fetches_later = fetches_later
        self._lacking: tuple[int, int] | None = None
        self._place = 0

    def prefetch(self, spans: Spans) -> None:
        """Fetch several spans together."""
        found = self._file.ranges(spans, self._version)
        self.pieces += [(start, bytes(data)) for (start, _), data in zip(spans, found, strict=True)]

    def readable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def tell(self) -> int:
        """Return the place that is read from next."""
        return self._place

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to a place."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._place, io.SEEK_END: self.size}[whence]
        self._place = max(0, base + offset)
        return self._place

    def read(self, size: int | None = -1, /) -> bytes:
        """Return the next bytes; fewer at the end of the file."""
        left = max(0, self.size - self._place)
        length = left if size is None or size < 0 else min(size, left)
        data = self._find(self._place, length) if length else b""
        self._place += len(data)
        return data

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        """Fill a buffer with the next bytes and return how many there were."""
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _find(self, start: int, length: int) -> bytes:
        for place, data in reversed(self.pieces):
            if place <= start and start + length <= place + len(data):
                return data[start - place : start - place + length]
        if self._fetches_later:
            self._lacking = start, length
            raise OSError(f"{length} bytes at {start} of {self.label} are not at hand yet")
        return self._fetch(start, length)[:length]

    def supply(self) -> bool:
        """Fetch what was missing when it was last read; False if nothing was."""
        if self._lacking is None:
            return False
        (start, length), self._lacking = self._lacking, None
        self._fetch(start, length)
        return True

    def _fetch(self, start: int, length: int) -> bytes:
        wanted = min(max(length, _READ_AHEAD_BYTES), self.size - start)
        if length > self._left:
            raise DamagedDataError(
                f"{self.label} is damaged: its images have a description too long to be true"
            )
        self._left -= wanted
        data = self._file.range(start, wanted, self._version)
        self.pieces.append((start, data))
        self.missed.append((start, data))
        return data


class BegunFile(ByteSource):
    """A file whose first bytes are at hand, so that they are not asked for again."""

    def __init__(self, file: ByteSource, content: bytes) -> None:
        self.label = file.label
        self._file, self._content = file, content

    def beginning(self, length: int) -> tuple[FileVersion, bytes]:
        """Return what the file begins with, asked for anew."""
        return self._file.beginning(length)

    def spans(self, spans: Spans, view: memoryview, *, version: FileVersion) -> None:
        """Fill ``view`` from the bytes at hand if they hold all of the spans, else from the file."""
        if any(start + length > len(self._content) for start, length in spans):
            self._file.spans(spans, view, version=version)
            return
        place = 0
        for start, length in spans:
            view[place : place + length] = self._content[start : start + length]
            place += length

    def local_copy(self, version: FileVersion | None = None) -> Path:
        """Return where the file lies on a local disk."""
        return self._file.local_copy(version)
