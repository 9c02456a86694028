"""SPIDER images, volumes and stacks: a header of 4-byte reals, then rows of them.

Source of the layout: https://spider-em.github.io/SPIDER/docs/image_doc.html (words counted from 1).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from empiarreader.bytesource import ByteSource
from empiarreader.errors import DamagedDataError, UnsupportedFormatError
from empiarreader.images.base import Array, Beginning, ImageOptions, PlainImage
from empiarreader.images.raw import RawPixels
from empiarreader.network.ranges import FileVersion
from empiarreader.regions import Bounds
from empiarreader.voxels import VoxelSize

_HEADER_WORDS = 256
_IMAGE, _VOLUME = 1, 3
_FOURIER = frozenset({-11, -12, -21, -22})
# Words of the header, counted from 0.
_NZ, _NY, _FORM, _NX, _HEADER_BYTES, _ROW_BYTES, _STACK, _COUNT, _PIXEL = 0, 1, 4, 11, 21, 22, 23, 25, 37
_MOST = 2**24  # the largest whole number below which a 4-byte real counts exactly


@dataclass(frozen=True, kw_only=True)
class SpiderImage(PlainImage):
    """A SPIDER file: pixels by exact ranges."""

    raw: RawPixels
    dims: tuple[str, ...]
    version: FileVersion
    voxel_size: VoxelSize
    format: str = "SPIDER"

    @property
    def shape(self) -> tuple[int, ...]:
        """``(y, x)``, ``(z, y, x)`` of a volume or ``(frame, y, x)`` of a stack."""
        return self.raw.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Always float32."""
        return self.raw.dtype

    def read_into(self, file: ByteSource, bounds: Bounds, out: Array) -> None:
        """Fill ``out``: the rows of the region move."""
        self.raw.read_into(file, self.version, bounds, out)


def open_file(file: ByteSource, beginning: Beginning, options: ImageOptions) -> SpiderImage:
    """Return the image that a SPIDER file holds; its first 1024 bytes say all.

    Raises
    ------
    DamagedDataError
        If it is no SPIDER file, or shorter than its header says.
    UnsupportedFormatError
        If it holds Fourier transforms, an indexed stack or a stack of volumes.
    """
    order, header = _header(beginning.content, file.label)
    _refuse_rare_kinds(header, file.label)
    nz, ny, nx = (abs(int(header[word])) for word in (_NZ, _NY, _NX))
    row_bytes, header_bytes = 4 * nx, int(header[_HEADER_BYTES])
    is_stack, is_volume = header[_STACK] > 0, header[_FORM] == _VOLUME
    image_bytes = nz * ny * row_bytes
    if is_stack:
        shape: tuple[int, ...] = (int(header[_COUNT]), ny, nx)
        offset, section_bytes = 2 * header_bytes, header_bytes + image_bytes
    else:
        shape = (nz, ny, nx) if is_volume else (ny, nx)
        offset, section_bytes = header_bytes, ny * row_bytes
    raw = RawPixels(
        shape=shape, stored=f"{order}f4", offset=offset, row_bytes=row_bytes, section_bytes=section_bytes
    )
    if 0 in shape or raw.end > beginning.version.size:
        raise DamagedDataError(
            f"{file.label} has {beginning.version.size} bytes, but its header promises {raw.end} "
            f"({' x '.join(map(str, shape))} reals); it was cut short or is no SPIDER file"
        )
    dims = ("frame", "y", "x") if is_stack else ("z", "y", "x") if is_volume else ("y", "x")
    return SpiderImage(raw=raw, dims=dims, version=beginning.version, voxel_size=_voxel_size(header))


def _header(content: bytes, label: str) -> tuple[str, Array]:
    """Return the byte order that makes sense of a header, and its words."""
    if len(content) >= 4 * _HEADER_WORDS:
        for order in "<>":
            header = np.frombuffer(content, f"{order}f4", _HEADER_WORDS)
            if _makes_sense(header):
                return order, header
    raise DamagedDataError(f"{label} is no SPIDER file: its first 256 reals are not a SPIDER header")


def _makes_sense(header: Array) -> bool:
    words = [
        float(header[word]) for word in (_NZ, _NY, _NX, _FORM, _HEADER_BYTES, _ROW_BYTES, _STACK, _COUNT)
    ]
    if not all(math.isfinite(word) and word == int(word) and abs(word) < _MOST for word in words):
        return False
    nz, ny, nx, form, header_bytes, row_bytes, _, _ = words
    return (
        abs(nz) >= 1
        and min(ny, nx) >= 1
        and form in {_IMAGE, _VOLUME, *_FOURIER}
        and row_bytes == 4 * nx
        and header_bytes == math.ceil(4 * _HEADER_WORDS / row_bytes) * row_bytes
    )


def _refuse_rare_kinds(header: Array, label: str) -> None:
    if header[_FORM] in _FOURIER:
        raise UnsupportedFormatError(
            f"{label} holds a Fourier transform in SPIDER's packing, which is not read"
        )
    if header[_STACK] < 0 or (header[_STACK] > 0 and abs(header[_NZ]) > 1):
        raise UnsupportedFormatError(
            f"{label} is an indexed SPIDER stack or one of volumes, which are not read"
        )


def _voxel_size(header: Array) -> VoxelSize:
    size = float(header[_PIXEL])
    size = size if math.isfinite(size) and 0 < size < _MOST else 0.0
    return VoxelSize(z=size, y=size, x=size)
