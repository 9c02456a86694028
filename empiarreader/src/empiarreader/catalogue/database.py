"""The catalogue's database: a row an entry, and an index of its words, by SQLite's full text search."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from empiarreader.errors import DamagedDataError, LocalFileError
from empiarreader.metadata.records import (
    Imageset,
    as_text,
    emdb_references,
    parse_dataset_size,
    read_citations,
    read_imagesets,
    read_people,
    read_references,
)

SCHEMA = 1
_CREATE = """
CREATE TABLE IF NOT EXISTS entries (
    entry_id INTEGER PRIMARY KEY, status TEXT, title TEXT, experiment_type TEXT, scale TEXT, formats TEXT,
    size_bytes INTEGER, release_date TEXT, update_date TEXT, emdb TEXT, pdb TEXT, record TEXT
);
CREATE VIRTUAL TABLE IF NOT EXISTS words USING fts5(
    title, imagesets, citations, people, identifiers, tokenize="unicode61 remove_diacritics 2"
);
CREATE TABLE IF NOT EXISTS ranges (first INTEGER PRIMARY KEY, fetched REAL, entries INTEGER);
"""


class Database:
    """The file. Each method opens it for itself, so that an object can be pickled and used in any thread."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def open(self, *, create: bool = False) -> Iterator[sqlite3.Connection]:
        """Give a connection whose changes are kept if the block ends well.

        Raises
        ------
        LocalFileError
            If it cannot be opened or written.
        DamagedDataError
            If it is no catalogue of this version.
        """
        connection: sqlite3.Connection | None = None
        try:
            if create:
                self.path.parent.mkdir(parents=True, exist_ok=True)
            mode = "rwc" if create else "ro"
            address = f"{self.path.absolute().as_uri()}?mode={mode}"
            connection = sqlite3.connect(address, uri=True, timeout=60.0)
            if create:
                self._prepare(connection)
            with connection:
                yield connection
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise LocalFileError(f"the catalogue {self.path} cannot be used: {error}") from error
            raise DamagedDataError(
                f"{self.path} is no catalogue ({error}); remove it and run: empiarreader catalogue update"
            ) from error
        except OSError as error:
            raise LocalFileError(f"the catalogue {self.path} cannot be used: {error}") from error
        finally:
            if connection is not None:
                connection.close()

    def _prepare(self, connection: sqlite3.Connection) -> None:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if version not in {0, SCHEMA}:
            raise DamagedDataError(
                f"{self.path} is a catalogue of another version; remove it and run: "
                "empiarreader catalogue update"
            )
        connection.executescript(_CREATE)
        connection.execute(f"PRAGMA user_version = {SCHEMA}")

    def keep(self, first: int, records: Mapping[int, Mapping[str, Any]], *, last: int) -> tuple[int, int]:
        """Take in the records of a range of numbers, all or none; entries that have gone are removed.

        Returns
        -------
        int, int
            How many are new, and how many have changed.
        """
        with self.open(create=True) as connection:
            known = dict(
                connection.execute(
                    "SELECT entry_id, record FROM entries WHERE entry_id BETWEEN ? AND ?", (first, last)
                )
            )
            written = {number: json.dumps(record, sort_keys=True) for number, record in records.items()}
            changed = {number for number, text in written.items() if known.get(number) != text}
            for number in {*changed, *(known.keys() - written.keys())}:
                connection.execute("DELETE FROM entries WHERE entry_id = ?", (number,))
                connection.execute("DELETE FROM words WHERE rowid = ?", (number,))
            for number in sorted(changed):
                connection.execute(
                    "INSERT INTO entries VALUES (?,?,?,?,?,?,?,?,?,?,?,?)",
                    (*_row(number, records[number]), written[number]),
                )
                connection.execute(
                    "INSERT INTO words (rowid, title, imagesets, citations, people, identifiers) "
                    "VALUES (?,?,?,?,?,?)",
                    _words(number, records[number]),
                )
            connection.execute(
                "INSERT OR REPLACE INTO ranges VALUES (?,?,?)", (first, time.time(), len(records))
            )
            return len(changed - known.keys()), len(changed & known.keys())

    def ranges(self) -> dict[int, tuple[float, int]]:
        """Return when each range was asked for, and how many entries it had."""
        if not self.path.exists():
            return {}
        with self.open() as connection:
            rows = connection.execute("SELECT first, fetched, entries FROM ranges").fetchall()
        return {first: (fetched, entries) for first, fetched, entries in rows}


def _row(number: int, record: Mapping[str, Any]) -> tuple[Any, ...]:
    formats = sorted({item.data_format.upper() for item in read_imagesets(record) if item.data_format})
    return (
        number,
        as_text(record.get("status")),
        as_text(record.get("title")),
        as_text(record.get("experiment_type")),
        as_text(record.get("scale")),
        _listed(formats),
        parse_dataset_size(record.get("dataset_size")),
        as_text(record.get("release_date")),
        as_text(record.get("update_date")),
        _listed(emdb_references(record)),
        _listed(name.upper() for name in read_references(record.get("related_pdb_entries"))),
    )


def _listed(words: Iterable[str]) -> str:
    """Return words in one text in which ``|word|`` finds each of them and no part of one."""
    return "".join(f"|{word}" for word in words) + "|"


def _words(number: int, record: Mapping[str, Any]) -> tuple[Any, ...]:
    imagesets, citations = read_imagesets(record), read_citations(record)
    people = [*read_people(record.get("authors")), *(name for item in citations for name in item.authors)]
    references = [*emdb_references(record), *read_references(record.get("related_pdb_entries"))]
    return (
        number,
        as_text(record.get("title")),
        " ".join(map(_text_of, imagesets)),
        " ".join(f"{item.title} {item.journal}" for item in citations),
        " ".join(people),
        " ".join([f"EMPIAR-{number}", as_text(record.get("entry_doi")), *references]),
    )


def _text_of(imageset: Imageset) -> str:
    return f"{imageset.name} {imageset.category} {imageset.data_format} {imageset.details}"
