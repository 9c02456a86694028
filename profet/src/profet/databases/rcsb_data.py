"""What the RCSB knows of entries of the PDB: chains, proteins, resolution; 300 entries in one request."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from profet import settings
from profet.access import Access
from profet.errors import DamagedFileError
from profet.hits import StructureHit, angstrom, extent, fraction
from profet.ids import PdbId, parse_id
from profet.records import ask_for_many, in_batches
from profet.store import Key

_MOST_ENTRIES = 300  # what the RCSB's own client asks for at once; 1000 are taken
# Names of fields from the schema of the Data API (https://data.rcsb.org/graphql/index.html).
_QUERY = """
query($ids: [String!]!) { entries(entry_ids: $ids) {
  rcsb_id
  rcsb_entry_info { resolution_combined experimental_method }
  polymer_entities {
    rcsb_polymer_entity_container_identifiers {
      entity_id auth_asym_ids
      reference_sequence_identifiers { database_accession database_name reference_sequence_coverage }
    }
    rcsb_polymer_entity_align {
      reference_database_accession reference_database_name
      aligned_regions { entity_beg_seq_id ref_beg_seq_id length }
    }
  }
} }
"""


@dataclass(frozen=True, kw_only=True)
class Alignment:
    """How the sequence of an entity lies on a protein.

    Attributes
    ----------
    regions
        ``(first residue in the entity, first residue in UniProt, length)``, counted from 1.
    """

    accession: str
    coverage: float | None
    regions: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, kw_only=True)
class Entity:
    """One polymer of an entry."""

    id: str
    chains: tuple[str, ...]
    alignments: tuple[Alignment, ...]


@dataclass(frozen=True, kw_only=True)
class EntryFacts:
    """One entry of the PDB."""

    pdb_id: str
    method: str
    resolution_angstrom: float | None
    entities: tuple[Entity, ...]

    def hits(self, database: str) -> list[StructureHit]:
        """One hit for each protein in it, or one of the whole entry if it holds none of UniProt."""
        proteins: dict[str, list[tuple[Entity, Alignment]]] = {}
        for entity in self.entities:
            for alignment in entity.alignments:
                proteins.setdefault(alignment.accession, []).append((entity, alignment))
        hits = [self._hit(database, accession, parts) for accession, parts in proteins.items()]
        chains = tuple(chain for entity in self.entities for chain in entity.chains)
        return hits or [self._hit(database, None, [], chains)]

    def _hit(
        self,
        database: str,
        accession: str | None,
        parts: list[tuple[Entity, Alignment]],
        chains: tuple[str, ...] = (),
    ) -> StructureHit:
        segments = tuple(
            ("/".join(entity.chains), first, first + length - 1)
            for entity, alignment in parts
            for _, first, length in alignment.regions
        )
        stated = [alignment.coverage for _, alignment in parts if alignment.coverage is not None]
        return StructureHit(
            database=database,
            id=self.pdb_id,
            chains=chains or tuple(dict.fromkeys(chain for entity, _ in parts for chain in entity.chains)),
            range=extent(segments),
            coverage=max(stated, default=None),
            resolution=self.resolution_angstrom,
            method=self.method,
            accession=accession,
            segments=segments,
        )


def find_facts(access: Access, pdb_ids: Iterable[PdbId]) -> dict[str, EntryFacts]:
    """Get what is known of entries, in as few requests as possible; what the PDB has not is not in it."""
    records = {pdb_id.text: access.kept_record(_key(pdb_id.text)) for pdb_id in pdb_ids}
    missing = [name for name, record in records.items() if record is None]
    url = f"{settings.service_url('RCSB_DATA')}/graphql"
    for batch in in_batches(missing, _MOST_ENTRIES):
        question = {"query": " ".join(_QUERY.split()), "variables": {"ids": batch}}
        answered = ask_for_many(access, url, _split, question=question)
        records |= {key.id: record for key, record in answered.items()}
    return {name: _read(name, record) for name, record in records.items() if record is not None}


def _key(name: str) -> Key:
    return Key(source="pdb", id=name, extension="data.json")


def _split(body: bytes) -> dict[Key, Any]:
    answer = json.loads(body)
    if answer.get("errors") and not answer.get("data"):
        raise DamagedFileError(f"the question was not understood: {str(answer['errors'])[:200]}")
    entries = (answer["data"] or {}).get("entries") or ()
    return {_key(parse_id(entry["rcsb_id"]).text): entry for entry in entries if entry is not None}


def _read(name: str, record: Mapping[str, Any]) -> EntryFacts:
    try:
        info = record.get("rcsb_entry_info") or {}
        resolutions = info.get("resolution_combined") or [None]
        return EntryFacts(
            pdb_id=name,
            method=str(info.get("experimental_method") or ""),
            resolution_angstrom=angstrom(resolutions[0]),
            entities=tuple(_entity(entity) for entity in record.get("polymer_entities") or ()),
        )
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DamagedFileError(
            f"the RCSB sent facts of {name} that cannot be understood ({error!r})"
        ) from None


def _entity(record: Mapping[str, Any]) -> Entity:
    ids = record["rcsb_polymer_entity_container_identifiers"]
    references = [
        item for item in ids.get("reference_sequence_identifiers") or () if item["database_name"] == "UniProt"
    ]
    coverage = {item["database_accession"]: item.get("reference_sequence_coverage") for item in references}
    regions: dict[str, list[tuple[int, int, int]]] = {name: [] for name in coverage}
    for aligned in record.get("rcsb_polymer_entity_align") or ():
        if aligned.get("reference_database_name") == "UniProt":
            regions.setdefault(aligned["reference_database_accession"], []).extend(
                (int(part["entity_beg_seq_id"]), int(part["ref_beg_seq_id"]), int(part["length"]))
                for part in aligned.get("aligned_regions") or ()
            )
    return Entity(
        id=str(ids["entity_id"]),
        chains=tuple(map(str, ids.get("auth_asym_ids") or ())),
        alignments=tuple(
            Alignment(
                accession=name,
                coverage=fraction(coverage.get(name)),
                regions=tuple(sorted(parts)),
            )
            for name, parts in regions.items()
        ),
    )
