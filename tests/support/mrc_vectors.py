"""MRC files as bytes with the array that a right reader gives back; both MRC parsers are held to them.

Written with ``struct`` and numpy alone, so that no reader is checked against itself. What the vectors ask:

- Shape follows MRC2014 as mrcfile reads it: ``(y, x)`` for one section of an image stack (ISPG 0), else
  ``(section, y, x)``, and ``(volume, z, y, x)`` for a volume stack (ISPG 401 and above, MZ sections each).
- Values come in the machine's own byte order. Mode 3 becomes complex64, mode 101 (4 bits, the first pixel in
  the low half of a byte, each row padded to a whole byte) becomes uint8.
- Mode 0 is int8, as MRC2014 says, unless the IMOD stamp is there with the "signed" flag off, or there is no
  stamp and the header's own maximum (128 to 255, minimum not negative) does not fit int8: then uint8.
- With IMOD's flag 16, bytes of mode 0 hold two values each, as SerialEM packs counts: uint8, twice as wide.
- The pixels begin at ``1024 + nsymbt``, whatever the extended header is.
- A missing "MAP " and a machine stamp of zeros, or one that contradicts the numbers, are read all the same.
- A voxel size is a cell length over its interval count, ``(dz, dy, dx)``; 0.0 where either of the two is 0.
"""

from __future__ import annotations

import struct
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
VoxelSize = tuple[float, float, float]

LITTLE_STAMP = b"DD\x00\x00"
BIG_STAMP = b"\x11\x11\x00\x00"
_DTYPES = {0: "i1", 1: "i2", 2: "f4", 4: "c8", 6: "u2", 12: "f2"}


class MrcVector(NamedTuple):
    """One file: its name, its bytes, what must come out, and its voxel size ``(dz, dy, dx)`` in Å."""

    name: str
    content: bytes
    expected: Array
    voxel_size: VoxelSize


def mrc_header(
    shape: tuple[int, int, int],
    *,
    mode: int,
    order: str = "<",
    voxel_size: VoxelSize = (1.0, 1.0, 1.0),
    cell: VoxelSize | None = None,
    intervals: tuple[int, int, int] | None = None,
    axes: tuple[int, int, int] = (1, 2, 3),
    density: tuple[float, float, float] = (0.0, 0.0, 0.0),
    ispg: int = 0,
    nsymbt: int = 0,
    exttyp: bytes = b"\0\0\0\0",
    imod_flags: int | None = None,
    map_id: bytes = b"MAP ",
    stamp: bytes | None = None,
) -> bytes:
    """Return the 1024 bytes of a header; ``shape``, ``cell``, ``intervals`` and ``voxel_size`` go z, y, x.

    ``axes`` is MAPC, MAPR, MAPS; ``density`` is minimum, maximum, mean; ``imod_flags`` writes the stamp too.
    """
    nz, ny, nx = shape
    mz, my, mx = intervals or shape
    dz, dy, dx = voxel_size
    lz, ly, lx = cell or (dz * mz, dy * my, dx * mx)
    header = bytearray(1024)
    struct.pack_into(f"{order}10i", header, 0, nx, ny, nz, mode, 0, 0, 0, mx, my, mz)
    struct.pack_into(f"{order}6f", header, 40, lx, ly, lz, 90.0, 90.0, 90.0)
    struct.pack_into(f"{order}3i3f2i", header, 64, *axes, *density, ispg, nsymbt)
    header[104:108] = exttyp
    if imod_flags is not None:
        struct.pack_into(f"{order}2i", header, 152, 1146047817, imod_flags)
    header[208:212] = map_id
    header[212:216] = stamp if stamp is not None else (LITTLE_STAMP if order == "<" else BIG_STAMP)
    return bytes(header)


def pixel_bytes(array: Array, *, mode: int, order: str = "<") -> bytes:
    """Return the values of a ``(..., y, x)`` array as mode ``mode`` stores them."""
    if mode == 3:
        pairs = np.stack([array.real, array.imag], axis=-1)  # (..., x, 2)
        return pairs.astype(f"{order}i2").tobytes()
    if mode == 101:
        padding = [(0, 0)] * (array.ndim - 1) + [(0, array.shape[-1] % 2)]
        nibbles = np.pad(array.astype(np.uint8), padding)
        return (nibbles[..., 0::2] | (nibbles[..., 1::2] << 4)).tobytes()
    if mode == 0:
        return array.tobytes()
    return array.astype(f"{order}{_DTYPES[mode]}").tobytes()


def mrc_bytes(
    array: Array, *, mode: int = 2, order: str = "<", extended: bytes = b"", **fields: Any
) -> bytes:
    """Return a whole file: ``array`` as ``(y, x)``, ``(section, y, x)`` or ``(volume, z, y, x)``.

    ``fields`` are those of :func:`mrc_header`.
    """
    *leading, ny, nx = array.shape
    shape = (int(np.prod(leading, dtype=int)), ny, nx)
    if array.ndim == 4:
        fields = {"intervals": (array.shape[1], ny, nx), "ispg": 401, **fields}
    header = mrc_header(shape, mode=mode, order=order, nsymbt=len(extended), **fields)
    return header + extended + pixel_bytes(array, mode=mode, order=order)


def sample_array(mode: int, shape: tuple[int, ...] = (3, 4, 5)) -> Array:
    """Return values, all different where the mode allows it, that cover its range."""
    count = int(np.prod(shape))
    steps = np.arange(count)
    if mode == 0:
        values: Array = (steps * 7 % 256 - 128).astype(np.int8)
    elif mode == 1:
        values = (steps * 1001 % 65536 - 32768).astype(np.int16)
    elif mode == 6:
        values = (steps * 1001 % 65536).astype(np.uint16)
    elif mode == 12:
        values = ((steps - count / 2) / 8).astype(np.float16)
    elif mode == 3:
        values = (steps * 500 % 60000 - 30000 - 1j * (steps % 9000)).astype(np.complex64)
    elif mode == 4:
        values = (steps / 3 - 2j * steps).astype(np.complex64)
    elif mode == 101:
        values = (steps * 7 % 16).astype(np.uint8)
    else:
        values = (np.sin(steps) * 1000).astype(np.float32)
    return values.reshape(shape)


def mrc_vectors() -> list[MrcVector]:
    """Return every file that a reader must read, permissively, with what it must give back."""
    return [*_every_mode(), *_shapes(), *_signedness(), *_odd_headers()]


def _every_mode() -> list[MrcVector]:
    voxel = (3.0, 2.0, 1.5)
    found = []
    for mode in (0, 1, 2, 3, 4, 6, 12, 101):
        for order, word in (("<", "little"), (">", "big")):
            array = sample_array(mode)
            content = mrc_bytes(array, mode=mode, order=order, voxel_size=voxel)
            found.append(MrcVector(f"mode {mode}, {word}-endian", content, array, voxel))
    return found


def _shapes() -> list[MrcVector]:
    one, stack, volumes = sample_array(2, (6, 4)), sample_array(2, (1, 6, 4)), sample_array(1, (2, 3, 5, 4))
    unit = (1.0, 1.0, 1.0)
    return [
        MrcVector("one micrograph", mrc_bytes(one), one, unit),
        MrcVector("volume of one section", mrc_bytes(stack, ispg=1), stack, unit),
        MrcVector("volume", mrc_bytes(sample_array(2), ispg=1), sample_array(2), unit),
        MrcVector("stack of volumes", mrc_bytes(volumes, mode=1), volumes, unit),
        MrcVector(
            "4 bits, even width", mrc_bytes(nibbles := sample_array(101, (2, 3, 6)), mode=101), nibbles, unit
        ),
        MrcVector("4 bits, one odd row", mrc_bytes(row := sample_array(101, (1, 7)), mode=101), row, unit),
    ]


def _signedness() -> list[MrcVector]:
    signed, unit = sample_array(0), (1.0, 1.0, 1.0)
    unsigned = signed.view(np.uint8)
    return [
        MrcVector("bytes, IMOD says signed", mrc_bytes(signed, mode=0, imod_flags=1), signed, unit),
        MrcVector("bytes, IMOD says unsigned", mrc_bytes(signed, mode=0, imod_flags=0), unsigned, unit),
        MrcVector(
            "bytes, IMOD says unsigned, big-endian",
            mrc_bytes(signed, mode=0, order=">", imod_flags=4),
            unsigned,
            unit,
        ),
        MrcVector(
            "bytes whose maximum is 253",
            mrc_bytes(signed, mode=0, density=(1.0, 253.0, 100.0)),
            unsigned,
            unit,
        ),
        MrcVector(
            "bytes whose maximum is 127",
            mrc_bytes(signed, mode=0, density=(-128.0, 127.0, 0.0)),
            signed,
            unit,
        ),
        MrcVector("bytes from 0 to 127", mrc_bytes(signed, mode=0, density=(0.0, 127.0, 60.0)), signed, unit),
        MrcVector(
            "unsigned bytes from 0 to 128",
            mrc_bytes(signed, mode=0, density=(0.0, 128.0, 60.0)),
            unsigned,
            unit,
        ),
        *_two_values_a_byte(),
    ]


def _two_values_a_byte() -> list[MrcVector]:
    counts = sample_array(101, (2, 3, 8))
    packed = counts[..., 0::2] | counts[..., 1::2] << 4
    return [
        MrcVector(
            f"bytes of two 4 bits each, {word}-endian",
            mrc_bytes(packed, mode=0, order=order, imod_flags=16, voxel_size=(1.0, 2.0, 3.0)),
            counts,
            (1.0, 2.0, 3.0),
        )
        for order, word in (("<", "little"), (">", "big"))
    ]


def _odd_headers() -> list[MrcVector]:
    array, short = sample_array(2), sample_array(1)
    unit = (1.0, 1.0, 1.0)
    found = [
        MrcVector(
            f"extended header {kind!r} of {size} bytes",
            mrc_bytes(array, extended=bytes(range(256)) * (size // 256) + b"\1" * (size % 256), exttyp=kind),
            array,
            unit,
        )
        for kind, size in ((b"SERI", 1024), (b"FEI1", 131072), (b"CCP4", 160), (b"AGAR", 7))
    ]
    for order, word in (("<", "little"), (">", "big")):
        blank: dict[str, Any] = {"map_id": b"\0\0\0\0", "stamp": b"\0\0\0\0"}
        wrong = LITTLE_STAMP if order == ">" else BIG_STAMP
        found += [
            MrcVector(
                f"no MAP id, no stamp, {word}-endian", mrc_bytes(array, order=order, **blank), array, unit
            ),
            MrcVector(
                f"stamp contradicts, {word}-endian",
                mrc_bytes(short, mode=1, order=order, stamp=wrong),
                short,
                unit,
            ),
        ]
    return [
        *found,
        MrcVector("stamp DA", mrc_bytes(array, stamp=b"DA\0\0"), array, unit),
        MrcVector("no cell", mrc_bytes(array, cell=(0.0, 0.0, 0.0)), array, (0.0, 0.0, 0.0)),
        MrcVector("no intervals", mrc_bytes(array, cell=unit, intervals=(0, 0, 0)), array, (0.0, 0.0, 0.0)),
        MrcVector("axes permuted", mrc_bytes(array, axes=(3, 1, 2), ispg=1), array, unit),
        MrcVector("axes zero", mrc_bytes(array, axes=(0, 0, 0)), array, unit),
        MrcVector("bytes after the pixels", mrc_bytes(array) + b"\0" * 100, array, unit),
    ]


def damaged_mrc() -> list[tuple[str, bytes]]:
    """Return files that a reader must refuse before it sets memory aside: a name and the bytes of each."""
    whole = mrc_bytes(sample_array(2))
    return [
        ("empty file", b""),
        ("half a header", whole[:512]),
        ("header alone", whole[:1024]),
        ("last pixel cut in two", whole[:-3]),
        ("unknown mode", mrc_header((3, 4, 5), mode=99) + bytes(240)),
        ("width of zero", mrc_header((3, 4, 0), mode=2) + bytes(240)),
        ("negative height", mrc_header((3, -4, 5), mode=2) + bytes(240)),
        ("petabytes claimed", mrc_header((100_000, 100_000, 100_000), mode=2) + bytes(240)),
        ("extended header beyond the end", mrc_header((3, 4, 5), mode=2, nsymbt=2_000_000_000) + bytes(240)),
        ("negative extended header", mrc_header((3, 4, 5), mode=2, nsymbt=-1024) + bytes(240)),
        ("a web page", b"<!DOCTYPE html><html><body>Service unavailable</body></html>".ljust(4096)),
        ("noise", bytes((i * 89 + 41) % 251 for i in range(4096))),
    ]
