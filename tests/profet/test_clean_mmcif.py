"""mmCIF: rows of atoms go in whatever layout, and so do the rows that depend on them."""

from __future__ import annotations

import gzip
from pathlib import Path

import gemmi
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from profet import CleanOptions, RefusedError, clean
from profet_oracles import atom_rows, check_mmcif

WATER = CleanOptions(water=True)
ITEMS = ("group_PDB", "id", "type_symbol", "label_atom_id", "label_comp_id", "label_asym_id", "label_seq_id")
HEADER = "".join(f"_atom_site.{item}\n" for item in ITEMS)
ROWS = ["ATOM 1 N N ALA A 1", "ATOM 2 C CA ALA A 1", "HETATM 3 O O HOH B .", "ATOM 4 C C ALA A 1"]


def cleaned(body: str, folder: Path, options: CleanOptions = WATER) -> str:
    """Text of the cleaned file."""
    path = folder / "a.cif"
    path.write_bytes(body.encode())
    return clean(path, options=options).path.read_bytes().decode()


def test_the_simplest_file_loses_one_line(tmp_path: Path) -> None:
    body = "data_x\nloop_\n" + HEADER + "\n".join(ROWS) + "\n#\n_z.z 1\n"

    assert cleaned(body, tmp_path) == body.replace(ROWS[2] + "\n", "")


@pytest.mark.parametrize(
    "rows",
    [
        "ATOM 1 N N ALA A 1 ATOM 2 C CA ALA A 1\nHETATM 3 O O HOH B .\nATOM 4 C C ALA A 1",
        "ATOM 1 N N ALA A 1\nATOM 2 C CA ALA A 1 HETATM 3 O O HOH B . ATOM 4 C C ALA A 1",
        "ATOM 1 N N ALA A 1\nATOM 2 C CA ALA A 1 HETATM 3 O O HOH B .\nATOM 4 C C ALA A 1",
        "ATOM 1 N N ALA A 1\nATOM 2 C CA ALA A 1\nHETATM 3 O\n O 'HOH' B\n.\nATOM 4 C C ALA A 1",
        "ATOM 1 N N ALA A 1\nATOM 2 C CA ALA A 1\nHETATM 3 O O\n;HOH\n; B . ATOM 4 C C ALA A 1",
        'ATOM 1 N N ALA A 1 # one\nATOM 2 C "CA" ALA A 1\n# 3\nHETATM 3 O O "HOH" B .\nATOM 4 C C ALA A 1',
        "ATOM 1 N N ALA A 1\nATOM 2 C CA ALA A 1 HETATM 3 O O HOH B .\n;ATOM\n; 4 C C ALA A 1",
    ],
)
def test_rows_in_any_layout_go_and_leave_valid_cif(rows: str, tmp_path: Path) -> None:
    result = cleaned("data_x\nloop_\n" + HEADER + rows + "\n#\nloop_\n_z.a\n_z.b\n1 2\n", tmp_path)

    assert [row["id"] for row in atom_rows(result.encode())] == ["1", "2", "4"]
    assert result.endswith("#\nloop_\n_z.a\n_z.b\n1 2\n")


def test_a_row_with_a_quoted_blank_is_not_mistaken_for_two_values(tmp_path: Path) -> None:
    body = "data_x\nloop_\n" + HEADER + "ATOM 1 C 'C A' ALA A 1\nHETATM 2 O 'HOH HOH' HOH B .\n"

    assert cleaned(body, tmp_path) == body.replace("HETATM 2 O 'HOH HOH' HOH B .\n", "")


ANISOTROPIC = "loop_\n_atom_site_anisotrop.id\n_atom_site_anisotrop.u\n"


@pytest.mark.parametrize("order", ["before", "after"])
def test_anisotropic_rows_go_with_their_atoms_wherever_they_stand(order: str, tmp_path: Path) -> None:
    atoms = "loop_\n" + HEADER + "\n".join(ROWS) + "\n#\n"
    displacements = ANISOTROPIC + "1 0.1\n3 0.3\n4 0.4\n#\n"
    parts = [displacements, atoms] if order == "before" else [atoms, displacements]
    body = "data_x\n" + "".join(parts)

    assert cleaned(body, tmp_path) == body.replace("3 0.3\n", "").replace(ROWS[2] + "\n", "")


def test_a_loop_that_loses_its_last_row_goes_with_its_header(tmp_path: Path) -> None:
    atoms = "data_x\nloop_\n" + HEADER + "\n".join(ROWS) + "\n#\n"

    result = cleaned(atoms + ANISOTROPIC + "3 0.3\n#\n_z.z 1\n", tmp_path)

    assert result == atoms.replace(ROWS[2] + "\n", "") + "#\n_z.z 1\n"


def test_a_single_anisotropic_row_written_as_pairs_goes_with_its_atom(tmp_path: Path) -> None:
    atoms = "data_x\nloop_\n" + HEADER + "\n".join(ROWS) + "\n#\n"
    pairs = "_atom_site_anisotrop.id {}\n_atom_site_anisotrop.u 0.3\n#\n"

    assert "anisotrop" not in cleaned(atoms + pairs.format(3), tmp_path)
    assert cleaned(atoms + pairs.format(4), tmp_path).endswith(pairs.format(4))


def test_a_single_observed_residue_written_as_pairs_goes_with_its_atoms(tmp_path: Path) -> None:
    atoms = "data_x\nloop_\n" + HEADER + "\n".join([*ROWS, "ATOM 5 C CA ALA C 1"]) + "\n#\n"
    pairs = "_pdbx_sifts_xref_db.asym_id {}\n_pdbx_sifts_xref_db.seq_id 1\n#\n"

    for chain, is_listed in (("A", True), ("C", False)):
        result = cleaned(atoms + pairs.format(chain), tmp_path, CleanOptions(chains="-C"))
        assert ("sifts" in result) is is_listed


def test_a_structure_of_one_atom_written_as_pairs_is_left_alone(tmp_path: Path) -> None:
    body = "data_x\n" + "".join(
        f"_atom_site.{item} {value}\n" for item, value in zip(ITEMS, ROWS[0].split(), strict=True)
    )

    assert cleaned(body, tmp_path) == body


def test_the_data_block_that_holds_atoms_is_cleaned_wherever_it_stands(tmp_path: Path) -> None:
    block = "loop_\n" + HEADER + "\n".join(ROWS) + "\n#\n"
    # Files of refinement programs carry restraints of ligands, whose entities are not those of the structure.
    other = "loop_\n_entity.id\n_entity.type\nA water\n#\nloop_\n_chem_comp_atom.comp_id\nHOH\n#\n"

    for body in (f"data_x\n{block}data_y\n{other}", f"data_x\n{other}data_y\n{block}"):
        assert cleaned(body, tmp_path) == body.replace(ROWS[2] + "\n", "")


def test_atoms_in_several_data_blocks_are_refused_not_half_cleaned(tmp_path: Path) -> None:
    block = "loop_\n" + HEADER + "\n".join(ROWS) + "\n#\n"

    with pytest.raises(RefusedError, match=r"2 data blocks of .*a\.cif hold atoms"):
        cleaned(f"data_x\n{block}data_y\n{block}", tmp_path)


@pytest.mark.parametrize(
    ("row", "stays"),
    [
        ("HETATM 9 HG HG HG B .", True),
        ("HETATM 9 ? HG HG B .", True),
        ("HETATM 9 HO HO HO3 B .", True),
        ("HETATM 9 HF HF HF3 B .", True),
        ("HETATM 9 H HO LIG B .", False),
        ("HETATM 9 . HO LIG B .", False),
        ("ATOM 9 D DA SER A 2", False),
        ("ATOM 9 h HA SER A 2", False),
        ("ATOM 9 ? 1HB SER A 2", False),
        ("ATOM 9 C CH2 TRP A 2", True),
        ("ATOM 9 ? OH TYR A 2", True),
    ],
)
def test_hydrogen_is_told_by_its_element(row: str, stays: bool, tmp_path: Path) -> None:
    body = "data_x\nloop_\n" + HEADER + "\n".join([*ROWS, row]) + "\n"

    assert (row in cleaned(body, tmp_path, CleanOptions(hydrogens=True))) is stays


def test_entities_decide_what_is_hetero_and_the_sequence_where_they_are_not_stated(tmp_path: Path) -> None:
    items = (*ITEMS[:6], "label_entity_id", "label_seq_id")
    rows = [
        "HETATM 1 S SE MSE A 1 7", "HETATM 2 S S SO4 B 2 .", "ATOM 3 C C1 NAG C 3 .",
        "HETATM 4 O O HOH D 4 .", "HETATM 5 O O MTO E 4 .", "HETATM 6 S SE MSE F 9 8", "ATOM 7 S S SO4 G 9 .",
    ]  # fmt: skip
    entities = "loop_\n_entity.id\n_entity.type\n1 polymer\n2 non-polymer\n3 branched\n4 water\n#\n"
    atoms = "loop_\n" + "".join(f"_atom_site.{item}\n" for item in items) + "\n".join(rows) + "\n"

    left = {
        name: [
            row["id"] for row in atom_rows(cleaned("data_x\n" + entities + atoms, tmp_path, options).encode())
        ]
        for name, options in (("hetatoms", CleanOptions(hetatoms=True)), ("water", WATER))
    }

    assert left == {"hetatoms": ["1", "4", "5", "6"], "water": ["1", "2", "3", "6", "7"]}


@given(
    kinds=st.lists(st.sampled_from(["ALA", "HOH", "SO4"]), min_size=1, max_size=30),
    gaps=st.lists(st.sampled_from([" ", "\n", "  ", "\t", " # HOH\n", "\r\n"]), min_size=8, max_size=50),
    quote=st.sampled_from(["{}", "'{}'", '"{}"']),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_whatever_the_layout_gemmi_finds_all_but_the_rows_that_went(
    kinds: list[str], gaps: list[str], quote: str, tmp_path: Path
) -> None:
    kinds = ["ALA", *kinds]
    values = [
        value
        for n, kind in enumerate(kinds, 1)
        for value in ("ATOM", str(n), "C", "CA", quote.format(kind), "A", "1" if kind == "ALA" else ".")
    ]
    rows = "".join(value + gaps[n % len(gaps)] for n, value in enumerate(values))
    body = f"data_x\n_a.b 1\nloop_\n{HEADER}{rows}\n_z.z 'HOH HOH'\n"

    result = cleaned(body, tmp_path, CleanOptions(water=True, hetatoms=True))

    gone = {str(n) for n, kind in enumerate(kinds, 1) if kind != "ALA"}
    check_mmcif(body.encode(), result.encode(), gone)


@pytest.mark.real_data
def test_of_real_files_only_rows_of_atoms_are_missing(real_data: Path, tmp_path: Path) -> None:
    paths = sorted((real_data / "profet").glob("*.cif.gz"))
    assert len(paths) > 10
    for path in paths:
        before = gzip.decompress(path.read_bytes())
        source = tmp_path / path.stem
        source.write_bytes(before)

        report = clean(source, options=CleanOptions(hydrogens=True, water=True, hetatoms=True))

        after = report.path.read_bytes()
        gone = {row["id"] for row in atom_rows(before)} - {row["id"] for row in atom_rows(after)}
        check_mmcif(before, after, gone)
        assert _heavy_polymer_atoms(source) == report.atoms_after, path.name
        assert sum(map(len, gemmi.read_structure(str(report.path)))) > 0


def _heavy_polymer_atoms(path: Path) -> int:
    structure = gemmi.read_structure(str(path))
    structure.setup_entities()
    return sum(
        not atom.is_hydrogen()
        for model in structure
        for chain in model
        for residue in chain
        if residue.entity_type is gemmi.EntityType.Polymer
        for atom in residue
    )
