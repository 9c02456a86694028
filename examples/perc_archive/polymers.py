"""The polymers of a structure, as far as the RCSB's interfaces tell of them, read from its mmCIF file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from perc_archive.site import Site
from perc_archive.structure_record import category_rows

_LETTERS = {
    "ALA": "A", "ARG": "R", "ASN": "N", "ASP": "D", "CYS": "C", "GLN": "Q", "GLU": "E", "GLY": "G",
    "HIS": "H", "ILE": "I", "LEU": "L", "LYS": "K", "MET": "M", "MSE": "M", "PHE": "F", "PRO": "P",
    "SER": "S", "THR": "T", "TRP": "W", "TYR": "Y", "VAL": "V",
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Polymer:
    """One polymer entity.

    ``chains`` are pairs of the label and the authors' name; ``references`` are (accession, first residue of
    the entity, first residue in UniProt, number of residues), without repeats.
    """

    entity: str
    chains: tuple[tuple[str, str], ...]
    letters: str
    name: str
    organism: str
    references: tuple[tuple[str, int, int, int], ...]


def head_of(site: Site, pdb_id: str) -> str:
    """The mmCIF file of an entry up to its atoms; empty where there is none."""
    file = site.tree.either_form("files.rcsb.org", f"download/{pdb_id}.cif", gzipped=False)
    return "" if file is None else file.read_text("utf-8", errors="replace").partition("_atom_site.")[0]


def polymers(head: str) -> list[Polymer]:
    """Polymers of the head of an mmCIF file, in order."""
    labels: dict[str, list[str]] = {}
    for row in category_rows(head, "_struct_asym."):
        labels.setdefault(row["entity_id"], []).append(row["id"])
    names = {row["id"]: row.get("pdbx_description", "") for row in category_rows(head, "_entity.")}
    residues: dict[str, list[str]] = {}
    for row in category_rows(head, "_entity_poly_seq."):
        residues.setdefault(row["entity_id"], []).append(_LETTERS.get(row["mon_id"], "X"))
    organisms = _organisms(head)
    references = _references(head)
    found = []
    for row in category_rows(head, "_entity_poly.") or _entities_by_reference(head):
        entity = row.get("entity_id", "1")
        authors = row.get("pdbx_strand_id", "A").split(",")
        own = labels.get(entity, authors)
        found.append(
            Polymer(
                entity=entity,
                chains=tuple(zip(own, authors, strict=False)),
                letters="".join(residues.get(entity, [])),
                name=_known(names.get(entity)) or "Protein",
                organism=organisms.get(entity, "synthetic construct (32630)"),
                references=tuple(references.get(entity, ())),
            )
        )
    return found


def _entities_by_reference(head: str) -> list[dict[str, str]]:
    """Polymers of a file that does not list them: those that refer to a sequence."""
    entities = {row["id"]: row["entity_id"] for row in category_rows(head, "_struct_ref.")}
    strands: dict[str, list[str]] = {}
    for row in category_rows(head, "_struct_ref_seq."):
        strands.setdefault(entities[row["ref_id"]], []).append(row["pdbx_strand_id"])
    return [{"entity_id": name, "pdbx_strand_id": ",".join(found)} for name, found in strands.items()]


def _organisms(head: str) -> dict[str, str]:
    fields = (
        ("_entity_src_gen.", "pdbx_gene_src_scientific_name", "pdbx_gene_src_ncbi_taxonomy_id"),
        ("_entity_src_nat.", "pdbx_organism_scientific", "pdbx_ncbi_taxonomy_id"),
    )
    return {
        row.get("entity_id", "1"): f"{row[name]} ({row.get(number, '')})"
        for category, name, number in fields
        for row in category_rows(head, category)
        if _known(row.get(name))
    }


def _references(head: str) -> dict[str, list[tuple[str, int, int, int]]]:
    entities = {
        row["id"]: (row["entity_id"], row.get("pdbx_db_accession", ""))
        for row in category_rows(head, "_struct_ref.")
        if row.get("db_name") == "UNP"
    }
    found: dict[str, list[tuple[str, int, int, int]]] = {}
    for row in category_rows(head, "_struct_ref_seq."):
        if row["ref_id"] in entities:
            entity, accession = entities[row["ref_id"]]
            first, last = _number(row, "seq_align_beg"), _number(row, "seq_align_end")
            reference = accession, first, _number(row, "db_align_beg"), last - first + 1
            if reference not in found.setdefault(entity, []):
                found[entity].append(reference)
    return found


def _number(row: Mapping[str, str], item: str) -> int:
    text = row.get(item, "")
    return int(text) if text.lstrip("-").isdigit() else 1


def _known(value: str | None) -> str:
    return "" if value in (None, "", "?", ".") else str(value)
