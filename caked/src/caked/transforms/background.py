"""Normalisation by the background around a particle, as RELION does it."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from caked.errors import InvalidOptionError, ShapeError
from caked.randomness import Draws
from caked.transforms.base import Batch, Transform, register
from caked.transforms.fields import normal_fields
from caked.transforms.reduce import root, row_sum

__all__ = ["NormaliseBackground"]


@register("normalise_background")
class NormaliseBackground(Transform):
    """Give the background of each particle mean 0 and standard deviation 1, by its own values there.

    Parameters
    ----------
    radius_pixels
        What lies farther from the centre is background; ``None`` for three eighths of the shortest axis, the
        default of RELION (75 % of half the box).
    ramp
        Whether to subtract a plane that is fitted to the background.
    white_dust, black_dust
        Pixels that are brighter or darker than the background's mean by more than so many of its deviations
        are replaced by normal numbers of that mean and deviation; ``None`` to leave them.

    Notes
    -----
    Source: RELION's ``normalise()``, in its order. For background pixels ``|p - c|² > R²`` about
    ``c = N // 2``: mean m and deviation ``s = sqrt(E[x²] - m²)``; dust, where ``x - m > t s`` (white) or
    ``m - x > t s`` (black), becomes a draw of N(m, s), in the whole image; ``x -= a x + b y (+ c z) + d``,
    fitted by least squares to the background; then m and s again, and ``(x - m) / s``. The numbers that dust
    is replaced by depend on seed and sample and not on the epoch, so that this can be cached and used for
    validation. Where the background does not vary by a millionth of the values, nothing can be divided by: it
    becomes ``x - m``, and RELION leaves the image as it is.

    Examples
    --------
    >>> bool(NormaliseBackground()(torch.ones(1, 1, 8, 8)).abs().max() < 1e-12)
    True
    """

    def __init__(
        self,
        *,
        radius_pixels: float | None = None,
        ramp: bool = True,
        white_dust: float | None = None,
        black_dust: float | None = None,
    ) -> None:
        for name, value in (("radius", radius_pixels), ("dust", white_dust), ("dust", black_dust)):
            if value is not None and not 0 < value < np.inf:
                raise InvalidOptionError(f"A {name} is a positive number or None, not {value}.")
        super().__init__(radius_pixels=radius_pixels, ramp=ramp, white_dust=white_dust, black_dust=black_dust)
        self.radius, self.ramp = radius_pixels, ramp
        self.white_dust, self.black_dust = white_dust, black_dust

    def batch(self, batch: Batch, draws: Draws) -> Batch:
        """Normalise each image by its own background."""
        image: Tensor = batch["image"]
        shape = tuple(image.shape[2:])
        radius = 0.375 * min(shape) if self.radius is None else self.radius
        if 2 * radius > min(shape):
            raise ShapeError(f"A background radius of {radius:g} pixels does not fit an image of {shape}.")
        outside = _background(shape, radius)
        if not outside.any():
            raise ShapeError(f"An image of {shape} has no background beyond {radius:g} pixels.")
        where = torch.from_numpy(np.flatnonzero(outside)).to(image.device)
        rows = image.flatten(0, 1).flatten(1).double()  # (B C, pixels)
        least = 1e-6 * rows.abs().amax(dim=1)
        rows = self._without_dust(rows, where, draws, image)
        if self.ramp:
            rows = _without_ramp(rows, where, shape, radius)
        mean, deviation = _statistics(rows[:, where])
        rows = (rows - mean[:, None]) / torch.where(deviation > least, deviation, 1.0)[:, None]
        batch["image"] = rows.to(image.dtype).reshape(image.shape)
        return batch

    def _without_dust(self, rows: Tensor, where: Tensor, draws: Draws, image: Tensor) -> Tensor:
        if self.white_dust is None and self.black_dust is None:
            return rows
        mean, deviation = (value[:, None] for value in _statistics(rows[:, where]))
        kept = draws.within(self.type_name).of_any_epoch()
        noise = normal_fields(kept, image).to(rows.dtype).reshape(rows.shape)
        new = mean + noise * deviation
        if self.white_dust is not None:
            rows = torch.where(rows - mean > self.white_dust * deviation, new, rows)
        if self.black_dust is not None:
            rows = torch.where(mean - rows > self.black_dust * deviation, new, rows)
        return rows


@lru_cache(maxsize=16)
def _background(shape: tuple[int, ...], radius: float) -> np.ndarray:
    """Return which pixels lie farther from the centre n // 2 than the radius."""
    squares = sum(np.square(grid) for grid in _offsets(shape))
    return np.asarray(squares > radius**2)


def _offsets(shape: tuple[int, ...]) -> list[np.ndarray]:
    grids = np.meshgrid(*(np.arange(n) - n // 2 for n in shape), indexing="ij")
    return [grid.astype(np.float64) for grid in grids]


def _statistics(background: Tensor) -> tuple[Tensor, Tensor]:
    """Return mean and standard deviation (of the population) of each row."""
    mean = row_sum(background) / background.shape[1]
    variance = row_sum((background - mean[:, None]).square()) / background.shape[1]
    return mean, root(variance)


@lru_cache(maxsize=16)
def _plane(shape: tuple[int, ...], radius: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the terms of a plane, ``(terms, pixels)``, and the inverse of their products on background."""
    terms = np.stack([np.ones(shape), *_offsets(shape)]).reshape(len(shape) + 1, -1)
    background = terms[:, np.flatnonzero(_background(shape, radius))]
    return terms, np.linalg.pinv(background @ background.T)


def _without_ramp(rows: Tensor, where: Tensor, shape: tuple[int, ...], radius: float) -> Tensor:
    """Subtract the plane that fits the background best, by the normal equations."""
    terms, inverse = _plane(shape, radius)
    background = rows[:, where]
    device = rows.device
    moments = [row_sum(background * torch.from_numpy(term).to(device)[where]) for term in terms]
    for weights, term in zip(inverse, terms, strict=True):
        factor = sum(float(weight) * moment for weight, moment in zip(weights, moments, strict=True))
        assert isinstance(factor, Tensor)
        rows = rows - factor[:, None] * torch.from_numpy(term).to(device)
    return rows
