"""TIFF files: pages of one shape as an image or a stack, decoded by tifffile."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from caked.errors import DamagedFileError, InvalidOptionError, RefusedFileError
from caked.io.fourbits import TITLE, is_half_a_camera, unpacked
from caked.protocol import Array, Region

__all__ = ["TIFF_MAGIC", "read_tiff", "tiff_facts"]

TIFF_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

_LARGEST = 1 << 33


def tiff_facts(name: str) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Return shape, ``(y, x)`` or ``(page, y, x)``, and type of a TIFF file, by its tags alone.

    Where SerialEM packed two counts of 4 bits into a byte, the shape is that of the counts.

    Raises
    ------
    InvalidOptionError
        If tifffile is not installed.
    DamagedFileError
        If the tags make no sense.
    RefusedFileError
        If pages differ in shape, or have colours.
    """
    with _opened(name) as file:
        page = file.pages.first
        shape, dtype = tuple(page.shape), page.dtype
        pages, width = len(file.pages), _width(page)
        for other in file.pages:
            if tuple(other.shape) != shape or other.dtype != dtype:
                raise RefusedFileError(
                    f"Pages of one shape and type are read, and {name} has {shape} and {tuple(other.shape)}.",
                    path=name,
                )
    if len(shape) != 2 or dtype is None or dtype.kind not in "biuf":
        raise RefusedFileError(
            f"Grey images are read, and {name} has pages of {dtype} in {shape}.", path=name
        )
    if pages * int(np.prod(shape, dtype=object)) * dtype.itemsize > _LARGEST:
        raise RefusedFileError(
            f"File {name} says that it holds {pages} pages of {shape}: too many.", path=name
        )
    shape = (shape[0], width)
    return (shape if pages == 1 else (pages, *shape)), np.dtype(dtype)


def read_tiff(name: str, shape: tuple[int, ...], region: Region) -> Array:
    """Read the part of a TIFF file that a whole region names; pages outside it are not decoded."""
    with _opened(name) as file:
        if len(shape) == 2:
            return np.ascontiguousarray(_pixels(file.pages.first, shape)[region])
        pages = [_pixels(file.pages[k], shape)[region[1:]] for k in range(region[0].start, region[0].stop)]
        window = tuple(part.stop - part.start for part in region[1:])
        return np.stack(pages) if pages else np.empty((0, *window), dtype=file.pages.first.dtype)


def _width(page: Any) -> int:
    """Return how many pixels a row has: two a byte where a title or a camera's size says so."""
    width = int(page.imagewidth)
    is_of_bytes = page.dtype == np.uint8 and page.bitspersample == 8 and page.photometric <= 1
    is_titled = "SerialEMCCD" in page.description and TITLE in page.description
    holds_two = is_of_bytes and (is_titled or is_half_a_camera(page.imagelength, width))
    return 2 * width if holds_two else width


def _pixels(page: Any, shape: tuple[int, ...]) -> Array:
    """Return the pixels of a page in the width that the first page has."""
    pixels: Array = page.asarray()
    return pixels if pixels.shape[-1] == shape[-1] else unpacked(pixels, shape[-1])


@contextmanager
def _opened(name: str) -> Iterator[Any]:
    """Open a file; what its tags or its codec cannot make sense of is reported as damage."""
    try:
        import tifffile
    except ImportError as error:
        raise InvalidOptionError("TIFF is read with tifffile: pip install './caked[tiff]'.") from error
    try:
        with tifffile.TiffFile(name) as file:
            yield file
    except (DamagedFileError, RefusedFileError, FileNotFoundError, PermissionError):
        raise
    except Exception as error:  # decoders have errors of many kinds
        why = str(error).partition("\n")[0][:120]
        raise DamagedFileError(
            f"As TIFF it makes no sense ({why}): file {name} is corrupted.", path=name
        ) from error
