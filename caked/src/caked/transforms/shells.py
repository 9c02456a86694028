"""Distances from the centre of an image, and soft masks by them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caked.errors import InvalidOptionError
from caked.transforms.base import Transform, register
from caked.transforms.reduce import column, divisor, mean_of

__all__ = ["SphericalMask", "centre_distance", "soft_edge"]

Floats = NDArray[np.float64]


@lru_cache(maxsize=16)
def centre_distance(shape: tuple[int, ...]) -> Floats:
    """Return how far each pixel lies from the centre n // 2, in pixels.

    Examples
    --------
    >>> centre_distance((3, 3))[0].round(3).tolist()
    [1.414, 1.0, 1.414]
    """
    grids = np.meshgrid(*(np.arange(n) - n // 2 for n in shape), indexing="ij", sparse=True)
    distance: Floats = np.sqrt(sum((np.square(grid, dtype=np.float64) for grid in grids), start=np.zeros(())))
    return distance


def soft_edge(distance: Any, inner: float, outer: float, profile: str) -> Any:
    """Return 1 up to ``inner``, 0 from ``outer`` on, and an edge in between."""
    if outer == inner:
        return (distance <= inner).astype(np.float64)
    part = np.clip((distance - inner) / (outer - inner), 0.0, 1.0)
    return 1 - part if profile == "linear" else 0.5 + 0.5 * np.cos(np.pi * part)


@register("spherical_mask")
class SphericalMask(Transform):
    """Fade each sample out beyond a radius: a circle in images, a sphere in volumes.

    Parameters
    ----------
    inner, outer
        Where the edge begins and ends, in parts of half the shortest axis.
    profile
        ``"cosine"`` or ``"linear"``.
    fill
        What it fades into: a number, or ``"mean"`` of what the mask takes away.

    Notes
    -----
    ``y = m x + (1 - m) f`` with, for ``t = (r - inner) / (outer - inner)`` from 0 to 1,
    ``m = ½ (1 + cos πt)`` or ``m = 1 - t``; r about the centre n // 2. Source: the defaults are those of
    tomoDRGN; cryoDRGN has a linear edge from 0.85 to 0.99. ``"mean"`` is ``sum((1 - m) x) / sum(1 - m)``,
    as of RELION's soft masks.

    Examples
    --------
    >>> SphericalMask(inner=0.5, outer=0.5)(torch.ones(1, 1, 4)).tolist()
    [[[0.0, 1.0, 1.0, 1.0]]]
    """

    def __init__(
        self,
        *,
        inner: float = 0.75,
        outer: float = 0.95,
        profile: str = "cosine",
        fill: float | str = 0.0,
    ) -> None:
        if not 0 <= inner <= outer < np.inf:
            raise InvalidOptionError(f"An edge goes from 0 or more outwards, not from {inner} to {outer}.")
        if profile not in ("cosine", "linear"):
            raise InvalidOptionError(f"An edge is 'cosine' or 'linear', not {profile!r}.")
        if isinstance(fill, str) and fill != "mean":
            raise InvalidOptionError(f"A mask fades into a number or the 'mean', not {fill!r}.")
        super().__init__(inner=inner, outer=outer, profile=profile, fill=fill)
        self.inner, self.outer, self.profile, self.fill = inner, outer, profile, fill

    def image(self, image: Tensor) -> Tensor:
        """Fade out each sample."""
        shape = tuple(image.shape[2:])
        half = min(shape) / 2
        mask = soft_edge(centre_distance(shape), self.inner * half, self.outer * half, self.profile)
        inside = torch.from_numpy(mask).to(image)
        if self.fill != "mean":
            return image * inside + (1 - inside) * float(self.fill)
        outside = (1 - inside).expand_as(image)
        share = mean_of(outside)
        level = mean_of(image * outside) / divisor(share)
        return image * inside + (1 - inside) * column(level, image)
