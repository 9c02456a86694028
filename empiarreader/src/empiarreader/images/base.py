"""What every image format offers: a description that can be pickled, and pixels on request.

How a format is added
---------------------
1. Write a module ``empiarreader.images.NAME`` with one function::

       def open_file(file: ByteSource, beginning: Beginning, options: ImageOptions) -> OpenImage:

   ``beginning`` holds the version of the file and its first bytes, as many as the format's line in
   :mod:`empiarreader.formats` asks for (fewer where the file is shorter). Further bytes come from ``file``:
   :meth:`~empiarreader.bytesource.ByteSource.spans` for exact ranges,
   :meth:`~empiarreader.bytesource.ByteSource.local_copy` for the whole file, which libraries open by path.
   Everything in a header is checked against ``beginning.version.size`` before memory is set aside, and what
   does not fit is a :class:`~empiarreader.DamagedDataError` that begins with ``file.label``.
2. Return an object with the members of :class:`OpenImage`: a frozen dataclass in most formats. It keeps no
   handle and no thread, because it travels to workers. :class:`PlainImage` has what most of them share.
   Formats whose pixels lie in the file as they are need only describe them with a
   :class:`~empiarreader.images.raw.RawPixels`, which reads exact ranges.
3. Add a line to ``FORMATS`` in :mod:`empiarreader.formats`: name, suffixes, magic bytes, module.

Libraries of a format are imported in the functions that use them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from empiarreader.bytesource import ByteSource
from empiarreader.errors import InvalidRequestError
from empiarreader.network.ranges import FileVersion
from empiarreader.regions import Bounds, Region, resolve_region
from empiarreader.voxels import VoxelSize

Array = NDArray[Any]


class Beginning(NamedTuple):
    """The version of a file and its first bytes."""

    version: FileVersion
    content: bytes


@dataclass(frozen=True, kw_only=True)
class ImageOptions:
    """What a caller knows about an image file, or wants of it. Formats heed what concerns them."""

    signed_bytes: bool | None = None  # bytes of MRC mode 0 are signed; None: as the file suggests
    volume: bool | None = None  # sections are z and not frames; None: as the file suggests
    cell_axes: bool = False  # turn a volume whose axes are permuted in the file to (z, y, x)
    frames: int | None = None  # frames of a movie by the entry's metadata, where the file is slow to tell
    group: int = 1  # so many recorded frames are summed to one (EER)
    super_resolution: int = 1  # finer grid by this factor: 1, 2 or 4 (EER)


class OpenImage(Protocol):
    """An image file whose description is known and whose pixels are still to come; can be pickled."""

    @property
    def format(self) -> str:
        """Name of the format: ``"MRC"``, ``"TIFF"``."""
        ...

    @property
    def version(self) -> FileVersion:
        """State of the file that the description was read from."""
        ...

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes, in array order."""
        ...

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type that values are read as, in the machine's byte order."""
        ...

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the axes, such as ``("y", "x")``, ``("frame", "y", "x")`` or ``("z", "y", "x")``."""
        ...

    @property
    def chunks(self) -> tuple[int, ...]:
        """Shape of the piece that is best read at once: one frame or section, see :func:`one_section`."""
        ...

    @property
    def voxel_size(self) -> VoxelSize:
        """Å along z, y and x; 0.0 where the file does not say."""
        ...

    @property
    def attrs(self) -> Mapping[str, Any]:
        """Small facts to hang on arrays, known without another request; JSON can hold them."""
        ...

    def read_into(self, file: ByteSource, bounds: Bounds, out: Array) -> None:
        """Fill ``out`` with a region: ``(start, stop)`` for every axis.

        ``out`` has the shape of the region and a type that can hold the values; it may have gaps in memory.
        Only as much of the file moves as the format allows. The region is never empty.
        """
        ...

    def metadata(self, file: ByteSource) -> dict[str, Any]:
        """Return everything else the file says, by name; what is said a frame is an array of that length.

        May move bytes: extended headers are read when they are asked for.
        """
        ...


class PlainImage:
    """What most formats have in common, to derive from: chunks of one section, and nothing to add."""

    @property
    def chunks(self: OpenImage) -> tuple[int, ...]:
        """One section, or the image."""
        return one_section(self.shape, self.dims)

    @property
    def attrs(self) -> Mapping[str, Any]:
        """Nothing."""
        return {}

    def metadata(self, file: ByteSource) -> dict[str, Any]:
        """Return nothing more."""
        return {}


def one_section(shape: tuple[int, ...], dims: tuple[str, ...]) -> tuple[int, ...]:
    """Return the shape of one ``(y, x)`` plane, with colours if there are any: the usual chunk.

    Examples
    --------
    >>> one_section((40, 512, 600), ("frame", "y", "x")), one_section((512, 600, 3), ("y", "x", "channel"))
    ((1, 512, 600), (512, 600, 3))
    """
    return tuple(
        length if name in {"y", "x", "channel"} else 1 for length, name in zip(shape, dims, strict=True)
    )


def read_region(
    image: OpenImage, file: ByteSource, region: Region | None = None, out: Array | None = None
) -> Array:
    """Return a region of an image as a numpy array.

    Parameters
    ----------
    image, file
        An opened image and where its bytes are.
    region
        Slices in array order, steps of 1; None is everything.
    out
        Array of the region's shape that is filled and returned. Its type must be able to hold the file's.
        If reading fails it may be filled in part.

    Raises
    ------
    InvalidRequestError
        If the region or ``out`` do not fit.
    DamagedDataError, ServiceError
        If the bytes cannot be had, or are not what the description says.
    """
    bounds = resolve_region(region, image.shape)
    shape = tuple(stop - start for start, stop in bounds)
    if out is None:
        out = np.empty(shape, image.dtype)
    else:
        _check_out(out, shape, image.dtype)
    if 0 not in shape:
        image.read_into(file, bounds, out)
    return out


def _check_out(out: Array, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if out.shape != shape:
        raise InvalidRequestError(f"out has the shape {out.shape}, the region {shape}")
    if not np.can_cast(dtype, out.dtype, "same_kind"):
        raise InvalidRequestError(f"out is {out.dtype}, which cannot hold {dtype}")
    if not out.flags.writeable:
        raise InvalidRequestError("out is read-only")
