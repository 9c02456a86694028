"""Rescaling in real space, by areas or by linear interpolation that does not alias."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from caked.errors import InvalidOptionError, ShapeError
from caked.transforms.base import register, spatial_axes
from caked.transforms.moving import Geometric, Motion
from caked.transforms.taps import apply_taps, area_taps, linear_taps, nearest_taps

__all__ = ["Resize", "check_size", "sizes_for"]


@register("resize")
class Resize(Geometric):
    """Bring images to another number of pixels in real space; the field of view stays.

    Parameters
    ----------
    size
        New number of pixels: one for every axis, or one for each.
    method
        ``"area"``: a new pixel is the mean of what it covers. ``"linear"``: a triangle as wide as two of the
        larger pixels, old or new, weighs what lies around its centre.

    Notes
    -----
    ``y_q = sum_i w_qi x_i / sum_i w_qi`` along each axis, N to n pixels: ``w_qi = |[i, i + 1] ∩ [q N/n,
    (q + 1) N/n]|`` by area; ``w_qi = max(0, 1 - |i - (q + 1/2) N/n + 1/2| / max(1, N/n))`` linear. Source:
    averaging over areas, and the antialiased bilinear interpolation of torch and Pillow. Neither is as sharp
    as :class:`~caked.transforms.FourierCrop`: frequencies above the new limit are damped and not gone. The
    edges of the field of view stay, so pixel p of an axis goes to ``(p + 1/2) n/N - 1/2``. Masks take the
    nearest pixel, weights follow linearly.

    Examples
    --------
    >>> import torch
    >>> Resize(size=2)(torch.tensor([[[1.0, 3.0, 5.0, 9.0]]])).tolist()
    [[[2.0, 7.0]]]
    """

    is_random = False

    def __init__(self, *, size: int | Sequence[int], method: str = "area") -> None:
        if method not in ("area", "linear"):
            raise InvalidOptionError(f"Images are rescaled by 'area' or 'linear', not {method!r}.")
        self_size = check_size(size)
        super().__init__(size=size if isinstance(size, int) else list(size), method=method)
        self.size, self.method = self_size, method

    def transform(self, image: Tensor, parameters: Any) -> Tensor:
        """Rescale every spatial axis."""
        return self._resample(image, area_taps if self.method == "area" else linear_taps)

    def transform_mask(self, mask: Tensor, parameters: Any) -> Tensor:
        """Take the nearest pixel."""
        return self._resample(mask, nearest_taps)

    def _resample(self, image: Tensor, taps_of: Any) -> Tensor:
        for axis, size in zip(spatial_axes(image), sizes_for(self.size, image), strict=True):
            if size != image.shape[axis]:
                image = apply_taps(image, axis, taps_of(image.shape[axis], size))
        return image

    def motion(self, image: Tensor, parameters: Any) -> Motion:
        """Return where pixels go: the outer edges stay."""
        before, after = image.shape[2:], sizes_for(self.size, image)
        offset = 0.5 * np.array(after) / np.array(before) - 0.5
        return Motion.scaling(before, after, np.tile(offset, (len(image), 1)))


def check_size(size: int | Sequence[int]) -> int | tuple[int, ...]:
    """Return a size as a number or a tuple of them, after a check that they are positive."""
    sizes = [size] if isinstance(size, int) else list(size)
    if not sizes or any(n < 1 or int(n) != n for n in sizes):
        raise InvalidOptionError(f"A size is a positive number of pixels, or one an axis, not {size}.")
    return sizes[0] if isinstance(size, int) else tuple(sizes)


def sizes_for(size: int | tuple[int, ...], image: Tensor) -> tuple[int, ...]:
    """Return the new length of each spatial axis of ``image``."""
    axes = spatial_axes(image)
    sizes = (size,) * len(axes) if isinstance(size, int) else size
    if len(sizes) != len(axes):
        raise ShapeError(f"There are {len(sizes)} sizes for images of shape {tuple(image.shape[2:])}.")
    return sizes
