"""Keeping the catalogue up to date: which ranges of numbers are asked for, and when.

Most of what happens in the archive happens to its latest entries. So the last thousand numbers are asked for
again after a day, and those before them after a month.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from empiarreader.catalogue.asking import fetch_one_entry, fetch_range_of_entries
from empiarreader.catalogue.database import Database
from empiarreader.errors import ArchiveFileNotFoundError, EntryNotFoundError, ServiceError
from empiarreader.threads import Threads

FIRST_ENTRY = 10_000
RANGE = 250
LAST_KNOWN_ENTRY = 13_192  # in October 2026; there are more by now, and gaps below it are no end
_EMPTY_RANGES = 2
_LATEST = 1000
_FRESH_SECONDS = 24 * 3600.0
_SETTLED_SECONDS = 30 * 24 * 3600.0
_AT_ONCE = 8
_KEPT_AT_ONCE = 64


@dataclass(frozen=True, kw_only=True)
class CatalogueUpdate:
    """What an update did.

    Attributes
    ----------
    requests, expected : int
        Questions that were sent, and how many it will take in all, about.
    new, changed, removed : int
        Entries.
    entries : int
        Entries in all.
    short : int
        Entries of which the API said little when asked for many at once; ``complete`` asks for each.
    """

    requests: int = 0
    expected: int = 0
    new: int = 0
    changed: int = 0
    removed: int = 0
    entries: int = 0
    short: int = 0


class Updater:
    """One update of a catalogue; each range is kept as it comes."""

    def __init__(self, database: Database, progress: Callable[[CatalogueUpdate], object] | None) -> None:
        self._database = database
        self._progress = progress
        self._requests = self._expected = self._new = self._changed = self._removed = 0

    def ask_for_ranges(self, *, refresh: bool) -> None:
        """Ask for all ranges that are due, until no more entries follow.

        Raises
        ------
        ServiceError
            If EMPIAR cannot be asked, or answers with no entry at all; what came before stays.
        """
        known = self._database.ranges()
        newest = self._newest()
        last = max(LAST_KNOWN_ENTRY, newest)

        def is_due(first: int) -> bool:
            return refresh or _is_due(first, known.get(first, (0.0, 0))[0], newest)

        self._expected = sum(map(is_due, range(FIRST_ENTRY, last + _EMPTY_RANGES * RANGE, RANGE)))
        first, empty = FIRST_ENTRY, 0
        while empty < _EMPTY_RANGES or first <= last:
            entries = known.get(first, (0.0, 0))[1]
            if is_due(first):
                entries = self._ask_for_range(first)
            empty = 0 if entries else empty + 1
            first += RANGE
        if self._requests and not self._newest():
            raise ServiceError("EMPIAR's API answered with no entry at all, which cannot be right")

    def ask_for_short_ones(self) -> None:
        """Ask for each entry of which little is known: eight requests at once."""
        rows = self._database.rows("SELECT entry_id FROM entries WHERE short ORDER BY entry_id")
        numbers = [number for (number,) in rows]
        self._expected = self._requests + len(numbers)
        for part in (numbers[k : k + _KEPT_AT_ONCE] for k in range(0, len(numbers), _KEPT_AT_ONCE)):
            kept = self._database.keep_some(dict(_details(part)))
            self._requests += len(part)
            self._changed += kept.changed
            self._tell()

    def done(self) -> CatalogueUpdate:
        """Return what has been done so far."""
        ((entries, short),) = self._database.rows("SELECT count(*), total(short) FROM entries")
        return CatalogueUpdate(
            requests=self._requests,
            expected=max(self._expected, self._requests),
            new=self._new,
            changed=self._changed,
            removed=self._removed,
            entries=entries,
            short=int(short),
        )

    def _ask_for_range(self, first: int) -> int:
        last = first + RANGE - 1
        records = fetch_range_of_entries(first, last, asked=self._count_request)
        kept = self._database.keep_range(first, last, records)
        self._new += kept.new
        self._changed += kept.changed
        self._removed += kept.removed
        self._tell()
        return len(records)

    def _count_request(self) -> None:
        self._requests += 1

    def _newest(self) -> int:
        if not self._database.path.exists():
            return 0
        return int(self._database.rows("SELECT ifnull(max(entry_id), 0) FROM entries")[0][0])

    def _tell(self) -> None:
        if self._progress is not None:
            self._progress(self.done())


def _is_due(first: int, fetched: float, newest: int) -> bool:
    """Return whether a range is asked for again; one from the future is, as a clock was wrong."""
    is_settled = first + RANGE + _LATEST <= newest
    return not 0 <= time.time() - fetched <= (_SETTLED_SECONDS if is_settled else _FRESH_SECONDS)


def _details(numbers: list[int]) -> Iterator[tuple[int, dict[str, object]]]:
    """Yield the records of entries that the API has; waits for none of them after an error."""
    with Threads(_AT_ONCE, "empiarreader-catalogue") as workers:
        for number, future in [(number, workers.submit(fetch_one_entry, number)) for number in numbers]:
            try:
                yield number, future.result()
            except (EntryNotFoundError, ArchiveFileNotFoundError):
                continue  # withdrawn since; its range will say so
