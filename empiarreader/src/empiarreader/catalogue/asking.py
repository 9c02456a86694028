"""Questions about many entries at once, and about single ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from empiarreader import settings
from empiarreader.errors import ServiceError
from empiarreader.metadata.api import select_record
from empiarreader.network.patience import ATTEMPTS
from empiarreader.network.transport import open_answer, with_retries

_LARGEST_ANSWER_BYTES = 512 * 1024 * 1024
_LARGEST_RECORD_BYTES = 64 * 1024 * 1024
_SMALLEST_RANGE = 32
_BEFORE_HALVES = 3
# A server that finds a range too much may say so with these, or say nothing at all.
_TOO_MUCH = frozenset({None, 408, 413, 500, 502, 504})


def fetch_range_of_entries(
    first: int, last: int, *, asked: Callable[[], object] = lambda: None
) -> dict[int, dict[str, Any]]:
    """Return the records of all entries in a range of numbers: one request.

    Where the API cannot answer for all of them in time, each half is asked for alone.

    Parameters
    ----------
    first, last
        Both belong to the range.
    asked
        Called once for each range that was asked for.

    Raises
    ------
    ServiceError
        If the API cannot be asked, or answers with something that is no list of records.
    """
    if settings.offline():
        raise ServiceError(
            "EMPIARREADER_OFFLINE is set; the catalogue is brought up to date where there is a network, and "
            "its file, catalogue.sqlite3 in the cache folder there, may be copied"
        )
    url = f"{settings.api_url()}/entry/"
    is_small = last - first < _SMALLEST_RANGE

    def ask(_: int) -> dict[int, dict[str, Any]]:
        # The body is the range itself, without quotation marks.
        content = f"{first}-{last}".encode()
        headers = {"Content-Type": "application/json"}
        # A range takes longer than what else is asked of the host, and is given the whole time-out at once.
        with open_answer("POST", url, headers=headers, body=content, attempt=ATTEMPTS - 1) as answer:
            body = answer.body(limit_bytes=_LARGEST_ANSWER_BYTES)
        return _records(_json(body, url), url, first, last)

    try:
        asked()
        return with_retries(ask) if is_small else with_retries(ask, attempts=_BEFORE_HALVES)
    except ServiceError as error:
        if is_small or not error.retryable or error.status not in _TOO_MUCH:
            raise
    middle = (first + last) // 2
    return {
        **fetch_range_of_entries(first, middle, asked=asked),
        **fetch_range_of_entries(middle + 1, last, asked=asked),
    }


def fetch_one_entry(number: int) -> dict[str, Any]:
    """Return what the API says of an entry when it is asked for that alone.

    Raises
    ------
    EntryNotFoundError, ArchiveFileNotFoundError
        If it says that there is none.
    ServiceError
        If it cannot be asked.
    """
    url = f"{settings.api_url()}/entry/{number}/"

    def ask(attempt: int) -> dict[str, Any]:
        with open_answer("GET", url, attempt=attempt) as answer:
            return select_record(_json(answer.body(limit_bytes=_LARGEST_RECORD_BYTES), url), number)

    return with_retries(ask)


def _json(body: bytes, url: str) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ServiceError(f"{url} answered with something that is no JSON", retryable=True) from error


def _records(answer: Any, url: str, first: int, last: int) -> dict[int, dict[str, Any]]:
    if not isinstance(answer, Mapping):
        raise ServiceError(f"{url} answered with JSON that is no list of entries: {str(answer)[:80]!r}")
    found = {}
    for name, record in answer.items():
        number = str(name).upper().removeprefix("EMPIAR-")
        is_number = number.isascii() and number.isdigit() and len(number) < 10
        if is_number and first <= int(number) <= last and isinstance(record, dict):
            found[int(number)] = record
    return found
