"""Whether a gain reference makes a movie flat, in the way it is applied or in another."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from empiarreader.errors import ShapeMismatchError
from empiarreader.gainfactor import Factor, GainOrientation, Operation, gain_factor, usual_operation

if TYPE_CHECKING:
    import xarray

_MOST_FRAMES = 50
# Differences of flatness below so many standard errors of a variance are chance.
_CERTAIN = 3.0


class GainWarning(UserWarning):
    """A gain reference seems to lie the wrong way round on the movie, or not to belong to it."""


ORIENTATIONS = tuple(
    GainOrientation(quarter_turns=turns, flip=flip) for flip in ("none", "up_down") for turns in range(4)
)  # the eight ways: a flip from left to right is two of the turns and the other flip


@dataclass(frozen=True, kw_only=True)
class GainCheck:
    """How flat a movie is under a gain reference: relative variances of its mean, dead pixels left out.

    Attributes
    ----------
    given : float
        As the gain was to be applied.
    uncorrected : float
        Without any gain.
    others : dict
        For every orientation that fits, and both ways to apply it: ``(orientation, operation)``.
    """

    given: float
    uncorrected: float
    others: dict[tuple[GainOrientation, Operation], float]
    pixels: int

    @property
    def best(self) -> tuple[GainOrientation, Operation]:
        """The flattest way to apply the gain; ``operation`` is ``"none"`` where it is flattest without."""
        way, variance = min(self.others.items(), key=lambda item: item[1])
        return way if variance < self.uncorrected else (GainOrientation(), "none")

    @property
    def is_flattest(self) -> bool:
        """Whether no other way is flatter by more than chance."""
        lowest = min(self.uncorrected, *self.others.values())
        return bool(self.given <= lowest * (1 + _CERTAIN * (2 / self.pixels) ** 0.5))


def check_gain(
    movie: xarray.DataArray,
    gain: xarray.DataArray,
    *,
    orientation: GainOrientation | None = None,
    operation: Operation | None = None,
    frames: int = _MOST_FRAMES,
) -> GainCheck:
    """Compare how flat a movie is under a gain reference in all orientations, multiplied and divided.

    The mean of frames of many electrons is nearly flat but for the gain; the right one makes its variance the
    smallest. Not reliable with few electrons a pixel, or with an image that was corrected already, which is
    flattest without a gain.

    Parameters
    ----------
    movie, gain, orientation, operation
        As for :func:`apply_gain`.
    frames
        How many frames are read, spread evenly over the movie.

    Warns
    -----
    GainWarning
        If another way is flatter by more than chance. It says which.
    """
    import xarray

    way = orientation or GainOrientation()
    operation = operation or usual_operation(movie, gain)
    mean = _mean_image(movie, frames)
    flat = xarray.DataArray(mean, dims=("y", "x"), attrs=movie.attrs)
    live = gain_factor(flat, gain, way, operation) != 0
    others = {
        (other, other_operation): _relative_variance(mean, factor)
        for other, other_operation, factor in _fitting_factors(flat, gain)
    }
    found = GainCheck(
        given=_relative_variance(mean, gain_factor(flat, gain, way, operation)),
        uncorrected=_relative_variance(mean, live.astype(np.float32)),
        others=others,
        pixels=int(live.sum()),
    )
    if not found.is_flattest:
        warnings.warn(_advice(found, movie), GainWarning, stacklevel=2)
    return found


def _fitting_factors(
    movie: xarray.DataArray, gain: xarray.DataArray
) -> Iterator[tuple[GainOrientation, Operation, Factor]]:
    operations: tuple[Operation, ...] = ("multiply", "divide")
    for way in ORIENTATIONS:
        for operation in operations:
            try:
                yield way, operation, gain_factor(movie, gain, way, operation)
            except ShapeMismatchError:  # a quarter turn of an image that is not square
                break


def _mean_image(movie: xarray.DataArray, frames: int) -> NDArray[np.float64]:
    leading = movie.dims[:-2]
    if len(leading) == 1:
        count = movie.sizes[leading[0]]
        chosen = np.unique(np.linspace(0, count - 1, min(count, max(frames, 1))).astype(int))
        movie = movie.isel({leading[0]: chosen})
    mean: NDArray[np.float64] = movie.mean(leading, dtype=np.float64).values if leading else movie.values
    return np.asarray(mean, np.float64)


def _relative_variance(mean: NDArray[np.float64], factor: Factor) -> float:
    values = (mean * factor)[factor != 0]
    average = values.mean() if values.size else 0.0
    return float(values.var() / average**2) if average else float("inf")


def _advice(found: GainCheck, movie: xarray.DataArray) -> str:
    way, operation = found.best
    name = movie.attrs.get("filename", "the movie")
    if operation == "none":
        return (
            f"{name} is flatter without the gain reference; it may have been applied already, or be another's"
        )
    return (
        f"{name} is flatter if one does {operation} by the gain reference with quarter_turns="
        f"{way.quarter_turns}, flip={way.flip!r}: relative variance {min(found.others.values()):.3g} and not "
        f"{found.given:.3g}"
    )
