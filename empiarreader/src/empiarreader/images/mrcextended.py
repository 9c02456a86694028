"""What lies between the header of an MRC file and its pixels: one record a section, or lines of text.

Each program keeps its own records there; what several of them say is given under one name and unit:
``tilt_angle_degrees``, ``tilt_axis_angle_degrees``, ``defocus_angstrom`` (positive for underfocus),
``pixel_size_angstrom``, ``dose_electrons_per_square_angstrom``, ``exposure_seconds``, ``magnification``,
``voltage_kilovolts``, ``stage_x_micrometres`` and ``stage_y_micrometres``. Where a section
has no record, its value is NaN.

Sources: MRC2014 words 27 and 57 onward (doi:10.1016/j.jsb.2015.04.002); SERI and AGAR by
https://bio3d.colorado.edu/imod/doc/mrc_format.txt; FEI1 and FEI2 by Thermo Fisher's MRC2014 specification for
EPU, whose table mrcfile keeps; symmetry records by the CCP4 map format.
"""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np

from empiarreader.bytesource import ByteSource
from empiarreader.images.base import Array
from empiarreader.mrc import HEADER_BYTES, MrcHeader
from empiarreader.network.ranges import FileVersion

_MOST_BYTES = 256 * 1024 * 1024
_SYMMETRY_LINE = 80
# SerialEM's items in the order of their flags: names, and factor of a short (None: a float in two shorts).
_SERI = (
    (1, ("tilt_angle_degrees",), 0.01),
    (2, ("piece_x", "piece_y", "piece_z"), 1.0),
    (4, ("stage_x_micrometres", "stage_y_micrometres"), 0.04),
    (8, ("magnification",), 100.0),
    (16, ("intensity",), 1 / 25000),
    (32, ("dose_electrons_per_square_angstrom",), None),
)
_SERI_RESERVED = {64: 2, 128: 4, 256: 2, 512: 4, 1024: 2}
# The reals of a record of FEI's older format and of Agard's: name and factor to its unit.
_AGAR = (
    ("tilt_angle_degrees", 1.0),
    ("beta_tilt_angle_degrees", 1.0),
    ("stage_x_micrometres", 1e6),
    ("stage_y_micrometres", 1e6),
    ("stage_z_micrometres", 1e6),
    ("shift_x_micrometres", 1e6),
    ("shift_y_micrometres", 1e6),
    ("defocus_angstrom", -1e10),
    ("exposure_seconds", 1.0),
    ("mean", 1.0),
    ("tilt_axis_angle_degrees", 1.0),
    ("pixel_size_angstrom", 1e10),
    ("magnification", 1.0),
)
_AGAR_RECORD_BYTES = 128
_OLD_FEI_BYTES, _OLD_FEI_COUNTS = 1024 * _AGAR_RECORD_BYTES, (0, 32)
_FEI = {
    "tilt_angle_degrees": ("Alpha tilt", 1.0),
    "tilt_axis_angle_degrees": ("Tilt axis angle", 1.0),
    "defocus_angstrom": ("Defocus", -1e10),
    "pixel_size_angstrom": ("Pixel size X", 1e10),
    "dose_electrons_per_square_angstrom": ("Dose", 1e-20),
    "exposure_seconds": ("Integration time", 1.0),
    "magnification": ("Magnification", 1.0),
    "stage_x_micrometres": ("X-Stage", 1e6),
    "stage_y_micrometres": ("Y-Stage", 1e6),
    "voltage_kilovolts": ("HT", 1e-3),
}
_UNUSED_BITS = 6  # "Unused range" stands for six fields


def read_extended(file: ByteSource, header: MrcHeader, version: FileVersion) -> dict[str, Any]:
    """Return what header and extended header say beside the shape; reads them as far as there are sections.

    Raises
    ------
    DamagedDataError, ServiceError
        If the bytes cannot be had.
    """
    length = header.data_offset - HEADER_BYTES
    wanted = min(length, _record_bytes(file, header, version) * header.sections, _MOST_BYTES)
    content = file.range(0, HEADER_BYTES + wanted, version)
    found: dict[str, Any] = {
        "mode": header.mode,
        "byte_order": {"<": "little", ">": "big"}[header.byte_order],
        "labels": _labels(content, header.byte_order),
        "density": header.density,
        "start": header.start,
        "origin": header.origin,
    }
    if length:
        found["extended_header"] = header.extended_header
        found |= _records(content[HEADER_BYTES:], content, header)
    return found


def _record_bytes(file: ByteSource, header: MrcHeader, version: FileVersion) -> int:
    """Return the length of one section's record; of all of the extended header where it has no records."""
    length = header.data_offset - HEADER_BYTES
    if header.extended_header in {"FEI1", "FEI2"} and length >= 4:
        return max(_fei_record_bytes(file.range(HEADER_BYTES, 4, version)), 4)
    if header.extended_header == "AGAR":
        return max(_AGAR_RECORD_BYTES, length // 1024)
    return length


def _labels(content: bytes, order: str) -> list[str]:
    (count,) = struct.unpack_from(f"{order}i", content, 220)
    texts = [content[224 + 80 * k : 304 + 80 * k] for k in range(min(max(count, 0), 10))]
    return [text.split(b"\0")[0].decode("latin-1").strip() for text in texts]


def _records(records: bytes, head: bytes, header: MrcHeader) -> dict[str, Any]:
    kind = header.extended_header
    if kind in {"FEI1", "FEI2"}:
        return _fei(records, header)
    numbers, flags = struct.unpack_from(f"{header.byte_order}2h", head, 128)
    if kind == "SERI" or (not kind and _seri_bytes(flags) == numbers > 0):
        return _seri(records, numbers, flags, header)
    is_old_fei = not kind and (numbers, flags) == _OLD_FEI_COUNTS
    if kind == "AGAR" or (is_old_fei and header.data_offset == HEADER_BYTES + _OLD_FEI_BYTES):
        return _agar(records, numbers, flags, header)
    lines = symmetry_lines(records)
    return {"symmetry": lines} if lines else {}


def symmetry_lines(records: bytes) -> list[str]:
    """Return the lines of text that an extended header holds (symmetry operators), if it holds text.

    Examples
    --------
    >>> symmetry_lines(b"X,  Y,  Z".ljust(80))
    ['X,  Y,  Z']
    """
    if len(records) % _SYMMETRY_LINE or not records.rstrip(b"\0 "):
        return []
    lines = [records[k : k + _SYMMETRY_LINE] for k in range(0, len(records), _SYMMETRY_LINE)]
    texts = [line.rstrip(b"\0 ") for line in lines]
    if not all(all(32 <= byte < 127 for byte in text) for text in texts):
        return []
    return [text.decode("ascii") for text in texts if text]


def serialem_float(first: Array, second: Array) -> Array:
    """Return the numbers that SerialEM keeps in two shorts each.

    Examples
    --------
    >>> serialem_float(np.array([20000]), np.array([-23 * 256 - 100])).round(4).tolist()
    [0.6104]
    """
    first, second = first.astype(np.int64), second.astype(np.int64)
    mantissa = np.abs(first) * 256 + np.abs(second) % 256
    exponent = np.sign(second) * (np.abs(second) // 256)
    value: Array = np.sign(first) * mantissa * 2.0**exponent
    return value


def _seri_bytes(flags: int) -> int:
    items = sum(2 * len(names) if factor else 4 for flag, names, factor in _SERI if flags & flag)
    return items + sum(size for flag, size in _SERI_RESERVED.items() if flags & flag)


def _seri(records: bytes, size: int, flags: int, header: MrcHeader) -> dict[str, Any]:
    if size < 2 or _seri_bytes(flags) != size:
        return {}
    sections = min(header.sections, len(records) // size)
    shorts = np.frombuffer(records[: sections * size], f"{header.byte_order}i2").reshape(sections, size // 2)
    found, place = {}, 0
    for flag, names, factor in _SERI:
        if not flags & flag:
            continue
        if factor is None:
            found[names[0]] = serialem_float(shorts[:, place], shorts[:, place + 1])
            place += 2
        else:
            for k, name in enumerate(names):
                found[name] = shorts[:, place + k] * factor
            place += len(names)
    return _for_each_section(found, header)


def _agar(records: bytes, integers: int, reals: int, header: MrcHeader) -> dict[str, Any]:
    """Return the records of Agard's format: so many integers and then so many reals a section."""
    if not (0 <= integers < 256 and 0 < reals < 256):
        integers, reals = 0, _AGAR_RECORD_BYTES // 4
    size = 4 * (integers + reals)
    sections = min(header.sections, len(records) // size)
    values = np.frombuffer(records[: sections * size], f"{header.byte_order}f4").reshape(sections, size // 4)
    columns = values[:, integers:].astype(np.float64)
    found = {name: columns[:, k] * factor for k, (name, factor) in enumerate(_AGAR[:reals])}
    return _for_each_section(found, header)


def _fei_record_bytes(beginning: bytes) -> int:
    sizes = [struct.unpack(f"{order}i", beginning)[0] for order in "<>"]
    return min([size for size in sizes if size > 0], default=0)


def _fei(records: bytes, header: MrcHeader) -> dict[str, Any]:
    """Return the fields that each record says it has: a bit of a mask stands for each."""
    from mrcfile.dtypes import get_ext_header_dtype

    size = _fei_record_bytes(records[:4]) if len(records) >= 4 else 0
    order = next((order for order in "<>" if records[:4] == struct.pack(f"{order}i", size)), "<")
    layout = get_ext_header_dtype(header.extended_header.encode(), order)
    if size < layout.itemsize:
        # Some writers state the older length for the newer records, and the other way round.
        layout = get_ext_header_dtype(b"FEI1", order)
    if size < layout.itemsize:
        return {}
    sections = min(header.sections, len(records) // size)
    table = np.frombuffer(records[: sections * size], np.uint8).reshape(sections, size)
    fields = np.ascontiguousarray(table[:, : layout.itemsize]).view(layout)[:, 0]
    there = _fei_fields_there(fields)
    native = {_plain_name(name): _native(fields[name]) for name in there}
    if "Applied defocus" in there:  # what was asked for; the other is what the lens adds up to
        fields = fields.copy()
        fields["Defocus"] = fields["Applied defocus"]
    common = {
        name: fields[field].astype(np.float64) * factor
        for name, (field, factor) in _FEI.items()
        if field in there
    }
    return _for_each_section(common, header) | {"fei": native}


def _fei_fields_there(fields: Array) -> list[str]:
    """Return the names of the fields whose bit is set in the first record."""
    found: list[str] = []
    mask, bit = 0, 0
    for name in fields.dtype.names or ():
        if name.startswith("Bitmask"):
            mask, bit = int(fields[name][0]) if len(fields) else 0, 0
        elif name == "Unused range":
            bit += _UNUSED_BITS
        elif not name.startswith("Metadata"):
            if mask >> bit & 1 and "reserved" not in name:
                found.append(name)
            bit += 1
    return found


def _native(values: Array) -> Array:
    if values.dtype.kind == "S":
        return np.array([value.split(b"\0")[0].decode("latin-1") for value in values])
    return values.astype(values.dtype.newbyteorder("="))


def _plain_name(name: str) -> str:
    return name.lower().replace(" ", "_").replace("-", "_")


def _for_each_section(found: dict[str, Array], header: MrcHeader) -> dict[str, Any]:
    """Return arrays as long as there are sections."""
    missing = [
        (name, header.sections - len(values))
        for name, values in found.items()
        if len(values) < header.sections
    ]
    for name, count in missing:
        found[name] = np.concatenate([found[name], np.full(count, math.nan)])
    return dict(found)
