"""The log of requests, with the bytes that really left."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase

from perc_archive.protocol import Request


@dataclass(frozen=True, kw_only=True)
class LoggedRequest:
    """One request that the archive was asked, and what it sent.

    ``path`` is decoded and starts with a slash, ``query`` is as sent, ``headers`` answer to any case,
    ``body_bytes_sent`` counts the bytes of the body handed to the network (not header bytes). ``status`` 0
    means that the connection was closed without an answer. Transfers over FTP are logged under their command
    (RETR, MLSD, LIST, NLST) with the host ftp.ebi.ac.uk. ``connection`` is one number for all requests of an
    HTTP connection.
    """

    method: str
    host: str
    path: str
    query: str
    status: int
    range: str | None
    headers: Mapping[str, str]
    body_bytes_sent: int
    connection: int


class Entry:
    """A line of the journal while its request is being answered."""

    __slots__ = ("active", "generation", "request", "sent", "stalled", "status")

    def __init__(self, request: Request, generation: int) -> None:
        self.request = request
        self.generation = generation
        self.status = 0
        self.sent = 0
        self.active = True
        self.stalled = False

    def as_json(self) -> dict[str, object]:
        """Fields of the `LoggedRequest`."""
        return {
            "method": self.request.method,
            "host": self.request.host,
            "path": self.request.path,
            "query": self.request.query,
            "status": self.status,
            "range": self.request.headers.get("Range") or None,
            "headers": dict(self.request.headers),
            "body_bytes_sent": self.sent,
            "connection": self.request.connection,
        }


class Journal:
    """All requests since the last `clear`, in the order in which they came."""

    def __init__(self) -> None:
        self.generation = 0
        self._entries: list[Entry] = []
        self._changed = threading.Condition()

    def begin(self, request: Request) -> Entry:
        """Write down a request before it is answered."""
        entry = Entry(request, self.generation)
        with self._changed:
            self._entries.append(entry)
        return entry

    def end(self, entry: Entry) -> None:
        """Note that nothing more will be sent for a request."""
        with self._changed:
            entry.active = False
            self._changed.notify_all()

    def stall(self, entry: Entry) -> None:
        """Note that a request is left hanging on purpose, so that nobody waits for its end."""
        with self._changed:
            entry.stalled = True
            self._changed.notify_all()

    def clear(self) -> None:
        """Start a new log; connections left hanging by the old one are let go."""
        with self._changed:
            self.generation += 1
            self._entries.clear()
            self._changed.notify_all()

    def read(self, match: str, *, patience_seconds: float = 0.5) -> list[dict[str, object]]:
        """Requests whose ``host/path`` matches, oldest first.

        A client may hold the last byte of an answer before this process has counted it; requests that are
        still being answered are therefore waited for, briefly.
        """
        deadline = time.monotonic() + patience_seconds
        with self._changed:
            while any(entry.active and not entry.stalled for entry in self._entries):
                if (
                    not self._changed.wait(max(0.0, deadline - time.monotonic()))
                    and time.monotonic() >= deadline
                ):
                    break
            return [entry.as_json() for entry in self._entries if fnmatchcase(entry.request.place, match)]
