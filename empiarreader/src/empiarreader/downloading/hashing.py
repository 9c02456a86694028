"""When what has arrived is hashed: not much faster than it arrives, so that those who receive go first."""

from __future__ import annotations

from collections.abc import Iterable

from empiarreader.downloading.cutting import MIB
from empiarreader.downloading.parts import PartFile

_RECEIVED_FIRST = 256 * MIB
_HASHED_A_BYTE = 1.25
_MOST_HASHED_AHEAD = 32 * MIB


class HashingPace:
    """How much of files on their way may be hashed already, so that little is left for the end."""

    def __init__(self) -> None:
        self._seen = 0
        self._received = 0
        self._allowance = 0.0

    def was_there(self, count: int) -> None:
        """Note bytes that count as arrived and were here before."""
        self._seen += count

    def hash_some(self, parts: Iterable[PartFile], arrived: int) -> bool:
        """Hash some of what is there of files; return whether there was any.

        What an earlier job left is not hashed at the very beginning: that would be done first otherwise, at
        the cost of those who receive.

        Parameters
        ----------
        parts
            Files on their way.
        arrived
            How many bytes have arrived in all.
        """
        is_early = self._received < _RECEIVED_FIRST
        new, self._seen = arrived - self._seen, arrived
        self._received += new
        self._allowance = min(self._allowance + _HASHED_A_BYTE * new, _MOST_HASHED_AHEAD)
        chosen = [part for part in parts if not (part.is_continued and is_early)]
        hashed = sum(part.hash_ahead(int(self._allowance)) for part in chosen)
        self._allowance -= hashed
        return hashed > 0
