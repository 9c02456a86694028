"""Ions, lipids and ligands that programs of molecular dynamics write as ATOM, and names of four letters."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import gemmi
import pytest

from profet import CleanOptions, clean
from profet.errors import RefusedError

HETATOMS = CleanOptions(hetatoms=True)
BACKBONE = ("N", "CA", "C", "O")
NUCLEOTIDE = ("P", "C3'", "O3'")

Residue = tuple[str, str, tuple[str, ...], bool, bool]
# Name, chain, atoms, whether it is bonded to the one before, whether it is part of a chain.
SIMULATED: list[Residue] = [
    ("ACE", "A", ("CH3", "C"), False, True),
    ("HSD", "A", BACKBONE, True, True),  # a histidine, by CHARMM
    ("XYZ", "A", BACKBONE, True, True),  # a modified residue that nobody knows
    ("SEP", "A", BACKBONE, False, True),
    ("HID", "A", BACKBONE, False, True),  # the next ones were not seen
    ("ALA", "A", ("CA",), False, True),
    ("PSU", "B", NUCLEOTIDE, False, True),
    ("XNA", "B", NUCLEOTIDE, True, True),
    ("U", "B", ("P",), False, True),
    ("SOD", "C", ("SOD",), False, False),
    ("CLA", "C", ("CLA",), False, False),
    ("NA", "C", ("NA",), False, False),
    ("Cl-", "C", ("Cl-",), False, False),
    ("CA", "C", ("CA",), False, False),
    ("PC", "D", ("P31", "N31", "C31"), False, False),  # a head group, by Amber
    ("OL", "D", ("C11", "C12"), False, False),
    ("POP", "D", ("N", "P", "C11", "C1", "C2", "C3"), False, False),
    ("GOL", "E", ("C1", "O1"), False, False),
    ("DMF", "E", ("C", "O", "N", "C1"), False, False),
    ("ATP", "E", ("PG", "O5'", "C3'", "O3'"), False, False),
]


def as_pdb(residues: Iterable[Residue]) -> str:
    """Residues along x, all written as ATOM."""
    lines: list[str] = []
    x = 0.0
    for number, (name, chain, atoms, is_bonded, _) in enumerate(residues, 1):
        x += 1.3 if is_bonded else 40.0
        for atom in atoms:
            lines.append(
                f"ATOM  {len(lines) + 1:>5} {f' {atom}':<4} {name:<4}{chain}{number:>4}    "
                f"{x:8.3f}{0:8.3f}{0:8.3f}  1.00  0.00\n"
            )
            x += 0 if atom == atoms[-1] else 1.4
    return "".join(lines)


def as_mmcif(pdb: str, *, with_places: bool) -> str:
    items = "group_PDB id label_atom_id label_comp_id label_asym_id label_seq_id auth_seq_id Cartn_x"
    rows = [
        f"ATOM {line[6:11]} {_quoted(line[12:16].strip())} {line[17:21]} {line[21]} "
        f"{line[22:26] if with_places else '.'} {line[22:26]} {line[30:38]} 0 0"
        for line in pdb.splitlines()
    ]
    names = [f"_atom_site.{item}" for item in (*items.split(), "Cartn_y", "Cartn_z")]
    return "\n".join(["data_x", "loop_", *names, *rows, ""])


def _quoted(atom: str) -> str:
    return f'"{atom}"' if "'" in atom else atom


@pytest.mark.parametrize("kind", ["pdb", "cif with places", "cif"])
def test_what_is_written_as_atom_and_is_of_no_chain_goes_as_hetero_atoms(kind: str, tmp_path: Path) -> None:
    text = as_pdb(SIMULATED)
    path = tmp_path / f"a.{kind[:3]}"
    path.write_text(text if kind == "pdb" else as_mmcif(text, with_places=kind != "cif"))

    left = clean(path, options=HETATOMS).path

    if kind == "pdb":
        names = [residue.name for chain in gemmi.read_pdb(str(left))[0] for residue in chain]
    else:
        atoms = gemmi.cif.read(str(left)).sole_block().find("_atom_site.", ["label_comp_id", "auth_seq_id"])
        names = [name for name, _ in dict.fromkeys(map(tuple, atoms))]
    assert names == [name for name, *_, is_of_chain in SIMULATED if is_of_chain]


def test_what_stays_is_what_gemmi_calls_a_polymer() -> None:
    structure = gemmi.read_pdb_string(as_pdb(SIMULATED))
    structure.setup_entities()
    structure.remove_ligands_and_waters()

    names = [residue.name for chain in structure[0] for residue in chain]
    assert names == [name for name, *_, is_of_chain in SIMULATED if is_of_chain]


@pytest.mark.parametrize("chain", ["A", " "])
def test_in_one_chain_with_a_protein_such_residues_go_too(chain: str, tmp_path: Path) -> None:
    path = tmp_path / "a.pdb"
    path.write_text(as_pdb((residue[0], chain, *residue[2:]) for residue in SIMULATED))

    left = clean(path, options=HETATOMS).path.read_text().splitlines()

    names = [name for name, *_, is_of_chain in SIMULATED if is_of_chain]
    assert list(dict.fromkeys(line[17:20].strip() for line in left)) == names


def test_a_residue_that_the_sequence_names_stays_without_a_backbone(tmp_path: Path) -> None:
    path = tmp_path / "a.pdb"
    residues: list[Residue] = [("ALA", "A", ("CA",), False, True), ("XYZ", "A", ("CA",), False, True)]
    stray: list[Residue] = [("ZN", "A", ("ZN",), False, False)]
    path.write_text(f"{'SEQRES   1 A    2  ALA XYZ':<80}\n" + as_pdb(residues + stray))

    left = clean(path, options=HETATOMS).path.read_text()

    assert [line[17:20] for line in left.splitlines()[1:]] == ["ALA", "XYZ"]


FOUR_LETTERS: list[Residue] = [
    ("LYSH", "A", BACKBONE, False, True),
    ("GLY", "A", BACKBONE, True, True),
    ("POPC", "L", ("N", "P", "C11"), False, False),
    ("TIP3", "W", ("OH2",), False, False),
]


@pytest.mark.parametrize(
    ("options", "left"),
    [
        (CleanOptions(chains="L"), {"L"}),
        (CleanOptions(chains="-L"), {"A", "W"}),
        (CleanOptions(water=True), {"A", "L"}),
        (CleanOptions(water=True, hetatoms=True), {"A"}),
    ],
)
def test_the_fourth_letter_of_a_name_is_not_taken_for_the_chain(
    options: CleanOptions, left: set[str], tmp_path: Path
) -> None:
    path = tmp_path / "a.pdb"
    path.write_text(as_pdb(FOUR_LETTERS))

    report = clean(path, options=options)

    assert {line[21] for line in report.path.read_text().splitlines()} == left
    assert {chain for chains in report.atoms_removed.values() for chain in chains} == {"A", "L", "W"} - left


def test_chains_of_two_letters_are_chains(tmp_path: Path) -> None:
    path = tmp_path / "a.pdb"
    residues: list[Residue] = [("ALA", "A", BACKBONE, False, True), ("GLYA", "A", BACKBONE, False, True)]
    path.write_text(as_pdb([*residues, ("ATPA", "B", ("PG", "O5'"), False, False)]))

    report = clean(path, options=CleanOptions(chains=("A", "AB")))

    assert [line[17:22] for line in report.path.read_text().splitlines()] == ["ALA A"] * 4 + ["ATPAB"] * 2
    assert report.atoms_removed == {"chains": {"AA": 4}}
    with pytest.raises(RefusedError, match=r"no chain 'B' \(it has A, AA, AB\)"):
        clean(path, options=CleanOptions(chains="B"))


def _residues(structure: gemmi.Structure) -> set[tuple[int, str, str, str]]:
    return {
        (model.num, chain.name, str(residue.seqid), residue.name[:3])
        for model in structure
        for chain in model
        for residue in chain
    }


def _as_bare_pdb(structure: gemmi.Structure) -> str:
    lines = structure.make_pdb_string(gemmi.PdbWriteOptions(minimal=True)).splitlines()
    return "".join(f"{line}\n" for line in lines if not line.startswith("TER"))


def _as_bare_mmcif(structure: gemmi.Structure) -> str:
    groups = gemmi.MmcifOutputGroups(False)
    groups.atoms = groups.group_pdb = True
    return structure.make_mmcif_document(groups).as_string()


@pytest.mark.real_data
@pytest.mark.parametrize("written", [_as_bare_pdb, _as_bare_mmcif])
def test_of_real_files_the_same_goes_where_all_is_written_as_atom(
    written: Callable[[gemmi.Structure], str], real_data: Path, tmp_path: Path
) -> None:
    files = sorted((real_data / "profet").glob("*.cif.gz")) + sorted((real_data / "profet").glob("*.pdb.gz"))
    for file in files:
        structure = gemmi.read_structure(str(file))
        structure.setup_entities()
        path = tmp_path / ("a.pdb" if written is _as_bare_pdb else "a.cif")
        path.write_text(written(structure).replace("HETATM", "ATOM  "))

        left = gemmi.read_structure(str(clean(path, options=CleanOptions(water=True, hetatoms=True)).path))

        structure.remove_ligands_and_waters()
        assert _residues(left) == _residues(structure), file.name
    assert len(files) >= 20
