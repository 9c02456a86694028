"""Questions to EMPIAR's REST API."""

from __future__ import annotations

import json
from typing import Any

from empiarreader import settings
from empiarreader.addresses import parse_entry_id
from empiarreader.errors import ArchiveFileNotFoundError, EntryNotFoundError, ServiceError
from empiarreader.transport import open_answer, with_retries

_LARGEST_RECORD_BYTES = 64 * 1024 * 1024


def fetch_entry_record(entry: int | str) -> dict[str, Any]:
    """Return what EMPIAR says about an entry, as the API has it.

    Parameters
    ----------
    entry
        ``10943``, ``"10943"`` or ``"EMPIAR-10943"``.

    Raises
    ------
    EntryNotFoundError
        If there is no such entry, or none that is released.
    ServiceError
        If the API cannot be asked, or answers with something that is no record.
    """
    entry_id = parse_entry_id(entry)
    url = f"{settings.api_url()}/entry/{entry_id}/"

    def ask(attempt: int) -> Any:
        with open_answer("GET", url, attempt=attempt) as answer:
            body = answer.body(limit_bytes=_LARGEST_RECORD_BYTES)
        try:
            return json.loads(body)
        except (ValueError, RecursionError) as error:
            raise ServiceError(f"{url} answered with something that is no JSON", retryable=True) from error

    try:
        return select_record(with_retries(ask), entry_id)
    except ArchiveFileNotFoundError as error:
        raise _not_found(entry_id) from error


def select_record(answer: Any, entry_id: int) -> dict[str, Any]:
    """Return the record of an entry from the API's answer, ``{"EMPIAR-10943": {...}}``.

    Raises
    ------
    EntryNotFoundError
        If the answer holds no record.
    ServiceError
        If it is no answer of that kind.
    """
    if not isinstance(answer, dict):
        raise ServiceError(f"EMPIAR's API answered with JSON that is no record: {str(answer)[:80]!r}")
    record = answer.get(f"EMPIAR-{entry_id}")
    if record is None and len(answer) == 1:
        record = next(iter(answer.values()))  # an entry that moved answers under another number
    if not isinstance(record, dict):
        raise _not_found(entry_id)
    return record


def _not_found(entry_id: int) -> EntryNotFoundError:
    return EntryNotFoundError(
        f"EMPIAR has no entry {entry_id}, or has not released it; "
        "https://www.ebi.ac.uk/empiar/ shows those it has"
    )
