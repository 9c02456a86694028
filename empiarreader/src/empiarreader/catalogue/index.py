"""The catalogue of the whole archive: kept up to date in a few requests, searched without any."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from empiarreader import settings
from empiarreader.addresses import parse_entry_id
from empiarreader.catalogue.database import Database
from empiarreader.catalogue.explaining import why_nothing
from empiarreader.catalogue.filters import Filters, entries_where
from empiarreader.catalogue.rows import listed_in
from empiarreader.catalogue.updating import CatalogueUpdate, Updater
from empiarreader.catalogue.words import expression_of, typed_expression
from empiarreader.errors import EntryNotFoundError, InvalidRequestError

# Titles count most, then what imagesets and papers say; names of people and identifiers are rarely meant.
_RANK = "bm25(words, 10.0, 4.0, 4.0, 1.0, 6.0)"
_ORDERS = {
    "newest": "release_date DESC, entry_id DESC",
    "smallest": "size_bytes IS NULL, size_bytes, entry_id",
    "largest": "size_bytes DESC, entry_id",
}
_SORTS = ("best", *_ORDERS)
_COLUMNS = (
    "entry_id, entries.title, status, experiment_type, scale, release_date, formats, size_bytes, emdb, pdb"
)


@dataclass(frozen=True, kw_only=True)
class CatalogueHit:
    """An entry that a search of the catalogue found.

    Attributes
    ----------
    entry_id : int
        Its number.
    title, status, experiment_type, scale, release_date : str
        As the archive has them; ``""`` where it says nothing.
    formats, emdb, pdb : tuple of str
        Formats of its images, and entries of EMDB and of the PDB that belong to it.
    size_bytes : int or None
        As the archive states it, to a few figures.
    """

    entry_id: int
    title: str
    status: str
    experiment_type: str
    scale: str
    release_date: str
    formats: tuple[str, ...]
    size_bytes: int | None
    emdb: tuple[str, ...]
    pdb: tuple[str, ...]


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
        return int(self._database.rows("SELECT count(*) FROM entries")[0][0])

    def __repr__(self) -> str:
        return f"EmpiarIndex({str(self.path)!r})"

    @property
    def updated(self) -> datetime | None:
        """When the archive was last asked for anything, None where there is no catalogue yet."""
        fetched = [when for when, _ in self._database.ranges().values()]
        return datetime.fromtimestamp(max(fetched), UTC) if fetched else None

    def update(
        self,
        *,
        refresh: bool = False,
        complete: bool = False,
        progress: Callable[[CatalogueUpdate], object] | None = None,
    ) -> CatalogueUpdate:
        """Bring the catalogue up to date: one request for 250 numbers, until no more entries follow.

        The last thousand numbers are asked for again after a day, those before them after a month. Each
        answer is kept as it comes, so that an update that was interrupted goes on where it stopped. Two
        updates at once do no harm.

        Parameters
        ----------
        refresh
            Ask for everything.
        complete
            Ask for each entry alone of which the API said too little when it was asked for many.
        progress
            Called after each request with what has been done so far.

        Raises
        ------
        ServiceError
            If EMPIAR cannot be asked, or answers with far fewer entries than it had; what came before stays.
        LocalFileError, DamagedDataError
            If the database cannot be written, or is none.
        """
        updater = Updater(self._database, progress)
        updater.ask_for_ranges(refresh=refresh)
        if complete:
            updater.ask_for_short_ones()
        return updater.done()

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
        emdb: str | int | None = None,
        pdb: str | None = None,
        author: str | None = None,
        released: bool = True,
        sort: str = "best",
        limit: int | None = 20,
        use_synonyms: bool = True,
    ) -> list[CatalogueHit]:
        """Find entries: those that match best first, or without words the newest first. Asks nobody.

        Parameters
        ----------
        text
            Words that must all occur in title, imagesets, papers, names of people or identifiers; in
            quotation marks together; a last ``*`` stands for any ending. ``OR`` between two of them, in
            capitals, wants one of both, and ``NOT`` before one wants it to be absent. A word stands for its
            plural or singular, and one such as ``gpcr`` for its synonyms, too; entries that hold the word
            itself come before those that hold a synonym. ``β2``, ``beta-2`` and ``beta2`` are the same.
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
        author
            Names that must all occur among its authors, or those of its papers.
        released
            Leave out entries that are withdrawn or not released yet.
        sort
            ``"best"``, ``"newest"``, ``"smallest"`` or ``"largest"`` first. Entries of unknown size are last.
        limit
            Greatest number of hits; None for all.
        use_synonyms
            Whether words stand for plurals, singulars and synonyms.

        Raises
        ------
        LocalFileError
            If there is no catalogue yet.
        InvalidRequestError
            If an argument makes no sense.
        """
        if limit is not None and limit < 1:
            raise InvalidRequestError(f"limit is {limit}; use 1 or more, or None for all")
        if sort not in _SORTS:
            raise InvalidRequestError(f"sort is {sort!r}; use {', '.join(_SORTS)}")
        filters = Filters(
            format=format,
            method=method,
            scale=scale,
            min_size=min_size,
            max_size=max_size,
            since=since,
            until=until,
            emdb=emdb,
            pdb=pdb,
            released=released,
        )
        expression = expression_of(text, author, use_synonyms=use_synonyms)
        source, values = entries_where(expression, filters.conditions())
        if sort == "best" and text.strip():
            order = _best_first(text, use_synonyms, values)
        else:
            order = _ORDERS.get(sort, _ORDERS["newest"])
        query = f"SELECT {_COLUMNS} FROM {source} ORDER BY {order} LIMIT ?"
        return [_hit(row) for row in self._database.rows(query, [*values, -1 if limit is None else limit])]

    def count(
        self, text: str = "", *, author: str | None = None, use_synonyms: bool = True, **filters: Any
    ) -> int:
        """Return how many entries :meth:`search` finds without a limit; takes what that takes."""
        expression = expression_of(text, author, use_synonyms=use_synonyms)
        source, values = entries_where(expression, _filters(filters).conditions())
        return int(self._database.rows(f"SELECT count(*) FROM {source}", values)[0][0])

    def why_nothing(
        self, text: str = "", *, author: str | None = None, use_synonyms: bool = True, **filters: Any
    ) -> str:
        """Return in a sentence why :meth:`search` found nothing, and what to try; takes what that takes."""
        return why_nothing(self._database, text, author, _filters(filters), use_synonyms=use_synonyms)

    def record(self, entry: int | str) -> dict[str, Any]:
        """Return everything that the catalogue holds of an entry, as the API had it.

        Raises
        ------
        EntryNotFoundError
            If the catalogue has no such entry.
        """
        entry_id = parse_entry_id(entry)
        rows = self._database.rows("SELECT record FROM entries WHERE entry_id = ?", (entry_id,))
        if not rows:
            raise EntryNotFoundError(f"the catalogue has no entry {entry_id}; it may be older than the entry")
        found: dict[str, Any] = json.loads(rows[0][0])
        return found


def _best_first(text: str, use_synonyms: bool, values: list[Any]) -> str:
    """Return the order by rank, adding what it needs to the values of the query."""
    rank = _RANK
    if use_synonyms:  # which match more, and mean less, than what was typed
        rank = f"{_RANK} * (1 + (entry_id IN (SELECT rowid FROM words WHERE words MATCH ?)))"
        values.append(typed_expression(text))
    try:
        own = parse_entry_id(text)
    except InvalidRequestError:
        own = 0
    return f"entry_id = {own} DESC, {rank}, entry_id"


def _filters(options: dict[str, Any]) -> Filters:
    try:
        return Filters(**options)
    except TypeError as error:
        raise InvalidRequestError(f"that cannot be asked of the catalogue: {error}") from error


def _hit(row: tuple[Any, ...]) -> CatalogueHit:
    entry_id, title, status, experiment_type, scale, release_date, formats, size_bytes, emdb, pdb = row
    return CatalogueHit(
        entry_id=entry_id,
        title=title,
        status=status,
        experiment_type=experiment_type,
        scale=scale,
        release_date=release_date,
        formats=listed_in(formats),
        size_bytes=size_bytes,
        emdb=listed_in(emdb),
        pdb=listed_in(pdb),
    )
