"""Read pixels by position: into the caller's memory where the types allow it, through a buffer where not.

Every call opens the file, reads at absolute positions and closes it: nothing is shared between threads,
nothing is inherited across a fork, and no object holds a handle.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from caked.errors import DamagedFileError, InvalidOptionError, ShapeError
from caked.io.fourbits import unpacked
from caked.io.layout import Layout, open_decompressed, reported
from caked.io.tiff import read_tiff
from caked.protocol import Array, Region

__all__ = ["arranged", "deliver", "read_array", "read_arrays", "read_sections", "whole_region"]

_IOV_MAX = 512  # the kernel takes 1024 pieces a call
_PIECE_BYTES = 1 << 22


def read_array(
    path: str | os.PathLike[str], layout: Layout, region: Region | None = None, out: Array | None = None
) -> Array:
    """Read the array of a file, or a region of it.

    Parameters
    ----------
    path, layout
        The file, and what :func:`~caked.io.layout.read_layout` says of it.
    region
        Slices with step 1 for the leading axes. Of a plain file only the pages under the region are touched.
    out
        Array of the region's shape to write into; numbers are converted to its type. With the same type, and
        contiguous, the file is read straight into it.

    Returns
    -------
    numpy.ndarray
        ``out``, or a new array that nobody else holds.

    Raises
    ------
    DamagedFileError
        If the file ends before its pixels do.
    ShapeError
        If ``out`` has another shape than what is read.
    """
    name = os.fspath(path)
    if region is not None:
        region = whole_region(region, layout.shape)
        if all(part == slice(0, edge) for part, edge in zip(region, layout.shape, strict=True)):
            region = None
    if region is not None:
        return deliver(_read_region(name, layout, region), out, dtype=layout.dtype)
    if layout.is_plain and out is not None and _can_take(out, layout.stored) and out.shape == layout.shape:
        with _opened(name) as descriptor:
            _fill(descriptor, [out], layout.offset, name)
        return out
    return deliver(_read_whole(name, layout), out, dtype=layout.dtype)


def read_arrays(paths: Sequence[str], layout: Layout, out: Array) -> None:
    """Read files of one layout, each into its own element of ``out``: ``(len(paths), *shape)``.

    Straight into ``out`` where it is contiguous and of the type of the files, at three calls of the system a
    file. Errors are those of :func:`read_array`.
    """
    if not (layout.is_plain and _can_take(out, layout.stored) and out.size) or layout.shape != out.shape[1:]:
        for path, part in zip(paths, out, strict=True):
            read_array(path, layout, out=part)
        return
    content, size, start = out.data.cast("B"), layout.size_bytes, 0
    for path in paths:
        try:
            descriptor = os.open(path, os.O_RDONLY)
            try:
                count = os.preadv(descriptor, (content[start : start + size],), layout.offset)
            finally:
                os.close(descriptor)
        except OSError:
            with reported(path):
                raise
        if count != size:  # continued, or told to be cut off, where there is time for it
            read_array(path, layout, out=out[start // size])
        start += size


def read_sections(
    path: str | os.PathLike[str], layout: Layout, sections: Sequence[int], outs: Sequence[Array]
) -> None:
    """Read sections of a file's first axis, each into its own array; neighbours in one call to the system.

    Parameters
    ----------
    sections
        Numbers of the sections, ascending for speed.
    outs
        One array ``(y, x)`` for each.
    """
    name = os.fspath(path)
    if layout.compression is not None or layout.packing == "nibbles":
        array = _read_whole(name, layout)
        for section, out in zip(sections, outs, strict=True):
            deliver(array[section], out, dtype=layout.dtype)
        return
    if not layout.is_plain or not all(_can_take(out, layout.stored) for out in outs):
        for section, out in zip(sections, outs, strict=True):
            part = _read_region(name, layout, whole_region((slice(section, section + 1),), layout.shape))
            deliver(part[0], out, dtype=layout.dtype)
        return
    section_bytes = layout.size_bytes // layout.shape[0]
    with _opened(name) as descriptor:
        for first, run in _runs(sections):
            _fill(descriptor, [outs[k] for k in run], layout.offset + first * section_bytes, name)


def _runs(sections: Sequence[int]) -> Iterator[tuple[int, list[int]]]:
    """Group positions of ``sections`` whose numbers follow one another: ``(first section, positions)``."""
    run: list[int] = []
    for position, section in enumerate(sections):
        if run and (section != sections[run[-1]] + 1 or len(run) == _IOV_MAX):
            yield sections[run[0]], run
            run = []
        run.append(position)
    if run:
        yield sections[run[0]], run


def whole_region(region: Region, shape: tuple[int, ...]) -> Region:
    """Complete a region: a slice with plain bounds for every axis.

    Raises
    ------
    InvalidOptionError
        If a step is not 1, or there are more slices than axes.

    Examples
    --------
    >>> whole_region((slice(1, -1),), (4, 5))
    (slice(1, 3, None), slice(0, 5, None))
    """
    if len(region) > len(shape):
        raise InvalidOptionError(f"A region of {len(region)} slices does not fit an array of shape {shape}.")
    if any(part.step not in (None, 1) for part in region):
        raise InvalidOptionError(f"Regions are read with step 1, not {region}.")
    parts = (*region, *(slice(None),) * (len(shape) - len(region)))
    bounds = [part.indices(edge)[:2] for part, edge in zip(parts, shape, strict=True)]
    return tuple(slice(start, max(start, stop)) for start, stop in bounds)


def deliver(array: Array, out: Array | None, *, dtype: np.dtype[Any]) -> Array:
    """Hand over what was read: converted into ``out``, or contiguous and in native byte order."""
    if out is None:
        native = array.astype(dtype, copy=False)
        return np.ascontiguousarray(native) if native.ndim else native
    if out.shape != array.shape:
        raise ShapeError(f"What is read has shape {array.shape}, the array to read it into {out.shape}.")
    if array.dtype.kind == "c" and out.dtype.kind != "c":
        raise ShapeError("Complex values do not fit into an array of real ones: half of each would be lost.")
    np.copyto(out, array, casting="unsafe")
    return out


def _can_take(out: Array, stored: np.dtype[Any]) -> bool:
    return out.dtype == stored and bool(out.flags.c_contiguous)


def _read_region(name: str, layout: Layout, region: Region) -> Array:
    if layout.packing == "tiff":
        return read_tiff(name, layout.shape, region)
    if layout.compression is not None or layout.packing == "nibbles":
        return np.array(_read_whole(name, layout)[region])
    with reported(name):
        if Path(name).stat().st_size < layout.offset + layout.size_bytes:
            raise _cut_off(name)
        values = layout.size_bytes // layout.stored.itemsize
        flat = np.memmap(name, dtype=layout.stored, mode="r", offset=layout.offset, shape=(values,))
        return np.array(arranged(flat, layout)[region])


def _read_whole(name: str, layout: Layout) -> Array:
    if layout.packing == "tiff":
        return read_tiff(name, layout.shape, tuple(slice(0, edge) for edge in layout.shape))
    if layout.compression is not None:
        return arranged(_decompressed(name, layout), layout)
    buffer = np.empty(layout.size_bytes // layout.stored.itemsize, dtype=layout.stored)
    with _opened(name) as descriptor:
        _fill(descriptor, [buffer], layout.offset, name)
    return arranged(buffer, layout)


def _decompressed(name: str, layout: Layout) -> Array:
    """Read piece by piece: memory grows with what is there, not with what the header promises."""
    assert layout.compression is not None
    content = bytearray()
    with open_decompressed(name, layout.compression) as stream:
        stream.read(layout.offset)
        while len(content) < layout.size_bytes:
            piece = stream.read(min(layout.size_bytes - len(content), _PIECE_BYTES))
            if not piece:
                raise _cut_off(name)
            content += piece
    return np.frombuffer(content, dtype=layout.stored)


def arranged(flat: Array, layout: Layout) -> Array:
    """Numbers as they lie in the file to the array they stand for."""
    array = _unpacked(flat, layout, layout.stored_shape)
    return array if layout.turn is None else array.transpose(layout.turn)


def _unpacked(flat: Array, layout: Layout, shape: tuple[int, ...]) -> Array:
    if layout.packing == "nibbles":
        *leading, width = shape
        return unpacked(flat.reshape(*leading, (width + 1) // 2), width)
    if layout.packing == "pairs":
        pairs = flat.reshape(*shape, 2).astype(np.float32)
        return pairs.view(np.complex64)[..., 0]
    if layout.packing == "fortran":
        return flat.reshape(shape, order="F")
    return flat.reshape(shape)


@contextmanager
def _opened(name: str) -> Iterator[int]:
    with reported(name):
        descriptor = os.open(name, os.O_RDONLY)
        try:
            yield descriptor
        finally:
            os.close(descriptor)


def _fill(descriptor: int, arrays: Sequence[Array], offset: int, name: str) -> None:
    """Fill arrays with consecutive bytes from ``offset`` on; a short read is continued, an end is damage."""
    views = [array.reshape(-1).view(np.uint8).data for array in arrays if array.size]
    while views:
        count = os.preadv(descriptor, views, offset)
        if count == 0:
            raise _cut_off(name)
        offset += count
        while views and count >= len(views[0]):
            count -= len(views[0])
            views.pop(0)
        if count:
            views[0] = views[0][count:]


def _cut_off(name: str) -> DamagedFileError:
    return DamagedFileError(f"It ends before its pixels do: file {name} is corrupted.", path=name)
