"""Answers of the AlphaFold DB API, one object per isoform, as its recordings of 2025 and 2026 have them."""

from __future__ import annotations

from collections.abc import Mapping


def models(
    accession: str, *, version: int, sequence: str, about: Mapping[str, object] | None = None
) -> list[object]:
    """Models of one protein as ``/api/prediction/{accession}`` lists them.

    An isoform comes before the canonical model, for the real service promises no order either and its first
    object is often an isoform.
    """
    canonical = accession.partition("-")[0]
    names = [f"{canonical}-2", canonical] if accession == canonical else [accession]
    return [_model(name, version, sequence, about or {}) for name in names]


def _model(accession: str, version: int, sequence: str, about: Mapping[str, object]) -> dict[str, object]:
    name = f"AF-{accession}-F1"
    files = "https://alphafold.ebi.ac.uk/files"
    return {
        "toolUsed": "AlphaFold Monomer v2.0 pipeline",
        "providerId": "GDM",
        "entityType": "protein",
        "isUniProt": True,
        "modelEntityId": name,
        "modelCreatedDate": "2025-08-01T00:00:00Z",
        "sequenceVersionDate": "2000-01-01T00:00:00Z",
        "globalMetricValue": 90.0,
        "fractionPlddtVeryLow": 0.0,
        "fractionPlddtLow": 0.0,
        "fractionPlddtConfident": 0.5,
        "fractionPlddtVeryHigh": 0.5,
        "latestVersion": version,
        "allVersions": list(range(1, version + 1)),
        "sequence": sequence,
        "sequenceStart": 1,
        "sequenceEnd": len(sequence),
        "sequenceChecksum": "0000000000000000",
        "isUniProtReviewed": True,
        "gene": None,
        "uniprotAccession": accession,
        "uniprotId": f"{accession}_SYNTH",
        "uniprotDescription": "Synthetic protein",
        "taxId": 32630,
        "organismScientificName": "synthetic construct",
        "isUniProtReferenceProteome": False,
        "bcifUrl": f"{files}/{name}-model_v{version}.bcif",
        "cifUrl": f"{files}/{name}-model_v{version}.cif",
        "pdbUrl": f"{files}/{name}-model_v{version}.pdb",
        "paeImageUrl": f"{files}/{name}-predicted_aligned_error_v{version}.png",
        "msaUrl": f"{files}/msa/{name}-msa_v{version}.a3m",
        "plddtDocUrl": f"{files}/{name}-confidence_v{version}.json",
        "paeDocUrl": f"{files}/{name}-predicted_aligned_error_v{version}.json",
        "isComplex": False,
        "entryId": name,
        "uniprotSequence": sequence,
        "uniprotStart": 1,
        "uniprotEnd": len(sequence),
        "isReferenceProteome": False,
        "isReviewed": True,
        **about,
    }
