"""The log: what was asked, and the bytes that really left."""

from __future__ import annotations

import socket
from pathlib import Path

import requests

from perc_archive import Archive

HOST = "ftp.ebi.ac.uk"


def test_a_request_is_logged_with_all_that_was_asked(archive: Archive) -> None:
    archive.add_file(HOST, "pub/a b.mrc", bytes(1000))
    url = archive.url(HOST, "pub/a b.mrc") + "?x=1&y=%20"
    requests.get(url, headers={"Range": "bytes=10-19", "user-agent": "me/1.0"}, timeout=10)
    (line,) = archive.requests()
    assert (line.method, line.host, line.path, line.query) == ("GET", HOST, "/pub/a b.mrc", "x=1&y=%20")
    assert (line.status, line.range, line.body_bytes_sent) == (206, "bytes=10-19", 10)
    assert line.headers["User-Agent"] == line.headers["user-agent"] == "me/1.0"


def test_the_last_byte_is_counted_before_anybody_can_ask(archive: Archive) -> None:
    archive.add_file(HOST, "a", bytes(5000))
    with requests.Session() as session:
        for number in range(1, 101):
            session.get(archive.url(HOST, "a"), timeout=10)
            assert sum(line.body_bytes_sent for line in archive.requests()) == 5000 * number


def test_an_abandoned_body_is_not_counted_as_sent(archive: Archive, tmp_path: Path) -> None:
    path = tmp_path / "large"
    with path.open("wb") as file:
        file.truncate(1 << 30)
    archive.add_file(HOST, "large", path)
    address = ("127.0.0.1", int(archive.base_url.rpartition(":")[2]))
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(f"GET /{HOST}/large HTTP/1.1\r\nHost: x\r\n\r\n".encode())
        assert len(connection.recv(1000)) > 0
    (line,) = archive.requests()
    assert 0 < line.body_bytes_sent < 1 << 28  # what the kernel took in before it knew


def test_the_pattern_is_matched_against_host_and_path(archive: Archive) -> None:
    for name in ("a.mrc", "b.star"):
        archive.add_file(HOST, f"empiar/{name}", b"x")
        requests.get(archive.url(HOST, f"empiar/{name}"), timeout=10)
    requests.get(archive.url("www.ebi.ac.uk", "empiar/api/entry/1/"), timeout=10)
    assert [line.path for line in archive.requests("*.mrc")] == ["/empiar/a.mrc"]
    assert [line.status for line in archive.requests("www.ebi.ac.uk/*")] == [404]
    assert len(archive.requests(f"{HOST}/empiar/*")) == 2
    assert len(archive.requests()) == 3


def test_clear_forgets_requests_and_content(archive: Archive) -> None:
    archive.add_entry(10943, {"data/a.mrc": b"x"})
    url = archive.url("www.ebi.ac.uk", "empiar/api/entry/10943/")
    assert requests.get(url, timeout=10).status_code == 200
    archive.clear()
    assert archive.requests() == []
    assert requests.get(url, timeout=10).status_code == 404
    assert list(archive.folder.iterdir()) == []
