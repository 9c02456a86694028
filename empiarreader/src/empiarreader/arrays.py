"""Labelled arrays: xarray around numpy for what is in memory, around dask for what is not yet.

The dask arrays cut each file into the chunks that are best read at once: one frame or section.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray
from dask.base import tokenize

from empiarreader.images.base import Array, OpenImage
from empiarreader.lazyarrays import lazy_array
from empiarreader.regions import Region
from empiarreader.voxels import VoxelSize

if TYPE_CHECKING:
    from empiarreader.partitions import ImagePartitions


def partition_array(source: ImagePartitions, i: int, *, lazy: bool) -> xarray.DataArray:
    """Return one partition of a source with its dimensions, pixel numbers and attributes."""
    image = source.image(i)
    data: Any
    if lazy:
        data = lazy_array(_Partition(source, i), image.chunks, _token([source.filenames[i]], image))
    else:
        data = source.read(i)
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
        lazy_array(_Stack(source), (1, *image.chunks), _token(source.filenames, image)),
        dims=("partition", *image.dims),
        attrs={"voxel_size": image.voxel_size, **image.attrs},
    )
    return xarray.Dataset(
        {"raster": raster, "filename": ("partition", list(source.filenames))},
        coords={"partition": np.arange(len(source)), **_pixel_numbers(image)},
    )


class _Partition:
    """One partition of a source."""

    def __init__(self, source: ImagePartitions, i: int) -> None:
        self.source, self.i = source, i
        self.shape, self.dtype = source.shape(i), source.dtype(i)

    def read(self, region: Region) -> Array:
        return self.source.read(self.i, region)


class _Stack:
    """All partitions of a source as one array, on the promise that they are like the first."""

    def __init__(self, source: ImagePartitions) -> None:
        self.source = source
        self.like = source.shape(0), source.dtype(0)
        self.shape, self.dtype = (len(source), *self.like[0]), self.like[1]

    def read(self, region: Region) -> Array:
        which, *rest = region
        result: Array = np.empty(tuple(part.stop - part.start for part in region), self.dtype)
        for place, i in enumerate(range(which.start, which.stop)):
            self.source.read_like(i, self.like, tuple(rest), out=result[place])
        return result


def _token(filenames: Any, image: OpenImage) -> str:
    """Return what tells the content of files from every other, as far as it is known."""
    return str(tokenize(list(filenames), image.version, image.shape, str(image.dtype), dict(image.attrs)))


def _pixel_numbers(image: OpenImage) -> dict[str, Array]:
    return {name: np.arange(length) for name, length in zip(image.dims, image.shape, strict=True)}
