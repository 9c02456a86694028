"""Counts of 4 bits, two in a byte, as cameras that count electrons write them at super-resolution.

MRC has a mode for them (101) and TIFF a depth. SerialEM also writes them as plain bytes in images of half the
width; a flag, a title or the size of a camera is all that tells.

Sources: IMOD's ``mrcfiles.c`` (``sizeCanBe4BitK2SuperRes``) and ``iitif.c``, and RELION's ``rwTIFF.h``.
"""

from __future__ import annotations

import numpy as np

from caked.protocol import Array

__all__ = ["TITLE", "is_half_a_camera", "unpacked"]

TITLE = "4 bits packed"  # of SerialEM, about such a file
# (y, x) as stored: K2 and K3 at super-resolution, standing and lying, some with their edges left out.
_HALVES = ((7420, 3838), (7676, 3710), (7424, 3840), (7680, 3712), (8184, 5760), (11520, 4092))
_MARGIN = 2


def is_half_a_camera(y: int, x: int) -> bool:
    """Return whether ``(y, x)`` bytes are a frame of a camera at super-resolution, two pixels in each.

    Examples
    --------
    >>> is_half_a_camera(7420, 3838), is_half_a_camera(7420, 7676)
    (True, False)
    """
    return any(abs(y - height) <= _MARGIN and abs(x - width) <= _MARGIN for height, width in _HALVES)


def unpacked(packed: Array, width: int) -> Array:
    """Return the values ``(..., y, x)`` in bytes ``(..., y, (x + 1) // 2)``; the low halves come first.

    Examples
    --------
    >>> unpacked(np.array([[0x21, 0x43]], dtype=np.uint8), 3).tolist()
    [[1, 2, 3]]
    """
    values = np.empty((*packed.shape[:-1], 2 * packed.shape[-1]), dtype=np.uint8)
    values[..., 0::2], values[..., 1::2] = packed & 15, packed >> 4
    return values[..., :width]
