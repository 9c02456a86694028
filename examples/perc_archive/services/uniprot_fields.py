"""What all answers of UniProt have in their header, and records cut down to some fields."""

from __future__ import annotations

from typing import Any

HEADERS = [
    ("Cache-Control", "public, max-age=43200"),
    ("X-UniProt-Release", "2025_03"),
    ("X-UniProt-Release-Date", "18-June-2025"),
    ("X-API-Deployment-Date", "08-August-2025"),
]
_ALWAYS = ("entryType", "primaryAccession", "inactiveReason", "uniProtId")
_SELECTED = {
    "accession": ("primaryAccession",),
    "id": ("uniProtkbId",),
    "sequence": ("sequence",),
    "organism_name": ("organism",),
    "protein_name": ("proteinDescription",),
    "gene_names": ("genes",),
}


def select(record: dict[str, Any], fields: list[str]) -> dict[str, Any]:
    """Record cut down to the fields asked for, by UniProt's names of return fields."""
    names = set(_ALWAYS).union(*(_SELECTED.get(field, ()) for field in fields))
    cut = {name: value for name, value in record.items() if name in names}
    databases = {field.removeprefix("xref_") for field in fields if field.startswith("xref_")}
    for name, wanted in (
        ("features", any(field.startswith("ft_") for field in fields)),
        ("comments", any(field.startswith("cc_") for field in fields)),
    ):
        if wanted and name in record:
            cut[name] = record[name]
    if databases and "uniProtKBCrossReferences" in record:
        cut["uniProtKBCrossReferences"] = [
            item for item in record["uniProtKBCrossReferences"] if item["database"].lower() in databases
        ]
    return cut
