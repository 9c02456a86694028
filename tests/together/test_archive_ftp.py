"""FTP: the same tree, with exact sizes, odd names and transfers that go on where they stopped."""

from __future__ import annotations

import contextlib
import ftplib
import os
import time
from collections.abc import Iterator

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perc_archive import Archive

HOST = "ftp.ebi.ac.uk"
DATA = "/empiar/world_availability/10943/data"
BODY = bytes(range(256)) * 400
ODD = [
    "a b.mrc",
    " lead",
    "trail ",
    "two  spaces",
    "hash#1",
    "100%",
    "a+b",
    "a&b",
    'it\'s "q"',
    "Pol_κ_µm",
    "t:1",
]


@contextlib.contextmanager
def connect(archive: Archive) -> Iterator[ftplib.FTP]:
    client = ftplib.FTP(encoding="utf-8")
    client.connect("127.0.0.1", int(archive.ftp_url.rpartition(":")[2]), timeout=10)
    try:
        client.login()
        client.voidcmd("TYPE I")
        yield client
    finally:
        client.close()


def retrieve(client: ftplib.FTP, path: str, rest: int | None = None) -> bytes:
    came: list[bytes] = []
    client.retrbinary(f"RETR {path}", came.append, rest=rest)
    return b"".join(came)


def test_exact_sizes_come_with_the_listing(archive: Archive) -> None:
    archive.add_entry(10943, {"data/a.mrc": BODY, "data/sub/b.mrc": b""})
    with connect(archive) as client:
        facts = dict(client.mlsd(DATA))
        assert (facts["a.mrc"]["type"], facts["a.mrc"]["size"]) == ("file", "102400")
        assert facts["sub"]["type"] == "dir"
        assert len(facts["a.mrc"]["modify"]) == 14
        client.voidcmd("TYPE I")  # ftplib lists in ASCII mode, in which there are no sizes
        assert client.size(f"{DATA}/a.mrc") == 102_400
        lines: list[str] = []
        client.dir(DATA, lines.append)
        assert [(line[0], line.split()[4], line.split()[-1]) for line in lines] == [
            ("-", "102400", "a.mrc"),
            ("d", lines[1].split()[4], "sub"),
        ]


def test_http_and_ftp_show_one_tree(archive: Archive) -> None:
    archive.add_file(HOST, "pub/databases/emdb/structures/EMD-3197/map/emd_3197.map.gz", b"gz")
    archive.add_entry(10943, {"data/a.mrc": BODY})
    with connect(archive) as client:
        assert sorted(client.nlst("/")) == ["empiar", "pub"]
        assert retrieve(client, "/pub/databases/emdb/structures/EMD-3197/map/emd_3197.map.gz") == b"gz"
        client.cwd(DATA)
        assert (client.pwd(), client.nlst()) == (DATA, ["a.mrc"])
        by_http = requests.get(archive.url(HOST, f"{DATA}/a.mrc"), timeout=10).content
        assert retrieve(client, "a.mrc") == by_http == BODY


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=20)
@given(offset=st.integers(0, len(BODY)))
def test_a_transfer_goes_on_where_it_stopped(archive: Archive, offset: int) -> None:
    archive.clear()
    archive.add_entry(10943, {"data/a.mrc": BODY})
    with connect(archive) as client:
        assert retrieve(client, f"{DATA}/a.mrc", rest=offset) == BODY[offset:]
    (line,) = archive.requests("*.mrc")
    assert (line.method, line.status, line.body_bytes_sent) == ("RETR", 226, len(BODY) - offset)


def test_odd_names_are_listed_and_fetched(archive: Archive) -> None:
    archive.add_entry(10943, {f"data/{name}": name.encode() for name in ODD})
    with connect(archive) as client:
        assert sorted(name for name, _ in client.mlsd(DATA)) == sorted(ODD)
        client.cwd(DATA)
        for name in ODD:
            if not name.endswith(" "):  # FTP's own grammar loses blanks at the end of a line
                assert retrieve(client, name) == name.encode()


def test_transfers_and_questions_are_logged(archive: Archive) -> None:
    archive.add_entry(10943, {"data/a.mrc": BODY})
    with connect(archive) as client:
        list(client.mlsd(DATA))
        client.voidcmd("TYPE I")
        client.size(f"{DATA}/a.mrc")
        with pytest.raises(ftplib.error_perm, match="550"):
            retrieve(client, f"{DATA}/missing.mrc")
    lines = [(line.method, line.host, line.path, line.status) for line in archive.requests()]
    assert lines == [
        ("MLSD", HOST, DATA, 226),
        ("SIZE", HOST, f"{DATA}/a.mrc", 213),
        ("RETR", HOST, f"{DATA}/missing.mrc", 550),
    ]


def test_nothing_can_be_written_and_nothing_leads_out(archive: Archive) -> None:
    archive.add_entry(10943, {"data/a.mrc": BODY})
    with connect(archive) as client:
        for command in (f"DELE {DATA}/a.mrc", f"MKD {DATA}/new", f"RNFR {DATA}/a.mrc", "STOR /x"):
            with pytest.raises(ftplib.error_perm):
                client.voidcmd(command)
        with pytest.raises(ftplib.error_perm, match="550"):
            retrieve(client, "/../../../../etc/passwd")
        assert client.nlst("/..") == ["empiar"]


def test_a_file_left_out_of_the_web_listing_is_listed_here(archive: Archive) -> None:
    archive.add_entry(10943, {"data/a.mrc": BODY})
    archive.add_fault("omit", match="*/a.mrc", times=None)
    page = requests.get(archive.url(HOST, f"{DATA}/"), timeout=10).text
    with connect(archive) as client:
        assert ("a.mrc" in page, client.nlst(DATA)) == (False, ["a.mrc"])


def test_a_large_directory_is_listed_in_one_go(archive: Archive) -> None:
    archive.add_file(HOST, "pub/many/00000.mrc", b"")
    for number in range(1, 5000):
        (archive.folder / HOST / "pub/many" / f"{number:05d}.mrc").touch()
    with connect(archive) as client:
        assert [name for name, _ in client.mlsd("/pub/many")] == [
            f"{number:05d}.mrc" for number in range(5000)
        ]
    assert len(archive.requests()) == 1


def test_every_command_waits_for_a_round_trip(archive: Archive) -> None:
    archive.shape(latency_seconds=0.03)
    begun = time.perf_counter()
    with connect(archive) as client:
        client.pwd()
    assert time.perf_counter() - begun >= 4 * 0.03  # USER, PASS, TYPE, PWD


def test_the_address_of_the_settings_is_where_entries_are(archive: Archive) -> None:
    archive.add_entry(10943, {})
    place = os.environ["EMPIARREADER_FTP_URL"]
    assert place == f"{archive.ftp_url}/empiar/world_availability"
    with connect(archive) as client:
        assert client.nlst("/empiar/world_availability") == ["10943"]
