"""How fast the services may be asked: connections at a time for files, requests a second for interfaces.

The rates are those that the RCSB builds into its own client (Search 10 a second, Data 20 with four at a time,
ModelServer 10), and 10 a second where none is published (EMBL-EBI, UniProt); servers of single groups also
get no more than four connections. They hold for the public services, for all fetchers of a process together.
Static files, and mirrors of one's own, are only limited in connections. When a service asks for a pause, all
requests to it pause, not only the one that was told so.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

MOST_CONNECTIONS = 16
"""To one host at a time."""

_BURST_SECONDS = 1.0  # so much of a second's requests may come at once


@dataclass(frozen=True, kw_only=True)
class Limit:
    """What one service allows."""

    connections: int = MOST_CONNECTIONS
    per_second: float | None = None


_LIMITS = {
    "search.rcsb.org": Limit(per_second=10),
    "data.rcsb.org": Limit(per_second=20, connections=4),
    "models.rcsb.org": Limit(per_second=10),
    "rest.uniprot.org": Limit(per_second=10),
    "alphafold.ebi.ac.uk/api": Limit(per_second=10),
    "www.ebi.ac.uk/pdbe/api": Limit(per_second=10),
    "www.ebi.ac.uk/pdbe/pdbe-kb": Limit(per_second=10),
    "www.rcsb.org": Limit(per_second=10),
    **dict.fromkeys(
        # Servers of single groups.
        ("swissmodel.expasy.org", "alphafill.eu", "www.modelarchive.org", "pdb-redo.eu", "ted.cathdb.info"),
        Limit(per_second=10, connections=4),
    ),
}


class Gate:
    """Lets requests to one service through, as many and as fast as its limit says. For threads.

    Parameters
    ----------
    limit
        What the service allows.
    """

    def __init__(self, limit: Limit) -> None:
        self._connections = threading.BoundedSemaphore(limit.connections)
        self._seconds_each = 0.0 if limit.per_second is None else 1.0 / limit.per_second
        self._lock = threading.Lock()
        self._due = 0.0  # when the requests let through so far would be done at the even rate
        self._closed_until = 0.0

    @contextlib.contextmanager
    def turn(self) -> Iterator[None]:
        """Wait until it is this request's turn; it holds a connection until the block ends."""
        with self._connections:
            while (wait := self._closed_until - time.monotonic()) > 0:
                time.sleep(wait)
            if self._seconds_each:
                time.sleep(self._place_in_line())
            yield

    def close_for(self, seconds: float) -> None:
        """Let nobody through for so long."""
        with self._lock:
            self._closed_until = max(self._closed_until, time.monotonic() + seconds)

    def _place_in_line(self) -> float:
        """Take the next place, and say how long it is until then."""
        with self._lock:
            now = time.monotonic()
            start = max(now, self._due - _BURST_SECONDS)
            self._due = max(self._due, start) + self._seconds_each
            return start - now


_gates: dict[tuple[int, str], Gate] = {}


def gate_for(url: str) -> Gate:
    """Gate of the service that an address belongs to."""
    parts = urlsplit(url)
    place = f"{parts.hostname}{parts.path}"
    name = next((name for name in _LIMITS if place.startswith(f"{name}/")), parts.netloc)
    # A forked process begins with gates of its own: those it inherits may be held by threads it has not.
    # (dict.setdefault is one step, so threads need no lock here.)
    return _gates.setdefault((os.getpid(), name), Gate(_LIMITS.get(name, Limit())))
