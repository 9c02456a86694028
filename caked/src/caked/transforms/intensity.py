"""Transforms of the values: scale, standardise, clip, invert."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from caked.errors import InvalidOptionError
from caked.transforms.base import Transform, register
from caked.transforms.reduce import centre, column, extremes

__all__ = ["Clip", "Invert", "MinMax", "Standardise"]


@register("min_max")
class MinMax(Transform):
    """Map each sample's values onto the range from 0 to 1: ``(x - min) / (max - min)``.

    A constant sample becomes 0 everywhere.

    Examples
    --------
    >>> MinMax()(torch.tensor([[[1.0, 2.0, 3.0]]])).tolist()
    [[[0.0, 0.5, 1.0]]]
    """

    def __init__(self) -> None:
        super().__init__()

    def image(self, image: Tensor) -> Tensor:
        """Scale each sample by its own extremes."""
        least, greatest = extremes(image)
        span = greatest - least
        return (image - least).div_(torch.where(span > 0, span, 1.0))


@register("standardise")
class Standardise(Transform):
    """Give each sample mean 0 and standard deviation 1: ``(x - mean) / std``, std of the population.

    A constant sample becomes 0 everywhere.

    Examples
    --------
    >>> Standardise()(torch.tensor([[[1.0, 3.0]], [[5.0, 5.0]]])).tolist()
    [[[-1.0, 1.0]], [[0.0, 0.0]]]
    """

    def __init__(self) -> None:
        super().__init__()

    def image(self, image: Tensor) -> Tensor:
        """Standardise each sample by its own mean and deviation."""
        centred, deviation, _ = centre(image)
        return centred.div_(torch.where(deviation > 0, deviation, 1.0))


@register("clip")
class Clip(Transform):
    """Clip each sample to percentiles of its own values, linearly interpolated between ranks.

    Parameters
    ----------
    low, high
        Percentiles, from 0 to 100.

    Notes
    -----
    Percentile q of n sorted values stands at rank ``q / 100 * (n - 1)``: definition 7 of Hyndman & Fan
    (1996), doi:10.1080/00031305.1996.10473566, which is also numpy's default.

    Examples
    --------
    >>> Clip(low=0, high=50)(torch.tensor([[[0.0, 1.0, 100.0]]])).tolist()
    [[[0.0, 1.0, 1.0]]]
    """

    def __init__(self, *, low: float = 0.5, high: float = 99.5) -> None:
        if not 0 <= low < high <= 100:
            raise InvalidOptionError(f"Percentiles go from 0 to 100, low before high, not {low} and {high}.")
        super().__init__(low=low, high=high)
        self.low, self.high = low, high

    def image(self, image: Tensor) -> Tensor:
        """Clip each sample to its own percentiles."""
        rows = image.flatten(1)
        low, high = _percentiles(rows, (self.low, self.high))
        return torch.minimum(torch.maximum(image, column(low, image)), column(high, image))


def _percentiles(rows: Tensor, percentiles: tuple[float, float]) -> list[Tensor]:
    """Return percentiles of each row of ``(B, n)``; ``torch.quantile`` stops at 16 million values."""
    ranks = [percentile / 100 * (rows.shape[1] - 1) for percentile in percentiles]
    neighbours = [
        n for rank in ranks for n in (math.floor(rank), min(math.floor(rank) + 1, rows.shape[1] - 1))
    ]
    if rows.device.type == "cpu":
        parted = torch.from_numpy(np.partition(rows.numpy(), neighbours, axis=1))
    else:
        parted = rows.sort(dim=1).values
    found = []
    for rank, lower, upper in zip(ranks, neighbours[0::2], neighbours[1::2], strict=True):
        start, step = parted[:, lower], parted[:, upper] - parted[:, lower]
        found.append(start + step * (rank - lower))
    return found


@register("invert")
class Invert(Transform):
    """Turn dark into bright: ``-x``.

    Examples
    --------
    >>> Invert()(torch.tensor([[[1.0, -2.0]]])).tolist()
    [[[-1.0, 2.0]]]
    """

    def __init__(self) -> None:
        super().__init__()

    def image(self, image: Tensor) -> Tensor:
        """Change the sign."""
        return -image
