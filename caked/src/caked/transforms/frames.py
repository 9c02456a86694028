"""Frames of a movie and tilts of a series: images one after the other, and no axis of space.

A batch says that its images ``(B, C, n, y, x)`` are series: it knows something of each frame by itself, such
as a dose, a tilt or a defocus, or a pixel size along y and x and none across the frames, which is how sources
of movies and tilt series have it. To most transforms frames are then what channels are: each frame is changed
as an image, all of a sample alike.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from caked.errors import ShapeError
from caked.keys import COLUMN_KEYS, IMAGE_KEYS

__all__ = ["fold_frames", "frames_are_known", "keys_by_frame", "unfold_frames"]

Batch = dict[str, Any]

_ALONG_AXES = ("pixel_size_angstrom", "origin_angstrom")
_AXES_BY_FRAME = {"pose": 4, "shift_angstrom": 3}  # (B, n, 3, 3) and (B, n, 2); all others (B, n)


def keys_by_frame(batch: Batch, frames: int) -> list[str]:
    """Return the keys that have a value for each of so many frames.

    Examples
    --------
    >>> batch = {"tilt_angle_degrees": torch.zeros(2, 5), "defocus_u_angstrom": torch.zeros(2)}
    >>> keys_by_frame(batch, 5)
    ['tilt_angle_degrees']
    """
    return [
        key
        for key, kind in COLUMN_KEYS.items()
        if kind in ("float", "int")
        and key not in _ALONG_AXES
        and isinstance(value := batch.get(key), Tensor)
        and value.ndim == _AXES_BY_FRAME.get(key, 2)
        and value.shape[1] == frames
    ]


def frames_are_known(batch: Batch) -> bool:
    """Return whether a batch's images are series of frames.

    Raises
    ------
    ShapeError
        If by their pixel sizes some are and others are volumes.
    """
    image = batch["image"]
    if image.ndim != 5:
        return False
    if keys_by_frame(batch, image.shape[2]):
        return True
    sizes = batch.get("pixel_size_angstrom")
    if not isinstance(sizes, Tensor) or sizes.shape[-1] != 3:
        return False
    series = (sizes[:, 0] == 0) & (sizes[:, 1:] > 0).all(dim=1)
    if bool(series.any()) and not bool(series.all()):
        raise ShapeError(
            "A batch has volumes or series of frames, which know no pixel size across the frames, not both."
        )
    return len(series) > 0 and bool(series.all())


def fold_frames(batch: Batch) -> Batch:
    """Return a batch whose frames are channels, ``(B, C n, y, x)``, and whose places are those in a frame."""
    folded = dict(batch)
    for key in IMAGE_KEYS:
        if key in batch and batch[key].ndim == 5:
            folded[key] = batch[key].flatten(1, 2)
    for key in _ALONG_AXES:
        if key in batch and batch[key].shape[-1] == 3:
            folded[key] = batch[key][:, 1:]
    if "coordinates" in batch:
        folded["coordinates"] = [points[:, -2:] for points in batch["coordinates"]]
    return folded


def unfold_frames(folded: Batch, before: Batch) -> Batch:
    """Undo :func:`fold_frames`, of a batch that has been transformed in between."""
    for key in IMAGE_KEYS:
        if key in before and before[key].ndim == 5:
            folded[key] = folded[key].unflatten(1, (-1, before[key].shape[2]))
    for key in _ALONG_AXES:
        if key in before and before[key].shape[-1] == 3:
            folded[key] = torch.cat([before[key][:, :1], folded[key]], dim=1)
    if "coordinates" in before:
        pairs = zip(before["coordinates"], folded["coordinates"], strict=True)
        folded["coordinates"] = [torch.cat([old[:, :-2], new], dim=1) for old, new in pairs]
    return folded
