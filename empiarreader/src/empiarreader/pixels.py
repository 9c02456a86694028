"""Pixels of an MRC file as a numpy array: fetched into place if possible, converted if necessary."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from empiarreader.bytesource import ByteSource
from empiarreader.errors import InvalidRequestError
from empiarreader.mrc import MrcHeader
from empiarreader.ranges import FileVersion
from empiarreader.regions import ReadPlan, Region, plan_read, resolve_region

Array = NDArray[Any]

_SHORT_COMPLEX, _FOUR_BITS = 3, 101


def read_pixels(
    file: ByteSource,
    header: MrcHeader,
    version: FileVersion,
    region: Region | None = None,
    out: Array | None = None,
) -> Array:
    """Return a region of an MRC file, in the machine's byte order.

    Parameters
    ----------
    file, header, version
        The file, its parsed header, and the version of the file that the header came from.
    region
        Slices in array order, steps of 1; None is everything.
    out
        Array of the region's shape that is filled and returned. Its type must be able to hold the file's.
        If reading fails it may be filled in part.

    Raises
    ------
    InvalidRequestError
        If the region or ``out`` do not fit.
    DamagedDataError, ServiceError
        If the bytes cannot be had.
    """
    plan = plan_read(header, resolve_region(region, header.shape))
    dtype = np.dtype(header.dtype)
    if out is not None:
        _check_out(out, plan.shape, dtype)
    result = np.empty(plan.shape, dtype) if out is None else out
    if not plan.spans:
        return result  # an empty region
    if _can_fetch_in_place(result, header, plan):
        _fetch(file, version, plan, result)
        if header.byte_order != _native_order():
            result.byteswap(inplace=True)
        return result
    raw = np.empty(sum(length for _, length in plan.spans), np.uint8)
    _fetch(file, version, plan, raw)
    result[...] = _decode(raw, header, plan)[..., plan.columns]
    return result


def _check_out(out: Array, shape: tuple[int, ...], dtype: np.dtype[Any]) -> None:
    if out.shape != shape:
        raise InvalidRequestError(f"out has the shape {out.shape}, the region {shape}")
    if not np.can_cast(dtype, out.dtype, "same_kind"):
        raise InvalidRequestError(f"out is {out.dtype}, which cannot hold {dtype}")
    if not out.flags.writeable:
        raise InvalidRequestError("out is read-only")


def _can_fetch_in_place(result: Array, header: MrcHeader, plan: ReadPlan) -> bool:
    return (
        header.mode not in {_SHORT_COMPLEX, _FOUR_BITS}
        and plan.shape == plan.fetched_shape
        and result.dtype == np.dtype(header.dtype)
        and result.flags.c_contiguous
    )


def _fetch(file: ByteSource, version: FileVersion, plan: ReadPlan, target: Array) -> None:
    view = target.reshape(-1).view(np.uint8).data
    file.spans(plan.spans, view, version=version)


def _decode(raw: Array, header: MrcHeader, plan: ReadPlan) -> Array:
    """Return fetched bytes as values, whole rows of them."""
    if header.mode == _FOUR_BITS:
        rows = raw.reshape(*plan.fetched_shape[:-1], header.row_bytes)
        pixels = np.stack([rows & 0x0F, rows >> 4], axis=-1)  # (..., y, byte, half)
        return pixels.reshape(*rows.shape[:-1], -1)[..., : plan.fetched_shape[-1]]
    if header.mode == _SHORT_COMPLEX:
        parts = raw.view(f"{header.byte_order}i2").astype(np.float32)
        return parts.view(np.complex64).reshape(plan.fetched_shape)
    return raw.view(np.dtype(header.dtype).newbyteorder(header.byte_order)).reshape(plan.fetched_shape)


def _native_order() -> str:
    return "<" if np.little_endian else ">"
