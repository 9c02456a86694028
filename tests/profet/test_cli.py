"""The command line: the old form, its last line, and exit codes."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

import profet
from perc_archive import Archive
from profet.cli import cli
from profet.cli.terminal import printable
from profet.command_line import main
from profet_samples import Polymer, Residue, Sample, protein, to_mmcif, to_pdb, uniprot_record

SEQUENCE = protein(20)
RESIDUES = [Residue(name=letter, place=n, number=n) for n, letter in enumerate(SEQUENCE, 1)]
SAMPLE = Sample(polymers=[Polymer(name="A", sequence=SEQUENCE, residues=RESIDUES)])
CIF, PDB = to_mmcif(SAMPLE, name="4V1W"), to_pdb(SAMPLE)


@pytest.fixture
def filled(archive: Archive) -> Archive:
    """4V1W, 1AKI, and a protein that has a model only."""
    archive.add_structure("4V1W", cif=CIF, pdb=PDB)
    archive.add_structure("1AKI", cif=CIF)
    archive.add_uniprot("P05067", uniprot_record("P05067", SEQUENCE, in_alphafold=True))
    archive.add_alphafold("P05067", cif=CIF.replace(b"4V1W", b"AF-P05067-F1"), pdb=PDB)
    return archive


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the program as from a shell, with the environment of the test."""
    command = [sys.executable, "-m", "profet", *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=dict(os.environ))


def test_the_papers_command_saves_the_file_and_says_so_last(filled: Archive) -> None:
    done = run("4v1w", "--filetype=pdb", "--main_db=pdb", "--save_directory=~/.pdb")
    path = Path("~/.pdb/4v1w.pdb").expanduser()

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == f"Saved 4v1w to '{path}'"
    assert done.stderr == ""
    assert path.read_bytes() == PDB


def test_main_is_a_function_that_returns(
    filled: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["4V1W", "--save_directory", str(tmp_path), "--main_db", "pdb"])

    _, filename, _ = capsys.readouterr().out.splitlines()[-1].split("'")
    assert Path(filename) == tmp_path / "4v1w.cif"
    assert Path(filename).read_bytes() == CIF


def test_several_ids_are_saved_in_their_order(
    filled: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["--save_directory", str(tmp_path), "P05067", "4v1w", "--main_db=alphafold", "1aki"])

    assert capsys.readouterr().out.splitlines() == [
        f"Saved P05067 to '{tmp_path}/p05067.cif'",
        f"Saved 4v1w to '{tmp_path}/4v1w.cif'",
        f"Saved 1aki to '{tmp_path}/1aki.cif'",
    ]


def test_without_a_folder_files_go_where_they_always_went(
    filled: Archive, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["4v1w"])

    assert capsys.readouterr().out == f"Saved 4v1w to '{Path('~/.cache/pdb/4v1w.cif').expanduser()}'\n"


def test_another_file_type_than_asked_for_is_said_on_stderr(
    filled: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["1aki", "--filetype=pdb", f"--save_directory={tmp_path}"])

    said = capsys.readouterr()
    assert said.out == f"Saved 1aki to '{tmp_path}/1aki.cif'\n"
    assert said.err == "1aki does not exist as pdb; it came as cif\n"


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("9zzz",), 3, "profet: the PDB has no entry 9zzz"),
        (("P99999",), 3, "profet: no structure of P99999 in pdb or alphafold: UniProt has no entry P99999"),
        (("nonsense",), 2, "profet: 'nonsense' is no id that profet knows"),
        (("claen", "1aki.pdb"), 2, "there is no command 'claen'; did you mean 'clean'?"),
        (("Sequences", "P05067"), 2, "there is no command 'Sequences'; did you mean 'sequence'?"),
        (("4v1w", "\x1b[31mred"), 2, "profet: '\\x1b[31mred' is no id that profet knows"),
        (("9zzz", "8zzz"), 3, "profet: the PDB has no entry 9zzz"),
        (("4v1w", "9zzz"), 1, "profet: the PDB has no entry 9zzz"),
        (("4v1w", "--filetype=mmtf"), 2, "'mmtf' is not one of"),
        (("4v1w", "--main_db=cath"), 2, "no database 'cath'"),
        (("4v1w", "--nonsense"), 2, "No such option"),
        ((), 2, "Usage: profet [OPTIONS] ID...\nTry 'profet --help' for help.\n\nError: Missing argument"),
    ],
)
def test_what_goes_wrong_is_one_clear_sentence_and_a_code(
    arguments: tuple[str, ...], code: int, sentence: str, filled: Archive
) -> None:
    done = run(*arguments)

    assert done.returncode == code
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr
    assert "\x1b" not in done.stderr
    assert ("Saved" in done.stdout) is (code == 1)


def test_one_wrong_id_and_nothing_is_asked(filled: Archive, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["4v1w", "wrong!"])

    assert caught.value.code == 2
    assert filled.requests() == []
    assert capsys.readouterr().out == ""


def test_no_network_is_told_with_its_own_code(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("PROFET_RCSB_FILES_URL", f"http://127.0.0.1:{unused.getsockname()[1]}")
        monkeypatch.setenv("PROFET_RETRIES", "1")
        done = run("4v1w")

    assert done.returncode == 4
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("profet: cannot ask 127.0.0.1:")


def test_offline_and_wrong_settings_have_their_codes(
    filled: Archive, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value, code in (("PROFET_OFFLINE", "1", 4), ("PROFET_RCSB_FILES_URL", "nowhere", 2)):
        with monkeypatch.context() as patch:
            patch.setenv(name, value)
            with pytest.raises(SystemExit) as caught:
                main(["4v1w"])
        assert caught.value.code == code
        assert name in capsys.readouterr().err


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")  # noqa: PTH110
@pytest.mark.parametrize(
    "arguments", [["4v1w"], ["get", "4v1w", "1aki", "--json"], ["cache", "verify"], ["completion", "bash"]]
)
def test_standard_output_that_cannot_be_written_is_told_in_a_sentence(
    arguments: list[str], filled: Archive
) -> None:
    with open("/dev/full", "w") as full:  # noqa: PTH123
        command = [sys.executable, "-m", "profet", *arguments]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, env=dict(os.environ))

    assert done.returncode == 1
    assert done.stderr == "profet: cannot write to standard output: No space left on device\n"


def test_damaged_data_has_its_code_and_nothing_stays(
    filled: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PROFET_RETRIES", "0")
    filled.add_fault("html", times=None)

    with pytest.raises(SystemExit) as caught:
        main(["4v1w", "--save_directory", str(tmp_path)])

    assert caught.value.code == 5
    assert "web page" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_json_is_one_object_for_each_id(
    filled: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main(["4v1w", "9zzz", "--json", f"--save_directory={tmp_path}"])

    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first == {
        "id": "4v1w",
        "database": "pdb",
        "filetype": "cif",
        "path": str(tmp_path / "4v1w.cif"),
        "error": None,
        "url": filled.url("files.rcsb.org", "download/4V1W.cif.gz"),
    }
    assert (second["path"], second["error"]) == (None, "the PDB has no entry 9zzz")


def test_quiet_says_nothing_and_verbose_says_more(
    filled: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["-q", "1aki", "--filetype=pdb", f"--save_directory={tmp_path}"])
    assert capsys.readouterr() == ("", "")

    main(["P05067", "-v", f"--save_directory={tmp_path}"])
    assert capsys.readouterr().err == "P05067: not in pdb, taken from alphafold\n"


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_opens_with_an_example_and_lists_the_old_options(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    main([option])

    text = capsys.readouterr().out
    assert text.startswith(
        "Usage: profet ID... [OPTIONS]\n       profet COMMAND [OPTIONS] ...\n\n  $ profet 4v1w"
    )
    for word in ("--filetype", "--main_db", "--save_directory", "--json", "--version", "--help"):
        assert text.count(f"{word} ") + text.count(f"{word}\n") >= 1


def _commands(group: click.Group, *names: str) -> Iterator[tuple[str, ...]]:
    for name, command in group.commands.items():
        if not command.hidden:
            yield (*names, name)
        if isinstance(command, click.Group):
            yield from _commands(command, *names, name)


@pytest.mark.parametrize("names", list(_commands(cli)), ids=" ".join)
def test_the_help_of_every_command_opens_with_an_example(
    names: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    main([*names, "--help"])

    usage, empty, example, *_ = capsys.readouterr().out.splitlines()
    assert usage.startswith(f"Usage: profet {' '.join(names)} ")
    assert (empty, example.split()[: 2 + len(names)]) == ("", ["$", "profet", *names])


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--version"])

    assert capsys.readouterr().out == f"profet, version {profet.__version__}\n"


def test_a_subcommand_that_comes_later_stands_beside_the_old_form(
    filled: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    @click.command()
    @click.argument("accession")
    def find(accession: str) -> None:
        click.echo(f"finding {accession}")

    monkeypatch.setitem(cli.commands, "find", find)

    main(["find", "P05067"])
    main(["4v1w", f"--save_directory={tmp_path}"])

    assert capsys.readouterr().out == f"finding P05067\nSaved 4v1w to '{tmp_path}/4v1w.cif'\n"


def test_an_interruption_has_its_code(
    filled: Archive, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    @click.command()
    def wait() -> None:
        raise KeyboardInterrupt

    monkeypatch.setitem(cli.commands, "wait", wait)

    with pytest.raises(SystemExit) as caught:
        main(["wait"])
    assert caught.value.code == 130


def test_control_characters_never_reach_the_terminal() -> None:
    assert printable("a\x1b]0;x\x07\u202eb\n") == "a\\x1b]0;x\\x07\\u202eb\\n"
    assert printable("Å µ é") == "Å µ é"
