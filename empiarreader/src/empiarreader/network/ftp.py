"""The archive's FTP door: directories with exact sizes, over a few connections that are used again.

ftplib speaks the protocol. Names travel as bytes, mostly UTF-8, and are kept exactly, whatever they are.
"""

from __future__ import annotations

import ftplib
import re
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar
from urllib.parse import unquote, urlsplit

from empiarreader import settings
from empiarreader.errors import ArchiveFileNotFoundError, ServiceError
from empiarreader.listing.pages import ListedItem
from empiarreader.network.connections import on_fork
from empiarreader.network.counters import counter
from empiarreader.network.transport import with_retries

T = TypeVar("T")

CONNECTIONS = 8
_MOST_LINES = 5_000_000
# -rw-r--r--   1 ftp      ftp      569560224 Feb 07  2022 name with spaces.mrc
_LINE = re.compile(r"([-dl])\S{9,10}\s+\d+\s+\S+\s+\S+\s+(\d+)\s+(\w{3}\s+\d+\s+[\d:]{4,5}) (.+)")
_NOT_UNDERSTOOD = ("500", "501", "502", "504")


def list_over_ftp(url: str) -> tuple[ListedItem, ...]:
    """Return what a directory holds, sorted by name; sizes are exact.

    Parameters
    ----------
    url
        ``ftp://host[:port]/path``, percent-encoded.

    Raises
    ------
    ArchiveFileNotFoundError
        If there is no such directory.
    ServiceError
        If the server cannot be asked.
    """
    path = unquote(urlsplit(url).path, encoding="latin-1")
    items = over_ftp(url, lambda connection: _list(connection, path))
    return tuple(sorted(items, key=lambda item: item.name))


def over_ftp(url: str, ask: Callable[[ftplib.FTP], T]) -> T:
    """Return what ``ask`` gets from a connection to the address's server, asking again where that can help.

    Raises
    ------
    ArchiveFileNotFoundError
        If the server says that there is no such thing.
    ServiceError
        For everything else.
    """
    host = urlsplit(url).netloc

    def attempt_once(attempt: int) -> T:
        counter.add(requests=1)
        try:
            with _sessions.session(host) as connection:
                return ask(connection)
        except (OSError, EOFError, ftplib.Error) as error:
            raise refusal(url, error) from error

    return with_retries(attempt_once)


def refusal(url: str, error: Exception) -> ServiceError | ArchiveFileNotFoundError:
    """Return what it means that a server answered with an error, or not at all."""
    host = urlsplit(url).netloc
    if isinstance(error, ftplib.error_perm):
        if str(error).startswith("550"):
            return ArchiveFileNotFoundError(f"there is nothing at {url} ({error})")
        return ServiceError(f"{host} refuses {url}: {error}")
    if isinstance(error, ftplib.error_temp):
        return ServiceError(f"{host} cannot answer now: {error} ({url})", retryable=True)
    if isinstance(error, TimeoutError):
        counter.add(stalls=1)
        return ServiceError(f"{host} stopped answering in the middle of {url}", retryable=True)
    return ServiceError(f"{host} broke off while answering {url}: {error}", retryable=True)


def _list(connection: ftplib.FTP, path: str) -> list[ListedItem]:
    try:
        return [item for line in _lines(connection, f"MLSD {path}") if (item := _of_facts(line))]
    except ftplib.error_perm as error:
        if not str(error).startswith(_NOT_UNDERSTOOD):
            raise
    # LIST takes options and patterns where a path should be; from inside the directory it needs no path.
    connection.cwd(path)
    return [item for line in _lines(connection, "LIST") if (item := _of_line(line))]


def _lines(connection: ftplib.FTP, command: str) -> list[str]:
    lines: list[str] = []

    def add(line: str) -> None:
        lines.append(line)
        if len(lines) > _MOST_LINES:
            raise ServiceError(f"a directory of more than {_MOST_LINES} names cannot be right")

    connection.retrlines(command, add)
    counter.add(bytes_received=sum(map(len, lines)) + 2 * len(lines))
    return lines


def _of_facts(line: str) -> ListedItem | None:
    """Return what a line of MLSD stands for (RFC 3659): ``type=file;size=7;modify=20220207101112; name``."""
    facts, _, name = line.partition(" ")
    known = dict(fact.lower().partition("=")[::2] for fact in facts.split(";") if fact)
    kind = known.get("type", "")
    if kind not in {"file", "dir"}:
        return None  # the directory itself, its parent, and what is neither
    when = known.get("modify", "")
    modified = f"{when[:4]}-{when[4:6]}-{when[6:8]} {when[8:10]}:{when[10:12]}" if len(when) >= 14 else None
    return _item(name, is_directory=kind == "dir", size=known.get("size", ""), modified=modified)


def _of_line(line: str) -> ListedItem | None:
    """Return what a line of LIST stands for, in the form of ``ls -l`` that servers on Unix have."""
    match = _LINE.fullmatch(line)
    if match is None:
        return None
    kind, size, modified, name = match.groups()
    if kind == "l":
        name = name.partition(" -> ")[0]
    return _item(name, is_directory=kind == "d", size=size, modified=modified)


def _item(name: str, *, is_directory: bool, size: str, modified: str | None) -> ListedItem | None:
    decoded = name.encode("latin-1", "replace").decode("utf-8", "surrogateescape")
    if decoded in {"", ".", ".."} or "/" in decoded or "\0" in decoded:
        return None
    exact = int(size) if not is_directory and size.isascii() and size.isdigit() and len(size) < 19 else None
    return ListedItem(name=decoded, is_directory=is_directory, size_bytes=exact, modified=modified)


class _Sessions:
    """Connections of this process that nobody is using, by host; at most a few are open to one host."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._idle: dict[str, list[ftplib.FTP]] = {}
        self._slots: dict[str, threading.Semaphore] = {}
        weakref.finalize(self, _close_all, self._idle)  # at the latest when the process ends

    @contextmanager
    def session(self, host: str) -> Iterator[ftplib.FTP]:
        """Lend a connection; it is kept for the next only if nothing went wrong."""
        with self._lock:
            slots = self._slots.setdefault(host, threading.Semaphore(CONNECTIONS))
        with slots:
            connection = self._take(host)
            try:
                yield connection
            except ftplib.error_perm:
                self._keep(host, connection)  # the server said no, and goes on listening
                raise
            except BaseException:
                connection.close()
                raise
            self._keep(host, connection)

    def _take(self, host: str) -> ftplib.FTP:
        with self._lock:
            idle = self._idle.setdefault(host, [])
            if idle:
                return idle.pop()
        return connect(host)

    def _keep(self, host: str, connection: ftplib.FTP) -> None:
        with self._lock:
            self._idle.setdefault(host, []).append(connection)


def connect(host: str) -> ftplib.FTP:
    """Return a new connection to a server, on which files are what they are (TYPE I)."""
    parts = urlsplit(f"ftp://{host}")
    # latin-1 takes every byte and gives it back: the names are decoded here, not there.
    connection = ftplib.FTP(timeout=settings.timeout_seconds(), encoding="latin-1")
    try:
        connection.connect(parts.hostname or "", parts.port or ftplib.FTP_PORT)
        connection.login()
        connection.voidcmd("TYPE I")
    except BaseException:
        connection.close()
        raise
    return connection


def _close_all(idle: dict[str, list[ftplib.FTP]]) -> None:
    for connections in idle.values():
        for connection in connections:
            connection.close()


_sessions = _Sessions()


def _begin_again_after_fork() -> None:
    global _sessions
    _sessions = _Sessions()


on_fork(_begin_again_after_fork)
