"""Samples of unlike shapes in one batch: padded to the largest, as a list, or as a nested tensor."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Literal, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caked.errors import InvalidOptionError, ShapeError
from caked.keys import IMAGE_KEYS
from caked.transforms.base import Batch

__all__ = ["Collation", "check_collation", "join_parts"]

Collation = Literal["stack", "pad", "list", "nested"]
"""What becomes of samples of unlike shapes.

``"stack"``
    They are an error: a batch takes one shape.
``"pad"``
    Images are padded with zeros behind their last pixel to the largest of the batch; ``spatial_shape``,
    int64 ``(B, ndim)``, says which part is theirs. Angles and doses of tilt series are padded with NaN.
``"list"``
    Images are a list of tensors ``(C, *spatial)``.
``"nested"``
    Images are a :mod:`torch.nested` tensor of such tensors.
"""


def check_collation(how: str) -> None:
    """Check the word.

    Raises
    ------
    InvalidOptionError
        If it is none of them.
    """
    if how not in get_args(Collation):
        raise InvalidOptionError(f"Unlike shapes can be {get_args(Collation)} in a batch, not {how!r}.")
    if how == "nested":
        _nested([torch.zeros(1)])  # torch warns of its prototype once a process: here, where it is caught


def join_parts(parts: list[Batch], places: Sequence[NDArray[np.int64]], how: Collation) -> Batch:
    """Put parts of a batch, each of samples of one shape, together in the order of the batch.

    Parameters
    ----------
    places
        Which samples of the batch those of each part are.

    Raises
    ------
    ShapeError
        If shapes differ in a way that ``how`` does not allow.
    """
    if how == "stack":
        _refuse_unlike(parts)
        if len(parts) == 1:
            return parts[0]
    order = np.argsort(np.concatenate(places)).tolist()
    joined: Batch = {}
    for key in parts[0]:
        if all(key in part for part in parts):
            joined[key] = _join(key, [part[key] for part in parts], order, how)
    if how == "pad":
        joined["spatial_shape"] = _spatial_shapes(parts, order)
    return joined


def _join(key: str, pieces: list[Any], order: list[int], how: Collation) -> Any:
    if not all(isinstance(piece, Tensor) for piece in pieces):
        samples = [value for piece in pieces for value in piece]
        return [samples[k] for k in order]
    alike = len({piece.shape[1:] for piece in pieces}) == 1
    if alike and (how in ("stack", "pad") or key not in IMAGE_KEYS):
        return pieces[0] if len(pieces) == 1 else torch.cat(pieces)[torch.tensor(order)]
    samples = [value for piece in pieces for value in piece.unbind()]
    ordered = [samples[k] for k in order]
    if how == "list":
        return ordered
    if how == "nested":
        return _nested(ordered)
    return _padded(ordered, 0 if key in IMAGE_KEYS else torch.nan)


def _padded(samples: list[Tensor], filling: float) -> Tensor:
    """Pad behind the last element of each axis; whole numbers with -1 where the filling is NaN."""
    if len({sample.ndim for sample in samples}) > 1:
        raise ShapeError(
            "Images and volumes cannot be padded to one shape; use collate='list' for samples of shapes "
            f"{sorted({tuple(sample.shape) for sample in samples})}."
        )
    largest = [max(edges) for edges in zip(*(sample.shape for sample in samples), strict=True)]
    whole = not (samples[0].is_floating_point() or samples[0].is_complex())
    value = -1 if whole and filling != filling else filling
    padded = torch.full((len(samples), *largest), value, dtype=samples[0].dtype, device=samples[0].device)
    for row, sample in zip(padded, samples, strict=True):
        row[tuple(slice(edge) for edge in sample.shape)] = sample
    return padded


def _nested(samples: list[Tensor]) -> Tensor:
    with warnings.catch_warnings():  # torch calls the interface a prototype, once a process
        warnings.filterwarnings("ignore", message=".*nested tensors.*", category=UserWarning)
        nested: Tensor = torch.nested.nested_tensor(samples)
    return nested


def _spatial_shapes(parts: list[Batch], order: list[int]) -> Tensor:
    shapes = [part["image"].shape[2:] for part in parts for _ in range(len(part["image"]))]
    return torch.tensor([list(shapes[k]) for k in order], dtype=torch.int64)


def _refuse_unlike(parts: list[Batch]) -> None:
    shapes = [tuple(part["image"].shape[1:]) for part in parts]
    if len(set(shapes)) > 1:
        told = "; ".join(f"{part['name'][0]} has {shape}" for part, shape in zip(parts, shapes, strict=True))
        raise ShapeError(
            f"A batch takes one shape, and here {told}. Bring them to one size, as FourierCrop does, or give "
            "the dataset collate='pad', 'list' or 'nested'."
        )
