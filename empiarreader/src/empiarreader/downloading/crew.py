"""The threads that fetch: many files at once, and the pieces of large ones, over one connection each.

There are never more than sixteen connections to a host. Pieces of files that have begun come before files
that have not, so that few files are incomplete at any moment. When nothing is left to begin, threads that are
idle fetch a second time what is late. From a server as near as the next room as many connections as there are
processors bring all there is, and more would only fight for this process's own time. For small files it is
one. The next file is asked for before the last is written there.
"""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from functools import partial

from empiarreader import settings
from empiarreader.byteunits import describe_bytes
from empiarreader.downloading.cutting import MIB, PIECE, SMALLEST_PIECE, cut_rest
from empiarreader.downloading.doors import Door, FtpDoor, HttpDoor
from empiarreader.downloading.hashing import HashingPace
from empiarreader.downloading.late import Hedges
from empiarreader.downloading.ledger import Arrival, Ledger, cannot_write
from empiarreader.downloading.options import Outcome, TransferOptions
from empiarreader.downloading.parts import PartInUseError
from empiarreader.downloading.persistence import Persistence
from empiarreader.downloading.placement import Placement
from empiarreader.downloading.presence import Presence
from empiarreader.downloading.restraint import Throttle
from empiarreader.downloading.room import disk_full, free_bytes
from empiarreader.downloading.transfer import Transfer
from empiarreader.errors import (
    EmpiarReaderError,
    FileChangedError,
    LocalFileError,
    ServiceError,
)
from empiarreader.network.connections import CONNECTIONS_PER_HOST, answer_times

FTP_CONNECTIONS = 8
# What a process that is killed has received and not yet written is lost, on each of its connections.
_READ_AT_ONCE = 128 * 1024
_READ_AT_ONCE_WHEN_NEAR = 512 * 1024
_ENOUGH_WHEN_NEAR = min(4, max(2, os.cpu_count() or 2))
_SMALL_BYTES = 128 * 1024
_USUAL_OF = 8
_NEAR_ANSWERS_SECONDS = 0.02
_LOOK_EVERY_SECONDS = 0.05
_SILENT_SECONDS = 0.05
_MOST_CHANGES = 3
_WORTH_A_LOOK_BYTES = MIB
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})

logger = logging.getLogger(__name__)


class Crew:
    """Fetches files into a folder.

    Parameters
    ----------
    placements
        What to fetch.
    ledger
        The folder.
    options
        How.
    deliver
        Called, by any thread, with each file that is whole; the ledger gives it its name.
    """

    def __init__(
        self,
        placements: Iterable[Placement],
        ledger: Ledger,
        options: TransferOptions,
        deliver: Callable[[Arrival], None],
    ) -> None:
        self._ledger = ledger
        self._options = options
        self._deliver = deliver
        self._waiting = deque(placements)
        self._in_use: deque[Placement] = deque()  # by other processes
        self._pieces: deque[tuple[Transfer, int]] = deque()
        self._active: list[Transfer] = []
        self._ahead: dict[int, Placement] = {}  # what each thread begins next, where that has been asked for
        self._beginning = 0
        self._pausing = 0  # threads that wait before they ask again
        self._is_shared = False  # whether another process was seen to fetch into the same folder
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        self._outcomes: list[tuple[str, Outcome]] = []
        self._changes: Counter[str] = Counter()
        self._persistence = Persistence(self._stopped)
        self._presence = Presence(ledger, self._persistence)
        self._pace = HashingPace()
        rate = options.bytes_per_second
        self._throttle = Throttle(rate) if rate is not None else None
        most = FTP_CONNECTIONS if options.protocol == "ftp" else CONNECTIONS_PER_HOST
        self._connections = min(options.workers, most)
        self._are_few = len(self._waiting) < self._connections
        self._doors: list[Door] = []
        self._crash: BaseException | None = None
        self._times = answer_times(settings.archive_url())
        self._hedges = Hedges(self._times)
        self._usual_bytes = 0.0  # of the files begun of late
        self.bytes_arrived = 0
        self.bytes_known = self.files_known = 0  # files whose size is known, and the sum of their sizes

    def run(self, tick: Callable[[], None], *, every_seconds: float = 0.05) -> None:
        """Fetch everything; call ``tick`` in this thread again and again meanwhile, and once at the end."""
        threads = [
            threading.Thread(target=self._work, args=(k,), name=f"empiarreader-download-{k}", daemon=True)
            for k in range(self._connections)
        ]
        running, others = threads[:_ENOUGH_WHEN_NEAR], threads[_ENOUGH_WHEN_NEAR:]
        try:
            _start(running)
            running[0].join(_NEAR_ANSWERS_SECONDS)
            while alive := [thread for thread in running if thread.is_alive()]:
                with self._changed:
                    are_more_wanted = self._is_wanted(_ENOUGH_WHEN_NEAR)
                if others and are_more_wanted:
                    _start(others)
                    running, others = threads, []
                if not self._hash_ahead():
                    alive[0].join(every_seconds)
                tick()
            if self._crash is not None:
                raise self._crash
            tick()
        finally:
            # After an interrupt nobody is waited for: a silent server could keep a thread for long.
            self._stop()

    def outcomes(self) -> list[tuple[str, Outcome]]:
        """Return what became of files that got no new name: failures, and what was there already."""
        with self._changed:
            outcomes, self._outcomes = self._outcomes, []
            return outcomes

    def _hash_ahead(self) -> bool:
        """Hash some of what has arrived; return whether there was any."""
        with self._changed:
            parts = [transfer.part for transfer in self._active]
        return self._pace.hash_some(parts, self.bytes_arrived)

    # What transfers ask of their surroundings.

    def first_length(self) -> int:
        """Return how many bytes the first request for a file asks for: few where others wait for it."""
        return SMALLEST_PIECE if self._are_few else PIECE

    def cut(self, rest: int) -> Sequence[int]:
        """Return the lengths of the pieces that the rest of a file is fetched in."""
        return cut_rest(rest, self._connections if self._are_few else None)

    def queue(self, transfer: Transfer, pieces: Sequence[int]) -> None:
        """Have pieces fetched next; raise if the disk has no room for what has begun."""
        with self._changed:
            self.bytes_known += transfer.version.size
            self.files_known += 1
            self._usual_bytes += (transfer.version.size - self._usual_bytes) / _USUAL_OF
            self.bytes_arrived += transfer.version.size - transfer.missing_bytes
            self._pace.was_there(transfer.version.size - transfer.missing_bytes)
            self._hedges.allow_for(len(pieces) + 1)
            begun = sum(other.missing_bytes for other in self._active)
        if transfer.missing_bytes > _WORTH_A_LOOK_BYTES:
            self._check_room(transfer, begun)
        if pieces:
            with self._changed:
                self._pieces.extend((transfer, piece) for piece in pieces)
                self._changed.notify(len(pieces))

    def arrived(self, count: int) -> None:
        """Take note of bytes that have arrived, and slow down if need be."""
        self.bytes_arrived += count  # now and then one thread's sum is lost; it is shown, and nothing else
        self._persistence.heard()
        if self._throttle is not None:
            self._throttle.pay(count, self._stopped)

    def before_asking(self) -> None:
        """Wait while the server has asked to be left alone; raise if all has been stopped."""
        self._persistence.before_asking()

    def after_failure(self, error: ServiceError, attempt: int) -> None:
        """Wait before another attempt, or raise the error where there should be none."""
        with self._changed:
            self._pausing += 1
        try:
            self._persistence.after_failure(error, attempt)
        finally:
            with self._changed:
                self._pausing -= 1

    # What threads do.

    def _work(self, number: int) -> None:
        buffer = memoryview(bytearray(_READ_AT_ONCE_WHEN_NEAR))
        try:
            door: Door
            if self._options.protocol == "ftp":
                door = FtpDoor()
            else:
                door = HttpDoor(settings.archive_url(), lambda: self._begin_ahead(number))
            with self._changed:
                self._doors.append(door)
            try:
                while (task := self._next_task(number)) is not None:
                    task(door, buffer[: self._read_at_once()])
            finally:
                door.leave()
        except BaseException as error:
            if not self._stopped.is_set():
                self._crash = error
                self._stop()

    def _read_at_once(self) -> int:
        if self._throttle is not None:
            return self._throttle.read_at_once
        return _READ_AT_ONCE_WHEN_NEAR if self._times.is_next_door() else _READ_AT_ONCE

    def _next_task(self, number: int) -> Callable[[Door, memoryview], None] | None:
        """Return what a thread should do next, waiting for it; None at the end."""
        with self._changed:
            while not self._stopped.is_set():
                if (chosen := self._ahead.pop(number, None)) is not None:
                    return partial(self._begin, chosen)
                if self._is_wanted(number):
                    if self._pieces:
                        transfer, piece = self._pieces.popleft()
                        return lambda door, buffer: self._fetch(transfer, piece, door, buffer, Transfer.fetch)
                    if self._waiting or self._in_use:
                        placement = (self._waiting or self._in_use).popleft()
                        self._beginning += 1
                        return partial(self._begin, placement)
                    if (late := self._find_late()) is not None:
                        hedged, which = late
                        return lambda door, buffer: self._fetch(
                            hedged, which, door, buffer, Transfer.fetch_beside
                        )
                if self._is_all_done():
                    return None
                self._changed.wait(_LOOK_EVERY_SECONDS)
        return None

    def _begin_ahead(self, number: int) -> tuple[str, int] | None:
        """Choose the file that a thread begins next, if it is one to ask for while the last is written."""
        with self._changed:
            if number >= self._enough() or self._pieces or not self._waiting or not self._may_ask_ahead():
                return None
            placement = self._waiting[0]
            if self._ledger.record(placement) is not None:
                return None  # it may be there
            self._ahead[number] = self._waiting.popleft()
            self._beginning += 1
        return placement.url, self.first_length()

    def _may_ask_ahead(self) -> bool:
        """Return whether it is worth it, and the answer is nearly sure to be of use."""
        is_held_back = self._throttle is not None or self._persistence.is_resting or self._stopped.is_set()
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
            return self._connections
        # Small files come faster than they are put on the disk, which threads do in turns.
        return _ENOUGH_WHEN_NEAR if self._usual_bytes > _SMALL_BYTES else 1

    def _is_all_done(self) -> bool:
        return not (self._pieces or self._waiting or self._in_use or self._active or self._beginning)

    def _wake_at_the_end(self) -> None:
        """Let threads that wait for work know that there will be no more; waking them sooner takes time."""
        if self._is_all_done():
            self._changed.notify_all()

    def _begin(self, placement: Placement, door: Door, buffer: memoryview) -> None:
        """Begin a file: see what is there of it, and fetch its first piece."""
        transfer: Transfer | None = None
        try:
            transfer = self._open(placement, door)
            if transfer is not None:
                is_resumed = self._resume(transfer, door)
        except PartInUseError:
            self._wait_for_other(placement)
        except OSError as error:
            self._settle_as(placement, cannot_write(self._ledger.folder / placement.target, error))
        except EmpiarReaderError as error:
            self._settle_as(placement, error)
        finally:
            with self._changed:
                self._beginning -= 1
                self._wake_at_the_end()
        if transfer is not None:
            self._fetch(transfer, 0, door, buffer, _fetch_nothing if is_resumed else Transfer.fetch)

    def _open(self, placement: Placement, door: Door) -> Transfer | None:
        """Return a transfer for a file that is to be fetched; None where the file is there."""
        placement = self._ledger.place(placement)
        self._ledger.make_room(placement.target)
        record = self._ledger.record(placement)
        if record is not None and self._presence.is_unchanged(placement, record, door):
            with self._changed:
                self.bytes_known, self.files_known = self.bytes_known + record.size, self.files_known + 1
                self.bytes_arrived += record.size
            self._settle_as(placement, record)
            return None
        transfer = Transfer(placement, self._ledger.folder, self)
        try:
            latest = self._ledger.latest_record(placement)
        except BaseException:
            transfer.part.close()
            raise
        if latest != record:  # another process finished it just now
            transfer.part.close()
            return self._open(placement, door)
        with self._changed:
            self._active.append(transfer)
        return transfer

    def _resume(self, transfer: Transfer, door: Door) -> bool:
        """Go on with what an earlier job left, if it left anything that is of use still."""
        try:
            if not transfer.resume():
                return False
            if transfer.is_settled:
                latest = self._presence.ask_version(transfer.url, door)
                if latest.differs_from(transfer.version):
                    transfer.give_up(FileChangedError(f"{transfer.url} has changed since it was downloaded"))
        except OSError as error:
            transfer.give_up(cannot_write(transfer.part.path, error))
        except EmpiarReaderError as error:
            transfer.give_up(error)
        return True

    def _fetch(
        self,
        transfer: Transfer,
        piece: int,
        door: Door,
        buffer: memoryview,
        fetch: Callable[[Transfer, int, Door, memoryview], None],
    ) -> None:
        if not transfer.enter():
            return
        try:
            fetch(transfer, piece, door, buffer)
        except EmpiarReaderError as error:
            transfer.give_up(error)
        except OSError as error:
            transfer.give_up(cannot_write(self._ledger.folder / transfer.placement.target, error))
        finally:
            if transfer.leave():
                self._settle(transfer)

    def _settle(self, transfer: Transfer) -> None:
        """Conclude a file that is whole or cannot be had, and that nobody writes to any more."""
        try:
            if transfer.error is None:
                self._deliver(Arrival(transfer.placement, transfer.record(), transfer.part))
            else:
                self._conclude_failure(transfer, transfer.error)
        except EmpiarReaderError as error:
            self._conclude_failure(transfer, error)
        except OSError as error:
            self._conclude_failure(transfer, cannot_write(transfer.part.path, error))
        finally:
            with self._changed:
                if transfer.error is not None:
                    self._pieces = deque(one for one in self._pieces if one[0] is not transfer)
                self._active.remove(transfer)
                self._wake_at_the_end()

    def _conclude_failure(self, transfer: Transfer, error: EmpiarReaderError) -> None:
        self._changes[transfer.url] += 1
        if isinstance(error, FileChangedError):
            transfer.part.discard()
        transfer.part.close()
        if isinstance(error, FileChangedError) and self._changes[transfer.url] < _MOST_CHANGES:
            logger.info("beginning again: %s", error)
            with self._changed:
                self._waiting.appendleft(transfer.placement)
            return
        self._settle_as(transfer.placement, error)
        if isinstance(error, OSError) and error.errno in _FULL:
            self._give_up_waiting(error)

    def _settle_as(self, placement: Placement, outcome: Outcome) -> None:
        with self._changed:
            self._outcomes.append((placement.url, outcome))

    def _give_up_waiting(self, error: EmpiarReaderError) -> None:
        """Begin nothing more: there is no room for any of it."""
        with self._changed:
            waiting, self._waiting = list(self._waiting), deque()
        for placement in waiting:
            self._settle_as(placement, LocalFileError(f"{placement.url} was not begun: {error}"))

    def _wait_for_other(self, placement: Placement) -> None:
        """Let another process finish a file that it is fetching into the same folder; look again later."""
        with self._changed:
            self._in_use.append(placement)
            self._is_shared = True
            alone = not (self._pieces or self._waiting or self._active)
        if alone:
            self._stopped.wait(_LOOK_EVERY_SECONDS)

    def _check_room(self, transfer: Transfer, begun: int) -> None:
        free = free_bytes(self._ledger.folder)
        if begun > free:
            raise disk_full(
                f"there is no room for {transfer.url}: {describe_bytes(begun)} are still to come of the "
                f"files that have begun, and {self._ledger.folder} has {describe_bytes(free)} left"
            )

    def _find_late(self) -> tuple[Transfer, int] | None:
        """Return a piece that is worth a second request, unless nothing more may be asked just now."""
        if self._persistence.is_resting or self._throttle is not None or self._options.protocol == "ftp":
            return None
        return self._hedges.find(self._active)

    def _stop(self) -> None:
        self._stopped.set()
        with self._changed:
            doors = list(self._doors)
            self._changed.notify_all()
        for door in doors:
            door.cut()


def _start(threads: Iterable[threading.Thread]) -> None:
    for thread in threads:
        thread.start()


def _fetch_nothing(transfer: Transfer, piece: int, door: Door, buffer: memoryview) -> None:
    """What is missing of a file that is gone on with has been queued, all of it."""
