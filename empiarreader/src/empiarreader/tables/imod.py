"""IMOD's plain tables of a tilt series: angles (``.tlt``, ``.rawtlt``) and transforms (``.xf``).

Source: https://bio3d.colorado.edu/imod/doc/man/tiltxcorr.html and newstack.html (transforms).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from empiarreader.errors import DamagedDataError
from empiarreader.tables.numbers import parse_numbers

if TYPE_CHECKING:
    import pandas

TRANSFORM = ("a11", "a12", "a21", "a22", "dx", "dy")


def parse_tlt(content: bytes, label: str) -> pandas.DataFrame:
    """Return the column ``tilt_angle`` (degrees), one row an image in the order of the stack.

    Angles that stand in one line are taken one after the other.
    """
    import pandas

    rows = parse_numbers(content, label, "list of tilt angles")
    return pandas.DataFrame({"tilt_angle": [angle for row in rows for angle in row]}, dtype="float64")


def parse_xf(content: bytes, label: str) -> pandas.DataFrame:
    """Return the columns ``a11 a12 a21 a22 dx dy``, one row an image in the order of the stack.

    A point ``(x, y)`` of the image, from its centre, moves to ``(a11 x + a12 y + dx, a21 x + a22 y + dy)``;
    shifts are in pixels of the image that was aligned.
    """
    import pandas

    rows = parse_numbers(content, label, "list of transforms")
    if any(len(row) != len(TRANSFORM) for row in rows):
        raise DamagedDataError(f"{label} is no list of transforms: a row of it has not six numbers")
    return pandas.DataFrame(rows, columns=list(TRANSFORM), dtype="float64")
