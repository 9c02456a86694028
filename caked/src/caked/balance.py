"""An order of samples in which every class comes equally often, whatever their numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from caked.randomness import permutation

__all__ = ["balanced_order", "repeats_in"]


def balanced_order(codes: NDArray[np.int64], *, seed: int, epoch: int = 0) -> NDArray[np.int64]:
    """Return as many positions as there are samples, with an equal share of each class that has any.

    A small class is gone through several times, each time in another order; of a large one every epoch shows
    another part. What the classes cannot share evenly goes to some of them, others in each epoch.

    Parameters
    ----------
    codes
        Class of each sample, 0 or more.

    Examples
    --------
    >>> codes = np.array([0, 0, 0, 0, 0, 1])
    >>> order = balanced_order(codes, seed=0)
    >>> np.bincount(codes[order]).tolist()
    [3, 3]
    """
    present = np.unique(codes)
    turn = permutation(len(present), seed=seed, epoch=epoch, operation="balance turn")
    parts = []
    for place, which in enumerate(turn.tolist()):
        members = np.flatnonzero(codes == present[which])
        count = len(codes) // len(present) + (place < len(codes) % len(present))
        parts.append(_repeated(members, count, seed=seed, epoch=epoch, name=str(present[which])))
    order = np.concatenate(parts)
    return order[permutation(len(order), seed=seed, epoch=epoch, operation="balance order")]


def repeats_in(order: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return how often the position at each place of an order stands in it before.

    Examples
    --------
    >>> repeats_in(np.array([4, 0, 4, 4, 0])).tolist()
    [0, 0, 1, 2, 1]
    """
    together = np.argsort(order, kind="stable")  # the places of each position, one after the other
    ordered = order[together]
    begins = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    sizes = np.diff(np.r_[begins, len(order)])
    repeats = np.empty(len(order), dtype=np.int64)
    repeats[together] = np.arange(len(order)) - np.repeat(begins, sizes)
    return repeats


def _repeated(
    members: NDArray[np.int64], count: int, *, seed: int, epoch: int, name: str
) -> NDArray[np.int64]:
    rounds = [
        members[permutation(len(members), seed=seed, epoch=epoch, operation=f"balance class {name} {round_}")]
        for round_ in range(-(-count // len(members)))
    ]
    return np.concatenate([*rounds, members[:0]])[:count]
