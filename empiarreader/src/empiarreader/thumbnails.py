"""Small pictures of images: averaged down, stretched, and as PNG."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from empiarreader.errors import InvalidRequestError
from empiarreader.notebook import png_address

if TYPE_CHECKING:
    import xarray

_DARKEST, _BRIGHTEST = 1.0, 99.0  # percentiles


@dataclass(frozen=True)
class Thumbnail:
    """A picture that a notebook shows; ``png`` holds the file's bytes."""

    png: bytes

    def _repr_png_(self) -> bytes:
        return self.png

    def _repr_html_(self) -> str:
        return f'<img alt="thumbnail" src="{png_address(self.png)}">'


def make_thumbnail(image: xarray.DataArray, *, size: int = 256) -> Thumbnail:
    """Return a picture of an image: of a stack or volume, its middle section.

    That one section moves, whole, where the image is lazy.

    Parameters
    ----------
    image
        ``(y, x)``, or more axes before these.
    size
        Longest side of the picture in pixels; a smaller image keeps its size.

    Raises
    ------
    InvalidRequestError
        If the image has no pixels, or is no grey picture of at least two axes.
    """
    if not 0 < size <= 4096:
        raise InvalidRequestError(f"a thumbnail has 1 to 4096 pixels a side, not {size}")
    if image.ndim < 2 or image.size == 0 or image.dims[-2:] != ("y", "x"):
        raise InvalidRequestError(f"there is no picture in an image of the shape {image.shape} {image.dims}")
    middle = image[tuple(length // 2 for length in image.shape[:-2])]
    pixels = np.asarray(middle.values)
    if np.iscomplexobj(pixels):
        pixels = np.log1p(np.abs(pixels))
    return Thumbnail(encode_png(to_grey(shrink(pixels, size))))


def shrink(pixels: NDArray[Any], size: int) -> NDArray[np.float64]:
    """Return an image averaged over square blocks, so that neither side is longer than ``size``.

    Rows and columns left over at the far ends are left out.

    Examples
    --------
    >>> shrink(np.arange(16.0).reshape(4, 4), 2)
    array([[ 2.5,  4.5],
           [10.5, 12.5]])
    """
    block = max(1, -(-max(pixels.shape) // size))
    rows, columns = (max(1, length // block) for length in pixels.shape)
    height, width = (min(block, length) for length in pixels.shape)
    kept = pixels[: rows * height, : columns * width]
    averaged: NDArray[np.float64] = kept.reshape(rows, height, columns, width).mean(
        axis=(1, 3), dtype=np.float64
    )
    return averaged


def to_grey(pixels: NDArray[Any]) -> NDArray[np.uint8]:
    """Return an image stretched to 0 … 255 between its 1st and 99th percentile; what is not finite is black.

    Examples
    --------
    >>> to_grey(np.array([[0.0, 0.5, 1.0, np.nan]])).tolist()
    [[0, 127, 255, 0]]
    """
    finite = np.isfinite(pixels)
    if not finite.any():
        return np.zeros(pixels.shape, np.uint8)
    low, high = np.percentile(pixels[finite], [_DARKEST, _BRIGHTEST])
    span = high - low or 1.0
    with np.errstate(invalid="ignore"):
        scaled = np.clip((pixels - low) / span, 0, 1) * 255
    return np.where(finite, scaled, 0).astype(np.uint8)


def encode_png(grey: NDArray[np.uint8]) -> bytes:
    """Return a grey image ``(y, x)`` as a PNG file."""
    from imagecodecs import png_encode

    return bytes(png_encode(np.ascontiguousarray(grey)))
