"""Files as programs, and careless hands, write them: cleaned rightly, or refused with the reason."""

from __future__ import annotations

import gzip
from pathlib import Path

import gemmi
import pytest

from profet import CleanOptions, DamagedFileError, RefusedError, clean
from profet_samples import Polymer, Residue, Sample, protein, to_mmcif, to_pdb, water

WATER = CleanOptions(water=True)
ALL = CleanOptions(hydrogens=True, water=True, hetatoms=True)
ITEMS = (
    "group_PDB id type_symbol label_atom_id label_comp_id label_asym_id label_seq_id auth_asym_id auth_seq_id"
)
HEADER = "data_x\nloop_\n" + "".join(f"_atom_site.{item}\n" for item in ITEMS.split())
ROWS = ["ATOM 1 C CA ALA A 1 A 1", "HETATM 2 O O HOH B . A 2", "ATOM 3 C C ALA A 1 A 1"]


def cleaned(body: bytes | str, folder: Path, name: str, options: CleanOptions = WATER) -> str:
    """Text of the cleaned file."""
    path = folder / name
    path.write_bytes(body if isinstance(body, bytes) else body.encode())
    return clean(path, options=options).path.read_bytes().decode()


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("gap", [" ", "\t", "   \t "])
def test_ends_of_lines_and_gaps_are_kept_as_they_are(end: str, gap: str, tmp_path: Path) -> None:
    rows = [row.replace(" ", gap) + end for row in ROWS]
    header = HEADER.replace("\n", end)

    result = cleaned(header + "".join(rows), tmp_path, "a.cif")

    assert result == header + rows[0] + rows[2]


def test_a_byte_order_mark_and_a_last_line_without_an_end_are_kept(tmp_path: Path) -> None:
    body = b"\xef\xbb\xbf" + (HEADER + "\n".join([ROWS[0], ROWS[2], ROWS[1]])).encode()

    path = tmp_path / "a.cif"
    path.write_bytes(body)

    assert clean(path, options=WATER).path.read_bytes() == body[: -len(ROWS[1])]


def test_names_of_categories_and_items_are_read_in_any_case(tmp_path: Path) -> None:
    body = HEADER.replace("_atom_site.", "_ATOM_Site.").replace("label_comp_id", "LABEL_comp_ID")

    assert cleaned(body + "\n".join(ROWS) + "\n", tmp_path, "a.cif") == body + f"{ROWS[0]}\n{ROWS[2]}\n"


def test_columns_are_found_wherever_they_stand(tmp_path: Path) -> None:
    items = ITEMS.split()[::-1]
    header = "data_x\nloop_\n" + "".join(f"_atom_site.{item}\n" for item in items)
    rows = [" ".join(row.split()[::-1]) + "\n" for row in ROWS]

    assert cleaned(header + "".join(rows), tmp_path, "a.cif") == header + rows[0] + rows[2]


@pytest.mark.parametrize("unstated", ["?", "."])
def test_where_the_authors_name_no_chain_the_files_own_name_serves(unstated: str, tmp_path: Path) -> None:
    rows = [f"ATOM 1 C CA ALA A 1 {unstated} {unstated}\n", f"ATOM 2 C CA ALA B 1 {unstated} {unstated}\n"]

    result = cleaned(HEADER + "".join(rows), tmp_path, "a.cif", CleanOptions(chains="B"))

    assert result == HEADER + rows[1]


def test_atoms_with_quoted_names_are_read_without_the_quotes(tmp_path: Path) -> None:
    rows = [
        'ATOM 1 C "C5\'" DA A 1 A 1\n',
        "ATOM 2 H \"H5''\" DA A 1 A 1\n",
        "ATOM 3 O 'O5\"' DA A 1 A 1\n",
        'HETATM 4 O O "HOH" B . A 2\n',
    ]

    result = cleaned(HEADER + "".join(rows), tmp_path, "a.cif", ALL)

    assert result == HEADER + rows[0] + rows[2]


def test_text_fields_that_look_like_atoms_are_text(tmp_path: Path) -> None:
    text = "_a.text\n;loop_\n_atom_site.id\nHETATM 2 O O HOH B . A 2\n data_y\n;\n"

    result = cleaned(HEADER + "\n".join(ROWS) + f"\n#\n{text}", tmp_path, "a.cif")

    assert result == f"{HEADER}{ROWS[0]}\n{ROWS[2]}\n#\n{text}"


@pytest.mark.parametrize("name", ["a.cif", "a.pdb"])
def test_a_file_without_atoms_is_no_structure(name: str, tmp_path: Path) -> None:
    body = "data_x\n_entry.id X\n_a.atom_site 'HETATM'\n" if name == "a.cif" else "HEADER    ATOM\nEND\n"

    with pytest.raises(DamagedFileError, match="holds no atoms"):
        cleaned(body, tmp_path, name)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", ["HOH", "DOD", "WAT", "H2O"])
def test_water_goes_by_any_of_its_names_and_is_no_hetero_atom(name: str, tmp_path: Path) -> None:
    protein_atom = _atom("1", "CA", "ALA", "A   1 ")
    body = protein_atom + _atom("2", "O", name, "A   2 ", "O", "HETATM")
    rows = HEADER + f"{ROWS[0]}\n{ROWS[1].replace('HOH', name)}\n"

    assert cleaned(body, tmp_path, "a.pdb") == protein_atom
    assert cleaned(rows, tmp_path, "a.cif") == HEADER + f"{ROWS[0]}\n"
    assert cleaned(body, tmp_path, "a.pdb", CleanOptions(hetatoms=True)) == body
    assert cleaned(rows, tmp_path, "a.cif", CleanOptions(hetatoms=True)) == rows


def _atom(
    serial: str, name: str, residue: str, label: str, element: str = "C", record: str = "ATOM  "
) -> str:
    rest = f"{0:8.3f}{0:8.3f}{0:8.3f}  1.00 20.00          {element:>2}\n"
    return f"{record}{serial:>5}  {name:<3} {residue} {label}   {rest}"


def test_pdb_serials_and_numbers_in_hybrid_36_are_read_as_names(tmp_path: Path) -> None:
    atoms = [
        _atom("99999", "CA", "ALA", "A  -5 "),
        _atom("A0000", "CA", "GLY", "A  -5A"),
        _atom("A0001", "H", "GLY", "A  -5A", "H"),
        _atom("A0002", "O", "HOH", "AA000 ", "O", "HETATM"),
    ]
    bonds = ["CONECT99999A0000\n", "CONECTA0000A0001\n"]

    result = cleaned("".join([*atoms, *bonds, "END\n"]), tmp_path, "a.pdb", ALL)

    assert result == "".join([*atoms[:2], bonds[0], "END\n"])


def test_pdb_serials_that_begin_in_the_columns_of_the_name_are_read(tmp_path: Path) -> None:
    # As ChimeraX and the programs of Amber write what does not fit into five columns.
    atoms = [
        _atom("99999", "CA", "ALA", "A   1 "),
        _atom("100000", "CA", "GLY", "A   2 ", record="ATOM "),
        _atom("100000", "CA", "GLY", "A   2 ", record="ANISO"),
        _atom("100001", "H", "GLY", "A   2 ", "H", record="ATOM "),
        _atom("100001", "H", "GLY", "A   2 ", "H", record="ANISO"),
        "TER  100002      GLY A   2 \n",
        _atom("100003", "O", "HOH", "A   3 ", "O", record="HETAT"),
    ]

    result = cleaned("".join([*atoms, "END\n"]), tmp_path, "a.pdb", ALL)

    assert result == "".join([*atoms[:3], atoms[5], "END\n"])


def test_pdb_lines_that_end_in_carriage_returns_alone_are_refused(tmp_path: Path) -> None:
    with pytest.raises(RefusedError, match="carriage return alone"):
        cleaned(_atom("1", "CA", "ALA", "A   1 ").replace("\n", "\r") * 2, tmp_path, "a.pdb")


def _sample(folder: Path, name: str) -> Path:
    sequence = protein(300)
    residues = [Residue(name=letter, place=n, number=n) for n, letter in enumerate(sequence, 1)]
    sample = Sample(
        polymers=[Polymer(name="A", sequence=sequence, residues=residues)], others=[("A", water(900))]
    )
    path = folder / name
    path.write_bytes(gzip.compress(to_mmcif(sample) if ".cif" in name else to_pdb(sample), mtime=0))
    return path


@pytest.mark.parametrize("name", ["a.cif.gz", "a.pdb.gz"])
def test_a_gzipped_file_gives_a_gzipped_one_that_gemmi_reads(name: str, tmp_path: Path) -> None:
    path = _sample(tmp_path, name)

    report = clean(path, options=WATER)

    assert report.path.name == f"a_nowater{name[1:]}"
    assert report.atoms_removed == {"water": {"A": 1}}
    assert sum(len(residue) for residue in gemmi.read_structure(str(report.path))[0]["A"]) == 1200


@pytest.mark.parametrize("name", ["a.cif.gz", "a.pdb.gz"])
def test_a_gzipped_file_that_was_cut_short_or_damaged_leaves_nothing(name: str, tmp_path: Path) -> None:
    path = _sample(tmp_path, name)
    body = path.read_bytes()

    for damaged in (body[:-200], body[:-8] + bytes(8), body[:2000] + bytes(50) + body[2050:]):
        path.write_bytes(damaged)
        with pytest.raises(DamagedFileError, match=rf"{name}: .*damaged or cut short"):
            clean(path, options=WATER)
        assert [left.name for left in tmp_path.iterdir()] == [name]


def test_a_gzipped_file_that_grows_beyond_measure_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.pdb.gz"
    path.write_bytes(gzip.compress(b"HEADER\n" + b"REMARK   1\n" * 4_000_000))

    with pytest.raises(DamagedFileError, match="grows beyond what any structure does"):
        clean(path, options=WATER)
