"""What EMPIAR says about an entry: by its REST API, or where that is down, by the XML beside the data.

The XML is taken from the mirror where there is one that has it, else from the archive.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any, NamedTuple

from empiarreader import settings
from empiarreader.addresses import entry_address, parse_entry_id
from empiarreader.cache.facts import cached_text
from empiarreader.errors import (
    ArchiveFileNotFoundError,
    DamagedDataError,
    EntryNotFoundError,
    LocalFileError,
    ServiceError,
)
from empiarreader.listing.mirror import mirrored
from empiarreader.metadata.entry_xml import read_entry_xml
from empiarreader.network.transport import open_answer, with_retries

_LARGEST_RECORD_BYTES = 64 * 1024 * 1024

_logger = logging.getLogger(__name__)


class FoundRecord(NamedTuple):
    """Metadata of an entry as the API has it, and the address that they came from."""

    record: dict[str, Any]
    url: str


def find_record(entry: int | str) -> FoundRecord:
    """Return what EMPIAR says about an entry, and where it said so.

    Parameters
    ----------
    entry
        ``10943``, ``"10943"`` or ``"EMPIAR-10943"``.

    Raises
    ------
    EntryNotFoundError
        If there is no such entry, or none that is released.
    ServiceError
        If neither the API nor the entry's XML file can be had.
    """
    entry_id = parse_entry_id(entry)
    url = f"{settings.api_url()}/entry/{entry_id}/"
    try:
        # Asked for each time, and kept for machines without a network.
        answer = cached_text(url, lambda: with_retries(lambda attempt: _ask(url, attempt)), max_age_seconds=0)
        return FoundRecord(select_record(json.loads(answer.text), entry_id), url)
    except ArchiveFileNotFoundError as error:
        raise _not_found(entry_id) from error
    except ServiceError as error:
        found = _record_of_xml(entry_id)
        if found is None:
            raise
        _logger.warning("%s; EMPIAR-%d is described by %s instead", error, entry_id, found.url)
        return found


def fetch_entry_record(entry: int | str) -> dict[str, Any]:
    """Return what EMPIAR says about an entry, as the API has it; see :func:`find_record`."""
    return find_record(entry).record


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


def _ask(url: str, attempt: int) -> str:
    with open_answer("GET", url, attempt=attempt) as answer:
        body = answer.body(limit_bytes=_LARGEST_RECORD_BYTES)
    try:
        return json.dumps(json.loads(body))
    except (ValueError, RecursionError) as error:
        raise ServiceError(f"{url} answered with something that is no JSON", retryable=True) from error


def _record_of_xml(entry_id: int) -> FoundRecord | None:
    """Return what the XML in the entry's directory says, None where it cannot be had."""
    url = entry_address(settings.archive_url(), entry_id, f"{entry_id}.xml")

    def ask(attempt: int) -> bytes:
        with open_answer("GET", url, attempt=attempt) as answer:
            return answer.body(limit_bytes=_LARGEST_RECORD_BYTES)

    try:
        kept = mirrored(url)
        content, where = (with_retries(ask), url) if kept is None else (_read(kept), str(kept))
        return FoundRecord(read_entry_xml(content, name=where), where)
    except (ArchiveFileNotFoundError, DamagedDataError, LocalFileError, ServiceError) as error:
        _logger.info("no metadata from %s either: %s", url, error)
        return None


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST_RECORD_BYTES)
    except OSError as error:
        raise LocalFileError(f"cannot read {path}: {error.strerror}") from error


def _not_found(entry_id: int) -> EntryNotFoundError:
    return EntryNotFoundError(
        f"EMPIAR has no entry {entry_id}, or has not released it; "
        "https://www.ebi.ac.uk/empiar/ shows those it has"
    )
