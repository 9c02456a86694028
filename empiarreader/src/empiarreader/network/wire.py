"""One connection to a server that stays open, for a thread that asks one question after another.

Downloads ask the same server thousands of times, or for gigabytes. The standard library's connection is all
that takes: what a pool does for every answer then costs more than the answer, and bodies are received
straight into memory of the caller.
"""

from __future__ import annotations

import contextlib
import io
import socket
import ssl
import threading
from collections.abc import Iterable, Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from empiarreader.errors import ServiceError
from empiarreader.network.connections import host_of, proxy_for
from empiarreader.network.counters import counter
from empiarreader.network.transport import stated_length, user_agent
from empiarreader.network.ways import socket_of, way_to

# The head of an answer is read through a buffer of this size. What that holds of the body goes with what
# comes next: two small pieces are twice the work.
_CAME_WITH_HEAD = io.DEFAULT_BUFFER_SIZE
# Reading so much that nobody wants takes less than opening another connection.
_WORTH_SKIPPING_BYTES = 16 * 1024


class UnreachableError(ServiceError):
    """No connection came about: the network or the server is away, which says nothing of any file."""


class Headers(dict[str, str]):
    """Headers by their names in any case; of a name that occurs twice, the first."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        super().__init__()
        for name, value in pairs:
            self.setdefault(name.lower(), value)

    def get(self, name: str, default: Any = None) -> Any:
        """Return a header, or the default where there is none."""
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


class _Question(NamedTuple):
    method: str
    url: str
    headers: Mapping[str, str]


class Wire:
    """A connection to the server of an address, opened when it is first needed.

    One thread uses it; any may :meth:`cut` it.
    """

    def __init__(self, url: str) -> None:
        self.host = host_of(url)
        self._server = urlsplit(url)
        self._proxy = urlsplit(proxy_for(url))
        self._headers = {"User-Agent": user_agent(), "Accept-Encoding": "identity"}
        self._ahead: _Question | None = None  # asked, and its answer not looked at yet
        self._connection: HTTPConnection | None = None
        self._response: HTTPResponse | None = None
        self._socket: socket.socket | None = None  # also while the connection no longer calls it its own
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
        question = _Question(method, url, headers)
        is_asked = self._ahead == question
        if self._is_busy() or self._is_spent() or (self._ahead is not None and not is_asked):
            self.close()
        self._ahead = None
        for is_fresh in (self._connection is None, True):
            connection = self._connection or self._connect(url)
            if connection.sock.gettimeout() != silence_seconds:
                connection.sock.settimeout(silence_seconds)
            try:
                if not is_asked:
                    self._put(question, connection)
                is_asked = False
                response = self._response = connection.getresponse()
                if response.length == 0:
                    response.close()  # nothing more is to come of it; the connection stays open
                return Head(url, response.status, Headers(response.headers.raw_items()))
            except (OSError, HTTPException) as error:
                self.close()
                # A connection that lay idle may have been closed by the server, which is no failure.
                if is_fresh or self._is_cut or isinstance(error, TimeoutError):
                    raise lost(url, error) from error
        raise AssertionError("unreachable: the second question is asked on a fresh connection")

    def is_idle(self) -> bool:
        """Return whether a connection is open, and nothing more is to come of the last answer."""
        is_open = self._connection is not None and not self._is_spent()
        return is_open and not self._is_busy() and self._ahead is None

    def ask_ahead(self, method: str, url: str, headers: Mapping[str, str]) -> None:
        """Put the question that will be asked next, on a connection that is open and idle.

        Whatever goes wrong is left to :meth:`ask`, which begins again if need be.
        """
        if self._connection is None or not self.is_idle():
            return
        question = _Question(method, url, headers)
        try:
            self._put(question, self._connection)
        except (OSError, HTTPException):
            self.close()
        else:
            self._ahead = question

    def receive(self, view: memoryview) -> int:
        """Receive bytes of the body into ``view``; return how many, 0 at the end of the body.

        Raises
        ------
        OSError, HTTPException
            If the server falls silent, or hangs up before the end; :func:`lost` says what that means.
        """
        response = self._response
        if response is None or response.isclosed():
            return 0
        if response.chunked or response.length is None:
            return response.readinto(view)
        # HTTPResponse.readinto waits until all of the view is full, which may be long.
        view = view[: response.length]
        count: int = response.fp.readinto1(view)
        if 0 < count < min(_CAME_WITH_HEAD, len(view)):
            count += response.fp.readinto1(view[count:])
        if count == 0:
            raise ConnectionResetError(f"it closed the connection {response.length} bytes too early")
        response.length -= count
        if response.length == 0:
            response.close()
        return count

    def skip(self) -> None:
        """Be done with an answer that nobody wants: read what is left of a short one, else close."""
        response = self._response
        if response is None or response.isclosed():
            return
        try:
            if response.length is None or response.length > _WORTH_SKIPPING_BYTES:
                self.close()
            else:
                response.read()
        except (OSError, HTTPException):
            self.close()

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
            if self._response is not None:
                self._response.close()
            if self._connection is not None:
                self._connection.close()
            self._connection = self._response = self._socket = self._ahead = None

    def _put(self, question: _Question, connection: HTTPConnection) -> None:
        method, url, headers = question
        target = url if self._asks_proxy_for_all() else url[url.index("/", url.index("://") + 3) :]
        counter.add(requests=1)
        connection.request(method, target, headers={**self._headers, **headers})

    def _is_busy(self) -> bool:
        """Return whether more of the last answer would come before the next one."""
        return self._response is not None and not self._response.isclosed()

    def _is_spent(self) -> bool:
        """Return whether the server said with its last answer that it would close the connection."""
        return self._connection is not None and self._connection.sock is None

    def _asks_proxy_for_all(self) -> bool:
        return bool(self._proxy.hostname) and self._server.scheme == "http"

    def _connect(self, url: str) -> HTTPConnection:
        connection = way_to(self._server, self._proxy)
        try:
            connection.connect()
        except (OSError, HTTPException, UnicodeError) as error:
            connection.close()
            raise _unreachable(self.host, url, error) from error
        with self._lock:
            self._connection, self._socket = connection, socket_of(connection)
            if self._is_cut:
                raise ServiceError(f"{url} was given up")
        return connection


def lost(url: str, error: Exception) -> ServiceError:
    """Return what it means that a connection failed while an answer was awaited or received."""
    host = urlsplit(url).netloc
    if isinstance(error, ServiceError):
        return error
    if isinstance(error, TimeoutError):
        counter.add(stalls=1)
        return ServiceError(f"{host} stopped answering in the middle of {url}", retryable=True)
    return ServiceError(f"{host} broke off while answering {url}: {error}", retryable=True)


def _unreachable(host: str, url: str, error: Exception) -> ServiceError:
    """Return what it means that no connection came about."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return ServiceError(
            f"{host} cannot show that it is {host}: {error}. Behind a firewall that opens connections, name "
            "its authority in SSL_CERT_FILE"
        )
    if isinstance(error, socket.gaierror):
        reason = f"the name {host} cannot be resolved"
    elif isinstance(error, TimeoutError):
        reason = f"{host} does not answer"
    else:
        reason = f"cannot connect to {host} ({error})"
    return UnreachableError(f"{reason}; is there a network? ({url})", retryable=True)
