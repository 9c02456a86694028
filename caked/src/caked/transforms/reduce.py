"""Sums over a sample that come out with the same bits in any batch and on any number of threads.

The order in which torch adds up depends on how many samples there are and on how many threads share the
work, and with it the last bits. On a processor BLAS adds up instead, in blocks so short that it stays on one
thread, and the blocks are added in double precision; elsewhere, and where a gradient is asked for, an image
is folded in half again and again by element-wise additions, which is a pairwise sum.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from caked.errors import ShapeError
from caked.protocol import Array

__all__ = ["centre", "column", "divisor", "extremes", "in_numpy", "mean_of", "root", "row_sum"]

_BLOCK = 4096
_VARIANCES = 1e-30, 1e30
_FARTHEST_MEAN = 1e3


def in_numpy(image: Tensor) -> bool:
    """Whether numpy may work on an image: on a processor, and with no gradient to follow."""
    return image.device.type == "cpu" and not (image.requires_grad and torch.is_grad_enabled())


def row_sum(rows: Tensor) -> Tensor:
    """Sum each row of ``(B, n)``: ``(B,)``.

    Examples
    --------
    >>> row_sum(torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])).tolist()
    [6.0, 15.0]
    """
    if in_numpy(rows):
        with np.errstate(over="ignore", invalid="ignore"):  # infinity is an answer too
            return torch.from_numpy(_sums(_values(rows))).to(rows.dtype)
    return fold_sum(rows)


def _values(image: Tensor) -> Array:
    """Return each sample as a row ``(B, n)``, of the same memory where they lie one after the other."""
    return image.detach().contiguous().numpy().reshape(len(image), math.prod(image.shape[1:]))


def _sums(values: Array) -> Array:
    """Sum each row of ``(B, n)`` in blocks: float64, or complex128."""
    return _row_dots(_ones(values.dtype), values)


def _row_dots(left: Array, right: Array) -> Array:
    """Multiply rows of ``(B, n)`` with one another, or all of them with the same numbers over and over."""
    count, length = right.shape
    over = length % _BLOCK
    if 0 < over < length:  # whole blocks, and then what is left
        parts = slice(0, length - over), slice(length - over, length)
        whole, rest = (_row_dots(left if left.ndim == 1 else left[:, p], right[:, p]) for p in parts)
        return whole + rest
    shape = (count, -1, min(length, _BLOCK))
    factor = left[: shape[-1]] if left.ndim == 1 else left.reshape(shape)
    sums: Array = np.add.reduce(np.vecdot(factor, right.reshape(shape)), axis=1, dtype=_double(right.dtype))
    return sums


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
    axes = tuple(range(1, image.ndim))
    # Together, torch.aminmax is twenty times as slow.
    return image.amin(dim=axes, keepdim=True), image.amax(dim=axes, keepdim=True)


def _refuse_complex(image: Tensor) -> None:
    if image.is_complex():
        raise ShapeError("Complex images have no least and greatest value; transform their magnitude.")


def centre(image: Tensor, *, overwrite: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """Measure each sample in a unit that suits it: values about their mean, deviation, and the unit.

    Parameters
    ----------
    image
        ``(B, C, *spatial)``, real.
    overwrite
        Whether the memory of ``image`` may be used for what comes out, which is the same either way.

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
    if not in_numpy(image):
        return _shaped(image, *_centre_by_range(image.flatten(1)))
    with np.errstate(over="ignore", invalid="ignore"):
        values = _values(image)
        mean = _sums(values) / values.shape[1]
        finite = np.isfinite(mean)  # else nothing of a sample would be left
        subtract = image.sub_ if overwrite and finite.all() else image.sub
        centred = subtract(_column_of(mean, image))
        values = _values(centred)
        rest = _sums(values) / values.shape[1]
        variance = _row_dots(values, values) / values.shape[1] - rest * rest
        low, high = _VARIANCES
        ordinary = (variance > low) & (variance < high) & (mean * mean < _FARTHEST_MEAN**2 * variance)
        deviation = _column_of(np.sqrt(variance), image)
    unit = torch.ones_like(deviation)
    if not ordinary.all():
        left = torch.where(column(torch.from_numpy(finite), image), centred, image)
        others = torch.from_numpy((~ordinary).nonzero()[0])
        by_range = _shaped(left[others], *_centre_by_range(left[others].flatten(1)))
        centred[others], deviation[others], unit[others] = by_range
        rest[~ordinary] = 0
    return centred.sub_(_column_of(rest, image)), deviation, unit


def _column_of(numbers: Array, image: Tensor) -> Tensor:
    """Return one number a sample as a tensor of the image's type that goes with it."""
    shape = (len(image),) + (1,) * (image.ndim - 1)
    return torch.from_numpy(numbers.astype(_numpy_type(image.dtype)).reshape(shape))


@lru_cache(maxsize=8)
def _numpy_type(dtype: torch.dtype) -> np.dtype[Any]:
    return torch.empty(0, dtype=dtype).numpy().dtype


def _centre_by_range(rows: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Centre rows in units of their own range."""
    least = rows.amin(dim=1)
    unit = divisor(rows.amax(dim=1) - least)
    rows = (rows - least[:, None]) / unit[:, None]
    mean = row_sum(rows)[:, None] / rows.shape[1]
    variance = row_sum((rows - mean).square()) / rows.shape[1]
    # Subtracted again, for what gradients are made of must not be written over.
    return rows - mean, root(variance), unit


def divisor(values: Tensor) -> Tensor:
    """Return values that are no less than 0 to divide by: with 1 in the place of 0.

    Examples
    --------
    >>> divisor(torch.tensor([0.0, 0.5])).tolist()
    [1.0, 0.5]
    """
    return values + (values == 0)


def root(values: Tensor) -> Tensor:
    """Return square roots of values that are no less than 0, that of 0 without the infinite slope.

    Examples
    --------
    >>> root(torch.tensor([0.0, 4.0])).tolist()
    [0.0, 2.0]
    """
    return divisor(values).sqrt() * (values > 0)


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
