"""Listing over FTP and in a mirror, exact sizes, and counts held against what an entry says of itself."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from empiarreader import (
    ArchiveFileNotFoundError,
    EmpiarCatalog,
    EmpiarEntry,
    EntryNotFoundError,
    InvalidRequestError,
    ServiceError,
)
from empiarreader.cli import main
from empiarreader.network.ftp import _of_facts, _of_line, list_over_ftp
from perc_archive import Archive

HOST = "ftp.ebi.ac.uk"
ENTRY = "empiar/world_availability/10943"
ODD = [
    "a b.mrc",
    "a#1.mrc",
    "50%.mrc",
    "x%20y.mrc",
    "a+b&c.mrc",
    'it\'s "q".mrc',
    "β:γ.mrc",
    "-l",
    "[x]*?.mrc",
]
FILES = {
    **{f"data/odd/{name}": name.encode() * 3 for name in ODD},
    **{f"data/GridSquare_{k}/Data/m{j}.mrc": b"x" * (10 * k + j) for k in range(4) for j in range(3)},
}


@pytest.fixture
def entry(archive: Archive) -> Archive:
    archive.add_entry(10943, FILES)
    return archive


def test_ftp_lists_what_the_pages_list_with_exact_sizes(entry: Archive) -> None:
    by_pages = EmpiarEntry(10943).files()
    by_ftp = EmpiarEntry(10943, protocol="ftp").files()

    assert [(file.path, file.url) for file in by_ftp] == [(file.path, file.url) for file in by_pages]
    assert {file.path: file.size_bytes for file in by_ftp if file.path in FILES} == {
        path: len(body) for path, body in FILES.items()
    }
    assert {file.size_bytes for file in by_pages} == {None}
    listed = [request for request in entry.requests() if request.method == "MLSD"]
    assert len(listed) == 11  # one a directory: the entry, data, odd, and four times two


def test_what_is_not_there_over_ftp_is_told_as_over_https(entry: Archive) -> None:
    where = EmpiarEntry(10943, protocol="ftp")
    with pytest.raises(ArchiveFileNotFoundError, match=r"no directory 'data/GridSquare_9'.*GridSquare_0"):
        where.list_directory("data/GridSquare_9")
    with pytest.raises(EntryNotFoundError, match="no entry 10944"):
        EmpiarEntry(10944, protocol="ftp").list_directory()


def test_an_ftp_server_that_is_not_there_could_not_be_asked(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMPIARREADER_FTP_URL", "ftp://127.0.0.1:1/empiar")
    with pytest.raises(ServiceError, match=r"127\.0\.0\.1:1"):
        EmpiarEntry(10943, protocol="ftp").list_directory()


def test_no_other_protocol_is_spoken() -> None:
    with pytest.raises(InvalidRequestError, match="https and ftp"):
        EmpiarEntry(10943, protocol="gopher")


def _count_in_child(url: str, found: multiprocessing.Queue[int]) -> None:
    found.put(len(list_over_ftp(url)))


def test_a_forked_child_opens_connections_of_its_own(entry: Archive) -> None:
    url = f"{entry.ftp_url}/{ENTRY}/data/odd"
    assert len(list_over_ftp(url)) == len(ODD)
    context = multiprocessing.get_context("fork")
    found: multiprocessing.Queue[int] = context.Queue()
    children = [context.Process(target=_count_in_child, args=(url, found)) for _ in range(2)]
    for child in children:
        child.start()
    counts = [found.get(timeout=30) for _ in children]
    for child in children:
        child.join(30)
    assert counts == [len(ODD), len(ODD)]
    assert len(list_over_ftp(url)) == len(ODD)


def _write_entry(folder: Path) -> None:
    for path, body in FILES.items():
        place = folder / "10943" / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(body)


LIST_ONLY = """
import sys, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # asyncore, which Python 3.12 left out
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import FTPServer
FTPHandler.authorizer = DummyAuthorizer()
FTPHandler.authorizer.add_anonymous(sys.argv[1])
FTPHandler.proto_cmds = {k: v for k, v in FTPHandler.proto_cmds.items() if k not in ("MLSD", "MLST")}
server = FTPServer(("127.0.0.1", 0), FTPHandler)
print(server.address[1], flush=True)
server.serve_forever()
"""


def test_a_server_that_knows_list_only_lists_the_same(
    entry: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write_entry(tmp_path)
    by_mlsd = EmpiarEntry(10943, protocol="ftp").find("data/**/*")
    with subprocess.Popen(
        [sys.executable, "-c", LIST_ONLY, str(tmp_path)], stdout=subprocess.PIPE, text=True,
        stderr=subprocess.DEVNULL,
    ) as server:  # fmt: skip
        try:
            assert server.stdout is not None
            monkeypatch.setenv("EMPIARREADER_FTP_URL", f"ftp://127.0.0.1:{int(server.stdout.readline())}")
            found = EmpiarEntry(10943, protocol="ftp").find("data/**/*")
            with pytest.raises(ArchiveFileNotFoundError, match="GridSquare_0"):
                EmpiarEntry(10943, protocol="ftp").list_directory("data/GridSquare_9")
        finally:
            server.terminate()

    assert [(file.path, file.size_bytes) for file in found] == [
        (file.path, file.size_bytes) for file in by_mlsd
    ]
    assert len(found) == len(FILES)


@pytest.mark.parametrize(
    ("line", "name", "size"),
    [
        ("-rw-r--r--   1 ftp      ftp      569560224 Feb 07  2022 a b  c.mrc", "a b  c.mrc", 569560224),
        ("-rw-rw-r--+ 1 1000 1000 7 Nov 21 11:03 -> x", "-> x", 7),
        ("lrwxrwxrwx 1 0 0 7 Nov 21 11:03 link -> ../x", "link", 7),
        ("drwxr-sr-x   2 ftp ftp 4096 Jan  1  2020 sub dir", "sub dir", None),
    ],
)
def test_lines_of_list_are_read_names_and_all(line: str, name: str, size: int | None) -> None:
    item = _of_line(line)
    assert item is not None
    assert (item.name, item.size_bytes, item.is_directory) == (name, size, line[0] == "d")


@pytest.mark.parametrize(
    "line", ["total 12", "", "drwxr-xr-x 2 a b 1 Jan  1  2020 ..", "-rw-r--r-- 1 a b 1 Jan  1  2020 a/b"]
)
def test_lines_that_name_nothing_inside_are_passed_over(line: str) -> None:
    assert _of_line(line) is None
    assert _of_facts(f"type=file;size=3; {line.rpartition(' ')[2]}") is None or "total" in line


@given(
    name=st.binary(min_size=1, max_size=40).filter(lambda name: not set(name) & set(b"/\0\r\n")),
    size=st.integers(0, 10**18 - 1),
)
def test_any_name_and_size_survive_both_forms_of_a_line(name: bytes, size: int) -> None:
    text = name.decode("latin-1")
    lines = {
        _of_line: f"-rw-r--r-- 1 ftp ftp {size} Feb 07  2022 {text}",
        _of_facts: f"type=file;size={size};modify=20220207101112; {text}",
    }
    for parse, line in lines.items():
        item = parse(line)
        if name in {b".", b".."}:
            assert item is None
            continue
        assert item is not None
        assert (item.name.encode("utf-8", "surrogateescape"), item.size_bytes) == (name, size)


@given(line=st.text(max_size=120) | st.text("drwxl-+ 0123456789;=typesizmodf./\x85\u2028ä", max_size=120))
def test_any_line_over_ftp_names_something_inside_or_nothing(line: str) -> None:
    for parse in (_of_line, _of_facts):
        item = parse(line)
        if item is not None:
            assert item.name not in {"", ".", ".."}
            assert not set(item.name) & set("/\0")


def test_names_over_ftp_are_kept_byte_by_byte() -> None:
    item = _of_facts("Type=file;Size=12;Modify=20220207101112; " + b"\xff\xce\xb2.mrc".decode("latin-1"))
    assert item is not None
    assert item.name.encode("utf-8", "surrogateescape") == b"\xff\xce\xb2.mrc"
    assert (item.size_bytes, item.modified) == (12, "2022-02-07 10:11")


def test_a_mirror_that_has_the_entry_is_listed_instead_of_the_archive(
    entry: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write_entry(tmp_path)
    by_pages = [file.path for file in EmpiarEntry(10943).find("data/**/*")]
    entry.clear()
    entry.add_entry(10943, FILES)
    monkeypatch.setenv("EMPIARREADER_MIRROR", str(tmp_path))

    found = EmpiarEntry(10943).find("data/**/*")
    assert [file.path for file in found] == by_pages
    assert {file.path: file.size_bytes for file in found} == {path: len(body) for path, body in FILES.items()}
    assert found[0].url.startswith(entry.url(HOST, ENTRY))
    with pytest.raises(ArchiveFileNotFoundError, match="GridSquare_0"):
        EmpiarEntry(10943).list_directory("data/GridSquare_9")
    assert entry.requests() == []


def test_what_no_reader_could_open_in_a_mirror_is_left_out(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "10943" / "data"
    data.mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "b.mrc").write_bytes(b"bb")
    (data / "a.mrc").write_bytes(b"a")
    (data / "linked.mrc").symlink_to(data / "a.mrc")
    (data / "disk").symlink_to(tmp_path / "elsewhere")
    for name, target in (
        ("broken.mrc", "/nowhere"),
        ("itself.mrc", "itself.mrc"),
        ("up", ".."),
        ("here", "."),
    ):
        (data / name).symlink_to(target)
    os.mkfifo(data / "pipe.mrc")
    monkeypatch.setenv("EMPIARREADER_MIRROR", str(tmp_path))

    found = {file.path: file.size_bytes for file in EmpiarEntry(10943).files()}
    assert found == {"data/a.mrc": 1, "data/disk/b.mrc": 2, "data/linked.mrc": 1}


def test_an_entry_that_the_mirror_lacks_is_listed_in_the_archive(
    entry: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMPIARREADER_MIRROR", str(tmp_path))
    assert len(EmpiarEntry(10943).find("data/odd/*")) == len(ODD)
    monkeypatch.setenv("EMPIARREADER_MIRROR", str(tmp_path / "nowhere"))
    with pytest.raises(InvalidRequestError, match="EMPIARREADER_MIRROR"):
        EmpiarEntry(10943).find("data/odd/*")


def test_exact_sizes_cost_one_small_request_a_file(entry: Archive) -> None:
    found = EmpiarEntry(10943).find("data/odd/*", exact_sizes=True)

    assert {file.path: file.size_bytes for file in found} == {
        path: len(body) for path, body in FILES.items() if "/odd/" in path
    }
    heads = [request for request in entry.requests() if request.method == "HEAD"]
    assert len(heads) == len(ODD)
    assert sum(request.body_bytes_sent for request in heads) == 0


MOVIES = {f"data/m{k}.mrc": b"x" for k in range(6)}


def stated(count: int | None, frames: int = 1) -> dict[str, object]:
    imageset = {
        "name": "M",
        "directory": "data",
        "num_images_or_tilt_series": count,
        "frames_per_image": frames,
    }
    return {"imagesets": [imageset]}


@pytest.mark.parametrize(
    ("count", "frames", "agrees"),
    [(6, 1, True), (6, 40, True), (3, 2, True), (7, 1, False), (5, 1, False), (None, 1, True)],
)
def test_counts_are_held_against_the_metadata(
    archive: Archive, count: int | None, frames: int, agrees: bool
) -> None:
    others = {"data/gain/ref.mrc": b"g", "data/a.star": b"s"}
    archive.add_entry(10943, {**MOVIES, **others}, stated(count, frames))
    (found,) = EmpiarEntry(10943).count_images()

    assert (found.listed, found.agrees, found.came_back) == (6, agrees, ())
    assert "6 image files" in found.describe()
    assert (f"{count} stated" in found.describe()) is not agrees


def test_a_file_that_a_listing_omits_comes_back_at_the_second_look(archive: Archive) -> None:
    archive.add_entry(10943, MOVIES, stated(6))
    archive.add_fault("omit", match=f"{HOST}/{ENTRY}/data/m3.mrc", times=1)
    (found,) = EmpiarEntry(10943).count_images()

    assert found.came_back == ("data/m3.mrc",)
    assert (found.listed, found.agrees) == (6, True)
    assert "1 of them only at the second look" in found.describe()


@pytest.mark.parametrize(("count", "reported"), [(6, False), (7, True)])
def test_a_source_of_the_catalogue_reports_a_count_that_differs(
    archive: Archive, caplog: pytest.LogCaptureFixture, count: int, reported: bool
) -> None:
    archive.add_entry(10943, MOVIES, stated(count))

    assert EmpiarCatalog(10943)["M"].npartitions == 6
    assert ("6 image files, 7 stated" in caplog.text) is reported


def test_an_imageset_without_its_directory_is_reported(archive: Archive) -> None:
    archive.add_entry(10943, MOVIES, {"imagesets": [{"name": "gone", "directory": "data/gone"}]})
    result = CliRunner().invoke(main, ["info", "10943", "--check"])

    assert result.exit_code == 0
    assert "imageset 'gone' (data/gone): the archive has no such directory" in result.output


def test_the_command_line_lists_long_exact_and_over_ftp(entry: Archive) -> None:
    runner = CliRunner()
    plain = runner.invoke(main, ["ls", "10943", "data/GridSquare_2/Data"]).output
    exact = runner.invoke(main, ["ls", "-l", "--exact", "10943", "data/GridSquare_2/Data"]).output
    by_ftp = runner.invoke(main, ["ls", "-l", "--protocol", "ftp", "10943", "data/GridSquare_2/Data"]).output

    assert plain.split() == [f"data/GridSquare_2/Data/m{k}.mrc" for k in range(3)]
    for output in (exact, by_ftp):
        assert [(line.split()[0], line.split()[-1]) for line in output.splitlines()] == [
            (str(20 + k), f"data/GridSquare_2/Data/m{k}.mrc") for k in range(3)
        ]
    found = runner.invoke(main, ["find", "10943", "data/odd/a b.mrc", "--exact", "--json"])
    assert json.loads(found.output)["size_bytes"] == len(FILES["data/odd/a b.mrc"])


def test_the_command_line_finds_by_kind(archive: Archive) -> None:
    archive.add_entry(10943, {**MOVIES, "data/gain/ref.mrc": b"g"})
    runner = CliRunner()

    assert runner.invoke(main, ["find", "10943", "--kind", "gains"]).output == "data/gain/ref.mrc\n"
    assert runner.invoke(main, ["find", "10943", "data/m*", "--kind", "gains"]).exit_code == 3
    assert "Give a pattern, a --kind, or both" in runner.invoke(main, ["find", "10943"]).output


def test_listings_are_kept_with_their_time_and_asked_for_again_on_request(archive: Archive) -> None:
    archive.add_entry(10943, MOVIES)
    first = EmpiarEntry(10943).list_directory("data")
    archive.add_file(HOST, f"{ENTRY}/data/new.mrc", b"x")

    again = EmpiarEntry(10943).list_directory("data")
    assert (again.files, again.directories) == (first.files, first.directories)
    assert len(archive.requests(f"{HOST}/*")) == 1
    fresh = EmpiarEntry(10943, max_age_seconds=0).list_directory("data")
    assert [file.path for file in fresh.files] == sorted([*MOVIES, "data/new.mrc"])
    assert first.listed is not None
    assert fresh.listed is not None
    assert fresh.listed > first.listed
    assert len(EmpiarEntry(10943).list_directory("data").files) == 7  # what is kept now

    archive.add_file(HOST, f"{ENTRY}/data/newer.mrc", b"x")
    runner = CliRunner()
    assert "newer" not in runner.invoke(main, ["ls", "10943", "data"]).output
    assert "newer" in runner.invoke(main, ["ls", "10943", "data", "--refresh"]).output


def test_a_listing_that_failed_is_not_kept(archive: Archive) -> None:
    with pytest.raises(EntryNotFoundError):
        EmpiarEntry(10943).list_directory("data")
    archive.add_entry(10943, MOVIES)
    assert len(EmpiarEntry(10943).list_directory("data").files) == 6


@pytest.mark.parametrize("protocol", ["https", "ftp"])
def test_what_was_looked_at_is_there_without_a_network(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, protocol: str
) -> None:
    archive.add_entry(10943, FILES, {"title": "Kept"})
    entry = EmpiarEntry(10943, protocol=protocol, max_age_seconds=0)
    online = entry.title, [file.path for file in entry.files()]
    count = len(archive.requests())
    monkeypatch.setenv("EMPIARREADER_OFFLINE", "1")

    entry = EmpiarEntry(10943, protocol=protocol, max_age_seconds=0)
    assert (entry.title, [file.path for file in entry.files()]) == online
    with pytest.raises(ServiceError, match="EMPIARREADER_OFFLINE is set"):
        EmpiarEntry(10944, protocol=protocol).list_directory()
    with pytest.raises(ServiceError, match="EMPIARREADER_OFFLINE is set"):
        EmpiarEntry(10944).title.upper()
    assert len(archive.requests()) == count
