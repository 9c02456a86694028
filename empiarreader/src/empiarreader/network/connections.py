"""Connections that stay open, kept by the process that opened them: a forked worker begins with none.

Nothing of this module is ever pickled. At most :data:`CONNECTIONS_PER_HOST` questions and
:data:`HEDGES_PER_HOST` second ones are asked of one host at a time.
"""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from empiarreader.errors import InvalidRequestError
from empiarreader.network.counters import counter
from empiarreader.network.lines import pool_classes
from empiarreader.network.patience import AnswerTimes

if TYPE_CHECKING:
    from urllib3 import PoolManager

CONNECTIONS_PER_HOST = 16
HEDGES_PER_HOST = 4  # further connections, for second requests while the first is silent
# Looking up proxies takes longer than the rest of a request; it is done again when one of these changes.
_SAY_PROXY = tuple(
    name
    for lower in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "request_method")
    for name in (lower, lower.upper())
)


def limit_connections(count: int) -> None:
    """Open no more than ``count`` connections to a host from now on, where several processes share them."""
    _state.limit(count)


def connections(url: str) -> PoolManager:
    """Return the open connections, and those yet to be opened, that lead to an address."""
    return _state.manager(url)


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
    manager.pool_classes_by_scheme = pool_classes()
    return manager


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
    parts = urlsplit(url)
    return _proxy(parts.scheme, parts.netloc, tuple(map(os.environ.get, _SAY_PROXY)))


@lru_cache(maxsize=64)
def _proxy(scheme: str, host: str, said: tuple[str | None, ...]) -> str:
    """Return the proxy that leads to a host; ``said`` is what the environment says of proxies."""
    from urllib.request import getproxies, proxy_bypass

    if proxy_bypass(host):
        return ""
    proxies = getproxies()
    return proxies.get(scheme) or proxies.get("all") or ""


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
