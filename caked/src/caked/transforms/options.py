"""Options that several transforms take: a number, or a range that each sample draws from."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from caked.errors import InvalidOptionError
from caked.randomness import Draws

__all__ = ["Range", "as_range", "draw_even_in_log", "in_json"]

Range: TypeAlias = float | Sequence[float]
"""One number for all samples, or two that each sample draws between."""


def as_range(
    value: Range, what: str, *, low: float = -math.inf, high: float = math.inf, mirrored: bool = False
) -> tuple[float, float]:
    """Return the bounds, after a check.

    Parameters
    ----------
    what
        Names the option in messages: "An angle in degrees".
    low, high
        What both have to lie between.
    mirrored
        Whether one number means from its negative up to it.

    Examples
    --------
    >>> as_range(10, "An angle", mirrored=True), as_range([1, 2], "A factor")
    ((-10.0, 10.0), (1.0, 2.0))
    """
    numbers = _numbers(value)
    if len(numbers) == 1:
        numbers = [-abs(numbers[0]) if mirrored else numbers[0], abs(numbers[0]) if mirrored else numbers[0]]
    if len(numbers) != 2 or not (low <= numbers[0] <= numbers[1] <= high) or not np.isfinite(numbers).all():
        bounds = "" if (low, high) == (-math.inf, math.inf) else f" between {low:g} and {high:g}"
        raise InvalidOptionError(f"{what} is a number{bounds}, or a pair low, high, not {value}.")
    return numbers[0], numbers[1]


def _numbers(value: Range) -> list[float]:
    """Return one number, or several, of Python's or numpy's; none of what is no numbers."""
    try:
        array = np.asarray(value, dtype=np.float64)
    except (TypeError, ValueError):
        return []
    return [float(number) for number in array.reshape(-1)] if array.ndim < 2 else []


def in_json(value: Range) -> float | list[float]:
    """Return a range as JSON has it, of numpy's numbers too.

    Examples
    --------
    >>> in_json((1, 2)), in_json(np.float32(0.5))
    ([1, 2], 0.5)
    """
    plain: float | list[float] = np.asarray(value).tolist()
    return plain


def draw_even_in_log(draws: Draws, bounds: tuple[float, float]) -> NDArray[np.float64]:
    """Draw a positive number a sample, evenly on a logarithmic scale: ``(B,)``."""
    return np.asarray(np.exp(draws.uniform(math.log(bounds[0]), math.log(bounds[1]))[:, 0]))
