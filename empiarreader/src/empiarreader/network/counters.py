"""How much this process has asked of servers: requests, bytes, retries and stalls."""

from __future__ import annotations

import threading
from dataclasses import asdict, dataclass


@dataclass(frozen=True, kw_only=True)
class Traffic:
    """What went over the network; the difference of two of them is what happened in between.

    Examples
    --------
    >>> Traffic(requests=5, bytes_received=4096) - Traffic(requests=3, bytes_received=1024)
    Traffic(requests=2, bytes_received=3072, retries=0, stalls=0, hedges=0)
    """

    requests: int = 0
    bytes_received: int = 0  # bodies only, as they came
    retries: int = 0
    stalls: int = 0  # attempts given up because the server fell silent
    hedges: int = 0  # second requests sent because the first was late

    def __sub__(self, earlier: Traffic) -> Traffic:
        return Traffic(
            requests=self.requests - earlier.requests,
            bytes_received=self.bytes_received - earlier.bytes_received,
            retries=self.retries - earlier.retries,
            stalls=self.stalls - earlier.stalls,
            hedges=self.hedges - earlier.hedges,
        )


class _Counter:
    """The counts of this process, safe to add to from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = asdict(Traffic())

    def add(self, **more: int) -> None:
        """Add to some counts, by the names that :class:`Traffic` has for them."""
        with self._lock:
            for name, count in more.items():
                self._counts[name] += count

    def snapshot(self) -> Traffic:
        with self._lock:
            return Traffic(**self._counts)

    def after_fork(self) -> None:
        # The thread that held the lock does not exist in the child; the counts go on from the parent's.
        self._lock = threading.Lock()


counter = _Counter()


def traffic() -> Traffic:
    """Return what this process has moved since it started.

    Examples
    --------
    >>> before = traffic()
    >>> (traffic() - before).bytes_received
    0
    """
    return counter.snapshot()
