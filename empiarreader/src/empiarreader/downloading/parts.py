"""What has arrived of a file that is not yet whole: ``NAME.HASH.part``, and how far each piece of it is.

The bytes lie where they belong, with gaps, beside the file's place; the hash is of the address. How far each
piece has come stands in ``NAME.HASH.part.state``, which is written after the bytes it speaks of. A process
that is killed at any moment therefore leaves a state that never says too much, as both are in the hands of
the system by then. Once the system itself has stopped, that is no longer sure: then only what was also forced
onto the disk counts, which is done once a minute.

A file in one piece gets a state only once it has been arriving for a moment. Most are whole by then, and a
second file made and removed for each of thousands would cost more than what a kill loses.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from empiarreader.downloading.states import STATE_SUFFIX, Layout, StateFile, read_state
from empiarreader.errors import LocalFileError
from empiarreader.network.answers import FileVersion

PART_SUFFIX = ".part"
_LONGEST_STEM_BYTES = 180
_HASHED_AT_ONCE = 1024 * 1024
_STATE_AFTER_SECONDS = 0.2


class PartInUseError(LocalFileError):
    """Another process is fetching the same file into the same folder."""


class PartFile:
    """A file while it arrives. One process at a time holds it, and lets it go when it ends, however it does.

    Attributes
    ----------
    version : FileVersion or None
        The version of the file that has been arriving; None before that is known.
    layout : Layout
        Its pieces.
    arrived : list of int
        How many bytes of each piece are there, from its beginning on.
    missing_bytes : int
        How many bytes of all are not.
    is_continued : bool
        Whether an earlier process began it.
    """

    version: FileVersion | None
    layout: Layout
    arrived: list[int]

    def __init__(self, target: Path, url: str) -> None:
        self.url = url
        self.path = part_path(target, url)
        self.is_continued = False
        self._descriptor, self._found_bytes = _open_locked(self.path)
        self._state: StateFile | None = None
        self._begun = time.monotonic()
        self._noting = threading.Lock()
        self._hashing = threading.Lock()
        self._forget()

    def resume(self) -> bool:
        """Take over what an earlier process left; return whether there was anything to be trusted."""
        if self._found_bytes == 0:
            return False  # as nearly always
        try:
            state = read_state(self._state_path, self.url)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, struct.error):
            return False
        ends = [edge + count for edge, count in zip(state.layout.edges, state.arrived, strict=False) if count]
        if self._found_bytes < max(ends, default=0):
            return False  # somebody shortened it
        self.version, self.layout, self.arrived = state.version, state.layout, state.arrived
        self.missing_bytes = self.version.size - sum(self.arrived)
        self._state = StateFile(self._state_path, self.url, *state)
        self.is_continued = True
        return True

    def begin(self, version: FileVersion, layout: Layout) -> None:
        """Begin a version of the file, with nothing of it here."""
        if self._found_bytes:
            os.ftruncate(self._descriptor, 0)
            self._state_path.unlink(missing_ok=True)
        self._forget()
        self.layout, self.arrived, self.missing_bytes = layout, [0] * len(layout), version.size
        self.version = version
        self._begun = time.monotonic()
        if len(layout) > 1:
            self._begin_state()

    def write(self, piece: int, place: int, data: memoryview) -> None:
        """Put bytes at ``place`` of a piece, and note that it has come that far."""
        start = self.layout.edges[piece] + place
        written = 0
        try:
            while written < len(data):
                # A disk that is nearly full takes the beginning of what it is given, without complaint.
                written += os.pwrite(self._descriptor, data[written:], start + written)
        finally:
            self._note(piece, place + written)
        self._hash_if_next(start, data)
        if self._state is None:
            if time.monotonic() - self._begun > _STATE_AFTER_SECONDS:
                self._ensure_state()
        else:
            self._state.force_if_due(self._descriptor)

    def restart(self, piece: int) -> None:
        """Trust nothing of a piece any more; for files that come in one stream, which have no state."""
        with self._noting, self._hashing:
            self.missing_bytes += self.arrived[piece]
            self.arrived[piece] = 0
            self._hash, self._hashed = hashlib.sha256(), 0

    def hash_ahead(self, most: int) -> int:
        """Hash up to so many bytes that are there without a gap and not hashed yet; return how many."""
        comes_in_order = len(self.layout) == 1 and not self.is_continued
        if comes_in_order or most < _HASHED_AT_ONCE or not self._hashing.acquire(blocking=False):
            return 0  # it is hashed while it arrives; or another thread is at it
        try:
            begun = self._hashed
            end = min(self._end_without_gap(), begun + most)
            if end - begun < _HASHED_AT_ONCE or self._descriptor < 0:
                return 0
            self._hash_up_to(end)
            return end - begun
        finally:
            self._hashing.release()

    def sha256(self) -> str:
        """Return the checksum of what is on the disk, all of it, also what an earlier process wrote."""
        with self._hashing:
            self._hash_up_to(self.layout.edges[-1])
            return self._hash.hexdigest()

    def set_time(self, modified: float) -> None:
        """Give the file the time of change that it has in the archive, in seconds since 1970."""
        os.utime(self._descriptor, (time.time(), modified))

    def finish(self, target: Path) -> None:
        """Give the file its name, and let it go."""
        self.path.replace(target)
        if self._state is not None or self.version is None:
            self._state_path.unlink(missing_ok=True)
        self._release()

    def keep(self) -> None:
        """Let the file go, as it is, for another process to go on with."""
        self._ensure_state()
        self._release()

    def close(self) -> None:
        """Let the file go; what is worth nothing is removed."""
        if self._descriptor < 0:
            return
        if _status_if_same(self._descriptor, self.path) is not None:
            with contextlib.suppress(OSError):  # the disk may be full
                self._ensure_state()
            if not any(self.arrived) or not self._state_path.exists():
                self.discard()
        self._release()

    def discard(self) -> None:
        """Remove what has arrived."""
        self.path.unlink(missing_ok=True)
        self._state_path.unlink(missing_ok=True)
        self._forget()

    @property
    def _state_path(self) -> Path:
        return self.path.with_name(self.path.name + STATE_SUFFIX)

    def _forget(self) -> None:
        self.version = None
        self.layout, self.arrived = Layout((0, 0)), []
        self.missing_bytes = 0
        self._first_gap = 0  # the first piece that has not arrived, by the last look
        self._hash, self._hashed = hashlib.sha256(), 0

    def _release(self) -> None:
        with self._hashing:
            if self._state is not None:
                self._state.close()
            if self._descriptor >= 0:
                os.close(self._descriptor)
            self._descriptor, self._state = -1, None

    def _ensure_state(self) -> None:
        """Begin to keep a state of what has arrived, unless there is one, or nothing could go on from it."""
        with self._noting:
            if self._state is None and any(self.arrived) and not self.layout.in_one_stream:
                self._begin_state()

    def _begin_state(self) -> None:
        assert self.version is not None
        self._state = StateFile(self._state_path, self.url, self.version, self.layout, self.arrived)

    def _note(self, piece: int, end: int) -> None:
        with self._noting:
            if end > self.arrived[piece]:
                self.missing_bytes -= end - self.arrived[piece]
                self.arrived[piece] = end
                if self._state is not None:
                    self._state.note(piece, end)

    def _hash_if_next(self, start: int, data: memoryview) -> None:
        if start == self._hashed and self._hashing.acquire(blocking=False):
            try:
                if start == self._hashed:
                    self._hash.update(data)
                    self._hashed += len(data)
            finally:
                self._hashing.release()

    def _end_without_gap(self) -> int:
        while self._first_gap < len(self.layout):
            count = self.arrived[self._first_gap]
            if count < self.layout.length(self._first_gap):
                return self.layout.edges[self._first_gap] + count
            self._first_gap += 1
        return self.layout.edges[-1]

    def _hash_up_to(self, end: int) -> None:
        if self._hashed >= end:
            return
        buffer = memoryview(bytearray(min(_HASHED_AT_ONCE, end - self._hashed)))
        while self._hashed < end:
            count = os.preadv(self._descriptor, [buffer[: end - self._hashed]], self._hashed)
            if count == 0:
                raise LocalFileError(f"{self.path} became shorter while it was written")
            self._hash.update(buffer[:count])
            self._hashed += count


def part_path(target: Path, url: str) -> Path:
    """Return where a file arrives that will be ``target``."""
    stem = os.fsdecode(os.fsencode(target.name)[:_LONGEST_STEM_BYTES])
    return target.with_name(f"{stem}.{hashlib.sha256(url.encode()).hexdigest()[:8]}{PART_SUFFIX}")


def file_sha256(path: Path) -> str:
    """Return the checksum of a file on the disk."""
    digest = hashlib.sha256()
    for block in _blocks(path):
        digest.update(block)
    return digest.hexdigest()


def _blocks(path: Path) -> Iterator[memoryview]:
    buffer = memoryview(bytearray(_HASHED_AT_ONCE))
    with path.open("rb", buffering=0) as file:
        while count := file.readinto(buffer):
            yield buffer[:count]


def _open_locked(path: Path) -> tuple[int, int]:
    """Open a part for this process alone; return its descriptor, and how many bytes are there."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise PartInUseError(f"another process is downloading {path.name}; wait for it") from None
        if (status := _status_if_same(descriptor, path)) is not None:
            return descriptor, status.st_size
        os.close(descriptor)  # another process finished it, and gave it its name, while this one waited


def _status_if_same(descriptor: int, path: Path) -> os.stat_result | None:
    """Return what the system says of an open file, if it is the one that has the name."""
    with contextlib.suppress(FileNotFoundError):
        status = os.fstat(descriptor)
        return status if os.path.samestat(status, path.stat()) else None
    return None
