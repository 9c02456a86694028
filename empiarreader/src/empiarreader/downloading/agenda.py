"""Who does what next: the rest of files that have begun, files that have not, what is late, or nothing more.

Pieces of files that have begun come before files that have not, so that few files are incomplete at any
moment. When nothing is left to begin, threads that are idle fetch a second time what is late. From a server
as near as the next room as many connections as there are processors bring all there is, and more would only
fight for this process's own time. For small files it is one. The next file is asked for before the last is
written there.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple

from empiarreader import settings
from empiarreader.downloading.late import Hedges
from empiarreader.downloading.ledger import Ledger
from empiarreader.downloading.options import TransferOptions
from empiarreader.downloading.persistence import Persistence
from empiarreader.downloading.placement import Placement
from empiarreader.downloading.transfer import Transfer
from empiarreader.network.connections import CONNECTIONS_PER_HOST, answer_times

ENOUGH_WHEN_NEAR = min(4, max(2, os.cpu_count() or 2))
_FTP_CONNECTIONS = 8
_SMALL_BYTES = 128 * 1024
_USUAL_OF = 8
_LOOK_EVERY_SECONDS = 0.05
_SILENT_SECONDS = 0.05


class Fetch(NamedTuple):
    """A piece to be fetched of a file that has begun; or a second time, beside a request that is late."""

    transfer: Transfer
    piece: int
    is_second: bool


class Agenda:
    """What is to be done of a download, handed out to its threads.

    Parameters
    ----------
    placements
        What to fetch.
    ledger
        The folder.
    options
        How.
    persistence
        Whether the server may be asked just now.
    stopped
        Set when nothing more is to be done.

    Attributes
    ----------
    connections : int
        How many threads there may be.
    are_few : bool
        Whether there are fewer files than that.
    """

    def __init__(
        self,
        placements: Iterable[Placement],
        ledger: Ledger,
        options: TransferOptions,
        persistence: Persistence,
        stopped: threading.Event,
    ) -> None:
        self._waiting = deque(placements)
        self._in_use: deque[Placement] = deque()  # by other processes
        self._pieces: deque[tuple[Transfer, int]] = deque()
        self._active: list[Transfer] = []
        self._ahead: dict[int, Placement] = {}  # what each thread begins next, where that has been asked for
        self._beginning = 0
        self._pausing = 0  # threads that wait before they ask again
        self._is_shared = False  # whether another process was seen to fetch into the same folder
        self._usual_bytes = 0.0  # of the files begun of late
        self._changed = threading.Condition()
        self._ledger = ledger
        self._persistence = persistence
        self._stopped = stopped
        self._is_limited = options.bytes_per_second is not None
        self._may_hedge = not self._is_limited and options.protocol != "ftp"
        self._times = answer_times(settings.archive_url())
        self._hedges = Hedges(self._times)
        most = _FTP_CONNECTIONS if options.protocol == "ftp" else CONNECTIONS_PER_HOST
        self.connections = min(options.workers, most)
        self.are_few = len(self._waiting) < self.connections

    # What threads ask.

    def next(self, number: int) -> Placement | Fetch | None:
        """Return what a thread should do next, waiting for it: begin a file, or fetch; None at the end.

        Every file that is to be begun is followed by :meth:`begun`.
        """
        with self._changed:
            while not self._stopped.is_set():
                if (chosen := self._ahead.pop(number, None)) is not None:
                    return chosen
                if self._is_wanted(number) and (found := self._choose()) is not None:
                    return found
                if self._is_all_done():
                    return None
                self._changed.wait(_LOOK_EVERY_SECONDS)
        return None

    def ahead(self, number: int) -> Placement | None:
        """Return the file that a thread begins next, if it is one to ask for while the last is written."""
        with self._changed:
            if number >= self._enough() or self._pieces or not self._waiting or not self._may_ask_ahead():
                return None
            if self._ledger.record(self._waiting[0]) is not None:
                return None  # it may be there
            self._beginning += 1
            chosen = self._ahead[number] = self._waiting.popleft()
            return chosen

    def wants_more_than(self, count: int) -> bool:
        """Return whether more threads should fetch than so many."""
        with self._changed:
            return self._is_wanted(count)

    def active(self) -> list[Transfer]:
        """Return the files that are on their way."""
        with self._changed:
            return list(self._active)

    # What threads tell.

    def opened(self, transfer: Transfer) -> None:
        """Note that a file is on its way."""
        with self._changed:
            self._active.append(transfer)

    def begun(self) -> None:
        """Note that what :meth:`next` said to begin has been begun, or cannot be."""
        with self._changed:
            self._beginning -= 1
            self._wake_at_the_end()

    def sized(self, transfer: Transfer, pieces: int) -> int:
        """Note the size of a file, and its pieces; return how many bytes are to come of all begun."""
        with self._changed:
            self._usual_bytes += (transfer.version.size - self._usual_bytes) / _USUAL_OF
            self._hedges.allow_for(pieces)
            return sum(other.missing_bytes for other in self._active)

    def add(self, transfer: Transfer, pieces: Sequence[int]) -> None:
        """Have pieces fetched next."""
        if pieces:
            with self._changed:
                self._pieces.extend((transfer, piece) for piece in pieces)
                self._changed.notify(len(pieces))

    def concluded(self, transfer: Transfer) -> None:
        """Note that nothing more is to be done about a file."""
        with self._changed:
            if transfer.error is not None:
                self._pieces = deque(one for one in self._pieces if one[0] is not transfer)
            self._active.remove(transfer)
            self._wake_at_the_end()

    def begin_again(self, placement: Placement) -> None:
        """Have a file begun once more, before all others."""
        with self._changed:
            self._waiting.appendleft(placement)

    def wait_for_other(self, placement: Placement) -> None:
        """Let another process finish a file that it is fetching into the same folder; look again later."""
        with self._changed:
            self._in_use.append(placement)
            self._is_shared = True
            alone = not (self._pieces or self._waiting or self._active)
        if alone:
            self._stopped.wait(_LOOK_EVERY_SECONDS)

    def give_up_waiting(self) -> list[Placement]:
        """Have nothing more begun; return what was to be."""
        with self._changed:
            waiting, self._waiting = list(self._waiting), deque()
            return waiting

    @contextmanager
    def pausing(self) -> Iterator[None]:
        """Have another thread fetch while this one waits."""
        with self._changed:
            self._pausing += 1
        try:
            yield
        finally:
            with self._changed:
                self._pausing -= 1

    def stop(self) -> None:
        """Have nothing more done."""
        self._stopped.set()
        with self._changed:
            self._changed.notify_all()

    # What is decided, by those that have the lock.

    def _choose(self) -> Placement | Fetch | None:
        if self._pieces:
            return Fetch(*self._pieces.popleft(), is_second=False)
        if self._waiting or self._in_use:
            self._beginning += 1
            return (self._waiting or self._in_use).popleft()
        if not self._may_hedge or self._persistence.is_resting:
            return None
        late = self._hedges.find(self._active)
        return None if late is None else Fetch(*late, is_second=True)

    def _may_ask_ahead(self) -> bool:
        """Return whether it is worth it, and the answer is nearly sure to be of use."""
        is_held_back = self._is_limited or self._persistence.is_resting or self._stopped.is_set()
        return self._times.is_next_door() and not is_held_back and not self._is_shared

    def _is_wanted(self, number: int) -> bool:
        """Return whether a thread should fetch: the first few, and one in place of each that cannot go on."""
        enough = self._enough()
        return number < enough or number < enough + self._held_up()

    def _held_up(self) -> int:
        """Return how many threads wait for a server that is silent, or before they ask it again."""
        long_ago = time.monotonic() - _SILENT_SECONDS
        racers = [racer for transfer in self._active for racer in transfer.racers()]
        return self._pausing + sum(racer.last_heard < long_ago for racer in racers)

    def _enough(self) -> int:
        """Return how many threads bring all there is."""
        if not self._times.is_next_door():
            return self.connections
        # Small files come faster than they are put on the disk, which threads do in turns.
        return ENOUGH_WHEN_NEAR if self._usual_bytes > _SMALL_BYTES else 1

    def _is_all_done(self) -> bool:
        return not (self._pieces or self._waiting or self._in_use or self._active or self._beginning)

    def _wake_at_the_end(self) -> None:
        """Let threads that wait for work know that there will be no more; waking them sooner takes time."""
        if self._is_all_done():
            self._changed.notify_all()
