"""Where the pages of a TIFF file are: a chain of directories that has to be followed one by one.

Each directory (IFD) says where the next one is, and in files with compressed frames they lie between the
frames: page N costs N round trips. Four things make that bearable. A hop reads a kibibyte. Where the first
directories are evenly spaced, or nearly so, the next ones are asked for together where they should be, and
believed where the chain leads to them. What has been found is kept on disk for the same version of the file.
And where following the chain would take longer than fetching the whole file, the whole file is fetched.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
import json
import logging
import os
import threading
from typing import Any

from empiarreader.bytesource import ByteSource
from empiarreader.cache.facts import recall, remember
from empiarreader.errors import DamagedDataError, InvalidRequestError
from empiarreader.images.tiffdirectory import Directory, TiffLayout, parse_directory
from empiarreader.network.ranges import FileVersion

_HOP_BYTES = 1024
_MOST_PAGES = 200_000
# What the archive was measured to do: a round trip, and sixteen connections of 1.5 MB/s each.
_ROUND_TRIP_SECONDS = 0.1
_BULK_BYTES_PER_SECOND = 24e6
_AT_ONCE = 16
_EVEN_AT_ONCE = 256
_FORETOLD_AT_ONCE = 8
_WRONG_GUESSES = 3
_SHARE_OF_FRAME = 80  # an eightieth of a frame on either side of as many guesses as there are pages
_MOST_PIECES = 16
_FACT = "tiff-pages-1"

logger = logging.getLogger(__name__)


class PageChain:
    """The directories of a TIFF file, followed as far as they were needed; can be pickled, safe in threads.

    Parameters
    ----------
    layout, first, version
        What the file begins with.
    """

    def __init__(self, layout: TiffLayout, first: int, version: FileVersion) -> None:
        self.layout, self.version = layout, version
        self.offsets: list[int] = []
        self.following = first  # 0 where the chain has ended
        self.pieces: list[
            tuple[int, bytes]
        ] = []  # what describes the first page, and values that pages share
        self.reach = (0, 4 * _HOP_BYTES)  # how far before and after its offset a directory's values lie
        self._alike: tuple[bytes, ...] | None = None
        self._seen: set[int] = set()
        self._locks: dict[int, threading.Lock] = {}

    def __getstate__(self) -> dict[str, Any]:
        with self._lock:
            return {**self.__dict__, "offsets": list(self.offsets), "_seen": set(self._seen), "_locks": {}}

    @property
    def _lock(self) -> threading.Lock:
        # One a process: a child must not wait for a thread that only its parent has.
        return self._locks.setdefault(os.getpid(), threading.Lock())

    @property
    def is_complete(self) -> bool:
        """Whether the chain has been followed to its end."""
        return self.following == 0

    def follow(self, file: ByteSource, count: int | None = None) -> list[int]:
        """Return the offsets of the first ``count`` pages that are like the first; None for all of them.

        Fewer come where there are fewer.

        Raises
        ------
        DamagedDataError
            If the chain leads out of the file, in a circle, or on and on.
        """
        with self._lock:
            if not self._reaches(count):
                self._follow_on(file, count)
            return self.offsets[:count]

    def note_first(self, pieces: list[tuple[int, bytes]]) -> None:
        """Keep the bytes that describe the first page, and how far from its offset they lie."""
        start = self.offsets[0]
        near = [piece for piece in pieces if abs(piece[0] - start) < 256 * 1024]
        before = max([start - place for place, _ in near if place < start], default=0)
        after = max([place + len(data) - start for place, data in near], default=0)
        self.pieces, self.reach = pieces, (before, max(after, _HOP_BYTES))

    def note_shared(self, pieces: list[tuple[int, bytes]]) -> bool:
        """Keep bytes that a later page needed from elsewhere: some writers let pages share values."""
        with self._lock:
            new = [piece for piece in pieces if piece not in self.pieces]
            if not new or len(self.pieces) + len(new) > _MOST_PIECES:
                return False
            self.pieces = [*self.pieces, *new]
            return True

    def window(self, offset: int) -> tuple[int, int]:
        """Return the span in which a directory and its values probably lie."""
        start = max(0, offset - self.reach[0])
        return start, min(self.version.size, offset + self.reach[1]) - start

    def recall(self, label: str) -> bool:
        """Take over what was found out earlier about this version; return whether there was anything."""
        kept = recall(_FACT, label, self.version) if self._is_worth_keeping(label) else None
        if kept is None:
            return False
        try:
            facts = json.loads(kept)
            offsets = [int(offset) for offset in facts["offsets"]]
            pieces = [(int(start), base64.b64decode(data)) for start, data in facts["first"]]
            alike = tuple(base64.b64decode(value) for value in facts["alike"])
            before, after, following = (int(facts[name]) for name in ("before", "after", "following"))
        except (ValueError, KeyError, TypeError):
            return False
        self.offsets, self.pieces, self._alike = offsets, pieces, alike
        self.reach, self.following, self._seen = (before, after), following, set(offsets)
        return True

    def remember(self, label: str) -> None:
        """Keep on disk what is known, for the same version of the file."""
        if not self._is_worth_keeping(label):
            return
        facts = {
            "offsets": self.offsets,
            "following": self.following,
            "before": self.reach[0],
            "after": self.reach[1],
            "alike": [base64.b64encode(value).decode() for value in self._alike or ()],
            "first": [(start, base64.b64encode(data).decode()) for start, data in self.pieces],
        }
        remember(_FACT, label, self.version, json.dumps(facts).encode())

    def _is_worth_keeping(self, label: str) -> bool:
        """Whether the file is far away, and would be known again."""
        return "://" in label and bool(self.version.etag or self.version.last_modified)

    def _reaches(self, count: int | None) -> bool:
        return self.following == 0 or (count is not None and len(self.offsets) >= count)

    def _follow_on(self, file: ByteSource, count: int | None) -> None:
        known = len(self.offsets)
        patience, may_fetch = _WRONG_GUESSES, True
        while not self._reaches(count):
            if may_fetch and len(self._seen) >= 3:
                self._fetch_whole_if_cheaper(file, count)
                may_fetch = False
            stride = self._stride() if patience else None
            if stride is None:
                self._hop(self._read(file, self.following), file.label)
            elif not self._follow_ahead(file, count, *stride):
                patience -= 1
        if len(self.offsets) - known > 1:
            logger.debug("followed the pages of %s to the %d-th", file.label, len(self.offsets))

    def _hop(self, directory: Directory, label: str) -> None:
        """Take in the directory at ``following``."""
        here = self.following
        if self._alike is None:
            self._alike = directory.alike
        if directory.alike == self._alike:
            self.offsets.append(here)
        self._seen.add(here)
        if directory.following:
            if directory.following in self._seen:
                raise DamagedDataError(f"{label} is damaged: its chain of pages leads in a circle")
            if len(self._seen) >= _MOST_PAGES:
                raise DamagedDataError(f"{label} has more than {_MOST_PAGES} pages, which cannot be right")
        self.following = directory.following

    def _stride(self) -> tuple[int, int] | None:
        """Return the distance of pages, and how far off it may be; None where they cannot be foretold.

        Compressed frames of a camera differ in length by very little. How much is looked at around the places
        where they should be is limited, so that all of it together stays a small part of a frame.
        """
        if len(self.offsets) < 3 or len(self.offsets) != len(self._seen):
            return None
        places = [*self.offsets[-4:], self.following]
        steps = [after - before for before, after in itertools.pairwise(places)]
        step, spread = round(sum(steps) / len(steps)), max(steps) - min(steps)
        most = step * step // (_SHARE_OF_FRAME * self.version.size)
        if min(steps) <= 0 or 2 * spread > most:
            return None if spread or min(steps) <= 0 else (step, 0)
        return step, min(most, max(2 * spread, _HOP_BYTES)) if spread else 0

    def _follow_ahead(self, file: ByteSource, count: int | None, step: int, slack: int) -> bool:
        """Take the next hop together with those after it, by guess; return whether one of these was right."""
        most = _FORETOLD_AT_ONCE if slack else _EVEN_AT_ONCE
        wanted = most if count is None else min(most, count - len(self.offsets))
        starts = [self.following + k * step - (slack if k else 0) for k in range(wanted)]
        spans = [
            (start, min(_HOP_BYTES + (2 * slack if k else 0), self.version.size - start))
            for k, start in enumerate(starts)
            if start < self.version.size
        ]
        right = 0
        for (start, length), content in zip(spans, file.ranges(spans, self.version), strict=True):
            if not start <= self.following < start + length:
                break
            directory = self._parse(bytes(content[self.following - start :]), self.following, file.label)
            self._hop(directory or self._read(file, self.following), file.label)
            right += 1
        return right > 1

    def _read(self, file: ByteSource, offset: int) -> Directory:
        length = _HOP_BYTES if self.offsets else self.reach[1]
        while True:
            available = min(length, self.version.size - offset)
            content = file.range(offset, available, self.version)
            found = self._parse(content, offset, file.label)
            if found is not None:
                if not self.offsets:
                    self.pieces = [(offset, content)]
                return found
            length = 128 * _HOP_BYTES  # more than the most entries that are believed

    def _parse(self, content: bytes, offset: int, label: str) -> Directory | None:
        return parse_directory(content, offset, self.layout, self.version, label)

    def _fetch_whole_if_cheaper(self, file: ByteSource, count: int | None) -> None:
        """Fetch the whole file where following the chain would take longer; the copy then serves it."""
        spread = max(self._seen) - min(self._seen)
        left = (self.version.size - max(self._seen)) * (len(self._seen) - 1) / max(spread, 1)
        hops = left if count is None else min(left, count - len(self.offsets))
        stride = self._stride()
        if stride is not None:
            hops /= _FORETOLD_AT_ONCE if stride[1] else _AT_ONCE
        if hops * _ROUND_TRIP_SECONDS <= self.version.size / _BULK_BYTES_PER_SECOND:
            return
        logger.debug("%s whole: following about %d more pages would take longer", file.label, hops)
        with contextlib.suppress(InvalidRequestError):  # too large for the cache: the chain it is
            file.local_copy(self.version)
