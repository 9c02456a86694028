"""What a service sends in place of what it should is an error of profet, or read as far as it goes."""

from __future__ import annotations

import copy
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profet import ProfetError, Provenance
from profet.access import Access
from profet.databases import open_database
from profet.databases.protocol import Target
from profet.databases.rcsb_data import find_facts
from profet.formats import compressed
from profet.hits import StructureHit, ranked
from profet.ids import PdbId, UniProtId
from profet.provenance import now
from profet.store import Key

ACCESSION = "P05067"

VALID: dict[str, Any] = {
    "pdbe": {
        ACCESSION: [
            {"pdb_id": "1aaa", "chain_id": "A", "unp_start": 1, "unp_end": 9, "coverage": 0.5,
             "resolution": None, "experimental_method": "Solution NMR",
             "observed_regions": [{"unp_start": 2, "unp_end": 8}]}
        ]
    },
    "3dbeacons": {
        "structures": [
            {"summary": {"model_identifier": "m", "provider": "PED", "model_category": "AB-INITIO",
                         "model_url": "https://a.b/c", "model_format": "MMCIF", "uniprot_start": 1,
                         "uniprot_end": 9, "coverage": 0.5, "sequence_identity": 86.0, "resolution": None,
                         "entities": [{"entity_type": "POLYMER", "identifier": None, "chain_ids": ["A"]}]}}
        ]
    },
    "ted": {"data": [{"ted_id": "AF-P05067-F1-model_v4_TED01", "chopping": "1-5_7-9"}]},
    "alphafold": [{"uniprotAccession": ACCESSION, "cifUrl": "https://a.b/c_v6.cif", "latestVersion": 6}],
    "pdb": {
        "rcsb_id": "1AAA",
        "rcsb_entry_info": {"resolution_combined": [2.0], "experimental_method": "X-ray"},
        "polymer_entities": [
            {"rcsb_polymer_entity_container_identifiers": {
                "entity_id": "1", "auth_asym_ids": ["A"],
                "reference_sequence_identifiers": [
                    {"database_accession": ACCESSION, "database_name": "UniProt",
                     "reference_sequence_coverage": 0.5}]},
             "rcsb_polymer_entity_align": [
                 {"reference_database_accession": ACCESSION, "reference_database_name": "UniProt",
                  "aligned_regions": [{"entity_beg_seq_id": 1, "ref_beg_seq_id": 2, "length": 3}]}]}
        ],
    },
}  # fmt: skip
KEYS = {
    "pdbe": Key(source="pdbe", id=ACCESSION, extension="best.json"),
    "3dbeacons": Key(source="3dbeacons", id=ACCESSION, extension="summary.json"),
    "ted": Key(source="ted", id=ACCESSION, extension="summary.json"),
    "alphafold": Key(source="alphafold", id=ACCESSION, extension="prediction.json"),
    "pdb": Key(source="pdb", id="1AAA", extension="data.json"),
}

odd = st.sampled_from(
    [None, "", "x", "-", -1, 0, 10**30, 1.5, float("nan"), True, [], {}, [None], {"a": 1}, "\x1b[0m"]
).map(copy.deepcopy)


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Every place in a record, from the whole to its leaves."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in places(item, (*path, key)))]


@st.composite
def spoiled(draw: st.DrawFn, name: str) -> Any:
    """A record with one or two places replaced by something else, or gone."""
    record = copy.deepcopy(VALID[name])
    for _ in range(draw(st.integers(1, 2))):
        place = draw(st.sampled_from(places(record)))
        if not place:
            return draw(odd)
        outer = record
        for key in place[:-1]:
            outer = outer[key]
        if isinstance(outer, dict) and draw(st.booleans()):
            del outer[place[-1]]
        else:
            outer[place[-1]] = draw(odd)
    return record


def keep(access: Access, key: Key, record: Any) -> None:
    """Put a record into the cache as if it had just come."""
    data = json.dumps(record).encode()
    access.store.put(
        key,
        compressed.pack(data),
        Provenance(
            database=key.source,
            id=key.id,
            url="https://a.b",
            retrieved=now().isoformat(),
            sha256=hashlib.sha256(data).hexdigest(),
            size_bytes=len(data),
        ),
    )


def found(name: str, access: Access) -> list[StructureHit]:
    if name == "pdb":
        facts = find_facts(access, [PdbId(typed="1AAA", text="1AAA")])
        return [hit for entry in facts.values() for hit in entry.hits("pdb")]
    target = Target(identity=UniProtId(typed=ACCESSION, accession=ACCESSION))
    return list(open_database(name, access).find(target))


@pytest.mark.parametrize("name", VALID)
def test_the_records_are_read_as_they_are(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROFET_OFFLINE", "1")
    access = Access()
    keep(access, KEYS[name], VALID[name])

    (hit,) = found(name, access)

    assert hit.accession == ACCESSION


@pytest.mark.parametrize("name", VALID)
def test_odd_records_are_errors_of_profet_or_hits_that_can_be_ranked(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROFET_OFFLINE", "1")
    access = Access()

    @settings(max_examples=200, deadline=None)
    @given(spoiled(name))
    def check(record: Any) -> None:
        keep(access, KEYS[name], record)
        try:
            hits = found(name, access)
        except ProfetError:
            return
        for hit in ranked(hits):
            json.dumps(hit.to_record())
            assert hit.coverage is None or 0 <= hit.coverage <= 1

    check()
