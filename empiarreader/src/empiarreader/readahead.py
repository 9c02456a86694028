"""What an open file fetches beyond what is asked of it: little here and there, more the longer it goes on.

fsspec's own read-ahead of 5 MiB moves a whole movie for its page headers, and a small one costs a round trip
for each small block of a long table.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from fsspec import caching

CACHE_NAME = "empiar"
_LARGEST_STEP = 8 * 1024 * 1024
_KEPT_BYTES = 16 * 1024 * 1024


class GrowingReadAhead(caching.BaseCache):  # type: ignore[misc]  # fsspec has no types
    """A cache of the pieces read last, for fsspec's buffered files.

    Parameters
    ----------
    blocksize
        What is fetched at least; doubled with every fetch that follows the one before, up to 8 MiB.
    fetcher, size
        How bytes are had, and how many there are.
    """

    name = CACHE_NAME

    def __init__(self, blocksize: int, fetcher: Callable[[int, int], bytes], size: int) -> None:
        super().__init__(blocksize, fetcher, size)
        self._pieces: OrderedDict[int, bytes] = OrderedDict()
        self._step = blocksize
        self._end = -1

    def _fetch(self, start: int | None, stop: int | None) -> bytes:
        first, last = start or 0, min(self.size if stop is None else stop, self.size)
        if first >= last:
            return b""
        for begin, piece in self._pieces.items():
            if begin <= first and last <= begin + len(piece):
                self._pieces.move_to_end(begin)
                self.hit_count += 1
                return piece[first - begin : last - begin]
        return self._fetch_ahead(first, last)

    def _fetch_ahead(self, first: int, last: int) -> bytes:
        head = self._known_beginning(first, last)
        begin = first + len(head)
        # What begins where the last fetch ended, or within it, goes on with it.
        self._step = min(2 * self._step, _LARGEST_STEP) if begin == self._end else self.blocksize
        end = min(max(last, begin + self._step), self.size)
        piece: bytes = self.fetcher(begin, end)
        self.miss_count += 1
        self.total_requested_bytes += end - begin
        self._end = end
        self._pieces[begin] = piece
        while sum(map(len, self._pieces.values())) > _KEPT_BYTES and len(self._pieces) > 1:
            self._pieces.popitem(last=False)
        return head + piece[: last - begin]

    def _known_beginning(self, first: int, last: int) -> bytes:
        """Return what is known of the beginning of a range, so that only the rest is fetched."""
        for begin, piece in reversed(self._pieces.items()):
            if begin <= first < begin + len(piece):
                return piece[first - begin : last - begin]
        return b""

    def __reduce__(self) -> Any:
        return type(self), (self.blocksize, self.fetcher, self.size)


def register_cache() -> None:
    """Tell fsspec of the cache; telling it again does no harm."""
    caching.register_cache(GrowingReadAhead, clobber=True)
