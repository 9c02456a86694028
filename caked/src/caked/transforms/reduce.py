"""Sums over a sample that come out with the same bits in any batch and on any number of threads.

The order in which torch adds up depends on how many samples there are and on how many threads share the
work, and with it the last bits. On a processor numpy adds up instead, row by row and in pairs, on one thread;
elsewhere an image is folded in half again and again by element-wise additions. Both are pairwise sums: their
error grows with the logarithm of the number of pixels.
"""

from __future__ import annotations

import torch
from torch import Tensor

from caked.errors import ShapeError

__all__ = ["centre", "column", "extremes", "mean_of", "row_sum"]


def row_sum(rows: Tensor) -> Tensor:
    """Sum each row of ``(B, n)``: ``(B,)``.

    Examples
    --------
    >>> row_sum(torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])).tolist()
    [6.0, 15.0]
    """
    if rows.device.type == "cpu":
        return torch.from_numpy(rows.detach().contiguous().numpy().sum(axis=1))
    return fold_sum(rows)


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
    if image.is_complex():
        raise ShapeError("Complex images have no least and greatest value; transform their magnitude.")
    rows = image.flatten(1)
    return column(rows.amin(dim=1), image), column(rows.amax(dim=1), image)  # aminmax is twenty times as slow


def centre(image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Measure each sample in units of its own range: values about their mean, deviation, and the unit.

    Returns
    -------
    tuple of Tensor
        ``(x - mean) / unit``, the standard deviation (of the population) divided by the unit, and the unit:
        greatest minus least value, or 1 of a constant sample. So the squares of very large or very small
        values neither overflow nor vanish, and a constant sample is exactly zero whatever its value.
    """
    least, greatest = extremes(image)
    span = greatest - least
    unit = torch.where(span > 0, span, 1.0)
    rows = (image - least).flatten(1)
    rows.div_(unit.flatten(1))
    rows.sub_(row_sum(rows)[:, None] / rows.shape[1])
    variance = row_sum(rows.square()) / rows.shape[1]
    return rows.reshape(image.shape), column(variance.sqrt(), image), unit


def mean_of(image: Tensor) -> Tensor:
    """Return the mean of each sample: ``(B,)``; of a constant one exactly its value."""
    least, greatest = extremes(image)
    rows = (image - least).flatten(1)
    mean: Tensor = least.flatten() + row_sum(rows) / rows.shape[1]
    return torch.where(least.flatten() == greatest.flatten(), least.flatten(), mean)


def column(values: Tensor, image: Tensor) -> Tensor:
    """Shape one value a sample to go with images ``(B, C, *spatial)``."""
    return values.reshape(-1, *(1,) * (image.ndim - 1))
