"""Conditions of a search of the catalogue: format, method, size, date, references."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any, NamedTuple

from empiarreader.byteunits import describe_bytes, parse_bytes
from empiarreader.errors import InvalidRequestError
from empiarreader.metadata.emdb import parse_emdb_id

_DATE = re.compile(r"(\d{4})(?:-(\d{2})(?:-(\d{2}))?)?", re.ASCII)
_PDB_ID = re.compile(r"[0-9A-Z]{4}|PDB_[0-9A-Z]{8}")


class Condition(NamedTuple):
    """Something that must hold of an entry."""

    sql: str
    value: Any  # the one that stands in it
    says: str  # what no entry does, if it holds for none
    column: str = ""  # whose values are few, and can be named


@dataclass(frozen=True, kw_only=True)
class Filters:
    """What is asked of entries beside words, as :meth:`EmpiarIndex.search` has it; None for no matter."""

    format: str | None = None
    method: str | None = None
    scale: str | None = None
    min_size: int | str | None = None
    max_size: int | str | None = None
    since: str | None = None
    until: str | None = None
    emdb: str | int | None = None
    pdb: str | None = None
    released: bool = True

    def conditions(self) -> list[Condition]:
        """Return what must hold of an entry.

        Raises
        ------
        InvalidRequestError
            If a size, a date or an id makes no sense, or two of them contradict each other.
        """
        least, most = _bytes(self.min_size), _bytes(self.max_size)
        if least is not None and most is not None and least > most:
            raise InvalidRequestError(f"no size is at least {self.min_size} and at most {self.max_size}")
        first, last = _date(self.since), _date(self.until)
        if first and last and first > last + "~":
            raise InvalidRequestError(f"no day is since {first} and until {last}")
        emdb = None if self.emdb is None else f"|{_emdb_id(self.emdb)}|"
        pdb = None if self.pdb is None else f"|{_pdb_id(self.pdb)}|"
        wanted = [
            Condition(
                "instr(formats, ?)",
                self.format and f"|{self.format.strip().upper()}|",
                f"has the format {self.format!r}",
                "formats",
            ),
            Condition(
                "experiment_type = ? COLLATE NOCASE",
                self.method and self.method.strip(),
                f"has the method {self.method!r}",
                "experiment_type",
            ),
            Condition(
                "scale = ? COLLATE NOCASE",
                self.scale and self.scale.strip(),
                f"has the scale {self.scale!r}",
                "scale",
            ),
            Condition("instr(emdb, ?)", emdb, f"belongs to the entry {self.emdb} of EMDB"),
            Condition("instr(pdb, ?)", pdb, f"belongs to the entry {self.pdb} of the PDB"),
            Condition("size_bytes >= ?", least, f"has {describe_bytes(least or 0)} or more"),
            Condition("size_bytes <= ?", most, f"has {describe_bytes(most or 0)} or less"),
            Condition("release_date >= ?", first, f"was released since {first}"),
            # "~" is above all digits: the whole of that month or year. Entries without a day are left out.
            Condition("release_date BETWEEN '0' AND ?", last and last + "~", f"was released until {last}"),
            Condition("status IN ('REL', '') = ?", True if self.released else None, "is released"),
        ]
        return [condition for condition in wanted if condition.value not in {None, ""}]


def entries_where(expression: str, conditions: Iterable[Condition]) -> tuple[str, list[Any]]:
    """Return what follows FROM in a query for the entries that are meant, and the values in it.

    Parameters
    ----------
    expression
        Of the full text search; ``""`` for no matter which words.
    conditions
        All must hold.
    """
    wanted = [(condition.sql, condition.value) for condition in conditions]
    tables = "entries"
    if expression:
        tables = "words JOIN entries ON entries.entry_id = words.rowid"
        wanted.insert(0, ("words MATCH ?", expression))
    where = " AND ".join(sql for sql, _ in wanted) or "1"
    return f"{tables} WHERE {where}", [value for _, value in wanted]


def _bytes(size: int | str | None) -> int | None:
    if size is None:
        return None
    number = parse_bytes(str(size))
    if number is None:
        raise InvalidRequestError(f"{size!r} is no size; give bytes, or a text such as '100 GB'")
    return number


def _date(text: str | None) -> str | None:
    if text is None:
        return None
    match = _DATE.fullmatch(text.strip())
    try:
        if match is None:
            raise ValueError
        date(int(match[1]), int(match[2] or 1), int(match[3] or 1))
    except ValueError:
        raise InvalidRequestError(
            f"{text!r} is no day, month or year; write 2024, 2024-06 or 2024-06-30"
        ) from None
    return match[0]


def _emdb_id(text: str | int) -> str:
    """Return an EMDB id, also of a bare number: EMDB writes four figures at least."""
    bare = str(text).strip()
    if bare.isascii() and bare.isdigit() and len(bare) < 10:
        return f"EMD-{int(bare):04d}"
    found = parse_emdb_id(bare)
    if found is None:
        raise InvalidRequestError(f"{text!r} is no EMDB id; give one such as EMD-3197")
    return found


def _pdb_id(text: str) -> str:
    bare = text.strip().upper()
    if not _PDB_ID.fullmatch(bare):
        raise InvalidRequestError(f"{text!r} is no PDB id; give one such as 7QK5")
    return bare
