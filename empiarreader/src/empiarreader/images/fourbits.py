"""Counts of 4 bits, two in a byte: how cameras that count electrons one by one save half of a movie.

MRC has a mode for it (101), and TIFF a depth. SerialEM also writes them as files of plain bytes, half as wide
as the image; a flag, a title, or the size of the camera is all that tells.

Sources: IMOD's ``mrcfiles.c`` (``sizeCanBe4BitK2SuperRes``) and ``iitif.c``, as RELION's ``rwTIFF.h``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

TITLE = "4 bits packed"  # what SerialEM calls such files
# Height and stored width of K2 and K3 frames at super-resolution, upright and lying.
_CAMERAS = (
    (7420, 3838),
    (7676, 3710),
    (7424, 3840),
    (7680, 3712),
    (8184, 5760),
    (11520, 4092),
)
_TOLERANCE = 2


def is_half_a_camera(height: int, width: int) -> bool:
    """Return whether an image of bytes is just half as wide as frames of a camera at super-resolution are.

    Examples
    --------
    >>> is_half_a_camera(8184, 5760), is_half_a_camera(4092, 5760)
    (True, False)
    """
    return any(abs(height - y) <= _TOLERANCE and abs(width - x) <= _TOLERANCE for y, x in _CAMERAS)


def unpack(rows: NDArray[np.uint8]) -> NDArray[Any]:
    """Return the two values of each byte ``(…, y, byte)`` one after the other, that of the low half first.

    Examples
    --------
    >>> unpack(np.array([[0x21, 0x43]], "u1")).tolist()
    [[1, 2, 3, 4]]
    """
    pixels = np.stack([rows & 0x0F, rows >> 4], axis=-1)  # (…, y, byte, half)
    return pixels.reshape(*rows.shape[:-1], -1)
