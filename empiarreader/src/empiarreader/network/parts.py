"""One range of a remote file on its way into memory, by one request or by several that race for it.

The first request for a part writes into the caller's memory. A further one (a hedge) asks for what is still
missing, collects it in memory of its own and puts it in place when all of it is there. Whoever completes the
part first has won; the others can write nothing any more from that moment on, and their connections are cut.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from empiarreader.errors import EmpiarReaderError, FileChangedError, ServiceError
from empiarreader.network.answers import FileVersion, accept
from empiarreader.network.counters import counter
from empiarreader.network.lines import Line
from empiarreader.network.transport import open_answer, with_retries

_READ_AT_ONCE = 256 * 1024

logger = logging.getLogger(__name__)


class Part:
    """A range of a file: where it goes, how far it has come, and who is fetching it.

    Parameters
    ----------
    url, start, length
        Which bytes of what; at the end of a file fewer may come.
    view
        Where they go; None makes memory for them when the first request for them begins.
    known
        The version of the file that they must be of.
    """

    def __init__(
        self, url: str, start: int, length: int, view: memoryview | None, known: FileVersion | None
    ) -> None:
        self.url = url
        self.start = start
        self.length = length
        self.view = view
        self.version = known
        self.count = length  # fewer where the file ends
        self.error: BaseException | None = None
        self.settled = threading.Event()
        self.when_settled: Callable[[Part], None] = lambda part: None
        self._filled = 0
        self._racers: list[Racer] = []
        self._lock = threading.Lock()

    def fetch(self) -> None:
        """Fetch it, in this thread, with as many attempts as are usual; the outcome is kept, not raised."""
        try:
            with_retries(lambda attempt: self._race(attempt, is_hedge=False), cancelled=self.settled)
        except BaseException as error:
            self._settle(error)

    def fetch_again(self) -> None:
        """Fetch what is missing a second time, beside the request that is late."""
        try:
            self._race(0, is_hedge=True)
        except EmpiarReaderError as error:
            # The first request still runs, has patience of its own, and will say the same if it is so.
            logger.info("a second request was of no use: %s", error)
        except BaseException as error:
            self._settle(error)

    def cancel(self) -> None:
        """Let nobody write to its memory from now on, and cut who still tries."""
        self._settle(None)

    def racers(self) -> list[Racer]:
        """Return the requests for it that are under way."""
        with self._lock:
            return list(self._racers)

    def _race(self, attempt: int, *, is_hedge: bool) -> None:
        racer = self._enter(is_hedge=is_hedge)
        if racer is None:
            return
        try:
            self._run(racer, attempt)
        finally:
            with self._lock:
                self._racers.remove(racer)
                if racer.own is None and racer.was_full and not self.settled.is_set():
                    self._filled = 0  # all came, and then something that should not have: trust none of it

    def _enter(self, *, is_hedge: bool) -> Racer | None:
        with self._lock:
            if self.settled.is_set():
                return None
            if self.view is None:
                self.view = memoryview(bytearray(self.length))
            missing = self.length - self._filled
            racer = Racer(self._filled, bytearray(missing) if is_hedge else None)
            self._racers.append(racer)
            return racer

    def _run(self, racer: Racer, attempt: int) -> None:
        start, wanted = self.start + racer.offset, self.length - racer.offset
        headers = {"Range": f"bytes={start}-{start + wanted - 1}"}
        known = self.version
        if known is not None and known.etag is not None and not known.etag.startswith("W/"):
            headers["If-Range"] = known.etag
        with open_answer(
            "GET", self.url, headers=headers, attempt=attempt, statuses=(200, 206, 416), line=racer.line
        ) as answer:
            version, count, skip = accept(answer, start, wanted, known)
            with self._lock:
                if self.version is None:
                    self.version = version
            came = 0
            chunk = memoryview(bytearray(min(_READ_AT_ONCE, skip + count)))
            while arrived := answer.read_into(chunk):
                if came == count:
                    break  # more than was promised; leaving early closes the connection
                dropped = min(skip, arrived)
                skip -= dropped
                piece = chunk[dropped : min(arrived, dropped + count - came)]
                if not self._take(racer, came, piece):
                    return  # somebody else was quicker
                came += len(piece)
                racer.was_full = came == count
                if came == count and answer.status == 200:
                    break
        if came < count:
            raise ServiceError(f"{self.url} broke off after {came} of {count} bytes", retryable=True)
        self._complete(racer, version, count)

    def _take(self, racer: Racer, place: int, chunk: memoryview) -> bool:
        racer.last_heard = time.monotonic()
        if racer.own is not None:
            racer.own[place : place + len(chunk)] = chunk
            return not self.settled.is_set()
        with self._lock:
            if self.settled.is_set():
                return False
            assert self.view is not None
            begin = racer.offset + place
            self.view[begin : begin + len(chunk)] = chunk
            self._filled = begin + len(chunk)
            return True

    def _complete(self, racer: Racer, version: FileVersion, count: int) -> None:
        with self._lock:
            if self.settled.is_set():
                return
            if self.version is not None and self.version.differs_from(version):
                raise FileChangedError(f"{self.url} has changed while it was read; open it again")
            assert self.view is not None
            if racer.own is not None:
                self.view[racer.offset : racer.offset + count] = memoryview(racer.own)[:count]
                counter.add(stalls=1)
            self.count = racer.offset + count
            self.version = version
        self._settle(None)

    def _settle(self, error: BaseException | None) -> None:
        with self._lock:
            if self.settled.is_set():
                return
            self.error = error
            self.settled.set()
            losers = list(self._racers)
        for racer in losers:
            racer.line.cut()
        self.when_settled(self)


class Racer:
    """One request for a part.

    Attributes
    ----------
    offset : int
        How much of the part was there when it began, which it does not ask for.
    own : bytearray or None
        Memory of its own; None writes into the part's.
    was_full : bool
        Whether all came that was promised.
    line : Line
        The connection it has.
    last_heard : float
        When bytes last came; 0 before the first.
    """

    def __init__(self, offset: int, own: bytearray | None) -> None:
        self.offset = offset
        self.own = own
        self.was_full = False
        self.line = Line()
        self.last_heard = 0.0

    def silence(self, now: float) -> float:
        """Return for how long nothing has come; 0 while it has not begun."""
        began = self.line.began
        return now - max(self.last_heard, began) if began else 0.0

    def age(self, now: float) -> float:
        """Return for how long it has been under way."""
        return now - self.line.began if self.line.began else 0.0
