"""Lists that mean harm: nothing is fetched or written that should not be, and no shell is started."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from perc_archive import Archive

# Runs the program, and writes down what it starts, opens for writing, removes, and connects to.
_WATCHED = """
import json, os, sys
from pathlib import Path
log = Path(sys.argv.pop(1))
watched = {
    "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "os.forkpty", "pty.spawn",
    "os.spawn", "os.startfile", "ftplib.connect", "os.symlink", "os.link", "shutil.rmtree", "os.chmod",
}
events, ready = [], False

def hook(event, arguments):
    if not ready:
        return
    if event in watched:
        events.append([event, repr(arguments)])
    elif event == "open" and isinstance(arguments[0], (str, bytes)):
        if arguments[2] & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
            events.append(["write", os.path.abspath(os.fsdecode(arguments[0]))])
    elif event in ("os.rename", "os.remove", "os.mkdir"):
        names = [name for name in arguments if isinstance(name, (str, bytes))]
        events.extend(["write", os.path.abspath(os.fsdecode(name))] for name in names)
    elif event == "socket.connect":
        events.append(["connect", list(arguments[1][:2])])
    elif event == "socket.getaddrinfo":
        events.append(["resolve", str(arguments[0])])

sys.addaudithook(hook)
from empiarreader.cli import main
ready = True
try:
    main()
finally:
    ready = False
    log.write_text(json.dumps(events))
"""
_GOOD = "10934/data/good.mrc"
_LINES = (
    "{base}/10934/data/good.mrc; touch PWNED",
    "x; touch PWNED",
    "$(touch PWNED)",
    "`touch PWNED`",
    "{base}/10934/data/$(touch${{IFS}}PWNED)",
    "{base}/10934/data/a.mrc|touch PWNED",
    "{base}/10934/data/a.mrc && touch PWNED",
    "../../x",
    "/etc/passwd",
    "{base}/10934/../../x",
    "{base}/10934/data/../../../x",
    "{base}/10934/data/%2e%2e%2f%2e%2e%2fx",
    "{base}/10934/%2e%2e/%2e%2e/x",
    "{base}/10934/data/..%2f..%2fx",
    "{base}/10934/data/%2fetc%2fpasswd",
    "-o",
    "--output-document=x",
    "-i /etc/passwd",
    "file:///etc/passwd",
    "file:/etc/passwd",
    "FILE:///etc/passwd",
    "http://169.254.169.254/latest/meta-data/",
    "https://evil.example/empiar/world_availability/10934/data/good.mrc",
    "https://ftp.ebi.ac.uk.evil.example/empiar/world_availability/10934/data/good.mrc",
    "https://ftp.ebi.ac.uk@evil.example/empiar/world_availability/10934/data/good.mrc",
    "https://ftp.ebi.ac.uk/pub/databases/other.txt",
    "ftp://evil.example/10934/data/good.mrc",
    "data:text/plain,x",
    "gopher://evil.example/",
    "{base}/10934/data/good.mrc\x1b[2J",
    "{base}/10934/data/a%1b%5b2Jb.mrc",
    "{base}/10934/data/a%00b.mrc",
    "{base}/10934/data/a%0ab.mrc",
    "{base}/10934/data/a%e2%80%aeb.mrc",
    "{base}/10934/data/good.mrc?x=1",
    "{base}/10934/data/good.mrc#x",
    "{base}/10934/data/",
    "{base}/10934",
    "{base}/0/data/x.mrc",
    "{base}/10934/data/" + "x" * 300,
    "\\\\server\\share\\x",
    "empiar://10934/../../x",
)
# Odd names that files could have: decoded once, and with backslashes, which lead nowhere. They are asked for.
_ODD = ("{base}/10934/data/%252e%252e%252fx", "{base}/10934/data/..%5c..%5cx")


@pytest.mark.parametrize("how", ["alone", "among others"])
def test_a_list_that_means_harm_does_none(how: str, archive: Archive, tmp_path: Path) -> None:
    archive.add_entry(10934, {"data/good.mrc": b"good"})
    base = archive.url("ftp.ebi.ac.uk", "empiar/world_availability")
    lines = [line.format(base=base) for line in (*_LINES, *(_ODD if how == "among others" else ()))]
    if how == "among others":
        lines.insert(len(lines) // 2, f"{base}/{_GOOD}")
    work = tmp_path / "work"
    work.mkdir()
    (work / "list.txt").write_text("\n".join(lines) + "\n")
    command = [sys.executable, "-c", _WATCHED, str(tmp_path / "log.json")]
    done = subprocess.run(
        [*command, "download", "--download", "list.txt", "--save_dir", "saved"],
        cwd=work,
        capture_output=True,
        text=True,
    )

    events = [(kind, what) for kind, what in json.loads((tmp_path / "log.json").read_text())]
    allowed = {"write", "connect", "resolve"}
    assert [event for event in events if event[0] not in allowed] == []
    place = urlsplit(base)
    assert {tuple(what) for kind, what in events if kind == "connect"} <= {(place.hostname, place.port)}
    assert {what for kind, what in events if kind == "resolve"} <= {place.hostname}
    written = {what for kind, what in events if kind == "write"}
    inside = (str(work / "saved"), str(work / "empiarreader-failed.txt"), str(Path.home()), "/dev/")
    assert [path for path in written if not path.startswith(inside)] == []

    fetched = {path.name for path in (work / "saved").rglob("*") if path.is_file() and path.suffix == ".mrc"}
    assert fetched == ({"good.mrc"} if how == "among others" else set())
    assert not list(tmp_path.rglob("*PWNED*"))
    assert done.returncode == (1 if how == "among others" else 2)
    for line in lines:
        if f"{base}/{_GOOD}" != line and "%25" not in line and "%5c" not in line:
            assert repr(line)[1:40].split("\\x1b")[0] in done.stderr, line  # each is named, and why
    assert f"{len(lines) - len(fetched)} of {len(lines)} failed" in done.stderr
    assert "\x1b" not in done.stdout + done.stderr
    asked = {request.path.partition("/world_availability/")[2] for request in archive.requests("*")}
    assert asked == ({_GOOD, "10934/data/%2e%2e%2fx", "10934/data/..\\..\\x"} if fetched else set())


def test_names_in_the_archive_that_mean_harm_are_printed_as_they_are_and_saved_inside(
    archive: Archive, tmp_path: Path
) -> None:
    archive.add_entry(
        10934, {"data/$(touch PWNED).mrc": b"1", "data/;touch PWNED;.mrc": b"2", "data/-o.mrc": b"3"}
    )
    program = [sys.executable, "-m", "empiarreader.cli"]
    run = {"cwd": tmp_path, "capture_output": True, "text": True}
    search = [
        *program,
        "search",
        "--entry",
        "10934",
        "--dir",
        "data",
        "--select",
        "*",
        "--save_search",
        "list.txt",
    ]
    found = subprocess.run(search, **run)  # type: ignore[call-overload]
    assert found.returncode == 0, found.stderr
    done = subprocess.run([*program, "download", "--download", "list.txt", "--save_dir", "saved"], **run)  # type: ignore[call-overload]

    assert done.returncode == 0, done.stderr
    assert {path.name: path.read_bytes() for path in (tmp_path / "saved").glob("*.mrc")} == {
        "$(touch PWNED).mrc": b"1",
        ";touch PWNED;.mrc": b"2",
        "-o.mrc": b"3",
    }
    assert not list(tmp_path.rglob("PWNED"))
