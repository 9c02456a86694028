"""The Data API of the RCSB PDB: entries by GraphQL, and the ids of all entries."""

from __future__ import annotations

import json
from typing import Any

from perc_archive.graphql import Field, GraphqlError, parse, pick
from perc_archive.polymers import Polymer, head_of, polymers
from perc_archive.protocol import Request, Response, json_response
from perc_archive.site import Site
from perc_archive.structure_record import category_rows

_LIMIT_IDS = 1000
_METHODS = {"X-RAY DIFFRACTION": "X-ray", "ELECTRON MICROSCOPY": "EM", "SOLUTION NMR": "NMR"}


def answer(request: Request, site: Site) -> Response | None:
    """``/graphql`` by GET or POST, and ``/rest/v1/holdings/current/entry_ids``."""
    if request.path.rstrip("/") == "/rest/v1/holdings/current/entry_ids":
        return json_response(request, [name.upper() for name in site.tree.keys("rcsb") if len(name) == 4])
    if request.path.rstrip("/") != "/graphql":
        return None
    try:
        question: dict[str, Any] = dict(request.parameters)
        if request.method == "POST":
            question = json.loads(request.body)
        variables = question.get("variables") or {}
        fields = parse(question["query"], json.loads(variables) if isinstance(variables, str) else variables)
        data = {field.name: _root(site, field) for field in fields}
    except (GraphqlError, ValueError, KeyError, TypeError, AttributeError) as error:
        return json_response(request, {"errors": [{"message": str(error)}]}, status=400)
    return json_response(request, {"data": data}, zipped=True)


def _root(site: Site, field: Field) -> Any:
    if field.name == "entry":
        return pick(_entry(site, str(field.arguments["entry_id"])), field.fields)
    if field.name != "entries":
        raise GraphqlError(f"Field '{field.name}' in type 'Query' is undefined")
    names = field.arguments["entry_ids"]
    if len(names) > _LIMIT_IDS:
        raise GraphqlError(f"more than {_LIMIT_IDS} identifiers")
    found = (_entry(site, str(name)) for name in dict.fromkeys(names))
    return [pick(entry, field.fields) for entry in found if entry is not None]


def _entry(site: Site, name: str) -> dict[str, Any] | None:
    pdb_id = name.upper() if len(name) == 4 else name.lower()
    record = site.tree.record("rcsb", pdb_id)
    if record is None:
        return None
    coverage = {item["accession"]: item["coverage"] for item in record["entities"]}
    method = str(record["method"])
    return {
        "rcsb_id": pdb_id,
        "struct": {"title": record["title"]},
        "rcsb_accession_info": {"revision_date": _revised(site, pdb_id)},
        "rcsb_entry_info": {
            "resolution_combined": None if record["resolution"] is None else [record["resolution"]],
            "experimental_method": _METHODS.get(method.upper(), method or None),
        },
        "polymer_entities": [
            _entity(pdb_id, polymer, coverage) for polymer in polymers(head_of(site, pdb_id))
        ],
    }


def _revised(site: Site, pdb_id: str) -> str | None:
    """Moment of the last revision that the file states."""
    rows = category_rows(head_of(site, pdb_id), "_pdbx_audit_revision_history.")
    return f"{rows[-1]['revision_date']}T00:00:00Z" if rows else None


def _entity(pdb_id: str, polymer: Polymer, coverage: dict[str, float]) -> dict[str, Any]:
    accessions = dict.fromkeys(accession for accession, *_ in polymer.references)
    return {
        "rcsb_id": f"{pdb_id}_{polymer.entity}",
        "rcsb_polymer_entity_container_identifiers": {
            "entry_id": pdb_id,
            "entity_id": polymer.entity,
            "asym_ids": [label for label, _ in polymer.chains],
            "auth_asym_ids": [author for _, author in polymer.chains],
            "uniprot_ids": list(accessions),
            "reference_sequence_identifiers": [
                {
                    "database_accession": accession,
                    "database_name": "UniProt",
                    "reference_sequence_coverage": coverage.get(accession, 1.0),
                }
                for accession in accessions
            ],
        },
        "rcsb_polymer_entity_align": [
            {
                "reference_database_accession": accession,
                "reference_database_name": "UniProt",
                "aligned_regions": [
                    {"entity_beg_seq_id": first, "ref_beg_seq_id": reference, "length": length}
                    for name, first, reference, length in polymer.references
                    if name == accession
                ],
            }
            for accession in accessions
        ],
        "entity_poly": {
            "pdbx_seq_one_letter_code_can": polymer.letters,
            "rcsb_sample_sequence_length": len(polymer.letters),
        },
    }
