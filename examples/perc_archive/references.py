"""What PDBe and 3D-Beacons would say of a protein, from its entry in UniProt, where nothing is recorded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from perc_archive.site import Site

_METHODS = {"X-ray": "X-ray diffraction", "EM": "Electron Microscopy", "NMR": "Solution NMR"}


def best_structures(site: Site, accession: str) -> list[dict[str, Any]] | None:
    """Rows of ``mappings/best_structures``, one for each chain, by coverage and then by resolution."""
    record = site.tree.record("uniprot", accession)
    rows = [] if record is None else list(_rows(record))
    rows.sort(key=lambda row: (-row["coverage"], row["resolution"] or 99.0, row["pdb_id"]))
    return rows or None


def _rows(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    length = record.get("sequence", {}).get("length", 0)
    for reference in record.get("uniProtKBCrossReferences", []):
        if reference["database"] != "PDB" or not length:
            continue
        known = {item["key"]: item["value"] for item in reference["properties"]}
        resolution = re.fullmatch(r"([\d.]+) A", known.get("Resolution", ""))
        for chains, first, last in re.findall(r"([^=, ]+)=(\d+)-(\d+)", known.get("Chains", "")):
            for chain in chains.split("/"):
                yield {
                    "pdb_id": reference["id"].lower(),
                    "chain_id": chain,
                    "start": 1,
                    "end": int(last) - int(first) + 1,
                    "unp_start": int(first),
                    "unp_end": int(last),
                    "coverage": round((int(last) - int(first) + 1) / length, 3),
                    "resolution": float(resolution[1]) if resolution else None,
                    "experimental_method": _METHODS.get(known.get("Method", ""), known.get("Method", "")),
                    "tax_id": record.get("organism", {}).get("taxonId"),
                }


def summary(site: Site, accession: str) -> dict[str, Any] | None:
    """Summary of 3D-Beacons: the entries of the PDB, in percent as PDBe says it, and the predicted model."""
    record = site.tree.record("uniprot", accession)
    if record is None:
        return None
    structures = [_of_entry(row) for row in best_structures(site, accession) or []]
    for model in site.tree.record("alphafold", accession) or []:
        if model.get("uniprotAccession") == accession:
            structures.append(_of_model(model))
    if not structures:
        return None
    entry = {
        "ac": accession,
        "id": record.get("uniProtkbId"),
        "sequence_length": record.get("sequence", {}).get("length"),
    }
    return {"uniprot_entry": entry, "structures": [{"summary": item} for item in structures]}


def _of_entry(row: dict[str, Any]) -> dict[str, Any]:
    return {
        "model_identifier": row["pdb_id"],
        "model_category": "EXPERIMENTALLY DETERMINED",
        "model_url": f"https://www.ebi.ac.uk/pdbe/static/entry/{row['pdb_id']}_updated.cif",
        "model_format": "MMCIF",
        "provider": "PDBe",
        "sequence_identity": 100.0,
        "uniprot_start": row["unp_start"],
        "uniprot_end": row["unp_end"],
        "coverage": row["coverage"],
        "experimental_method": row["experimental_method"].upper(),
        "resolution": row["resolution"],
        "entities": [{"entity_type": "POLYMER", "chain_ids": [row["chain_id"]]}],
    }


def _of_model(model: dict[str, Any]) -> dict[str, Any]:
    return {
        "model_identifier": model["modelEntityId"],
        "model_category": "AB-INITIO",
        "model_url": model["cifUrl"],
        "model_format": "MMCIF",
        "provider": "AlphaFold DB",
        "sequence_identity": 1.0,
        "uniprot_start": model["sequenceStart"],
        "uniprot_end": model["sequenceEnd"],
        "coverage": 1.0,
        "confidence_type": "pLDDT",
        "confidence_avg_local_score": model["globalMetricValue"],
        "entities": [{"entity_type": "POLYMER", "chain_ids": ["A"]}],
    }
