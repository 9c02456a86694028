"""Gain references: read, and laid on movies.

A detector's pixels are not equally sensitive. Raw movies are deposited with the image of that, and every
camera and program has its own idea of how the two lie on one another. What is done here is written down in
:class:`GainOrientation` and :func:`apply_gain`; :mod:`empiarreader.flatness` tells whether it was right.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np

from empiarreader.errors import ShapeMismatchError
from empiarreader.flatness import check_gain
from empiarreader.gainfactor import GainOrientation, Operation, gain_factor, usual_operation

if TYPE_CHECKING:
    import xarray


def open_gain(location: str | os.PathLike[str]) -> xarray.DataArray:
    """Read a gain reference: any image format that is read, and EPU's ``.gain``, which is a TIFF file.

    Parameters
    ----------
    location
        Path or address. The file moves.

    Returns
    -------
    xarray.DataArray
        ``(y, x)``, float32, in memory and as it lies in the file; of several sections the first.

    Raises
    ------
    ShapeMismatchError
        If it has colours or more axes.
    UnsupportedFormatError, DamagedDataError, ArchiveFileNotFoundError, ServiceError
        As :func:`open_image` does.
    """
    from empiarreader.imagefile import open_image

    image = open_image(location)
    if image.ndim == 3 and image.dims[-2:] == ("y", "x"):
        image = image[0]
    if image.dims != ("y", "x"):
        raise ShapeMismatchError(f"{location} is {dict(image.sizes)}; a gain reference is one image (y, x)")
    return image.astype(np.float32).load()


def apply_gain(
    movie: xarray.DataArray,
    gain: xarray.DataArray,
    *,
    orientation: GainOrientation | None = None,
    operation: Operation | None = None,
    check: bool = False,
) -> xarray.DataArray:
    """Return a movie with the sensitivity of its pixels evened out; lazy where the movie is.

    Parameters
    ----------
    movie
        ``(…, y, x)``.
    gain
        ``(y, x)``, from :func:`open_gain`. A gain of half the movie's size (EER at super-resolution) serves
        each pixel for two by two; one of twice the size is averaged two by two.
    orientation
        How the gain is turned, as RELION means it; None does not. A reference whose file begins with another
        end of the image than the movie's (MRC with the bottom, TIFF with the top) is turned over for it, as
        RELION does.
    operation
        ``"multiply"``: the reference holds factors, as with MotionCor, RELION and cryoSPARC. ``"divide"``:
        it is the image of even illumination. ``"none"`` leaves the movie as it is. None divides EER movies,
        unless the reference is an EPU ``.gain``, and multiplies all others, as RELION does. References for
        EER are scaled to a mean of 1 before, so that counts of electrons stay about that.
    check
        Read frames now, as :func:`check_gain` does, and warn if another way is flatter.

    Returns
    -------
    xarray.DataArray
        float32, with the coordinates and attributes of the movie. Pixels whose gain is 0 or not finite, which
        mark defects, are 0.

    Raises
    ------
    ShapeMismatchError
        If the gain does not fit the movie, turned as it is.

    Examples
    --------
    >>> import xarray
    >>> movie = xarray.DataArray(np.full((2, 1, 2), 6, "u1"), dims=("frame", "y", "x"))
    >>> gain = xarray.DataArray(np.array([[0.5, 2.0]], "f4"), dims=("y", "x"))
    >>> apply_gain(movie, gain)[0].values.tolist()
    [[3.0, 12.0]]
    >>> apply_gain(movie, gain, operation="divide")[0].values.tolist()
    [[12.0, 3.0]]
    """
    way = orientation or GainOrientation()
    operation = operation or usual_operation(movie, gain)
    if check:
        check_gain(movie, gain, orientation=way, operation=operation)
    factor = gain_factor(movie, gain, way, operation)
    data: Any = factor
    if movie.chunks is not None:
        import dask.array

        # One key in the graph, not a copy of the gain in the task of every frame.
        data = dask.array.from_array(factor, chunks=factor.shape)  # type: ignore[no-untyped-call]
    return movie.copy(data=movie.data.astype(np.float32) * data)
