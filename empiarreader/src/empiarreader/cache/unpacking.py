"""Compressed streams unpacked piece by piece, in bounded memory and up to a bounded length.

A few bytes can stand for very many: a stream is refused as soon as it grows past what the caller allows, or
past 1,100 times what went in (deflate reaches 1,032) once it is longer than 256 MiB.
"""

from __future__ import annotations

import bz2
import lzma
import zlib
from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath
from typing import Protocol

from empiarreader.errors import DamagedDataError, UnsupportedFormatError

SUFFIXES = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz"}
_AT_ONCE = 1024 * 1024
_ALWAYS_ALLOWED = 256 * 1024 * 1024
_LARGEST_RATIO = 1100
_XZ_MEMORY = 96 * 1024 * 1024  # what `xz -9` needs, and no more


class _Member(Protocol):
    """One compressed member of a stream: files made by appending have several."""

    @property
    def ended(self) -> bool:
        """Return whether the member is complete."""
        ...

    def feed(self, data: bytes) -> bytes:
        """Return at most a mebibyte of what follows from what was fed so far."""
        ...

    def hungry(self) -> bool:
        """Return whether nothing more comes out before more goes in."""
        ...

    def rest(self) -> bytes:
        """Return what was fed beyond the end of the member."""
        ...


class _Gzip:
    def __init__(self) -> None:
        self._object = zlib.decompressobj(wbits=31)
        self._tail = b""

    def feed(self, data: bytes) -> bytes:
        produced = self._object.decompress(self._tail + data, _AT_ONCE)
        self._tail = self._object.unconsumed_tail
        return produced

    def hungry(self) -> bool:
        return not self._tail

    def rest(self) -> bytes:
        return self._object.unused_data

    @property
    def ended(self) -> bool:
        return self._object.eof


class _Blocks:
    """bzip2 and xz, whose decompressors keep what they were fed."""

    def __init__(self, decompressor: bz2.BZ2Decompressor | lzma.LZMADecompressor) -> None:
        self._object = decompressor

    def feed(self, data: bytes) -> bytes:
        return self._object.decompress(data, _AT_ONCE)

    def hungry(self) -> bool:
        return self._object.needs_input

    def rest(self) -> bytes:
        return self._object.unused_data

    @property
    def ended(self) -> bool:
        return self._object.eof


def compression_of(path: str) -> str | None:
    """Return how a file is compressed by its name: ``gzip``, ``bzip2``, ``xz``, or None.

    Examples
    --------
    >>> compression_of("data/movie.mrc.BZ2"), compression_of("data/movie.mrc")
    ('bzip2', None)
    """
    return SUFFIXES.get(PurePosixPath(path).suffix.lower())


def unpack(
    chunks: Iterable[bytes], kind: str, *, label: str, limit_bytes: int, whole: bool = True
) -> Iterator[bytes]:
    """Yield what a compressed stream unpacks to, in pieces of at most a mebibyte.

    Parameters
    ----------
    chunks
        The stream; it is read no further than is needed for what is taken.
    kind
        ``gzip``, ``bzip2`` or ``xz``.
    label
        What to call it in messages.
    limit_bytes
        What it may unpack to.
    whole
        Whether the chunks go up to the end of the stream, and a missing end is an error.

    Raises
    ------
    DamagedDataError
        If it is damaged, cut short, or unpacks to more than is allowed.
    UnsupportedFormatError
        If the kind is none of these.

    Examples
    --------
    >>> import gzip
    >>> b"".join(unpack([gzip.compress(b"pixels")], "gzip", label="a.gz", limit_bytes=100))
    b'pixels'
    """
    member = _begin(kind, label)
    went_in = came_out = 0
    complete = False  # a whole member has been seen; what follows need not be another
    for chunk in chunks:
        went_in += len(chunk)
        data = chunk
        while True:
            try:
                piece = member.feed(data)
            except (zlib.error, lzma.LZMAError, OSError, EOFError) as error:
                if complete:
                    return  # gunzip and bunzip2 ignore what follows the last member, too
                raise DamagedDataError(f"{label} is no {kind} stream, or damaged: {error}") from error
            came_out += len(piece)
            _check_growth(label, went_in, came_out, limit_bytes)
            if piece:
                yield piece
            if member.ended:
                complete, data = True, member.rest().lstrip(b"\0")
                member = _begin(kind, label)
                if not data:
                    break
            elif member.hungry():
                complete = complete and not data
                break
            else:
                data = b""
    if whole and not complete:
        raise DamagedDataError(f"{label} ends in the middle of its {kind} stream")


def _begin(kind: str, label: str) -> _Member:
    if kind == "gzip":
        return _Gzip()
    if kind == "bzip2":
        return _Blocks(bz2.BZ2Decompressor())
    if kind == "xz":
        return _Blocks(lzma.LZMADecompressor(memlimit=_XZ_MEMORY))
    raise UnsupportedFormatError(f"{label} is compressed as {kind}; gzip, bzip2 and xz are unpacked")


def _check_growth(label: str, went_in: int, came_out: int, limit_bytes: int) -> None:
    if came_out > limit_bytes:
        raise DamagedDataError(f"{label} unpacks to more than the {limit_bytes} bytes that it may")
    if came_out > _ALWAYS_ALLOWED and came_out > went_in * _LARGEST_RATIO:
        raise DamagedDataError(
            f"{label} unpacks to {came_out // max(went_in, 1)} times its length and more, which no image does"
        )
