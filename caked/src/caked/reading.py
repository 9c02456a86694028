"""From a source to tensors: the pixels of some samples of one shape, and what is known of them."""

from __future__ import annotations

import cmath
import warnings
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caked.errors import NonFiniteImageError
from caked.keys import IMAGE_KEYS, Columns
from caked.names import take_names
from caked.sources.base import Source
from caked.transforms.base import Batch

__all__ = ["NonFinite", "group_by_shape", "read_samples"]

NonFinite = Literal["raise", "warn", "keep"]


def group_by_shape(source: Source, indices: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Return the places among ``indices`` of samples that have one shape, for each shape.

    Samples have one shape where all their images have: target, weight and mask as well.
    """
    chosen = indices.tolist()
    sources = (source, *source.companions.values())
    shapes = list(zip(*(each.shapes(chosen) for each in sources), strict=True))
    if shapes.count(shapes[0]) == len(shapes):
        return [np.arange(len(shapes))]
    places: dict[Any, list[int]] = {}
    for place, shape in enumerate(shapes):
        places.setdefault(shape, []).append(place)
    return [np.array(group, dtype=np.int64) for group in places.values()]


def read_samples(source: Source, indices: NDArray[np.int64], *, non_finite: NonFinite) -> Batch:
    """Read samples of one shape into new tensors, ``(B, 1, *spatial)`` for each image.

    Raises
    ------
    NonFiniteImageError
        If an image holds NaN or infinity, and it is to be reported so.
    """
    chosen = indices.tolist()
    images = {"image": source, **source.companions}
    batch: Batch = {key: _read_image(images[key], chosen) for key in IMAGE_KEYS if key in images}
    for key, image in batch.items():
        _check_finite(key, image, source, chosen, non_finite)
    batch["index"] = torch.from_numpy(indices.copy())
    batch.update(as_tensors(source.columns(chosen)))
    batch["name"] = take_names(source.names, chosen)
    batch["group"] = [source.group(i) or "" for i in chosen]
    return batch


def _read_image(source: Source, chosen: Sequence[int]) -> Tensor:
    complex_values = source.dtype(chosen[0]).kind == "c"
    dtype = torch.complex64 if complex_values else torch.float32
    image = torch.empty((len(chosen), 1, *source.shape(chosen[0])), dtype=dtype)
    source.read_batch(chosen, image.numpy()[:, 0])
    return image


def as_tensors(columns: Columns) -> Batch:
    """Return columns as tensors; lists of arrays as lists of tensors, and of words as they are."""
    return {
        key: torch.from_numpy(np.ascontiguousarray(values))
        if isinstance(values, np.ndarray)
        else [torch.from_numpy(value) if isinstance(value, np.ndarray) else value for value in values]
        for key, values in columns.items()
    }


def _check_finite(
    key: str, image: Tensor, source: Source, chosen: Sequence[int], non_finite: NonFinite
) -> None:
    # A sum is finite only if all of it is, and is quicker than looking at every value.
    if non_finite == "keep" or cmath.isfinite(image.sum().item()):
        return
    if bool(torch.isfinite(image).all()):
        return
    finite = torch.isfinite(image).flatten(1).all(dim=1).tolist()
    name = source.names[chosen[finite.index(False)]]
    message = f"{key.capitalize()} {name} holds NaN or infinity (keep such with non_finite='keep')."
    if non_finite == "raise":
        raise NonFiniteImageError(message, name=name)
    warnings.warn(message, stacklevel=6)
