"""PDBe: the entries of the PDB with SIFTS in them, and what of a protein was observed in each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from profet import settings
from profet.access import Access
from profet.databases.protocol import Target
from profet.enums import FileType
from profet.errors import DamagedFileError
from profet.formats.sniff import check_file_type
from profet.hits import StructureHit, angstrom, extent, fraction, residues_in
from profet.ids import PdbId, parse_id
from profet.store import Key, Stored

NAME = "pdbe"


def file_url(pdb_id: str, filetype: FileType) -> str:
    """Address of an entry's file; mmCIF is the updated one, in which SIFTS numbers every residue.

    Source: https://www.ebi.ac.uk/pdbe/services/static-files (entry-files/download).

    Examples
    --------
    >>> file_url("1AKI", FileType.cif)
    'https://www.ebi.ac.uk/pdbe/entry-files/download/1aki_updated.cif.gz'
    """
    name = pdb_id.lower()
    names = {FileType.cif: f"{name}_updated.cif.gz", FileType.pdb: f"pdb{name}.ent"}
    return f"{settings.service_url('PDBE')}/entry-files/download/{names.get(filetype, f'{name}.bcif')}"


class Pdbe:
    """Structures of the PDB as PDBe annotates them.

    Parameters
    ----------
    access
        The way to files, through the cache.
    """

    name = NAME

    def __init__(self, access: Access) -> None:
        self._access = access

    def find(self, target: Target) -> Sequence[StructureHit]:
        """The entry of a PDB id, or those of a protein; with the residues observed, where PDBe says so."""
        if target.pdb_id is not None:
            return [StructureHit(database=NAME, id=target.pdb_id.text)]
        if target.accession is None or not target.is_canonical:
            return []
        length = len(target.entry.sequence) if target.entry else 0
        return best_structures(self._access, target.accession, length)

    def fetch(self, hit: StructureHit, filetype: FileType) -> Stored | None:
        """Get an entry, or None if PDBe has no such file."""
        pdb_id = parse_id(hit.id)
        assert isinstance(pdb_id, PdbId)
        if pdb_id.is_extended and filetype is FileType.pdb:
            return None
        return self._access.file(
            Key(source=NAME, id=pdb_id.text, extension=filetype),
            lambda: file_url(pdb_id.text, filetype),
            lambda data: check_file_type(data, filetype),
            etag_is_md5=False,
        )


def best_structures(access: Access, accession: str, length: int = 0) -> list[StructureHit]:
    """PDB entries of a protein as PDBe lists them: the service has one row for each chain, here is one hit.

    Parameters
    ----------
    access
        The way to records, through the cache.
    accession
        Of the canonical sequence.
    length
        Residues of it; 0 if that is not known. With it the coverage is counted over all chains together, and
        over the residues that were observed where the service names them; otherwise it is the service's.
    """
    url = f"{settings.service_url('PDBE')}/api/v2/mappings/best_structures/{quote(accession)}"
    answer = access.record(Key(source=NAME, id=accession, extension="best.json"), url)
    rows: dict[str, list[Mapping[str, Any]]] = {}
    try:
        for row in (answer or {}).get(accession, ()):
            rows.setdefault(parse_id(row["pdb_id"]).text, []).append(row)
        return [_hit(pdb_id, rows[pdb_id], accession, length) for pdb_id in rows]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DamagedFileError(f"PDBe sent a list that cannot be understood ({error!r})") from None


def _hit(pdb_id: str, rows: list[Mapping[str, Any]], accession: str, length: int) -> StructureHit:
    segments = tuple(segment for row in rows for segment in _segments(row))
    first = rows[0]
    stated = [covered for row in rows if (covered := fraction(row.get("coverage"))) is not None]
    return StructureHit(
        database=NAME,
        id=pdb_id,
        chains=tuple(dict.fromkeys(str(row["chain_id"]) for row in rows)),
        range=extent(segments),
        coverage=min(1.0, residues_in(segments) / length) if length else max(stated, default=None),
        resolution=angstrom(first.get("resolution")),
        method=str(first.get("experimental_method") or ""),
        accession=accession,
        segments=segments,
        label=pdb_id,
    )


def _segments(row: Mapping[str, Any]) -> list[tuple[str, int, int]]:
    """Stretches that one row tells of: those observed if it names them, otherwise the whole construct."""
    parts = row.get("observed_regions") or [row]
    return [(str(row["chain_id"]), int(part["unp_start"]), int(part["unp_end"])) for part in parts]
