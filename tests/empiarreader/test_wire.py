"""One connection that stays open: bodies in the caller's memory, closed connections, proxies, cuts."""

from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from empiarreader import ServiceError, download, traffic
from empiarreader.network.wire import UnreachableError, Wire, lost
from perc_archive import Archive
from tls_proxy import TlsProxy, tls_proxy

BODY = bytes(range(256)) * 400  # several records where it is encrypted
HOST = "ftp.ebi.ac.uk"


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    connections = 0
    scheme = "http"

    def process_request(self, request: object, client_address: object) -> None:
        self.connections += 1
        super().process_request(request, client_address)  # type: ignore[arg-type]


class _Handler(http.server.BaseHTTPRequestHandler):
    """Answers as the path says."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        self.send_response(200)
        if self.path == "/chunked":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for half in (BODY[:1000], BODY[1000:]):
                self.wfile.write(b"%x\r\n%b\r\n" % (len(half), half))
            self.wfile.write(b"0\r\n\r\n")
            return
        if self.path == "/empty":
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if self.path == "/last":
            self.send_header("Connection", "close")
        missing = 10 if self.path == "/short" else 0
        self.send_header("Content-Length", str(len(BODY) + missing))
        self.end_headers()
        self.wfile.write(BODY)
        self.close_connection = not self.path.endswith("/kept")  # as a proxy is asked, too

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(BODY)))
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        return


@pytest.fixture(params=["http", "https"])
def server(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[_Server]:
    server = _Server(("127.0.0.1", 0), _Handler)
    server.scheme = request.param
    if server.scheme == "https":
        authority = trustme.CA()
        authority.cert_pem.write_to_path(tmp_path / "authority.pem")
        monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "authority.pem"))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1").configure_cert(context)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def _url(server: _Server, path: str) -> str:
    return f"{server.scheme}://127.0.0.1:{server.server_address[1]}{path}"


def _read(wire: Wire, url: str) -> bytes:
    wire.ask("GET", url, {}, silence_seconds=5)
    view = memoryview(bytearray(len(BODY) + 100))
    filled = 0
    while count := wire.receive(view[filled:]):
        filled += count
    return bytes(view[:filled])


def test_one_connection_serves_one_question_after_another(server: _Server) -> None:
    url = _url(server, "/kept")
    wire = Wire(url)

    assert [_read(wire, url) for _ in range(3)] == [BODY] * 3
    assert server.connections == 1
    wire.close()


@pytest.mark.parametrize(("method", "path"), [("HEAD", "/kept"), ("GET", "/empty")])
def test_answers_without_a_body_leave_the_connection_open(server: _Server, method: str, path: str) -> None:
    url = _url(server, path)
    wire = Wire(url)

    for _ in range(3):
        assert wire.ask(method, url, {}, silence_seconds=5).status == 200
        assert wire.is_idle()
        assert wire.receive(memoryview(bytearray(1))) == 0
    assert server.connections == 1
    wire.close()


@pytest.mark.parametrize("path", ["/last", "/quietly", "/chunked"])
def test_a_connection_that_the_server_closes_is_opened_again(server: _Server, path: str) -> None:
    url = _url(server, path)
    wire = Wire(url)

    assert [_read(wire, url) for _ in range(3)] == [BODY] * 3
    wire.close()


def test_a_body_shorter_than_stated_is_an_error(server: _Server) -> None:
    url = _url(server, "/short")
    wire = Wire(url)

    with pytest.raises(ConnectionResetError, match="10 bytes too early") as caught:
        _read(wire, url)
    wire.close()
    assert lost(url, caught.value).retryable


def test_what_is_left_of_a_body_does_not_get_into_the_next(server: _Server) -> None:
    url = _url(server, "/kept")
    wire = Wire(url)
    wire.ask("GET", url, {}, silence_seconds=5)
    wire.receive(memoryview(bytearray(100)))
    before = traffic().requests

    assert _read(wire, url) == BODY
    assert server.connections == 2
    assert traffic().requests - before == 1  # no question is sent in vain
    wire.close()


def test_what_was_asked_ahead_is_answered_when_it_is_asked(server: _Server) -> None:
    url = _url(server, "/kept")
    wire = Wire(url)
    wire.ask_ahead("GET", url, {})  # no connection is open yet
    assert server.connections == 0
    assert _read(wire, url) == BODY
    before = traffic().requests

    assert wire.is_idle()
    wire.ask_ahead("GET", url, {})
    assert not wire.is_idle()
    assert _read(wire, url) == BODY
    assert traffic().requests - before == server.connections == 1
    wire.close()


def test_what_was_asked_ahead_and_is_not_wanted_does_not_get_into_the_next(server: _Server) -> None:
    url = _url(server, "/kept")
    wire = Wire(url)
    assert _read(wire, url) == BODY
    before = traffic().requests
    wire.ask_ahead("GET", _url(server, "/short"), {})

    assert _read(wire, url) == BODY
    assert server.connections == traffic().requests - before == 2
    wire.close()


@pytest.mark.parametrize("path", ["/last", "/quietly"])
def test_what_was_asked_ahead_on_a_closed_connection_is_asked_again(server: _Server, path: str) -> None:
    url = _url(server, path)
    wire = Wire(url)
    for _ in range(3):
        assert _read(wire, url) == BODY
        wire.ask_ahead("GET", url, {})
    wire.close()


def test_a_wire_that_was_cut_asks_nothing_more(server: _Server) -> None:
    url = _url(server, "/kept")
    wire = Wire(url)
    assert _read(wire, url) == BODY
    wire.cut()

    with pytest.raises(ServiceError, match=r"broke off|given up"):
        wire.ask("GET", url, {}, silence_seconds=5)
    wire.close()


def test_a_wire_that_was_cut_before_it_was_open_stays_so(server: _Server) -> None:
    url = _url(server, "/kept")
    wire = Wire(url)
    wire.cut()

    with pytest.raises(ServiceError, match="given up"):
        wire.ask("GET", url, {}, silence_seconds=5)
    wire.close()


def test_nobody_at_an_address_is_no_fault_of_the_file() -> None:
    with pytest.raises(UnreachableError, match=r"cannot connect to 127\.0\.0\.1:9"):
        Wire("http://127.0.0.1:9/a").ask("GET", "http://127.0.0.1:9/a", {}, silence_seconds=5)


def test_a_proxy_of_the_environment_is_used(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    archive.add_entry(10934, {"data/a.mrc": BODY})
    monkeypatch.setenv("EMPIARREADER_ARCHIVE_URL", f"http://{HOST}/empiar/world_availability")
    monkeypatch.setenv("http_proxy", archive.base_url)
    monkeypatch.setenv("no_proxy", "localhost")
    folder = tmp_path_factory.mktemp("proxied")

    download([f"http://{HOST}/empiar/world_availability/10934/data/a.mrc"], folder).raise_for_failures()

    assert (folder / "a.mrc").read_bytes() == BODY


@pytest.fixture
def proxy(server: _Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[TlsProxy]:
    """A proxy that asks for encryption, trusted, and named by the environment."""
    authority = trustme.CA()
    trusted = tmp_path / "authority.pem"  # the server's, too, where it has one
    authority.cert_pem.write_to_path(str(trusted), append=trusted.exists())
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(trusted))
    monkeypatch.setenv("no_proxy", "localhost")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with tls_proxy(context, ("127.0.0.1", server.server_address[1])) as proxy:
        for scheme in ("http", "https"):
            monkeypatch.setenv(f"{scheme}_proxy", f"https://localhost:{proxy.server_address[1]}")
        yield proxy


def test_a_proxy_that_asks_for_encryption_itself_is_used(proxy: TlsProxy, server: _Server) -> None:
    url = _url(server, "/kept")
    wire = Wire(url)

    assert [_read(wire, url) for _ in range(3)] == [BODY] * 3
    wire.ask_ahead("GET", url, {})
    assert _read(wire, url) == BODY
    tunnel = f"CONNECT 127.0.0.1:{server.server_address[1]}"
    assert proxy.asked == [tunnel if server.scheme == "https" else f"GET {url}"]
    assert server.connections == 1
    wire.close()
    assert _read(wire, url) == BODY
    wire.interrupt()
    assert _read(wire, url) == BODY
    wire.close()


def test_files_come_through_a_proxy_that_asks_for_encryption(
    proxy: TlsProxy, server: _Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    base = _url(server, "/empiar/world_availability")
    monkeypatch.setenv("EMPIARREADER_ARCHIVE_URL", base)

    download([f"{base}/10934/data/{k}.mrc" for k in range(20)], tmp_path / "saved").raise_for_failures()

    assert {(tmp_path / f"saved/{k}.mrc").read_bytes() for k in range(20)} == {BODY}
    assert proxy.asked


def test_a_proxy_that_opens_no_tunnel_is_said_so(proxy: TlsProxy) -> None:
    with pytest.raises(UnreachableError, match="opens no tunnel: 403 Forbidden"):
        Wire("https://forbidden.example/a").ask("GET", "https://forbidden.example/a", {}, silence_seconds=5)


def test_a_proxy_that_cannot_show_who_it_is_is_told_nothing(
    proxy: TlsProxy, server: _Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    stranger = tmp_path / "stranger.pem"
    trustme.CA().cert_pem.write_to_path(str(stranger))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(stranger))
    url = _url(server, "/kept")
    with pytest.raises(ServiceError, match="cannot show"):
        Wire(url).ask("GET", url, {}, silence_seconds=5)
    assert proxy.asked == []
