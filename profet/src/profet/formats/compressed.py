"""Gzip, with a limit on what may come out of it."""

from __future__ import annotations

import hashlib
import zlib

from profet.errors import DamagedFileError

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
