"""MRC headers: 1024 bytes to type, shape, offset and voxel size.

A small parser of our own, because the header is on the hot path (a full reader costs ten times as much
a file) and because real archives hold files that strict readers refuse: no "MAP " id, a machine stamp of
zeros, a stamp that contradicts the numbers.

Source: MRC2014 format, doi:10.1016/j.jsb.2015.04.002; modes 0 and 101 also after IMOD's description of its
files.
"""

from __future__ import annotations

import logging
import math
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from caked.errors import DamagedFileError
from caked.io.fourbits import TITLE, is_half_a_camera

__all__ = ["HEADER_BYTES", "MrcHeader", "parse_mrc_header"]

logger = logging.getLogger("caked")

HEADER_BYTES = 1024
_VOLUME_STACK_ISPG = range(401, 631)
_IMOD_STAMP = 1146047817
_IMOD_SIGNED, _IMOD_TWO_A_BYTE = 1, 16
_PLAUSIBLE_EDGE = 1 << 24  # no detector, tomogram or stack comes near; a swapped number soon exceeds it
_STORED = {0: "i1", 1: "i2", 2: "f4", 3: "i2", 4: "c8", 6: "u2", 12: "f2", 101: "u1"}
_FIELDS = {order: struct.Struct(f"{order}10i6f3i3f2i") for order in "<>"}
_once: set[str] = set()


@dataclass(frozen=True, kw_only=True, slots=True)
class MrcHeader:
    """What a header says about the pixels, in array order.

    Attributes
    ----------
    mode
        MRC mode: 0 (bytes), 1 (int16), 2 (float32), 3 (complex int16), 4 (complex64), 6 (uint16),
        12 (float16) or 101 (4 bits, also where bytes of mode 0 hold two values, as SerialEM writes them).
    stored
        Type of the numbers in the file, byte order included; a pair of them makes a value in mode 3, one
        holds two values in mode 101.
    dtype
        Type of the values as read: native byte order, complex64 for mode 3, uint8 for mode 101.
    sections
        ``(nz, ny, nx)`` as the header has them.
    shape
        Shape as the file has it, slowest axis first: ``(y, x)`` for one section of an image stack (ISPG 0),
        ``(volume, z, y, x)`` for a stack of volumes (ISPG 401 and above), else ``(section, y, x)``.
    offset
        Bytes before the first pixel: header and extended header.
    size_bytes
        Bytes that the pixels take in the file.
    voxel_size
        In Å along the sections, rows and columns of the file; 0.0 where the header does not say.
    origin
        Of the first voxel in Å, along the same: the header's ORIGIN, else its starts times the voxel size.
    turn
        Which axes of ``shape`` lie along (volume,) z, y and x, where MAPC, MAPR and MAPS say that a volume
        is stored in another order; ``None`` where it is in that order, or an image.
    ispg
        Space group: 0 image stack, 1 volume, 401 and above stack of volumes. Files lie about it.
    """

    mode: int
    stored: np.dtype[Any]
    dtype: np.dtype[Any]
    sections: tuple[int, int, int]
    shape: tuple[int, ...]
    offset: int
    size_bytes: int
    voxel_size: tuple[float, float, float]
    origin: tuple[float, float, float]
    ispg: int
    turn: tuple[int, ...] | None


def parse_mrc_header(content: bytes, *, name: str) -> MrcHeader:
    """Parse the first 1024 bytes of an MRC file.

    Parameters
    ----------
    content
        At least the first 1024 bytes.
    name
        What to call the file in messages.

    Raises
    ------
    DamagedFileError
        If there are fewer than 1024 bytes, or no byte order makes sense of them.

    Examples
    --------
    >>> import struct
    >>> header = bytearray(1024)
    >>> header[:16], header[208:212] = struct.pack("<4i", 8, 6, 1, 2), b"MAP "
    >>> parse_mrc_header(bytes(header), name="one.mrc").shape
    (6, 8)
    """
    if len(content) < HEADER_BYTES:
        raise DamagedFileError(
            f"An MRC header takes 1024 bytes and there are {len(content)}: file {name} is corrupted.",
            path=name,
        )
    order = _byte_order(content, name)
    words = _FIELDS[order].unpack_from(content)
    nx, ny, nz, mode = words[:4]
    if mode == 0 and _bytes_hold_two(content, order, ny, nx):
        mode, nx = 101, 2 * nx  # SerialEM writes half the width
    intervals, cell, axes = words[7:10], words[10:13], words[16:19]
    low, high, ispg, nsymbt = words[19], words[20], words[22], words[23]
    if content[208:211] != b"MAP":
        _log_once("missing MAP id", "File %s has no 'MAP ' in its header; reading it all the same.", name)
    stored, dtype = _types(content, order, mode, low, high)
    voxel_size = _voxel_size(cell, intervals, axes)
    shape = _shape(nz, ny, nx, ispg, intervals[2])
    row_bytes = (nx + 1) // 2 if mode == 101 else nx * stored.itemsize * (2 if mode == 3 else 1)
    return MrcHeader(
        mode=mode,
        stored=stored,
        dtype=dtype,
        sections=(nz, ny, nx),
        shape=shape,
        offset=HEADER_BYTES + nsymbt,
        size_bytes=nz * ny * row_bytes,
        voxel_size=voxel_size,
        origin=_origin(struct.unpack_from(f"{order}3f", content, 196), words[4:7], axes, voxel_size),
        ispg=ispg,
        turn=_turn(axes, len(shape)),
    )


def _byte_order(content: bytes, name: str) -> str:
    """Trust the machine stamp where the numbers agree with it, else the numbers."""
    stamp = content[212]
    likely = ">" if stamp == 0x11 else "<"
    for order in (likely, "<" if likely == ">" else ">"):
        if _is_plausible(_FIELDS[order].unpack_from(content)):
            if order != likely:
                _log_once("stamp", "The machine stamp of %s contradicts its numbers, which hold.", name)
            return order
    raise DamagedFileError(
        f"Its size, mode or extended header make no sense: file {name} is corrupted.", path=name
    )


def _is_plausible(words: tuple[Any, ...]) -> bool:
    edges, mode, nsymbt = words[:3], words[3], words[23]
    return mode in _STORED and nsymbt >= 0 and all(0 < edge <= _PLAUSIBLE_EDGE for edge in edges)


def _types(
    content: bytes, order: str, mode: int, low: float, high: float
) -> tuple[np.dtype[Any], np.dtype[Any]]:
    stored = np.dtype(order + _STORED[mode])
    if mode == 0 and _bytes_are_unsigned(content, order, low, high):
        stored = np.dtype("u1")
    if mode == 3:
        return stored, np.dtype(np.complex64)
    return stored, stored.newbyteorder("=")


def _bytes_are_unsigned(content: bytes, order: str, low: float, high: float) -> bool:
    """MRC2014 says that mode 0 is signed; IMOD flags what it wrote, and others give themselves away."""
    if _is_stamped(content, order):
        return not _imod_flags(content, order) & _IMOD_SIGNED
    return low >= 0 and 128 <= high <= 255


def _bytes_hold_two(content: bytes, order: str, ny: int, nx: int) -> bool:
    """IMOD flags such files; before it did, SerialEM's title and the size of the camera told."""
    if _imod_flags(content, order) & _IMOD_TWO_A_BYTE:
        return True
    (labels,) = struct.unpack_from(f"{order}i", content, 220)
    return labels == 1 and TITLE.encode() in content[224:304] and is_half_a_camera(ny, nx)


def _is_stamped(content: bytes, order: str) -> bool:
    return bool(struct.unpack_from(f"{order}i", content, 152)[0] == _IMOD_STAMP)


def _imod_flags(content: bytes, order: str) -> int:
    """Return IMOD's flags, 0 where the file has no stamp of it."""
    return int(struct.unpack_from(f"{order}i", content, 156)[0]) if _is_stamped(content, order) else 0


def _shape(nz: int, ny: int, nx: int, ispg: int, mz: int) -> tuple[int, ...]:
    if ispg in _VOLUME_STACK_ISPG and mz > 0 and nz % mz == 0:
        return (nz // mz, mz, ny, nx)
    if ispg == 0 and nz == 1:
        return (ny, nx)
    return (nz, ny, nx)


def _voxel_size(
    cell: tuple[float, ...], intervals: tuple[int, ...], axes: tuple[int, ...]
) -> tuple[float, float, float]:
    """Cell length over interval count, for the cell axis that each array axis runs along."""
    sizes = [
        length / n if n > 0 and length > 0 and math.isfinite(length) else 0.0
        for length, n in zip(cell, intervals, strict=True)
    ]
    return _along_axes(sizes, axes)


def _origin(
    origin: tuple[float, ...],
    starts: tuple[int, ...],
    axes: tuple[int, ...],
    voxel_size: tuple[float, float, float],
) -> tuple[float, float, float]:
    """Origin in Å; maps of crystallography, and many of the EMDB, state where they start instead."""
    if any(origin) and all(math.isfinite(edge) for edge in origin):
        return _along_axes(origin, axes)
    z, y, x = (start * size for start, size in zip(reversed(starts), voxel_size, strict=True))
    return z, y, x


def _turn(axes: tuple[int, ...], ndim: int) -> tuple[int, ...] | None:
    if sorted(axes) != [1, 2, 3] or tuple(axes) == (1, 2, 3) or ndim < 3:
        return None
    last = ndim - 1  # of the file's axes the columns, along which MAPC names the cell's axis
    return (*range(ndim - 3), *(last - axes.index(cell_axis) for cell_axis in (3, 2, 1)))


def _along_axes(values: Sequence[float], axes: tuple[int, ...]) -> tuple[float, float, float]:
    """Values along x, y and z to values along the axes of the array."""
    column, row, section = axes if sorted(axes) == [1, 2, 3] else (1, 2, 3)  # many writers leave zeros
    return values[section - 1], values[row - 1], values[column - 1]


def _log_once(key: str, message: str, name: str) -> None:
    """Tell of a quirk once a process: a folder of ten thousand such files is one fact, not ten thousand."""
    if key not in _once:
        _once.add(key)
        logger.warning(message + " (said once)", name)
