"""What the search index of the RCSB PDB knows of a structure, read from the head of its mmCIF file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

_RESOLUTION_ITEMS = ("_refine.ls_d_res_high", "_em_3d_reconstruction.resolution", "_reflns.d_resolution_high")


def structure_record(
    cif: bytes,
    *,
    accessions: Sequence[str] = (),
    resolution: float | None = None,
    title: str = "",
    coverage: Mapping[str, float] | None = None,
    computational: bool = False,
) -> dict[str, object]:
    """Record of one structure: one polymer entity for each accession, in the order given.

    Parameters
    ----------
    cif
        mmCIF text, or its part before the atoms, or nothing.
    accessions
        UniProt accessions; without any, those that ``_struct_ref`` of the file names.
    resolution
        In Å; None takes it from the file, and stays None where that says nothing (NMR).
    title
        Default: ``_struct.title``.
    coverage
        Fraction of each UniProt sequence that the entity covers; 1.0 where it is not told.
    computational
        Whether this is a computed model, which searches leave out unless asked for them.
    """
    head = cif.partition(b"_atom_site.")[0].decode("utf-8", errors="replace")
    named = list(accessions) or struct_ref_accessions(head)
    values = [_number(_single(head, item)) for item in _RESOLUTION_ITEMS]
    found = resolution if resolution is not None else next((v for v in values if v is not None), None)
    return {
        "title": title or _single(head, "_struct.title") or "",
        "method": _single(head, "_exptl.method") or "",
        "resolution": found,
        "computational": computational,
        "entities": [
            {"entity": str(number), "accession": accession, "coverage": (coverage or {}).get(accession, 1.0)}
            for number, accession in enumerate(named, start=1)
        ],
    }


def struct_ref_accessions(head: str) -> list[str]:
    """UniProt accessions of ``_struct_ref``, one for each entity in order, without repeats."""
    rows = category_rows(head, "_struct_ref.")
    found = [row.get("pdbx_db_accession", "") for row in rows if row.get("db_name") == "UNP"]
    return list(dict.fromkeys(name for name in found if name not in ("", "?", ".")))


def dbref_accessions(text: str) -> list[str]:
    """UniProt accessions of the DBREF records of a PDB file, without repeats.

    >>> dbref_accessions("DBREF  1A8O A  151   220  UNP    P12497   POL_HV1N5      283    352")
    ['P12497']
    """
    lines = [line for line in text.splitlines() if line.startswith("DBREF ") and line[26:32].strip() == "UNP"]
    return list(dict.fromkeys(line[33:41].strip() for line in lines))


def _single(head: str, item: str) -> str | None:
    rows = category_rows(head, item.partition(".")[0] + ".")
    value = rows[0].get(item.partition(".")[2]) if rows else None
    return None if value in (None, "?", ".") else value


def _number(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        return None


_TOKEN = re.compile(
    r"(?:^;(?P<block>.*?)\n;(?=\s|$))|(?P<quote>['\"])(?P<quoted>.*?)(?P=quote)(?=\s|$)|(?P<comment>#[^\n]*)"
    r"|(?P<plain>\S+)",
    re.MULTILINE | re.DOTALL,
)


def category_rows(head: str, category: str) -> list[dict[str, str]]:
    """Rows of one mmCIF category, whether it is a loop or single items."""
    start = re.search(rf"^(loop_\s*\n)?{re.escape(category)}", head, re.MULTILINE)
    if start is None:
        return []
    # Names are bare words that begin with the category; a loop's values follow its names, else they
    # alternate.
    names: list[str] = []
    values: list[str] = []
    for match in _TOKEN.finditer(head, start.end(1) if start[1] else start.start()):
        if match["comment"] is not None:
            continue
        plain = match["plain"]
        if plain is not None and plain.startswith(category):
            names.append(plain[len(category) :])
        elif plain is not None and (plain.startswith("_") or plain.lower().startswith(("loop_", "data_"))):
            break
        else:
            values.append(next(v for v in (match["block"], match["quoted"], plain) if v is not None).strip())
    if not names:
        return []
    width = len(names)
    return [
        dict(zip(names, values[at : at + width], strict=True))
        for at in range(0, len(values) - width + 1, width)
    ]
