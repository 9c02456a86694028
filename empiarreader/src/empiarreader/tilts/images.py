"""The images of a tilt series: sections of a stack, single images, or movies that are summed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from empiarreader.errors import ShapeMismatchError
from empiarreader.images.base import Array, ImageOptions
from empiarreader.mrcsource import MrcSource
from empiarreader.tilts.files import Place

_FRAMES_AT_ONCE = 16


class TiltImages(MrcSource):
    """Files of a tilt series; what dims their formats suggest, sections of a file are tilts or frames."""

    def __init__(self, locations: Iterable[str]) -> None:
        super().__init__(locations)
        self._options = ImageOptions(volume=False)

    def sections(self, place: Place) -> int:
        """Return how many sections the file of an image has; reads its header."""
        shape = self.shape(self._index(place))
        return shape[0] if len(shape) > 2 else 1

    def has(self, place: Place) -> bool:
        """Return whether there is such an image; a file of its own is not looked into."""
        return place.section is None or place.section < self.sections(place)

    def stack(self, places: Sequence[Place]) -> Any:
        """Return the images as a dask array ``(tilt, y, x)``, one chunk each."""
        import dask.array
        from dask.base import tokenize

        lazy = _LazyTilts(self, tuple(places), *self._like(places[0]))
        return dask.array.from_array(  # type: ignore[no-untyped-call]
            lazy,
            chunks=(1, *lazy.shape[1:]),
            name=f"tilts-{tokenize(lazy.places, self.image(0).version, lazy.shape, lazy.dtype)}",
            lock=False,
            inline_array=True,
            meta=np.empty((0, 0, 0), lazy.dtype),
        )

    def plane(self, place: Place, like: tuple[int, int], rows: slice, columns: slice) -> Array:
        """Return a region of an image: of a section, or of the sum of all frames of a movie.

        Raises
        ------
        ShapeMismatchError
            If the image is not of the shape given.
        """
        i = self._index(place)
        shape = self.shape(i)
        if shape[-2:] != like or len(shape) > 3:
            raise ShapeMismatchError(f"{place.location} is {shape}, the first image of the series {like}")
        if len(shape) == 2:
            return self.read(i, (rows, columns))
        if place.section is not None:
            one = self.read(i, (slice(place.section, place.section + 1), rows, columns))
            return one.reshape(one.shape[1:])
        total: Any = 0
        for start in range(0, shape[0], _FRAMES_AT_ONCE):
            frames = self.read(i, (slice(start, start + _FRAMES_AT_ONCE), rows, columns))
            total = total + frames.sum(axis=0, dtype=_summed(frames.dtype))
        return np.asarray(total)

    def _like(self, place: Place) -> tuple[tuple[int, int], np.dtype[Any]]:
        """Return shape and type of the images, by the first of them."""
        i = self._index(place)
        shape, dtype = self.shape(i), self.dtype(i)
        if len(shape) > 3:
            raise ShapeMismatchError(f"{place.location} is {shape}; an image of a tilt series is (y, x)")
        is_movie = place.section is None and len(shape) == 3
        return (shape[-2], shape[-1]), _summed(dtype) if is_movie else dtype

    def _index(self, place: Place) -> int:
        return self.names.index(place.location)


class _LazyTilts:
    """All images, as far as dask needs to see an array: a shape, a type, and slices of it."""

    ndim = 3

    def __init__(
        self, source: TiltImages, places: tuple[Place, ...], plane: tuple[int, int], dtype: np.dtype[Any]
    ) -> None:
        self.source, self.places, self.dtype = source, places, dtype
        self.shape = (len(places), *plane)

    def __getitem__(self, index: Any) -> Array:
        given = index if isinstance(index, tuple) else (index,)
        padded: list[Any] = [*given, *[slice(None)] * (self.ndim - len(given))]
        tilts, parts = padded[0], padded[1:]
        # Steps and lists are taken from whole rows or columns; dask hands down slices nearly always.
        is_span = [isinstance(part, slice) and part.step in (None, 1) for part in parts]
        spans = [part if span else slice(None) for part, span in zip(parts, is_span, strict=True)]
        rest = [slice(None) if span else part for part, span in zip(parts, is_span, strict=True)]
        chosen = np.arange(len(self.places))[tilts]
        planes = [
            self.source.plane(self.places[k], self.shape[1:], *spans).astype(self.dtype, copy=False)
            for k in np.atleast_1d(chosen)
        ]
        values = np.stack(planes) if planes else np.empty((0, *self.shape[1:]), self.dtype)[:, *spans]
        kept: Array = values[(slice(None), *rest)]
        return kept[0] if np.ndim(chosen) == 0 else kept


def _summed(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return a type that holds sums of many frames."""
    return np.dtype({"u": np.uint32, "i": np.int32, "f": np.float32}.get(dtype.kind, dtype))
