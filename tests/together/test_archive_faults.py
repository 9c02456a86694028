"""Misbehaviour on request, seen by an ordinary client."""

from __future__ import annotations

import contextlib
import gzip
import http.client
import re
import threading

import pytest
import requests
import urllib3

from perc_archive import Archive

HOST = "ftp.ebi.ac.uk"
BODY = bytes(range(256)) * 100
DATA = "pub/data/a.mrc"


@pytest.fixture
def served(archive: Archive) -> Archive:
    archive.add_file(HOST, DATA, BODY)
    archive.add_file(HOST, "pub/data/b.mrc", BODY[::-1])
    return archive


def get(archive: Archive, path: str = DATA, **headers: str) -> requests.Response:
    fields = {"Accept-Encoding": "identity", **headers}
    return requests.get(archive.url(HOST, path), headers=fields, timeout=10)


def read_until_it_breaks(
    archive: Archive, path: str = DATA, timeout: float = 10.0
) -> tuple[bytes, Exception | None]:
    """Bytes of a body that came before an error, and the error."""
    came = b""
    address = archive.base_url.removeprefix("http://")
    with contextlib.closing(http.client.HTTPConnection(address, timeout=timeout)) as connection:
        try:
            connection.request("GET", f"/{HOST}/{path}")
            with connection.getresponse() as answer:
                while chunk := answer.read1(1000):
                    came += chunk
                left = answer.length
        except (OSError, http.client.HTTPException) as error:
            return came, error
    return came, http.client.IncompleteRead(came, left) if left else None


def test_a_stall_sends_so_much_and_then_nothing(served: Archive) -> None:
    served.add_fault("stall", after_bytes=1000)
    came, error = read_until_it_breaks(served, timeout=0.3)
    assert came == BODY[:1000]
    assert isinstance(error, TimeoutError)
    assert [(line.status, line.body_bytes_sent) for line in served.requests()] == [(200, 1000)]
    assert get(served).content == BODY


def test_a_stall_does_not_hold_up_other_connections(served: Archive) -> None:
    served.add_fault("stall", times=8)
    stalled = [threading.Thread(target=read_until_it_breaks, args=(served, DATA, 5.0)) for _ in range(8)]
    for thread in stalled:
        thread.start()
    while sum(line.status == 200 for line in served.requests()) < 8:
        pass
    assert get(served).content == BODY
    served.clear()  # lets the stalled ones go, long before their time-out
    for thread in stalled:
        thread.join(timeout=3)
        assert not thread.is_alive()
    assert served.requests() == []


def test_a_drop_closes_after_so_much(served: Archive) -> None:
    served.add_fault("drop", after_bytes=1234)
    came, error = read_until_it_breaks(served)
    assert came == BODY[:1234]
    assert isinstance(error, http.client.IncompleteRead)
    assert served.requests()[0].body_bytes_sent == 1234


def test_a_drop_counts_within_the_range_asked_for(served: Archive) -> None:
    served.add_fault("drop", after_bytes=10)
    with pytest.raises(requests.exceptions.ChunkedEncodingError) as broken:
        get(served, Range="bytes=5000-5999")
    assert "10 bytes read, 990 more expected" in str(broken.value)


def test_a_status_comes_with_its_retry_after(served: Archive) -> None:
    served.add_fault("status", status=429, retry_after="7", times=2)
    for _ in range(2):
        answer = get(served)
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")
        assert answer.headers["Content-Type"].startswith("text/html")
    assert get(served).content == BODY


def test_urllib3_waits_as_told_and_gets_through(served: Archive) -> None:
    """The retries of a client that many programs use meet what they expect."""
    served.add_fault("status", status=503, retry_after="0", times=3)
    retry = urllib3.Retry(total=3, status_forcelist=[503])
    with urllib3.PoolManager(retries=retry) as pool:
        assert pool.request("GET", served.url(HOST, DATA)).data == BODY
    assert [line.status for line in served.requests()] == [503, 503, 503, 200]


def test_an_ignored_range_brings_the_whole_body(served: Archive) -> None:
    served.add_fault("ignore_range")
    assert get(served).content == BODY  # asks for no range, so it does not use the fault up
    answer = get(served, Range="bytes=10-19")
    assert (answer.status_code, answer.content) == (200, BODY)
    assert "Content-Range" not in answer.headers
    assert served.requests()[1].range == "bytes=10-19"
    assert get(served, Range="bytes=10-19").content == BODY[10:20]


def test_html_comes_instead_of_data(served: Archive) -> None:
    served.add_fault("html")
    answer = get(served, Range="bytes=10-19")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=iso-8859-1")
    assert answer.content.startswith(b"<!DOCTYPE HTML")


def test_a_wrong_length_promises_more_than_comes(served: Archive) -> None:
    served.add_fault("wrong_length")
    came, error = read_until_it_breaks(served)
    assert came == BODY
    assert isinstance(error, http.client.IncompleteRead)
    assert error.expected == 1000


def test_gzip_comes_though_identity_was_asked(served: Archive) -> None:
    served.add_fault("gzip", times=None)
    answer = served_raw(served, DATA)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(answer.data) == BODY
    ranged = get(served, Range="bytes=10-19")
    assert (ranged.status_code, ranged.content) == (200, BODY)  # requests unpacks it by itself


def test_a_gz_file_is_only_labelled(served: Archive) -> None:
    packed = gzip.compress(BODY)
    served.add_file(HOST, "pub/a.map.gz", packed)
    served.add_fault("gzip", times=None)
    assert served_raw(served, "pub/a.map.gz").data == packed
    assert get(served, "pub/a.map.gz").content == BODY  # the trap: the file on disk would not be the .gz
    with pytest.raises(requests.exceptions.ContentDecodingError):
        get(served, "pub/a.map.gz", Range="bytes=100-199")


def served_raw(archive: Archive, path: str) -> urllib3.BaseHTTPResponse:
    """Answer with its body as sent."""
    with urllib3.PoolManager() as pool:
        return pool.request(
            "GET", archive.url(HOST, path), headers={"Accept-Encoding": "identity"}, decode_content=False
        )


def test_an_omitted_file_is_not_listed_but_there(served: Archive) -> None:
    served.add_fault("omit", match=f"{HOST}/{DATA}")
    listed = [re.findall(r'href="(\w\.mrc)"', get(served, "pub/data/").text) for _ in range(2)]
    assert listed == [["b.mrc"], ["a.mrc", "b.mrc"]]  # one back end of several
    served.add_fault("omit", match=f"{HOST}/{DATA}", times=None)
    assert get(served).content == BODY
    assert "a.mrc" not in get(served, "pub/data/").text


def test_a_refusal_closes_without_a_word(served: Archive) -> None:
    served.add_fault("refuse")
    came, error = read_until_it_breaks(served)
    assert came == b""
    assert isinstance(error, http.client.RemoteDisconnected)
    assert [(line.status, line.body_bytes_sent) for line in served.requests()] == [(0, 0)]
    assert get(served).content == BODY


def test_faults_meet_only_what_they_match(served: Archive) -> None:
    served.add_fault("status", match="*/b.mrc", times=None)
    served.add_fault("status", match="files.rcsb.org/*", times=None)
    assert [get(served, path).status_code for path in (DATA, "pub/data/b.mrc", DATA)] == [200, 503, 200]
    assert requests.get(served.url("files.rcsb.org", "download/1ABC.cif"), timeout=10).status_code == 503


def test_every_nth_request_is_hit(served: Archive) -> None:
    served.add_fault("status", every=3, times=2)
    assert [get(served).status_code for _ in range(10)] == [200, 200, 503, 200, 200, 503, 200, 200, 200, 200]


def test_faults_act_one_after_the_other(served: Archive) -> None:
    served.add_fault("status", status=500)
    served.add_fault("status", status=502, times=2)
    assert [get(served).status_code for _ in range(4)] == [500, 502, 502, 200]


def test_clearing_makes_it_behave(served: Archive) -> None:
    served.add_fault("refuse", times=None)
    served.clear()
    served.add_file(HOST, DATA, BODY)
    assert get(served).content == BODY


def test_other_kinds_and_counts_are_refused(served: Archive) -> None:
    with pytest.raises(ValueError, match="no fault is called 'explode'"):
        served.add_fault("explode")
    with pytest.raises(ValueError, match="every=0"):
        served.add_fault("drop", every=0)
