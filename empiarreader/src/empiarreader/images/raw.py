"""Pixels that lie in a file as they are: from a region of the array to the spans of the file that hold it.

Rows that follow one another in the file become one span, and so do whole sections. A region narrower than the
image moves the whole of its rows: fetching every row for itself would cost a request each.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from empiarreader.bytesource import ByteSource
from empiarreader.images.base import Array
from empiarreader.images.fourbits import unpack
from empiarreader.network.ranges import FileVersion
from empiarreader.regions import Bounds

Packing = Literal["plain", "short complex", "four bits"]


@dataclass(frozen=True, kw_only=True)
class RawPixels:
    """Where the pixels of a file are and how they are stored.

    Attributes
    ----------
    shape : tuple of int
        ``(y, x)``, ``(section, y, x)`` …, in the order of the file.
    stored : str
        Type of the stored values in numpy's code, byte order included (``">i2"``).
    offset : int
        Where the first section begins.
    row_bytes : int
        Distance from one row to the next.
    section_bytes : int
        Distance from one section to the next; more than its rows where something lies in between.
    packing : {"plain", "short complex", "four bits"}
        ``"short complex"``: pairs of ``stored`` (int16) that are read as complex64. ``"four bits"``: two
        pixels a byte, the first in its low half, each row ending with a whole byte.
    """

    shape: tuple[int, ...]
    stored: str
    offset: int
    row_bytes: int
    section_bytes: int
    packing: Packing = "plain"

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type that values are read as, in the machine's byte order."""
        return np.dtype(np.complex64 if self.packing == "short complex" else self.stored).newbyteorder("=")

    @property
    def end(self) -> int:
        """Where the last row ends: files shorter than that are damaged."""
        sections = math.prod(self.shape[:-2])
        return self.offset + (sections - 1) * self.section_bytes + self.shape[-2] * self.row_bytes

    def read_into(self, file: ByteSource, version: FileVersion, bounds: Bounds, out: Array) -> None:
        """Fill ``out`` with a region: straight from the file if possible, converted if necessary.

        Raises
        ------
        DamagedDataError, FileChangedError, ServiceError
            If the bytes cannot be had.
        """
        spans = self.spans(bounds)
        if self._lies_like(out, bounds):
            file.spans(spans, out.reshape(-1).view(np.uint8).data, version=version)
            if not np.dtype(self.stored).isnative:
                out.byteswap(inplace=True)
            return
        raw = np.empty(sum(length for _, length in spans), np.uint8)
        file.spans(spans, raw.data, version=version)
        rows = raw.reshape(*(stop - start for start, stop in bounds[:-1]), self.row_bytes)
        out[...] = self._decode(rows)[..., slice(*bounds[-1])]

    def spans(self, bounds: Bounds) -> list[tuple[int, int]]:
        """Return ``(start, length)`` of the spans that hold a region: its rows, no byte more."""
        *leading, (first_row, last_row), (first_column, last_column) = bounds
        length = (last_row - first_row) * self.row_bytes
        if length == 0 or first_column == last_column:
            return []
        spans: list[tuple[int, int]] = []
        for section in _section_numbers(leading, self.shape[:-2]):
            start = self.offset + section * self.section_bytes + first_row * self.row_bytes
            if spans and sum(spans[-1]) == start:
                spans[-1] = (spans[-1][0], spans[-1][1] + length)
            else:
                spans.append((start, length))
        return spans

    def _lies_like(self, out: Array, bounds: Bounds) -> bool:
        """Return whether the bytes of the region can move into ``out`` as they are."""
        return (
            self.packing == "plain"
            and bounds[-1] == (0, self.shape[-1])
            and self.row_bytes == self.shape[-1] * self.dtype.itemsize
            and out.dtype == self.dtype
            and out.flags.c_contiguous
        )

    def _decode(self, rows: Array) -> Array:
        """Return whole rows of bytes ``(..., y, byte)`` as values."""
        if self.packing == "four bits":
            return unpack(rows)
        if self.packing == "short complex":
            values: Array = rows.view(self.stored).astype(np.float32).view(np.complex64)
            return values
        itemsize = np.dtype(self.stored).itemsize
        whole = rows[..., : self.shape[-1] * itemsize]
        return np.ascontiguousarray(whole).view(self.stored)


def _section_numbers(bounds: list[tuple[int, int]], shape: tuple[int, ...]) -> list[int]:
    """Return the planes of a region, counted through the file."""
    strides = [math.prod(shape[axis + 1 :]) for axis in range(len(shape))]
    axes = [
        range(start * stride, stop * stride, stride)
        for (start, stop), stride in zip(bounds, strides, strict=True)
    ]
    return [sum(offsets) for offsets in itertools.product(*axes)]
