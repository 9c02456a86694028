"""Sums over a sample that come out with the same bits in any batch and on any number of threads.

The order in which torch adds up depends on how many samples there are and on how many threads share the
work, and with it the last bits. On a processor BLAS adds up instead, in blocks so short that it stays on one
thread, and the blocks are added in double precision; elsewhere an image is folded in half again and again by
element-wise additions, which is a pairwise sum.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from caked.errors import ShapeError
from caked.protocol import Array

__all__ = ["centre", "column", "extremes", "mean_of", "row_sum"]

_BLOCK = 4096
_VARIANCES = 1e-30, 1e30
_FARTHEST_MEAN = 1e3


def row_sum(rows: Tensor) -> Tensor:
    """Sum each row of ``(B, n)``: ``(B,)``.

    Examples
    --------
    >>> row_sum(torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])).tolist()
    [6.0, 15.0]
    """
    if rows.device.type == "cpu":
        return torch.from_numpy(_sums(rows)).to(rows.dtype)
    return fold_sum(rows)


def _sums(rows: Tensor) -> Array:
    """Sum each row in blocks: float64, or complex128."""
    values = rows.detach().contiguous().numpy()
    return _row_dots(_ones(values.dtype), values)


def _squares(rows: Tensor) -> Array:
    """Sum the squares of each row in blocks: float64."""
    values = rows.detach().contiguous().numpy()
    return _row_dots(values, values)


def _row_dots(left: Array, right: Array) -> Array:
    """Multiply rows of ``(B, n)`` with one another, or all of them with the same numbers over and over."""
    count, length = right.shape
    whole = length - length % _BLOCK
    totals: Array = np.zeros(count, dtype=_double(right.dtype))
    with np.errstate(over="ignore", invalid="ignore"):  # infinity is an answer too
        for start, stop, width in ((0, whole, _BLOCK), (whole, length, length - whole)):
            if stop > start:
                shape = (count, -1, width)
                factor = left[:width] if left.ndim == 1 else left[:, start:stop].reshape(shape)
                totals += np.add.reduce(
                    np.vecdot(factor, right[:, start:stop].reshape(shape)), axis=1, dtype=totals.dtype
                )
    return totals


@lru_cache(maxsize=8)
def _double(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return np.result_type(dtype, np.float64)


@lru_cache(maxsize=4)
def _ones(dtype: np.dtype[Any]) -> Array:
    return np.ones(_BLOCK, dtype=dtype)


def fold_sum(rows: Tensor) -> Tensor:
    """Sum each row of ``(B, n)`` by folding it in half: ``(B,)``."""
    while rows.shape[1] > 1:
        half = rows.shape[1] // 2
        folded = rows[:, :half] + rows[:, half : 2 * half]
        if rows.shape[1] % 2:
            folded[:, 0] += rows[:, -1]
        rows = folded
    return rows[:, 0] if rows.shape[1] else rows.sum(dim=1)


def extremes(image: Tensor) -> tuple[Tensor, Tensor]:
    """Return least and greatest value of each sample, shaped to go with ``(B, C, *spatial)``."""
    _refuse_complex(image)
    rows = image.flatten(1)
    return column(rows.amin(dim=1), image), column(rows.amax(dim=1), image)  # aminmax is twenty times as slow


def _refuse_complex(image: Tensor) -> None:
    if image.is_complex():
        raise ShapeError("Complex images have no least and greatest value; transform their magnitude.")


def centre(image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Measure each sample in a unit that suits it: values about their mean, deviation, and the unit.

    Returns
    -------
    tuple of Tensor
        ``(x - mean) / unit``, the standard deviation (of the population) divided by the unit, and the unit.
        It is 1 of ordinary samples. Of those whose squares would overflow or vanish, and of those that vary
        by less than a thousandth of their mean, it is greatest minus least value; of a constant sample 1,
        and that is exactly zero whatever its value.

    Notes
    -----
    The mean is rounded as its samples are, so what it leaves over is measured once more and taken off, from
    values then as small as they can be: the corrected two-pass algorithm of Chan, Golub & LeVeque (1983),
    doi:10.1080/00031305.1983.10483115.
    """
    _refuse_complex(image)
    rows = image.flatten(1)
    if image.device.type != "cpu":
        return _shaped(image, *_centre_by_range(rows))
    mean = _sums(rows) / rows.shape[1]
    centred = rows - torch.from_numpy(mean).to(rows.dtype)[:, None]
    rest = _sums(centred) / rows.shape[1]
    low, high = _VARIANCES
    with np.errstate(over="ignore", invalid="ignore"):
        variance = _squares(centred) / rows.shape[1] - np.square(rest)
        ordinary = (variance > low) & (variance < high) & (np.square(mean) < _FARTHEST_MEAN**2 * variance)
        deviation = torch.from_numpy(np.sqrt(variance)).to(rows.dtype)
    centred.sub_(torch.from_numpy(rest).to(rows.dtype)[:, None])
    unit = torch.ones_like(deviation)
    if not ordinary.all():
        others = torch.from_numpy((~ordinary).nonzero()[0])
        centred[others], deviation[others], unit[others] = _centre_by_range(rows[others])
    return _shaped(image, centred, deviation, unit)


def _centre_by_range(rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Centre rows in units of their own range."""
    least = rows.amin(dim=1)
    span = rows.amax(dim=1) - least
    unit = torch.where(span > 0, span, 1.0)
    rows = (rows - least[:, None]).div_(unit[:, None])
    rows.sub_(row_sum(rows)[:, None] / rows.shape[1])
    return rows, (row_sum(rows.square()) / rows.shape[1]).sqrt(), unit


def _shaped(image: Tensor, rows: Tensor, deviation: Tensor, unit: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    return rows.reshape(image.shape), column(deviation, image), column(unit, image)


def mean_of(image: Tensor) -> Tensor:
    """Return the mean of each sample: ``(B,)``; of a constant one exactly its value."""
    least, greatest = extremes(image)
    rows = (image - least).flatten(1)
    mean: Tensor = least.flatten() + row_sum(rows) / rows.shape[1]
    return torch.where(least.flatten() == greatest.flatten(), least.flatten(), mean)


def column(values: Tensor, image: Tensor) -> Tensor:
    """Shape one value a sample to go with images ``(B, C, *spatial)``."""
    return values.reshape(-1, *(1,) * (image.ndim - 1))
