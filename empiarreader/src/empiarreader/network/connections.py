"""Connections that stay open, kept by the process that opened them: a forked worker begins with none.

Nothing of this module is ever pickled. At most :data:`CONNECTIONS_PER_HOST` questions and
:data:`HEDGES_PER_HOST` second ones are asked of one host at a time.
"""

from __future__ import annotations

import contextlib
import os
import socket
import ssl
import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from empiarreader.errors import InvalidRequestError
from empiarreader.network.counters import counter
from empiarreader.network.patience import AnswerTimes

if TYPE_CHECKING:
    from urllib3 import HTTPConnectionPool, PoolManager

CONNECTIONS_PER_HOST = 16
HEDGES_PER_HOST = 4  # further connections, for second requests while the first is silent


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


def limit_connections(count: int) -> None:
    """Open no more than ``count`` connections to a host from now on, where several processes share them."""
    _state.limit(count)


def connections(url: str) -> PoolManager:
    """Return the open connections, and those yet to be opened, that lead to an address."""
    return _state.manager(url)


def asking_on(line: Line | None) -> None:
    """Have the next question of this thread tell ``line`` of its connection; None ends that."""
    _asking.line = line


def answer_times(url: str) -> AnswerTimes:
    """Return what is known of the answers of the host that an address leads to."""
    return _state.times(host_of(url))


def host_of(url: str) -> str:
    """Return host and port of an address; refuse what is no address."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        usable = False
    if not usable or any(character.isspace() for character in url):
        raise InvalidRequestError(f"{url!r} is no address that can be asked; it begins with https://HOST/")
    return parts.netloc


class _ProcessState:
    """Open connections and what is known of each host's answer times, in this process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._most = CONNECTIONS_PER_HOST
        self._managers: dict[tuple[str, bool], PoolManager] = {}
        self._times: dict[str, AnswerTimes] = {}

    def limit(self, count: int) -> None:
        with self._lock:
            if self._most != count:
                self._most = count
                self._managers = {}  # those in use are closed when their answers are read

    def times(self, host: str) -> AnswerTimes:
        with self._lock:
            return self._times.setdefault(host, AnswerTimes())

    def manager(self, url: str) -> PoolManager:
        proxy = proxy_for(url)
        key = proxy, "https" in {urlsplit(url).scheme, urlsplit(proxy).scheme}
        with self._lock:
            if key not in self._managers:
                self._managers[key] = _new_manager(*key, most=self._most)
            return self._managers[key]


class _Asking(threading.local):
    """What the question of this thread is to be told of its connection."""

    line: Line | None = None


_asking = _Asking()


def _new_manager(proxy: str, is_secure: bool, *, most: int) -> PoolManager:
    from urllib3 import PoolManager, ProxyManager

    # One context for all connections: each would otherwise read the file of authorities again, which takes
    # longer than greeting the server.
    trusted = trusted_context() if is_secure else None
    connections = most + min(most, HEDGES_PER_HOST)
    if proxy:
        manager: PoolManager = ProxyManager(proxy, maxsize=connections, block=True, ssl_context=trusted)
    else:
        manager = PoolManager(maxsize=connections, block=True, ssl_context=trusted)
    manager.pool_classes_by_scheme = _pool_classes()
    return manager


def _pool_classes() -> dict[str, type[HTTPConnectionPool]]:
    """Return urllib3's pools, with connections that tell a line which socket a question goes out on."""
    from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
    from urllib3.connection import HTTPConnection, HTTPSConnection

    class Told(HTTPConnection):
        def connect(self) -> None:
            _begin()
            super().connect()

        def request(self, *arguments: Any, **options: Any) -> None:
            _begin()
            super().request(*arguments, **options)
            _attach(self.sock)

    class ToldSecurely(HTTPSConnection):
        def connect(self) -> None:
            _begin()
            super().connect()

        def request(self, *arguments: Any, **options: Any) -> None:
            _begin()
            super().request(*arguments, **options)
            _attach(self.sock)

    class Pool(HTTPConnectionPool):
        ConnectionCls = Told

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = ToldSecurely

    return {"http": Pool, "https": SecurePool}


def _begin() -> None:
    if _asking.line is not None:
        _asking.line.begin()


def _attach(connected: object) -> None:
    if _asking.line is not None:
        _asking.line.attach(connected)


def trusted_context() -> ssl.SSLContext:
    """Return what makes connections that are only opened to who can show to be who they are."""
    certificates = _certificates()
    try:
        if os.path.isdir(certificates):  # noqa: PTH112  # as REQUESTS_CA_BUNDLE may be
            return ssl.create_default_context(capath=certificates)
        return ssl.create_default_context(cafile=certificates)
    except OSError as error:
        raise InvalidRequestError(
            f"the file of trusted authorities {certificates!r} cannot be read ({error}); see "
            "REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE and SSL_CERT_FILE"
        ) from error


def _certificates() -> str:
    """Return the file of trusted authorities: what curl, requests and OpenSSL read, else certifi's."""
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        if path := os.environ.get(name):
            return path
    import certifi

    return certifi.where()


def proxy_for(url: str) -> str:
    """Return the address of the proxy that the environment names for an address, ``""`` for none."""
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(url)
    if proxy_bypass(parts.netloc):
        return ""
    proxies = getproxies()
    return proxies.get(parts.scheme) or proxies.get("all") or ""


def on_fork(begin_again: Callable[[], None]) -> None:
    """Have ``begin_again`` called in a forked child: threads and connections stay with the parent."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=begin_again)


_state = _ProcessState()


def _begin_again_after_fork() -> None:
    global _state
    _state = _ProcessState()
    counter.after_fork()


on_fork(_begin_again_after_fork)
