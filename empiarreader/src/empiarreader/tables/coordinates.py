"""Coordinates of particles: EMAN's ``.box``, and text tables with or without a heading.

All are in pixels of the image they were picked in, counted from 0 at its first row and column.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from empiarreader.errors import DamagedDataError
from empiarreader.tables.content import as_text
from empiarreader.tables.numbers import parse_numbers

if TYPE_CHECKING:
    import pandas

_BOX = ("x_corner", "y_corner", "width", "height")
_PLAIN = ("x", "y", "z")
_SEPARATORS = ("\t", ",", ";")


def parse_box(content: bytes, label: str) -> pandas.DataFrame:
    r"""Return one row a box: centre ``x``, ``y``, corner ``x_corner``, ``y_corner``, ``width``, ``height``.

    The corner is the pixel of the box with the smallest numbers, which EMAN calls the lower left: its images
    begin at the bottom. Further numbers of a line, which EMAN1 used for its own ends, are left out.

    Examples
    --------
    >>> parse_box(b"14 35 20 10\n", "a.box").to_dict("records")[0]["x"]
    24.0
    """
    import pandas

    rows = parse_numbers(content, label, "list of boxes")
    if any(len(row) < len(_BOX) for row in rows):
        raise DamagedDataError(f"{label} is no list of boxes: a row of it has not x, y, width and height")
    frame = pandas.DataFrame([row[: len(_BOX)] for row in rows], columns=list(_BOX), dtype="float64")
    frame.insert(0, "x", frame.x_corner + frame.width / 2)
    frame.insert(1, "y", frame.y_corner + frame.height / 2)
    return frame


def parse_text(content: bytes, label: str) -> pandas.DataFrame:
    r"""Return a text table: as it is where its first line names the columns, else as coordinates.

    With a heading (comma, tab, semicolon or spaces between the columns) all columns keep their names:
    topaz's are ``image_name``, ``x_coord``, ``y_coord``, ``score``. Without one, the first numbers of a line
    are ``x``, ``y`` and, where there are three and no more, ``z``; further ones are ``column_3`` and so on.

    Examples
    --------
    >>> parse_text(b"image_name\tx_coord\ty_coord\nm1\t7\t9\n", "picks.txt").to_dict("records")
    [{'image_name': 'm1', 'x_coord': 7, 'y_coord': 9}]
    >>> list(parse_text(b"1 2 3\n4 5 6\n", "a.coords").columns)
    ['x', 'y', 'z']
    """
    text = as_text(content, label, "table")
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    if not lines:
        raise DamagedDataError(f"{label} is empty; there is no table in it")
    try:
        parse_numbers(lines[0].encode(), label, "row")
    except DamagedDataError:
        return _with_heading(lines, label)
    return _without_heading(content, label)


def _with_heading(lines: list[str], label: str) -> pandas.DataFrame:
    import pandas

    separator = next((mark for mark in _SEPARATORS if mark in lines[0]), r"\s+")
    try:
        frame = pandas.read_csv(io.StringIO("\n".join(lines)), sep=separator, index_col=False)
    except Exception as error:  # whatever a parser meets in text from elsewhere
        raise DamagedDataError(f"{label} is no table: {error}") from error
    return frame.rename(columns=str.strip)


def _without_heading(content: bytes, label: str) -> pandas.DataFrame:
    import pandas

    rows = parse_numbers(content, label, "list of coordinates")
    width = max(map(len, rows))
    if min(map(len, rows)) != width or width < 2:
        raise DamagedDataError(
            f"{label} is no list of coordinates: its lines do not all hold as many numbers"
        )
    names = (
        _PLAIN[:width]
        if width <= len(_PLAIN)
        else [*_PLAIN[:2], *(f"column_{k}" for k in range(3, width + 1))]
    )
    return pandas.DataFrame(rows, columns=list(names), dtype="float64")
