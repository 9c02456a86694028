"""Dask arrays over files, whose slices are handed down: a few rows of a frame move those rows and no frame.

Dask hands a slice down to where the data come from, but the slice of a slice only after the first has been
read. :class:`LazyArray` therefore puts slices together itself, as long as nothing else was done to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import dask.array
import numpy as np
from dask import threaded
from dask.base import get_scheduler, tokenize
from dask.callbacks import Callback

from empiarreader.images.base import Array
from empiarreader.regions import Region

Axis = range | int  # what is seen of an axis: a range of it, or one number that takes the axis away


class Readable(Protocol):
    """What lies under a lazy array: a shape, a type, and regions on request. It can be pickled."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]

    def read(self, region: Region) -> Array:
        """Return a region: a slice with a step of 1 for every axis."""
        ...


class View:
    """A part of something readable, as far as dask needs to see an array."""

    def __init__(self, base: Readable, axes: tuple[Axis, ...]) -> None:
        self.base, self.axes = base, axes
        self.dtype = base.dtype
        self.shape = tuple(len(axis) for axis in axes if isinstance(axis, range))
        self.ndim = len(self.shape)

    def __getitem__(self, index: Any) -> Array:
        """Return a part of the part: slices, whole numbers and at most one list of them."""
        chosen = [_numbers(axis, part) for axis, part in zip(self.axes, self._for_axes(index), strict=True)]
        spans = [_span(numbers) for numbers in chosen]
        data = self.base.read(tuple(spans))
        for axis, (numbers, span) in enumerate(zip(chosen, spans, strict=True)):
            kept = np.atleast_1d(numbers) - span.start
            if not np.array_equal(kept, np.arange(span.stop - span.start)):
                data = data.take(kept, axis=axis)
        return data[tuple(0 if np.ndim(numbers) == 0 else slice(None) for numbers in chosen)]

    def narrowed(self, index: Any) -> View:
        """Return the view that slices and whole numbers make of this one; reads nothing."""
        parts = zip(self.axes, self._for_axes(index), strict=True)
        return View(self.base, tuple(axis if isinstance(axis, int) else axis[part] for axis, part in parts))

    def _for_axes(self, index: Any) -> list[Any]:
        """Return one part of an index for every axis underneath, those that are gone included."""
        given = list(index) if isinstance(index, tuple) else [index]
        places = [k for k, part in enumerate(given) if part is Ellipsis]
        missing = [slice(None)] * (self.ndim - len(given) + len(places))
        if places:
            given[places[0] : places[0] + 1] = missing
        else:
            given += missing
        parts = iter(given)
        return [0 if isinstance(axis, int) else next(parts) for axis in self.axes]


class LazyArray(dask.array.Array):
    """A dask array over a file that knows what it is a slice of."""

    _view: View
    _token: str

    def __getitem__(self, index: Any) -> Any:
        """Return a slice: lazy, and over the file itself where the index is of slices and numbers."""
        sliced = super().__getitem__(index)  # type: ignore[no-untyped-call]
        parts = index if isinstance(index, tuple) else (index,)
        if not all(isinstance(part, (slice, int, np.integer)) or part is Ellipsis for part in parts):
            return sliced
        return lazy_array(self._view.narrowed(index), sliced.chunks, self._token)

    def __array__(self, dtype: Any = None, copy: bool | None = None, **more: Any) -> Array:
        """Return it in memory.

        One chunk that threads of this process would compute is read without a graph, which would make a
        second copy of it in the end.
        """
        scheduler = get_scheduler(collections=[self])  # type: ignore[no-untyped-call]
        if self.npartitions > 1 or Callback.active or scheduler is not threaded.get:
            values: Array = super().__array__(dtype, copy, **more)  # type: ignore[no-untyped-call]
            return values
        return np.asarray(self._view[...], dtype)

    def __reduce__(self) -> tuple[Any, ...]:
        return lazy_array, (self._view, self.chunks, self._token)


def lazy_array(source: Readable | View, chunks: Sequence[Any], token: str) -> LazyArray:
    """Return a lazy array over something readable.

    Parameters
    ----------
    source
        What to read from.
    chunks
        Shape of a chunk, or the lengths of all chunks by axis.
    token
        Tells the content from every other: nothing that dask keeps under it may outlive a change of the file.
    """
    view = source if isinstance(source, View) else View(source, tuple(range(n) for n in source.shape))
    array = dask.array.from_array(  # type: ignore[no-untyped-call]
        view,
        chunks=tuple(chunks),
        name=f"image-{tokenize(token, [repr(axis) for axis in view.axes])}",
        lock=False,
        inline_array=True,
        meta=np.empty((0,) * view.ndim, view.dtype),
    )
    lazy = LazyArray(array.dask, array.name, array.chunks, dtype=view.dtype, meta=array._meta)  # type: ignore[no-untyped-call]
    lazy._view, lazy._token = view, token
    return lazy


def _numbers(axis: Axis, part: Any) -> Any:
    """Return which numbers of an axis underneath a part of an index means."""
    if isinstance(axis, int):
        return np.intp(axis)
    whole = np.arange(axis.start, axis.stop, axis.step)
    return whole[part] if isinstance(part, slice) else whole[np.asarray(part)]


def _span(numbers: Any) -> slice:
    """Return the shortest slice with a step of 1 that holds all of the numbers."""
    if np.size(numbers) == 0:
        return slice(0, 0)
    return slice(int(np.min(numbers)), int(np.max(numbers)) + 1)
