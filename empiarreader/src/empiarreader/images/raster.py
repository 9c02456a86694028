"""PNG and JPEG, decoded by imagecodecs: previews, and images that were deposited for the eye.

Sources: https://www.w3.org/TR/png-3/ (IHDR), ITU-T T.81 (frame headers of JPEG).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from empiarreader.bytesource import ByteSource
from empiarreader.errors import DamagedDataError, UnsupportedFormatError
from empiarreader.images.base import Array, Beginning, ImageOptions, PlainImage
from empiarreader.network.ranges import FileVersion
from empiarreader.regions import Bounds
from empiarreader.voxels import VoxelSize

_PNG = b"\x89PNG\r\n\x1a\n"
_JPEG = b"\xff\xd8"
_PNG_CHANNELS = {0: 1, 2: 3, 3: 3, 4: 2, 6: 4}  # grey, colours, palette (read as colours), with opacity
# No deflate stream grows by more than 1032, and no block of 64 JPEG pixels takes less than a bit.
_LARGEST_RATIO = 1032
_SLACK = 64 * 1024
_FIRST_BYTES = 64 * 1024
_MOST_SEARCHED = 1024 * 1024
_FRAME_HEADERS = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}


@dataclass(frozen=True, kw_only=True)
class RasterImage(PlainImage):
    """A PNG or JPEG file; it is read whole whatever is asked of it."""

    format: str
    shape: tuple[int, ...]
    bits: int
    version: FileVersion

    @property
    def dtype(self) -> np.dtype[Any]:
        """``uint8`` or ``uint16``."""
        return np.dtype("u2" if self.bits == 16 else "u1")

    @property
    def dims(self) -> tuple[str, ...]:
        """``(y, x)`` of a grey image, ``(y, x, channel)`` of others."""
        return ("y", "x", "channel")[: len(self.shape)]

    @property
    def voxel_size(self) -> VoxelSize:
        """Unknown: what these files say of printing is no pixel size."""
        return VoxelSize(z=0.0, y=0.0, x=0.0)

    def read_into(self, file: ByteSource, bounds: Bounds, out: Array) -> None:
        """Fill ``out``: the whole file moves."""
        content = file.range(0, self.version.size, self.version)
        try:
            image = _decoder(self.format)(content)
        except Exception as error:  # whatever a decoder meets in bytes from elsewhere
            raise DamagedDataError(f"{file.label} cannot be decoded as {self.format}: {error}") from error
        if image.shape != self.shape:
            raise DamagedDataError(f"{file.label} decodes to {image.shape}, its header says {self.shape}")
        out[...] = image[tuple(slice(*part) for part in bounds)]


def open_file(file: ByteSource, beginning: Beginning, options: ImageOptions) -> RasterImage:
    """Return the image that a PNG or JPEG file holds.

    Raises
    ------
    DamagedDataError
        If its header is damaged, or promises more pixels than a file of that size can hold.
    UnsupportedFormatError
        If it is a JPEG of other than 8 bits or a colour model of printers.
    """
    content, size = beginning.content, beginning.version.size
    if content.startswith(_PNG):
        name, (shape, bits) = "PNG", _describe_png(content, file.label)
    elif content.startswith(_JPEG):
        name, (shape, bits) = "JPEG", _search_jpeg(file, beginning)
    else:
        raise DamagedDataError(f"{file.label} is neither PNG nor JPEG by its first bytes")
    if 0 in shape or np.prod(shape, dtype=object) * max(bits, 8) // 8 > _LARGEST_RATIO * size + _SLACK:
        raise DamagedDataError(
            f"{file.label} promises {' x '.join(map(str, shape))} pixels, more than {size} bytes can hold"
        )
    return RasterImage(format=name, shape=shape, bits=bits, version=beginning.version)


def _decoder(name: str) -> Callable[[bytes], Array]:
    import imagecodecs

    decoder: Callable[[bytes], Array] = imagecodecs.png_decode if name == "PNG" else imagecodecs.jpeg8_decode
    return decoder


def _describe_png(content: bytes, label: str) -> tuple[tuple[int, ...], int]:
    if len(content) < 33 or content[12:16] != b"IHDR":
        raise DamagedDataError(f"{label} is a damaged PNG file: its header is missing")
    columns, rows, bits, colour = struct.unpack_from(">IIBB", content, 16)
    if colour not in _PNG_CHANNELS or bits not in {1, 2, 4, 8, 16}:
        raise DamagedDataError(
            f"{label} is a damaged PNG file: colour type {colour} of {bits} bits does not exist"
        )
    channels = _PNG_CHANNELS[colour]
    return ((rows, columns) if channels == 1 else (rows, columns, channels)), bits


def _search_jpeg(file: ByteSource, beginning: Beginning) -> tuple[tuple[int, ...], int]:
    """Return shape and depth of a JPEG file; comments and profiles may push its frame header back."""
    content = beginning.content
    for length in (_FIRST_BYTES, _MOST_SEARCHED):
        if (found := _describe_jpeg(content, file.label)) is not None:
            return found
        content = file.range(0, min(length, beginning.version.size), beginning.version)
    if (found := _describe_jpeg(content, file.label)) is None:
        raise DamagedDataError(f"{file.label} is a damaged JPEG file: it has no frame header")
    return found


def _describe_jpeg(content: bytes, label: str) -> tuple[tuple[int, ...], int] | None:
    place = 2
    while place + 4 <= len(content):
        mark, kind, length = struct.unpack_from(">BBH", content, place)
        if mark != 0xFF or length < 2:
            raise DamagedDataError(f"{label} is a damaged JPEG file: there is no marker at byte {place}")
        if kind in _FRAME_HEADERS:
            if place + 10 > len(content):
                return None
            bits, rows, columns, channels = struct.unpack_from(">BHHB", content, place + 4)
            if bits != 8 or channels not in {1, 3}:
                raise UnsupportedFormatError(
                    f"{label} is a JPEG of {bits} bits and {channels} colours: not read"
                )
            return ((rows, columns) if channels == 1 else (rows, columns, channels)), bits
        place += 2 + length
    return None
