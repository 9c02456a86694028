"""Labelled arrays: xarray around numpy for what is in memory, around dask for what is not yet.

The dask arrays cut each file into one chunk a section. A slice of such an array is handed down to the file,
so that a few rows of a frame move those rows and not the frame.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray

from empiarreader.images.base import Array, OpenImage
from empiarreader.voxels import VoxelSize

if TYPE_CHECKING:
    from empiarreader.partitions import ImagePartitions


def partition_array(source: ImagePartitions, i: int, *, lazy: bool) -> xarray.DataArray:
    """Return one partition of a source with its dimensions, pixel numbers and attributes."""
    image = source.image(i)
    data: Any = _lazy_array(_LazyPartition(source, i), source, i) if lazy else source.read(i)
    array = xarray.DataArray(
        data,
        dims=image.dims,
        coords=_pixel_numbers(image),
        attrs={"filename": source.filenames[i], "voxel_size": image.voxel_size, **image.attrs},
    )
    return array.rename(None)  # not the name of the dask graph


def with_lengths(
    array: xarray.DataArray, image: OpenImage, pixel_size_angstrom: float | None = None
) -> xarray.DataArray:
    """Return an array with coordinates in Å where the size of its voxels is known, and its format.

    The coordinates of a pixel are those of its centre, from the image's ``origin`` on, or from 0.
    """
    size = image.voxel_size
    if pixel_size_angstrom is not None:
        z = pixel_size_angstrom if "z" in image.dims else size.z
        size = VoxelSize(z=z, y=pixel_size_angstrom, x=pixel_size_angstrom)
    origin = dict(zip("zyx", image.attrs.get("origin", (0.0, 0.0, 0.0)), strict=True))
    for axis, length in size._asdict().items():
        if axis in array.dims:
            numbers = np.arange(array.sizes[axis])
            places = origin[axis] + numbers * length if length > 0 else numbers
            array = array.assign_coords({axis: (axis, places, {"units": "Å" if length > 0 else "pixel"})})
    return array.assign_attrs(format=image.format, voxel_size=size)


def stacked_dataset(source: ImagePartitions) -> xarray.Dataset:
    """Return all partitions of a source as one lazy dataset, taking the shape of the first for all."""
    image = source.image(0)
    raster = xarray.DataArray(
        _lazy_array(_LazyStack(source), source, None),
        dims=("partition", *image.dims),
        attrs={"voxel_size": image.voxel_size, **image.attrs},
    )
    return xarray.Dataset(
        {"raster": raster, "filename": ("partition", list(source.filenames))},
        coords={"partition": np.arange(len(source)), **_pixel_numbers(image)},
    )


class _LazyPartition:
    """One partition, as far as dask needs to see an array: a shape, a type, and slices of it."""

    def __init__(self, source: ImagePartitions, i: int) -> None:
        self.source, self.i = source, i
        self.shape, self.dtype = source.shape(i), source.dtype(i)
        self.ndim = len(self.shape)

    def __getitem__(self, index: Any) -> Array:
        choices = _choices(index, self.shape)
        return _keep(self.source.read(self.i, tuple(choice.span for choice in choices)), choices)


class _LazyStack:
    """All partitions of a source as one array, on the promise that they are like the first."""

    def __init__(self, source: ImagePartitions) -> None:
        self.source = source
        self.like = source.shape(0), source.dtype(0)
        self.shape, self.dtype = (len(source), *self.like[0]), self.like[1]
        self.ndim = len(self.shape)

    def __getitem__(self, index: Any) -> Array:
        choices = _choices(index, self.shape)
        which, *region = (choice.span for choice in choices)
        shape = tuple(part.stop - part.start for part in (which, *region))
        result: Array = np.empty(shape, self.dtype)
        for place, i in enumerate(range(which.start, which.stop)):
            self.source.read_like(i, self.like, tuple(region), out=result[place])
        return _keep(result, choices)


def _lazy_array(lazy: _LazyPartition | _LazyStack, source: ImagePartitions, i: int | None) -> Any:
    import dask.array
    from dask.base import tokenize

    image = source.image(i or 0)
    leading = (1,) * (lazy.ndim - len(image.shape))  # the partitions
    return dask.array.from_array(  # type: ignore[no-untyped-call]
        lazy,
        chunks=(*leading, *image.chunks),
        # The version is in the name, so that nothing cached under it outlives a change of the file.
        name=f"image-{tokenize(list(source.filenames), i, image)}",
        lock=False,
        inline_array=True,
        meta=np.empty((0,) * lazy.ndim, lazy.dtype),
    )


class _Choice:
    """What to take of one axis: the span of it that is read, and what is kept of that span in memory."""

    def __init__(self, index: Any, length: int) -> None:
        self.is_number = False
        if isinstance(index, slice):
            chosen = np.arange(length)[index]
        elif np.ndim(index) == 0:
            chosen = np.arange(length)[[int(index)]]
            self.is_number = True
        else:
            chosen = np.arange(length)[np.asarray(index)]
        low, high = (int(chosen.min()), int(chosen.max()) + 1) if chosen.size else (0, 0)
        self.span = slice(low, high)
        self.kept = chosen - low

    @property
    def is_whole(self) -> bool:
        return np.array_equal(self.kept, np.arange(self.span.stop - self.span.start))


def _choices(index: Any, shape: tuple[int, ...]) -> list[_Choice]:
    """Return one choice an axis; dask hands down slices, whole numbers and at most one list of them."""
    given = index if isinstance(index, tuple) else (index,)
    padded = [*given, *[slice(None)] * (len(shape) - len(given))]
    return [_Choice(part, length) for part, length in zip(padded, shape, strict=True)]


def _keep(data: Array, choices: list[_Choice]) -> Array:
    """Return what the choices keep of the spans that were read; whole numbers lose their axis."""
    for axis, choice in enumerate(choices):
        if not choice.is_whole:
            data = data.take(choice.kept, axis=axis)
    kept: Array = data[tuple(0 if choice.is_number else slice(None) for choice in choices)]
    return kept


def _pixel_numbers(image: OpenImage) -> dict[str, Array]:
    return {name: np.arange(length) for name, length in zip(image.dims, image.shape, strict=True)}
