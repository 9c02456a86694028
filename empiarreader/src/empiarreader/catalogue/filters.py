"""Conditions of a search of the catalogue: format, method, size, date, references."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from empiarreader.byteunits import parse_bytes
from empiarreader.errors import InvalidRequestError
from empiarreader.metadata.emdb import parse_emdb_id

_DATE = re.compile(r"\d{4}(-\d{2}(-\d{2})?)?")


def conditions_of(
    words: Mapping[str, str | None],
    *,
    sizes: tuple[int | str | None, int | str | None],
    dates: tuple[str | None, str | None],
) -> tuple[list[str], list[Any]]:
    """Return conditions in SQL and the values that stand in them.

    Parameters
    ----------
    words
        ``format``, ``method``, ``scale``, ``emdb`` and ``pdb``; None where it does not matter.
    sizes, dates
        Least and greatest; None where it does not matter.

    Raises
    ------
    InvalidRequestError
        If a size or a date makes no sense.
    """
    conditions: list[str] = []
    values: list[Any] = []

    def add(condition: str, value: Any) -> None:
        conditions.append(condition)
        values.append(value)

    if words["format"]:
        add("instr(formats, ?)", f"|{words['format'].upper()}|")
    if words["method"]:
        add("experiment_type = ? COLLATE NOCASE", words["method"])
    if words["scale"]:
        add("scale = ? COLLATE NOCASE", words["scale"])
    if words["emdb"]:
        add("instr(emdb, ?)", f"|{parse_emdb_id(words['emdb']) or words['emdb'].upper()}|")
    if words["pdb"]:
        add("instr(pdb, ?)", f"|{words['pdb'].upper()}|")
    for limit, comparison in zip(sizes, (">=", "<="), strict=True):
        if limit is not None:
            add(f"size_bytes {comparison} ?", _bytes(limit))
    if dates[0] is not None:
        add("release_date >= ?", _date(dates[0]))
    if dates[1] is not None:
        add("release_date <= ?", _date(dates[1]) + "\uffff")  # the whole of that month or year
    return conditions, values


def _bytes(size: int | str) -> int:
    number = parse_bytes(str(size))
    if number is None:
        raise InvalidRequestError(f"{size!r} is no size; give bytes, or a text such as '100 GB'")
    return number


def _date(text: str) -> str:
    if not _DATE.fullmatch(text):
        raise InvalidRequestError(f"{text!r} is no day, month or year; write 2024, 2024-06 or 2024-06-30")
    return text
