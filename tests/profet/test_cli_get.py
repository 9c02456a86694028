"""``profet get`` and ``profet completion``: many ids from everywhere, cleaning, failures at the end."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from perc_archive import Archive
from profet import CleanOptions, Fetcher
from profet.command_line import main
from profet_samples import Polymer, Residue, Sample, protein, to_mmcif, to_pdb, uniprot_record, water

SEQUENCE = protein(20)
RESIDUES = [Residue(name=letter, place=n, number=n, uniprot=n) for n, letter in enumerate(SEQUENCE, 1)]
CHAIN = Polymer(
    name="A",
    sequence=SEQUENCE,
    residues=RESIDUES,
    accession="P05067",
    reference=(1, 20, 1, 20),
    has_sifts=True,
)
SAMPLE = Sample(polymers=[CHAIN], others=[("A", water(301)), ("A", water(302))])
CIF, PDB = to_mmcif(SAMPLE), to_pdb(SAMPLE)
IDS = ["1abc", "2abc", "3abc"]


@pytest.fixture
def filled(archive: Archive) -> Archive:
    """Three entries, one of them of a protein with a signal peptide."""
    for pdb_id in IDS:
        archive.add_structure(pdb_id.upper(), cif=CIF, pdb=PDB)
    record = uniprot_record("P05067", SEQUENCE, signal=(1, 5), pdb=[("3ABC", "1.00 A", "A=1-20")])
    archive.add_uniprot("P05067", record)
    return archive


def program(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "profet", *arguments]
    return subprocess.run(command, capture_output=True, text=True, **options)  # type: ignore[call-overload,no-any-return]


def test_ids_come_from_arguments_a_file_and_standard_input_in_order(filled: Archive, tmp_path: Path) -> None:
    (tmp_path / "ids.txt").write_text("# entries\n2abc, 1ABC\n\n1abc  # again\n")

    done = program(
        "get", "3abc,", "-", "--from", str(tmp_path / "ids.txt"), "-d", str(tmp_path), input="P05067\n"
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        f"Saved 3abc to '{tmp_path}/3abc.cif'",
        f"Saved P05067 to '{tmp_path}/p05067_3abc.cif'",
        f"Saved 2abc to '{tmp_path}/2abc.cif'",
        f"Saved 1ABC to '{tmp_path}/1abc.cif'",
        f"Saved 1abc to '{tmp_path}/1abc.cif'",
    ]
    assert len(filled.requests("files.rcsb.org/*")) == 3


def test_failures_are_listed_at_the_end_each_reason_once(
    filled: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["get", "1abc", "9zzz", "wrong!", "2abc", "-d", str(tmp_path)])

    said = capsys.readouterr()
    assert caught.value.code == 1
    assert said.out.count("Saved") == 2
    assert said.err.splitlines()[0] == "profet: 2 of 4 failed:"
    assert said.err.splitlines()[1] == "profet: the PDB has no entry 9zzz"
    assert said.err.splitlines()[2].startswith("profet: 'wrong!' is no id that profet knows")


def test_json_tells_all_of_each_id(
    filled: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["get", "P05067", "9zzz", "--json", "--save-directory", str(tmp_path), "--remove", "water"])

    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["id"] == "P05067"
    assert first["path"] == str(tmp_path / "p05067_3abc.cif")
    assert first["cleaned"] == str(tmp_path / "p05067_3abc_nowater.cif")
    assert len(first["sha256"]) == 64
    assert (second["error"], second["error_type"]) == ("the PDB has no entry 9zzz", "StructureNotFoundError")


@pytest.mark.parametrize("filetype", ["cif", "pdb"])
def test_remove_does_what_get_file_and_remove_do(filetype: str, filled: Archive, tmp_path: Path) -> None:
    fetcher = Fetcher(save_directory=tmp_path / "python")
    fetcher.get_file("P05067", filetype=filetype, filesave=True)
    expected = Path(fetcher.remove("P05067"))

    words = "signal,hydrogens,water,hetatoms"
    main(["get", "P05067", "--filetype", filetype, "--remove", words, "-d", str(tmp_path / "command")])

    made = tmp_path / "command" / expected.name
    assert expected.name == f"p05067_3abc_nosignal1to5_nohydrogens_nowater_nohetatm.{filetype}"
    assert made.read_bytes() == expected.read_bytes()
    assert b"\nHETATM" not in made.read_bytes()


def test_peptides_of_many_proteins_are_asked_for_at_once(archive: Archive, tmp_path: Path) -> None:
    accessions = [f"P1234{n}" for n in range(8)]
    for n, accession in enumerate(accessions):
        chain = dataclasses.replace(CHAIN, accession=accession)
        archive.add_structure(f"{n + 1}ABC", cif=to_mmcif(Sample(polymers=[chain])))
        entries = [(f"{n + 1}ABC", "1.00 A", "A=1-20")]
        archive.add_uniprot(accession, uniprot_record(accession, SEQUENCE, signal=(1, 5), pdb=entries))

    options = CleanOptions(signal_peptides=True)
    results = Fetcher(save_directory=tmp_path).get_files([*accessions, "wrong!"], clean=options)

    reports = [result.report for result in results if result.report is not None]
    assert [report.residues_removed["signal_peptides"] for report in reports] == [{"A": 5}] * 8
    assert all(
        result.report and str(result.report.path).endswith("nosignal1to5.cif") for result in results[:-1]
    )
    assert len(archive.requests("rest.uniprot.org/*")) == 1


def test_a_list_that_is_no_text_is_refused_without_harm(
    archive: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "ids.txt").write_bytes(bytes(range(256)) + b"\x1b[31mred\n")

    with pytest.raises(SystemExit) as caught:
        main(["get", "--from", str(tmp_path / "ids.txt")])

    assert caught.value.code == 2
    assert "\x1b" not in capsys.readouterr().err
    assert archive.requests() == []


def test_in_python_the_report_comes_with_the_result(filled: Archive, tmp_path: Path) -> None:
    results = Fetcher(save_directory=tmp_path).get_files([*IDS, "9zzz"], clean=CleanOptions(water=True))

    assert [result.report is not None for result in results] == [True, True, True, False]
    report = results[0].report
    assert report is not None
    assert report.path == tmp_path / "1abc_nowater.cif"
    assert report.atoms_before - report.atoms_after == 2


def test_a_structure_that_cannot_be_cleaned_fails_and_the_others_go_on(
    filled: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = uniprot_record("P05067", SEQUENCE, pdb=[("3ABC", "1.00 A", "A=1-20")])
    unknown = {"value": None, "modifier": "UNKNOWN"}
    location = {"start": {"value": 1, "modifier": "EXACT"}, "end": unknown}
    record["features"] = [{"type": "Signal", "location": location, "description": ""}]
    filled.add_uniprot("P05067", record)
    filled.add_structure(
        "4ABC", cif=to_mmcif(Sample(polymers=[Polymer(name="A", sequence=SEQUENCE, residues=RESIDUES)]))
    )

    with pytest.raises(SystemExit) as caught:
        main(["get", "P05067", "4abc", "--remove", "signal", "-d", str(tmp_path)])

    assert caught.value.code == 1
    assert "but not where it ends" in capsys.readouterr().err
    assert (tmp_path / "p05067_3abc.cif").exists()
    assert not list(tmp_path.glob("p05067_3abc_*"))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("get",), "no ids were given"),
        (("get", "--from", "/nowhere/ids.txt"), "cannot read ids from /nowhere/ids.txt"),
        (("get", "1abc", "--remove", "atoms"), "'atoms': choose from signal, transit"),
        (("get", "1abc", "--jobs", "0"), "0 is not in the range"),
        (("completion", "tcsh"), "'tcsh' is not one of"),
    ],
)
def test_what_is_used_wrongly_is_told(
    arguments: tuple[str, ...], sentence: str, filled: Archive, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)

    assert caught.value.code in (2, 3)
    assert sentence in capsys.readouterr().err
    assert filled.requests() == []


def test_an_interrupted_batch_ends_soon_with_its_code_and_leaves_whole_files(archive: Archive) -> None:
    ids = [f"{n}a{a}{b}" for n in "123" for a in "bcdefg" for b in "hijklm"]
    for pdb_id in ids:
        archive.add_structure(pdb_id.upper(), cif=CIF)
    archive.add_fault("stall", match="*/1ABH*", times=None)  # one thread hangs, for longer than we wait
    archive.shape(latency_seconds=0.05)
    command = [sys.executable, "-m", "profet", "get", *ids, "--jobs", "2", "--verbose"]
    job = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
        # Whoever runs the tests in the background may have them ignore it.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while len(archive.requests()) < 10:
        time.sleep(0.02)

    begin = time.monotonic()
    job.send_signal(signal.SIGINT)
    told, said = job.communicate(timeout=30)

    assert job.returncode == 130
    assert time.monotonic() - begin < 5
    assert said.splitlines()[-1] == "interrupted"
    cache = Path("~/.cache/pdb").expanduser()
    assert list(cache.glob("*.cif"))
    assert all(path.read_bytes() == CIF for path in cache.glob("*.cif"))
    saved = [line.split("'")[1] for line in told.splitlines()]  # though they come behind the one that hangs
    assert len(saved) > 3
    assert {Path(name) for name in saved} <= set(cache.glob("*.cif"))


@pytest.mark.parametrize("form", [["get", "--jobs", "2"], []])
def test_what_is_done_is_told_while_the_rest_is_still_to_come(form: list[str], filled: Archive) -> None:
    filled.add_fault("stall", match="*/2ABC*", times=None)
    command = [sys.executable, "-m", "profet", *form, "3abc", "1abc", "2abc", "--json"]

    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=dict(os.environ)) as job:
        assert job.stdout is not None
        first, second = (json.loads(job.stdout.readline())["id"] for _ in range(2))
        job.kill()

    assert (first, second) == ("3abc", "1abc")


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_the_script_of_the_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    main(["completion", shell])

    assert f"_PROFET_COMPLETE={shell}_complete" in capsys.readouterr().out


def test_completion_by_the_variable_prints_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    main(["completion", "zsh"])

    by_variable = program(env={**os.environ, "_PROFET_COMPLETE": "zsh_source"})
    assert by_variable.stdout.strip() == capsys.readouterr().out.strip()


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("typed", "word", "offered"),
    [("profet ge", 1, "get"), ("profet cache v", 2, "verify"), ("profet get --js", 2, "--json")],
)
def test_completion_offers_what_fits(typed: str, word: int, offered: str) -> None:
    environment = {
        **os.environ,
        "_PROFET_COMPLETE": "bash_complete",
        "COMP_WORDS": typed,
        "COMP_CWORD": str(word),
    }

    assert f"plain,{offered}" in program(env=environment).stdout.split()
