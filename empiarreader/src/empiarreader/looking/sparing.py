"""Files of which only parts may move.

Some formats can only be read from the whole file, and others fetch it where that is quicker than looking for
its parts. Neither is wanted of a file that somebody only has a look at.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from empiarreader.bytesource import ByteSource, file_name
from empiarreader.byteunits import describe_bytes
from empiarreader.cache.copies import find_copy
from empiarreader.errors import InvalidRequestError
from empiarreader.imagefile import ImageFile
from empiarreader.images.base import ImageOptions
from empiarreader.network.ranges import FileVersion, Spans


class SparingFile(ByteSource):
    """A file that is not fetched whole where it is larger than a limit, unless it is in the cache already."""

    def __init__(self, file: ByteSource, limit_bytes: int) -> None:
        self.file, self.limit_bytes = file, limit_bytes
        self.label = file.label

    def beginning(self, length: int) -> tuple[FileVersion, bytes]:
        """Return the version of the file and its first bytes."""
        return self.file.beginning(length)

    def spans(self, spans: Spans, view: memoryview, *, version: FileVersion) -> None:
        """Fill ``view`` with spans of the file."""
        self.file.spans(spans, view, version=version)

    def local_copy(self, version: FileVersion | None = None) -> Path:
        """Return where the whole file lies, if it may be fetched."""
        self._check(version, kind="file")
        return self.file.local_copy(version)

    def stream(self, version: FileVersion) -> Iterator[bytes]:
        """Yield the whole of the file, if it may be fetched."""
        self._check(version, kind="file")
        yield from self.file.stream(version)

    def unpacked_copy(
        self, kind: str, version: FileVersion | None = None, *, limit_bytes: int | None = None
    ) -> Path:
        """Return where the unpacked content lies, if the file may be fetched for it."""
        self._check(version, kind=kind)
        return self.file.unpacked_copy(kind, version, limit_bytes=limit_bytes)

    def _check(self, version: FileVersion | None, *, kind: str) -> None:
        wanted = self.file.version() if version is None else version
        if find_copy(self.label, wanted, kind=kind) is None:
            refuse_whole(self.label, wanted.size, self.limit_bytes)


def refuse_whole(label: str, size: int, limit_bytes: int) -> None:
    """Raise an :class:`~empiarreader.InvalidRequestError` where a whole file is more than may move."""
    if size > limit_bytes:
        raise InvalidRequestError(
            f"{file_name(label)} can only be had whole, which is {describe_bytes(size)}, and no more than "
            f"{describe_bytes(limit_bytes)} may move; a higher limit fetches it"
        )


class SparingImageFile(ImageFile):
    """One image file that is not fetched whole where it is larger than a limit; None is no limit."""

    def __init__(
        self, location: str | os.PathLike[str], options: ImageOptions, limit_bytes: int | None
    ) -> None:
        super().__init__(location, options)
        self._limit_bytes = limit_bytes

    def _bytes(self, i: int) -> ByteSource:
        file = super()._bytes(i)
        is_far = "://" in file.label
        return SparingFile(file, self._limit_bytes) if is_far and self._limit_bytes is not None else file
