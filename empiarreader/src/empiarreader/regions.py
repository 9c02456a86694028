"""From a region of an array to the spans of its file that hold it.

Rows that follow one another in the file become one span, and so do whole sections. A region narrower than the
image moves the whole of its rows: fetching every row for itself would cost a request each.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any

from empiarreader.errors import InvalidRequestError
from empiarreader.mrc import MrcHeader

Region = tuple[slice, ...]


@dataclass(frozen=True, kw_only=True)
class ReadPlan:
    """Which bytes to fetch for a region and what they are.

    Attributes
    ----------
    spans : tuple of (int, int)
        ``(start, length)`` of each span in the file, in array order.
    fetched_shape : tuple of int
        Shape of the fetched pixels: the region, with whole rows.
    columns : slice
        The columns of them that were asked for.
    """

    spans: tuple[tuple[int, int], ...]
    fetched_shape: tuple[int, ...]
    columns: slice

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of the region."""
        return (*self.fetched_shape[:-1], self.columns.stop - self.columns.start)


def resolve_region(region: Region | None, shape: tuple[int, ...]) -> tuple[tuple[int, int], ...]:
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


def plan_read(header: MrcHeader, bounds: tuple[tuple[int, int], ...]) -> ReadPlan:
    """Return which spans hold the region with these ``(start, stop)`` bounds, and nothing beside its rows."""
    *leading, (first_row, last_row), (first_column, last_column) = bounds
    fetched_shape = (*(stop - start for start, stop in bounds[:-1]), header.shape[-1])
    columns = slice(first_column, last_column)
    if 0 in fetched_shape or first_column == last_column:
        return ReadPlan(spans=(), fetched_shape=fetched_shape, columns=columns)
    length = (last_row - first_row) * header.row_bytes
    spans: list[tuple[int, int]] = []
    for section in _section_numbers(leading, header.shape[:-2]):
        start = header.data_offset + section * header.section_bytes + first_row * header.row_bytes
        if spans and sum(spans[-1]) == start:
            spans[-1] = (spans[-1][0], spans[-1][1] + length)
        else:
            spans.append((start, length))
    return ReadPlan(spans=tuple(spans), fetched_shape=fetched_shape, columns=columns)


def _section_numbers(bounds: list[tuple[int, int]], shape: tuple[int, ...]) -> list[int]:
    """Return the planes of a region, counted through the file."""
    strides = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    axes = [
        range(start * stride, stop * stride, stride)
        for (start, stop), stride in zip(bounds, strides, strict=True)
    ]
    return [sum(offsets) for offsets in itertools.product(*axes)]
