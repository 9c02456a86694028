"""How long to wait for a server: from how long it has been taking, and from what it asks for.

About one answer in thirty of the archive never ends, while a healthy one is there in a second or two. A
fixed time-out is therefore either too short for a slow day or too long for a fast one, and this one follows
the longest silences of the answers that did come.
"""

from __future__ import annotations

import random
import re
import threading
import time
from collections import deque
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

ATTEMPTS = 5
LONGEST_PAUSE_SECONDS = 60.0
_SHORTEST_LIMIT_SECONDS = 1.0
_REMEMBERED = 32
_ENOUGH = 4
_NEVER_LATE_SECONDS = 0.2  # a busy machine of ours pauses for as long
_LATE_WITHOUT_EXPERIENCE_SECONDS = 1.0
_NEAR_SECONDS = 0.005
_NEXT_DOOR_SECONDS = 0.001  # less than this machine takes for a small file
_FAST_SECONDS_A_BYTE = 1e-8
_SAYS_SOMETHING_BYTES = 64 * 1024
_WHOLE_NUMBER = re.compile(r"\s*[0-9]+\s*")


class AnswerTimes:
    """What the latest good answers of one host were like: their longest silences, and seconds a byte."""

    def __init__(self) -> None:
        self._seconds: deque[float] = deque(maxlen=_REMEMBERED)
        self._a_byte: deque[float] = deque(maxlen=_REMEMBERED)
        self._lock = threading.Lock()

    def add(self, silence: float, *, seconds: float = 0.0, length: int = 0) -> None:
        """Remember an answer that came to its end.

        Parameters
        ----------
        silence
            The longest it was silent, in seconds, from the request on.
        seconds, length
            How long its body took, and how many bytes it had.
        """
        with self._lock:
            self._seconds.append(silence)
            if length >= _SAYS_SOMETHING_BYTES:
                self._a_byte.append(seconds / length)

    def is_near(self) -> bool:
        """Return whether the host is so near by, and one connection so fast, that many are of no use."""
        with self._lock:
            latest, a_byte = list(self._seconds)[-1:], sorted(self._a_byte)
        if not latest or latest[0] >= _NEAR_SECONDS:
            return False
        return not a_byte or a_byte[len(a_byte) // 2] < _FAST_SECONDS_A_BYTE

    def is_next_door(self) -> bool:
        """Return whether the quickest of the latest answers began at once, and came as fast as memory copies.

        One quick answer proves it; those that took longer did so because this machine was busy.
        """
        with self._lock:
            quickest, fastest = min(self._seconds, default=1.0), min(self._a_byte, default=0.0)
        return quickest < _NEXT_DOOR_SECONDS and fastest < _FAST_SECONDS_A_BYTE

    def is_late(self, silence: float, age: float, length: int) -> bool:
        """Return whether an answer still under way is so late that another is worth asking for.

        Parameters
        ----------
        silence, age
            For how long nothing has come of it, and how long it has been under way, in seconds.
        length
            How many bytes it has.

        Notes
        -----
        Late is three times what nine answers in ten stayed below, of either.
        """
        with self._lock:
            silences, a_byte = sorted(self._seconds), sorted(self._a_byte)
        if len(silences) < _ENOUGH:
            return silence > max([_LATE_WITHOUT_EXPERIENCE_SECONDS, *(4 * known for known in silences)])
        usual = _nine_in_ten(silences)
        if silence > max(_NEVER_LATE_SECONDS, 3 * usual):
            return True
        if len(a_byte) < _ENOUGH:
            return False
        return age > max(2 * _NEVER_LATE_SECONDS, 3 * (usual + length * _nine_in_ten(a_byte)))

    def stall_limit(self, attempt: int, *, longest: float) -> float:
        """Return the seconds of silence after which to give up an attempt, counted from 0.

        Four times what nine answers in ten stayed below, doubled with every attempt, so that a server that
        has become slow is understood in the end; before there is experience, and at last, ``longest``.
        """
        with self._lock:
            seconds = sorted(self._seconds)
        if len(seconds) < _ENOUGH or attempt >= ATTEMPTS - 1:
            return longest
        usual = _nine_in_ten(seconds)
        return float(min(longest, max(_SHORTEST_LIMIT_SECONDS, 4 * usual) * 2**attempt))


def _nine_in_ten(ascending: list[float]) -> float:
    """Return what nine values in ten stay below."""
    return ascending[(len(ascending) * 9) // 10]


def parse_retry_after(text: str | None) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks for, as a number or as a date.

    Examples
    --------
    >>> parse_retry_after("120")
    120.0
    >>> parse_retry_after("soon") is None
    True
    """
    if text is None:
        return None
    if _WHOLE_NUMBER.fullmatch(text):
        return float(text.strip()[:9])
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, OverflowError, IndexError):  # whatever stands where a date should
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())


def pause_before_retry(attempt: int, asked_seconds: float | None) -> float:
    """Return the seconds to pause after an attempt, counted from 0, has failed."""
    if asked_seconds is not None:
        return asked_seconds
    # Many files fail at the same moment when a server restarts; they should not all come back at the same
    # one.
    return float(0.1 * 2**attempt * random.SystemRandom().uniform(0.75, 1.25))


def pause(seconds: float, cancelled: threading.Event | None = None) -> None:
    """Sleep, at most until ``cancelled`` is set."""
    if cancelled is None:
        time.sleep(seconds)
    else:
        cancelled.wait(seconds)
