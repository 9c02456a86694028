"""Regions of arrays: slices in array order, as bounds that have been checked."""

from __future__ import annotations

from typing import Any

from empiarreader.errors import InvalidRequestError

Region = tuple[slice, ...]
Bounds = tuple[tuple[int, int], ...]


def resolve_region(region: Region | None, shape: tuple[int, ...]) -> Bounds:
    """Return ``(start, stop)`` for every axis of an array; axes that the region leaves out are whole.

    Raises
    ------
    InvalidRequestError
        If the region has more axes than the array, a step other than 1, or is not made of slices.

    Examples
    --------
    >>> resolve_region((slice(10, 11), slice(-100, None)), (40, 512, 512))
    ((10, 11), (412, 512), (0, 512))
    """
    given: Any = () if region is None else region  # checked, as it comes from outside
    if not isinstance(given, tuple) or not all(isinstance(part, slice) for part in given):
        raise InvalidRequestError(f"a region is a tuple of slices in array order, not {given!r}")
    region = given
    if len(region) > len(shape):
        raise InvalidRequestError(f"the region has {len(region)} axes, the array {len(shape)}: {shape}")
    if any(part.step not in {None, 1} for part in region):
        raise InvalidRequestError(f"regions are read with steps of 1; read, then step: {region!r}")
    bounds = []
    for axis, length in enumerate(shape):
        start, stop, _ = region[axis].indices(length) if axis < len(region) else (0, length, 1)
        bounds.append((start, max(start, stop)))
    return tuple(bounds)
