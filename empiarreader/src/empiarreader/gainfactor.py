"""What the frames of a movie are multiplied with: a gain reference turned, sized and made a factor.

A file begins with the row at the top of the image, or with the one at its bottom: TIFF and DigitalMicrograph
files do the one, MRC files the other. Programs of the field have all images in memory as MRC has them, and
turn over what they read from the others; that is where their options for gain references come in, and so it
is here. EER movies and EPU's ``.gain`` for them are taken as they lie.

Sources: RELION's ``rwTIFF.h``, ``renderEER.h`` and ``motioncorr_runner.cpp``; IMOD's ``dm2mrc``.
"""

from __future__ import annotations

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

_TOP_FIRST = frozenset({"TIFF", "DigitalMicrograph"})
FLIP_NUMBERS = {"none": 0, "up_down": 1, "left_right": 2}  # RELION's and MotionCor's
_FLIPS: dict[str, int | None] = {"none": None, "up_down": 0, "left_right": 1}


@dataclass(frozen=True, kw_only=True)
class GainOrientation:
    """How a gain reference is turned before it is laid on a movie: first rotated, then flipped.

    Meant as RELION and MotionCor mean it, so that what is right in one is right in the other. Both have
    images as MRC files keep them: those of TIFF and DigitalMicrograph files, which begin with the top row,
    are turned over first. A reference in MRC so fits a TIFF movie of the same camera without more.

    Attributes
    ----------
    quarter_turns : int
        Quarter turns clockwise, as seen with the first row of an MRC file on top: RELION's ``--gain_rot``,
        MotionCor's ``-RotGain``.
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
        """Return the gain ``(y, x)`` of an MRC file as it lies on the movie of another; a view of it."""
        turned = np.rot90(gain, -self.quarter_turns)
        axis = _FLIPS[self.flip]
        return turned if axis is None else np.flip(turned, axis)


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
    turned = _of_size(_lying_on(movie, gain, way), shape)
    if turned is None:
        raise ShapeMismatchError(
            f"the gain is {gain.shape}, the movie's frames {shape}; they do not fit with "
            f"{way.quarter_turns} quarter turns"
        )
    live = np.isfinite(turned) & (turned != 0)
    if operation == "none":
        return np.ones(shape, np.float32)
    if movie.attrs.get("format") == "EER" and live.any():
        turned = turned / turned[live].mean()
    if operation == "divide":
        return np.where(live, 1 / np.where(live, turned, 1), 0).astype(np.float32)
    return np.where(live, turned, 0).astype(np.float32)


def _lying_on(movie: xarray.DataArray, gain: xarray.DataArray, way: GainOrientation) -> Factor:
    """Return a gain reference as it lies on a movie, by what the files of both begin with."""
    reference = np.asarray(gain.values, np.float32)
    is_for_eer = movie.attrs.get("format") == "EER" and _is_epu_gain(gain)
    if gain.attrs.get("format") in _TOP_FIRST and not is_for_eer:
        reference = np.flipud(reference)
    turned = way.turn(reference)
    return np.flipud(turned) if movie.attrs.get("format") in _TOP_FIRST else turned


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
