"""The ways into the archive that files come through: HTTPS, with ranges, and FTP, which goes on from a place.

A door belongs to one thread. It opens a stream of a file's bytes from one place to another, having checked
that they are of the version wanted, and receives them into memory of the caller.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import format_datetime
from http.client import HTTPException
from typing import Protocol

from empiarreader import settings
from empiarreader.errors import FileChangedError, ServiceError
from empiarreader.network.answers import (
    FileVersion,
    parse_content_range,
    refuse_page_or_compression,
    version_of,
)
from empiarreader.network.connections import answer_times
from empiarreader.network.counters import counter
from empiarreader.network.transport import redirected, status_error
from empiarreader.network.wire import Head, Wire, lost

_REDIRECTS = 5
_SLOWEST_BYTES_PER_SECOND = 1024


@dataclass(frozen=True)
class Coming:
    """What a stream is about to bring: bytes from ``start`` to ``stop`` of a file of that version."""

    version: FileVersion
    start: int
    stop: int
    is_from_the_start_only: bool = False  # the server sent all, though a range was asked for


class Door(Protocol):
    """What a thread fetches files through."""

    splits: bool  # whether parts of a file can be had side by side

    def version(self, url: str, attempt: int) -> FileVersion:
        """Return the version of a file that the archive has now; no bytes of it move."""

    def open(self, url: str, start: int, stop: int | None, known: FileVersion | None, attempt: int) -> Coming:
        """Ask for bytes of a file; ``stop`` None asks for the whole of it."""

    def receive(self, view: memoryview) -> int:
        """Receive bytes of what was opened last; 0 at the end of them."""

    def ended(self) -> None:
        """Note that all that was wanted has been received."""

    def leave(self) -> None:
        """Give up what was opened last."""

    def close(self) -> None:
        """Close the connection."""

    def interrupt(self) -> None:
        """End the answer under way, from another thread."""

    def cut(self) -> None:
        """Break the connection from another thread, for good."""


class HttpDoor:
    """A door onto an HTTP server, over one connection.

    Parameters
    ----------
    url
        Any address on the server.
    next_file
        Called when an answer has been received whole: the file that will be opened next, with the length of
        its beginning, for which the server is asked at once; None where that is not known.
    """

    splits = True

    def __init__(self, url: str, next_file: Callable[[], tuple[str, int] | None] = lambda: None) -> None:
        self._next_file = next_file
        self._wire = Wire(url)
        self._times = answer_times(url)
        self._longest = settings.timeout_seconds()
        self._url = url
        self._asked = self._heard = self._silence = 0.0
        self._waited = 0.0  # for the server, which is slow by that, not by what we take for other things
        self._received = 0

    def version(self, url: str, attempt: int) -> FileVersion:
        """Return the version of a file that the archive has now; no bytes of it move."""
        return _whole_version(self._ask("HEAD", url, {}, attempt, (200,)))

    def open(self, url: str, start: int, stop: int | None, known: FileVersion | None, attempt: int) -> Coming:
        """Ask for bytes of a file, and check the head of the answer.

        Raises
        ------
        FileChangedError
            If what comes is of another version than the one known.
        ArchiveFileNotFoundError, ServiceError
            If it is not there, or is not what was asked for.
        """
        headers = {} if stop is None else _range(start, stop)
        condition = None if known is None or stop is None else strong_validator(known)
        if condition is not None:
            headers["If-Range"] = condition
        head = self._ask("GET", url, headers, attempt, (200, 206, 416))
        try:
            return self._check(head, start, stop, known)
        except BaseException:
            self.leave()
            raise

    def receive(self, view: memoryview) -> int:
        """Receive bytes of the body; 0 at its end."""
        began = time.monotonic()
        try:
            count = self._wire.receive(view)
        except (OSError, HTTPException) as error:
            self.leave()
            raise lost(self._url, error) from error
        now = time.monotonic()
        self._silence = max(self._silence, now - self._heard)
        self._heard = now
        self._waited += now - began
        self._received += count
        if self._wire.is_idle() and (coming := self._next_file()) is not None:
            next_url, length = coming
            self._wire.ask_ahead("GET", next_url, _range(0, length))
        if self._waited > self._longest:
            self._refuse_what_takes_forever()
        return count

    def ended(self) -> None:
        """Remember how long the answer took, from which patience is learned."""
        self._times.add(self._silence, seconds=self._heard - self._asked, length=self._received)
        self._count()

    def leave(self) -> None:
        """Give up the answer; where more of it would be sent, by closing the connection."""
        self._count()
        if not self._wire.is_idle():
            self._wire.close()

    def close(self) -> None:
        """Close the connection."""
        self._count()
        self._wire.close()

    def interrupt(self) -> None:
        """End the answer under way, from another thread."""
        self._wire.interrupt()

    def cut(self) -> None:
        """Break the connection from another thread, for good."""
        self._wire.cut()

    def _refuse_what_takes_forever(self) -> None:
        rate = self._received / self._waited
        if rate < _SLOWEST_BYTES_PER_SECOND:
            self.leave()
            counter.add(stalls=1)
            raise ServiceError(
                f"{self._url} comes with {rate:.0f} bytes a second, which takes forever", retryable=True
            )

    def _count(self) -> None:
        counter.add(bytes_received=self._received)
        self._received = 0

    def _ask(
        self, method: str, url: str, headers: dict[str, str], attempt: int, statuses: tuple[int, ...]
    ) -> Head:
        for _ in range(_REDIRECTS):
            self._url = url
            # What was asked ahead counts from now on, too: it is for how long the server keeps us waiting.
            self._asked = time.monotonic()
            self._received = 0
            limit = self._times.stall_limit(attempt, longest=self._longest)
            head = self._wire.ask(method, url, headers, silence_seconds=limit)
            self._heard = time.monotonic()
            self._silence = self._waited = self._heard - self._asked
            if head.status in statuses:
                return head
            self._wire.skip()
            if head.status not in {301, 302, 303, 307, 308}:
                raise status_error(head)
            url = redirected(url, head.headers.get("Location", ""))
        raise ServiceError(f"{url} leads from one address to the next without end")

    def _check(self, head: Head, start: int, stop: int | None, known: FileVersion | None) -> Coming:
        if head.status == 416:
            return self._check_refusal(head, start, known)
        refuse_page_or_compression(head)
        if head.status == 200:
            version = _whole_version(head)
            _refuse_change(head.url, version, known)
            if start:
                raise ServiceError(
                    f"{head.url} came from its beginning, not from byte {start}", retryable=True
                )
            return Coming(version, 0, version.size, is_from_the_start_only=stop is not None)
        found = parse_content_range(head)
        version = version_of(head, found.size)
        _refuse_change(head.url, version, known)
        if stop is None or found.first != start or found.last != min(stop, found.size) - 1:
            raise ServiceError(
                f"{head.url} came with bytes {found.first}-{found.last} of {found.size}, not from {start}",
                retryable=True,
            )
        if head.length is None or head.length != found.last + 1 - found.first:
            raise ServiceError(
                f"{head.url} came with {head.length} bytes for a range of others", retryable=True
            )
        return Coming(version, start, found.last + 1)

    def _check_refusal(self, head: Head, start: int, known: FileVersion | None) -> Coming:
        """An empty file has no range that could be asked for; else the file has become shorter."""
        self._wire.skip()
        if start == 0 and known is None:
            whole = self.open(head.url, 0, None, None, 0)
            return Coming(whole.version, 0, whole.stop)
        raise FileChangedError(f"{head.url} is shorter than it was; begin again")


class FtpDoor:
    """A door onto the FTP server: one stream of a file at a time, from any place on.

    Files keep their HTTPS addresses as names; what is asked is the same path below ``EMPIARREADER_FTP_URL``.
    """

    splits = False

    def __init__(self) -> None:
        from empiarreader.network.ftpstream import FtpStream

        self._stream = FtpStream()

    def version(self, url: str, attempt: int) -> FileVersion:
        """Return size and time of a file; FTP knows no more of its version."""
        size, modified = self._stream.facts(_over_ftp(url))
        when = None if modified is None else format_datetime(modified, usegmt=True)
        return FileVersion(size=size, last_modified=when)

    def open(self, url: str, start: int, stop: int | None, known: FileVersion | None, attempt: int) -> Coming:
        """Ask for a file from ``start`` on, if it is the version known."""
        version = self.version(url, attempt)
        _refuse_change(url, version, known)
        self._stream.open(_over_ftp(url), start)
        return Coming(version, start, version.size)

    def receive(self, view: memoryview) -> int:
        """Receive bytes; 0 at the end of the file."""
        return self._stream.receive(view)

    def ended(self) -> None:
        """Have the server say that this was all."""
        self._stream.ended()

    def leave(self) -> None:
        """Give up the file, by closing the connection."""
        self._stream.close()

    def close(self) -> None:
        """Close the connection."""
        self._stream.close()

    def interrupt(self) -> None:
        """End the answer under way, from another thread."""
        self._stream.interrupt()

    def cut(self) -> None:
        """Break the connection from another thread, for good."""
        self._stream.cut()


def _range(start: int, stop: int) -> dict[str, str]:
    return {"Range": f"bytes={start}-{stop - 1}"}


def _over_ftp(url: str) -> str:
    return settings.ftp_url() + url.removeprefix(settings.archive_url())


def strong_validator(version: FileVersion) -> str | None:
    """Return what a range of the same version can be asked for with (RFC 9110, If-Range), None if nothing."""
    if version.etag and not version.etag.startswith("W/"):
        return version.etag
    return version.last_modified


def _whole_version(head: Head) -> FileVersion:
    if head.length is None:
        raise ServiceError(f"{head.url} came without its size; it could not be checked", retryable=True)
    return version_of(head, head.length)


def _refuse_change(url: str, version: FileVersion, known: FileVersion | None) -> None:
    if known is not None and version.differs_from(known):
        raise FileChangedError(
            f"{url} changed while it was downloaded ({known.size} bytes then, {version.size} now)"
        )
