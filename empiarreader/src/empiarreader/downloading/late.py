"""Which piece is late and worth a second request, and how many of those a download may send."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable

from empiarreader.downloading.transfer import Transfer
from empiarreader.network.counters import counter
from empiarreader.network.patience import AnswerTimes

_ALWAYS_ALLOWED = 2
_PIECES_A_HEDGE = 8
_FEW = 4


class Hedges:
    """Second requests that a download may send, few beside the first ones.

    Parameters
    ----------
    times
        How long answers of the archive take.
    """

    def __init__(self, times: AnswerTimes) -> None:
        self._times = times
        self._left: float = _ALWAYS_ALLOWED

    def allow_for(self, pieces: int) -> None:
        """Allow a part of a second request for each of so many more pieces."""
        self._left += pieces / _PIECES_A_HEDGE

    def find(self, transfers: Iterable[Transfer]) -> tuple[Transfer, int] | None:
        """Return a piece of which the only request is late; None if none is, most are, or none is allowed."""
        if self._left < 1:
            return None
        now = time.monotonic()
        running = [(transfer, racer) for transfer in transfers for racer in transfer.racers() if racer.length]
        counts = Counter((transfer, racer.piece) for transfer, racer in running)
        late = [
            (transfer, racer.piece)
            for transfer, racer in running
            if counts[transfer, racer.piece] == 1
            and self._times.is_late(now - racer.last_heard, now - racer.began, racer.length)
        ]
        if not late or (len(late) > _FEW and 2 * len(late) > len(running)):
            return None
        self._left -= 1
        counter.add(hedges=1)
        return late[0]
