"""Many parts at once, and a second request for those that are late.

About one request in thirty to the archive hangs. The thread that wants the bytes watches those that fetch
them: a part that is silent for much longer than its host's answers usually are, or that takes much longer
than its length explains, is asked for a second time, and whichever answer is complete first is used.

The cost is bounded: a read of n parts sends at most 2 + n / 8 requests of this kind, none while the server
has asked to be left alone, and none where most parts are late at once, as then the link is slow, or this
machine.
"""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue

from empiarreader.errors import ServiceError
from empiarreader.network.connections import CONNECTIONS_PER_HOST, HEDGES_PER_HOST, answer_times, on_fork
from empiarreader.network.counters import counter
from empiarreader.network.parts import Part
from empiarreader.threads import Threads

_LOOK_EVERY_SECONDS = 0.02
_ALWAYS_ALLOWED = 2
_PARTS_A_HEDGE = 8
_RACERS_A_PART = 3
_FEW = 4
# Few more than there are connections: what waits to be delivered takes memory.
_BEGUN_AT_ONCE = CONNECTIONS_PER_HOST + 8


def fetch_parts(parts: Sequence[Part], *, deliver: Callable[[Part], None] | None = None) -> None:
    """Fetch all parts, up to 16 at a time in this process; raise the first error.

    When this returns or raises, nobody writes to the parts' memory any more.

    Parameters
    ----------
    parts
        What to fetch.
    deliver
        Called in this thread with each part that is complete, in the order in which they are.
    """
    settled: SimpleQueue[Part] = SimpleQueue()
    watch = _Watch(parts)
    crew = _process.crew()
    coming = iter(parts)

    def begin(part: Part) -> None:
        part.when_settled = settled.put
        crew.submit(part.fetch)

    try:
        for part in itertools.islice(coming, _BEGUN_AT_ONCE):
            begin(part)
        for _ in parts:
            part = watch.next_settled(settled)
            if part.error is not None:
                raise part.error
            if deliver is not None:
                deliver(part)
            for following in itertools.islice(coming, 1):
                begin(following)
    finally:
        for part in parts:
            part.cancel()


class _Watch:
    """Looks after the parts of one read."""

    def __init__(self, parts: Sequence[Part]) -> None:
        self._parts = parts
        self._times = answer_times(parts[0].url) if parts else None
        self._left = _ALWAYS_ALLOWED + len(parts) // _PARTS_A_HEDGE
        self._looked = time.monotonic()

    def next_settled(self, settled: SimpleQueue[Part]) -> Part:
        """Return the next part that is settled, looking for late ones meanwhile."""
        while True:
            try:
                return settled.get(timeout=_LOOK_EVERY_SECONDS)
            except Empty:
                if _process.is_ending():
                    raise ServiceError("the program ends, and nobody waits for the rest") from None
                self._look()
            finally:
                if time.monotonic() - self._looked > _LOOK_EVERY_SECONDS:
                    self._look()

    def _look(self) -> None:
        now = time.monotonic()
        overslept, self._looked = now - self._looked > 10 * _LOOK_EVERY_SECONDS, now
        if overslept or self._left <= 0:
            return  # this process had no time for its own threads, which says nothing of the server
        late, count = self._late(now)
        if len(late) > _FEW and 2 * len(late) > count:
            return
        for part in late[: self._left]:
            self._left -= 1
            counter.add(hedges=1)
            _process.helpers().submit(part.fetch_again)

    def _late(self, now: float) -> tuple[list[Part], int]:
        """Return the parts of which every request is late, and the number of all that are under way."""
        assert self._times is not None
        late, count = [], 0
        for part in self._parts:
            if part.settled.is_set():
                continue
            racers = part.racers()
            if not racers:
                continue
            count += 1
            if len(racers) < _RACERS_A_PART and all(
                self._times.is_late(racer.silence(now), racer.age(now), part.length - racer.offset)
                for racer in racers
            ):
                late.append(part)
        return late, count


class _Process:
    """The threads of this process that fetch parts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._crew: Threads | None = None
        self._helpers: Threads | None = None
        # Python lets go the idle threads of such a pool before it waits for the busy ones of all of them.
        self._let_go_at_the_end = ThreadPoolExecutor(1, thread_name_prefix="empiarreader-idle")
        self._idle: threading.Thread | None = None

    def crew(self) -> Threads:
        """Return those that make the first request for a part."""
        with self._lock:
            if self._crew is None:
                self._crew = Threads(CONNECTIONS_PER_HOST, "empiarreader")
                self._idle = self._let_go_at_the_end.submit(threading.current_thread).result()
            return self._crew

    def is_ending(self) -> bool:
        """Return whether the program ends, and waits for the thread that asks, if that is one of a pool."""
        return self._idle is not None and not self._idle.is_alive()

    def helpers(self) -> Threads:
        """Return those that make further ones: few, and never waiting behind parts that have not begun."""
        with self._lock:
            if self._helpers is None:
                self._helpers = Threads(HEDGES_PER_HOST, "empiarreader-hedge")
            return self._helpers


_process = _Process()


def _begin_again_after_fork() -> None:
    global _process
    _process = _Process()


on_fork(_begin_again_after_fork)
