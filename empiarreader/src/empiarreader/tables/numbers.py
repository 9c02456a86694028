"""Rows of numbers without a heading, as many small programs write them."""

from __future__ import annotations

import math

from empiarreader.errors import DamagedDataError
from empiarreader.tables.content import as_text

_SHOWN = 60


def parse_numbers(content: bytes, label: str, kind: str) -> list[list[float]]:
    """Return the numbers of each line that is not empty and no comment (``#``, ``;``); commas are spaces.

    Raises
    ------
    DamagedDataError
        If there are none, or a line holds something else.
    """
    rows = []
    for number, line in enumerate(as_text(content, label, kind).splitlines(), 1):
        words = line.partition("#")[0].partition(";")[0].replace(",", " ").split()
        if not words:
            continue
        row = [_number(word) for word in words]
        if any(math.isnan(value) for value in row):
            raise DamagedDataError(f"{label} is no {kind}: line {number} is {line.strip()[:_SHOWN]!r}")
        rows.append(row)
    if not rows:
        raise DamagedDataError(f"{label} is no {kind}: there is no number in it")
    return rows


def _number(word: str) -> float:
    try:
        value = float(word) if word.isascii() and "_" not in word else math.nan
    except ValueError:
        return math.nan
    return value if math.isfinite(value) else math.nan
