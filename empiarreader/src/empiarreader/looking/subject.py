"""What is looked at: an image whose regions can be read, wherever it is, and what is known about it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from empiarreader.errors import InvalidRequestError
from empiarreader.formats import MRC, format_by_name, suffix_of
from empiarreader.images.base import Array, ImageOptions, OpenImage, one_section
from empiarreader.images.tiff import TiffImage
from empiarreader.listing.kinds import kind_of
from empiarreader.looking.plan import KINDS, LEAST_BAND, Kind
from empiarreader.looking.sparing import SparingImageFile, refuse_whole
from empiarreader.metadata.emdb import map_address, parse_emdb_id
from empiarreader.metadata.records import Imageset
from empiarreader.regions import Region
from empiarreader.voxels import VoxelSize

if TYPE_CHECKING:
    import xarray

_SMALL_BOX = 1024  # no camera has a shorter side, and no box around a particle a longer one
_BY_ROWS = frozenset({"MRC", "SPIDER", "IMAGIC"})  # formats whose rows lie in the file as they are
_BY_KIND: dict[str | None, Kind] = {"movies": "movie", "tilt_series": "tilts"}


@dataclass(frozen=True, kw_only=True)
class Subject:
    """An image to be looked at.

    Attributes
    ----------
    name : str
        What it is called: address, path, or path in an entry.
    shape, dims, dtype
        As in the array that :func:`empiarreader.open_image` opens.
    kind : str
        What its sections are, see :data:`empiarreader.looking.plan.KINDS`.
    pixel_size_angstrom : tuple of float, or None
        Along y and x.
    read : Callable
        Returns a region.
    stored_bytes : int or None
        Length of the file that the pixels lie in; None where that says nothing.
    by_rows : bool
        Whether some rows can be had without the others.
    is_near : bool
        Whether reading costs no transfer: a local file, or an array.
    """

    name: str
    shape: tuple[int, ...]
    dims: tuple[str, ...]
    dtype: np.dtype[Any]
    kind: Kind
    pixel_size_angstrom: tuple[float, float] | None
    read: Callable[[Region], Array]
    stored_bytes: int | None
    by_rows: bool
    is_near: bool

    @property
    def sections(self) -> int:
        """How many sections, frames or particles there are; 1 of a single image."""
        before = self.shape[: self.dims.index("y")] if "y" in self.dims else ()
        return before[-1] if before else 1

    @property
    def rows(self) -> int:
        """How many rows a section has."""
        return self.shape[self.dims.index("y")] if "y" in self.dims else 0


def subject_of_file(
    location: str | os.PathLike[str],
    *,
    name: str | None = None,
    imagesets: Iterable[Imageset] = (),
    imageset: Imageset | None = None,
    kind: str | None = None,
    pixel_size_angstrom: float | None = None,
    limit_bytes: int | None = None,
) -> Subject:
    """Open an image file to be looked at: its description moves.

    Parameters
    ----------
    location
        As for :func:`empiarreader.open_image`.
    name
        What to call it; the address or path where it is None.
    imagesets, imageset
        What the entry says, and the imageset that the file is of: believed where the file itself is silent.
    kind
        What its sections are; None tells it from header, name and imageset.
    limit_bytes
        No file larger than this is fetched whole; None is no limit.
    """
    text = os.fspath(location)
    emdb_id = parse_emdb_id(text)
    address = map_address(emdb_id) if emdb_id else text
    is_volume = {"volume": True, None: True if emdb_id else None}.get(kind, False)
    file = SparingImageFile(
        address,
        ImageOptions(
            volume=is_volume,
            cell_axes=is_volume is not False,
            signed_bytes=False if imageset and imageset.voxel_type == "UNSIGNED BYTE" else None,
            frames=(imageset.frames_per_image or None) if imageset else None,
        ),
        limit_bytes,
    )
    image = file.image(0)
    is_near = "://" not in address
    if limit_bytes is not None and not is_near and image.chunks != one_section(image.shape, image.dims):
        refuse_whole(address, image.version.size, limit_bytes)  # sections lie across those of the file
    sizes = _pixel_size(image.voxel_size, imageset, pixel_size_angstrom)
    shown = name or (emdb_id or address)
    return Subject(
        name=shown,
        shape=image.shape,
        dims=image.dims,
        dtype=image.dtype,
        kind=_kind(kind, image.shape, image.dims, shown, imagesets),
        pixel_size_angstrom=sizes,
        read=lambda region: file.read(0, region),
        stored_bytes=None if "must_fetch_bytes" in image.attrs else image.version.size,
        by_rows=_has_rows(image) or "must_fetch_bytes" in image.attrs,
        is_near=is_near,
    )


def _has_rows(image: OpenImage) -> bool:
    """Return whether some rows can be had without the others: as they lie, or a strip or tile at a time."""
    return image.format in _BY_ROWS or (isinstance(image, TiffImage) and image.rows_together <= LEAST_BAND)


def subject_of_array(
    array: xarray.DataArray, *, kind: str | None = None, pixel_size_angstrom: float | None = None
) -> Subject:
    """Take an array, lazy or not, as an image to be looked at."""
    name = str(array.attrs.get("filename") or "array")
    dims = tuple(str(dim) for dim in array.dims)
    size = VoxelSize(*array.attrs.get("voxel_size", (0.0, 0.0, 0.0)))
    return Subject(
        name=name,
        shape=array.shape,
        dims=dims,
        dtype=array.dtype,
        kind=_kind(kind, array.shape, dims, name, ()),
        pixel_size_angstrom=_pixel_size(size, None, pixel_size_angstrom),
        read=lambda region: np.asarray(array[region].compute(scheduler="synchronous")),
        stored_bytes=None,
        by_rows=array.attrs.get("format") in _BY_ROWS or format_by_name(name) is MRC,
        is_near=array.chunks is None,
    )


def _kind(
    wanted: str | None,
    shape: tuple[int, ...],
    dims: tuple[str, ...],
    name: str,
    imagesets: Iterable[Imageset],
) -> Kind:
    """Tell what the sections of an image are.

    Header and name do not always say: the stack of a movie may look like one of particles, and the other way
    round. The entry's word on it counts; without it, nobody's camera takes frames as small as boxes around
    particles.
    """
    if wanted is not None and wanted not in KINDS:
        raise InvalidRequestError(f"{wanted!r} is no kind of image; there are {', '.join(KINDS)}")
    planes = tuple(
        length for length, dim in zip(shape, dims, strict=True) if dim not in {"y", "x", "channel"}
    )
    if not any(length > 1 for length in planes):
        return "image"
    if wanted is not None:
        return next(kind for kind in KINDS if kind == wanted)
    if "z" in dims:
        return "volume"
    told = kind_of(name, imagesets)
    by_name_alone = kind_of(name) == "particles" and suffix_of(name) == ".mrcs"
    if told in _BY_KIND:
        return _BY_KIND[told]
    if told == "particles" and not by_name_alone:
        return "particles"
    sides = [length for length, dim in zip(shape, dims, strict=True) if dim in {"y", "x"}]
    return "particles" if max(sides) <= _SMALL_BOX else "movie"


def _pixel_size(
    size: VoxelSize, imageset: Imageset | None, given: float | None
) -> tuple[float, float] | None:
    if given is not None:
        if not 0 < given < float("inf"):
            raise InvalidRequestError(f"the pixel size is {given} Å; it must be above 0")
        return given, given
    if size.y > 0 and size.x > 0:
        return size.y, size.x
    if imageset is not None and imageset.pixel_width_angstrom:
        across = imageset.pixel_width_angstrom
        return imageset.pixel_height_angstrom or across, across
    return None
