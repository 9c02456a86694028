"""A link with a round trip and a rate, kept by absolute deadlines."""

from __future__ import annotations

import time
from dataclasses import dataclass

CHUNK_BYTES = 65536


@dataclass(frozen=True, kw_only=True)
class Shape:
    """What a connection is like: a round trip, and the bytes that it carries in a second (None: no limit)."""

    latency_seconds: float = 0.0
    rate_bytes_per_second: float | None = None

    def __post_init__(self) -> None:
        if self.latency_seconds < 0 or (
            self.rate_bytes_per_second is not None and self.rate_bytes_per_second <= 0
        ):
            raise ValueError(f"a link cannot have {self}")


class Pace:
    """When the next chunk of an answer may leave.

    Deadlines add up from the arrival of the request, so a late wake-up is made good by the next chunk, and
    the wait is paid before a chunk is sent: after it, every connection would get one chunk for nothing.
    """

    def __init__(self, shape: Shape, *, round_trips: int) -> None:
        self.rate = shape.rate_bytes_per_second
        self._deadline = time.monotonic() + shape.latency_seconds * round_trips
        self._waits = self.rate is not None or shape.latency_seconds > 0
        # Slow links get smaller chunks, so that bytes trickle instead of coming in one lump after a long
        # wait.
        self.chunk = CHUNK_BYTES if self.rate is None else max(1, min(CHUNK_BYTES, int(self.rate / 20)))

    def wait(self, count: int) -> None:
        """Wait until `count` more bytes may leave."""
        if not self._waits:
            return
        if self.rate is not None:
            self._deadline += count / self.rate
        left = self._deadline - time.monotonic()
        if left > 0:
            time.sleep(left)
