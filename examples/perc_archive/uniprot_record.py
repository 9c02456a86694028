"""Entries of UniProtKB: what a partial record leaves out, and the isoforms that a record implies."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Mapping
from typing import Any


def complete_record(accession: str, record: Mapping[str, object]) -> dict[str, Any]:
    """Record with the fields that every entry has.

    >>> complete_record("P00001", {"sequence": "MKV"})["sequence"]["length"]
    3
    """
    full: dict[str, Any] = {
        "entryType": "UniProtKB reviewed (Swiss-Prot)",
        "primaryAccession": accession,
        **record,
    }
    if full["entryType"] == "Inactive":
        return {"uniProtId": f"{accession}_SYNTH", "annotationScore": 0, **full}
    full.setdefault("uniProtkbId", f"{accession}_SYNTH")
    full.setdefault("organism", {"scientificName": "synthetic construct", "taxonId": 32630})
    full.setdefault("proteinExistence", "1: Evidence at protein level")
    full.setdefault("entryAudit", {"entryVersion": 1, "sequenceVersion": 1})
    full.setdefault("proteinDescription", {"recommendedName": {"fullName": {"value": "Synthetic protein"}}})
    full.setdefault("features", [])
    full.setdefault("uniProtKBCrossReferences", [])
    if isinstance(full.get("sequence", ""), str):
        full["sequence"] = _sequence_object(full.get("sequence", ""))
    return full


def _sequence_object(letters: str) -> dict[str, object]:
    raw = letters.encode("ascii")
    return {
        "value": letters,
        "length": len(letters),
        "molWeight": 110 * len(letters),  # about; nobody computes with it
        "crc64": f"{zlib.crc32(raw):016X}",
        "md5": hashlib.md5(raw, usedforsecurity=False).hexdigest().upper(),
    }


def isoform_sequence(record: Mapping[str, Any], isoform: str) -> tuple[str, str] | None:
    """Name and sequence of an isoform such as ``P05067-2``; None where the entry has no such isoform.

    An isoform is the canonical sequence with its "Alternative sequence" features applied; their positions are
    those of the canonical sequence, so they are applied from the end.
    """
    letters: str = record["sequence"]["value"]
    for name, ids, variants in _isoforms(record):
        if isoform in ids:
            for feature in sorted(_alternatives(record, variants), key=_start, reverse=True):
                first, last = _start(feature), feature["location"]["end"]["value"]
                changed = feature.get("alternativeSequence", {}).get("alternativeSequences") or [""]
                letters = letters[: first - 1] + changed[0] + letters[last:]
            return name, letters
    return None


def _isoforms(record: Mapping[str, Any]) -> list[tuple[str, list[str], list[str]]]:
    return [
        (isoform["name"]["value"], isoform.get("isoformIds", []), isoform.get("sequenceIds", []))
        for comment in record.get("comments", [])
        if comment.get("commentType") == "ALTERNATIVE PRODUCTS"
        for isoform in comment.get("isoforms", [])
    ]


def _alternatives(record: Mapping[str, Any], variants: list[str]) -> list[Mapping[str, Any]]:
    return [
        feature
        for feature in record.get("features", [])
        if feature.get("type") == "Alternative sequence" and feature.get("featureId") in variants
    ]


def _start(feature: Mapping[str, Any]) -> int:
    return int(feature["location"]["start"]["value"])
