"""Gzip, with a limit on what may come out of it."""

from __future__ import annotations

import contextlib
import gzip as gzip_files
import hashlib
import io
import os
import zlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, BinaryIO

from profet.errors import DamagedFileError

if TYPE_CHECKING:
    from typing_extensions import Buffer

LONGEST_BYTES = 2 << 30
"""No structure file that exists is longer than this, uncompressed."""

_MAGIC = b"\x1f\x8b"
_HIGHEST_RATIO = 100  # structure files shrink to a fifth or a tenth
_ALWAYS_ALLOWED_BYTES = 1 << 20
_MOST_LAYERS = 2  # a .gz file that the service compresses once more for the journey
_STEP_BYTES = 1 << 20


def unpack(data: bytes) -> tuple[bytes, int]:
    """Take off gzip, as often as it was put on (twice at most).

    Returns
    -------
    tuple
        The data below, and how many layers were taken off: 0 for data that is not compressed.

    Raises
    ------
    DamagedFileError
        If the data is cut short or its checksum is wrong, or if it grows beyond all measure.

    Examples
    --------
    >>> unpack(pack(b"data_1AKI")), unpack(b"data_1AKI")
    ((b'data_1AKI', 1), (b'data_1AKI', 0))
    """
    layers = 0
    while layers < _MOST_LAYERS and data.startswith(_MAGIC):
        data = _gunzip(data, min(LONGEST_BYTES, _ALWAYS_ALLOWED_BYTES + _HIGHEST_RATIO * len(data)))
        layers += 1
    return data, layers


@contextlib.contextmanager
def reading(file: BinaryIO) -> Iterator[BinaryIO]:
    """Read a file that may be gzipped, without holding all of it.

    Raises
    ------
    DamagedFileError
        While reading, if it is cut short or its checksum is wrong, or if it grows beyond all measure.
    """
    is_packed = file.read(len(_MAGIC)) == _MAGIC
    file.seek(0)
    if not is_packed:
        yield file
        return
    size = os.fstat(file.fileno()).st_size
    limit = min(LONGEST_BYTES, _ALWAYS_ALLOWED_BYTES + _HIGHEST_RATIO * size)
    with gzip_files.GzipFile(fileobj=file, mode="rb") as packed:
        yield io.BufferedReader(_Limited(packed, limit), _STEP_BYTES // 4)


@contextlib.contextmanager
def writing(file: BinaryIO, *, gzip: bool) -> Iterator[BinaryIO]:
    """Write to a file, gzipped if asked for, to the same bytes every time."""
    if not gzip:
        yield file
        return
    with gzip_files.GzipFile(filename="", fileobj=file, mode="wb", compresslevel=6, mtime=0) as packed:
        yield packed  # type: ignore[misc]


class _Limited(io.RawIOBase):
    """Unpacked bytes, up to a limit."""

    def __init__(self, packed: gzip_files.GzipFile, limit: int) -> None:
        self._packed, self._limit = packed, limit

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        view = memoryview(buffer)
        try:
            data = self._packed.read(len(view))
        except (EOFError, gzip_files.BadGzipFile, zlib.error) as error:
            raise DamagedFileError(f"the compressed data is damaged or cut short ({error})") from None
        self._limit -= len(data)
        if self._limit < 0:
            raise DamagedFileError("the compressed data grows beyond what any structure does")
        view[: len(data)] = data
        return len(data)


def pack(data: bytes) -> bytes:
    """Compress, to the same bytes every time."""
    packer = zlib.compressobj(6, zlib.DEFLATED, wbits=31)
    return packer.compress(data) + packer.flush()


def md5_hex(data: bytes) -> str:
    """MD5 as object stores state it in their ETag; guards against accidents, not against intent."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _gunzip(data: bytes, limit: int) -> bytes:
    out = bytearray()
    rest = data
    while rest.startswith(_MAGIC):  # a gzip file may have several members
        unpacker = zlib.decompressobj(wbits=31)
        while not unpacker.eof:
            try:
                step = unpacker.decompress(rest, _STEP_BYTES)
            except zlib.error as error:
                raise DamagedFileError(f"the compressed data is damaged ({error})") from None
            rest = unpacker.unconsumed_tail
            if not step and not rest and not unpacker.eof:
                raise DamagedFileError("the compressed data is cut short")
            out += step
            if len(out) > limit:
                raise DamagedFileError(f"{len(data)} compressed bytes grow beyond {limit}; no structure does")
        rest = unpacker.unused_data
    return bytes(out)
