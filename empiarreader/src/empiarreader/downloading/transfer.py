"""One file of the archive on its way onto a disk: in pieces, continued where it stopped, whole or nameless.

Several threads fetch pieces of one file. A piece that is late may be fetched by a second one beside the
first: both write the same bytes to the same place, and whoever comes to its end first ends the other. What
concerns the file as a whole is done by the thread that leaves it last, when nobody else writes to it.
"""

from __future__ import annotations

import re
import threading
import time
from calendar import timegm
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from empiarreader.downloading.doors import Door, strong_validator
from empiarreader.downloading.manifest import DownloadedFile
from empiarreader.downloading.parts import PartFile
from empiarreader.downloading.placement import Placement
from empiarreader.downloading.states import Layout
from empiarreader.errors import DamagedDataError, EmpiarReaderError, ServiceError
from empiarreader.network.answers import FileVersion

_DATE = re.compile(r"\w{3}, (\d\d) (\w{3}) (\d{4}) (\d\d):(\d\d):(\d\d) GMT")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


class Surroundings(Protocol):
    """What a transfer needs of the download that it belongs to."""

    def first_length(self) -> int:
        """Return how many bytes the first request for a file should ask for."""

    def cut(self, rest: int) -> Sequence[int]:
        """Return the lengths of the pieces that the rest of a file should be fetched in."""

    def queue(self, transfer: Transfer, pieces: Sequence[int]) -> None:
        """Have pieces fetched, if there is room for them on the disk; raise if there is none."""

    def arrived(self, count: int) -> None:
        """Take note of bytes that have arrived, and slow down if need be."""

    def before_asking(self) -> None:
        """Wait while the server has asked to be left alone; raise if all has been stopped."""

    def after_failure(self, error: ServiceError, attempt: int) -> None:
        """Wait before another attempt, after so many failures; raise the error where there should be none."""


@dataclass(eq=False)
class Racer:
    """One request for a piece: when it began, when bytes last came, and how many it is to bring."""

    piece: int
    door: Door
    began: float
    last_heard: float
    length: int = 0
    is_over: bool = False


class Transfer:
    """One file on its way.

    Parameters
    ----------
    placement
        What to fetch, and where it goes.
    folder
        The folder that targets are relative to.
    around
        The download that it belongs to.

    Attributes
    ----------
    error : EmpiarReaderError or None
        Why it cannot be had.
    """

    def __init__(self, placement: Placement, folder: Path, around: Surroundings) -> None:
        self.placement = placement
        self.url = placement.url
        self.error: EmpiarReaderError | None = None
        self.part = PartFile(folder / placement.target, placement.url)
        self._around = around
        self._lock = threading.Lock()
        self._racers: list[Racer] = []
        self._inside = 0  # threads that may write to it
        self._is_concluded = False

    @property
    def version(self) -> FileVersion:
        """The version of the file that is arriving."""
        assert self.part.version is not None
        return self.part.version

    @property
    def missing_bytes(self) -> int:
        """How much of it has not arrived; 0 while its size is not known."""
        return self.part.missing_bytes

    @property
    def is_settled(self) -> bool:
        """Whether all of it is here, or it cannot be had."""
        return self.error is not None or (self.part.version is not None and not self.part.missing_bytes)

    def resume(self) -> bool:
        """Go on with what an earlier process left; return whether there was any such thing."""
        if not self.part.resume():
            return False
        layout, arrived = self.part.layout, self.part.arrived
        missing = [piece for piece in range(len(layout)) if arrived[piece] < layout.length(piece)]
        self._around.queue(self, missing)
        return True

    def enter(self) -> bool:
        """Have this thread work on it, unless it has been concluded."""
        with self._lock:
            self._inside += not self._is_concluded
            return not self._is_concluded

    def leave(self) -> bool:
        """Have this thread be done with it; return whether it is the one that has to conclude it."""
        with self._lock:
            self._inside -= 1
            self._is_concluded = self._inside == 0 and self.is_settled
            return self._is_concluded

    def give_up(self, error: EmpiarReaderError) -> None:
        """Settle that it cannot be had, and wake those who wait for bytes of it."""
        with self._lock:
            self.error = self.error or error
            for racer in self._racers:
                racer.door.interrupt()

    def fetch(self, piece: int, door: Door, buffer: memoryview) -> None:
        """Fetch a piece, with as many attempts as make sense; attempts that bring something do not count.

        Raises
        ------
        FileChangedError
            If the file has changed in the archive: what has arrived of it is of no more use.
        EmpiarReaderError
            If it cannot be had.
        """
        attempt = 0
        while not self._is_over(piece):
            before = self._arrived(piece)
            try:
                self._race(piece, door, buffer, attempt)
            except ServiceError as error:
                if self._is_over(piece):
                    return
                went_on = self._arrived(piece) > before and not self.part.layout.in_one_stream
                attempt = 0 if went_on else attempt + 1
                self._around.after_failure(error, attempt)

    def fetch_beside(self, piece: int, door: Door, buffer: memoryview) -> None:
        """Fetch what is missing of a piece beside a request that is late; failing has no consequence."""
        if not self._is_over(piece):
            try:
                self._race(piece, door, buffer, 0)
            except ServiceError:
                return  # the first request has patience of its own, and will say the same if it is so

    def racers(self) -> list[Racer]:
        """Return the requests that are under way."""
        with self._lock:
            return list(self._racers)

    def record(self) -> DownloadedFile:
        """Return what the manifest will say, when all has arrived; compare it with what was expected.

        Raises
        ------
        DamagedDataError
            If it is something else. Nothing of it is kept.
        """
        record = DownloadedFile(
            path=self.placement.target,
            url=self.url,
            size=self.version.size,
            sha256=self.part.sha256(),
            etag=self.version.etag,
            time=datetime.now(UTC).isoformat(timespec="seconds"),
            last_modified=self.version.last_modified,
        )
        wanted = self.placement.sha256
        if wanted is not None and wanted != record.sha256:
            self.part.discard()
            raise DamagedDataError(
                f"{self.url} has the SHA-256 {record.sha256}, not {wanted} as the manifest says; it is "
                "damaged, or the archive has another version of it now"
            )
        if (modified := seconds_of(record.last_modified)) is not None:
            self.part.set_time(modified)
        return record

    def _race(self, piece: int, door: Door, buffer: memoryview, attempt: int) -> None:
        self._around.before_asking()
        now = time.monotonic()
        racer = Racer(piece, door, began=now, last_heard=now)
        if self.part.version is not None:
            racer.length = self.part.layout.length(piece) - self.part.arrived[piece]
        with self._lock:
            self._racers.append(racer)
        try:
            place, end = self._open(piece, door, attempt)
            while place < end:
                count = door.receive(buffer[: end - place])
                if count == 0:
                    raise ServiceError(
                        f"{self.url} broke off {end - place} bytes before its end", retryable=True
                    )
                if self._is_over(piece):
                    break  # somebody else was quicker, or nobody wants it any more
                racer.last_heard = time.monotonic()
                self.part.write(piece, place, buffer[:count])
                place += count
                self._around.arrived(count)
            if place == end:
                door.ended()
            else:
                door.leave()
        except BaseException:
            door.leave()
            raise
        finally:
            with self._lock:
                self._racers.remove(racer)
                losers = [other for other in self._racers if other.piece == piece and self._is_over(piece)]
                for loser in losers:
                    loser.door.interrupt()

    def _open(self, piece: int, door: Door, attempt: int) -> tuple[int, int]:
        """Ask for what is missing of a piece; return from where to where in the piece bytes will come."""
        if self.part.version is None:
            return self._open_unknown(door, attempt)
        layout = self.part.layout
        if layout.in_one_stream:
            self.part.restart(piece)
            door.open(self.url, 0, None, self.version, attempt)
            return 0, layout.length(piece)
        start, stop = layout.edges[piece], layout.edges[piece + 1]
        coming = door.open(self.url, start + self.part.arrived[piece], stop, self.version, attempt)
        return coming.start - start, layout.length(piece)

    def _open_unknown(self, door: Door, attempt: int) -> tuple[int, int]:
        """Ask for the beginning of a file that nothing is known of, and learn its size from the answer."""
        coming = door.open(self.url, 0, self._around.first_length(), None, attempt)
        version = coming.version
        in_one_stream = coming.is_from_the_start_only or strong_validator(version) is None
        if in_one_stream and coming.stop < version.size:
            door.leave()
            coming = door.open(self.url, 0, None, version, attempt)
        lengths = [coming.stop, *self._around.cut(version.size - coming.stop)]
        self.part.begin(version, Layout.of(lengths, in_one_stream=in_one_stream))
        self._around.queue(self, range(1, len(lengths)))
        return 0, coming.stop

    def _is_over(self, piece: int) -> bool:
        """Whether a piece has arrived, or is not wanted any more."""
        if self.part.version is None:
            return self.error is not None
        return self.error is not None or self.part.arrived[piece] >= self.part.layout.length(piece)

    def _arrived(self, piece: int) -> int:
        return self.part.arrived[piece] if self.part.version is not None else 0


def seconds_of(last_modified: str | None) -> int | None:
    """Return the moment that a server stated (RFC 9110, IMF-fixdate), in seconds since 1970, None if none.

    Examples
    --------
    >>> seconds_of("Mon, 07 Feb 2022 10:11:12 GMT"), seconds_of("yesterday")
    (1644228672, None)
    """
    match = _DATE.fullmatch(last_modified or "")
    if match is None or match[2] not in _MONTHS:
        return None
    day, month, year, hour, minute, second = match.groups()
    return timegm((int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), int(second)))
