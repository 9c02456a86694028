"""A proxy on loopback that is itself spoken to in TLS: it opens tunnels, and passes on the rest."""

from __future__ import annotations

import contextlib
import select
import socket
import socketserver
import ssl
import threading
from collections.abc import Iterator

__all__ = ["TlsProxy", "tls_proxy"]


class TlsProxy(socketserver.ThreadingTCPServer):
    """What it was asked first on each connection is in ``asked``."""

    daemon_threads = True
    asked: list[str]
    context: ssl.SSLContext
    upstream: tuple[str, int]

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of those who hang up, as they do not trust it."""


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        server = self.server
        assert isinstance(server, TlsProxy)
        with server.context.wrap_socket(self.request, server_side=True) as line:
            asked = b""
            while b"\r\n\r\n" not in asked:
                if not (more := line.recv(65536)):
                    return
                asked += more
            method, target = asked.split(b" ")[:2]
            server.asked.append(f"{method.decode()} {target.decode()}")
            there = server.upstream
            if method == b"CONNECT":
                host, port = target.decode().rsplit(":", 1)
                if host == "forbidden.example":
                    line.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
                    return
                there, asked = (host, int(port)), b""
                line.sendall(b"HTTP/1.1 200 Connection established\r\nVia: 1.1 proxy\r\n\r\n")
            with socket.create_connection(there) as beyond:
                beyond.sendall(asked)
                with contextlib.suppress(OSError):
                    _pass_on(line, beyond)


def _pass_on(line: ssl.SSLSocket, beyond: socket.socket) -> None:
    while True:
        ready = [line] if line.pending() else select.select([line, beyond], [], [])[0]
        for source in ready:
            if not (data := source.recv(65536)):
                return
            (beyond if source is line else line).sendall(data)


@contextlib.contextmanager
def tls_proxy(context: ssl.SSLContext, upstream: tuple[str, int]) -> Iterator[TlsProxy]:
    """Run a proxy that shows the certificate of a context; ``upstream`` gets what is no tunnel."""
    with TlsProxy(("127.0.0.1", 0), _Handler) as proxy:
        proxy.asked, proxy.context, proxy.upstream = [], context, upstream
        threading.Thread(target=proxy.serve_forever, args=(0.01,), daemon=True).start()
        yield proxy
        proxy.shutdown()
