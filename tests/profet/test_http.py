"""Asking over HTTP: what is repeated, what is given up, and what a body has to withstand."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from perc_archive import Archive
from profet import DamagedFileError, ServiceError, __version__
from profet.http import Answer, Client

HOST = "files.rcsb.org"
BODY = bytes(range(256)) * 256


@pytest.fixture
def url(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> str:
    """Address of a file of 64 KiB; time-outs are short, and a failed request is repeated once."""
    monkeypatch.setenv("PROFET_RETRIES", "1")
    monkeypatch.setenv("PROFET_TIMEOUT", "0.5")
    archive.add_file(HOST, "some/file", BODY)
    return archive.url(HOST, "some/file")


def body(answer: Answer) -> bytes:
    return answer.body


def test_a_file_comes_whole_and_as_it_was_sent(archive: Archive, url: str) -> None:
    assert Client().fetch(url, body) == BODY
    assert len(archive.requests()) == 1


def test_profet_says_who_it_is_and_takes_gzip_only_when_asked_to(archive: Archive, url: str) -> None:
    Client().fetch(url, body)
    Client().fetch(url, body, gzip=True)

    plain, zipped = (request.headers for request in archive.requests())
    assert plain["User-Agent"].startswith(f"profet/{__version__} (+https://github.com/ccpem/profet")
    assert "@" in plain["User-Agent"]
    assert plain["Accept-Encoding"] == "identity"
    assert zipped["Accept-Encoding"] == "gzip"


def test_a_file_that_is_not_there_is_no_error(archive: Archive, url: str) -> None:
    assert Client().fetch(url + "x", body) is None
    assert len(archive.requests()) == 1


def test_existence_is_asked_without_a_body(archive: Archive, url: str) -> None:
    client = Client()

    assert client.exists(url)
    assert not client.exists(url + "x")
    assert [request.method for request in archive.requests()] == ["HEAD", "HEAD"]


def test_a_web_page_in_place_of_a_file_is_no_proof_that_it_exists(archive: Archive, url: str) -> None:
    archive.add_fault("html", match="*some/file", times=None)

    with pytest.raises(DamagedFileError, match="a web page came"):
        Client().exists(url)
    assert archive.requests()[0].body_bytes_sent == 0


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_passing_failure_is_repeated(status: int, archive: Archive, url: str) -> None:
    archive.add_fault("status", status=status, times=1)

    assert Client().fetch(url, body) == BODY
    assert [request.status for request in archive.requests()] == [status, 200]


def test_a_failure_that_stays_is_told_with_the_host(archive: Archive, url: str) -> None:
    archive.add_fault("status", status=503, times=None)

    with pytest.raises(ServiceError, match=r"^127\.0\.0\.1:\d+ answered 503 to"):
        Client().fetch(url, body)
    assert len(archive.requests()) == 2


def test_a_refusal_is_not_repeated(archive: Archive, url: str) -> None:
    archive.add_fault("status", status=403, times=None)

    with pytest.raises(ServiceError, match="answered 403") as caught:
        Client().fetch(url, body)
    assert caught.value.status == 403
    assert len(archive.requests()) == 1


def test_retry_after_is_waited_for(archive: Archive, url: str) -> None:
    archive.add_fault("status", status=429, retry_after="1", times=1)

    begin = time.monotonic()
    assert Client().fetch(url, body) == BODY
    assert 1.0 <= time.monotonic() - begin < 5.0


def test_a_longer_wait_than_is_worth_it_is_reported_at_once(archive: Archive, url: str) -> None:
    archive.add_fault("status", status=429, retry_after="7200", times=None)

    begin = time.monotonic()
    with pytest.raises(ServiceError, match="asks to wait 7200 s"):
        Client().fetch(url, body)
    assert time.monotonic() - begin < 5.0
    assert len(archive.requests()) == 1


@pytest.mark.parametrize("kind", ["drop", "wrong_length", "stall"])
def test_a_body_that_breaks_off_is_asked_for_again(kind: str, archive: Archive, url: str) -> None:
    archive.add_fault(kind, after_bytes=1000, times=1)

    assert Client().fetch(url, body) == BODY
    assert len(archive.requests()) == 2


@pytest.mark.parametrize("kind", ["drop", "wrong_length", "stall"])
def test_a_body_that_always_breaks_off_is_given_up(kind: str, archive: Archive, url: str) -> None:
    archive.add_fault(kind, after_bytes=1000, times=None)

    with pytest.raises(ServiceError, match="broken off after"):
        Client().fetch(url, body)
    assert len(archive.requests()) == 2


def test_a_connection_that_is_closed_without_an_answer_is_given_up(archive: Archive, url: str) -> None:
    archive.add_fault("refuse", times=None)

    with pytest.raises(ServiceError, match="cannot ask"):
        Client().fetch(url, body)


def test_a_body_that_the_check_rejects_is_asked_for_again(archive: Archive, url: str) -> None:
    archive.add_fault("html", times=1)

    def check(answer: Answer) -> int:
        if answer.body != BODY:
            raise DamagedFileError("not it")
        return len(answer.body)

    assert Client().fetch(url, check) == len(BODY)

    archive.add_fault("html", times=None)
    with pytest.raises(DamagedFileError, match=r"/some/file: not it") as caught:
        Client().fetch(url, check)
    assert caught.value.origin == url


def test_without_a_network_the_sentence_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROFET_RETRIES", "0")
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]

        with pytest.raises(ServiceError, match=rf"^cannot ask 127\.0\.0\.1:{port}: .*refused$"):
            Client().fetch(f"http://127.0.0.1:{port}/x", body)
    with pytest.raises(ServiceError, match=r"^cannot ask no\.such\.host\.invalid: Failed to resolve"):
        Client().fetch("http://no.such.host.invalid/x", body)


@pytest.fixture
def trickle() -> Iterator[str]:
    """A server that sends a body of a million bytes, one byte every tenth of a second."""
    stop = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while not stop.is_set():
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    connection.recv(65536)
                    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
                    while not stop.wait(0.1):
                        try:
                            connection.sendall(b"x")
                        except OSError:
                            break

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}/x"
        stop.set()
        server.shutdown(socket.SHUT_RDWR)
    thread.join(5)


def test_a_trickle_does_not_hold_us_for_ever(trickle: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROFET_TIMEOUT", "0.4")
    monkeypatch.setenv("PROFET_RETRIES", "0")

    begin = time.monotonic()
    with pytest.raises(ServiceError, match=r"only \d+ bytes in"):
        Client().fetch(trickle, body)
    assert time.monotonic() - begin < 5.0


def test_a_redirection_without_end_is_given_up(archive: Archive, url: str) -> None:
    archive.add_uniprot(
        "Q00001",
        {
            "entryType": "Inactive",
            "inactiveReason": {"inactiveReasonType": "MERGED", "mergeDemergeTo": ["Q00001"]},
        },
    )

    with pytest.raises(ServiceError, match="redirects"):
        Client().fetch(archive.url("rest.uniprot.org", "uniprotkb/Q00001.json"), body)
    assert len(archive.requests()) == 6


def test_many_threads_share_one_client(archive: Archive, url: str) -> None:
    client, found = Client(), list[bytes | None]()

    def work() -> None:
        found.extend(client.fetch(url, body) for _ in range(10))

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert found == [BODY] * 80


def test_proxies_and_certificates_follow_the_environment(
    archive: Archive, url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    proxy = archive.base_url  # takes addresses in absolute form, as a proxy does
    monkeypatch.setenv("http_proxy", proxy)
    assert Client().fetch(f"http://{HOST}/some/file", body) == BODY

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    assert Client().fetch(url, body) == BODY
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "authority.pem"))
    assert Client()._of_the_environment(url)["verify"] == str(tmp_path / "authority.pem")
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login me password secret")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    Client().fetch(url, body)
    assert archive.requests()[-1].headers["Authorization"].startswith("Basic ")
