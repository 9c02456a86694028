"""The command line: the published commands line by line, the new ones, and how each kind of error ends."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import pytest
from click import Command, Context, Group, Option
from click.testing import CliRunner, Result

from empiarreader import __version__
from empiarreader.cli import main
from empiarreader.downloading.manifest import FAILED_NAME, MANIFEST_NAME
from perc_archive import Archive

HOST = "ftp.ebi.ac.uk"
MOVIES = "data/CL44-1/Images-Disc1/GridSquare_6089277/Data"


@pytest.fixture
def entry(archive: Archive) -> str:
    files = {f"{MOVIES}/m{k}_fractions.tiff.bz2": b"BZh" * k for k in range(1, 4)}
    archive.add_entry(
        10934,
        {
            **files,
            f"{MOVIES}/gain.tiff.bz2": b"BZh gain",
            f"{MOVIES}/sub/x.xml": b"<x/>",
            "data/read me.txt": b"hi",
        },
        {
            "title": "Movies\x1b[2J of a test",
            "cross_references": ["EMD-12602"],
            "imagesets": [
                {"name": "Movies", "directory": "data/CL44-1", "data_format": "TIFF", "pixel_width": 0.5}
            ],
        },
    )
    return archive.url(HOST, "empiar/world_availability/10934")


def _run(*arguments: str, input: str | None = None) -> Result:
    return CliRunner().invoke(main, arguments, input=input)


def test_the_published_search_prints_numbered_matches_and_subdirectories(entry: str) -> None:
    done = _run("search", "--entry", "10934", "--select", "*", "--verbose")

    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        f"Matching path #0: {entry}/10934.xml",
        f"Matching path #1: {entry}/data/",
        f"Subdirectories are: {entry}",
        f"Subdirectories are: {entry}/data",
    ]
    assert done.stderr == ""


def test_without_verbose_it_prints_plain_sorted_addresses(entry: str) -> None:
    done = _run(
        "search", "--entry", "EMPIAR-10934", "--dir", f"/{MOVIES}/", "--select", "*fractions.tiff.bz2"
    )

    assert done.stdout.splitlines() == [f"{entry}/{MOVIES}/m{k}_fractions.tiff.bz2" for k in (1, 2, 3)]


@pytest.mark.parametrize("flag", ["--regexp", "--regex"])
def test_the_published_regular_expression_matches_whole_addresses(entry: str, flag: str) -> None:
    done = _run("search", "--entry", "10934", "--dir", MOVIES, "--select", ".*m[12].*bz2", flag)

    assert done.stdout.splitlines() == [f"{entry}/{MOVIES}/m{k}_fractions.tiff.bz2" for k in (1, 2)]


def test_two_stars_search_below(entry: str) -> None:
    done = _run("search", "--entry", "10934", "--select", "**/*.xml")

    assert done.stdout.splitlines() == [f"{entry}/10934.xml", f"{entry}/{MOVIES}/sub/x.xml"]


def test_keep_all_keeps_the_links_that_lead_to_no_file(entry: str) -> None:
    without = _run("search", "--entry", "10934", "--dir", "data", "--select", "*").stdout.splitlines()
    done = _run(
        "search", "--entry", "10934", "--dir", "data", "--select", "*", "--keep_all"
    ).stdout.splitlines()

    assert without == [f"{entry}/data/CL44-1/", f"{entry}/data/read%20me.txt"]
    assert set(done) - set(without) == {
        f"{entry}/data/?C=N;O=D",
        f"{entry}/data/?C=M;O=A",
        f"{entry}/data/?C=S;O=A",
        f"{entry}/data/?C=D;O=A",
        f"{entry}/",
    }


def test_a_saved_search_holds_the_files_sorted(entry: str, tmp_path: Path) -> None:
    saved = tmp_path / "saved_search.txt"
    _run("search", "--entry", "10934", "--dir", MOVIES, "--select", "*", "--save_search", str(saved))

    assert saved.read_text().splitlines() == [
        f"{entry}/{MOVIES}/gain.tiff.bz2",
        *(f"{entry}/{MOVIES}/m{k}_fractions.tiff.bz2" for k in (1, 2, 3)),
    ]
    assert list(tmp_path.iterdir()) == [saved]


def test_search_prints_json_on_request(entry: str) -> None:
    lines = _run("search", "--entry", "10934", "--dir", "data", "--select", "*", "--json").stdout.splitlines()

    assert [json.loads(line)["kind"] for line in lines] == ["directory", "file"]
    assert json.loads(lines[1])["path"] == "data/read me.txt"


def test_the_published_download_saves_what_was_searched(entry: str, tmp_path: Path) -> None:
    saved, folder = tmp_path / "saved_search.txt", tmp_path / "new_dir"
    _run(
        "search",
        "--entry",
        "10934",
        "--dir",
        MOVIES,
        "--select",
        "*gain.tiff.bz2",
        "--save_search",
        str(saved),
    )
    done = _run("download", "--download", str(saved), "--save_dir", str(folder), "--verbose")

    assert done.exit_code == 0
    assert done.stdout.splitlines() == [
        f"Created save_dir: {folder}",
        f"Finished 1 of 1: {entry}/{MOVIES}/gain.tiff.bz2",
    ]
    assert (folder / "gain.tiff.bz2").read_bytes() == b"BZh gain"
    assert sorted(path.name for path in folder.iterdir()) == sorted(["gain.tiff.bz2", MANIFEST_NAME])


def test_without_verbose_a_download_says_one_line_to_stderr(entry: str, tmp_path: Path) -> None:
    done = _run(
        "download", "--download", "-", "--save_dir", str(tmp_path), input=f"{entry}/10934.xml\n\n# note\n"
    )

    assert (done.exit_code, done.stdout) == (0, "")
    assert done.stderr.startswith("1 file, ")
    quiet = _run(
        "download", "--download", "-", "--save_dir", str(tmp_path), "-q", input=f"{entry}/10934.xml\n"
    )
    assert quiet.output == ""


def test_a_download_in_json_gives_a_record_a_file(entry: str, tmp_path: Path) -> None:
    lines = f"{entry}/10934.xml\n{entry}/data/read%20me.txt\n"
    done = _run("download", "--download", "-", "--save_dir", str(tmp_path), "--json", input=lines)
    records = [json.loads(line) for line in done.stdout.splitlines()]

    assert [record["path"] for record in records] == ["10934.xml", "read me.txt"]
    assert all(len(record["sha256"]) == 64 for record in records)


def test_failures_are_listed_at_the_end_and_some_failed_is_failed(entry: str, tmp_path: Path) -> None:
    hostile = [
        "x.bin; touch PWNED #",
        "-O/etc/passwd",
        "https://evil.example/a",
        f"{entry}/data/%2e%2e%2fx",
        "\x1b[2J",
    ]
    lines = "\n".join([f"{entry}/data/none.mrc", f"{entry}/10934.xml", *hostile])
    done = _run("download", "--download", "-", "--save_dir", str(tmp_path), input=lines)

    assert done.exit_code == 1
    report = done.stderr.splitlines()
    assert report[1] == "6 of 7 failed:"
    assert len(report) == 2 + 6 + 1
    assert report[-1].startswith("to try again: empiarreader download --download ")
    assert "\x1b" not in done.output
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["10934.xml", FAILED_NAME, MANIFEST_NAME]
    )
    assert (tmp_path / FAILED_NAME).read_text() == f"{entry}/data/none.mrc\n"  # what is refused stays so


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        (["{entry}/data/none.mrc"], 3),
        (["https://evil.example/a"], 2),
        (["{entry}/data/none.mrc", "https://evil.example/a"], 1),
    ],
)
def test_when_nothing_was_saved_the_exit_code_says_why(
    entry: str, tmp_path: Path, lines: list[str], code: int
) -> None:
    listed = "\n".join(lines).format(entry=entry)

    assert _run("download", "--download", "-", "--save_dir", str(tmp_path), input=listed).exit_code == code


def test_an_archive_that_is_down_ends_with_the_network_s_code(
    entry: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saved = tmp_path / "list.txt"
    saved.write_text("https://ftp.ebi.ac.uk/empiar/world_availability/10934/10934.xml\n")
    monkeypatch.setenv("EMPIARREADER_ARCHIVE_URL", "http://127.0.0.1:9/empiar")

    for command in (
        ("search", "--entry", "10934", "--select", "*"),
        ("download", "--download", str(saved), "--save_dir", str(tmp_path / "new")),
        ("ls", "10934"),
    ):
        done = _run(*command)
        assert done.exit_code == 4
        assert "is there a network?" in done.stderr
    assert [path.name for path in (tmp_path / "new").iterdir()] == [FAILED_NAME]


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("search", "--entry", "99999", "--select", "*"), 3, "no entry 99999"),
        (("search", "--entry", "x", "--select", "*"), 2, "not an EMPIAR entry"),
        (("search", "--entry", "10934", "--select", "(", "--regexp"), 2, "no regular expression"),
        (("search", "--entry", "10934", "--select", ""), 2, "pattern is empty"),
        (("search", "--entry", "10934", "--select", "*.zip"), 3, "nothing in"),
        (
            ("search", "--entry", "10934", "--dir", "data/none", "--select", "*"),
            3,
            "no directory 'data/none'",
        ),
        (("search", "--entry", "10934", "--dir", "../10935", "--select", "*"), 2, "outside the entry"),
        (("search", "--entry", "10934"), 2, "--select"),
        (("search", "--entry", "10934", "--select", "data", "--save_search", "x.txt"), 3, "only directories"),
        (("download", "--download", "none.txt", "--save_dir", "x"), 2, "none.txt"),
        (("info", "99999"), 3, "no entry 99999"),
        (("ls", "10934", "nowhere"), 3, "no directory 'nowhere'"),
        (("find", "10934", "**/*.zip"), 3, "no file"),
        (("find", "10934", "(", "--regexp"), 2, "no regular expression"),
    ],
)
def test_wrong_input_gets_one_sentence_and_its_exit_code(
    entry: str, arguments: tuple[str, ...], code: int, sentence: str
) -> None:
    done = _run(*arguments)

    assert done.exit_code == code
    assert sentence in done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr


def test_an_empty_list_is_said_so(entry: str, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("\n\n")
    done = _run("download", "--download", str(tmp_path / "list.txt"), "--save_dir", str(tmp_path / "new"))

    assert done.exit_code == 2
    assert "holds no addresses" in done.stderr
    assert not (tmp_path / "new").exists()


def test_a_list_that_is_no_text_is_refused_line_by_line(entry: str, tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_bytes(bytes(range(256)))
    done = _run("download", "--download", str(tmp_path / "list.txt"), "--save_dir", str(tmp_path / "new"))

    assert done.exit_code == 2
    assert "is refused" in done.stderr


def test_a_search_that_cannot_be_saved_is_said_so(entry: str, tmp_path: Path) -> None:
    done = _run(
        "search", "--entry", "10934", "--select", "*", "--save_search", str(tmp_path / "no" / "x.txt")
    )

    assert done.exit_code == 1
    assert "cannot write" in done.stderr


def test_info_shows_what_an_entry_says_and_no_control_characters(entry: str) -> None:
    done = _run("info", "10934")

    assert done.exit_code == 0
    assert done.stdout.splitlines()[0] == "EMPIAR-10934: Movies\\x1b[2J of a test"
    assert "references: EMDB EMD-12602" in done.stdout
    assert "    directory: data/CL44-1" in done.stdout
    assert "    pixel: 0.5 Å" in done.stdout
    assert json.loads(_run("info", "10934", "--json").stdout)["title"] == "Movies\x1b[2J of a test"


def test_ls_lists_a_directory_or_all_below_it(entry: str) -> None:
    assert _run("ls", "10934", "data").stdout.splitlines() == ["data/CL44-1/", "data/read me.txt"]
    below = _run("ls", "-R", "10934", "data/CL44-1").stdout.splitlines()
    assert below[0] == "data/CL44-1/Images-Disc1/"
    assert below[-1] == f"{MOVIES}/sub/x.xml"
    record = json.loads(_run("ls", "10934", "data", "--json").stdout.splitlines()[1])
    assert record["approximate_size_bytes"] == 2


def test_find_prints_paths_or_records_up_to_a_limit(entry: str) -> None:
    assert _run("find", "10934", "data/**/*gain*").stdout.splitlines() == [f"{MOVIES}/gain.tiff.bz2"]
    assert len(_run("find", "10934", "**/*.bz2", "--limit", "2").stdout.splitlines()) == 2
    record = json.loads(_run("find", "10934", "read*", "--dir", "data", "--json").stdout)
    assert record["url"] == f"{entry}/data/read%20me.txt"


def test_help_opens_with_an_example_everywhere() -> None:
    for command in ((), *((name,) for name in main.list_commands(Context(main)) if name != "catalogue")):
        done = _run(*command, "--help")
        first = [line.strip() for line in done.stdout.splitlines() if line.strip()][1]

        assert done.exit_code == 0
        assert first.startswith("$ empiarreader ")


def test_the_version_is_told() -> None:
    assert _run("--version").stdout.strip() == f"empiarreader, version {__version__}"


def test_the_package_runs_as_a_module() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "empiarreader", "find"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 2
    assert "Usage: empiarreader find" in done.stderr


def test_the_installed_program_runs_and_loads_nothing_heavy_for_help() -> None:
    script = (
        "import sys; from click.testing import CliRunner; from empiarreader.cli import main; "
        "CliRunner().invoke(main, ['--help']); "
        "print(sorted({'numpy', 'xarray', 'dask', 'pandas', 'urllib3', 'tifffile'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    program = Path(sys.executable).with_name("empiarreader")

    assert done.stdout.strip() == "[]"
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    assert said.strip().endswith(__version__)


@pytest.mark.parametrize("command", ["search", "download"])
def test_an_interrupt_ends_with_130_at_once_and_leaves_no_file(
    entry: str, archive: Archive, tmp_path: Path, command: str
) -> None:
    (tmp_path / "list.txt").write_text(f"{entry}/10934.xml\n")
    arguments = {
        "search": ["search", "--entry", "10934", "--select", "*"],
        "download": ["download", "--download", "list.txt", "--save_dir", "new"],
    }
    archive.add_fault("stall", times=None)
    program = Path(sys.executable).with_name("empiarreader")
    job = subprocess.Popen(
        [program, *arguments[command]],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        # Started in the background, a shell's children ignore the signal, and theirs inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    while not archive.requests():  # each look waits a moment for requests under way
        assert job.poll() is None
    began = perf_counter()
    job.send_signal(signal.SIGINT)
    _, said = job.communicate(timeout=60)

    assert job.returncode == 130
    assert said.strip() == "empiarreader: interrupted"
    assert perf_counter() - began < 10  # the silence would be waited out for 30 s
    assert not (tmp_path / "new" / "10934.xml").exists()


def test_files_are_counted_limited_and_shared_out(entry: str, tmp_path: Path) -> None:
    pattern = "data/**/*fractions*"
    everything = _run("find", "10934", pattern).stdout.splitlines()
    shares = [_run("find", "10934", pattern, "--part", f"{k}/2").stdout.splitlines() for k in (1, 2)]
    assert sorted([*shares[0], *shares[1]]) == everything
    assert [len(share) for share in shares] == [2, 1]
    assert _run("find", "10934", pattern, "--count", "--exact").stdout == "3 files, 18 B\n"
    counted = json.loads(_run("ls", "-R", "10934", "--count", "--json").stdout)
    assert counted["files"] == 7
    limited = _run("find", "10934", pattern, "--limit", "1")
    assert limited.stdout.splitlines() == everything[:1]
    assert limited.stderr == "1 of 3; --limit 3 shows all\n"
    assert _run("find", "10934", pattern, "--limit", "1", "-q").stderr == ""
    assert _run("ls", "-R", "10934", "--limit", "2").stdout.splitlines() == ["10934.xml", "data/"]
    assert (
        _run("search", "--entry", "10934", "--select", "*", "--limit", "1").stdout == f"{entry}/10934.xml\n"
    )
    assert _run("find", "10934", pattern, "--part", "3/2").exit_code == 2
    for k in (1, 2):
        done = _run("download", "10934", pattern, "--to", str(tmp_path), "--part", f"{k}/2")
        assert done.exit_code == 0, done.stderr
        assert len(list(tmp_path.rglob("*.bz2"))) == (2, 3)[k - 1]
    failing = tmp_path / "list.txt"
    failing.write_text(f"{entry}/data/none.mrc\n")
    _run("download", "--download", str(failing), "--save_dir", str(tmp_path), "--part", "1/2")
    assert (tmp_path / "empiarreader-failed-1-of-2.txt").read_text().endswith("none.mrc\n")


def test_published_options_may_be_cut_short(entry: str, tmp_path: Path) -> None:
    found = tmp_path / "found.txt"
    done = _run("search", "--ent", "10934", "--di", MOVIES, "--sel", "*gain*", "--save", str(found), "--verb")
    assert done.exit_code == 0, done.stderr
    assert "Matching path #0" in done.stdout
    assert _run("download", "--down", str(found), f"--sav={tmp_path / 'x'}").exit_code == 0
    assert (
        _run("search", "--ent", "10934", "--js", "--sel", "*").exit_code == 2
    )  # a new option is written out


def test_a_search_without_a_match_says_what_to_try(entry: str) -> None:
    assert "'**/*.none' looks into all directories" in _run("find", "10934", "*.none").stderr
    verbose = _run("find", "10934", "*.xml", "-v", "--refresh")
    assert f"GET {entry}/" in verbose.stderr


def test_completion_is_printed_for_each_shell() -> None:
    for shell in ("bash", "zsh", "fish"):
        assert "_EMPIARREADER_COMPLETE" in _run("completion", shell).stdout


def _rows_of_the_reference() -> dict[str, set[str]]:
    """Options of each command by the table of the reference; a row that begins with … continues one."""
    page = (Path(__file__).parents[2] / "docs/reference/empiarreader.md").read_text(encoding="utf-8")
    found: dict[str, set[str]] = {}
    command = ""
    for row in page.partition("## Command line")[2].splitlines():
        cell = row.replace(r"\|", "/").split(" | ")[0]
        named = re.match(r"\| `empiarreader ((?:catalogue |cache )?[a-z]+)", cell)
        command = named[1] if named else command
        if named or cell.startswith("| …"):
            found.setdefault(command, set()).update(re.findall(r"(?<![\w-])--?[a-zA-Z][\w-]*", cell))
    return found


def _commands(group: Group, before: str = "") -> Iterator[tuple[str, Command]]:
    context = Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, Group):
            yield from _commands(command, f"{before}{name} ")
        else:
            yield f"{before}{name}", command


def test_the_reference_names_every_option_of_every_command_and_no_other() -> None:
    told = _rows_of_the_reference()
    said_once_for_all = {"--help", "--quiet", "--verbose"}

    assert set(told) == {name for name, _ in _commands(main)}
    for name, command in _commands(main):
        spellings = [
            {*option.opts} for option in command.params if isinstance(option, Option) and not option.hidden
        ]
        missing = [each for each in spellings if not each & (told[name] | said_once_for_all)]
        assert not missing, (name, missing)
        assert told[name] <= set().union(*spellings), name


def test_a_command_that_is_not_there_is_answered_with_one_that_is() -> None:
    done = _run("serch", "--entry", "10934")

    assert done.exit_code == 2
    assert "There is no command 'serch'; is 'search' meant?" in done.stderr
    assert "meant" not in _run("xyz").stderr


def test_an_output_that_is_full_is_said_so(entry: str) -> None:
    program = Path(sys.executable).with_name("empiarreader")
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [program, "ls", "10934", "data"], stdout=full, stderr=subprocess.PIPE, text=True
        )

    assert done.returncode == 1
    assert done.stderr == "empiarreader: cannot write to standard output: No space left on device\n"
