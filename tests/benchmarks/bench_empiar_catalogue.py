"""How many requests does the catalogue of the archive take, and how fast is it searched?

The archive has 3,000 entries of about 5 kB. A search is compared with the bare query of SQLite's full text
search that it comes down to, on a connection that is open already: what is beyond that is filters, ranking
by columns, synonyms, opening the file and making the hits.
"""

from __future__ import annotations

import json
import os
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from unittest.mock import patch

from empiar_entries import entry_record
from empiarreader import EmpiarIndex
from empiarreader.catalogue.words import match_expression
from perc_archive import Archive
from tests.benchmarks.tables import Table

QUESTIONS = ("ribosome", "spike", "gpcr", "ion channel krios", "nature 2024")
_DAY = 24 * 3600


def measure(folder: Path, *, entries: int = 3000, times: int = 5) -> Table:
    """Requests and seconds of updates, and best milliseconds of searches beside bare queries."""
    index = EmpiarIndex(folder / "catalogue.sqlite3")
    table = Table(
        "What does the catalogue of the archive cost?",
        ["what", "requests", "ms", "ms of the bare query", "times the bare query"],
    )
    last = 13_192
    step = (last - 10_002) / max(entries - 1, 1)
    numbers = sorted({10_002 + round(k * step) for k in range(entries)})
    with Archive(ftp=False) as archive, patch.dict(os.environ, archive.settings()):
        for number in numbers:
            archive.add_record("empiar", str(number), entry_record(number))
        _add_update(table, f"first update, {len(numbers)} entries", index)
        with closing(sqlite3.connect(index.path)) as connection, connection:
            connection.execute("UPDATE ranges SET fetched = fetched - ?", (2 * _DAY,))
        archive.add_record("empiar", str(last + 1), entry_record(last + 1))
        _add_update(table, "update two days later", index)
    size = sum(len(json.dumps(entry_record(number))) for number in numbers)
    with closing(sqlite3.connect(index.path)) as connection:
        for question in QUESTIONS:
            _add_search(table, question, index, connection, times)
    table.notes = (
        f"The records have {size / 1e6:.0f} MB, the catalogue {index.path.stat().st_size / 1e6:.0f} MB. "
        "The bare query is for the first twenty entries by rank, with the same words and synonyms."
    )
    return table


def _add_update(table: Table, what: str, index: EmpiarIndex) -> None:
    began = time.perf_counter()
    done = index.update()
    table.rows.append([what, str(done.requests), f"{1000 * (time.perf_counter() - began):.0f}", "", ""])


def _add_search(
    table: Table, question: str, index: EmpiarIndex, connection: sqlite3.Connection, times: int
) -> None:
    words = match_expression(question)
    bare = "SELECT rowid FROM words WHERE words MATCH ? ORDER BY rank LIMIT 20"

    def ask_bare() -> int:
        return len(connection.execute(bare, (words,)).fetchall())

    def ask() -> int:
        return len(index.search(question, max_size="900 TB", since="2015"))

    ask_bare(), ask()  # pages of both are in memory now
    seconds: dict[Callable[[], int], list[float]] = {ask: [], ask_bare: []}
    for _ in range(times):
        for each in seconds:
            began = time.perf_counter()
            each()
            seconds[each].append(time.perf_counter() - began)
    ours, theirs = (1000 * min(found) for found in seconds.values())
    table.rows.append([f"search: {question}", "0", f"{ours:.2f}", f"{theirs:.2f}", f"{ours / theirs:.1f}"])
