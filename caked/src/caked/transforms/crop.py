"""Parts of an image: from the middle, or from anywhere; and borders around it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from caked.errors import InvalidOptionError, ShapeError
from caked.randomness import Draws, Integers
from caked.transforms.base import register
from caked.transforms.moving import Geometric, Motion
from caked.transforms.reduce import column, mean_of
from caked.transforms.resize import check_size, sizes_for

__all__ = ["CentreCrop", "RandomCrop"]


@register("random_crop")
class RandomCrop(Geometric):
    """Cut a part out of each sample, from a place of its own.

    Parameters
    ----------
    size
        Number of pixels of the part: one for every axis, or one for each; no more than the image has.

    Notes
    -----
    All places where the part lies within the image are alike. Coordinates and origin follow; coordinates
    outside the part are kept, and lie outside. Source: slices, ``y(p) = x(p + start)``.

    Examples
    --------
    >>> RandomCrop(size=2)(torch.arange(16.0).reshape(1, 1, 4, 4)).shape
    torch.Size([1, 1, 2, 2])
    """

    def __init__(self, *, size: int | Sequence[int]) -> None:
        super().__init__(size=size if isinstance(size, int) else list(size))
        self.size = check_size(size)

    def draw(self, draws: Draws, image: Tensor) -> Integers:
        """Draw the first pixel along each axis: ``(B, axes)``."""
        sizes, shape = sizes_for(self.size, image), tuple(image.shape[2:])
        if any(size > length for size, length in zip(sizes, shape, strict=True)):
            raise ShapeError(f"A part of {sizes} pixels cannot be cut out of an image of shape {shape}.")
        rooms = np.array(shape) - np.array(sizes) + 1
        starts: Integers = np.floor(draws.uniform(count=len(sizes)) * rooms).astype(np.int64)
        return starts

    def transform(self, image: Tensor, parameters: Integers) -> Tensor:
        """Cut out each part."""
        sizes = sizes_for(self.size, image)
        parts = []
        for one, starts in zip(image, parameters.tolist(), strict=True):
            where = [slice(start, start + size) for start, size in zip(starts, sizes, strict=True)]
            parts.append(one[(slice(None), *where)])
        return torch.stack(parts)

    def motion(self, image: Tensor, parameters: Integers) -> Motion:
        """Return where pixels go: the first one's place is taken off."""
        return Motion.shifting(-parameters)


@register("centre_crop")
class CentreCrop(Geometric):
    """Cut out the middle of an image, or put a border around it, so that its centre n // 2 stays the centre.

    Parameters
    ----------
    size
        New number of pixels: one for every axis, or one for each.
    fill
        What a border is made of: a number, or ``"mean"`` of the sample. Masks and weights get 0.

    Notes
    -----
    Pixel p of an axis goes to ``p - N // 2 + n // 2``. Coordinates and origin follow. Source: slices and
    ``numpy.pad``; the centre is that of Fourier transforms.

    Examples
    --------
    >>> CentreCrop(size=2)(torch.tensor([[[0.0, 1.0, 2.0, 3.0]]])).tolist()
    [[[1.0, 2.0]]]
    >>> CentreCrop(size=4)(torch.tensor([[[1.0, 2.0]]])).tolist()
    [[[0.0, 1.0, 2.0, 0.0]]]
    """

    is_random = False

    def __init__(self, *, size: int | Sequence[int], fill: float | str = 0.0) -> None:
        if isinstance(fill, str) and fill != "mean":
            raise InvalidOptionError(f"A border is made of a number or the 'mean', not {fill!r}.")
        super().__init__(size=size if isinstance(size, int) else list(size), fill=fill)
        self.size, self.fill = check_size(size), fill

    def transform(self, image: Tensor, parameters: Any) -> Tensor:
        """Crop and pad around the centre."""
        if self.fill == "mean":
            level = column(mean_of(image), image)
            return self._around(image - level) + level
        return self._around(image, float(self.fill))

    def transform_mask(self, mask: Tensor, parameters: Any) -> Tensor:
        """Crop, or put zeros around."""
        return self._around(mask)

    def transform_weight(self, weight: Tensor, parameters: Any) -> Tensor:
        """Crop, or put zeros around."""
        return self._around(weight)

    def _around(self, image: Tensor, value: float = 0.0) -> Tensor:
        starts, sizes = self._starts(image), sizes_for(self.size, image)
        result = image.new_full((*image.shape[:2], *sizes), value)
        old, new = [slice(None)] * 2, [slice(None)] * 2
        for start, size, length in zip(starts, sizes, image.shape[2:], strict=True):
            old.append(slice(max(0, start), min(length, start + size)))
            new.append(slice(max(0, -start), min(size, length - start)))
        result[tuple(new)] = image[tuple(old)]
        return result

    def _starts(self, image: Tensor) -> list[int]:
        sizes = sizes_for(self.size, image)
        return [length // 2 - size // 2 for length, size in zip(image.shape[2:], sizes, strict=True)]

    def motion(self, image: Tensor, parameters: Any) -> Motion:
        """Return where pixels go: the centre stays the centre."""
        starts = self._starts(image)
        return Motion.shifting(np.tile(-np.array(starts), (len(image), 1)))
