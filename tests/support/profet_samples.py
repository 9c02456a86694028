"""Small structures with ideal facts, in both formats, for the tests of profet.

A structure is a list of residues; where each stands in the sequence and in UniProt is known by construction.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

LETTERS = "ACDEFGHIKLMNPQRSTVWY"
_RESIDUES = "ALA CYS ASP GLU PHE GLY HIS ILE LYS LEU MET ASN PRO GLN ARG SER THR VAL TRP TYR"
NAMES = dict(zip(LETTERS, _RESIDUES.split(), strict=True))


def protein(length: int, seed: int = 7) -> str:
    """Sequence in which no four letters come twice, so that any stretch of four has one place only."""
    letters, seen, state = "MKV", set[str](), seed
    while len(letters) < length:
        for step in range(20):
            state = (state * 1103515245 + 12345 + step) % 2**31
            tail = letters[-3:] + LETTERS[(state >> 12) % 20]
            if tail not in seen:
                seen.add(tail)
                letters = letters[:-3] + tail
                break
    return letters[:length]


@dataclass(frozen=True, kw_only=True)
class Residue:
    """One residue: its letter or name, its place in the chain's sequence, the authors' number."""

    name: str
    place: int | None
    number: int
    insertion: str = ""
    uniprot: int | None = None
    atoms: tuple[tuple[str, str], ...] = (("N", "N"), ("CA", "C"), ("C", "C"), ("O", "O"))
    is_hetatm: bool = False


@dataclass(frozen=True, kw_only=True)
class Polymer:
    """A chain: its whole sequence in letters or names, residues with coordinates, what it is in UniProt."""

    name: str
    sequence: Sequence[str]
    residues: Sequence[Residue]
    accession: str | None = None
    reference: tuple[int, int, int, int] | None = None  # first and last in the file's count, and in UniProt
    has_sifts: bool = False


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A structure: chains, then other residues with the chain they are filed under."""

    polymers: Sequence[Polymer]
    others: Sequence[tuple[str, Residue]] = field(default_factory=tuple)


def ligand(name: str, number: int, *atoms: tuple[str, str]) -> Residue:
    """Residue that is no polymer."""
    return Residue(name=name, place=None, number=number, atoms=atoms, is_hetatm=True)


def water(number: int, name: str = "HOH") -> Residue:
    """One water molecule."""
    return ligand(name, number, ("O", "O"))


def to_mmcif(sample: Sample, *, name: str = "TEST") -> bytes:
    """Structure in mmCIF."""
    kinds = list(dict.fromkeys(residue.name for _, residue in sample.others))
    entities = [f"{index} polymer" for index, _ in enumerate(sample.polymers, 1)]
    entities += [
        f"{len(sample.polymers) + index} {'water' if kind in ('HOH', 'DOD', 'WAT') else 'non-polymer'}"
        for index, kind in enumerate(kinds, 1)
    ]
    lines = [f"data_{name}", "#", "loop_", "_entity.id", "_entity.type", *entities, "#"]
    if sample.polymers:
        lines += ["loop_", "_entity_poly_seq.entity_id", "_entity_poly_seq.num", "_entity_poly_seq.mon_id"]
    for entity, polymer in enumerate(sample.polymers, 1):
        lines += [f"{entity} {n} {NAMES.get(letter, letter)}" for n, letter in enumerate(polymer.sequence, 1)]
    lines += ["#", *_references(sample), "_struct.title 'HOH and H in a title, and ATOM'", "#"]
    lines += ["loop_", *(f"_atom_site.{item}" for item in _ITEMS.split())]
    lines += [*_atom_rows(sample, kinds), "#", ""]
    return "\n".join(lines).encode()


_ITEMS = (
    "group_PDB id type_symbol label_atom_id label_alt_id label_comp_id label_asym_id label_entity_id "
    "label_seq_id pdbx_PDB_ins_code Cartn_x Cartn_y Cartn_z occupancy B_iso_or_equiv auth_seq_id "
    "auth_asym_id pdbx_PDB_model_num pdbx_sifts_xref_db_name pdbx_sifts_xref_db_acc pdbx_sifts_xref_db_num"
)


def _references(sample: Sample) -> list[str]:
    stated = [(n, polymer) for n, polymer in enumerate(sample.polymers, 1) if polymer.reference]
    if not stated:
        return []
    heading = "id db_name db_code entity_id pdbx_db_accession pdbx_db_isoform"
    lines = ["loop_", *(f"_struct_ref.{item}" for item in heading.split())]
    for n, polymer in stated:
        accession = polymer.accession or "TEST"
        lines.append(f"{n} {'UNP' if polymer.accession else 'PDB'} X_TEST {n} {accession} ?")
    items = (
        "align_id ref_id pdbx_PDB_id_code pdbx_strand_id seq_align_beg pdbx_seq_align_beg_ins_code "
        "seq_align_end pdbx_seq_align_end_ins_code pdbx_db_accession db_align_beg pdbx_db_align_beg_ins_code "
        "db_align_end pdbx_db_align_end_ins_code pdbx_auth_seq_align_beg pdbx_auth_seq_align_end"
    )
    lines += ["#", "loop_", *(f"_struct_ref_seq.{item}" for item in items.split())]
    for n, polymer in stated:
        assert polymer.reference is not None
        first, last, database_first, database_last = polymer.reference
        lines.append(
            f"{n} {n} TEST {polymer.name} {first} ? {last} ? {polymer.accession or 'TEST'} "
            f"{database_first} ? {database_last} ? {first} {last}"
        )
    return [*lines, "#"]


def _atom_rows(sample: Sample, kinds: list[str]) -> list[str]:
    rows: list[str] = []
    for entity, polymer in enumerate(sample.polymers, 1):
        for residue in polymer.residues:
            mapped = polymer.has_sifts and residue.uniprot is not None
            sifts = f"UNP {polymer.accession} {residue.uniprot}" if mapped else "? ? ?"
            rows += _residue_rows(residue, polymer.name, polymer.name, entity, sifts, len(rows))
    for index, (chain, residue) in enumerate(sample.others):
        entity = len(sample.polymers) + kinds.index(residue.name) + 1
        rows += _residue_rows(residue, f"{chain}{index}", chain, entity, "? ? ?", len(rows))
    return rows


def _residue_rows(residue: Residue, asym: str, chain: str, entity: int, sifts: str, count: int) -> list[str]:
    group = "HETATM" if residue.is_hetatm else "ATOM"
    name = NAMES.get(residue.name, residue.name)
    place = f"{'.' if residue.place is None else residue.place} {residue.insertion or '?'}"
    return [
        f"{group} {count + n} {element or '?'} {_quoted(atom)} . {name} {asym} {entity} {place} "
        f"{count + n}.000 0.000 {n}.500 1.00 10.00 {residue.number} {chain} 1 {sifts}"
        for n, (atom, element) in enumerate(residue.atoms, 1)
    ]


def _quoted(atom: str) -> str:
    return f'"{atom}"' if "'" in atom else atom


def to_pdb(sample: Sample) -> bytes:
    """Structure in PDB format, every line of 80 columns."""
    lines = ["HEADER    TEST", "TITLE     HOH AND H IN A TITLE, AND ATOM"]
    for polymer in sample.polymers:
        if polymer.reference:
            first, last, database_first, database_last = polymer.reference
            database, accession = ("UNP", polymer.accession) if polymer.accession else ("PDB", "TEST")
            lines.append(
                f"DBREF  TEST {polymer.name} {first:>4}  {last:>4}  {database:<6} {accession:<8} "
                f"{'X_TEST':<12} {database_first:>5}  {database_last:>5} "
            )
    lines += [line for polymer in sample.polymers for line in _seqres(polymer)]
    serial = 0
    for polymer in sample.polymers:
        for residue in polymer.residues:
            for atom, element in residue.atoms:
                serial += 1
                lines.append(pdb_atom(serial, atom, element, residue, polymer.name))
        serial += 1
        last_residue = polymer.residues[-1]
        lines.append(f"TER   {serial:>5}      {_identity(last_residue, polymer.name)}")
    for chain, residue in sample.others:
        for atom, element in residue.atoms:
            serial += 1
            lines.append(pdb_atom(serial, atom, element, residue, chain))
    return "".join(f"{line:<80}\n" for line in [*lines, "END"]).encode()


def _seqres(polymer: Polymer) -> list[str]:
    names = [NAMES.get(letter, letter) for letter in polymer.sequence]
    return [
        f"SEQRES {at // 13 + 1:>3} {polymer.name} {len(names):>4}  {' '.join(names[at : at + 13])}"
        for at in range(0, len(names), 13)
    ]


def _identity(residue: Residue, chain: str) -> str:
    name = NAMES.get(residue.name, residue.name)
    return f"{name:>3} {chain}{residue.number:>4}{residue.insertion or ' '}"


def pdb_atom(serial: int, atom: str, element: str, residue: Residue, chain: str) -> str:
    """One ATOM or HETATM record. A name that begins with a blank, or has four letters, stands as it is."""
    group = "HETATM" if residue.is_hetatm else "ATOM"
    wide = len(atom) >= 4 or len(element) == 2 or atom.startswith(" ")
    name = f"{atom:<4}" if wide else f" {atom:<3}"
    return (
        f"{group:<6}{serial % 100000:>5} {name} {_identity(residue, chain)}   {serial % 1000:>8.3f}{0:>8.3f}"
        f"{0.5:>8.3f}{1:>6.2f}{10:>6.2f}          {element:>2}"
    )


def uniprot_record(
    accession: str,
    sequence: str,
    *,
    signal: tuple[int, int] | None = None,
    pdb: Sequence[tuple[str, str, str]] = (),
    in_alphafold: bool = False,
) -> dict[str, object]:
    """Record of UniProt with what profet reads; `pdb` lists id, resolution and chains."""
    references: list[dict[str, object]] = [
        {
            "database": "PDB",
            "id": pdb_id,
            "properties": [
                {"key": "Method", "value": "X-ray"},
                {"key": "Resolution", "value": resolution},
                {"key": "Chains", "value": chains},
            ],
        }
        for pdb_id, resolution, chains in pdb
    ]
    if in_alphafold:
        references.append({"database": "AlphaFoldDB", "id": accession, "properties": []})
    features = [] if signal is None else [feature("Signal", *signal)]
    return {
        "primaryAccession": accession,
        "sequence": {"value": sequence, "length": len(sequence)},
        "features": features,
        "uniProtKBCrossReferences": references,
    }


def feature(kind: str, first: int | None, last: int | None) -> dict[str, object]:
    """Feature of UniProt; an end that is None is one that UniProt does not know."""

    def end(value: int | None) -> dict[str, object]:
        return {"value": value, "modifier": "UNKNOWN" if value is None else "EXACT"}

    return {"type": kind, "location": {"start": end(first), "end": end(last)}, "description": ""}
