"""Which residues are water: by the wwPDB, and by the programs of molecular dynamics."""

from __future__ import annotations

from pathlib import Path

import gemmi
import pytest
from biotite.structure import info

from profet import CleanOptions, clean
from profet.cleaning.residues import ALSO_MOLECULES, WATERS

WATER = CleanOptions(water=True)
HETATOMS = CleanOptions(hetatoms=True)


ITEMS = "group_PDB id type_symbol label_atom_id label_comp_id label_asym_id auth_seq_id Cartn_x"


def as_pdb(*residues: tuple[str, str, tuple[str, ...]], folder: Path) -> Path:
    """Write a glycine and other residues, all as ATOM, as programs of molecular dynamics do."""
    lines: list[str] = []
    for number, (name, chain, atoms) in enumerate([("GLY", "A", ("N", "CA", "C", "O")), *residues], 1):
        for atom in atoms:
            lines.append(
                f"ATOM  {len(lines) + 1:>5}  {atom:<3} {name:<4}{chain}{number:>4}    "
                f"{10.0 * number:8.3f}{1.5 * len(lines):8.3f}{0:8.3f}  1.00  0.00\n"
            )
    path = folder / "a.pdb"
    path.write_text("".join(lines))
    return path


def as_mmcif(path: Path) -> Path:
    """Write the atoms of a file and nothing else, in mmCIF."""
    lines = path.read_text().splitlines()
    rows = [
        f"{line[:6]} {line[6:11]} {line[12:16].split()[0][0]} {line[12:16]} {line[17:21]} "
        f"{line[21:22].strip() or '.'} {line[22:26]} {line[30:38]}"
        for line in lines
    ]
    copy = path.with_suffix(".cif")
    copy.write_text(
        "\n".join(["data_x", "loop_", *(f"_atom_site.{item}" for item in ITEMS.split()), *rows, ""])
    )
    return copy


def names_left(path: Path) -> list[str]:
    if path.suffix == ".cif":
        return list(
            dict.fromkeys(gemmi.cif.read(str(path)).sole_block().find_values("_atom_site.label_comp_id"))
        )
    return list(dict.fromkeys(line[17:21].strip() for line in path.read_text().splitlines()))


@pytest.mark.parametrize("kind", ["pdb", "cif"])
@pytest.mark.parametrize(
    ("name", "atoms"),
    [
        ("TIP3", ("OH2", "H1", "H2")),  # CHARMM, NAMD
        ("TIP", ("OH2", "H1", "H2")),
        ("SOL", ("OW", "HW1", "HW2")),  # GROMACS
        ("SOL", ("OW", "HW1", "HW2", "MW")),
        ("TP3", ("O", "H1", "H2")),  # Amber
        ("OPC", ("O", "H1", "H2", "EPW")),
        ("T3P", ("OW", "HW1", "HW2")),  # Desmond
    ],
)
def test_water_of_molecular_dynamics_goes_as_water(
    name: str, atoms: tuple[str, ...], kind: str, tmp_path: Path
) -> None:
    path = as_pdb((name, "W", atoms), (name, "W", atoms), folder=tmp_path)
    path = path if kind == "pdb" else as_mmcif(path)

    report = clean(path, options=WATER)

    assert names_left(report.path) == ["GLY"]
    assert sum(report.atoms_removed["water"].values()) == 2 * len(atoms)
    assert clean(path, options=HETATOMS).atoms_removed == {}


@pytest.mark.parametrize("kind", ["pdb", "cif"])
def test_a_molecule_that_the_wwpdb_calls_as_a_program_calls_water_is_none(kind: str, tmp_path: Path) -> None:
    sorbose = tuple(info.residue("SOL").atom_name)
    path = as_pdb(("SOL", "B", sorbose), folder=tmp_path)
    path = path if kind == "pdb" else as_mmcif(path)

    report = clean(path, options=WATER)

    assert report.atoms_removed == {}
    assert names_left(report.path) == ["GLY", "SOL"]


def test_of_the_names_of_water_none_is_another_molecule_of_the_wwpdb() -> None:
    components = set(info.all_residues())

    for name in (word.decode() for word in WATERS):
        if name in components:
            assert set(info.residue(name).element) <= {"O", "H", "D"}
    for name in (word.decode() for word in ALSO_MOLECULES):
        assert "C" in set(info.residue(name).element)
