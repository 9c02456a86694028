"""Points on which several pickers agree: at least M of them, within N pixels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from caked.errors import InvalidOptionError, ShapeError

__all__ = ["Consensus", "consensus"]

_Points = NDArray[np.float64]
_COMPARED_AT_ONCE = 1 << 22


class Consensus(NamedTuple):
    """Points that pickers agree on, best agreed first, and how many pickers agree on each."""

    points: _Points
    votes: NDArray[np.int64]


def consensus(picks: Sequence[NDArray[np.floating]], *, within_pixels: float, at_least: int) -> Consensus:
    """Return the points of one image that several pickers agree on.

    Points are taken in the order of how many pickers have one near by, then of how near those are. Each takes
    the nearest free point of every other picker within the distance; together they are one point, at their
    mean, and none of them is used again. So no picker votes twice for one particle, and two particles that
    stand closer than the distance stay two, where the pickers saw two.

    Parameters
    ----------
    picks
        Points of each picker: ``(n, ndim)``, in pixels, array order.
    within_pixels
        Greatest distance between the first point and one that agrees with it.
    at_least
        Pickers that must agree, of all; 1 keeps every point.

    Returns
    -------
    Consensus
        ``points`` ``(m, ndim)`` and ``votes`` ``(m,)``.

    Raises
    ------
    InvalidOptionError
        If there are fewer pickers than must agree, or the distance is negative.
    ShapeError
        If the points of the pickers are not alike.

    Examples
    --------
    >>> first, second = np.array([[10.0, 10.0], [50.0, 50.0]]), np.array([[12.0, 10.0]])
    >>> consensus([first, second], within_pixels=5, at_least=2)
    Consensus(points=array([[11., 10.]]), votes=array([2]))
    """
    if not 1 <= at_least <= len(picks):
        raise InvalidOptionError(f"Of {len(picks)} pickers {at_least} cannot agree.")
    if not within_pixels >= 0:
        raise InvalidOptionError(f"Points are within a distance of 0 or more pixels, not {within_pixels}.")
    points, picker = _stacked(picks)
    near = _neighbours(points, picker, within_pixels)
    free = np.ones(len(points), dtype=bool)
    found: list[tuple[_Points, int]] = []
    for seed in _order(near, picker):
        if not free[seed]:
            continue
        members = _members(seed, near[seed], picker, free)
        if len(members) >= at_least:
            free[members] = False
            found.append((points[members].mean(axis=0), len(members)))
    found.sort(key=lambda item: -item[1])  # stable: as they were found among equals
    return Consensus(
        np.array([point for point, _ in found], dtype=np.float64).reshape(-1, points.shape[1]),
        np.array([votes for _, votes in found], dtype=np.int64),
    )


def _stacked(picks: Sequence[NDArray[np.floating]]) -> tuple[_Points, NDArray[np.int64]]:
    arrays = [np.asarray(points, dtype=np.float64) for points in picks]
    widths = {array.shape[1] for array in arrays if array.ndim == 2 and array.size}
    if len(widths) > 1 or any(array.size and array.ndim != 2 for array in arrays):
        raise ShapeError(f"Points are (n, ndim) for every picker, not {[array.shape for array in arrays]}.")
    width = widths.pop() if widths else 2
    filled = [array.reshape(-1, width) for array in arrays]
    return np.concatenate(filled), np.repeat(np.arange(len(filled)), [len(array) for array in filled])


class _Near(NamedTuple):
    """Points of other pickers near a point, nearest first, and how far they are."""

    indices: NDArray[np.int64]
    distances: _Points


def _neighbours(points: _Points, picker: NDArray[np.int64], distance: float) -> list[_Near]:
    near: list[_Near] = []
    rows = max(1, _COMPARED_AT_ONCE // max(1, points.size))
    for start in range(0, len(points), rows):
        block = points[start : start + rows]
        apart = np.sqrt(((block[:, None] - points) ** 2).sum(axis=-1))  # (rows, n)
        apart[picker[start : start + rows, None] == picker] = np.inf
        for row in apart:
            (indices,) = np.nonzero(row <= distance)
            order = np.argsort(row[indices], kind="stable")
            near.append(_Near(indices[order], row[indices[order]]))
    return near


def _order(near: Sequence[_Near], picker: NDArray[np.int64]) -> NDArray[np.int64]:
    votes = np.array([len(np.unique(picker[item.indices])) for item in near], dtype=np.int64)
    spread = np.array([item.distances.sum() for item in near])
    return np.lexsort((spread, -votes))


def _members(seed: int, near: _Near, picker: NDArray[np.int64], free: NDArray[np.bool_]) -> NDArray[np.int64]:
    candidates = near.indices[free[near.indices]]
    _, first = np.unique(picker[candidates], return_index=True)  # the nearest of each picker
    return np.concatenate([[seed], candidates[first]]).astype(np.int64)
