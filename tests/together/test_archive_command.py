"""The command line without --as-hosts: serving, running commands, measuring."""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from perc_archive import ContentFolder
from perc_archive.__main__ import main
from perc_archive.ceiling import measure
from perc_archive.settings import URL_SETTINGS

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def start(*words: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.fspath(EXAMPLES)}
    return subprocess.Popen(
        [sys.executable, "-m", "perc_archive", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_prints_what_to_export_and_serves_until_told_to_stop(
    tmp_path: Path, number: signal.Signals
) -> None:
    ContentFolder(tmp_path).add_entry(10943, {}, {"title": "Served"})
    with start("--content", os.fspath(tmp_path)) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(len(URL_SETTINGS) + 3)]  # FTP and two caches, too
        settings = dict(shlex.split(line)[1].split("=", 1) for line in lines)
        with urllib.request.urlopen(settings["EMPIARREADER_API_URL"] + "/entry/10943/", timeout=10) as answer:
            assert b"Served" in answer.read()
        process.send_signal(number)
        rest, errors = process.communicate(timeout=10)
    assert (process.returncode, rest) == (0, "")
    assert re.fullmatch(r"perc_archive: serving at http://127\.0\.0\.1:\d+ until Ctrl-C\n", errors)


def test_a_command_runs_with_the_settings_in_its_environment() -> None:
    with start("--", "sh", "-c", "env; exit 5") as process:
        said, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (5, "")
    environment = dict(line.split("=", 1) for line in said.splitlines() if "=" in line)
    assert environment["PROFET_UNIPROT_URL"].endswith("/rest.uniprot.org")
    assert environment["EMPIARREADER_FTP_URL"].startswith("ftp://127.0.0.1:")
    assert "127.0.0.1" in environment["NO_PROXY"]


def test_a_command_that_does_not_exist_is_127(capfd: pytest.CaptureFixture[str]) -> None:
    with start("--no-ftp", "--", "no-such-command") as process:
        said, errors = process.communicate(timeout=20)
    assert (process.returncode, said, errors) == (127, "", "perc_archive: no such command: no-such-command\n")


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--content", "/no/such/folder"], "no folder to serve: /no/such/folder"),
        (["--real", "/proc"], "no folder of real files"),
        (["--rate", "fast"], "'fast' is no number of bytes"),
        (["--rate", "0"], "a rate is more than nothing"),
        (["--latency", "-1"], "a link cannot have"),
        (["--nonsense"], "unrecognized arguments: --nonsense"),
        (["stray"], "unrecognized arguments: stray"),
    ],
)
def test_wrong_words_get_one_sentence_and_exit_code_2(
    words: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        raise SystemExit(main(words))
    shown = capsys.readouterr()
    assert (ended.value.code, shown.out) == (2, "")
    assert complaint in shown.err.splitlines()[-1]


def test_help_begins_with_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert capsys.readouterr().out.startswith("usage: python -m perc_archive --content DIR -- empiarreader")


def test_the_archive_measures_its_own_ceiling() -> None:
    lines = list(measure(size_bytes=32 << 20))
    assert [line.partition(":")[0] for line in lines] == [
        "32 MiB, 1 connection, no limit",
        "32 MiB, 4 connections, no limit",
        "10 kB files, 4 connections kept alive",
        "32 MiB, 16 connections at 20 MB/s and 50 ms, 8 MiB parts",
    ]
    shaped = re.search(r": ([\d.]+) s \(ideal ([\d.]+) s\)", lines[-1])
    assert shaped is not None
    assert 0.95 <= float(shaped[1]) / float(shaped[2]) < 2  # never faster than the link
