"""What one database lists of a target, with what else can be learnt of it in one more request."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from profet.access import Access
from profet.databases.pdbe import best_structures
from profet.databases.protocol import Database, Target
from profet.databases.rcsb_data import find_facts
from profet.hits import StructureHit


def listed(access: Access, database: Database, target: Target, *, observed: bool) -> Sequence[StructureHit]:
    """List structures of a target, without fetching any.

    Parameters
    ----------
    access
        The way to records, through the cache.
    database
        Where to look.
    target
        What is wanted. Of a PDB id the RCSB is asked which proteins the entry holds.
    observed
        Whether to ask PDBe which residues were observed in each entry of the PDB.
    """
    if database.name == "pdb" and target.pdb_id is not None:
        facts = find_facts(access, [target.pdb_id])
        return [hit for entry in facts.values() for hit in entry.hits("pdb")]
    hits = database.find(target)
    if database.name != "pdb" or not observed or target.accession is None or not target.is_canonical:
        return hits
    length = len(target.entry.sequence) if target.entry else 0
    return _with_observed(hits, best_structures(access, target.accession, length))


def _with_observed(hits: Sequence[StructureHit], seen: Sequence[StructureHit]) -> list[StructureHit]:
    """Put what PDBe says was observed in the place of what the constructs had.

    The two lists are of different dates; an entry that only one has is there all the same.
    """
    known = {hit.id: hit for hit in hits}
    merged = [
        dataclasses.replace(
            known.get(hit.id, hit),
            database="pdb",
            chains=hit.chains,
            range=hit.range,
            segments=hit.segments,
            coverage=hit.coverage,
            label=hit.label,
        )
        for hit in seen
    ]
    named = {hit.id for hit in merged}
    return [*merged, *(hit for hit in hits if hit.id not in named)]
