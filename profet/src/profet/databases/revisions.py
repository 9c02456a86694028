"""When entries of the PDB were last revised: files that bear no validators are known to be current by it."""

from __future__ import annotations

import datetime
import json
import logging
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

from profet import settings
from profet.access import Access
from profet.errors import DamagedFileError, ProfetError
from profet.formats import compressed
from profet.ids import PdbId, parse_id
from profet.provenance import Provenance
from profet.records import in_batches

if TYPE_CHECKING:
    from profet.http import Answer

_logger = logging.getLogger(__name__)

_MOST_ENTRIES = 300  # what the RCSB's own client asks for at once; 1000 are taken
_QUERY = (
    "query($ids: [String!]!) { entries(entry_ids: $ids) { rcsb_id rcsb_accession_info { revision_date } } }"
)


class Revisions:
    """Dates of last revision, each asked for once. Safe in threads.

    Parameters
    ----------
    access
        The way to the RCSB.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._dates: dict[str, datetime.date | None] = {}
        self._lock = threading.Lock()

    def ask(self, pdb_ids: Iterable[PdbId]) -> None:
        """Learn the dates of many entries, 300 in one request. If that fails, they count as unknown."""
        url = f"{settings.service_url('RCSB_DATA')}/graphql"
        with self._lock:
            missing = {pdb_id.text for pdb_id in pdb_ids} - set(self._dates)
            for batch in in_batches(sorted(missing), _MOST_ENTRIES):
                question = {"query": _QUERY, "variables": {"ids": batch}}
                try:
                    found = self._access.client.fetch(url, _dates, gzip=True, question=question) or {}
                except ProfetError as error:
                    _logger.warning("files of %s are fetched again: %s", _few(batch), error)
                    found = {}
                self._dates |= {name: found.get(name) for name in batch}

    def is_current(self, pdb_id: PdbId, kept: Provenance) -> bool:
        """Whether the entry was not revised since a file of it came.

        Entries are revised on Wednesdays at midnight. What came on that very day may be from before, so it
        does not count.
        """
        self.ask([pdb_id])
        revised = self._dates[pdb_id.text]
        return revised is not None and kept.current_at.date() > revised


def _few(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} entries"


def _dates(answer: Answer) -> dict[str, datetime.date]:
    try:
        entries = json.loads(compressed.unpack(answer.body)[0])["data"]["entries"]
        stated = {
            parse_id(entry["rcsb_id"]).text: (entry.get("rcsb_accession_info") or {}).get("revision_date")
            for entry in entries
            if entry is not None
        }
        return {name: datetime.date.fromisoformat(date[:10]) for name, date in stated.items() if date}
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        if isinstance(error, DamagedFileError):
            raise
        raise DamagedFileError(f"the dates of revision cannot be understood ({error!r})") from None
