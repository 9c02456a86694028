"""Where the pages of a TIFF file are: a chain of directories that has to be followed one by one.

Each directory (IFD) says where the next one is, and in files with compressed frames they lie between the
frames: page N costs N round trips. Four things make that bearable. A hop reads a kibibyte. Where the first
directories are evenly spaced, as with uncompressed frames, the others are asked for together and checked
against the chain. What has been found is kept on disk for the same version of the file. And where following
the chain would take longer than fetching the whole file, the whole file is fetched.

Sources: TIFF 6.0 (Adobe, 1992), section 2; BigTIFF, https://www.awaresystems.be/imaging/tiff/bigtiff.html.
"""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from empiarreader.bytesource import ByteSource
from empiarreader.cache.facts import recall, remember
from empiarreader.errors import DamagedDataError, InvalidRequestError
from empiarreader.ranges import FileVersion

_HOP_BYTES = 1024
_MOST_ENTRIES = 4096
_MOST_PAGES = 200_000
# What the archive was measured to do: a round trip, and sixteen connections of 1.5 MB/s each.
_ROUND_TRIP_SECONDS = 0.1
_BULK_BYTES_PER_SECOND = 24e6
_AT_ONCE = 16
_GUESSED_AT_ONCE = 256
_MOST_PIECES = 16
_FACT = "tiff-pages-1"
# Tags that must agree for two pages to be frames of one movie: size, type, compression, tiling.
_ALIKE = frozenset({256, 257, 258, 259, 277, 284, 317, 322, 323, 339})

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class TiffLayout:
    """Byte order and word size of a TIFF file."""

    order: str
    is_big: bool

    @property
    def count_format(self) -> str:
        """Format of the number of entries of a directory."""
        return f"{self.order}{'Q' if self.is_big else 'H'}"

    @property
    def offset_format(self) -> str:
        """Format of an offset."""
        return f"{self.order}{'Q' if self.is_big else 'I'}"

    @property
    def entry_bytes(self) -> int:
        """Length of an entry."""
        return 20 if self.is_big else 12


class Directory(NamedTuple):
    """A directory as the chain sees it: what pages must have in common, and where the next one is."""

    alike: tuple[bytes, ...]
    following: int


def parse_tiff_header(content: bytes, version: FileVersion, label: str) -> tuple[TiffLayout, int]:
    """Return the layout of a TIFF file and the offset of its first directory.

    Raises
    ------
    DamagedDataError
        If it is no TIFF file, or the offset leads out of it.
    """
    order = {b"II": "<", b"MM": ">"}.get(content[:2])
    if order is None or len(content) < 16:
        raise DamagedDataError(f"{label} is no TIFF file: it begins with {content[:4]!r}")
    magic, word, _ = struct.unpack_from(f"{order}3H", content, 2)
    if magic not in {42, 43} or (magic == 43 and word != 8):
        raise DamagedDataError(f"{label} is no TIFF file: its version is {magic}")
    layout = TiffLayout(order=order, is_big=magic == 43)
    (first,) = struct.unpack_from(layout.offset_format, content, 8 if layout.is_big else 4)
    _check_offset(first, version, label)
    return layout, first


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
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        with self._lock:
            kept = {**self.__dict__, "offsets": list(self.offsets), "_seen": set(self._seen)}
        return {name: value for name, value in kept.items() if name != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.Lock()

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
        kept = recall(_FACT, label, self.version) if self._can_be_kept else None
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
        if not self._can_be_kept:
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

    @property
    def _can_be_kept(self) -> bool:
        return bool(self.version.etag or self.version.last_modified)

    def _reaches(self, count: int | None) -> bool:
        return self.following == 0 or (count is not None and len(self.offsets) >= count)

    def _follow_on(self, file: ByteSource, count: int | None) -> None:
        known = len(self.offsets)
        may_guess = may_fetch = True
        while not self._reaches(count):
            if may_fetch and len(self._seen) >= 3:
                self._fetch_whole_if_cheaper(file, count)
                may_fetch = False
            if may_guess and self._is_even():
                may_guess = self._follow_evenly(file, count)
                continue
            self._hop(self._read(file, self.following), file.label)
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
            _check_offset(directory.following, self.version, label)
            if directory.following in self._seen:
                raise DamagedDataError(f"{label} is damaged: its chain of pages leads in a circle")
            if len(self._seen) >= _MOST_PAGES:
                raise DamagedDataError(f"{label} has more than {_MOST_PAGES} pages, which cannot be right")
        self.following = directory.following

    def _is_even(self) -> bool:
        if len(self.offsets) < 2 or len(self.offsets) != len(self._seen):
            return False
        one, other = self.offsets[-1] - self.offsets[-2], self.following - self.offsets[-1]
        return one == other > 0

    def _follow_evenly(self, file: ByteSource, count: int | None) -> bool:
        """Ask for the next directories where they should be, all together; return whether they were there."""
        step = self.following - self.offsets[-1]
        wanted = _GUESSED_AT_ONCE if count is None else min(_GUESSED_AT_ONCE, count - len(self.offsets))
        last = self.version.size - _HOP_BYTES // 2
        places = list(range(self.following, min(last, self.following + wanted * step), step))
        if not places:
            return False
        spans = [(place, min(_HOP_BYTES, self.version.size - place)) for place in places]
        for place, content in zip(places, file.ranges(spans, self.version), strict=True):
            if place != self.following:
                return False
            directory = self._parse(bytes(content), place, file.label)
            self._hop(directory or self._read(file, place), file.label)
        return True

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
        """Return what a directory says, None where it is longer than what was read of it."""
        layout = self.layout
        head = struct.calcsize(layout.count_format)
        count = struct.unpack_from(layout.count_format, content)[0] if len(content) >= head else 0
        if not 0 < count <= _MOST_ENTRIES:
            raise DamagedDataError(f"{label} is damaged: no page directory at byte {offset}")
        end = head + count * layout.entry_bytes
        tail = struct.calcsize(layout.offset_format)
        if offset + end + tail > self.version.size:
            raise DamagedDataError(f"{label} ends in the page directory at byte {offset}; it was cut short")
        if len(content) < end + tail:
            return None
        entries = [content[k : k + layout.entry_bytes] for k in range(head, end, layout.entry_bytes)]
        (following,) = struct.unpack_from(layout.offset_format, content, end)
        return Directory(
            tuple(self._essence(entry) for entry in entries if self._tag(entry) in _ALIKE), following
        )

    def _tag(self, entry: bytes) -> int:
        tag: int = struct.unpack_from(f"{self.layout.order}H", entry)[0]
        return tag

    def _essence(self, entry: bytes) -> bytes:
        """Return an entry as far as pages can share it: without the place of values that lie elsewhere."""
        _, kind, count = struct.unpack_from(
            f"{self.layout.order}2H{'Q' if self.layout.is_big else 'I'}", entry
        )
        width = {1: 1, 2: 1, 3: 2, 4: 4, 16: 8}.get(kind, 8)
        inline = self.layout.entry_bytes - (12 if self.layout.is_big else 8)
        return entry if width * count <= inline else entry[:-inline]

    def _fetch_whole_if_cheaper(self, file: ByteSource, count: int | None) -> None:
        """Fetch the whole file where following the chain would take longer; the copy then serves it."""
        spread = max(self._seen) - min(self._seen)
        left = (self.version.size - max(self._seen)) * (len(self._seen) - 1) / max(spread, 1)
        hops = left if count is None else min(left, count - len(self.offsets))
        if self._is_even():
            hops /= _AT_ONCE
        if hops * _ROUND_TRIP_SECONDS <= self.version.size / _BULK_BYTES_PER_SECOND:
            return
        logger.debug("%s whole: following about %d more pages would take longer", file.label, hops)
        with contextlib.suppress(InvalidRequestError):  # too large for the cache: the chain it is
            file.local_copy(self.version)


def _check_offset(offset: int, version: FileVersion, label: str) -> None:
    if not 8 <= offset < version.size:
        raise DamagedDataError(
            f"{label} has {version.size} bytes, but a page at byte {offset}; it was cut short or is damaged"
        )
