"""Transforms of the values: scale, standardise, clip, invert."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from caked.errors import InvalidOptionError, ShapeError
from caked.transforms.base import Transform, register
from caked.transforms.reduce import centre, column, divisor, extremes, in_numpy, mean_of
from caked.transforms.shells import centre_distance

__all__ = ["AutoInvert", "Clip", "Invert", "MinMax", "Standardise"]


@register("min_max")
class MinMax(Transform):
    """Map each sample's values onto the range from 0 to 1: ``(x - min) / (max - min)``.

    A constant sample becomes 0 everywhere. Source: ``shiftmin`` of caked 0.1.7, which this is otherwise.

    Examples
    --------
    >>> MinMax()(torch.tensor([[[1.0, 2.0, 3.0]]])).tolist()
    [[[0.0, 0.5, 1.0]]]
    """

    holds_nothing = True

    def __init__(self) -> None:
        super().__init__()

    def image(self, image: Tensor) -> Tensor:
        """Scale each sample by its own extremes."""
        least, greatest = extremes(image)
        return (image - least).div_(divisor(greatest - least))

    def overwrite(self, image: Tensor) -> Tensor:
        """Scale each sample where it is."""
        least, greatest = extremes(image)
        return image.sub_(least).div_(divisor(greatest - least))


@register("standardise")
class Standardise(Transform):
    """Give each sample mean 0 and standard deviation 1: ``(x - mean) / std``, std of the population.

    A constant sample becomes 0 everywhere. Source: the standard score, as TomoTwin and Topaz normalise.

    Examples
    --------
    >>> Standardise()(torch.tensor([[[1.0, 3.0]], [[5.0, 5.0]]])).tolist()
    [[[-1.0, 1.0]], [[0.0, 0.0]]]
    """

    holds_nothing = True

    def __init__(self) -> None:
        super().__init__()

    def image(self, image: Tensor) -> Tensor:
        """Standardise each sample by its own mean and deviation."""
        centred, deviation, _ = centre(image)
        return centred.mul_(divisor(deviation).reciprocal_())

    def overwrite(self, image: Tensor) -> Tensor:
        """Standardise each sample where it is."""
        centred, deviation, _ = centre(image, overwrite=True)
        return centred.mul_(divisor(deviation).reciprocal_())


@register("clip")
class Clip(Transform):
    """Clip each sample to percentiles of its own values, linearly interpolated between ranks.

    Parameters
    ----------
    low, high
        Percentiles, from 0 to 100.

    Notes
    -----
    Percentile q of n sorted values stands at rank ``q / 100 * (n - 1)``. Source: definition 7 of Hyndman &
    Fan (1996), doi:10.1080/00031305.1996.10473566, which is also numpy's default.

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
    if in_numpy(rows):
        parted = torch.from_numpy(np.partition(rows.detach().numpy(), neighbours, axis=1))
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

    Source: what RELION's ``--invert_contrast`` and ASPIRE's ``invert_contrast`` do.

    Examples
    --------
    >>> Invert()(torch.tensor([[[1.0, -2.0]]])).tolist()
    [[[-1.0, 2.0]]]
    """

    holds_nothing = True

    def __init__(self) -> None:
        super().__init__()

    def image(self, image: Tensor) -> Tensor:
        """Change the sign."""
        return -image

    def overwrite(self, image: Tensor) -> Tensor:
        """Change the sign of images where they are."""
        return image.neg_()


@register("auto_invert")
class AutoInvert(Transform):
    """Turn images whose particles are dark into ones with bright particles, and leave others.

    Parameters
    ----------
    invert
        What was decided for a set: see :meth:`of`. ``None`` decides for each image by itself, which is for
        images with little noise, such as class averages and maps: among single particles it would guess.

    Notes
    -----
    Particles are dark where the mean within half of the greatest radius, ``r < 0.5``, is less than the mean
    beyond ``r > 0.8`` of it; r counts from the centre n // 2 in parts of half the shortest axis. Source:
    ASPIRE's ``invert_contrast``, which decides for a set as :meth:`of` does.

    Examples
    --------
    >>> dark = torch.ones(1, 1, 9, 9)
    >>> dark[..., 3:6, 3:6] = 0
    >>> AutoInvert()(dark)[0, 0, 4, 4] > AutoInvert()(dark)[0, 0, 0, 0]
    tensor(True)
    """

    def __init__(self, *, invert: bool | None = None) -> None:
        super().__init__(invert=invert)
        self.invert = invert

    @classmethod
    def of(cls, images: Tensor) -> AutoInvert:
        """Decide for a set by some of its images, ``(B, C, *spatial)``: the mean over all of them counts."""
        return cls(invert=bool(_contrast(images).sum() < 0))

    def image(self, image: Tensor) -> Tensor:
        """Change the sign where particles are dark."""
        if self.invert is not None:
            return -image if self.invert else image.clone()
        return torch.where(column(_contrast(image), image) < 0, -image, image)


def _contrast(image: Tensor) -> Tensor:
    """Return how much brighter the middle of each image is than its border: ``(B,)``."""
    shape = tuple(image.shape[2:])
    parts = centre_distance(shape) / (min(shape) / 2)
    means = []
    for where in (parts < 0.5, parts > 0.8):
        places = torch.from_numpy(np.flatnonzero(where)).to(image.device)
        if not len(places):
            raise ShapeError(f"An image of {shape} has no middle and border to tell apart.")
        means.append(mean_of(image.flatten(2).index_select(2, places)))
    return means[0] - means[1]
