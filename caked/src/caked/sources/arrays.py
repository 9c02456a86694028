"""Samples in memory: the first axis of an array."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from caked.counting import counted
from caked.errors import InvalidOptionError
from caked.io.read import deliver, whole_region
from caked.keys import Columns
from caked.names import NameTable
from caked.protocol import Array, Region
from caked.sources.base import Source

__all__ = ["ArraySource"]


class ArraySource(Source):
    """The elements of an array's first axis.

    Parameters
    ----------
    array
        Shape ``(sample, *spatial)``; not copied. A memory-mapped array is copied when the source is
        pickled, so read such a file with :class:`~caked.StackSource` instead.
    names
        Name of each sample; by default its number with leading zeros.
    groups
        What each sample belongs to.
    pixel_size_angstrom
        Along each axis of a sample.

    Examples
    --------
    >>> source = ArraySource(np.arange(8.0).reshape(2, 2, 2), names=["a", "b"])
    >>> source.read(1).tolist()
    [[4.0, 5.0], [6.0, 7.0]]
    """

    def __init__(
        self,
        array: Any,
        *,
        names: Sequence[str] | None = None,
        groups: Sequence[str] | None = None,
        pixel_size_angstrom: Sequence[float] | None = None,
    ) -> None:
        self.array: Array = np.asarray(array)
        if self.array.ndim < 2 or self.array.dtype.kind not in "biufc":
            raise InvalidOptionError(
                f"Samples are the first axis of an array of numbers, not of {self.array.dtype} in shape "
                f"{self.array.shape}."
            )
        width = len(str(max(len(self.array) - 1, 0)))
        self._names = NameTable(names or (f"{i:0{width}d}" for i in range(len(self.array))))
        self._groups = None if groups is None else list(groups)
        self._pixel_size = None if pixel_size_angstrom is None else tuple(pixel_size_angstrom)
        for what, given in (("names", self._names), ("groups", self._groups)):
            if given is not None and len(given) != len(self.array):
                raise InvalidOptionError(
                    f"{what.capitalize()} and samples do not fit: "
                    f"{counted(len(given), what)} for {counted(len(self.array), 'samples')}."
                )
        if len(set(self._names)) < len(self._names):
            raise InvalidOptionError("Names are unique, and these are not.")

    @property
    def names(self) -> Sequence[str]:
        """Names as given."""
        return self._names

    def shape(self, i: int) -> tuple[int, ...]:
        """Return the shape of a sample, the same for all."""
        return self.array.shape[1:]

    def dtype(self, i: int) -> np.dtype[Any]:
        """Return the type of the array."""
        return self.array.dtype.newbyteorder("=")

    def read(self, i: int, region: Region | None = None, out: Array | None = None) -> Array:
        """Copy sample ``i``, or a region of it."""
        sample = self.array[i]
        part = sample if region is None else sample[whole_region(region, sample.shape)]
        return deliver(part if out is not None else part.copy(), out, dtype=self.dtype(i))

    def read_batch(self, indices: Sequence[int], out: Array | None = None) -> Array:
        """Copy several samples."""
        return deliver(self.array[list(indices)], out, dtype=self.array.dtype.newbyteorder("="))

    def digest(self, *, content: bool | None = None) -> str:
        """Return a sha256 of names and, unless ``content`` is false, of the values."""
        return super().digest(content=content is not False)

    def pixel_size(self, i: int) -> tuple[float, ...]:
        """Return the pixel size that was given, else zeros."""
        return self._pixel_size or (0.0,) * (self.array.ndim - 1)

    def columns(self, indices: Sequence[int]) -> Columns:
        """Return the pixel sizes."""
        return {"pixel_size_angstrom": np.array([self.pixel_size(i) for i in indices])}

    def group(self, i: int) -> str | None:
        """Return the group that was given."""
        return None if self._groups is None else self._groups[i]
