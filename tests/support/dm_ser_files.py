"""DM3, DM4 and SER files made by hand, with images and pixels that are not square.

Sources: https://www.er-c.org/cbb/info/dmformat/ (Boothroyd's description of DM3 and DM4) and
https://www.ntu.edu.sg/home/cbb/info/TIAformat/ (his description of SER). ncempy reads what is written, too.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np

_CODES = {"int16": (2, 1), "uint16": (4, 10), "float32": (6, 2)}  # of values in tags, and of images
_SER_CODES = {"uint16": 2, "int16": 5, "float32": 7}
_ULONG, _FLOAT, _USHORT, _ARRAY = 5, 6, 4, 20


def dm_bytes(
    image: np.ndarray[Any, Any], pixel_size: tuple[float, ...], units: str, *, version: int
) -> bytes:
    """Return a DigitalMicrograph file of one image, ``(y, x)`` or ``(frame, y, x)``.

    Parameters
    ----------
    image
        Its pixels.
    pixel_size
        Length of a pixel along each axis of the image, in array order.
    units
        Of all axes but that of frames.
    version
        3 or 4.
    """
    wide = ">q" if version == 4 else ">i"
    code, kind = _CODES[image.dtype.name]

    def tag(name: str, mark: int, body: bytes) -> bytes:
        length = struct.pack(">q", len(body)) if version == 4 else b""
        return struct.pack(">BH", mark, len(name)) + name.encode() + length + body

    def group(*tags: bytes) -> bytes:
        return b"\1\0" + struct.pack(wide, len(tags)) + b"".join(tags)

    def value(name: str, info: list[int], body: bytes) -> bytes:
        described = struct.pack(wide, len(info)) + b"".join(struct.pack(wide, part) for part in info)
        return tag(name, 21, b"%%%%" + described + body)

    def number(name: str, kind: int, form: str, of: float) -> bytes:
        return value(name, [kind], struct.pack(form, of))

    def text(name: str, of: str) -> bytes:
        return value(name, [_ARRAY, _USHORT, len(of)], of.encode("utf-16-le"))

    def calibration(name: str, scale: float, unit: str) -> bytes:
        parts = number("Origin", _FLOAT, "<f", 0.0), number("Scale", _FLOAT, "<f", scale), text("Units", unit)
        return tag(name, 20, group(*parts))

    axes = list(zip(image.shape, pixel_size, ["", units, units][-image.ndim :], strict=True))[::-1]  # x first
    lengths = [number("", _ULONG, "<I", length) for length, _, _ in axes]
    scales = [calibration("", scale, unit) for _, scale, unit in axes]
    calibrations = group(calibration("Brightness", 1.0, ""), tag("Dimension", 20, group(*scales)))
    data = group(
        tag("Calibrations", 20, calibrations),
        value("Data", [_ARRAY, code, image.size], image.astype(image.dtype.newbyteorder("<")).tobytes()),
        number("DataType", _ULONG, "<I", kind),
        tag("Dimensions", 20, group(*lengths)),
        number("PixelDepth", _ULONG, "<I", image.itemsize),
    )
    described = group(tag("ImageData", 20, data), tag("ImageTags", 20, group()), text("Name", "made"))
    root = group(tag("ImageList", 20, group(tag("", 20, described))))
    return struct.pack(">i", version) + struct.pack(wide, len(root)) + struct.pack(">i", 1) + root + bytes(8)


def ser_bytes(images: np.ndarray[Any, Any], pixel_size: tuple[float, float]) -> bytes:
    """Return a TIA file of a series of images ``(frame, y, x)``.

    Parameters
    ----------
    images
        Their pixels.
    pixel_size
        Along y and x, in metres.
    """
    count, y, x = map(int, images.shape)
    dimension = struct.pack("<IddIII", count, 0.0, 1.0, 0, 0, 0)  # without a description or units
    table = 30 + len(dimension)
    first = table + 8 * count
    body, places = bytearray(), list[int]()
    for image in images:
        places.append(first + len(body))
        body += struct.pack("<ddI", 0.0, pixel_size[1], 0) + struct.pack("<ddI", 0.0, pixel_size[0], 0)
        body += struct.pack("<HII", _SER_CODES[images.dtype.name], x, y)
        body += image[::-1].astype(image.dtype.newbyteorder("<")).tobytes()  # the lowest row first
    tags = first + len(body)
    head = struct.pack("<HHHIIIIII", 0x4949, 0x0197, 0x0210, 0x4122, 0x4152, count, count, table, 1)
    offsets = struct.pack(f"<{2 * count}I", *places, *(tags + 8 * k for k in range(count)))
    return head + dimension + offsets + body + struct.pack("<HHI", 0x4152, 0, 0) * count
