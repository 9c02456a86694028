"""Search without a catalogue: EBI Search knows titles and descriptions of all entries."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from empiarreader import settings
from empiarreader.addresses import parse_entry_id
from empiarreader.errors import InvalidRequestError, ServiceError
from empiarreader.network.transport import open_answer, with_retries

_PAGE = 100
_LARGEST_PAGE_BYTES = 16 * 1024 * 1024
_FIELDS = "id,title,release_date"


@dataclass(frozen=True, kw_only=True)
class OnlineHit:
    """An entry that EBI Search found: its number, title and day of release, ``""`` where not known."""

    entry_id: int
    title: str
    release_date: str


def search_online(text: str, *, limit: int = 20) -> list[OnlineHit]:
    """Find entries through EBI Search, best first: a request for a hundred hits.

    Words are those of EBI Search, which knows no synonyms of the field and no filters; :class:`EmpiarIndex`
    has both and asks nobody.

    Parameters
    ----------
    text
        Words that must all occur.
    limit
        Greatest number of hits.

    Raises
    ------
    InvalidRequestError
        If there is no word.
    ServiceError
        If EBI Search cannot be asked, or answers with something else.
    """
    if not text.strip():
        raise InvalidRequestError(f"{text!r} holds no word to search for")
    if limit < 1:
        raise InvalidRequestError(f"limit is {limit}; use 1 or more")
    hits: list[OnlineHit] = []
    start = 0
    while len(hits) < limit:
        size = min(_PAGE, limit - len(hits))
        entries = _page(text, start=start, size=size)
        hits += _hits(entries)
        start += len(entries)
        if len(entries) < size:
            break
    return hits[:limit]


def _page(text: str, *, start: int, size: int) -> list[Mapping[str, Any]]:
    options = {"query": text, "format": "json", "size": size, "start": start, "fields": _FIELDS}
    url = f"{settings.search_url()}/empiar?{urlencode(options)}"

    def ask(attempt: int) -> list[Mapping[str, Any]]:
        with open_answer("GET", url, attempt=attempt) as answer:
            body = answer.body(limit_bytes=_LARGEST_PAGE_BYTES)
        try:
            entries = json.loads(body)["entries"]
        except (ValueError, LookupError, TypeError, RecursionError):
            entries = None
        if not isinstance(entries, list) or not all(isinstance(entry, Mapping) for entry in entries):
            raise ServiceError(f"{url} answered with something that is no page of hits", retryable=True)
        return entries

    return with_retries(ask)


def _hits(entries: list[Mapping[str, Any]]) -> Iterator[OnlineHit]:
    for entry in entries:
        fields = entry.get("fields")
        fields = fields if isinstance(fields, Mapping) else {}
        try:
            number = parse_entry_id(str(entry.get("id")))
        except InvalidRequestError:
            continue  # something of another archive
        yield OnlineHit(
            entry_id=number, title=_first(fields, "title"), release_date=_first(fields, "release_date")
        )


def _first(fields: Mapping[str, Any], name: str) -> str:
    """Return the first value of a field; values are lists."""
    values = fields.get(name) or [""]
    return str(values[0] if isinstance(values, list) else values)
