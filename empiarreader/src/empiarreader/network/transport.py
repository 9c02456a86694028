"""One question to a server and its answer: time-outs, statuses and retries."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Protocol, Self, TypeVar
from urllib.parse import urljoin, urlsplit

from empiarreader import settings
from empiarreader.errors import ArchiveFileNotFoundError, ServiceError
from empiarreader.network.connections import answer_times, connections
from empiarreader.network.counters import counter
from empiarreader.network.lines import Body, Line, asking_on
from empiarreader.network.patience import (
    ATTEMPTS,
    LONGEST_PAUSE_SECONDS,
    parse_retry_after,
    pause,
    pause_before_retry,
)

if TYPE_CHECKING:
    from types import TracebackType

    from urllib3 import BaseHTTPResponse

T = TypeVar("T")

_LONGEST_CONNECT_SECONDS = 10.0
_LONGEST_QUEUE_SECONDS = 600.0
_REDIRECTS = 5
_SLOWEST_BYTES_PER_SECOND = 1024
_WORTH_ASKING_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})

logger = logging.getLogger(__name__)


class Answered(Protocol):
    """The head of an answer, whoever received it."""

    @property
    def url(self) -> str:
        """Address that was asked."""

    @property
    def status(self) -> int:
        """Status of the answer."""

    @property
    def headers(self) -> Mapping[str, str]:
        """Its headers, whose names may be written in any case."""

    @property
    def length(self) -> int | None:
        """Length of the body as the server states it, in bytes."""


class Answer:
    """An answer whose headers are here and whose body is still to come; a context manager.

    Leaving the context before the end of the body closes the connection, so that nothing more of it is sent.
    """

    def __init__(
        self, response: BaseHTTPResponse, body: Body, url: str, line: Line | None, waited_seconds: float
    ) -> None:
        self._response = response
        self._body = body
        self._line = line
        self._longest_silence = waited_seconds
        self._opened = time.monotonic()
        self._received = 0
        self._ended = False
        self.url = url
        self.status = response.status
        self.headers: Mapping[str, str] = response.headers

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._line is not None:
            self._line.detach()
        if self._ended or self._body.length == 0:
            self._body.close()  # the connection can be used again
        else:
            self._response.close()
        self._response.release_conn()

    @property
    def length(self) -> int | None:
        """Length of the body as the server states it, in bytes."""
        return stated_length(self.headers)

    def read_into(self, view: memoryview) -> int:
        """Put what comes next of the body, undecoded, into ``view``; returns how many bytes, 0 at its end.

        Raises
        ------
        ServiceError
            If the server falls silent, hangs up, or sends less than it promised.
        """
        from http.client import HTTPException

        if self._ended:
            return 0
        began = time.monotonic()
        try:
            count = self._body.read_some(view)
        except (HTTPException, OSError) as error:
            raise _lost_connection(self.url, error) from error
        now = time.monotonic()
        self._longest_silence = max(self._longest_silence, now - began)
        self._received += count
        if count:
            counter.add(bytes_received=count)
            self._check_rate(now - self._opened)
        else:
            self._end(now - self._opened)
        return count

    def chunks(self, size: int = 64 * 1024) -> Iterator[bytes]:
        """Yield the body in pieces of at most ``size`` bytes; raises what :meth:`read_into` does."""
        view = memoryview(bytearray(size))
        while count := self.read_into(view):
            yield bytes(view[:count])

    def _end(self, seconds: float) -> None:
        if self._body.length:
            raise ServiceError(f"{self.url} broke off {self._body.length} bytes too early", retryable=True)
        self._ended = True
        answer_times(self.url).add(self._longest_silence, seconds=seconds, length=self._received)

    def _check_rate(self, seconds: float) -> None:
        """Cut off a server that is never silent for long and never gets anywhere."""
        if self._received < seconds * _SLOWEST_BYTES_PER_SECOND and seconds > settings.timeout_seconds():
            counter.add(stalls=1)
            raise ServiceError(
                f"{self.url} comes with {self._received / seconds:.0f} bytes a second, which would take "
                "forever",
                retryable=True,
            )

    def body(self, *, limit_bytes: int) -> bytes:
        """Return the whole body; more than ``limit_bytes`` of it is refused."""
        collected = bytearray()
        for chunk in self.chunks():
            collected += chunk
            if len(collected) > limit_bytes:
                raise ServiceError(f"{self.url} sends more than {limit_bytes} bytes, which cannot be right")
        return bytes(collected)


def stated_length(headers: Mapping[str, str]) -> int | None:
    """Return the length of a body by the headers before it; None where they say none that can be."""
    text = headers.get("Content-Length", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def open_answer(
    method: str,
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    attempt: int = 0,
    statuses: tuple[int, ...] = (200,),
    line: Line | None = None,
) -> Answer:
    """Ask once and return the answer as soon as its headers are there.

    Parameters
    ----------
    method, url, headers, body
        The question. ``Accept-Encoding: identity`` and the library's name are added to it.
    attempt
        Which attempt this is; later ones are given more time.
    statuses
        The statuses that count as answers; others become errors.
    line
        Told of the connection, so that another thread can cut it.

    Raises
    ------
    ArchiveFileNotFoundError
        For 404 and 410.
    ServiceError
        For everything else; ``retryable`` says whether asking again can help.
    """
    for _ in range(_REDIRECTS):
        answer = _open_once(method, url, headers or {}, attempt, line, body)
        if answer.status in statuses:
            return answer
        with answer:
            if answer.status not in {301, 302, 303, 307, 308}:
                raise status_error(answer)
            url = redirected(url, answer.headers.get("Location", ""))
    raise ServiceError(f"{url} leads from one address to the next without end")


def with_retries(
    ask: Callable[[int], T], *, cancelled: threading.Event | None = None, attempts: int = ATTEMPTS
) -> T:
    """Return what ``ask(attempt)`` returns, calling it again while its failure is worth another attempt."""
    for attempt in range(attempts):
        try:
            return ask(attempt)
        except ServiceError as error:
            seconds = pause_before_retry(attempt, error.retry_after_seconds)
            if not error.retryable or attempt == attempts - 1:
                raise
            if seconds > LONGEST_PAUSE_SECONDS:
                error.add_note(f"It asks to be left alone for {seconds:.0f} s; try again after that.")
                raise
            if cancelled is not None and cancelled.is_set():
                raise
            logger.info("asking again in %.1f s: %s", seconds, error)
            counter.add(retries=1)
            pause(seconds, cancelled)
    raise AssertionError("unreachable: the last attempt returns or raises")


def user_agent() -> str:
    """Return how the library introduces itself to servers."""
    from empiarreader import __version__

    home = "https://github.com/ccpem/empiarreader"
    return f"empiarreader/{__version__} (+{home}; contact: {home}/issues)"


def _open_once(
    method: str,
    url: str,
    headers: Mapping[str, str],
    attempt: int,
    line: Line | None,
    body: bytes | None = None,
) -> Answer:
    from urllib3 import Timeout
    from urllib3.exceptions import HTTPError

    if settings.offline():
        raise ServiceError(settings.not_kept(url))
    longest = settings.timeout_seconds()
    timeout = Timeout(
        connect=min(_LONGEST_CONNECT_SECONDS, longest),
        read=answer_times(url).stall_limit(attempt, longest=longest),
    )
    counter.add(requests=1)
    logger.debug("%s %s", method, url)
    began = time.monotonic()
    try:
        with asking_on(line) as asked:
            response = connections(url).request(
                method,
                url,
                body=body,
                headers={"User-Agent": user_agent(), "Accept-Encoding": "identity", **headers},
                timeout=timeout,
                pool_timeout=_LONGEST_QUEUE_SECONDS,
                preload_content=False,
                redirect=False,
                retries=False,
            )
            assert asked.body is not None  # every connection of the pools tells of it
            return Answer(response, asked.body, url, line, time.monotonic() - began)
    except (HTTPError, OSError) as error:
        raise _lost_connection(url, error) from error


def _lost_connection(url: str, error: Exception) -> ServiceError:
    from urllib3 import exceptions

    host = urlsplit(url).netloc
    if isinstance(error, exceptions.ConnectTimeoutError):
        return ServiceError(f"{host} does not answer; is there a network? ({url})", retryable=True)
    if isinstance(error, (exceptions.ReadTimeoutError, TimeoutError)):
        counter.add(stalls=1)
        return ServiceError(f"{host} stopped answering in the middle of {url}", retryable=True)
    if isinstance(error, exceptions.NameResolutionError):
        return ServiceError(
            f"the name {host} cannot be resolved; is there a network? ({url})", retryable=True
        )
    if isinstance(error, exceptions.NewConnectionError):
        return ServiceError(f"cannot connect to {host}; is there a network? ({url})", retryable=True)
    if isinstance(error, exceptions.SSLError) and "CERTIFICATE_VERIFY_FAILED" in str(error):
        return ServiceError(
            f"{host} cannot show that it is {host}: {error}. Behind a firewall that opens connections, name "
            "its authority in SSL_CERT_FILE"
        )
    if isinstance(error, exceptions.LocationValueError):
        return ServiceError(f"{url} is no address that can be asked: {error}")
    return ServiceError(f"{host} broke off while answering {url}: {error}", retryable=True)


def status_error(answer: Answered) -> ServiceError | ArchiveFileNotFoundError:
    """Return the error that an answer's status stands for."""
    status, url = answer.status, answer.url
    if status in {404, 410}:
        return ArchiveFileNotFoundError(f"there is nothing at {url} (status {status})")
    seconds = parse_retry_after(answer.headers.get("Retry-After"))
    return ServiceError(
        f"{urlsplit(url).netloc} answered with status {status} instead of {url}",
        status=status,
        retryable=status in _WORTH_ASKING_AGAIN,
        retry_after_seconds=seconds,
    )


def redirected(url: str, location: str) -> str:
    """Return where a server sends us; only to its own host, and never from a file to a directory's page."""
    target = urljoin(url, location)
    here, there = urlsplit(url), urlsplit(target)
    if not location or there.scheme not in {"http", "https"} or there.hostname != here.hostname:
        raise ServiceError(f"{url} leads to another host ({target!r}), which is not followed")
    if here.scheme == "https" and there.scheme == "http":
        raise ServiceError(f"{url} leads to an address without encryption, which is not followed")
    if there.path == here.path + "/":
        raise ArchiveFileNotFoundError(f"{url} is a directory, not a file")
    return target
