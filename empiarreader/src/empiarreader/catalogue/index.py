"""The catalogue of the whole archive: kept up to date in a few requests, searched without any."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from empiarreader import settings
from empiarreader.addresses import parse_entry_id
from empiarreader.catalogue.asking import fetch_range_of_entries
from empiarreader.catalogue.database import Database
from empiarreader.catalogue.filters import conditions_of
from empiarreader.catalogue.words import match_expression
from empiarreader.errors import EntryNotFoundError, LocalFileError

FIRST_ENTRY = 10_000
RANGE = 250
LAST_KNOWN_ENTRY = 13_192  # in October 2026; there are more by now, and gaps below it are no end
_EMPTY_RANGES = 2
_FRESH_SECONDS = 24 * 3600.0
# Titles count most, then what imagesets and papers say; names of people and identifiers are rarely meant.
_WEIGHTS = "10.0, 4.0, 4.0, 1.0, 6.0"


@dataclass(frozen=True, kw_only=True)
class CatalogueHit:
    """An entry that a search of the catalogue found.

    Attributes
    ----------
    entry_id : int
        Its number.
    title, experiment_type, release_date : str
        As the archive has them.
    formats, emdb : tuple of str
        Formats of its images, and entries of EMDB that belong to it.
    size_bytes : int or None
        As the archive states it, to a few figures.
    """

    entry_id: int
    title: str
    experiment_type: str
    release_date: str
    formats: tuple[str, ...]
    size_bytes: int | None
    emdb: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class CatalogueUpdate:
    """What an update did: requests made, entries that are new or have changed, entries in all."""

    requests: int
    new: int
    changed: int
    entries: int


class EmpiarIndex:
    """A local catalogue of all entries of EMPIAR.

    Parameters
    ----------
    path
        The database; None for ``catalogue.sqlite3`` in the cache folder.

    Examples
    --------
    >>> index = EmpiarIndex()
    >>> for hit in index.search("ribosome", format="TIFF") if len(index) else []:
    ...     print(hit.entry_id, hit.title)
    """

    def __init__(self, path: str | Path | None = None) -> None:
        self.path = Path(path) if path is not None else settings.cache_dir() / "catalogue.sqlite3"
        self._database = Database(self.path)

    def __len__(self) -> int:
        if not self.path.exists():
            return 0
        with self._database.open() as connection:
            (count,) = connection.execute("SELECT count(*) FROM entries").fetchone()
        return int(count)

    def __repr__(self) -> str:
        return f"EmpiarIndex({str(self.path)!r})"

    def update(
        self, *, refresh: bool = False, progress: Callable[[CatalogueUpdate], object] | None = None
    ) -> CatalogueUpdate:
        """Bring the catalogue up to date: one request for 250 numbers, until no more entries follow.

        What was asked for within the last day is not asked for again, so that an update that was interrupted
        goes on where it stopped.

        Parameters
        ----------
        refresh
            Ask for everything.
        progress
            Called after each request with what has been done so far.

        Raises
        ------
        ServiceError
            If EMPIAR cannot be asked; what came before stays.
        LocalFileError
            If the database cannot be written.
        """
        requests = new = changed = empty = 0
        known = self._database.ranges()
        first = FIRST_ENTRY
        while empty < _EMPTY_RANGES or first <= LAST_KNOWN_ENTRY:
            fetched, entries = known.get(first, (0.0, 0))
            if refresh or time.time() - fetched > _FRESH_SECONDS:
                records = fetch_range_of_entries(first, first + RANGE - 1)
                added, altered = self._database.keep(first, records, last=first + RANGE - 1)
                requests, new, changed, entries = requests + 1, new + added, changed + altered, len(records)
                if progress is not None:
                    progress(self._done(requests, new, changed))
            empty = 0 if entries else empty + 1
            first += RANGE
        return self._done(requests, new, changed)

    def _done(self, requests: int, new: int, changed: int) -> CatalogueUpdate:
        return CatalogueUpdate(requests=requests, new=new, changed=changed, entries=len(self))

    def search(
        self,
        text: str = "",
        *,
        format: str | None = None,
        method: str | None = None,
        scale: str | None = None,
        min_size: int | str | None = None,
        max_size: int | str | None = None,
        since: str | None = None,
        until: str | None = None,
        emdb: str | None = None,
        pdb: str | None = None,
        limit: int | None = 20,
        use_synonyms: bool = True,
    ) -> list[CatalogueHit]:
        """Find entries: those that match best first, or without words the newest first. Asks nobody.

        Parameters
        ----------
        text
            Words that must all occur in title, imagesets, papers, names of people or identifiers; in
            quotation marks together; a last ``*`` stands for any ending. A word such as ``gpcr`` stands for
            its synonyms, too.
        format
            Format of images: ``"TIFF"``, ``"EER"`` …
        method
            Type of experiment: ``"EMDB"``, ``"FIB-SEM"``, ``"ssET"`` …
        scale
            ``"molecule"``, ``"virus"``, ``"cell"``, ``"tissue"`` or ``"organism"``.
        min_size, max_size
            Bytes, or a text such as ``"100 GB"``. Entries of unknown size are left out.
        since, until
            Day, month or year of release: ``"2024"``, ``"2024-06"``, ``"2024-06-30"``.
        emdb, pdb
            An entry of EMDB or of the PDB that it belongs to.
        limit
            Greatest number of hits; None for all.
        use_synonyms
            Whether words stand for their synonyms.

        Raises
        ------
        LocalFileError
            If there is no catalogue yet.
        InvalidRequestError
            If an argument makes no sense.
        """
        conditions, values = conditions_of(
            {"format": format, "method": method, "scale": scale, "emdb": emdb, "pdb": pdb},
            sizes=(min_size, max_size),
            dates=(since, until),
        )
        if text.strip():
            conditions.insert(0, "words MATCH ?")
            values.insert(0, match_expression(text, use_synonyms=use_synonyms))
            source, order = "words JOIN entries ON entries.entry_id = words.rowid", f"bm25(words, {_WEIGHTS})"
        else:
            source, order = "entries", "release_date DESC"
        where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
        query = (
            "SELECT entry_id, entries.title, experiment_type, release_date, formats, size_bytes, emdb "
            f"FROM {source} {where} ORDER BY {order}, entry_id LIMIT ?"
        )
        self._must_exist()
        with self._database.open() as connection:
            rows = connection.execute(query, [*values, -1 if limit is None else limit]).fetchall()
        return [_hit(row) for row in rows]

    def record(self, entry: int | str) -> dict[str, Any]:
        """Return everything that the catalogue holds of an entry, as the API had it.

        Raises
        ------
        EntryNotFoundError
            If the catalogue has no such entry.
        """
        entry_id = parse_entry_id(entry)
        self._must_exist()
        with self._database.open() as connection:
            row = connection.execute("SELECT record FROM entries WHERE entry_id = ?", (entry_id,)).fetchone()
        if row is None:
            raise EntryNotFoundError(f"the catalogue has no entry {entry_id}; it may be older than the entry")
        found: dict[str, Any] = json.loads(row[0])
        return found

    def _must_exist(self) -> None:
        if not self.path.exists():
            raise LocalFileError(
                f"there is no catalogue {self.path} yet; make it with: empiarreader catalogue update"
            )


def _hit(row: tuple[Any, ...]) -> CatalogueHit:
    entry_id, title, experiment_type, release_date, formats, size_bytes, emdb = row
    return CatalogueHit(
        entry_id=entry_id,
        title=title,
        experiment_type=experiment_type,
        release_date=release_date,
        formats=tuple(filter(None, formats.split("|"))),
        size_bytes=size_bytes,
        emdb=tuple(filter(None, emdb.split("|"))),
    )
