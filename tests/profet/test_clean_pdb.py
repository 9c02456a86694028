"""PDB format: what depends on an atom goes with it, and counts are made anew."""

from __future__ import annotations

import dataclasses
import gzip
from pathlib import Path

import gemmi
import pytest

from perc_archive import Archive
from profet import CleanOptions, CleanReport, clean
from profet_oracles import check_pdb
from profet_samples import Polymer, Residue, Sample, ligand, pdb_atom, protein, to_pdb, uniprot_record, water

SEQUENCE = protein(8)
ALL = CleanOptions(hydrogens=True, water=True, hetatoms=True)


def lines(*records: str) -> bytes:
    """Records as lines of 80 columns."""
    return "".join(f"{record:<80}\n" for record in records).encode()


def cleaned(body: bytes, folder: Path, options: CleanOptions = ALL) -> list[str]:
    """Lines of the cleaned file, without blanks at their ends."""
    path = folder / "a.pdb"
    path.write_bytes(body)
    return [line.rstrip() for line in clean(path, options=options).path.read_text().splitlines()]


def atom(serial: int, name: str, residue: str, number: int, element: str, chain: str = "A") -> str:
    """ATOM record, or HETATM for anything that is no amino acid or nucleotide of these tests."""
    hetatm = residue not in ("ALA", "SER", "GLY", "DA")
    return pdb_atom(
        serial, name, element, Residue(name=residue, place=1, number=number, is_hetatm=hetatm), chain
    )


def test_records_that_follow_an_atom_go_with_it(tmp_path: Path) -> None:
    body = lines(
        atom(1, "N", "ALA", 1, "N"),
        "ANISOU    1  N   ALA A   1     1000   1000   1000      0      0      0       N",
        atom(2, "H", "ALA", 1, "H"),
        "SIGATM    2  H   ALA A   1       0.001   0.001   0.001  0.01  0.01           H",
        "ANISOU    2  H   ALA A   1     1000   1000   1000      0      0      0       H",
        "SIGUIJ    2  H   ALA A   1      100    100    100      0      0      0       H",
        atom(3, "C", "ALA", 1, "C"),
        "ANISOU    3  C   ALA A   1     1000   1000   1000      0      0      0       C",
        "TER       4      ALA A   1",
    )

    assert [line[:11] for line in cleaned(body, tmp_path)] == [
        "ATOM      1", "ANISOU    1", "ATOM      3", "ANISOU    3", "TER       4",
    ]  # fmt: skip


def test_a_record_of_an_atom_that_stays_is_kept_also_behind_one_that_goes(tmp_path: Path) -> None:
    body = lines(
        atom(1, "N", "ALA", 1, "N"),
        atom(2, "H", "ALA", 1, "H"),
        "ANISOU    1  N   ALA A   1     1000   1000   1000      0      0      0       N",
        "TER       3      ALA A   1",
    )

    assert [line[:11] for line in cleaned(body, tmp_path)] == ["ATOM      1", "ANISOU    1", "TER       3"]


def test_a_bond_goes_with_either_of_its_atoms(tmp_path: Path) -> None:
    body = lines(
        atom(1, "N", "ALA", 1, "N"),
        atom(2, "CA", "ALA", 1, "C"),
        "TER       3      ALA A   1",
        atom(4, "S", "SO4", 2, "S"),
        atom(5, "O1", "SO4", 2, "O"),
        "CONECT    1    2    4",
        "CONECT    2    1",
        "CONECT    4    1    5",
        "CONECT    5    4",
        "MASTER        0    0    0    0    0    0    0    0    4    1    4    0",
        "END",
    )

    assert cleaned(body, tmp_path)[3:] == [
        "CONECT    1    2",
        "CONECT    2    1",
        "MASTER        0    0    0    0    0    0    0    0    2    1    2    0",
        "END",
    ]


def test_ter_goes_with_its_chain_or_names_the_residue_that_is_now_the_last(
    archive: Archive, tmp_path: Path
) -> None:
    # The signal peptide is the END of chain A here, and all of chain B.
    archive.add_uniprot("P12345", uniprot_record("P12345", SEQUENCE, signal=(6, 8)))
    residues = [
        Residue(name=letter, place=n, number=n, atoms=(("CA", "C"),)) for n, letter in enumerate(SEQUENCE, 1)
    ]
    stated = {"accession": "P12345", "sequence": SEQUENCE}
    sample = Sample(
        polymers=[
            Polymer(name="A", residues=residues, reference=(1, 8, 1, 8), **stated),  # type: ignore[arg-type]
            Polymer(name="B", residues=residues[5:], reference=(6, 8, 6, 8), **stated),  # type: ignore[arg-type]
        ],
        others=[("A", water(100))],
    )
    body = to_pdb(sample).replace(
        b"END   ",
        b"%-80s\nEND   " % (b"MASTER        0    0    0    0    0    0    0    0   12    2    0    2"),
    )

    result = cleaned(body, tmp_path, CleanOptions(signal_peptides=True))

    fifth = residues[4]
    names = [line for line in result if line.startswith(("TER", "MASTER"))]
    (last,) = [line for line in result if line.startswith("ATOM") and int(line[22:26]) == 5]
    assert names == [
        f"TER       9      {last[17:26]}",
        "MASTER        0    0    0    0    0    0    0    0    6    1    0    2",
    ]
    assert int(last[22:26]) == fifth.number


def test_master_counts_in_the_way_it_counted_before(tmp_path: Path) -> None:
    atoms = [
        atom(1, "N", "ALA", 1, "N"),
        atom(2, "H", "ALA", 1, "H"),
        atom(3, "N", "GLY", 2, "N").replace(" N   GLY", " N  AGLY"),
        atom(4, "N", "GLY", 2, "N").replace(" N   GLY", " N  BGLY"),
        "TER       5      GLY A   2",
        atom(6, "O", "HOH", 3, "O"),
    ]
    master = "MASTER        0    0    0    0    0    0    0    0{:>5}    1    0    0"

    for stated, expected in ((5, 3), (3, 2), (77, 77)):
        result = cleaned(lines(*atoms, master.format(stated)), tmp_path)
        assert result[-1] == master.format(expected)


def test_models_are_cleaned_alike(tmp_path: Path) -> None:
    model = [
        atom(1, "N", "ALA", 1, "N"),
        atom(2, "H", "ALA", 1, "H"),
        "TER       3      ALA A   1",
        atom(4, "O", "HOH", 2, "O"),
    ]
    body = lines("MODEL        1", *model, "ENDMDL", "MODEL        2", *model, "ENDMDL", "END")

    one = ["ATOM      1", "TER       3", "ENDMDL"]
    assert [line[:11].rstrip() for line in cleaned(body, tmp_path)] == ["MODEL", *one, "MODEL", *one, "END"]


@pytest.mark.parametrize(
    ("name", "residue", "element", "stays"),
    [
        (" HG ", "SER", "", False),
        ("HG  ", "SER", "", False),  # a column too far to the left
        ("HG11", "VAL", "", False),
        ("1HB ", "ALA", "", False),
        (" D1 ", "DOD", "", True),  # water, judged as such: see below
        (" DA ", "ALA", "", False),
        ("HG  ", "HG", "", True),
        ("HG  ", "EMC", "", True),
        ("HO  ", "HO3", "", True),
        ("HF  ", "HF3", "", True),
        (" HO ", "LIG", "", False),
        ("HG", "HG", "HG", True),
        ("HO", "HO3", "HO", True),
        ("HF", "HF3", "HF", True),
        ("CH2", "TRP", "C", True),
        ("H", "ALA", "H", False),
        ("D", "ALA", "D", False),
        ("NH1", "ARG", "N", True),
        ("OH", "TYR", "O", True),
        (" HB1", "ALA", "12", False),  # files from before 1996 count their lines there
        (" CB ", "ALA", "12", True),
    ],
)
def test_hydrogen_is_told_by_its_element_and_by_its_name_where_none_is_stated(
    name: str, residue: str, element: str, stays: bool, tmp_path: Path
) -> None:
    body = lines(atom(1, "CA", "ALA", 1, "C"), atom(2, name, residue, 2, element))

    result = cleaned(body, tmp_path, CleanOptions(hydrogens=True))

    assert (len(result) == 2) is (stays and residue != "DOD")


def test_hydrogen_of_water_goes_with_the_water_or_as_hydrogen(tmp_path: Path) -> None:
    body = lines(atom(1, "CA", "ALA", 1, "C"), atom(2, "O", "DOD", 2, "O"), atom(3, "D1", "DOD", 2, "D"))

    assert len(cleaned(body, tmp_path, CleanOptions(hydrogens=True))) == 2
    assert len(cleaned(body, tmp_path, CleanOptions(water=True))) == 1
    assert len(cleaned(body, tmp_path, CleanOptions(hetatoms=True))) == 3


@pytest.mark.parametrize("with_header", [True, False])
def test_a_modified_residue_of_the_chain_stays_and_the_same_molecule_outside_goes(
    with_header: bool, tmp_path: Path
) -> None:
    backbone = (("N", "N"), ("CA", "C"), ("C", "C"), ("O", "O"))
    modified = Residue(name="MSE", place=2, number=2, atoms=backbone, is_hetatm=True)
    sample = Sample(
        polymers=[
            Polymer(
                name="A",
                sequence=["G", "MSE", "A"],
                residues=[
                    Residue(name="G", place=1, number=1),
                    modified,
                    Residue(name="A", place=3, number=3),
                ],
            )
        ],
        others=[("A", dataclasses.replace(modified, number=50)), ("A", ligand("SO4", 51, ("S", "S")))],
    )
    body = to_pdb(sample)
    if not with_header:  # as programs write them
        body = b"".join(line for line in body.splitlines(keepends=True) if not line.startswith(b"SEQRES"))

    result = cleaned(body, tmp_path, CleanOptions(hetatoms=True))

    numbers = {int(line[22:26]) for line in result if line.startswith(("ATOM", "HETATM"))}
    assert numbers == {1, 2, 3}


def test_both_residues_of_one_place_stay_though_the_sequence_names_one_of_them(tmp_path: Path) -> None:
    """As microheterogeneity is written: cysteine, in part oxidised to CSO, which is no ligand."""

    def at_place(name: str, letter: str, *, serial: int, is_hetatm: bool) -> str:
        residue = Residue(name=name, place=2, number=2, is_hetatm=is_hetatm)
        line = pdb_atom(serial, "SG", "S", residue, "A")
        return f"{line[:16]}{letter}{line[17:]}"

    body = lines(
        "SEQRES   1 A    3  GLY CYS MSE",
        atom(1, "N", "GLY", 1, "N"),
        at_place("CYS", "A", serial=2, is_hetatm=False),
        at_place("CSO", "B", serial=3, is_hetatm=True),
        pdb_atom(4, "CA", "C", Residue(name="MSE", place=3, number=3, is_hetatm=True), "A"),
        "TER       5      MSE A   3",
        atom(6, "S", "SO4", 2, "S", chain="B"),
        at_place("SO4", "B", serial=7, is_hetatm=True),  # numbered like a residue, but behind the chain's end
    )

    assert [line[:11] for line in cleaned(body, tmp_path)] == [
        "SEQRES   1 ", "ATOM      1", "ATOM      2", "HETATM    3", "HETATM    4", "TER       5",
    ]  # fmt: skip


def test_text_that_merely_contains_such_words_is_untouched(tmp_path: Path) -> None:
    head = lines("HEADER    ATOM OF HOH", "TITLE     H IN HETATM", "REMARK 500 HETATM    1  O   HOH A   1")

    result = cleaned(head + lines(atom(1, "CA", "ALA", 1, "C")), tmp_path)

    assert [f"{line:<80}" for line in result[:3]] == head.decode().splitlines()


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_ends_of_lines_and_short_lines_are_kept(end: bytes, tmp_path: Path) -> None:
    body = end.join(
        [
            b"REMARK SHORT",
            b"ATOM      1  N   ALA A   1       0.000   0.000   0.000",
            b"ATOM      2  H   ALA A   1       0.000   0.000   0.000",
            b"TER",
            b"END",
        ]
    )
    path = tmp_path / "a.pdb"
    path.write_bytes(body)

    report = clean(path, options=ALL)

    assert report.path.read_bytes() == body.replace(
        body[body.index(b"ATOM      2") : body.index(b"TER")], b""
    )


NAMES = ("1aki", "3psg", "4xoj", "1l2y", "1A8O", "AF-P01308-F1-model_v4", "AF-P05067-F1-model_v6")


@pytest.mark.real_data
@pytest.mark.parametrize("name", NAMES)
def test_of_real_files_only_atoms_and_what_hangs_on_them_are_missing(
    name: str, real_data: Path, tmp_path: Path
) -> None:
    path = tmp_path / f"{name}.pdb"
    path.write_bytes(gzip.decompress((real_data / "profet" / f"{name}.pdb.gz").read_bytes()))

    report = clean(path, options=ALL)

    before, after = path.read_bytes(), report.path.read_bytes()
    serials = [
        {line[6:11].strip() for line in body.decode().splitlines() if line.startswith(("ATOM", "HETATM"))}
        for body in (before, after)
    ]
    check_pdb(before, after, serials[0] - serials[1])
    assert _expected_atoms(path) == report.atoms_after
    _check_master(before, after, report)


def _expected_atoms(path: Path) -> int:
    """Heavy atoms of the polymers, as gemmi counts them."""
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


def _check_master(before: bytes, after: bytes, report: CleanReport) -> None:
    old, new = (
        next((line for line in body.decode().splitlines() if line.startswith("MASTER")), None)
        for body in (before, after)
    )
    if old is None or new is None:
        assert old is new
        return
    text = after.decode()
    assert int(new[60:65]) == text.count("\nCONECT")
    if set(report.atoms_removed) == {"hydrogens"}:  # 1L2Y did not count them in the first place
        assert new[50:55] == old[50:55]
    elif int(old[50:55]) == report.atoms_before:
        assert int(new[50:55]) == report.atoms_after
    assert new[:50] == old[:50]
    assert new[65:] == old[65:]


def test_a_reference_in_two_lines_and_a_second_model_are_understood(archive: Archive, tmp_path: Path) -> None:
    sequence = protein(30)
    archive.add_uniprot("A0A023FDY8", uniprot_record("A0A023FDY8", sequence, signal=(1, 20)))
    residues = [
        Residue(name=letter, place=n, number=n + 100, atoms=(("CA", "C"),))
        for n, letter in enumerate(sequence[14:], 1)
    ]
    body = to_pdb(Sample(polymers=[Polymer(name="A", sequence=sequence[14:], residues=residues)])).decode()
    start = body.index("\nATOM  ") + 1
    atoms = body[start : body.index("END ")]
    reference = lines(
        "DBREF1 TEST A  101   116  UNP                  A0A023FDY8_HUMAN",
        "DBREF2 TEST A     A0A023FDY8                         15          30",
    ).decode()
    models = "".join(f"MODEL     {n:>4}\n{atoms}ENDMDL\n" for n in (1, 2))
    path = tmp_path / "a.pdb"
    path.write_text(reference + body[:start] + models + "END\n")

    report = clean(path, options=CleanOptions(signal_peptides=True))

    assert [(chain.method, chain.first, chain.last) for chain in report.numbering] == [("reference", 15, 30)]
    assert report.atoms_removed == {"signal_peptides": {"A": 12}}
    assert report.residues_removed == {"signal_peptides": {"A": 6}}
    for model in gemmi.read_structure(str(report.path)):
        assert [residue.seqid.num for residue in model["A"]] == list(range(107, 117))
