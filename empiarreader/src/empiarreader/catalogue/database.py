"""The catalogue's database: a row an entry, and an index of its words, by SQLite's full text search.

A change is one transaction: a program that is killed leaves what was there before. Two programs may change
it at once; the second waits.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from empiarreader.byteunits import describe_count
from empiarreader.catalogue.rows import Record, as_written, is_short, merged, row_of, words_of
from empiarreader.errors import DamagedDataError, LocalFileError, ServiceError

SCHEMA = 3
_CREATE = (
    """CREATE TABLE entries (
        entry_id INTEGER PRIMARY KEY, status TEXT, title TEXT, experiment_type TEXT, scale TEXT, formats TEXT,
        size_bytes INTEGER, release_date TEXT, emdb TEXT, pdb TEXT, short INTEGER, record TEXT
    )""",
    """CREATE VIRTUAL TABLE words USING fts5(
        title, imagesets, citations, people, identifiers, tokenize="unicode61 remove_diacritics 2"
    )""",
    "CREATE TABLE IF NOT EXISTS ranges (first INTEGER PRIMARY KEY, fetched REAL, entries INTEGER)",
)
_WAIT_SECONDS = 60.0
_LARGEST = 2**63 - 1
_FEW = 10


@dataclass(frozen=True, kw_only=True)
class Kept:
    """What taking in records did."""

    new: int = 0
    changed: int = 0
    removed: int = 0


class Database:
    """The file. Each method opens it for itself, so that an object can be pickled and used in any thread."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Give a connection to ask with.

        Raises
        ------
        LocalFileError
            If there is no catalogue, or it cannot be opened.
        DamagedDataError
            If the file is no catalogue.
        """
        if not self.path.exists():
            raise LocalFileError(
                f"there is no catalogue {self.path} yet; make it with: empiarreader catalogue update (or ask "
                "EBI Search, with --online)"
            )
        # Opened for writing where that is allowed: what a killed update left is undone by whoever comes next.
        with self._connected("rw") as connection:
            if _version(connection) != SCHEMA:
                self._renew(connection)
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """Give a connection whose changes are kept if the block ends well; makes the file if need be.

        Raises
        ------
        LocalFileError, DamagedDataError
            If it cannot be written, or something else is there.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LocalFileError(f"the catalogue {self.path} cannot be made: {error.strerror}") from error
        with self._connected("rwc") as connection, self._changing(connection):
            yield connection

    @contextmanager
    def _connected(self, mode: str) -> Iterator[sqlite3.Connection]:
        connection: sqlite3.Connection | None = None
        try:
            address = f"{self.path.absolute().as_uri()}?mode={mode}"
            connection = sqlite3.connect(address, uri=True, timeout=_WAIT_SECONDS, isolation_level=None)
            yield connection
        except sqlite3.OperationalError as error:
            raise LocalFileError(f"the catalogue {self.path} cannot be used: {error}") from error
        except sqlite3.DatabaseError as error:
            raise DamagedDataError(
                f"{self.path} is no catalogue, or damaged ({error}); remove it and run: "
                "empiarreader catalogue update"
            ) from error
        finally:
            if connection is not None:
                connection.close()

    def _renew(self, connection: sqlite3.Connection) -> None:
        try:
            with self._changing(connection):
                pass
        except sqlite3.OperationalError as error:
            raise LocalFileError(
                f"the catalogue {self.path} was made by an earlier version and cannot be made anew here "
                f"({error}); whoever may write there can: empiarreader catalogue update"
            ) from error

    @contextmanager
    def _changing(self, connection: sqlite3.Connection) -> Iterator[None]:
        with connection:  # ends the transaction, either way
            connection.execute("BEGIN IMMEDIATE")
            self._prepare(connection)
            yield

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Make the tables, or make them anew from the records of an older version."""
        version = _version(connection)
        if version == SCHEMA:
            return
        there = {
            name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
        }
        if version > SCHEMA or (there and not (version and {"entries", "words", "ranges"} <= there)):
            what = "was made by a later version" if version > SCHEMA else "is another database, no catalogue"
            raise DamagedDataError(f"{self.path} {what}; use another file, or remove it")
        records = connection.execute("SELECT entry_id, record FROM entries").fetchall() if version else []
        for table in there & {"entries", "words"}:
            connection.execute(f"DROP TABLE {table}")
        for statement in _CREATE:
            connection.execute(statement)
        for number, text in records:
            _insert(connection, number, json.loads(text))
        connection.execute(f"PRAGMA user_version = {SCHEMA}")

    def keep_range(self, first: int, last: int, records: Mapping[int, Record]) -> Kept:
        """Take in the records of all entries of a range, all or none; entries that have gone are removed.

        Raises
        ------
        ServiceError
            If more than half of what is known would go: an answer that is short, and not an archive that is.
        """
        with self.writing() as connection:
            known = _records(connection, first, last)
            gone = known.keys() - records.keys()
            if len(known) >= _FEW and 2 * len(gone) > len(known):
                raise ServiceError(
                    f"EMPIAR's API answered with {describe_count(len(records), 'entries')} "
                    f"from {first} to {last}, where the catalogue knows {len(known)}; it stays as it is. "
                    f"Try again later, or remove {self.path} to begin anew"
                )
            kept = _change(connection, known, records)
            for number in gone:
                _delete(connection, number)
            connection.execute(
                "INSERT OR REPLACE INTO ranges VALUES (?,?,?)", (first, time.time(), len(records))
            )
        return Kept(new=kept.new, changed=kept.changed, removed=len(gone))

    def keep_some(self, records: Mapping[int, Record]) -> Kept:
        """Take in records of single entries."""
        if not records:
            return Kept()
        with self.writing() as connection:
            known = _records(connection, min(records), max(records))
            return _change(connection, known, records)

    def ranges(self) -> dict[int, tuple[float, int]]:
        """Return when each range was asked for, and how many entries it had."""
        if not self.path.exists():
            return {}
        with self.reading() as connection:
            rows = connection.execute("SELECT first, fetched, entries FROM ranges").fetchall()
        return {first: (fetched, entries) for first, fetched, entries in rows}

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows that a query gives."""
        with self.reading() as connection:
            return connection.execute(query, _storable(values)).fetchall()

    def words(self, first: str, lengths: range) -> list[str]:
        """Return the words that occur anywhere, as the index holds them, with a beginning and of a length."""
        with self.reading() as connection:
            connection.execute("CREATE VIRTUAL TABLE temp.vocabulary USING fts5vocab(main, words, row)")
            query = (
                "SELECT term FROM vocabulary WHERE term >= ? AND term < ? AND length(term) BETWEEN ? AND ?"
            )
            values = (first, first + "\U0010ffff", lengths.start, lengths.stop - 1)
            return [term for (term,) in connection.execute(query, values)]


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _records(connection: sqlite3.Connection, first: int, last: int) -> dict[int, str]:
    query = "SELECT entry_id, record FROM entries WHERE entry_id BETWEEN ? AND ?"
    return dict(connection.execute(query, (first, last)))


def _change(connection: sqlite3.Connection, known: Mapping[int, str], records: Mapping[int, Record]) -> Kept:
    """Write what differs from what is known."""
    new = changed = 0
    for number, record in sorted(records.items()):
        before = known.get(number)
        if before is not None and is_short(record):
            record = merged(json.loads(before), record)
        if before == as_written(record):
            continue
        if before is None:
            new += 1
        else:
            changed += 1
            _delete(connection, number)
        _insert(connection, number, record)
    return Kept(new=new, changed=changed)


def _insert(connection: sqlite3.Connection, number: int, record: Record) -> None:
    connection.execute(
        "INSERT INTO entries VALUES (?,?,?,?,?,?,?,?,?,?,?,?)", _storable(row_of(number, record))
    )
    connection.execute(
        "INSERT INTO words (rowid, title, imagesets, citations, people, identifiers) VALUES (?,?,?,?,?,?)",
        _storable(words_of(number, record)),
    )


def _delete(connection: sqlite3.Connection, number: int) -> None:
    connection.execute("DELETE FROM entries WHERE entry_id = ?", (number,))
    connection.execute("DELETE FROM words WHERE rowid = ?", (number,))


def _storable(values: Sequence[Any]) -> tuple[Any, ...]:
    """Return values that SQLite takes: text of UTF-8, without lone surrogates, and integers of 64 bits."""

    def taken(value: Any) -> Any:
        if isinstance(value, str):
            return value.encode(errors="replace").decode()
        return max(-_LARGEST, min(value, _LARGEST)) if isinstance(value, int) else value

    return tuple(map(taken, values))
