"""Structures of the PDB archive that an entry of UniProt lists, for all databases that go by PDB id."""

from __future__ import annotations

from profet.databases.protocol import Target
from profet.hits import StructureHit, extent
from profet.ids import parse_id
from profet.uniprot import PdbReference, UniProtEntry


def entries_of(target: Target, database: str) -> list[StructureHit]:
    """PDB entries of a target, without asking anybody: the one that it names, or those that UniProt lists.

    UniProt lists the entries of the canonical sequence and does not tell isoforms apart, so another isoform
    has none.
    """
    if target.pdb_id is not None:
        return [StructureHit(database=database, id=target.pdb_id.text)]
    if target.entry is None or not target.is_canonical:
        return []
    return [_listed(reference, target.entry, database) for reference in target.entry.pdb_references]


def _listed(reference: PdbReference, entry: UniProtEntry, database: str) -> StructureHit:
    chains = dict.fromkeys(chain for part, _, _ in reference.segments for chain in part.split("/"))
    length = len(entry.sequence)
    return StructureHit(
        database=database,
        id=parse_id(reference.pdb_id).text,
        chains=tuple(chains),
        range=extent(reference.segments),
        coverage=min(1.0, reference.residues_covered / length) if length else None,
        resolution=reference.resolution_angstrom,
        method=reference.method,
        accession=entry.accession,
        segments=reference.segments,
        label=reference.pdb_id,
    )
