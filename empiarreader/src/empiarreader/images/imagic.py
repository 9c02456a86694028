"""IMAGIC: headers in one file (``.hed``), pixels in another of the same name (``.img``).

Source of the layout: https://www.imagescience.de/formats.html (words counted from 1, 256 of them an image).
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from empiarreader.bytefiles import open_bytes
from empiarreader.bytesource import ByteSource
from empiarreader.errors import ArchiveFileNotFoundError, DamagedDataError, UnsupportedFormatError
from empiarreader.images.base import Array, Beginning, ImageOptions, one_section
from empiarreader.images.raw import RawPixels
from empiarreader.network.ranges import FileVersion
from empiarreader.regions import Bounds
from empiarreader.voxels import VoxelSize

_RECORD_BYTES = 1024
_TYPES = {b"PACK": "u1", b"INTG": "i2", b"LONG": "i4", b"REAL": "f4", b"COMP": "c8"}
# The stamp reads the same in both byte orders and names one.
_STAMPS = {0x02020202: "<", 0x04040404: ">"}
_VAX_STAMP = 0x01000000
_MOST = 2**24
_SUFFIX = re.compile(r"\.(img|hed)(?=$|\?)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class ImagicImage:
    """A pair of IMAGIC files: pixels by exact ranges of the second."""

    raw: RawPixels
    dims: tuple[str, ...]
    version: FileVersion  # of the file that was opened
    pixels_version: FileVersion  # of the .img file
    voxel_size: VoxelSize
    title: str
    format: str = "IMAGIC"

    @property
    def shape(self) -> tuple[int, ...]:
        """``(y, x)`` of one image, ``(frame, y, x)`` of several, ``(z, y, x)`` of a volume."""
        return self.raw.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type that values are read as."""
        return self.raw.dtype

    @property
    def chunks(self) -> tuple[int, ...]:
        """One section."""
        return one_section(self.shape, self.dims)

    @property
    def attrs(self) -> Mapping[str, Any]:
        """``title`` of the first image."""
        return {"title": self.title}

    def read_into(self, file: ByteSource, bounds: Bounds, out: Array) -> None:
        """Fill ``out``: the rows of the region move."""
        self.raw.read_into(_pixels_file(file), self.pixels_version, bounds, out)

    def metadata(self, file: ByteSource) -> dict[str, Any]:
        """Return nothing more."""
        return {}


def open_file(file: ByteSource, beginning: Beginning, options: ImageOptions) -> ImagicImage:
    """Return what a pair of IMAGIC files holds, opened by either; two requests.

    Raises
    ------
    ArchiveFileNotFoundError
        If the other file of the pair is not beside it.
    DamagedDataError
        If these are no IMAGIC files, or the pixels are fewer than the header says.
    UnsupportedFormatError
        If numbers are as a VAX wrote them, or volumes are several.
    """
    if file.label != _sibling(file.label, "img"):
        record, pixels = beginning.content, _beside(file, "img").beginning(1)[0]
    else:
        record, pixels = _beside(file, "hed").beginning(_RECORD_BYTES)[1], beginning.version
    order, words = _words(record, file.label)
    shape, dims = _shape(words, file.label)
    stored = order + _TYPES[bytes(record[56:60])]
    row_bytes = shape[-1] * np.dtype(stored).itemsize
    raw = RawPixels(
        shape=shape, stored=stored, offset=0, row_bytes=row_bytes, section_bytes=shape[-2] * row_bytes
    )
    if raw.end > pixels.size:
        raise DamagedDataError(
            f"{_sibling(file.label, 'img')} has {pixels.size} bytes, but its header promises {raw.end} "
            f"({' x '.join(map(str, shape))} of {np.dtype(stored)})"
        )
    return ImagicImage(
        raw=raw,
        dims=dims,
        version=beginning.version,
        pixels_version=pixels,
        voxel_size=_voxel_size(record, order),
        title=bytes(record[116:196]).decode("ascii", "replace").strip("\0 "),
    )


def _sibling(label: str, suffix: str) -> str:
    """Return the name of the other file of a pair, in upper or lower case as the given one."""

    def swapped(match: re.Match[str]) -> str:
        return "." + (suffix.upper() if match[1].isupper() else suffix)

    return _SUFFIX.sub(swapped, label, count=1)


def _beside(file: ByteSource, suffix: str) -> ByteSource:
    other = _sibling(file.label, suffix)
    if other == file.label:
        raise ArchiveFileNotFoundError(f"{file.label} is not called .img or .hed; where is its pair?")
    return open_bytes(other)


def _pixels_file(file: ByteSource) -> ByteSource:
    return file if file.label == _sibling(file.label, "img") else _beside(file, "img")


def _words(record: bytes, label: str) -> tuple[str, tuple[int, ...]]:
    """Return byte order and the words of the first record as whole numbers."""
    if len(record) < _RECORD_BYTES or bytes(record[56:60]) not in _TYPES:
        raise DamagedDataError(f"{label} is no IMAGIC file: its header names no type of pixels")
    stamp = struct.unpack_from("<i", record, 272)[0]
    if _VAX_STAMP in (stamp, struct.unpack_from(">i", record, 272)[0]):
        raise UnsupportedFormatError(f"{label} was written on a VAX, whose numbers are not read")
    orders = [_STAMPS[stamp]] if stamp in _STAMPS else ["<", ">"]
    for order in orders:
        words = struct.unpack_from(f"{order}256i", record)
        if all(0 < words[k] < _MOST for k in (12, 13)) and 0 <= words[1] < _MOST:
            return order, words
    raise DamagedDataError(f"{label} is no IMAGIC file: no byte order makes sense of its header")


def _shape(words: tuple[int, ...], label: str) -> tuple[tuple[int, ...], tuple[str, ...]]:
    rows, columns, planes = words[12], words[13], max(words[60], 1)
    images = words[1] + 1
    if planes == 1:
        return ((images, rows, columns), ("frame", "y", "x")) if images > 1 else ((rows, columns), ("y", "x"))
    if images not in {1, planes} or words[61] > 1:
        raise UnsupportedFormatError(
            f"{label} holds {images} planes of volumes {planes} deep, which are not read"
        )
    return (planes, rows, columns), ("z", "y", "x")


def _voxel_size(record: bytes, order: str) -> VoxelSize:
    size = float(struct.unpack_from(f"{order}f", record, 488)[0])
    size = size if math.isfinite(size) and 0 < size < _MOST else 0.0
    return VoxelSize(z=size, y=size, x=size)
