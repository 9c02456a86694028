"""Questions about many entries at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from empiarreader import settings
from empiarreader.errors import ServiceError
from empiarreader.network.transport import open_answer, with_retries

_LARGEST_ANSWER_BYTES = 512 * 1024 * 1024


def fetch_range_of_entries(first: int, last: int) -> dict[int, dict[str, Any]]:
    """Return the records of all entries in a range of numbers: one request.

    Raises
    ------
    ServiceError
        If the API cannot be asked, or answers with something that is no list of records.
    """
    url = f"{settings.api_url()}/entry/"

    def ask(attempt: int) -> dict[int, dict[str, Any]]:
        # The body is the range itself, without quotation marks.
        content = f"{first}-{last}".encode()
        headers = {"Content-Type": "application/json"}
        with open_answer("POST", url, headers=headers, body=content, attempt=attempt) as answer:
            body = answer.body(limit_bytes=_LARGEST_ANSWER_BYTES)
        return _records(body, url, first, last)

    return with_retries(ask)


def _records(body: bytes, url: str, first: int, last: int) -> dict[int, dict[str, Any]]:
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ServiceError(f"{url} answered with something that is no JSON", retryable=True) from error
    if not isinstance(answer, Mapping):
        raise ServiceError(f"{url} answered with JSON that is no list of entries: {str(answer)[:80]!r}")
    found = {}
    for name, record in answer.items():
        number = str(name).upper().removeprefix("EMPIAR-")
        if (
            number.isascii()
            and number.isdigit()
            and first <= int(number) <= last
            and isinstance(record, dict)
        ):
            found[int(number)] = record
    return found
