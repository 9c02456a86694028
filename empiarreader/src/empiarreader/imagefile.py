"""One image by its address, path or EMDB id: lazy, labelled, with coordinates in Å."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from empiarreader.errors import InvalidRequestError
from empiarreader.images.base import ImageOptions
from empiarreader.metadata.emdb import map_address, parse_emdb_id
from empiarreader.mrcsource import MrcSource

if TYPE_CHECKING:
    import xarray


def open_image(
    location: str | os.PathLike[str],
    *,
    volume: bool | None = None,
    signed_bytes: bool | None = None,
    pixel_size_angstrom: float | None = None,
    frames: int | None = None,
    group: int = 1,
    super_resolution: int = 1,
) -> xarray.DataArray:
    """Open an image file of any format that is read, as a lazy array.

    Moves what the format needs to describe the file; pixels move when they are computed. The page "When bytes
    move" of the documentation says how much of either that is.

    Parameters
    ----------
    location
        Address, path, anything fsspec opens, or the id of an EMDB map (``"EMD-3197"``).
    volume
        Whether the sections of an MRC file are those of a volume, ``(z, y, x)``, and not frames. None takes
        what header and name suggest.
    signed_bytes
        Whether bytes of MRC mode 0 are signed, where IMOD's stamp does not say.
    pixel_size_angstrom
        Pixel size along y and x (and z of a volume), where the file gives none or a wrong one.
    frames
        Frames of a movie as its entry states them, for formats that are slow to tell (EER).
    group, super_resolution
        How many recorded frames are summed to one, and by which factor the grid is finer (EER).

    Returns
    -------
    xarray.DataArray
        Dimensions ``(y, x)``, ``(frame, y, x)``, ``(z, y, x)`` or ``(volume, z, y, x)``, with ``channel`` at
        the end for colours; a dask array, one chunk a frame or section. The axes of a volume are turned to
        (z, y, x) whatever their order in the file is. Coordinates of z, y and x are the centres of pixels in
        Å, counted from the origin of a map, else from 0; pixel numbers where the pixel size is unknown.
        Attributes: ``filename``, ``format``, ``voxel_size`` (z, y, x in Å; 0.0 where unknown), and what the
        format adds.

    Raises
    ------
    InvalidRequestError
        If the options make no sense.
    UnsupportedFormatError
        If the format is not read.
    DamagedDataError, ArchiveFileNotFoundError, ServiceError
        If the file is not what it should be, not there, or cannot be asked for.
    """
    from empiarreader.arrays import with_lengths

    if pixel_size_angstrom is not None and not pixel_size_angstrom > 0:
        raise InvalidRequestError(f"the pixel size is {pixel_size_angstrom} Å; it must be above 0")
    emdb_id = parse_emdb_id(location) if isinstance(location, str) else None
    options = ImageOptions(
        volume=True if emdb_id and volume is None else volume,
        cell_axes=True,
        signed_bytes=signed_bytes,
        frames=frames,
        group=group,
        super_resolution=super_resolution,
    )
    source = ImageFile(map_address(emdb_id) if emdb_id else location, options)
    return with_lengths(source.partition(0), source.image(0), pixel_size_angstrom)


def read_metadata(location: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what an image file says beside its pixels, by name.

    What is said of every frame or section (tilt angle, dose, defocus …) is an array of that length. Extended
    headers and the like are read for it: the documentation of the format says how much moves.

    Parameters
    ----------
    location
        As for :func:`open_image`.
    """
    emdb_id = parse_emdb_id(location) if isinstance(location, str) else None
    source = ImageFile(map_address(emdb_id) if emdb_id else location, ImageOptions())
    return source.file_metadata(0)


class ImageFile(MrcSource):
    """One file, read as its options say."""

    name = "image"

    def __init__(self, location: str | os.PathLike[str], options: ImageOptions) -> None:
        super().__init__([location])
        self._options = options
