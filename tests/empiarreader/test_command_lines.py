"""Command lines as people type them: what they mean, what is said where they mean nothing, and terminals."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import termios
from collections.abc import Sequence
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from empiarreader import EmpiarEntry
from empiarreader.cli import main
from empiarreader.downloading.manifest import FAILED_NAME, MANIFEST_NAME
from perc_archive import Archive

HOST = "ftp.ebi.ac.uk"
PROGRAM = Path(sys.executable).with_name("empiarreader")
FILES = {
    "data/A.MRC": b"x" * 3000,
    "data/b.mrc": b"x" * 20,
    "data/new\nline.mrc": b"x" * 30,
    "data/[br].mrc": b"x" * 40,
    "data/movies/a.tif": b"x" * 50,
    "data/movies/gain.mrc": b"x" * 60,
}


@pytest.fixture
def entry(archive: Archive) -> str:
    imagesets = [
        {"name": "Movies", "directory": "data/movies", "category": "micrographs - multiframe"},
        {"name": "All", "directory": "data", "category": "micrographs - single frame"},
    ]
    archive.add_entry(10934, FILES, {"title": "Two\nlines", "imagesets": imagesets})
    return archive.url(HOST, "empiar/world_availability/10934")


def _run(*arguments: str | Path, input: str | None = None) -> Result:
    return CliRunner().invoke(main, [str(argument) for argument in arguments], input=input)


def test_no_name_and_no_title_takes_two_lines(entry: str) -> None:
    for command in (("ls", "10934", "data"), ("find", "10934", "data/new*"), ("ls", "-l", "10934", "data")):
        assert r"data/new\nline.mrc" in _run(*command).stdout
    assert _run("info", "10934").stdout.splitlines()[0] == r"EMPIAR-10934: Two\nlines"
    assert json.loads(_run("find", "10934", "data/new*", "--json").stdout)["path"] == "data/new\nline.mrc"


def test_ls_of_a_file_lists_the_file(entry: str) -> None:
    assert _run("ls", "10934", "/data/[br].mrc").stdout == "data/[br].mrc\n"
    assert _run("ls", "-R", "10934", "data/b.mrc", "--count", "--exact").stdout == "1 file, 20 B\n"
    missing = _run("ls", "10934", "data/c.mrc")
    assert missing.exit_code == 3
    assert "no directory 'data/c.mrc'" in missing.stderr


def test_a_long_listing_shows_bytes_where_they_are_known_and_rounded_sizes_where_not(entry: str) -> None:
    (rounded,) = _run("ls", "-l", "10934", "data/A.MRC").stdout.splitlines()
    (exact,) = _run("ls", "-l", "10934", "data/A.MRC", "--exact").stdout.splitlines()

    assert rounded.split()[:2] == ["~2.97", "kB"]  # the page says 2.9K
    assert exact.split()[0] == "3000"
    assert rounded.index("data/") == exact.index("data/")


def test_upper_and_lower_case_are_the_same_on_request(entry: str, tmp_path: Path) -> None:
    def paths(*options: str) -> list[str]:
        return _run("find", "10934", *options).stdout.splitlines()

    assert paths("data/a.mrc") == []
    assert paths("DATA/a.mrc", "-i") == ["data/A.MRC"]
    assert paths(r"/a\.mrc$", "--regexp", "--ignore-case") == ["data/A.MRC"]
    found = _run("search", "--entry", "10934", "--dir", "data", "--select", "A.mrc", "-i")
    assert found.stdout == f"{entry}/data/A.MRC\n"
    assert _run("download", "10934", "data/*.MRC", "-i", "--to", tmp_path).exit_code == 1  # the odd name
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["A.MRC", "[br].mrc", "b.mrc"]
    assert EmpiarEntry(10934).find("DATA/a.mrc", ignore_case=True)[0].path == "data/A.MRC"


def test_a_search_in_json_has_the_sizes_that_the_page_shows(entry: str) -> None:
    (found,) = _run(
        "search", "--entry", "10934", "--dir", "data", "--select", "A*", "--json"
    ).stdout.splitlines()

    assert json.loads(found)["approximate_size_bytes"] == 2970  # 2.9K
    assert json.loads(found)["size_bytes"] is None


def test_a_search_that_differs_in_case_alone_says_so(entry: str) -> None:
    done = _run("search", "--entry", "10934", "--dir", "data", "--select", "a.*")
    assert (done.exit_code, "; --ignore-case finds 1" in done.stderr) == (3, True)


def test_a_search_is_saved_through_links_and_pipes_and_replaces_neither(entry: str, tmp_path: Path) -> None:
    def save(name: Path) -> Result:
        return _run("search", "--entry", "10934", "--dir", "data", "--select", "b.*", "--save_search", name)

    (tmp_path / "link.txt").symlink_to(tmp_path / "list.txt")
    assert save(tmp_path / "link.txt").exit_code == 0
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "list.txt").read_text() == f"{entry}/data/b.mrc\n"

    os.mkfifo(tmp_path / "pipe")
    with subprocess.Popen(["cat", tmp_path / "pipe"], stdout=subprocess.PIPE, text=True) as reader:
        assert save(tmp_path / "pipe").exit_code == 0
        assert reader.communicate(timeout=60)[0] == f"{entry}/data/b.mrc\n"
    assert (tmp_path / "pipe").is_fifo()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert (save(tmp_path / "loop").exit_code, len(list(tmp_path.iterdir()))) == (1, 4)


def test_several_patterns_select_what_any_of_them_does_once(entry: str) -> None:
    found = _run("find", "10934", "data/*.mrc", "data/b*", "data/**/*.tif").stdout.splitlines()

    assert found == ["data/[br].mrc", "data/b.mrc", "data/movies/a.tif", r"data/new\nline.mrc"]


@pytest.mark.parametrize("command", ["find", "download"])
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("data/a.mrc",), "no file in EMPIAR-10934 matches 'data/a.mrc'; --ignore-case finds 1"),
        (("*.tif", "*.tiff"), "matches '*.tif' or '*.tiff'; '**/*.tif' looks into all directories"),
        (("data/*.tif",), "'data/**/*.tif' looks into all directories"),
        (("data/*.{mrc,tif}",), "braces stand for themselves: give a pattern for each"),
        (
            ("data/**/*.mrc", "--kind", "movies"),
            "of 4 files in EMPIAR-10934 that match 'data/**/*.mrc' none is of the kind movies: 3 micro",
        ),
        (("--kind", "coordinates"), "of 7 files in EMPIAR-10934 none is of the kind coordinates: "),
        (("--kind", "gains", "--dir", "data/b.mrc"), "no directory 'data/b.mrc'"),
    ],
)
def test_where_no_file_is_meant_what_to_try_is_said(
    entry: str, tmp_path: Path, command: str, arguments: tuple[str, ...], sentence: str
) -> None:
    done = _run(command, "10934", *arguments, *(["--to", tmp_path / "new"] if command == "download" else ()))

    assert done.exit_code == 3
    assert sentence in done.stderr
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    "options", [("--kind", "gains"), ("--dir", "data"), ("--imageset", "All"), ("--regexp",), ("-i",)]
)
def test_what_selects_in_an_entry_is_not_ignored_beside_a_list(
    entry: str, tmp_path: Path, options: tuple[str, ...]
) -> None:
    (tmp_path / "list.txt").write_text(f"{entry}/data/b.mrc\n")
    done = _run("download", "--download", tmp_path / "list.txt", "--save_dir", tmp_path / "new", *options)

    assert done.exit_code == 2
    assert "select among the files of an ENTRY" in done.stderr
    assert not (tmp_path / "new").exists()


def test_an_imageset_and_a_directory_are_one_too_many(entry: str, tmp_path: Path) -> None:
    done = _run("download", "10934", "--imageset", "All", "--dir", "data", "--to", tmp_path)
    assert (done.exit_code, "--imageset or --dir" in done.stderr) == (2, True)
    done = _run("info", "10934", "--check", "--json")
    assert (done.exit_code, done.stdout) == (2, "")


def test_a_dry_run_in_json_is_one_object(entry: str, tmp_path: Path) -> None:
    done = _run("download", "10934", "data/*", "--to", tmp_path / "new", "--dry-run", "--json")
    plan = json.loads(done.stdout)

    assert done.exit_code == 1
    assert (plan["files"], plan["size_bytes"], plan["is_exact"], plan["there"]) == (3, 3060, True, 0)
    assert "control characters" in plan["failures"][0]["error"]
    assert plan["directory"] == str(tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_a_list_that_an_editor_has_saved_is_read(entry: str, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes(f"\ufeff{entry}/data/b.mrc  \r\n\t{entry}/data/A.MRC\r\n".encode())
    done = _run("download", "--download", tmp_path / "list.txt", "--save_dir", tmp_path / "new")

    assert done.exit_code == 0, done.stderr
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["A.MRC", "b.mrc", MANIFEST_NAME]


def test_a_list_of_failures_that_cannot_be_written_or_removed_is_said_so(entry: str, tmp_path: Path) -> None:
    (tmp_path / FAILED_NAME).mkdir()
    done = _run("download", "10934", "data/b.mrc", "--to", tmp_path)
    assert done.exit_code == 0
    assert f"cannot write {tmp_path / FAILED_NAME}: Is a directory" in done.stderr
    (tmp_path / "list.txt").write_text(f"{entry}/data/none.mrc\n")
    done = _run("download", "--download", tmp_path / "list.txt", "--save_dir", tmp_path)
    assert done.exit_code == 3
    assert "1 of 1 failed" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_empty_folder_name_is_not_this_folder(entry: str) -> None:
    for command in (("download", "10934", "--to", ""), ("mirror", "10934", "")):
        done = _run(*command)
        assert (done.exit_code, "it is empty" in done.stderr) == (2, True)


def test_a_mirror_of_what_nothing_matches_is_not_in_step(entry: str, tmp_path: Path) -> None:
    done = _run("mirror", "10934", tmp_path, "data/*.typo")
    assert (done.exit_code, "matches 'data/*.typo'" in done.stderr) == (3, True)
    assert _run("mirror", "10934", tmp_path, "data/b.mrc").exit_code == 0


def test_an_interrupt_does_not_wait_for_sizes(entry: str, archive: Archive) -> None:
    archive.add_fault("status", match="*b.mrc", status=503, retry_after="20", times=None)
    job = subprocess.Popen(
        [PROGRAM, "find", "10934", "data/b.mrc", "--exact"],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not archive.requests(f"{HOST}/*b.mrc"):
        assert job.poll() is None
    job.send_signal(signal.SIGINT)

    assert job.communicate(timeout=10)[1].strip() == "empiarreader: interrupted"
    assert job.returncode == 130


def _on_a_terminal(arguments: Sequence[str | Path], columns: int) -> tuple[int, str]:
    """Return the exit code of a command on a terminal of so many columns, and what that showed."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    with subprocess.Popen([PROGRAM, *arguments], stdin=theirs, stdout=theirs, stderr=theirs) as job:
        os.close(theirs)
        shown = b""
        while True:
            try:
                piece = os.read(ours, 4096)
            except OSError:  # how Linux says that the other end is closed
                break
            if not piece:
                break
            shown += piece
        os.close(ours)
    return job.returncode, shown.decode()


def _widest_line_written_over(shown: str) -> int:
    plain = re.sub(r"\x1b\[[?\d]*[a-zA-Z]", "", shown.replace("\r\n", "\n"))
    written = [piece for line in plain.split("\n") if "\r" in line for piece in line.split("\r")]
    return max(map(len, written))


@pytest.mark.parametrize("columns", [24, 80, 132])
def test_what_a_terminal_shows_of_a_download_fits_onto_one_line(
    archive: Archive, tmp_path: Path, columns: int
) -> None:
    archive.add_entry(10935, {f"data/{k}.mrc": bytes(1000) for k in range(100)})
    archive.shape(latency_seconds=0.05)
    code, shown = _on_a_terminal(["download", "10935", "--to", tmp_path / "new"], columns)

    assert code == 0
    assert "100%" in shown
    assert ("[####" in shown) == (columns > 24)
    assert "101/101 files" in shown
    assert _widest_line_written_over(shown) < columns


def test_a_terminal_shows_how_far_a_listing_is_only_while_it_takes_its_time(
    archive: Archive, entry: str
) -> None:
    archive.add_entry(10935, {f"data/d{k:02}/a.mrc": b"x" for k in range(20)})
    quick = [_on_a_terminal(["ls", "-R", "10934", "--refresh"], 100) for _ in range(3)]
    assert all(code == 0 for code, _ in quick)
    assert any("directories" not in shown for _, shown in quick)  # not all, where this machine is busy

    archive.shape(latency_seconds=0.25)
    slow = ["find", "10935", "**/*.mrc", "--refresh"]
    code, shown = _on_a_terminal(slow, 20)
    assert code == 0
    assert "directories" in shown
    assert "100%" in shown
    assert shown.replace("\r", "").endswith("data/d19/a.mrc\n")
    assert _widest_line_written_over(shown) < 20
    assert "directories" not in _on_a_terminal([*slow, "-q"], 100)[1]
    assert subprocess.run([PROGRAM, *slow], capture_output=True, check=True).stderr == b""


def test_a_terminal_shows_the_progress_of_an_update_to_its_end(archive: Archive) -> None:
    archive.add_record("empiar", "10934", {"title": "x"})
    archive.shape(latency_seconds=0.1)
    code, shown = _on_a_terminal(["catalogue", "update"], 80)

    assert (code, "requests" in shown, "100%" in shown) == (0, True, True)
