"""One connection to a server that stays open, with as little as can be between its bytes and a file.

Downloads ask the same server thousands of times, or for gigabytes; what a general client does for every
answer then costs more than the answer. A wire asks one question at a time and receives the body straight into
memory of the caller. It speaks as much of HTTP/1.1 (RFC 9112) as whole files and ranges of them need: bodies
whose length is stated.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Mapping
from urllib.parse import SplitResult, urlsplit

from empiarreader.errors import ServiceError
from empiarreader.network.connections import host_of, proxy_for, trusted_context
from empiarreader.network.counters import counter
from empiarreader.network.transport import stated_length, user_agent

_LONGEST_CONNECT_SECONDS = 10.0
_LARGEST_HEAD_BYTES = 64 * 1024
_END_OF_HEAD = b"\r\n\r\n"
_WITHOUT_BODY = frozenset({204, 304})


class UnreachableError(ServiceError):
    """No connection came about: the network or the server is away, which says nothing of any file."""


class Fields(dict[str, str]):
    """Fields of a head, which answer to names in any case."""

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        """Return a field."""
        return super().get(name.lower(), default)


class Head:
    """What comes before a body."""

    def __init__(self, url: str, status: int, headers: Mapping[str, str]) -> None:
        self.url = url
        self.status = status
        self.headers = headers

    @property
    def length(self) -> int | None:
        """Length of the body as the server states it, in bytes."""
        return stated_length(self.headers)


class Wire:
    """A connection to the server of an address, opened when it is first needed.

    One thread uses it; any may :meth:`cut` it.
    """

    def __init__(self, url: str) -> None:
        self.host = host_of(url)
        self._parts = urlsplit(url)
        self._proxy = proxy_for(url)
        host = self.host.rpartition("@")[2]
        self._same_always = f"Host: {host}\r\nUser-Agent: {user_agent()}\r\nAccept-Encoding: identity\r\n"
        self._socket: socket.socket | None = None
        self._buffer = bytearray(_LARGEST_HEAD_BYTES)
        self._begun = 0  # bytes of the next head that came with the last one
        self._rest = memoryview(b"")  # of the body, that came with the head
        self._left = 0  # bytes of the body that have not been received
        self._is_cut = False
        self._lock = threading.Lock()

    def ask(self, method: str, url: str, headers: Mapping[str, str], *, silence_seconds: float) -> Head:
        """Ask, and return the head of the answer.

        Parameters
        ----------
        method, url, headers
            The question; ``url`` is on the host of this wire.
        silence_seconds
            How long the server may be silent, now and while the body is received.

        Raises
        ------
        UnreachableError
            If no connection comes about.
        ServiceError
            If the server hangs up, is silent for too long or says what cannot be understood.
        """
        if self._left:
            self.close()  # more of the last answer would come first
        question = self._question(method, url, headers)
        for is_fresh in (self._socket is None, True):
            connected = self._socket or self._connect(url)
            connected.settimeout(silence_seconds)
            counter.add(requests=1)
            try:
                connected.sendall(question)
                head = self._read_head(connected, url)
                break
            except (OSError, EOFError) as error:
                self.close()
                # A connection that lay idle may have been closed by the server, which is no failure.
                if is_fresh or self._is_cut or isinstance(error, TimeoutError):
                    raise lost(url, error) from error
        has_body = method != "HEAD" and head.status not in _WITHOUT_BODY
        self._left = (head.length or 0) if has_body else 0
        if has_body and head.length is None:
            self.close()
        return head

    def receive(self, view: memoryview) -> int:
        """Receive bytes of the body into ``view``; return how many, 0 at the end of the body."""
        wanted = min(len(view), self._left)
        if not wanted:
            return 0
        if self._rest:
            count = min(wanted, len(self._rest))
            view[:count] = self._rest[:count]
            self._rest = self._rest[count:]
        else:
            count = self._receive(view[:wanted])
        self._left -= count
        return count

    def cut(self) -> None:
        """Break the connection for good: whoever reads from it wakes with an error."""
        self._is_cut = True
        self.interrupt()

    def interrupt(self) -> None:
        """End the answer under way: whoever reads it wakes with an error. The next question reconnects."""
        with self._lock:
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    # Not SSLSocket.shutdown, which takes the encryption from under the thread that reads.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the connection; the next question opens another."""
        with self._lock:
            if self._socket is not None:
                self._socket.close()
            self._socket = None
            self._left, self._rest, self._begun = 0, memoryview(b""), 0

    def _receive(self, view: memoryview) -> int:
        if self._socket is None:
            raise EOFError("the connection is closed")
        count = self._socket.recv_into(view)
        if count == 0:
            raise EOFError("it closed the connection")
        return count

    def _question(self, method: str, url: str, headers: Mapping[str, str]) -> bytes:
        path = url[url.index("/", url.index("://") + 3) :]
        target = url if self._proxy and self._parts.scheme == "http" else path
        more = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return f"{method} {target} HTTP/1.1\r\n{self._same_always}{more}\r\n".encode("latin-1")

    def _read_head(self, connected: socket.socket, url: str) -> Head:
        """Read up to the end of the head; what came of the body with it is kept."""
        while True:
            text, received = self._fill(connected)
            status, headers = _parse_head(text, url)
            if status >= 200:
                break
            self._buffer[: len(received)] = received  # an interim answer: the head proper comes after it
            self._begun = len(received)
        self._rest = memoryview(bytes(received))
        return Head(url, status, headers)

    def _fill(self, connected: socket.socket) -> tuple[str, bytes]:
        """Return a head as text, and the bytes that came after it."""
        filled, self._begun = self._begun, 0
        end = self._buffer.find(_END_OF_HEAD, 0, filled)
        view = memoryview(self._buffer)
        while end < 0:
            if filled == len(self._buffer):
                raise EOFError("it sends a head without end")
            count = connected.recv_into(view[filled:])
            if count == 0:
                raise EOFError("it closed the connection without an answer")
            end = self._buffer.find(_END_OF_HEAD, max(0, filled - 3), filled + count)
            filled += count
        after = end + len(_END_OF_HEAD)
        return self._buffer[:end].decode("latin-1"), bytes(view[after:filled])

    def _connect(self, url: str) -> socket.socket:
        proxy = urlsplit(self._proxy) if self._proxy else None
        connected = _open_socket(proxy or self._parts, url)
        try:
            if proxy is not None and proxy.scheme == "https":
                connected = trusted_context().wrap_socket(connected, server_hostname=proxy.hostname)
            if self._parts.scheme == "https":
                if proxy is not None:
                    self._tunnel(connected, url)
                connected = trusted_context().wrap_socket(connected, server_hostname=self._parts.hostname)
        except (OSError, EOFError, ValueError) as error:
            connected.close()
            if isinstance(error, ssl.SSLCertVerificationError):
                raise ServiceError(
                    f"{self.host} cannot show that it is {self.host}: {error}. Behind a firewall that opens "
                    "connections, name its authority in SSL_CERT_FILE"
                ) from error
            raise UnreachableError(
                f"cannot connect to {self.host}: {error} ({url})", retryable=True
            ) from error
        with self._lock:
            self._socket = connected
            if self._is_cut:
                raise ServiceError(f"{url} was given up")
        return connected

    def _tunnel(self, connected: socket.socket, url: str) -> None:
        """Ask a proxy for a way through to the server."""
        place = f"{self._parts.hostname}:{self._parts.port or 443}"
        connected.sendall(f"CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n\r\n".encode("latin-1"))
        status, _ = _parse_head(self._fill(connected)[0], url)
        if status != 200:
            raise ServiceError(f"the proxy {self._proxy} does not lead to {place} (status {status})")


def lost(url: str, error: Exception) -> ServiceError:
    """Return what it means that a connection failed while an answer was awaited or received."""
    host = urlsplit(url).netloc
    if isinstance(error, ServiceError):
        return error
    if isinstance(error, TimeoutError):
        counter.add(stalls=1)
        return ServiceError(f"{host} stopped answering in the middle of {url}", retryable=True)
    return ServiceError(f"{host} broke off while answering {url}: {error}", retryable=True)


def _open_socket(place: SplitResult, url: str) -> socket.socket:
    from empiarreader import settings

    port = place.port or (443 if place.scheme == "https" else 80)
    seconds = min(_LONGEST_CONNECT_SECONDS, settings.timeout_seconds())
    try:
        connected = socket.create_connection((place.hostname or "", port), timeout=seconds)
    except socket.gaierror as error:
        raise UnreachableError(
            f"the name {place.netloc} cannot be resolved; is there a network? ({url})", retryable=True
        ) from error
    except TimeoutError as error:
        raise UnreachableError(
            f"{place.netloc} does not answer; is there a network? ({url})", retryable=True
        ) from error
    except (OSError, UnicodeError) as error:
        raise UnreachableError(
            f"cannot connect to {place.netloc}; is there a network? ({url})", retryable=True
        ) from error
    connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connected


def _parse_head(text: str, url: str) -> tuple[int, Fields]:
    first, *lines = text.split("\r\n")
    words = first.split(" ", 2)
    if (
        not words[0].startswith("HTTP/1.")
        or len(words) < 2
        or not (words[1].isascii() and words[1].isdigit())
    ):
        raise EOFError(f"it answered {first[:80]!r}, which is no HTTP")
    fields = Fields()
    for line in lines:
        name, _, value = line.partition(":")
        fields[name.strip().lower()] = value.strip()
    if "transfer-encoding" in fields:
        fields.pop("content-length", None)  # which then says nothing
    return int(words[1]), fields
