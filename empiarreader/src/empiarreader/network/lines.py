"""The connection that a question goes out on and the body that comes back on it, within urllib3's pools.

urllib3 keeps the connections; what it does not offer is to cut one from another thread, and to read a body
into memory that is there already. Both hang on the thread that asks: see :func:`asking_on`.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from functools import cache
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from urllib3 import HTTPConnectionPool


class Line:
    """The connection that a question is asked on, for a thread that may want to cut it.

    Attributes
    ----------
    began : float
        When the question began to be asked, on the monotonic clock; 0 before, and while waiting for a
        connection that is free.
    """

    def __init__(self) -> None:
        self.began = 0.0
        self._socket: socket.socket | None = None
        self._is_cut = False
        self._lock = threading.Lock()

    def begin(self) -> None:
        """Note that the question is on its way."""
        self.began = self.began or time.monotonic()

    def attach(self, connected: object) -> None:
        """Note which socket it went out on."""
        with self._lock:
            self._socket = connected if isinstance(connected, socket.socket) else None
        if self._is_cut:
            self.cut()

    def detach(self) -> None:
        """Note that the answer is complete, and the socket free for the next question."""
        with self._lock:
            self._socket = None

    def cut(self) -> None:
        """Break the connection: whoever reads from it wakes with an error, and it is not used again."""
        with self._lock:
            self._is_cut = True
            if self._socket is not None:
                with contextlib.suppress(OSError):
                    # Not SSLSocket.shutdown, which takes the encryption from under the thread that reads.
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)
                self._socket = None


class Body(Protocol):
    """The body of an answer on its way: what :class:`http.client.HTTPResponse` offers, and one thing more."""

    length: int | None  # what is still to come; None where the server has not said

    def read_some(self, view: memoryview) -> int:
        """Put what has come into ``view``, waiting only if that is nothing; 0 at the end."""
        ...

    def close(self) -> None:
        """Be done with it."""
        ...


class Asking(threading.local):
    """What a question of this thread tells of its connection, and the body of its answer."""

    line: Line | None = None
    body: Body | None = None

    def begin(self) -> None:
        """Note that a connection is opened for it, or that it is sent."""
        if self.line is not None:
            self.line.begin()

    def attach(self, connected: object) -> None:
        """Note which socket it went out on."""
        if self.line is not None:
            self.line.attach(connected)


_asking = Asking()


@contextlib.contextmanager
def asking_on(line: Line | None) -> Iterator[Asking]:
    """Have what this thread asks tell ``line`` of its connection; yields where the answer's body will be."""
    _asking.line, _asking.body = line, None
    try:
        yield _asking
    finally:
        _asking.line = _asking.body = None


@cache
def pool_classes() -> dict[str, type[HTTPConnectionPool]]:
    """Return urllib3's pools by scheme, with connections that tell the thread that asks."""
    from http.client import HTTPResponse

    from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
    from urllib3.connection import HTTPConnection, HTTPSConnection

    class Told(HTTPResponse):
        def begin(self) -> None:
            super().begin()
            _asking.body = self

        def read_some(self, view: memoryview) -> int:
            if self.chunked:
                return self.readinto(view)
            if self.isclosed() or self.length == 0:
                return 0
            fits = view if self.length is None else view[: self.length]
            count: int = self.fp.readinto1(fits)
            if self.length is not None:
                self.length -= count
            if count == 0 or self.length == 0:
                self.close()
            return count

    class Telling(HTTPConnection):
        response_class = Told

        def connect(self) -> None:
            _asking.begin()
            super().connect()

        def request(self, *arguments: Any, **options: Any) -> None:
            _asking.begin()
            super().request(*arguments, **options)
            _asking.attach(self.sock)

    class TellingSecurely(Telling, HTTPSConnection):
        """The same over TLS."""

    class Pool(HTTPConnectionPool):
        ConnectionCls = Telling

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = TellingSecurely

    return {"http": Pool, "https": SecurePool}
