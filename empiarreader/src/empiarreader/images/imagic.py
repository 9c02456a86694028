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

from empiarreader import settings
from empiarreader.bytefiles import open_bytes
from empiarreader.bytesource import ByteSource
from empiarreader.errors import (
    ArchiveFileNotFoundError,
    DamagedDataError,
    ServiceError,
    UnsupportedFormatError,
)
from empiarreader.images.base import Array, Beginning, ImageOptions, PlainImage
from empiarreader.images.compressed import UnpackedFile, compression_by_content
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
_SUFFIX = re.compile(r"\.(img|hed)(\.gz|\.bz2|\.xz)?(?=$|\?)", re.IGNORECASE)
_COMPRESSIONS = ("", ".gz", ".bz2", ".xz")


@dataclass(frozen=True, kw_only=True)
class ImagicImage(PlainImage):
    """A pair of IMAGIC files: pixels by exact ranges of the second.

    Attributes
    ----------
    pixels : ByteSource or None
        The .img file, where the other one was opened.
    version, pixels_version : FileVersion
        Of the file that was opened, and of the .img file.
    """

    raw: RawPixels
    dims: tuple[str, ...]
    version: FileVersion
    pixels: ByteSource | None
    pixels_version: FileVersion
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
    def attrs(self) -> Mapping[str, Any]:
        """``title`` of the first image."""
        return {"title": self.title}

    def read_into(self, file: ByteSource, bounds: Bounds, out: Array) -> None:
        """Fill ``out``: the rows of the region move."""
        self.raw.read_into(self.pixels or file, self.pixels_version, bounds, out)


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
    beside, found = _open_beside(file.label)
    is_header = _suffix(file.label) == "hed"
    record, pixels = (beginning.content, found.version) if is_header else (found.content, beginning.version)
    order, words = _words(record, file.label)
    shape, dims = _shape(words, file.label)
    stored = order + _TYPES[bytes(record[56:60])]
    row_bytes = shape[-1] * np.dtype(stored).itemsize
    raw = RawPixels(
        shape=shape, stored=stored, offset=0, row_bytes=row_bytes, section_bytes=shape[-2] * row_bytes
    )
    if raw.end > pixels.size:
        raise DamagedDataError(
            f"{(beside if is_header else file).label} has {pixels.size} bytes, but its header promises "
            f"{raw.end} ({' x '.join(map(str, shape))} of {np.dtype(stored)})"
        )
    return ImagicImage(
        raw=raw,
        dims=dims,
        version=beginning.version,
        pixels=beside if is_header else None,
        pixels_version=pixels,
        voxel_size=_voxel_size(record, order),
        title=bytes(record[116:196]).decode("ascii", "replace").strip("\0 "),
    )


def _suffix(label: str) -> str:
    match = _SUFFIX.search(label)
    return match[1].lower() if match else ""


def _open_beside(label: str) -> tuple[ByteSource, Beginning]:
    """Return the other file of a pair and its beginning, unpacked if it is compressed."""
    names = names_beside(label)
    for name in names:
        file = open_bytes(name)
        try:
            version, content = file.beginning(_RECORD_BYTES)
        except ArchiveFileNotFoundError:
            continue
        except ServiceError:
            if settings.offline() and name != names[-1]:
                continue  # the cache may have it under another of these names
            raise
        kind = compression_by_content(content)
        if kind is None:
            return file, Beginning(version, content)
        unpacked = UnpackedFile(file, kind, version)
        return unpacked, Beginning(*unpacked.beginning(_RECORD_BYTES))
    missing = names[0] if names else "other file, as it is not called .img or .hed"
    raise ArchiveFileNotFoundError(f"{label} is one of a pair of IMAGIC files, but there is no {missing}")


def names_beside(label: str) -> list[str]:
    """Return what the other file of a pair may be called, the likeliest first; nothing for other files.

    Examples
    --------
    >>> names_beside("data/A.IMG.gz")
    ['data/A.HED.gz', 'data/A.HED', 'data/A.HED.bz2', 'data/A.HED.xz']
    """
    match = _SUFFIX.search(label)
    if match is None:
        return []
    other = {"img": "hed", "hed": "img"}[match[1].lower()]
    other = other.upper() if match[1].isupper() else other
    ways = sorted(_COMPRESSIONS, key=lambda way: way != (match[2] or "").lower())
    return [f"{label[: match.start()]}.{other}{way}{label[match.end() :]}" for way in ways]


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
