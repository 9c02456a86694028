"""New pixels along one axis in real space: which old ones make each, and with which weights."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Alignment", "Taps", "apply_taps", "area_taps", "linear_taps", "nearest_taps", "turned"]

_SHORTEST_ROW = 16
_BAG_LIMIT = 1 << 16

Alignment = Literal["first", "edges"]
"""What old and new pixels share: the centre of the first one, as in Fourier space, or the outer edges."""


@dataclass(frozen=True, eq=False)
class Taps:
    """New pixel q is the sum over t of ``weights[q, t]`` times old pixel ``places[q, t]``."""

    places: NDArray[np.int64]
    weights: NDArray[np.float64]


def _positions(before: int, after: int, alignment: Alignment) -> NDArray[np.float64]:
    """Return where the centres of new pixels lie among the old."""
    centres = np.arange(after) * (before / after)
    shift = 0.0 if alignment == "first" else 0.5 * (before / after - 1)
    return np.asarray(centres + shift, dtype=np.float64)


@lru_cache(maxsize=32)
def linear_taps(before: int, after: int, alignment: Alignment = "edges") -> Taps:
    """Return a triangle as wide as two new pixels, or two old ones where those are larger."""
    width = max(1.0, before / after)
    positions = _positions(before, after, alignment)
    places = np.floor(positions - width).astype(np.int64)[:, None] + np.arange(1, int(2 * width) + 2)
    weights = np.maximum(0.0, 1 - np.abs(places - positions[:, None]) / width)
    return _inside(places, weights, before)


@lru_cache(maxsize=32)
def area_taps(before: int, after: int) -> Taps:
    """Return the share of each old pixel that a new one covers."""
    edges = np.arange(after + 1) * (before / after)
    places = np.floor(edges[:-1]).astype(np.int64)[:, None] + np.arange(int(before / after) + 2)
    upper, lower = np.minimum(places + 1, edges[1:, None]), np.maximum(places, edges[:-1, None])
    return _inside(places, np.maximum(0.0, upper - lower), before)


@lru_cache(maxsize=32)
def nearest_taps(before: int, after: int, alignment: Alignment = "edges") -> Taps:
    """Return the old pixel whose centre is nearest, the left one of two."""
    places = np.ceil(_positions(before, after, alignment) - 0.5).astype(np.int64)[:, None]
    return _inside(places, np.ones_like(places, dtype=np.float64), before, keep=True)


def _inside(
    places: NDArray[np.int64], weights: NDArray[np.float64], length: int, *, keep: bool = False
) -> Taps:
    """Leave out places beyond the ends, then let the weights of a pixel sum to 1."""
    within = (places >= 0) & (places < length)
    weights = weights if keep else np.where(within, weights, 0.0)
    return Taps(np.clip(places, 0, length - 1), weights / weights.sum(axis=1, keepdims=True))


def apply_taps(image: Tensor, axis: int, taps: Taps) -> Tensor:
    """Make new pixels along an axis, counted from the end. A sample has the same bits in any batch."""
    if _has_rows(image, axis):
        return _weigh_rows(image.contiguous(), axis, taps)
    if axis == -1 and _has_rows(image.mT, -2):
        return turned(_weigh_rows(turned(image), -2, taps))
    shape = [1] * image.ndim
    shape[axis] = len(taps.places)
    result = None
    # Products and sums are separate steps, each of them on a pixel by itself.
    for places, weights in zip(taps.places.T, taps.weights.T, strict=True):
        picked = image.index_select(axis, torch.from_numpy(places).to(image.device))
        if taps.weights.shape[1] > 1:
            picked.mul_(torch.from_numpy(weights).to(image).reshape(shape))
        result = picked if result is None else result.add_(picked)
    assert result is not None
    return result


def turned(image: Tensor) -> Tensor:
    """Return the last two axes in the other order, as ``image.mT.contiguous()`` does in four times the time.

    An image as the channels of one pixel, in as many groups as it has rows: torch shuffles channels that lie
    one after the other in memory (channels last) by turning small squares in registers.
    """
    *_, rows, columns = image.shape
    pixels = image.contiguous().view(1, -1, 1, rows * columns).permute(0, 3, 1, 2)
    shuffled = torch.channel_shuffle(pixels, rows).permute(0, 2, 3, 1)
    return shuffled.reshape(*image.shape[:-2], columns, rows)


def _has_rows(image: Tensor, axis: int) -> bool:
    """Whether behind each pixel of an axis there is a row of some length, for :func:`_weigh_rows`."""
    suits = image.device.type == "cpu" and image.dtype == torch.float32
    return suits and math.prod(image.shape[axis:][1:]) >= _SHORTEST_ROW


def _weigh_rows(image: Tensor, axis: int, taps: Taps) -> Tensor:
    """Sum rows with weights, row by row: what torch does for bags of words, in one pass over the memory."""
    length, size = image.shape[axis], len(taps.places)
    rows = image.view(-1, math.prod(image.shape[axis:][1:]))
    most = max(1, _BAG_LIMIT // taps.places.size) * length  # samples, or planes of one, at a time
    parts = [rows] if len(rows) <= most else torch.split(rows, most)
    sums = [_sum_bags(part, *_bags(taps, length, len(part) // length)) for part in parts]
    return (sums[0] if len(sums) == 1 else torch.cat(sums)).view(
        *image.shape[:axis], size, *image.shape[axis:][1:]
    )


def _sum_bags(rows: Tensor, places: Tensor, weights: Tensor, starts: Tensor) -> Tensor:
    return torch.embedding_bag(rows, places, starts, mode=0, per_sample_weights=weights)[0]  # 0 is a sum


@lru_cache(maxsize=32)
def _bags(taps: Taps, length: int, count: int) -> tuple[Tensor, Tensor, Tensor]:
    """Repeat taps for ``count`` neighbouring pieces of ``length`` rows.

    Returns
    -------
    tuple of Tensor
        Rows to take and their weights, one bag after the other, and where each bag starts.
    """
    starts = np.arange(count, dtype=np.int32)[:, None, None] * length
    places = (taps.places.astype(np.int32) + starts).reshape(-1)
    weights = np.tile(taps.weights.astype(np.float32).reshape(-1), count)
    bags = np.arange(0, len(places), taps.places.shape[1], dtype=np.int32)
    return torch.from_numpy(places), torch.from_numpy(weights), torch.from_numpy(bags)
