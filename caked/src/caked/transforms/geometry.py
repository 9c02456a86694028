"""Random rotations by 90 degrees, flips and shifts by whole pixels: exact, for no value is interpolated."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
import torch
from torch import Tensor

from caked.errors import InvalidOptionError, ShapeError
from caked.randomness import Draws, Integers
from caked.transforms.base import register, spatial_axes
from caked.transforms.moving import Geometric, Motion, centre_of

__all__ = ["RandomFlip", "RandomRoll", "RandomRot90"]


class _Turning(Geometric):
    """Base of exact motions that turn: in Fourier space they turn about the zero frequency."""

    def transform_wedge(self, wedge: Tensor, parameters: Any) -> Tensor:
        """Turn what is known in Fourier space, then bring the zero frequency back to n // 2."""
        motion, turned = self.motion(wedge, parameters), self.transform(wedge, parameters)
        centre = centre_of(wedge.shape[2:])
        steps = centre - (motion.matrix @ centre + motion.offset)
        return roll_samples(turned, steps.astype(np.int64))


@register("random_rot90")
class RandomRot90(_Turning):
    """Rotate each sample by 0, 90, 180 or 270 degrees in one plane.

    Parameters
    ----------
    plane
        ``"yx"``, the last two axes (of a tomogram: about its z axis), or ``"any"``: each sample in one of the
        planes of its axes, drawn as well.

    Notes
    -----
    Source: turns are those of ``numpy.rot90``, from the first axis of the plane towards the second, which is
    counter-clockwise where y points down. Axes of unequal length are turned by 180 degrees at most. Poses,
    shifts, coordinates and the axis of astigmatism follow.

    Examples
    --------
    >>> image = torch.arange(4.0).reshape(1, 1, 2, 2)
    >>> turned = RandomRot90()(image)
    >>> sorted(turned.flatten().tolist())
    [0.0, 1.0, 2.0, 3.0]
    """

    def __init__(self, *, plane: str = "yx") -> None:
        if plane not in ("yx", "any"):
            raise InvalidOptionError(f"The plane to rotate in is 'yx' or 'any', not {plane!r}.")
        super().__init__(plane=plane)
        self.plane = plane

    def draw(self, draws: Draws, image: Tensor) -> Integers:
        """Draw plane and number of turns: ``(B, 2)``."""
        planes = draws.within("plane").integers(0, len(self.planes_of(image)))
        turns = draws.within("turns").integers(0, 4)
        planes = planes if self.plane == "any" else planes * 0
        combined: Integers = np.concatenate([planes, turns], axis=1)
        return combined

    def planes_of(self, image: Tensor) -> list[tuple[int, int]]:
        """Return the pairs of axes that this transform may turn."""
        axes = spatial_axes(image)
        if len(axes) < 2:
            raise ShapeError(f"Rotation takes two axes at least, not shape {tuple(image.shape[2:])}.")
        return [(-2, -1)] if self.plane == "yx" else list(combinations(axes, 2))

    def turns_of(self, image: Tensor, parameters: Integers) -> list[tuple[int, int, int]]:
        """Return the plane's axes and the number of turns for each sample."""
        planes = self.planes_of(image)
        found = []
        for plane, turns in parameters.tolist():
            first, second = planes[plane]
            equal = image.shape[first] == image.shape[second]
            found.append((first, second, turns if equal else 2 * (turns % 2)))
        return found

    def transform(self, image: Tensor, parameters: Integers) -> Tensor:
        """Turn each sample."""
        result = torch.empty_like(image)
        turns = self.turns_of(image, parameters)
        for kind in set(turns):
            rows = torch.tensor([row for row, one in enumerate(turns) if one == kind], device=image.device)
            result[rows] = torch.rot90(image[rows], kind[2], kind[:2])
        return result

    def motion(self, image: Tensor, parameters: Integers) -> Motion:
        """Return where pixels go: once round, ``(a, b)`` goes to ``(n_b - 1 - b, a)``."""
        ndim = image.ndim - 2
        matrix, offset = np.tile(np.eye(ndim), (len(image), 1, 1)), np.zeros((len(image), ndim))
        cosines, sines, ends = (1, 0, -1, 0), (0, 1, 0, -1), ((0, 0), (1, 0), (1, 1), (0, 1))
        for row, (first, second, turns) in enumerate(self.turns_of(image, parameters)):
            matrix[row, first, first] = matrix[row, second, second] = cosines[turns]
            matrix[row, first, second], matrix[row, second, first] = -sines[turns], sines[turns]
            for axis, at_the_end in zip((first, second), ends[turns], strict=True):
                offset[row, axis] = at_the_end * (image.shape[axis] - 1)
        return Motion.turning(matrix, offset)


@register("random_flip")
class RandomFlip(_Turning):
    """Mirror each sample along each of its axes with a probability of its own.

    A mirrored volume has the other hand: for volumes of molecules use rotations. A mirrored image is that of
    the same particle seen from behind, so that poses of images can and do follow.

    Parameters
    ----------
    probability
        Of a flip, for each axis by itself.
    axes
        Axes to flip, counted from the end (-1 is x); ``None`` for every spatial axis.

    Notes
    -----
    Where x is mirrored, the pose of an image becomes ``diag(-1, 1, -1) R``, its defocus angle changes the
    sign, and coordinates and shifts are mirrored. Volumes that have poses are refused. Source:
    ``numpy.flip``.

    Examples
    --------
    >>> RandomFlip(probability=1.0)(torch.tensor([[[1.0, 2.0, 3.0]]])).tolist()
    [[[3.0, 2.0, 1.0]]]
    """

    def __init__(self, *, probability: float = 0.5, axes: Sequence[int] | None = None) -> None:
        if not 0 <= probability <= 1:
            raise InvalidOptionError(f"A probability lies between 0 and 1, and {probability} does not.")
        if axes is not None and any(axis >= 0 for axis in axes):
            raise InvalidOptionError(f"Axes are counted from the end, such as -1 for x, not {list(axes)}.")
        if axes is not None and len(set(axes)) < len(axes):
            raise InvalidOptionError(f"An axis is flipped once, not twice as in {list(axes)}.")
        super().__init__(probability=probability, axes=None if axes is None else list(axes))
        self.probability, self.axes = probability, axes

    def draw(self, draws: Draws, image: Tensor) -> Tensor:
        """Draw whether to flip, for each sample and axis: ``(B, axes)``."""
        count = len(self.axes_of(image))
        return torch.from_numpy(draws.uniform(count=count) < self.probability)

    def axes_of(self, image: Tensor) -> tuple[int, ...]:
        """Return the axes that this transform may flip."""
        found = spatial_axes(image)
        if self.axes is None:
            return found
        if not set(self.axes) <= set(found):
            raise ShapeError(
                f"There is no axis {list(self.axes)} in images of shape {tuple(image.shape[2:])}."
            )
        return tuple(self.axes)

    def transform(self, image: Tensor, parameters: Tensor) -> Tensor:
        """Flip what was drawn."""
        for axis, flips in zip(self.axes_of(image), parameters.T, strict=True):
            where = flips.to(image.device).reshape(-1, *(1,) * (image.ndim - 1))
            image = torch.where(where, image.flip(axis), image)
        return image

    def motion(self, image: Tensor, parameters: Tensor) -> Motion:
        """Return where pixels go: p of a flipped axis goes to n - 1 - p."""
        ndim = image.ndim - 2
        flipped = np.zeros((len(image), ndim))
        flipped[:, list(self.axes_of(image))] = parameters.numpy()
        matrix = np.eye(ndim) * (1 - 2 * flipped)[:, None, :]
        return Motion.turning(matrix, flipped * (np.array(image.shape[2:]) - 1))


@register("random_roll")
class RandomRoll(Geometric):
    """Shift each sample by whole pixels; what leaves on one side comes back on the other.

    Parameters
    ----------
    shift
        Greatest shift in pixels, along every axis in either direction.

    Notes
    -----
    Coordinates go round, too. Source: ``numpy.roll``.

    Examples
    --------
    >>> RandomRoll(shift=0)(torch.tensor([[[1.0, 2.0, 3.0]]])).tolist()
    [[[1.0, 2.0, 3.0]]]
    """

    def __init__(self, *, shift: int) -> None:
        if shift < 0 or shift != int(shift):
            raise InvalidOptionError(
                f"The greatest shift is a whole number of pixels, 0 or more, not {shift}."
            )
        super().__init__(shift=int(shift))
        self.shift = int(shift)

    def draw(self, draws: Draws, image: Tensor) -> Integers:
        """Draw the shift of each sample along each axis: ``(B, axes)``."""
        return draws.integers(-self.shift, self.shift + 1, count=len(spatial_axes(image)))

    def transform(self, image: Tensor, parameters: Integers) -> Tensor:
        """Shift each sample by its own."""
        return roll_samples(image, parameters)

    def motion(self, image: Tensor, parameters: Integers) -> Motion:
        """Return the shift, round the edges."""
        return Motion.shifting(parameters, wraps=True)


def roll_samples(image: Tensor, shifts: Integers) -> Tensor:
    """Roll each sample by whole pixels ``(B, axes)``."""
    axes = spatial_axes(image)
    return torch.stack(
        [torch.roll(one, tuple(steps), axes) for one, steps in zip(image, shifts.tolist(), strict=True)]
    )
