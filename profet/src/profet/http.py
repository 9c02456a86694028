"""Asking services over HTTP: with time-outs, repeats, and a check of every body before it is believed."""

from __future__ import annotations

import contextlib
import logging
import re
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from http.cookiejar import DefaultCookiePolicy
from typing import Any, TypeVar
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_netrc_auth
from urllib3.exceptions import HTTPError

from profet import __version__, settings
from profet.errors import DamagedFileError, ServiceError
from profet.limits import MOST_CONNECTIONS, gate_for
from profet.retry import PASSING, Attempts, PassingError, retry_after_seconds

_logger = logging.getLogger(__name__)

T = TypeVar("T")

USER_AGENT = f"profet/{__version__} (+https://github.com/ccpem/profet; mailto:ccpem@stfc.ac.uk)"

_WHO = re.compile(r"^(?:<[^>]*>|\w+\([^)]*\)): ")  # urllib3 begins its messages with the connection
_NOT_THERE = (204, 404, 410)
_UNCHANGED = 304
_LONGEST_BODY_BYTES = 1 << 30
_STEP_BYTES = 1 << 16
_CONNECT_SECONDS = 10.0
_SLOWEST_BYTES_PER_SECOND = 128
_MOST_REDIRECTIONS = 5


@dataclass(frozen=True, kw_only=True)
class Answer:
    """A body as it was sent, with what the service said of it.

    ``status`` is 200, or 304 (with an empty body) where the question said what we hold already.
    """

    url: str
    headers: Mapping[str, str]
    body: bytes
    status: int = 200


class Client:
    """One pool of connections for one fetcher; safe in threads."""

    def __init__(self) -> None:
        self._session = requests.Session()
        self._session.headers["User-Agent"] = USER_AGENT
        self._session.max_redirects = _MOST_REDIRECTIONS
        self._surroundings: dict[str, dict[str, Any]] = {}
        self._session.trust_env = False  # see `_of_the_environment`
        # Nothing here needs a cookie, and a jar would be state shared by threads.
        self._session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        adapter = HTTPAdapter(pool_connections=8, pool_maxsize=MOST_CONNECTIONS, max_retries=0)
        for scheme in ("https://", "http://"):
            self._session.mount(scheme, adapter)

    def fetch(
        self,
        url: str,
        decode: Callable[[Answer], T],
        *,
        gzip: bool = False,
        held: Mapping[str, str] | None = None,
        question: object = None,
    ) -> T | None:
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
        held
            Header fields that say what we hold (``If-None-Match`` and such). If the service answers that it
            is still that, `decode` gets an answer with status 304.
        question
            Sent as JSON with POST. None: GET.

        Raises
        ------
        ServiceError
            If there was no answer, or none to this question.
        DamagedFileError
            If `decode` found fault with every body that came.
        """

        def attempt() -> T | None:
            answer = self._ask(url, "gzip" if gzip else "identity", held or {}, question)
            try:
                return None if answer is None else decode(answer)
            except DamagedFileError as error:
                told = DamagedFileError(f"{url}: {error}", origin=url)
                raise PassingError("body", told) from None

        return _repeated(url, attempt)

    def head(self, url: str) -> Mapping[str, str] | None:
        """Header fields of a file, without getting it; None if the service has no such file.

        Raises
        ------
        ServiceError, DamagedFileError
            As `fetch`; a web page in place of a file, as in times of maintenance, counts as damaged.
        """

        def attempt() -> Mapping[str, str] | None:
            with gate_for(url).turn(), _our_errors(url):
                response = self._session.head(
                    url, timeout=_timeouts(), allow_redirects=True, **self._of_the_environment(url)
                )
                if not _has_file(response):
                    return None
                if "html" in response.headers.get("Content-Type", ""):
                    told = DamagedFileError(f"{url}: a web page came in place of a file", origin=url)
                    raise PassingError("body", told)
                return response.headers

        return _repeated(url, attempt)

    def exists(self, url: str) -> bool:
        """Whether the service has the file, without getting it."""
        return self.head(url) is not None

    def _ask(self, url: str, encoding: str, held: Mapping[str, str], question: object) -> Answer | None:
        method = "GET" if question is None else "POST"
        headers = {"Accept-Encoding": encoding, **held}
        with (
            gate_for(url).turn(),
            _our_errors(url),
            self._session.request(
                method,
                url,
                headers=headers,
                json=question,
                timeout=_timeouts(),
                stream=True,
                **self._of_the_environment(url),
            ) as response,
        ):
            if not _has_file(response, or_unchanged=bool(held)):
                return None
            body = _read(response)
            return Answer(url=response.url, headers=response.headers, body=body, status=response.status_code)

    def _of_the_environment(self, url: str) -> dict[str, Any]:
        """Proxies, certificates and logins that the environment has for a host.

        requests would look all this up for every request, which takes as long as a small request itself.
        """
        host = urlsplit(url).netloc
        if host not in self._surroundings:
            found = requests.Session().merge_environment_settings(url, {}, None, None, None)
            self._surroundings[host] = {
                "proxies": found["proxies"],
                "verify": found["verify"],
                "auth": get_netrc_auth(url),
            }
        return self._surroundings[host]


def _repeated(url: str, attempt: Callable[[], T]) -> T:
    """Make an attempt, again if it fails for a passing reason; a pause holds for all who ask that service."""
    attempts = Attempts(settings.retries())
    while True:
        try:
            return attempt()
        except PassingError as failure:
            pause = attempts.pause_after(failure)
            _logger.info("asking again in %.1f s: %s", pause, failure)
            if failure.retry_after is not None:
                gate_for(url).close_for(pause)  # where the next attempt waits, too
                continue
        time.sleep(pause)


@contextlib.contextmanager
def _our_errors(url: str) -> Iterator[None]:
    """Turn what requests and urllib3 raise into our errors."""
    try:
        yield
    except (requests.TooManyRedirects, requests.exceptions.InvalidURL) as error:
        raise _unreachable(url, error) from None
    except (requests.RequestException, HTTPError) as error:
        raise PassingError("connection", _unreachable(url, error)) from None


def _has_file(response: requests.Response, *, or_unchanged: bool = False) -> bool:
    status = response.status_code
    if status in _NOT_THERE:
        return False
    if status == 200 or (status == _UNCHANGED and or_unchanged):
        return True
    host = urlsplit(response.url).netloc
    told = ServiceError(f"{host} answered {status} to {response.url}", url=response.url, status=status)
    if status in PASSING:
        raise PassingError(
            "status", told, retry_after=retry_after_seconds(response.headers.get("Retry-After"))
        )
    raise told


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
                raise DamagedFileError(f"{response.url}: more than {_LONGEST_BODY_BYTES} bytes came")
            waited = time.monotonic() - mark
            if waited > patience:
                # The read time-out restarts with every byte, so a trickle would hold us for ever.
                if len(body) - mark_bytes < waited * _SLOWEST_BYTES_PER_SECOND:
                    raise _broken_off(response, f"only {len(body) - mark_bytes} bytes in {waited:.0f} s")
                mark, mark_bytes = time.monotonic(), len(body)
    except (HTTPError, OSError) as error:
        raise _broken_off(response, f"broken off after {len(body)} bytes ({_reason(error)})") from None
    if expected.isdecimal() and len(body) != int(expected):
        raise _broken_off(response, f"broken off after {len(body)} of {expected} bytes")
    return bytes(body)


def _broken_off(response: requests.Response, what: str) -> PassingError:
    return PassingError("body", ServiceError(f"{response.url}: {what}", url=response.url))


def _timeouts() -> tuple[float, float]:
    patience = settings.timeout_seconds()
    return min(_CONNECT_SECONDS, patience), patience


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
