"""Gaussian blur along every spatial axis, in two dimensions as in three."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from caked.errors import InvalidOptionError
from caked.transforms.base import Transform, register, spatial_axes

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
    mirrored with the edge pixel repeated (d c b a | a b c d). These are the conventions of
    ``scipy.ndimage.gaussian_filter``.

    Examples
    --------
    >>> GaussianBlur(sigma=1.0)(torch.ones(1, 1, 4, 4, 4)).allclose(torch.tensor(1.0))
    True
    """

    def __init__(self, *, sigma: float = 1.0, truncate: float = 4.0) -> None:
        if not (sigma > 0 and truncate > 0 and np.isfinite(sigma * truncate)):
            raise InvalidOptionError(f"Sigma and truncate are positive, not {sigma} and {truncate}.")
        super().__init__(sigma=sigma, truncate=truncate)
        radius = int(truncate * sigma + 0.5)
        weights = np.exp(-0.5 * (np.arange(radius + 1) / sigma) ** 2)
        self.weights: list[float] = (weights / (weights[0] + 2 * weights[1:].sum())).tolist()

    def image(self, image: Tensor) -> Tensor:
        """Blur one axis after the other, in the same memory: fresh memory costs more than the sums."""
        blurred = torch.empty_like(image, memory_format=torch.contiguous_format)
        pair = torch.empty_like(blurred)
        for axis in spatial_axes(image):
            image = _blur_axis(image, axis, self.weights, pair, blurred)
        return blurred


def _mirrored(image: Tensor, axis: int, radius: int) -> Tensor:
    """Continue an axis on both sides by its mirror image, the edge pixel repeated."""
    length = image.shape[axis]
    if radius <= length:
        before, after = image.narrow(axis, 0, radius), image.narrow(axis, length - radius, radius)
        return torch.cat([before.flip(axis), image, after.flip(axis)], dim=axis)
    places = np.pad(np.arange(length), radius, mode="symmetric")  # mirrored more than once
    return image.index_select(axis, torch.from_numpy(places).to(image.device))


def _blur_axis(image: Tensor, axis: int, weights: Sequence[float], pair: Tensor, out: Tensor) -> Tensor:
    """Add up shifted copies: quicker than a convolution of one channel, and the same bits in any batch.

    Each step is one operation on each pixel by itself, a sum or a product added, so that its rounding does
    not depend on where in memory the pixel lies or on how many threads there are. ``out`` may be ``image``.
    """
    length, radius = image.shape[axis], len(weights) - 1
    padded = _mirrored(image, axis, radius)
    torch.mul(padded.narrow(axis, radius, length), weights[0], out=out)
    for shift, weight in enumerate(weights[1:], start=1):
        before, after = (padded.narrow(axis, radius + step, length) for step in (-shift, shift))
        out.add_(torch.add(before, after, out=pair), alpha=weight)
    return out
