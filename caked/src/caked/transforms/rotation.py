"""Rotations by any angle: in the plane of an image, about an axis of a volume, or to any orientation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caked.errors import InvalidOptionError, ShapeError
from caked.randomness import Draws
from caked.transforms.base import register
from caked.transforms.moving import Geometric, Motion, centre_of
from caked.transforms.options import Range, as_range, in_json
from caked.transforms.reduce import column, mean_of
from caked.transforms.resample import fourier_resample
from caked.transforms.spectral import pieces

__all__ = ["RandomOrientation", "RandomRotation", "axis_rotations", "quaternion_matrices", "rotate"]

Floats = NDArray[np.float64]


class _Rotation(Geometric):
    """Base of rotations about pixel n // 2; the parameters are matrices ``(B, 3, 3)`` on (x, y, z)."""

    fill: str | float
    oversampling: int

    def transform(self, image: Tensor, parameters: Floats) -> Tensor:
        """Rotate, interpolated linearly on a grid that is as fine as asked for."""
        if self.fill == "border":
            return rotate(image, parameters, border=True, oversampling=self.oversampling)
        if self.fill == "mean":
            level = column(mean_of(image), image)
        else:
            level = image.new_full((1,) * image.ndim, float(self.fill))
        return rotate(image - level, parameters, oversampling=self.oversampling) + level

    def transform_mask(self, mask: Tensor, parameters: Floats) -> Tensor:
        """Take the nearest pixel; outside there is no mask."""
        if mask.is_floating_point():
            return rotate(mask, parameters, mode="nearest")
        return rotate(mask.double(), parameters, mode="nearest").to(mask.dtype)  # integers, exactly

    def transform_weight(self, weight: Tensor, parameters: Floats) -> Tensor:
        """Interpolate linearly; outside there is no weight."""
        return rotate(weight, parameters)

    def transform_wedge(self, wedge: Tensor, parameters: Floats) -> Tensor:
        """Rotate what is known in Fourier space, where a step along an axis of n pixels is 1 / n."""
        return rotate(wedge, parameters, border=True, steps=[1 / n for n in wedge.shape[2:]])

    def motion(self, image: Tensor, parameters: Floats) -> Motion:
        """Return where pixels go: about the centre."""
        matrix = _array_order(parameters, image.ndim - 2)
        middle = centre_of(image.shape[2:])
        return Motion.turning(matrix, middle - matrix @ middle)


def _check_options(fill: str | float, oversampling: int) -> None:
    if isinstance(fill, str) and fill not in ("mean", "border"):
        raise InvalidOptionError(f"What is rotated in is 'mean', 'border' or a number, not {fill!r}.")
    if oversampling not in (1, 2, 3, 4):
        raise InvalidOptionError(f"A grid is 1 to 4 times as fine, not {oversampling} times.")


@register("random_rotation")
class RandomRotation(_Rotation):
    """Rotate each sample by an angle of its own: images in their plane, volumes about an axis.

    Parameters
    ----------
    degrees
        Greatest angle in either direction, or a pair from, to; drawn evenly.
    axis
        ``"z"``, the plane of the last two axes; of volumes also ``"y"`` or ``"x"``.
    fill
        What comes in at the corners: ``"mean"`` of the sample, the ``"border"`` continued, or a number.
    oversampling
        How many times finer the grid is that is interpolated linearly: it is made by Fourier padding. 1 is
        quicker and dampens fine detail: halfway between two pixels a wave of f cycles a pixel keeps
        ``cos(π f / oversampling)`` of its amplitude along each axis.

    Notes
    -----
    ``y(p) = x(Q^-1 (p - c) + c)`` about ``c = n // 2``, Q counted from the x towards the y axis of the array
    (about y: from z towards x; about x: from y towards z). Poses become ``Q R``; shifts, coordinates and the
    axis of astigmatism follow. Axes of one pixel size are assumed. Source: the resampling of
    ``scipy.ndimage.affine_transform``, on a grid made finer by Fourier padding.

    Examples
    --------
    >>> RandomRotation(degrees=180)(torch.ones(1, 1, 4, 4)).allclose(torch.tensor(1.0))
    True
    """

    def __init__(
        self,
        *,
        degrees: Range = 180.0,
        axis: str = "z",
        fill: str | float = "mean",
        oversampling: int = 2,
    ) -> None:
        if axis not in ("x", "y", "z"):
            raise InvalidOptionError(f"An axis to rotate about is 'z', 'y' or 'x', not {axis!r}.")
        _check_options(fill, oversampling)
        self_range = as_range(degrees, "An angle in degrees", mirrored=True)
        super().__init__(degrees=in_json(degrees), axis=axis, fill=fill, oversampling=oversampling)
        self.degrees, self.axis = self_range, axis
        self.fill, self.oversampling = fill, oversampling

    def draw(self, draws: Draws, image: Tensor) -> Floats:
        """Draw the angles, and return the rotations: ``(B, 3, 3)``."""
        if image.ndim == 4 and self.axis != "z":
            raise ShapeError(f"An image is rotated in its plane, about 'z' and not {self.axis!r}.")
        _check_axes(image, (2, 3))
        return axis_rotations(draws.uniform(*self.degrees)[:, 0], self.axis)


@register("random_orientation")
class RandomOrientation(_Rotation):
    """Rotate each volume to an orientation of its own, all orientations alike.

    Parameters
    ----------
    fill, oversampling
        As of :class:`RandomRotation`.

    Notes
    -----
    Unit quaternions ``(sqrt(1 - a) sin 2πb, sqrt(1 - a) cos 2πb, sqrt(a) sin 2πc, sqrt(a) cos 2πc)`` of
    three even numbers a, b, c are even over all rotations. Source: Shoemake, "Uniform random rotations",
    Graphics Gems III (1992), doi:10.1016/B978-0-08-050755-2.50036-1. Even Euler angles are not.

    Examples
    --------
    >>> RandomOrientation()(torch.ones(1, 1, 4, 4, 4)).allclose(torch.tensor(1.0))
    True
    """

    def __init__(self, *, fill: str | float = "mean", oversampling: int = 2) -> None:
        _check_options(fill, oversampling)
        super().__init__(fill=fill, oversampling=oversampling)
        self.fill, self.oversampling = fill, oversampling

    def draw(self, draws: Draws, image: Tensor) -> Floats:
        """Draw the rotations: ``(B, 3, 3)``."""
        _check_axes(image, (3,))
        a, b, c = draws.uniform(count=3).T
        b, c = 2 * np.pi * b, 2 * np.pi * c
        return quaternion_matrices(
            np.stack(
                [
                    np.sqrt(1 - a) * np.sin(b),
                    np.sqrt(1 - a) * np.cos(b),
                    np.sqrt(a) * np.sin(c),
                    np.sqrt(a) * np.cos(c),
                ],
                axis=1,
            )
        )


def _check_axes(image: Tensor, allowed: Sequence[int]) -> None:
    if image.ndim - 2 not in allowed:
        raise ShapeError(f"This rotates along {allowed[0]} axes or more, not shape {tuple(image.shape[2:])}.")


def axis_rotations(degrees: Floats, axis: str) -> Floats:
    """Return right-handed rotations about an axis, on columns (x, y, z): ``(B, 3, 3)``.

    Examples
    --------
    >>> axis_rotations(np.array([90.0]), "z")[0].round().tolist()
    [[0.0, -1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]
    """
    angle = np.deg2rad(degrees)
    first, second = {"x": (1, 2), "y": (2, 0), "z": (0, 1)}[axis]
    matrix = np.tile(np.eye(3), (len(angle), 1, 1))
    matrix[:, first, first] = matrix[:, second, second] = np.cos(angle)
    matrix[:, first, second], matrix[:, second, first] = -np.sin(angle), np.sin(angle)
    return matrix


def quaternion_matrices(quaternions: Floats) -> Floats:
    """Return the rotations of unit quaternions ``(B, 4)``, the scalar first: ``(B, 3, 3)``.

    Examples
    --------
    >>> quaternion_matrices(np.array([[1.0, 0.0, 0.0, 0.0]]))[0].tolist() == np.eye(3).tolist()
    True
    """
    w, x, y, z = quaternions.T
    rows = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ]
    return np.moveaxis(np.array(rows), 2, 0)


def _array_order(rotations: Floats, ndim: int) -> Floats:
    """Return rotations of (x, y, z) as matrices on the axes of an array."""
    return rotations[:, :ndim, :ndim][:, ::-1, ::-1]


def rotate(
    image: Tensor,
    rotations: Floats,
    *,
    mode: str = "bilinear",
    border: bool = False,
    oversampling: int = 1,
    steps: Sequence[float] | None = None,
) -> Tensor:
    """Rotate images or volumes about pixel n // 2; outside they are 0, or their border.

    Parameters
    ----------
    rotations
        On columns (x, y, z): ``(B, 3, 3)``.
    mode
        ``"bilinear"``, along all axes, or ``"nearest"``.
    oversampling
        How many times finer the grid to interpolate on is.
    steps
        Length of a step along each axis, where they differ; ``None`` for pixels that are as long as wide.
    """
    shape = image.shape[2:]
    lengths = np.ones(len(shape)) if steps is None else np.array(steps)
    inverses = _array_order(rotations, len(shape)).mT * lengths / lengths[:, None]
    samples = []
    for rows in pieces(image, times=(oversampling ** len(shape)) + len(shape)):
        some = image[rows]
        fine = fourier_resample(some, [oversampling * n for n in shape]) if oversampling > 1 else some
        grids = _grids(shape, torch.from_numpy(inverses[rows]).to(image.device), fine.shape[2:], oversampling)
        samples.append(
            torch.nn.functional.grid_sample(
                fine,
                grids.to(image),
                mode=mode,
                padding_mode="border" if border else "zeros",
                align_corners=True,
            )
        )
    return torch.cat(samples)


def _grids(shape: Sequence[int], inverses: Tensor, fine: Sequence[int], oversampling: int) -> Tensor:
    """Return where in fine images pixels come from, -1 to 1 along (x, y(, z)): ``(b, *shape, n)``."""
    middle, axes = centre_of(shape), range(len(shape))
    offsets = [
        torch.from_numpy(np.arange(shape[k]) - middle[k])
        .to(inverses.device)
        .reshape([-1 if k == j else 1 for j in axes])
        for k in axes
    ]
    coordinates = []
    for axis, (c, length) in enumerate(zip(middle, fine, strict=True)):
        factors = inverses[:, axis].T.reshape(len(shape), -1, *(1,) * len(shape))
        parts = (factor * offset for factor, offset in zip(factors, offsets, strict=True))
        place = sum(parts, start=float(c))
        coordinates.append(place * (2 * oversampling / max(1, length - 1)) - 1)
    return torch.stack([value.expand(-1, *shape) for value in reversed(coordinates)], dim=-1)
