"""Misbehaviour on request: which fault acts on which request."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

KINDS = ("stall", "drop", "status", "ignore_range", "html", "wrong_length", "gzip", "omit", "refuse")


@dataclass(kw_only=True)
class Fault:
    """One misbehaviour: what is done, to whom, and how often."""

    kind: str
    match: str = "*"
    times: int | None = 1
    after_bytes: int = 0
    status: int = 503
    retry_after: str | None = None
    every: int = 1
    seen: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"no fault is called {self.kind!r}; there are {', '.join(KINDS)}")
        if self.every < 1:
            raise ValueError(f"every={self.every}: a fault acts on each n-th request, n from 1")

    def takes(self, place: str) -> bool:
        """Count a matching request, and say whether it is this fault's turn."""
        if self.times == 0 or not fnmatchcase(place, self.match):
            return False
        self.seen += 1
        if self.seen % self.every:
            return False
        if self.times is not None:
            self.times -= 1
        return True


class FaultBook:
    """Faults in the order added. The oldest one whose turn it is acts; one fault a request."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def add(self, fault: Fault) -> None:
        """Take a fault in."""
        with self._lock:
            self._faults.append(fault)

    def clear(self) -> None:
        """Behave."""
        with self._lock:
            self._faults.clear()

    def choose(self, place: str, *, has_range: bool) -> Fault | None:
        """Fault that acts on a request for `place`, if any."""
        if not self._faults:  # the usual case, without the lock
            return None
        with self._lock:
            for fault in self._faults:
                if fault.kind == "omit" or (fault.kind == "ignore_range" and not has_range):
                    continue
                if fault.takes(place):
                    return fault
        return None

    def omitted(self, folder: str, names: list[str]) -> set[str]:
        """Names that the listing of `folder` (``host/path/``) leaves out this time."""
        if not self._faults:
            return set()
        with self._lock:
            omitting = [fault for fault in self._faults if fault.kind == "omit"]
            return {name for name in names for fault in omitting if fault.takes(folder + name)}
