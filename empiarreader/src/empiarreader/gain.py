"""Gain references: which way round they lie, and what is done with them.

A detector's pixels are not equally sensitive. Raw movies are deposited with the image of that, and every
camera and program has its own idea of how the two lie on one another. What is done here is written down in
:class:`GainOrientation` and :func:`apply_gain`; :mod:`empiarreader.flatness` tells whether it was right.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from empiarreader.errors import InvalidRequestError, ShapeMismatchError

if TYPE_CHECKING:
    import xarray

Flip = Literal["none", "up_down", "left_right"]
Operation = Literal["multiply", "divide", "none"]
Factor = NDArray[np.float32]

_FLIPS: dict[str, int | None] = {"none": None, "up_down": 0, "left_right": 1}


@dataclass(frozen=True, kw_only=True)
class GainOrientation:
    """How a gain reference is turned before it is laid on a movie: first rotated, then flipped.

    Attributes
    ----------
    quarter_turns : int
        Quarter turns clockwise, as seen with the first row on top: RELION's ``--gain_rot``, MotionCor's
        ``-RotGain``.
    flip : {"none", "up_down", "left_right"}
        After that: RELION's ``--gain_flip`` and MotionCor's ``-FlipGain`` 0, 1 and 2.

    Examples
    --------
    >>> GainOrientation(quarter_turns=1).turn(np.array([[1, 2], [3, 4]])).tolist()
    [[3, 1], [4, 2]]
    """

    quarter_turns: int = 0
    flip: Flip = "none"

    def __post_init__(self) -> None:
        if self.flip not in _FLIPS:
            raise InvalidRequestError(f"{self.flip!r} is no flip; there are {', '.join(map(repr, _FLIPS))}")

    def turn(self, gain: NDArray[Any]) -> NDArray[Any]:
        """Return the gain ``(y, x)`` as it lies on the movie; a view of it."""
        turned = np.rot90(gain, -self.quarter_turns)
        axis = _FLIPS[self.flip]
        return turned if axis is None else np.flip(turned, axis)


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
        How the gain is turned; None leaves it as it is.
    operation
        ``"multiply"``: the reference holds factors, as with MotionCor, RELION and cryoSPARC. ``"divide"``:
        it is the image of even illumination. ``"none"`` leaves the movie as it is. None divides EER movies,
        unless the reference is an EPU ``.gain``, and multiplies all others, as RELION does. Factors for EER
        from a ``.gain`` are scaled to a mean of 1.
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
        from empiarreader.flatness import check_gain

        check_gain(movie, gain, orientation=way, operation=operation)
    factor = gain_factor(movie, gain, way, operation)
    data: Any = factor
    if movie.chunks is not None:
        import dask.array

        # One key in the graph, not a copy of the gain in the task of every frame.
        data = dask.array.from_array(factor, chunks=factor.shape)  # type: ignore[no-untyped-call]
    return movie.copy(data=movie.data.astype(np.float32) * data)


def usual_operation(movie: xarray.DataArray, gain: xarray.DataArray) -> Operation:
    """Return what is usually done with a gain reference of such a movie: see :func:`apply_gain`."""
    is_eer = movie.attrs.get("format") == "EER"
    return "divide" if is_eer and not _is_epu_gain(gain) else "multiply"


def gain_factor(
    movie: xarray.DataArray, gain: xarray.DataArray, way: GainOrientation, operation: Operation
) -> Factor:
    """Return what the frames of a movie are multiplied with ``(y, x)``; 0 for pixels without a gain."""
    if operation not in ("multiply", "divide", "none"):
        raise InvalidRequestError(
            f"{operation!r} is nothing to do with a gain; multiply or divide, or 'none'"
        )
    shape = tuple(movie.shape[-2:])
    turned = _of_size(way.turn(np.asarray(gain.values, np.float32)), shape)
    if turned is None:
        raise ShapeMismatchError(
            f"the gain is {gain.shape}, the movie's frames {shape}; they do not fit with "
            f"{way.quarter_turns} quarter turns"
        )
    live = np.isfinite(turned) & (turned != 0)
    if operation == "none":
        return np.ones(shape, np.float32)
    if operation == "divide":
        return np.where(live, 1 / np.where(live, turned, 1), 0).astype(np.float32)
    if movie.attrs.get("format") == "EER" and _is_epu_gain(gain) and live.any():
        turned = turned / turned[live].mean()
    return np.where(live, turned, 0).astype(np.float32)


def _of_size(gain: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any] | None:
    """Return a gain for frames of a shape, None where it does not fit."""
    if gain.shape == shape:
        return gain
    for finer in (2, 4):
        if tuple(finer * length for length in gain.shape) == shape:
            return gain.repeat(finer, axis=0).repeat(finer, axis=1)
    if gain.shape == tuple(2 * length for length in shape):
        halved: NDArray[Any] = gain.reshape(shape[0], 2, shape[1], 2).mean(axis=(1, 3))
        return halved
    return None


def _is_epu_gain(gain: xarray.DataArray) -> bool:
    return PurePosixPath(str(gain.attrs.get("filename", "")).partition("?")[0]).suffix.lower() == ".gain"
