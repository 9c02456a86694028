"""How far a download is: bytes, rate and time left."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from empiarreader.downloading.placement import Placement

_RATE_OVER_SECONDS = 20.0


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a download is.

    Attributes
    ----------
    files, files_in_all : int
        Files done, failures among them, and all.
    size_bytes : int
        What has arrived, with what was there of files that are continued.
    size_bytes_in_all : int or None
        What all files have together: a guess until the size of each is known, None before there is any.
    bytes_per_second : float
        What has been arriving for the last twenty seconds.
    """

    files: int
    files_in_all: int
    size_bytes: int
    size_bytes_in_all: int | None
    bytes_per_second: float

    @property
    def seconds_left(self) -> float | None:
        """How long the rest takes at the present rate, None where that cannot be said.

        Examples
        --------
        >>> half = Progress(
        ...     files=1, files_in_all=2, size_bytes=50, size_bytes_in_all=100, bytes_per_second=5.0
        ... )
        >>> half.seconds_left
        10.0
        """
        if self.size_bytes_in_all is None or self.bytes_per_second <= 0:
            return None
        return max(0, self.size_bytes_in_all - self.size_bytes) / self.bytes_per_second


class Counts(Protocol):
    """What a meter reads."""

    bytes_arrived: int
    bytes_known: int
    files_known: int


class Meter:
    """Reads how far a download is."""

    def __init__(self, placements: Sequence[Placement], counts: Counts) -> None:
        self._files = len(placements)
        sizes = [placement.size for placement in placements if placement.size is not None]
        self._listed = sum(sizes) if len(sizes) == len(placements) else None
        self._counts = counts
        self._seen: deque[tuple[float, int]] = deque()

    def read(self, files_done: int) -> Progress:
        """Return how far it is now."""
        now, arrived = time.monotonic(), self._counts.bytes_arrived
        while len(self._seen) > 1 and now - self._seen[0][0] > _RATE_OVER_SECONDS:
            self._seen.popleft()
        self._seen.append((now, arrived))
        began, before = self._seen[0]
        return Progress(
            files=files_done,
            files_in_all=self._files,
            size_bytes=arrived,
            size_bytes_in_all=self._in_all(arrived),
            bytes_per_second=(arrived - before) / (now - began) if now > began else 0.0,
        )

    def _in_all(self, arrived: int) -> int | None:
        known, size = self._counts.files_known, self._counts.bytes_known
        if known >= self._files:
            return max(size, arrived)
        if self._listed is not None:
            return max(self._listed, arrived)
        return max(round(size / known * self._files), arrived) if known else None
