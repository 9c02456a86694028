"""Samples along the first axis of an array that reads when it is sliced, such as one of dask."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from caked.counting import counted
from caked.errors import InvalidOptionError
from caked.io.read import deliver, whole_region
from caked.keys import Columns
from caked.names import MadeNames
from caked.protocol import Array, Region
from caked.sources.base import Source

__all__ = ["FirstAxisSource", "LazyArraySource", "runs_of"]


class FirstAxisSource(Source):
    """What arrays have in common whose first axis counts the samples."""

    _pixel_size: tuple[float, ...] | None
    _groups: list[str] | None

    def _array(self) -> Any:
        """Return the array: something with shape, dtype, and slices that numpy can take."""
        raise NotImplementedError

    def _facts(self) -> tuple[tuple[int, ...], np.dtype[Any]]:
        array = self._array()
        return tuple(int(edge) for edge in array.shape), np.dtype(array.dtype)

    @property
    def names(self) -> Sequence[str]:
        """Numbers with leading zeros."""
        count = self._facts()[0][0]
        return _Numbers(count)

    def shape(self, i: int) -> tuple[int, ...]:
        """Return the shape of a sample, the same for all."""
        return self._facts()[0][1:]

    def dtype(self, i: int) -> np.dtype[Any]:
        """Return the type of the array, in native byte order."""
        return self._facts()[1].newbyteorder("=")

    def read(self, i: int, region: Region | None = None, out: Array | None = None) -> Array:
        """Read sample ``i``, or a region of it: the chunks it lies in."""
        i = range(len(self))[i]
        part = self._array()[(i, *whole_region(region or (), self.shape(i)))]
        return deliver(np.array(part, dtype=self.dtype(i)), out, dtype=self.dtype(i))

    def read_batch(self, indices: Sequence[int], out: Array | None = None) -> Array:
        """Read several samples; those that follow one another together, so that a chunk is read once."""
        if out is None:
            out = self.empty_batch(indices)
        array = self._array()
        for first, rows in runs_of(indices):
            whole = np.asarray(array[first : rows[-1][0] + 1])
            for row, k in rows:
                out[k] = whole[row - first]
        return out

    def columns(self, indices: Sequence[int]) -> Columns:
        """Return the pixel sizes."""
        return {"pixel_size_angstrom": np.array([self.pixel_size(i) for i in indices])}

    def pixel_size(self, i: int) -> tuple[float, ...]:
        """Return the pixel size that was given, else zeros."""
        return self._pixel_size or (0.0,) * len(self.shape(i))

    def group(self, i: int) -> str | None:
        """Return the group that was given."""
        return None if self._groups is None else self._groups[i]


class LazyArraySource(FirstAxisSource):
    """The elements of the first axis of a dask array, a zarr array, or another that reads when it is sliced.

    Parameters
    ----------
    array
        Shape ``(sample, *spatial)``, with ``shape``, ``dtype`` and slices. It has to survive ``pickle`` to be
        used by workers, as dask arrays and zarr arrays do.
    groups
        What each sample belongs to.
    pixel_size_angstrom
        Along each axis of a sample.

    Notes
    -----
    A batch of a dask array is computed in one go, in this process and thread: workers of a data loader
    read at the same time already.
    """

    def __init__(
        self,
        array: Any,
        *,
        groups: Sequence[str] | None = None,
        pixel_size_angstrom: Sequence[float] | None = None,
    ) -> None:
        shape: tuple[int, ...] = tuple(getattr(array, "shape", ()))
        dtype = getattr(array, "dtype", None)
        if len(shape) < 2 or dtype is None or np.dtype(dtype).kind not in "biufc":
            raise InvalidOptionError(
                f"Samples are the first axis of an array of numbers, not of {dtype} in shape {shape}."
            )
        if groups is not None and len(groups) != shape[0]:
            raise InvalidOptionError(
                f"Groups and samples do not fit: "
                f"{counted(len(groups), 'groups')} for {counted(shape[0], 'samples')}."
            )
        self.array = array
        self._groups = None if groups is None else list(groups)
        self._pixel_size = None if pixel_size_angstrom is None else tuple(pixel_size_angstrom)

    def _array(self) -> Any:
        return self.array

    def read(self, i: int, region: Region | None = None, out: Array | None = None) -> Array:
        """Read sample ``i``, or a region of it."""
        i = range(len(self))[i]
        part = _computed(self.array[(i, *whole_region(region or (), self.shape(i)))])
        return deliver(np.array(part, dtype=self.dtype(i)), out, dtype=self.dtype(i))

    def read_batch(self, indices: Sequence[int], out: Array | None = None) -> Array:
        """Read several samples, of a dask array by one computation."""
        if not hasattr(self.array, "dask"):
            return super().read_batch(indices, out)
        if out is None:
            out = self.empty_batch(indices)
        rows = np.argsort(indices, kind="stable")
        out[rows] = _computed(self.array[np.asarray(indices)[rows]])
        return out


def _computed(part: Any) -> Any:
    """Compute a part of a dask array here; dask's own pool of threads would not survive a fork."""
    return part.compute(scheduler="synchronous") if hasattr(part, "dask") else part


class _Numbers(MadeNames):
    """Numbers with leading zeros, made when asked for."""

    def __init__(self, count: int) -> None:
        self._count, self._width = count, len(str(max(count - 1, 0)))

    def __len__(self) -> int:
        return self._count

    def name(self, i: int) -> str:
        return f"{i:0{self._width}d}"


def runs_of(indices: Sequence[int]) -> list[tuple[int, list[tuple[int, int]]]]:
    """Group positions of a batch whose samples are equal or follow one another, by the first of them."""
    runs: list[tuple[int, list[tuple[int, int]]]] = []
    for row, k in sorted((int(i), k) for k, i in enumerate(indices)):
        if runs and row <= runs[-1][1][-1][0] + 1:
            runs[-1][1].append((row, k))
        else:
            runs.append((row, [(row, k)]))
    return runs
