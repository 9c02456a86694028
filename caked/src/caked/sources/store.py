"""Samples in an HDF5 file or a zarr store."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from caked.counting import counted
from caked.errors import InvalidOptionError
from caked.io.containers import HDF5_SUFFIXES, open_hdf5, open_zarr
from caked.io.listing import has_suffix
from caked.io.read import deliver, whole_region
from caked.protocol import Array, Region
from caked.sources.base import register
from caked.sources.lazy import FirstAxisSource, runs_of

__all__ = ["StoreSource"]


@register("store")
class StoreSource(FirstAxisSource):
    """The elements of the first axis of an array in an HDF5 file or a zarr store.

    Parameters
    ----------
    path
        An HDF5 file (``.h5``, ``.hdf5``, ``.nxs``, ``.hdf``), or a zarr store: a folder, or a URL.
    array
        Name of the array within it; ``None`` where the store is an array, or has only one.
    groups, pixel_size_angstrom
        As for :class:`LazyArraySource`.

    Notes
    -----
    Needs ``pip install './caked[h5]'`` or ``'./caked[zarr]'``. The file is opened for each batch and closed:
    nothing is shared with workers, and nothing is left open.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        array: str | None = None,
        *,
        groups: Sequence[str] | None = None,
        pixel_size_angstrom: Sequence[float] | None = None,
    ) -> None:
        self.path = os.fspath(path)
        self._is_hdf5 = has_suffix(self.path, HDF5_SUFFIXES)
        self.array = array
        self._groups = None if groups is None else list(groups)
        self._pixel_size = None if pixel_size_angstrom is None else tuple(pixel_size_angstrom)
        with self._opened() as found:
            self._shape = tuple(int(edge) for edge in found.shape)
            self._dtype = np.dtype(found.dtype)
        if len(self._shape) < 2 or self._dtype.kind not in "biufc":
            raise InvalidOptionError(
                f"Samples are the first axis of an array of numbers, and {self.path} has {self._dtype} in "
                f"shape {self._shape}."
            )
        if self._groups is not None and len(self._groups) != self._shape[0]:
            raise InvalidOptionError(
                f"Groups and samples do not fit: "
                f"{counted(len(self._groups), 'groups')} for {counted(self._shape[0], 'samples')}."
            )

    def _facts(self) -> tuple[tuple[int, ...], np.dtype[Any]]:
        return self._shape, self._dtype

    def _opened(self) -> Any:
        return open_hdf5(self.path, self.array) if self._is_hdf5 else open_zarr(self.path, self.array)

    def read(self, i: int, region: Region | None = None, out: Array | None = None) -> Array:
        """Read sample ``i``, or a region of it: the chunks it lies in."""
        i = range(len(self))[i]
        with self._opened() as array:
            part = np.array(array[(i, *whole_region(region or (), self.shape(i)))], dtype=self.dtype(i))
        return deliver(part, out, dtype=part.dtype)

    def read_batch(self, indices: Sequence[int], out: Array | None = None) -> Array:
        """Read several samples; those that follow one another together."""
        if out is None:
            out = self.empty_batch(indices)
        with self._opened() as array:
            for first, rows in runs_of(indices):
                whole = np.asarray(array[first : rows[-1][0] + 1])
                for row, k in rows:
                    out[k] = whole[row - first]
        return out

    def digest(self, *, content: bool | None = None) -> str:
        """Return a sha256 of the shape and, unless ``content`` is false, of the values."""
        digest = hashlib.sha256(f"{self.array} {self._shape} {self._dtype}".encode())
        if content is not False:
            for i in range(len(self)):
                digest.update(np.ascontiguousarray(self.read(i)).tobytes())
        return digest.hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return where the array is."""
        if "://" in self.path:
            place: dict[str, Any] = {"url": self.path}
        else:
            place = {"root": str(Path(self.path).absolute())}
        return {
            "type": self.type_name,
            **place,
            "array": self.array,
            "groups": self._groups,
            "pixel_size_angstrom": self._pixel_size,
        }

    @classmethod
    def from_dict(
        cls, description: Mapping[str, Any], *, base: Path, allow: Sequence[str] = ()
    ) -> StoreSource:
        """Open the store again."""
        return cls(
            description["url"] if "url" in description else base / description["root"],
            description["array"],
            groups=description["groups"],
            pixel_size_angstrom=description["pixel_size_angstrom"],
        )

    def __repr__(self) -> str:
        return f"StoreSource({self.path!r}, {self.array!r}, {counted(len(self), 'samples')})"
