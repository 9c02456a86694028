"""Asking services over HTTP: with time-outs, repeats, and a check of every body before it is believed."""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from urllib3.exceptions import HTTPError

from profet import __version__, settings
from profet.errors import DamagedFileError, ServiceError
from profet.retry import PoliteRetry

_logger = logging.getLogger(__name__)

T = TypeVar("T")

USER_AGENT = f"profet/{__version__} (+https://github.com/ccpem/profet; mailto:ccpem@stfc.ac.uk)"

_WHO = re.compile(r"^(?:<[^>]*>|\w+\([^)]*\)): ")  # urllib3 begins its messages with the connection
_NOT_THERE = (204, 404, 410)
_LONGEST_BODY_BYTES = 1 << 30
_STEP_BYTES = 1 << 16
_CONNECT_SECONDS = 10.0
_SLOWEST_BYTES_PER_SECOND = 128
_MOST_REDIRECTIONS = 5
_MOST_BODIES = 3  # a body that broke off or came damaged is asked for this often


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A body as it was sent, with what the service said of it."""

    url: str
    headers: Mapping[str, str]
    body: bytes


class Client:
    """One pool of connections for one fetcher; safe in threads.

    Parameters
    ----------
    pool_size
        Connections kept open to each host.
    """

    def __init__(self, *, pool_size: int = 16) -> None:
        self._session = requests.Session()
        self._session.headers["User-Agent"] = USER_AGENT
        self._session.max_redirects = _MOST_REDIRECTIONS
        # Nothing here needs a cookie, and a jar would be state shared by threads.
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = HTTPAdapter(
            pool_connections=8, pool_maxsize=pool_size, max_retries=PoliteRetry.times(settings.retries())
        )
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, adapter)

    def fetch(self, url: str, decode: Callable[[Answer], T], *, gzip: bool = False) -> T | None:
        """Get a file and what `decode` makes of it, or None if the service has no such file.

        Parameters
        ----------
        url
            What to ask for.
        decode
            Turns the body into a result, and raises `DamagedFileError` if the body is not what it should be;
            the body is then asked for again.
        gzip
            Ask the service to compress the body for the journey. `decode` gets it as it was sent.

        Raises
        ------
        ServiceError
            If there was no answer, or none to this question.
        DamagedFileError
            If `decode` found fault with every body that came.
        """
        attempts = 1 + min(settings.retries(), _MOST_BODIES - 1)
        for left in reversed(range(attempts)):
            try:
                answer = self._ask(url, gzip=gzip)
                return None if answer is None else decode(answer)
            except (_BrokenOffError, DamagedFileError) as error:
                if left == 0:
                    raise _told(error, url) from None
                _logger.info("asking again for %s: %s", url, error)
        raise AssertionError("unreachable")  # pragma: no cover

    def exists(self, url: str) -> bool:
        """Whether the service has the file, without getting it."""
        try:
            with self._session.head(url, timeout=_timeouts(), allow_redirects=True) as response:
                return _has_file(response)
        except (requests.RequestException, HTTPError) as error:
            raise _unreachable(url, error) from None

    def _ask(self, url: str, *, gzip: bool) -> Answer | None:
        headers = {"Accept-Encoding": "gzip" if gzip else "identity"}
        try:
            with self._session.get(url, headers=headers, timeout=_timeouts(), stream=True) as response:
                if not _has_file(response):
                    return None
                body = _read(response)
                return Answer(url=response.url, headers=response.headers, body=body)
        except (requests.RequestException, HTTPError) as error:
            raise _unreachable(url, error) from None


class _BrokenOffError(Exception):
    """The body did not come to its end."""


def _has_file(response: requests.Response) -> bool:
    if response.status_code in _NOT_THERE:
        return False
    if response.status_code == 200:
        return True
    host = urlsplit(response.url).netloc
    raise ServiceError(
        f"{host} answered {response.status_code} to {response.url}",
        url=response.url,
        status=response.status_code,
    )


def _read(response: requests.Response) -> bytes:
    """Read the body as sent, in steps, and give up on one that stalls or trickles."""
    expected = response.headers.get("Content-Length", "")
    patience = settings.timeout_seconds()
    body = bytearray()
    mark, mark_bytes = time.monotonic(), 0
    try:
        while step := response.raw.read1(_STEP_BYTES, decode_content=False):
            body += step
            if len(body) > _LONGEST_BODY_BYTES:
                raise DamagedFileError(f"more than {_LONGEST_BODY_BYTES} bytes came; no structure is so long")
            waited = time.monotonic() - mark
            if waited > patience:
                # The read time-out restarts with every byte, so a trickle would hold us for ever.
                if len(body) - mark_bytes < waited * _SLOWEST_BYTES_PER_SECOND:
                    raise _BrokenOffError(f"only {len(body) - mark_bytes} bytes in {waited:.0f} s")
                mark, mark_bytes = time.monotonic(), len(body)
    except (HTTPError, OSError) as error:
        raise _BrokenOffError(f"broken off after {len(body)} bytes ({_reason(error)})") from None
    if expected.isdecimal() and len(body) != int(expected):
        raise _BrokenOffError(f"broken off after {len(body)} of {expected} bytes")
    return bytes(body)


def _timeouts() -> tuple[float, float]:
    patience = settings.timeout_seconds()
    return min(_CONNECT_SECONDS, patience), patience


def _told(error: Exception, url: str) -> Exception:
    if isinstance(error, DamagedFileError):
        return DamagedFileError(f"{url}: {error}", origin=url)
    return ServiceError(f"{url}: {error}", url=url)


def _unreachable(url: str, error: Exception) -> ServiceError:
    host = urlsplit(url).netloc
    return ServiceError(f"cannot ask {host}: {_reason(error)}", url=url)


def _reason(error: Any) -> str:
    """Find, below the layers of requests and urllib3, what happened, in a few words."""
    for _ in range(8):
        inner = getattr(error, "reason", None) or next(
            (arg for arg in getattr(error, "args", ()) if isinstance(arg, Exception)), None
        )
        if not isinstance(inner, Exception):
            break
        error = inner
    if isinstance(error, TimeoutError | requests.Timeout) or "timed out" in str(error):
        return f"no answer within {settings.timeout_seconds():g} s"
    return _WHO.sub("", str(error)) or type(error).__name__
