"""Random rotations by 90 degrees, flips and shifts by whole pixels: exact, for no value is interpolated."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import torch
from torch import Tensor

from caked.errors import InvalidOptionError, ShapeError
from caked.randomness import Draws, Integers
from caked.transforms.base import RandomTransform, register, spatial_axes

__all__ = ["RandomFlip", "RandomRoll", "RandomRot90"]


@register("random_rot90")
class RandomRot90(RandomTransform):
    """Rotate each sample by 0, 90, 180 or 270 degrees in one plane.

    Parameters
    ----------
    plane
        ``"yx"``, the last two axes (of a tomogram: about its z axis), or ``"any"``: each sample in one of the
        planes of its axes, drawn as well.

    Notes
    -----
    Turns are counter-clockwise where y points up: ``numpy.rot90``. Axes of unequal length are turned by 180
    degrees at most.

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
        combined: Integers = torch.cat([torch.from_numpy(planes), torch.from_numpy(turns)], dim=1).numpy()
        return combined

    def planes_of(self, image: Tensor) -> list[tuple[int, int]]:
        """Return the pairs of axes that this transform may turn."""
        axes = spatial_axes(image)
        if len(axes) < 2:
            raise ShapeError(f"Rotation takes two axes at least, not shape {tuple(image.shape[2:])}.")
        return [(-2, -1)] if self.plane == "yx" else list(combinations(axes, 2))

    def transform(self, image: Tensor, parameters: Integers) -> Tensor:
        """Turn each sample."""
        planes, result = self.planes_of(image), torch.empty_like(image)
        for number, axes in enumerate(planes):
            equal = image.shape[axes[0]] == image.shape[axes[1]]
            for turns in range(4):
                rows = torch.from_numpy(((parameters == (number, turns)).all(axis=1)).nonzero()[0])
                if len(rows):
                    steps = turns if equal else 2 * (turns % 2)
                    result[rows] = torch.rot90(image[rows], steps, axes)
        return result


@register("random_flip")
class RandomFlip(RandomTransform):
    """Mirror each sample along each of its axes with a probability of its own.

    A mirrored volume has the other hand: for volumes of molecules use rotations.

    Parameters
    ----------
    probability
        Of a flip, for each axis by itself.
    axes
        Axes to flip, counted from the end (-1 is x); ``None`` for every spatial axis.

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


@register("random_roll")
class RandomRoll(RandomTransform):
    """Shift each sample by whole pixels; what leaves on one side comes back on the other.

    Parameters
    ----------
    shift
        Greatest shift in pixels, along every axis in either direction.

    Examples
    --------
    >>> RandomRoll(shift=0)(torch.tensor([[[1.0, 2.0, 3.0]]])).tolist()
    [[[1.0, 2.0, 3.0]]]
    """

    def __init__(self, *, shift: int) -> None:
        if shift < 0:
            raise InvalidOptionError(f"The greatest shift is 0 pixels or more, not {shift}.")
        super().__init__(shift=shift)
        self.shift = shift

    def draw(self, draws: Draws, image: Tensor) -> Integers:
        """Draw the shift of each sample along each axis: ``(B, axes)``."""
        return draws.integers(-self.shift, self.shift + 1, count=len(spatial_axes(image)))

    def transform(self, image: Tensor, parameters: Integers) -> Tensor:
        """Shift each sample by its own."""
        axes = spatial_axes(image)
        rolled = [
            torch.roll(sample, tuple(shifts), axes)
            for sample, shifts in zip(image, parameters.tolist(), strict=True)
        ]
        return torch.stack(rolled)
