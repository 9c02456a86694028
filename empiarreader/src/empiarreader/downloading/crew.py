"""The threads that fetch: many files at once, and the pieces of large ones, over one connection each.

There are never more than sixteen connections to a host. Who does what next is said by the agenda.
"""

from __future__ import annotations

import errno
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from empiarreader import settings
from empiarreader.downloading.agenda import ENOUGH_WHEN_NEAR, Agenda, Fetch
from empiarreader.downloading.cutting import MIB, PIECE, SMALLEST_PIECE, cut_rest
from empiarreader.downloading.doors import Door, FtpDoor, HttpDoor
from empiarreader.downloading.hashing import HashingPace
from empiarreader.downloading.ledger import Arrival, Ledger, cannot_write
from empiarreader.downloading.options import Outcome, TransferOptions
from empiarreader.downloading.parts import PartInUseError
from empiarreader.downloading.persistence import Persistence
from empiarreader.downloading.placement import Placement
from empiarreader.downloading.presence import Presence
from empiarreader.downloading.restraint import Throttle
from empiarreader.downloading.room import check_room_for
from empiarreader.downloading.transfer import Transfer
from empiarreader.errors import EmpiarReaderError, FileChangedError, LocalFileError, ServiceError
from empiarreader.network.connections import answer_times

# What a process that is killed has received and not yet written is lost, on each of its connections.
_READ_AT_ONCE = 128 * 1024
_READ_AT_ONCE_WHEN_NEAR = 512 * 1024
_NEAR_ANSWERS_SECONDS = 0.02
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
        self._noting = threading.Lock()
        self._stopped = threading.Event()
        self._outcomes: list[tuple[str, Outcome]] = []
        self._changes: Counter[str] = Counter()
        self._persistence = Persistence(self._stopped)
        self._agenda = Agenda(placements, ledger, options, self._persistence, self._stopped)
        self._presence = Presence(ledger, self._persistence)
        self._pace = HashingPace()
        rate = options.bytes_per_second
        self._throttle = Throttle(rate) if rate is not None else None
        self._doors: list[Door] = []
        self._crash: BaseException | None = None
        self._times = answer_times(settings.archive_url())
        self.bytes_arrived = 0
        self.bytes_known = self.files_known = 0  # files whose size is known, and the sum of their sizes

    def run(self, tick: Callable[[], None], *, every_seconds: float = 0.05) -> None:
        """Fetch everything; call ``tick`` in this thread again and again meanwhile, and once at the end."""
        threads = [
            threading.Thread(target=self._work, args=(k,), name=f"empiarreader-download-{k}", daemon=True)
            for k in range(self._agenda.connections)
        ]
        running, others = threads[:ENOUGH_WHEN_NEAR], threads[ENOUGH_WHEN_NEAR:]
        try:
            _start(running)
            running[0].join(_NEAR_ANSWERS_SECONDS)
            while alive := [thread for thread in running if thread.is_alive()]:
                if others and self._agenda.wants_more_than(len(running)):
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
        with self._noting:
            outcomes, self._outcomes = self._outcomes, []
            return outcomes

    def _hash_ahead(self) -> bool:
        """Hash some of what has arrived; return whether there was any."""
        return self._pace.hash_some((file.part for file in self._agenda.active()), self.bytes_arrived)

    # What transfers ask of their surroundings.

    def first_length(self) -> int:
        """Return how many bytes the first request for a file asks for: few where others wait for it."""
        return SMALLEST_PIECE if self._agenda.are_few else PIECE

    def cut(self, rest: int) -> Sequence[int]:
        """Return the lengths of the pieces that the rest of a file is fetched in."""
        return cut_rest(rest, self._agenda.connections if self._agenda.are_few else None)

    def queue(self, transfer: Transfer, pieces: Sequence[int]) -> None:
        """Have pieces fetched next; raise if the disk has no room for what has begun."""
        self._note_size(transfer.version.size, transfer.version.size - transfer.missing_bytes)
        to_come = self._agenda.sized(transfer, len(pieces) + 1)
        if transfer.missing_bytes > _WORTH_A_LOOK_BYTES:
            check_room_for(to_come, self._ledger.folder, transfer.url)
        self._agenda.add(transfer, pieces)

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
        with self._agenda.pausing():
            self._persistence.after_failure(error, attempt)

    # What threads do.

    def _work(self, number: int) -> None:
        buffer = memoryview(bytearray(_READ_AT_ONCE_WHEN_NEAR))
        try:
            door: Door
            if self._options.protocol == "ftp":
                door = FtpDoor()
            else:
                door = HttpDoor(settings.archive_url(), lambda: self._ahead(number))
            with self._noting:
                self._doors.append(door)
            try:
                while (task := self._agenda.next(number)) is not None:
                    self._do(task, door, buffer[: self._read_at_once()])
            finally:
                door.close()
        except BaseException as error:
            if not self._stopped.is_set():
                self._crash = error
                self._stop()

    def _read_at_once(self) -> int:
        if self._throttle is not None:
            return self._throttle.read_at_once
        return _READ_AT_ONCE_WHEN_NEAR if self._times.is_next_door() else _READ_AT_ONCE

    def _ahead(self, number: int) -> tuple[str, int] | None:
        """Return the file that a thread should ask for already, and the length of its beginning."""
        placement = self._agenda.ahead(number)
        return None if placement is None else (placement.url, self.first_length())

    def _do(self, task: Placement | Fetch, door: Door, buffer: memoryview) -> None:
        if isinstance(task, Placement):
            self._begin(task, door, buffer)
        else:
            fetch = Transfer.fetch_beside if task.is_second else Transfer.fetch
            self._fetch(task.transfer, task.piece, door, buffer, fetch)

    def _begin(self, placement: Placement, door: Door, buffer: memoryview) -> None:
        """Begin a file: see what is there of it, and fetch its first piece."""
        transfer: Transfer | None = None
        try:
            transfer = self._open(placement, door)
            if transfer is not None:
                is_resumed = self._resume(transfer, door)
        except PartInUseError:
            self._agenda.wait_for_other(placement)
        except OSError as error:
            self._settle_as(placement, cannot_write(self._ledger.folder / placement.target, error))
        except EmpiarReaderError as error:
            self._settle_as(placement, error)
        finally:
            self._agenda.begun()
        if transfer is not None:
            self._fetch(transfer, 0, door, buffer, _fetch_nothing if is_resumed else Transfer.fetch)

    def _open(self, placement: Placement, door: Door) -> Transfer | None:
        """Return a transfer for a file that is to be fetched; None where the file is there."""
        placement = self._ledger.place(placement)
        self._ledger.make_room(placement.target)
        record = self._ledger.record(placement)
        if record is not None and self._presence.is_unchanged(placement, record, door):
            self._note_size(record.size, record.size)
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
        self._agenda.opened(transfer)
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
            self._agenda.concluded(transfer)

    def _conclude_failure(self, transfer: Transfer, error: EmpiarReaderError) -> None:
        self._changes[transfer.url] += 1
        if isinstance(error, FileChangedError):
            transfer.part.discard()
        transfer.part.close()
        if isinstance(error, FileChangedError) and self._changes[transfer.url] < _MOST_CHANGES:
            logger.info("beginning again: %s", error)
            self._agenda.begin_again(transfer.placement)
            return
        self._settle_as(transfer.placement, error)
        if isinstance(error, OSError) and error.errno in _FULL:
            for placement in self._agenda.give_up_waiting():  # there is no room for any of it
                self._settle_as(placement, LocalFileError(f"{placement.url} was not begun: {error}"))

    def _settle_as(self, placement: Placement, outcome: Outcome) -> None:
        with self._noting:
            self._outcomes.append((placement.url, outcome))

    def _note_size(self, size: int, arrived: int) -> None:
        """Count a file whose size is known by now, and what is here of it already."""
        with self._noting:
            self.bytes_known, self.files_known = self.bytes_known + size, self.files_known + 1
            self.bytes_arrived += arrived
            self._pace.was_there(arrived)

    def _stop(self) -> None:
        self._agenda.stop()
        with self._noting:
            doors = list(self._doors)
        for door in doors:
            door.cut()


def _start(threads: Iterable[threading.Thread]) -> None:
    for thread in threads:
        thread.start()


def _fetch_nothing(transfer: Transfer, piece: int, door: Door, buffer: memoryview) -> None:
    """What is missing of a file that is gone on with has been queued, all of it."""
