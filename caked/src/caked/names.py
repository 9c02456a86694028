"""Names of many samples in one block of memory, instead of a Python string each.

A list of strings in a dataset is copied into every worker bit by bit, as reference counts are touched: with a
million names that is hundreds of megabytes a worker. A block of bytes is not touched by reading it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import overload

import numpy as np

__all__ = ["MadeNames", "NameTable", "SectionNames", "locate", "occurrences", "take_names"]


class MadeNames(Sequence[str]):
    """Names that are made when they are asked for; override :meth:`name`."""

    def name(self, i: int) -> str:
        """Return the name of sample ``i``, from 0 up."""
        raise NotImplementedError

    @overload
    def __getitem__(self, i: int) -> str: ...

    @overload
    def __getitem__(self, i: slice) -> Sequence[str]: ...

    def __getitem__(self, i: int | slice) -> str | Sequence[str]:
        """Return a name, or a list of them."""
        if isinstance(i, slice):
            return [self[k] for k in range(*i.indices(len(self)))]
        return self.name(range(len(self))[i])

    def __iter__(self) -> Iterator[str]:
        return (self.name(i) for i in range(len(self)))


class NameTable(MadeNames):
    """An unchanging sequence of names.

    Parameters
    ----------
    names
        Any strings; those with bytes that are no text (surrogates, as the file system gives them) survive.

    Examples
    --------
    >>> table = NameTable(["a.mrc", "b.mrc"])
    >>> table[1], len(table), "a.mrc" in table
    ('b.mrc', 2, True)
    """

    def __init__(self, names: Iterable[str]) -> None:
        encoded = [name.encode("utf-8", "surrogateescape") for name in names]
        self._text = b"".join(encoded)
        self._ends = np.cumsum([len(name) for name in encoded], dtype=np.int64)

    def __len__(self) -> int:
        return len(self._ends)

    def name(self, i: int) -> str:
        """Return name ``i``."""
        start = int(self._ends[i - 1]) if i else 0
        return self._text[start : int(self._ends[i])].decode("utf-8", "surrogateescape")

    def take(self, indices: Sequence[int]) -> list[str]:
        """Return some of the names, quicker than one by one."""
        places = np.asarray(indices, dtype=np.int64)
        ends = self._ends[places]  # or the error of a sequence
        before = places % max(1, len(self)) - 1
        starts = np.where(before < 0, 0, self._ends[before])
        bounds = zip(starts.tolist(), ends.tolist(), strict=True)
        return [self._text[start:end].decode("utf-8", "surrogateescape") for start, end in bounds]


class SectionNames(MadeNames):
    """Names of the sections of some items: ``item#section``, both counted from 0.

    An item of a single section keeps its own name.

    Parameters
    ----------
    items
        Name of each item.
    ends
        Running total of their numbers of sections; item i has ``ends[i] - ends[i - 1]``.
    single
        Which items are not stacks at all.

    Examples
    --------
    >>> list(SectionNames(["a.mrcs", "b.mrc"], np.array([2, 3]), np.array([False, True])))
    ['a.mrcs#0', 'a.mrcs#1', 'b.mrc']
    """

    def __init__(self, items: Sequence[str], ends: np.ndarray, single: np.ndarray) -> None:
        self._items, self._ends, self._single = items, ends, single

    def __len__(self) -> int:
        return int(self._ends[-1]) if len(self._ends) else 0

    def name(self, i: int) -> str:
        """Return ``item#section``."""
        item, section = locate(self._ends, i)
        name = self._items[item]
        return name if self._single[item] else f"{name}#{section}"


def take_names(names: Sequence[str], indices: Sequence[int]) -> list[str]:
    """Return some of a sequence of names."""
    return names.take(indices) if isinstance(names, NameTable) else [names[i] for i in indices]


def locate(ends: np.ndarray, i: int) -> tuple[int, int]:
    """Return which item sample ``i`` lies in, and its section there."""
    item = int(np.searchsorted(ends, i, side="right"))
    return item, i - (int(ends[item - 1]) if item else 0)


def occurrences(keys: np.ndarray) -> np.ndarray:
    """Return how often each key has stood before it, to tell equal ones apart.

    Examples
    --------
    >>> occurrences(np.array([7, 3, 7, 7])).tolist()
    [0, 0, 1, 2]
    """
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    first = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]][: len(keys)])
    again = np.empty(len(keys), dtype=np.int32)
    again[order] = np.arange(len(keys)) - np.repeat(first, np.diff(np.r_[first, len(keys)]))
    return again
