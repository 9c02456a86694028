"""Ways to a server: straight, through a proxy that passes questions on, or through a tunnel that it opens.

A proxy may ask for encryption itself. A tunnel to a server that does so, too, is then one inside the other.
"""

from __future__ import annotations

import http.client
import socket
import ssl
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import Any
from urllib.parse import SplitResult

from empiarreader import settings
from empiarreader.network.connections import trusted_context

_LONGEST_CONNECT_SECONDS = 10.0


def way_to(server: SplitResult, proxy: SplitResult) -> HTTPConnection:
    """Return a connection to a server, which is not open yet.

    Parameters
    ----------
    server
        Any address on it.
    proxy
        Address of the proxy that leads to it; without a host where there is none.
    """
    is_through_proxy, is_secure = bool(proxy.hostname), server.scheme == "https"
    first = proxy if is_through_proxy else server
    seconds = min(_LONGEST_CONNECT_SECONDS, settings.timeout_seconds())
    if not is_secure and first.scheme != "https":
        return HTTPConnection(*_address(first), timeout=seconds)
    context = trusted_context()
    if is_secure and is_through_proxy and proxy.scheme == "https":
        return TunnelInTls(*_address(server), proxy=_address(proxy), timeout=seconds, context=context)
    connection = HTTPSConnection(*_address(first), timeout=seconds, context=context)
    if is_secure and is_through_proxy:
        connection.set_tunnel(*_address(server))
    return connection


def socket_of(connection: HTTPConnection) -> socket.socket:
    """Return the socket of an open connection, also below encryption within encryption."""
    line: Any = connection.sock
    return line if isinstance(line, socket.socket) else line.socket


class TunnelInTls(HTTPConnection):
    """A connection to a server through a proxy, encrypted up to the proxy and, within that, to the server.

    Parameters
    ----------
    host, port
        The server.
    proxy
        Name and port of the proxy.
    timeout
        How long either may be silent, in seconds, while the connection is opened.
    context
        Whom to trust: both have to show who they are.
    """

    default_port = http.client.HTTPS_PORT

    def __init__(
        self, host: str, port: int, *, proxy: tuple[str, int], timeout: float, context: ssl.SSLContext
    ) -> None:
        super().__init__(host, port, timeout=timeout)
        self._through = proxy
        self._trusted = context

    def connect(self) -> None:
        """Open the connection: to the proxy, which is asked for a tunnel, and through that to the server."""
        # The standard library encrypts sockets alone, and what is encrypted already is none.
        from urllib3.util.ssltransport import SSLTransport

        plain = socket.create_connection(self._through, self.timeout)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        outer = self._trusted.wrap_socket(plain, server_hostname=self._through[0])
        try:
            _ask_for_tunnel(outer, self.host, self.port)
            self.sock = SSLTransport(outer, self._trusted, server_hostname=self.host)
        except BaseException:
            outer.close()
            raise


def _ask_for_tunnel(proxy: ssl.SSLSocket, host: str, port: int) -> None:
    """Have a proxy pass everything on to a server from now on (RFC 9110, section 9.3.6)."""
    place = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    proxy.sendall(f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n".encode("ascii"))
    answer = HTTPResponse(proxy, method="CONNECT")
    try:
        answer.begin()
        if answer.status != http.client.OK:
            raise OSError(f"the proxy opens no tunnel: {answer.status} {answer.reason}")
    finally:
        answer.close()


def _address(place: SplitResult) -> tuple[str, int]:
    return place.hostname or "", place.port or (443 if place.scheme == "https" else 80)
