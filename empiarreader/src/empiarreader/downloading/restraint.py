"""What keeps a download from taking too much: a limit of bytes a second, and rests that a server asks for."""

from __future__ import annotations

import threading
import time

from empiarreader.errors import InvalidRequestError

_SLOWEST = 1000.0


class Throttle:
    """Lets no more than so many bytes a second pass, over all connections together.

    Every piece that has arrived pays for itself before the next is received, so that the senders are slowed
    down by full buffers and nothing is lost. What was not used is not saved up.
    """

    def __init__(self, bytes_per_second: float) -> None:
        if not bytes_per_second >= _SLOWEST:
            raise InvalidRequestError(
                f"a limit of {bytes_per_second:g} bytes a second is none to work with; give 1 kB or more"
            )
        self._rate = bytes_per_second
        self._paid_until = 0.0
        self._lock = threading.Lock()

    @property
    def read_at_once(self) -> int:
        """How much to receive in one piece, so that the pauses are short."""
        return max(1024, min(256 * 1024, int(self._rate / 64)))

    def pay(self, count: int, stopped: threading.Event) -> None:
        """Wait until ``count`` bytes more may have passed, or all is stopped."""
        with self._lock:
            now = time.monotonic()
            self._paid_until = max(self._paid_until, now) + count / self._rate
            seconds = self._paid_until - now
        if seconds > 0:
            stopped.wait(seconds)


class Rest:
    """Rests that a server has asked for, kept by all who would ask it something."""

    def __init__(self) -> None:
        self._until = 0.0

    @property
    def is_on(self) -> bool:
        """Whether it has asked to be left alone just now."""
        return time.monotonic() < self._until

    def ask(self, seconds: float) -> None:
        """Have everybody wait for so long from now on."""
        self._until = max(self._until, time.monotonic() + seconds)

    def keep(self, stopped: threading.Event) -> None:
        """Wait for the end of it, or until all is stopped."""
        while (seconds := self._until - time.monotonic()) > 0 and not stopped.is_set():
            stopped.wait(seconds)
