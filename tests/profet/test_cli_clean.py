"""``profet clean``: words and selections on the command line, results on stdout, reasons on stderr."""

from __future__ import annotations

import gzip
import io
import json
import re
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from perc_archive import Archive
from profet.command_line import main
from profet_samples import Polymer, Residue, Sample, ligand, protein, to_pdb, uniprot_record, water

SEQUENCE = protein(40)


@pytest.fixture
def structure(tmp_path: Path, archive: Archive) -> Path:
    """P12345 as chains A and B, with a sulfate and a water; its signal peptide is 1 to 20."""
    archive.add_uniprot("P12345", uniprot_record("P12345", SEQUENCE, signal=(1, 20)))
    residues = [Residue(name=letter, place=n, number=n) for n, letter in enumerate(SEQUENCE, 1)]
    polymers = [
        Polymer(name=name, sequence=SEQUENCE, residues=residues, accession="P12345", reference=(1, 40, 1, 40))
        for name in "AB"
    ]
    others = [("A", ligand("SO4", 101, ("S", "S"))), ("B", water(102))]
    path = tmp_path / "a.pdb"
    path.write_bytes(to_pdb(Sample(polymers=polymers, others=others)))
    return path


def fails(*arguments: str) -> int:
    """Exit code of the command."""
    with pytest.raises(SystemExit) as ended:
        main(["clean", *arguments])
    return int(ended.value.code or 0)


def test_without_options_it_does_what_remove_does(
    structure: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["clean", str(structure)])

    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "a.pdb: 160 of 322 atoms stay"
    assert "  signal peptide: 80 atoms of chain A removed, whole residues: 20" in lines
    target = structure.with_name("a_nosignal1to20_nohydrogens_nowater_nohetatm.pdb")
    assert lines[-1] == f"Saved a.pdb to '{target}'"
    assert target.read_text().count("\nATOM") == 160


def test_what_is_said_is_all_that_goes(
    structure: Path, archive: Archive, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["clean", str(structure), "--chains=-B", "--remove", "water,hetatoms", "--json"])

    report = json.loads(capsys.readouterr().out)
    assert report["atoms_removed"] == {"chains": {"B": 161}, "hetatoms": {"A": 1}}
    assert (report["atoms_before"], report["atoms_after"]) == (322, 160)
    assert Path(report["path"]).name == "a_nowater_nohetatm_nochainsB.pdb"
    assert archive.requests() == []


def test_several_files_are_cleaned_one_after_the_other_and_a_failure_stops_none(
    structure: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = structure.with_name("b.pdb")
    other.write_bytes(structure.read_bytes())
    empty = structure.with_name("empty.pdb")
    empty.write_bytes(b"HEADER\n")

    assert fails(str(structure), str(empty), str(other), "--remove", "water") == 1

    shown = capsys.readouterr()
    assert [line for line in shown.out.splitlines() if line.startswith("Saved")] == [
        f"Saved {path.name} to '{path.with_name(path.stem + '_nowater.pdb')}'" for path in (structure, other)
    ]
    assert "empty.pdb is in PDB format, but it holds no atoms" in shown.err


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["--remove", "watr"], 2, "choose from signal"),
        (["--chains", "A,-B"], 2, "both keeps and removes"),
        (["--minimum-plddt", "101"], 2, "between 0 and 100"),
        (["--minimum-plddt", "70"], 1, "does not say that it is a predicted model"),
        (["--chains", "Z"], 1, "has no chain 'Z' (it has A, B)"),
        (["--accession", "P9"], 2, "is no id"),
    ],
)
def test_what_cannot_be_done_is_told(
    arguments: list[str], code: int, message: str, structure: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fails(str(structure), *arguments) == code
    shown = capsys.readouterr()
    assert message in shown.err
    assert shown.out == ""
    assert [path.name for path in structure.parent.glob("*.pdb")] == ["a.pdb"]


@pytest.fixture
def typed_in(monkeypatch: pytest.MonkeyPatch) -> Callable[[bytes], None]:
    """What comes from standard input."""

    def give(data: bytes) -> None:
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data)))

    return give


@pytest.mark.parametrize("is_gzipped", [False, True])
def test_between_pipes_only_the_structure_goes_to_standard_output(
    is_gzipped: bool,
    structure: Path,
    typed_in: Callable[[bytes], None],
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    main(["clean", str(structure), "--remove", "water", "-q"])
    body = structure.read_bytes()
    typed_in(gzip.compress(body) if is_gzipped else body)

    main(["clean", "-", "--remove", "water"])

    shown = capfdbinary.readouterr()
    assert shown.out == structure.with_name("a_nowater.pdb").read_bytes()
    assert shown.err.decode().splitlines() == [
        "standard input: 321 of 322 atoms stay",
        "  water: 1 atom of chain B removed, whole residues: 1",
    ]


def test_a_file_may_go_to_standard_output_and_standard_input_into_a_file(
    structure: Path, typed_in: Callable[[bytes], None], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    main(["clean", str(structure), "--chains", "A", "-o", "-", "--json"])
    shown = capfdbinary.readouterr()
    typed_in(structure.read_bytes())
    target = structure.with_name("b.pdb")

    main(["clean", "-", "--chains", "A", "-o", str(target)])

    assert shown.out == target.read_bytes()
    assert json.loads(shown.err)["path"] == "standard output"
    assert capfdbinary.readouterr().out.decode().splitlines()[-1] == f"Saved standard input to '{target}'"


@pytest.mark.parametrize(
    ("head", "name"),
    [
        ("", "structure"),
        (f"{'HEADER    LYASE':<62}1AKI\n", "1aki"),
        (f"{'HEADER':<62}XXXX\n", "structure"),
        (f"{'HEADER':<62}../.\n", "structure"),
    ],
)
@pytest.mark.parametrize("is_gzipped", [False, True])
def test_in_a_folder_what_came_from_standard_input_is_called_after_its_entry(
    is_gzipped: bool, head: str, name: str, structure: Path, typed_in: Callable[[bytes], None], tmp_path: Path
) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    body = head.encode() + structure.read_bytes()
    typed_in(gzip.compress(body) if is_gzipped else body)

    main(["clean", "-", "--remove", "water", "-o", str(folder)])

    ending = "pdb.gz" if is_gzipped else "pdb"
    assert [path.name for path in folder.iterdir()] == [f"{name}_nowater.{ending}"]


@pytest.mark.parametrize(
    ("head", "name"),
    [
        ("data_1AKI\n", "1aki"),
        ("data_x\n_entry.id   AF-P05067-F1\n", "af-p05067-f1"),
        ("data_x\n_entry.id 'pdb_00011a7y'\n", "pdb_00011a7y"),
        ("data_/etc/x\n", "structure"),
        ("data_\n", "structure"),
    ],
)
def test_the_entry_of_an_mmcif_file_is_named_by_the_file(
    head: str, name: str, typed_in: Callable[[bytes], None], tmp_path: Path
) -> None:
    items = ["group_PDB", "id", "label_atom_id", "label_comp_id", "label_asym_id", "label_seq_id"]
    rows = ["ATOM 1 N GLY A 1", "HETATM 2 O HOH B ."]
    text = "\n".join(["loop_", *(f"_atom_site.{item}" for item in items), *rows, ""])
    typed_in((head + text).encode())

    main(["clean", "-", "--remove", "water", "-o", str(tmp_path)])

    assert [path.name for path in tmp_path.iterdir()] == [f"{name}_nowater.cif"]


def test_what_fails_between_pipes_writes_nothing_and_is_told_without_a_made_up_path(
    structure: Path, typed_in: Callable[[bytes], None], capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    typed_in(structure.read_bytes())

    assert fails("-", "--chains", "Z") == 1
    assert fails("-", "--chains", "Z") == 5  # nothing is left of the input

    shown = capfdbinary.readouterr()
    assert shown.out == b""
    assert shown.err.decode().splitlines() == [
        "profet: standard input has no chain 'Z' (it has A, B), so nothing was written",
        "profet: standard input: neither mmCIF nor PDB format: it is empty",
    ]


def test_standard_input_for_which_there_is_no_room_is_told(structure: Path) -> None:
    program = "from profet.command_line import main; main(['clean', '-', '--remove', 'water'])"

    done = subprocess.run(
        [sys.executable, "-c", program],
        input=structure.read_bytes(),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
        capture_output=True,
    )

    assert (done.returncode, done.stdout) == (1, b"")
    assert re.fullmatch(rb"profet: cannot keep standard input in /\S+: File too large\n", done.stderr)


def test_several_files_may_go_into_a_folder_each_under_its_own_name(structure: Path, tmp_path: Path) -> None:
    folder, other = tmp_path / "cleaned", tmp_path / "other"
    folder.mkdir()
    other.mkdir()
    second = other / "b.pdb"
    second.write_bytes(structure.read_bytes())

    main(["clean", str(structure), str(second), "--remove", "water", "-o", str(folder)])

    assert sorted(path.name for path in folder.iterdir()) == ["a_nowater.pdb", "b_nowater.pdb"]
    same = other / "a.pdb"
    same.write_bytes(structure.read_bytes())
    assert fails(str(structure), str(same), "-o", str(folder)) == 2
    assert fails(str(structure), "-") == 2
    assert fails(str(structure), "-", "-o", str(folder)) == 2


def test_output_is_for_one_file(structure: Path, tmp_path: Path) -> None:
    target = tmp_path / "new" / "core.pdb"

    main(["clean", str(structure), "--remove", "water", "-o", str(target), "-q"])

    assert target.is_file()
    assert fails(str(structure), str(structure), "-o", str(target)) == 2
    assert fails(str(tmp_path / "none.pdb")) == 3
