"""The server's HTTP: ranges, validators, connections kept alive, and requests that are none."""

from __future__ import annotations

import email
import http.client
import os
import socket
import subprocess
import threading
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from perc_archive import Archive

HOST = "ftp.ebi.ac.uk"
BODY = bytes(range(256)) * 400  # 102,400 bytes, no two neighbouring windows of 256 alike by position mod 256
SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)


def get(archive: Archive, path: str = "a.bin", **headers: str) -> requests.Response:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return requests.get(
        archive.url(HOST, path), headers={"Accept-Encoding": "identity", **fields}, timeout=10
    )


def raw(archive: Archive, text: bytes) -> bytes:
    """Everything that the server says to these bytes until it closes."""
    address = ("127.0.0.1", int(archive.base_url.rpartition(":")[2]))
    with socket.create_connection(address, timeout=10) as connection:
        connection.sendall(text)
        connection.shutdown(socket.SHUT_WR)
        return b"".join(iter(lambda: connection.recv(65536), b""))


def test_a_file_comes_with_apaches_fields(archive: Archive) -> None:
    archive.add_file(HOST, "a.bin", BODY)
    answer = get(archive)
    assert answer.status_code == 200
    assert answer.content == BODY
    assert answer.headers["Content-Length"] == "102400"
    assert answer.headers["Accept-Ranges"] == "bytes"
    assert answer.headers["Server"] == "Apache"
    assert answer.headers["ETag"].startswith('"19000-')  # the size in hexadecimal, then the time
    assert answer.headers["Last-Modified"].endswith(" GMT")


@SHARED
@given(first=st.integers(0, 110_000), last=st.integers(0, 110_000))
def test_every_single_range_is_that_slice(archive: Archive, first: int, last: int) -> None:
    archive.add_file(HOST, "a.bin", BODY)
    answer = get(archive, Range=f"bytes={first}-{last}")
    if last < first:  # no range at all by the grammar, so it is ignored
        assert (answer.status_code, answer.content) == (200, BODY)
    elif first >= len(BODY):
        assert (answer.status_code, answer.headers["Content-Range"]) == (416, "bytes */102400")
    else:
        stop = min(last, len(BODY) - 1)
        assert (answer.status_code, answer.content) == (206, BODY[first : last + 1])
        assert answer.headers["Content-Range"] == f"bytes {first}-{stop}/102400"


@pytest.mark.parametrize(
    ("field", "wanted"),
    [
        ("bytes=102000-", BODY[102_000:]),
        ("bytes=-7", BODY[-7:]),
        ("bytes=-999999", BODY),
        ("Bytes=0-0", BODY[:1]),
        ("bytes=5-5, 200000-", BODY[5:6]),  # one of two can be satisfied: an ordinary single range
    ],
)
def test_open_and_suffix_ranges(archive: Archive, field: str, wanted: bytes) -> None:
    archive.add_file(HOST, "a.bin", BODY)
    answer = get(archive, Range=field)
    assert (answer.status_code, answer.content) == (206, wanted)


@pytest.mark.parametrize("field", ["bytes=", "bytes=a-b", "lines=0-5", "bytes=-", "5-9", "bytes=9-5"])
def test_a_range_that_is_none_is_ignored(archive: Archive, field: str) -> None:
    archive.add_file(HOST, "a.bin", BODY)
    answer = get(archive, Range=field)
    assert (answer.status_code, answer.content) == (200, BODY)


def test_several_ranges_come_as_parts(archive: Archive) -> None:
    archive.add_file(HOST, "a.bin", BODY)
    answer = get(archive, Range="bytes=0-3,1000-1001,-2")
    assert answer.status_code == 206
    kind = answer.headers["Content-Type"]
    message = email.message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + answer.content)
    parts = [(part["Content-range"], part.get_payload(decode=True)) for part in message.walk()][1:]
    assert parts == [
        ("bytes 0-3/102400", BODY[:4]),
        ("bytes 1000-1001/102400", BODY[1000:1002]),
        ("bytes 102398-102399/102400", BODY[-2:]),
    ]


def test_more_than_two_hundred_ranges_bring_the_whole_file(archive: Archive) -> None:
    archive.add_file(HOST, "a.bin", BODY)
    ranges = [f"{at}-{at}" for at in range(0, 402, 2)]
    assert get(archive, Range="bytes=" + ",".join(ranges[:200])).status_code == 206
    answer = get(archive, Range="bytes=" + ",".join(ranges))
    assert (answer.status_code, answer.content) == (200, BODY)


def test_a_range_field_of_more_than_eight_kilobytes_is_a_bad_request(archive: Archive) -> None:
    archive.add_file(HOST, "a.bin", BODY)
    field = "bytes=" + ",".join(f"{at}-{at}" for at in range(10_000, 12_000))
    assert len(field) > 8190
    assert get(archive, Range=field).status_code == 400


def test_a_range_beyond_four_gigabytes_is_served_from_there(archive: Archive, tmp_path: Path) -> None:
    size = 5 << 30
    path = tmp_path / "large.mrc"
    with path.open("wb") as file:  # sparse: nothing of it takes room
        file.truncate(size)
        file.seek(size - 4)
        file.write(b"last")
    archive.add_file(HOST, "large.mrc", path)
    answer = get(archive, "large.mrc", Range=f"bytes={size - 6}-{size - 1}")
    assert answer.content == b"\0\0last"
    assert answer.headers["Content-Range"] == f"bytes {size - 6}-{size - 1}/{size}"


def test_if_range_gives_the_part_only_of_the_same_file(archive: Archive) -> None:
    archive.add_file(HOST, "a.bin", BODY)
    fields = get(archive).headers
    for same in (fields["ETag"], fields["Last-Modified"]):
        assert get(archive, Range="bytes=1-2", If_Range=same).status_code == 206
    for other in ('"19000-0"', "W/" + fields["ETag"], "Thu, 01 Jan 1970 00:00:00 GMT"):
        answer = get(archive, Range="bytes=1-2", If_Range=other)
        assert (answer.status_code, answer.content) == (200, BODY)
    archive.add_file(HOST, "a.bin", BODY[::-1])  # another file of the same size
    answer = get(archive, Range="bytes=1-2", If_Range=fields["ETag"])
    assert (answer.status_code, answer.content) == (200, BODY[::-1])


def test_what_the_client_has_is_not_sent_again(archive: Archive) -> None:
    archive.add_file(HOST, "a.bin", BODY)
    fields = get(archive).headers
    conditions: list[Mapping[str, str]] = [
        {"If_None_Match": fields["ETag"]},
        {"If_None_Match": f'"x", {fields["ETag"]}'},
        {"If_None_Match": "*"},
        {"If_Modified_Since": fields["Last-Modified"]},
        {"If_None_Match": fields["ETag"], "Range": "bytes=0-1"},
    ]
    for condition in conditions:
        answer = get(archive, **condition)
        assert (answer.status_code, answer.content, answer.headers["ETag"]) == (304, b"", fields["ETag"])
    assert get(archive, If_None_Match='"other"', If_Modified_Since=fields["Last-Modified"]).status_code == 200
    assert get(archive, If_Modified_Since="Thu, 01 Jan 1970 00:00:00 GMT").status_code == 200
    assert get(archive, If_Modified_Since="yesterday").status_code == 200
    assert get(archive, If_Match='"other"').status_code == 412
    assert archive.requests()[1].body_bytes_sent == 0


def test_head_says_all_and_sends_nothing(archive: Archive) -> None:
    archive.add_file(HOST, "a.bin", BODY)
    with requests.Session() as session:
        answer = session.head(archive.url(HOST, "a.bin"), headers={"Accept-Encoding": "identity"}, timeout=10)
        assert (answer.status_code, answer.headers["Content-Length"]) == (200, "102400")
        assert (
            session.get(archive.url(HOST, "a.bin"), timeout=10).content == BODY
        )  # the connection is in step
    assert [line.body_bytes_sent for line in archive.requests()] == [0, 102_400]


def test_one_connection_carries_many_requests(archive: Archive) -> None:
    archive.add_file(HOST, "a.bin", BODY)
    connection = http.client.HTTPConnection(archive.base_url.removeprefix("http://"), timeout=10)
    connection.connect()
    port = connection.sock.getsockname()[1]
    for path, status in (("a.bin", 200), ("missing", 404), ("a.bin", 200)):
        connection.request("GET", f"/{HOST}/{path}")
        answer = connection.getresponse()
        assert (answer.status, len(answer.read()) > 0) == (status, True)
        assert connection.sock is not None
        assert connection.sock.getsockname()[1] == port
    connection.close()


def test_requests_sent_at_once_are_answered_in_order(archive: Archive) -> None:
    archive.add_file(HOST, "1", b"first")
    archive.add_file(HOST, "2", b"second")
    request = "GET /ftp.ebi.ac.uk/{} HTTP/1.1\r\nHost: x\r\n\r\n"
    said = raw(archive, (request.format(1) + request.format(2)).encode())
    assert said.index(b"first") < said.index(b"second")


def test_http_1_0_and_connection_close_end_the_connection(archive: Archive) -> None:
    archive.add_file(HOST, "1", b"first")
    for request in (
        b"GET /ftp.ebi.ac.uk/1 HTTP/1.0\r\n\r\n",
        b"GET /ftp.ebi.ac.uk/1 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ):
        address = ("127.0.0.1", int(archive.base_url.rpartition(":")[2]))
        with socket.create_connection(address, timeout=10) as connection:
            connection.sendall(request)
            said = b"".join(iter(lambda: connection.recv(65536), b""))
        assert said.endswith(b"first")


@pytest.mark.parametrize(
    ("text", "status"),
    [
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET / HTTP/2.0\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nno colon\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost : x\r\n\r\n", b"400"),
        (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n", b"414"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", b"413"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999\r\n\r\n", b"413"),
        (b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", b"411"),
        (b"DELETE /ftp.ebi.ac.uk/ HTTP/1.1\r\nHost: x\r\n\r\n", b"405"),
        (b"\0" * 200_000, b"400"),
    ],
)
def test_what_is_no_request_is_refused_and_the_server_lives_on(
    archive: Archive, text: bytes, status: bytes
) -> None:
    assert raw(archive, text).split()[1] == status
    archive.add_file(HOST, "a.bin", BODY)
    assert get(archive).content == BODY


@pytest.mark.parametrize(
    "path",
    ["../own/x", "..%2f..%2fetc%2fpasswd", "%2e%2e/x", "a%00b", "../../../../../../etc/passwd", "_records/x"],
)
def test_no_address_leads_out_of_the_content(archive: Archive, path: str) -> None:
    for host in (HOST, "files.rcsb.org", "_records", "..", "%2e%2e"):
        said = raw(archive, f"GET /{host}/{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        assert said.split()[1] == b"404"
        assert b"root:" not in said


def test_the_real_name_in_the_host_field_works_too(archive: Archive) -> None:
    archive.add_file(HOST, "pub/a.bin", BODY)
    answer = requests.get(f"{archive.base_url}/pub/a.bin", headers={"Host": HOST}, timeout=10)
    assert answer.content == BODY
    assert (archive.requests()[0].host, archive.requests()[0].path) == (HOST, "/pub/a.bin")


def test_an_unknown_host_has_nothing(archive: Archive) -> None:
    assert requests.get(f"{archive.base_url}/example.org/x", timeout=10).status_code == 404
    assert requests.get(archive.base_url, timeout=10).status_code == 404


def test_fields_given_with_a_file_replace_the_usual_ones(archive: Archive) -> None:
    archive.add_file("www.cathdb.info", "a b.pdb", b"ATOM", headers={"ETag": '"mine"', "X-Note": "y"})
    url = archive.url("www.cathdb.info", "a b.pdb")
    answer = requests.get(url, timeout=10)
    assert (answer.content, answer.headers["ETag"], answer.headers["X-Note"]) == (b"ATOM", '"mine"', "y")
    assert requests.get(url, headers={"If-None-Match": '"mine"'}, timeout=10).status_code == 304


def test_twenty_connections_at_once_all_get_their_bytes(archive: Archive) -> None:
    bodies = {f"{number}.bin": os.urandom(300_000) for number in range(20)}
    for name, body in bodies.items():
        archive.add_file(HOST, name, body)
    together = threading.Barrier(20)

    def fetch(name: str) -> bytes:
        together.wait(timeout=10)
        return get(archive, name).content

    with ThreadPoolExecutor(20) as pool:
        assert list(pool.map(fetch, bodies)) == list(bodies.values())
    assert sum(line.body_bytes_sent for line in archive.requests()) == 20 * 300_000


@pytest.mark.full
def test_curl_resumes_a_file(archive: Archive, tmp_path: Path) -> None:
    archive.add_file(HOST, "a b.bin", BODY)
    part = tmp_path / "a.bin"
    part.write_bytes(BODY[:1000])
    subprocess.run(["curl", "-sf", "-C", "-", "-o", part, archive.url(HOST, "a b.bin")], check=True)
    assert part.read_bytes() == BODY
    assert archive.requests()[0].range == "bytes=1000-"


@pytest.mark.full
def test_wget_mirrors_a_tree(archive: Archive, tmp_path: Path) -> None:
    archive.add_file(HOST, "pub/a b/x#1.bin", BODY)
    archive.add_file(HOST, "pub/plain.bin", b"1")
    options = ["-q", "-r", "-np", "-nH", "--cut-dirs=2", "-R", "index.html*", "-P", str(tmp_path)]
    subprocess.run(["wget", *options, archive.url(HOST, "pub/")], check=True)
    files = {
        str(path.relative_to(tmp_path)): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()
    }
    assert files == {"a b/x#1.bin": BODY, "plain.bin": b"1"}


def test_an_empty_file_comes_at_once(archive: Archive) -> None:
    """No header is held back for bytes that never come."""
    archive.add_file(HOST, "empty", b"")
    connection = http.client.HTTPConnection(archive.base_url.removeprefix("http://"), timeout=10)
    begun = time.perf_counter()
    for _ in range(20):
        connection.request("GET", f"/{HOST}/empty")
        answer = connection.getresponse()
        assert (answer.status, answer.read()) == (200, b"")
    connection.close()
    assert time.perf_counter() - begun < 2.0  # 20 times 0.2 s, if the system waited for more
