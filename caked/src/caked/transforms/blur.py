"""Gaussian blur along every spatial axis, in two dimensions as in three."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from torch import Tensor

from caked.errors import InvalidOptionError
from caked.transforms.base import Transform, register, spatial_axes
from caked.transforms.taps import Taps, apply_taps

__all__ = ["GaussianBlur"]


@register("gaussian_blur")
class GaussianBlur(Transform):
    """Blur with a Gaussian along every spatial axis, so in all three of a volume.

    Parameters
    ----------
    sigma
        Standard deviation in pixels.
    truncate
        Radius of the kernel in standard deviations.

    Notes
    -----
    Weights ``exp(-k**2 / (2 sigma**2))``, sum 1, for ``|k| <= floor(truncate * sigma + 0.5)``; borders are
    mirrored with the edge pixel repeated (d c b a | a b c d). Source: the conventions of
    ``scipy.ndimage.gaussian_filter``.

    Examples
    --------
    >>> import torch
    >>> GaussianBlur(sigma=1.0)(torch.ones(1, 1, 4, 4, 4)).allclose(torch.tensor(1.0))
    True
    """

    holds_nothing = True

    def __init__(self, *, sigma: float = 1.0, truncate: float = 4.0) -> None:
        if not (sigma > 0 and truncate > 0 and np.isfinite(sigma * truncate)):
            raise InvalidOptionError(f"Sigma and truncate are positive, not {sigma} and {truncate}.")
        super().__init__(sigma=sigma, truncate=truncate)
        radius = int(truncate * sigma + 0.5)
        weights = np.exp(-0.5 * (np.arange(radius + 1) / sigma) ** 2)
        self.weights: tuple[float, ...] = tuple((weights / (weights[0] + 2 * weights[1:].sum())).tolist())

    def image(self, image: Tensor) -> Tensor:
        """Blur one axis after the other."""
        for axis in spatial_axes(image):
            image = apply_taps(image, axis, _blur_taps(image.shape[axis], self.weights))
        return image


@lru_cache(maxsize=32)
def _blur_taps(length: int, weights: tuple[float, ...]) -> Taps:
    """Return the neighbours of each pixel, beyond the ends those in the mirror, with their weights."""
    radius = len(weights) - 1
    places = np.pad(np.arange(length), radius, mode="symmetric")
    windows = np.lib.stride_tricks.sliding_window_view(places, 2 * radius + 1)
    return Taps(windows.copy(), np.tile([*reversed(weights[1:]), *weights], (length, 1)))
