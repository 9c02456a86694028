"""SIFTS as PDBe's service states it: which residues of an entry's chains are which residues of a protein."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from profet import settings
from profet.access import Access
from profet.cleaning.numbering import Ask, Segment, Segments
from profet.errors import ProfetError
from profet.store import Key

_logger = logging.getLogger(__name__)


def asking(access: Access, pdb_id: str | None) -> Ask:
    """Return a function that asks for the segments of an entry, once at most.

    It never fails: where PDBe knows nothing, or cannot be asked, the file's own word and an alignment are
    left, and the log says so.

    Parameters
    ----------
    access
        The way to the cache and the service.
    pdb_id
        The entry; None for a file that is none, of which nothing is asked.
    """
    found: list[Segments] = []

    def ask() -> Segments:
        if not found:
            found.append({} if pdb_id is None else _fetch(access, pdb_id.lower()))
        return found[0]

    return ask


def _fetch(access: Access, pdb_id: str) -> Segments:
    url = f"{settings.service_url('PDBE')}/api/v2/mappings/uniprot/{pdb_id}"
    try:
        record = access.record(Key(source="sifts", id=pdb_id, extension="json"), url)
    except ProfetError as error:
        _logger.warning("PDBe could not be asked how %s is numbered (%s); going by the file", pdb_id, error)
        return {}
    return {} if record is None else parse_segments(record)


def parse_segments(record: Any) -> Segments:
    """Read the answer of PDBe. Parts that cannot be understood count as absent.

    Source: ``/mappings/uniprot/{pdb id}`` of the PDBe API; ``residue_number`` counts along the sequence of
    the entity, ``chain_id`` is the authors' name. (The authors' residue numbers in it are null at ends that
    were not seen.)

    Examples
    --------
    >>> end = {"residue_number": 10, "author_residue_number": None}
    >>> row = {"chain_id": "A", "start": {"residue_number": 1}, "end": end, "unp_start": 19, "unp_end": 28}
    >>> parse_segments({"1aki": {"UniProt": {"P00698": {"mappings": [row]}}}})["A"][0].database_last
    28
    """
    segments: defaultdict[str, list[Segment]] = defaultdict(list)
    try:
        for entry in record.values():
            for accession, mapped in entry["UniProt"].items():
                for row in mapped["mappings"]:
                    segments[str(row["chain_id"])].append(_segment(accession, row))
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        _logger.warning("PDBe sent a mapping that cannot be understood (%r)", error)
        return {}
    return dict(segments)


def _segment(accession: str, row: Mapping[str, Any]) -> Segment:
    return Segment(
        accession=accession.upper(),
        first=int(row["start"]["residue_number"]),
        last=int(row["end"]["residue_number"]),
        database_first=int(row["unp_start"]),
        database_last=int(row["unp_end"]),
    )
