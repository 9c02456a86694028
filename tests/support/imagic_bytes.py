"""IMAGIC files made from the published table of header words, independently of the reader.

https://www.imagescience.de/formats.html counts words of four bytes from 1, 256 of them an image.
"""

from __future__ import annotations

import struct
from typing import Literal

import numpy as np
from numpy.typing import NDArray

# name: (word, type); types are those of the table, "A" are letters.
WORDS = {
    "IMN": (1, "I"),
    "IFOL": (2, "I"),
    "IERROR": (3, "I"),
    "NBLOCKS": (4, "I"),
    "RSIZE": (11, "I"),
    "IXLP": (13, "I"),
    "IYLP": (14, "I"),
    "TYPE": (15, "A"),
    "NAME": (30, "A"),
    "IZLP": (61, "I"),
    "I4LP": (62, "I"),
    "IMAVERS": (68, "I"),
    "REALTYPE": (69, "I"),
    "PIXSIZ": (123, "F"),
}
TYPES = {"u1": b"PACK", "i2": b"INTG", "i4": b"LONG", "f4": b"REAL", "c8": b"COMP"}
STAMPS = {"<": 33686018, ">": 67372036}


def imagic_pair(
    images: NDArray[np.generic],
    *,
    order: Literal["<", ">"] = "<",
    pixel_size: float = 0.0,
    volume: bool = False,
) -> tuple[bytes, bytes]:
    """Return the contents of ``.hed`` and ``.img`` for images ``(n, lines, pixels)``."""
    count, lines, pixels = images.shape
    records = []
    for number in range(count):
        values: dict[str, int | float | bytes] = {
            "IMN": number + 1,
            "IFOL": count - 1 if number == 0 else 0,
            "NBLOCKS": 1,
            "RSIZE": lines * pixels * images.dtype.itemsize,
            "IXLP": lines,
            "IYLP": pixels,
            "TYPE": TYPES[images.dtype.str[1:]],
            "NAME": b"made for a test",
            "IZLP": count if volume else 1,
            "I4LP": 1 if volume else count,
            "IMAVERS": 20230101,
            "REALTYPE": STAMPS[order],
            "PIXSIZ": pixel_size,
        }
        record = bytearray(1024)
        for name, value in values.items():
            word, kind = WORDS[name]
            place = 4 * (word - 1)
            if kind == "A":
                assert isinstance(value, bytes)
                record[place : place + len(value)] = value
            else:
                struct.pack_into(order + ("i" if kind == "I" else "f"), record, place, value)
        records.append(bytes(record))
    return b"".join(records), images.astype(images.dtype.newbyteorder(order)).tobytes()
