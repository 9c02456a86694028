"""Transforms that move pixels, and what belongs to an image moving with it.

A position p of an image, in pixels and array order, goes to ``A p + o``. From A and o follows all else, with
c = n // 2 the centre of an image before and c' that of the image after, and s the pixel size:

- coordinates become ``A p + o``;
- the pixel size along an axis becomes the length in Å of a step of one new pixel;
- ``U = s' A / s`` is what happens to directions in space, a rotation or a reflection;
- a shift in Å becomes ``U t + (A c + o - c') s'``;
- a pose becomes ``U R``. An image is a projection along z, which no mirror in z changes: where U mirrors an
  image, z is turned round as well, and the pose is the rotation from which the mirror image is seen;
- the axis of the defocus of an image turns with U.

Frames of a movie and tilts of a series move alike, as images do: what is known of each moves with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caked.errors import InvalidOptionError, ShapeError
from caked.keys import IMAGE_KEYS
from caked.randomness import Draws
from caked.transforms.base import Batch, RandomTransform

__all__ = ["WEDGE", "Geometric", "Motion", "centre_of"]

WEDGE = "wedge"
"""Key of the part of Fourier space that was measured: ``(B, 1, *spatial)``, zero frequency at n // 2."""

_PLACED = {"origin_angstrom", "shift_angstrom"}

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Motion:
    """Where pixels of each sample go: ``matrix @ p + offset``, in array order.

    Attributes
    ----------
    matrix, offset, inverse
        ``(B, n, n)``, ``(B, n)`` and ``(B, n, n)``, float64; the inverse is that of the matrix.
    turns
        Whether directions change; otherwise the matrix only scales.
    wraps
        Whether what leaves on one side comes back on the other.
    """

    matrix: Floats
    offset: Floats
    inverse: Floats
    turns: bool = False
    wraps: bool = False

    @classmethod
    def scaling(cls, before: Sequence[int], after: Sequence[int], offset: Any) -> Motion:
        """Bring every axis from one length to another, alike for all samples; add the offset ``(B, n)``."""
        offset = np.asarray(offset, dtype=np.float64)
        old, new = np.array(before, dtype=np.float64), np.array(after, dtype=np.float64)
        axes = np.arange(len(old))
        matrix, inverse = np.zeros((2, len(offset), len(old), len(old)))
        matrix[:, axes, axes], inverse[:, axes, axes] = new / old, old / new
        return cls(matrix, offset, inverse=inverse)

    @classmethod
    def shifting(cls, offset: Any, *, wraps: bool = False) -> Motion:
        """Shift each sample by its row of ``(B, n)`` pixels."""
        offset = np.asarray(offset, dtype=np.float64)
        unit = np.broadcast_to(np.eye(offset.shape[1]), (*offset.shape, offset.shape[1]))
        return cls(unit, offset, inverse=unit, wraps=wraps)

    @classmethod
    def turning(cls, matrix: Floats, offset: Floats) -> Motion:
        """Turn or mirror by orthogonal matrices ``(B, n, n)``, then add the offset ``(B, n)``."""
        return cls(matrix, offset, inverse=matrix.mT, turns=True)


class Geometric(RandomTransform):
    """Base of the transforms that move pixels; targets, masks, weights and what is known move as well.

    Override :meth:`transform` and :meth:`motion`, and :meth:`draw` where something is random. Masks come out
    with values that they had before: override :meth:`transform_mask` where pixels are interpolated.
    """

    def draw(self, draws: Draws, image: Tensor) -> Any:
        """Draw nothing, unless overridden."""
        return None

    def choose(self, batch: Batch, draws: Draws) -> Any:
        """Return what :meth:`transform` is told: by default what is drawn."""
        return self.draw(draws.within(self.type_name), batch["image"])

    def motion(self, image: Tensor, parameters: Any) -> Motion:
        """Return where the pixels of images of this shape go."""
        raise NotImplementedError

    def transform_mask(self, mask: Tensor, parameters: Any) -> Tensor:
        """Move masks, whose values may be the numbers of classes."""
        return self.transform(mask, parameters)

    def transform_weight(self, weight: Tensor, parameters: Any) -> Tensor:
        """Move weights, which stay between the values that they had."""
        return self.transform(weight, parameters)

    def transform_wedge(self, wedge: Tensor, parameters: Any) -> Tensor:
        """Move what is known in Fourier space; shifts leave it as it is."""
        return wedge

    def batch(self, batch: Batch, draws: Draws) -> Batch:
        """Move the image and all that belongs to it."""
        image = batch["image"]
        parameters = self.choose(batch, draws)
        ways = {"mask": self.transform_mask, "weight": self.transform_weight}
        for key in IMAGE_KEYS:
            if key in batch:
                _check_alike(key, batch[key], image)
                batch[key] = ways.get(key, self.transform)(batch[key], parameters)
        if WEDGE in batch:
            batch[WEDGE] = self._wedge(batch[WEDGE], parameters, batch["image"])
        if batch.keys() - {*IMAGE_KEYS, WEDGE}:
            _carry(batch, self.motion(image, parameters), image.shape[2:], batch["image"].shape[2:])
        return batch

    def _wedge(self, wedge: Tensor, parameters: Any, moved: Tensor) -> Tensor:
        wedge = self.transform_wedge(wedge, parameters)
        if wedge.shape[2:] != moved.shape[2:]:
            raise ShapeError(
                f"{type(self).__name__} changes the grid in Fourier space: cut the missing wedge afterwards."
            )
        return wedge


def centre_of(shape: Sequence[int]) -> Floats:
    """Return the centre of an image, as Fourier transforms have it: pixel n // 2 of each axis."""
    return np.array([length // 2 for length in shape], dtype=np.float64)


def _check_alike(key: str, value: Tensor, image: Tensor) -> None:
    if value.shape[2:] != image.shape[2:]:
        raise ShapeError(
            f"The {key} moves with the image and has to have its shape: {tuple(value.shape[2:])} is not "
            f"{tuple(image.shape[2:])}."
        )


def _carry(batch: Batch, motion: Motion, before: Sequence[int], after: Sequence[int]) -> None:
    """Move what is known of the samples."""
    if "coordinates" in batch:
        batch["coordinates"] = _moved_points(batch["coordinates"], motion, after)
    known = _known(batch, "pixel_size_angstrom", len(before))
    if not (motion.turns or batch.keys() & _PLACED):  # most often: no direction, and no place
        if known is not None:
            steps = np.diagonal(motion.inverse, axis1=-2, axis2=-1)
            _put(batch, "pixel_size_angstrom", known * np.abs(steps))
        return
    sizes = np.ones_like(motion.offset) if known is None else np.where(known > 0, known, 1.0)
    new_sizes = np.sqrt(np.square(motion.inverse * sizes[:, :, None]).sum(axis=1))
    if not motion.turns and (origin := _known(batch, "origin_angstrom", len(before))) is not None:
        _put(batch, "origin_angstrom", origin - _times(motion.inverse, motion.offset) * sizes)
    if known is not None:
        _put(batch, "pixel_size_angstrom", np.where(known > 0, new_sizes, 0.0))
    if not motion.turns and "shift_angstrom" not in batch:
        return
    directions = new_sizes[:, :, None] * motion.matrix / sizes[:, None, :]  # (B, n, n)
    if "shift_angstrom" in batch:
        step = _times(motion.matrix, centre_of(before)) + motion.offset - centre_of(after)  # new pixels
        _move_shifts(batch, motion, directions, step, known)
    if motion.turns:
        _turn(batch, directions[:, ::-1, ::-1])  # from array order to x, y, z


def _for_each(values: Floats, axes: int, like: Floats) -> Floats:
    """Shape values with so many axes a sample to go with what has one for the frames as well."""
    return values.reshape(len(values), *(1,) * (like.ndim - axes - 1), *values.shape[1:])


def _known(batch: Batch, key: str, axes: int) -> Floats | None:
    """Return what is known along each axis of the image, if it is."""
    values = batch.get(key)
    if not isinstance(values, Tensor) or values.shape[-1] != axes:
        return None
    return values.detach().cpu().numpy().astype(np.float64, copy=False)


def _put(batch: Batch, key: str, values: Floats) -> None:
    batch[key] = torch.from_numpy(np.ascontiguousarray(values)).to(batch[key].device)


def _times(matrix: Floats, vector: Floats) -> Floats:
    product: Floats = np.matmul(matrix, vector[..., None])[..., 0]
    return product


def _moved_points(points: Sequence[Tensor], motion: Motion, after: Sequence[int]) -> list[Tensor]:
    moved = []
    for some, matrix, offset in zip(points, motion.matrix, motion.offset, strict=True):
        result = some.detach().cpu().numpy().astype(np.float64) @ matrix.T + offset
        moved.append(torch.from_numpy(result % after if motion.wraps else result).to(some.device))
    return moved


def _move_shifts(
    batch: Batch, motion: Motion, directions: Floats, step: Floats, known: Floats | None
) -> None:
    """Turn shifts, and add the step of the centre in new pixels of the size that the batch holds now."""
    shift = _known(batch, "shift_angstrom", step.shape[1])
    if shift is None and not motion.turns and not step.any():
        return
    if shift is None:
        axes = batch["shift_angstrom"].shape[-1]
        raise ShapeError(f"Shifts along {axes} axes do not fit images of {step.shape[1]} axes.")
    if (step[known == 0] if known is not None else step).any():
        raise InvalidOptionError("Shifts in Å can follow the image only where its pixel size is known.")
    turned = _times(_for_each(directions, 2, shift[..., None]), shift) if motion.turns else shift
    now = _known(batch, "pixel_size_angstrom", step.shape[1])
    _put(batch, "shift_angstrom", turned if now is None else turned + _for_each(step * now, 1, shift))


def _turn(batch: Batch, directions: Floats) -> None:
    """Turn poses and the axes of defocus by ``(B, n, n)``, its columns x, y(, z)."""
    hands = np.sign(np.linalg.det(directions))
    turns_axes = "defocus_angle_degrees" in batch and directions.shape[-1] == 2
    skew = np.abs(directions @ directions.mT - np.eye(directions.shape[-1])).max() > 0.01
    if skew and ("pose" in batch or turns_axes):
        raise InvalidOptionError(
            "A pose or an axis of astigmatism can turn only where pixels are as long along all axes turned."
        )
    if "pose" in batch:
        pose = batch["pose"].detach().cpu().numpy()
        _put(batch, "pose", np.matmul(_for_each(_in_space(directions, hands), 2, pose), pose))
    if turns_axes:
        angle = batch["defocus_angle_degrees"].detach().cpu().numpy()
        turn = np.rad2deg(np.arctan2(directions[:, 1, 0], directions[:, 0, 0]))
        turn, hands = _for_each(turn, 0, angle), _for_each(hands, 0, angle)
        _put(batch, "defocus_angle_degrees", turn + hands * angle)


def _in_space(directions: Floats, hands: Floats) -> Floats:
    """Return what turns of an image's plane are in space; volumes are turned in space already."""
    if directions.shape[-1] == 3:
        if (hands < 0).any():
            raise InvalidOptionError(
                "A mirrored volume has the other hand, and no rotation is its pose: flip volumes without "
                "poses only, or rotate them."
            )
        return directions
    lifted = np.zeros((len(directions), 3, 3))
    lifted[:, :2, :2], lifted[:, 2, 2] = directions, hands
    return lifted
