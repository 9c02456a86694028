"""Many entries of UniProt in few requests: a thousand accessions in each, and only what a choice needs."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Iterator
from typing import Any

from profet import settings
from profet.access import Access
from profet.errors import ProfetError
from profet.ids import UniProtId
from profet.records import ask_for_many, in_batches
from profet.store import Key
from profet.uniprot import SOURCE, UniProtEntry, entry_key, find_entry, read_entry

_logger = logging.getLogger(__name__)

# Source: https://www.uniprot.org/help/return_fields. Cleaning needs more (features, other accessions), and
# asks for the whole record.
_FIELDS = "accession,id,sequence,cc_alternative_products,xref_pdb,xref_alphafolddb"
_MOST_ACCESSIONS = 1000  # "Only '1000' accessions are allowed in each request."
_MOST_WHOLE_ENTRIES = 100  # one of a well-studied protein has half a megabyte
_LONGEST_URL = 8000  # what servers take unless they are told otherwise


def find_brief_entry(access: Access, identity: UniProtId) -> UniProtEntry:
    """Get what a choice needs of an entry: from what the cache has of it, or else from the whole entry.

    Raises
    ------
    StructureNotFoundError, InactiveAccessionError
        As `profet.uniprot.find_entry`.
    """
    record = _kept(access, identity.accession)
    return find_entry(access, identity) if record is None else read_entry(record, identity)


def find_entries(access: Access, identities: Iterable[UniProtId]) -> dict[str, UniProtEntry | ProfetError]:
    """Get what a choice needs of many entries, in as few requests as possible.

    Parameters
    ----------
    access
        The way to records, through the cache.
    identities
        Accessions and isoforms.

    Returns
    -------
    dict
        By the text of the identity, the entry, or the reason why there is none. What is not in it has to be
        asked for one by one: names of entries, merged accessions (which UniProt redirects), and accessions
        that it does not know.
    """
    wanted = {identity.text: identity for identity in identities if not identity.is_entry_name}
    records = {identity.accession: _kept(access, identity.accession) for identity in wanted.values()}
    missing = [accession for accession, record in records.items() if record is None]
    failed: dict[str, ProfetError] = {}
    if len(missing) > 1 and not settings.is_offline():
        for url, batch in batch_urls(missing, f"fields={_FIELDS}").items():
            try:
                answered = ask_for_many(access, url, _split)
                records |= {key.id: record for key, record in answered.items()}
            except ProfetError as error:
                failed |= dict.fromkeys(batch, error)
    found: dict[str, UniProtEntry | ProfetError] = {}
    for text, identity in wanted.items():
        record = records.get(identity.accession)
        if identity.accession in failed:
            found[text] = failed[identity.accession]
        elif record is not None:
            found[text] = _entry_or_error(record, identity)
    return found


def keep_whole_entries(access: Access, identities: Iterable[UniProtId]) -> None:
    """Get whole entries of many proteins into the cache, a hundred in one request, as cleaning needs them.

    Only a saving: what does not come is asked for one by one.
    """
    accessions = dict.fromkeys(item.accession for item in identities if not item.is_entry_name)
    missing = [name for name in accessions if access.kept_record(entry_key(name)) is None]
    if len(missing) < 2 or settings.is_offline():
        return
    for some in in_batches(missing, _MOST_WHOLE_ENTRIES):
        for url in batch_urls(some, "format=json"):
            try:
                ask_for_many(access, url, _split_whole)
            except ProfetError as error:
                _logger.info("%s", error)


def _entry_or_error(record: Any, identity: UniProtId) -> UniProtEntry | ProfetError:
    try:
        return read_entry(record, identity)
    except ProfetError as error:
        return error


def _kept(access: Access, accession: str) -> Any | None:
    whole = access.kept_record(entry_key(accession))
    return whole if whole is not None else access.kept_record(_brief_key(accession))


def _brief_key(accession: str) -> Key:
    return Key(source=SOURCE, id=accession, extension="brief.json")


def batch_urls(accessions: Iterable[str], wish: str) -> dict[str, list[str]]:
    """Addresses that tell of many accessions, each with those it tells of.

    Parameters
    ----------
    accessions
        Without isoforms.
    wish
        What is wanted of them, as a parameter of the address.
    """

    def url(some: Iterable[str]) -> str:
        return f"{settings.service_url('UNIPROT')}/uniprotkb/accessions?accessions={','.join(some)}&{wish}"

    batches = in_batches(accessions, _MOST_ACCESSIONS, fits=lambda some: len(url(some)) <= _LONGEST_URL)
    return {url(batch): batch for batch in batches}


def _split(answer: bytes) -> dict[Key, Any]:
    return {_brief_key(accession): record for accession, record in _records(answer)}


def _split_whole(answer: bytes) -> dict[Key, Any]:
    return {entry_key(accession): record for accession, record in _records(answer)}


def _records(answer: bytes) -> Iterator[tuple[str, Any]]:
    """Records by accession. A merged one is left out: UniProt redirects who asks for it alone."""
    for record in json.loads(answer)["results"]:
        if (record.get("inactiveReason") or {}).get("inactiveReasonType") != "MERGED":
            yield str(record["primaryAccession"]), record
