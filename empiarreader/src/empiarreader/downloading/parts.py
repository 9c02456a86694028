"""What has arrived of a file that is not yet whole: ``NAME.HASH.part``, and how far each piece of it is.

The bytes lie where they belong, with gaps, beside the file's place; the hash is of the address. How far each
piece has come stands in ``NAME.HASH.part.state``, which is written after the bytes it speaks of. A process
that is killed at any moment therefore leaves a state that never says too much, as both are in the hands of
the system by then. Once the system itself has stopped, that is no longer sure: then only what was also forced
onto the disk counts, which is done once a minute.

A file in one piece gets a state only once it has been arriving for a moment. Most are whole by then, and a
second file made and removed for each of thousands would cost more than what a kill loses.

The state is one line of JSON (address, version, pieces, the system's boot) followed by two tables of unsigned
64-bit numbers, little endian: for each piece how many bytes have arrived, and how many of them are surely on
the disk.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import itertools
import json
import os
import struct
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from empiarreader.errors import LocalFileError
from empiarreader.network.answers import FileVersion

PART_SUFFIX, STATE_SUFFIX = ".part", ".state"
_LONGEST_STEM_BYTES = 180
_LONGEST_STATE_BYTES = 256 * 1024 * 1024
_HASHED_AT_ONCE = 1024 * 1024
_FORCED_EVERY_SECONDS = 60.0
_STATE_AFTER_SECONDS = 0.2
_NUMBER = struct.Struct("<Q")
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class PartInUseError(LocalFileError):
    """Another process is fetching the same file into the same folder."""


@dataclass(frozen=True)
class Layout:
    """How a file of known size is cut into pieces.

    Attributes
    ----------
    edges : tuple of int
        Where each piece begins, and where the last one ends.
    in_one_stream : bool
        Whether the server cannot go on in the middle of the file, so that every attempt begins at its start.

    Examples
    --------
    >>> Layout.of([4, 3, 3]).edges
    (0, 4, 7, 10)
    """

    edges: tuple[int, ...]
    in_one_stream: bool = False

    @classmethod
    def of(cls, lengths: Sequence[int], *, in_one_stream: bool = False) -> Layout:
        """Return pieces of these lengths, one after the other."""
        return cls((0, *itertools.accumulate(lengths)), in_one_stream)

    def __len__(self) -> int:
        return len(self.edges) - 1

    def length(self, piece: int) -> int:
        """Return how many bytes a piece has."""
        return self.edges[piece + 1] - self.edges[piece]


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
        self._descriptor = _open_locked(self.path)
        self._state, self._tables = -1, 0
        self._begun = self._forced = time.monotonic()
        self._noting = threading.Lock()
        self._hashing = threading.Lock()
        self._forget()

    def resume(self) -> bool:
        """Take over what an earlier process left; return whether there was anything to be trusted."""
        size = os.fstat(self._descriptor).st_size
        if size == 0:
            return False  # as nearly always
        try:
            kept = _read_state(self._state_path, self.url)
        except (OSError, ValueError, TypeError, KeyError, AttributeError, struct.error):
            return False
        ends = [edge + count for edge, count in zip(kept[1].edges, kept[2], strict=False) if count]
        if size < max(ends, default=0):
            return False  # somebody shortened it
        self.version, self.layout, self.arrived = kept
        self.missing_bytes = self.version.size - sum(self.arrived)
        self._open_state(fresh=False)
        self.is_continued = True
        return True

    def begin(self, version: FileVersion, layout: Layout) -> None:
        """Begin a version of the file, with nothing of it here."""
        if os.fstat(self._descriptor).st_size:
            os.ftruncate(self._descriptor, 0)
            self._state_path.unlink(missing_ok=True)
        self._forget()
        self.layout, self.arrived, self.missing_bytes = layout, [0] * len(layout), version.size
        self.version = version
        self._begun = time.monotonic()
        if len(layout) > 1:
            self._open_state(fresh=True)

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
        now = time.monotonic()
        if self._state < 0:
            if now - self._begun > _STATE_AFTER_SECONDS:
                self._ensure_state()
        elif now - self._forced > _FORCED_EVERY_SECONDS:
            self._force()

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
        if self._state >= 0 or self.version is None:
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
        if _is_same(self._descriptor, self.path):
            with contextlib.suppress(OSError):  # the disk may be full
                self._ensure_state()
            if self._state < 0 or not any(self.arrived):
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
            for descriptor in (self._descriptor, self._state):
                if descriptor >= 0:
                    os.close(descriptor)
            self._descriptor = self._state = -1

    def _ensure_state(self) -> None:
        """Begin to keep a state of what has arrived, unless there is one, or nothing could go on from it."""
        with self._noting:
            if self._state < 0 and any(self.arrived) and not self.layout.in_one_stream:
                self._open_state(fresh=True)

    def _open_state(self, *, fresh: bool) -> None:
        """Open the tables for writing; those of an earlier process are written anew, for this boot."""
        assert self.version is not None
        head = {
            "url": self.url,
            "version": asdict(self.version),
            "edges": self.layout.edges,
            "boot": _boot(),
        }
        line = json.dumps(head).encode() + b"\n"
        table = b"".join(map(_NUMBER.pack, self.arrived))
        forced = bytes(len(table)) if fresh else _forced_table(self._state_path, len(table))
        beside = self._state_path.with_name(f"{self._state_path.name}.new")
        if self._state >= 0:
            os.close(self._state)
        self._state = os.open(
            beside, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666
        )
        # Written in full at once, so that a disk that fills up later has room for it.
        os.write(self._state, line + table + forced)
        beside.replace(self._state_path)
        self._tables = len(line)

    def _note(self, piece: int, end: int) -> None:
        with self._noting:
            if end > self.arrived[piece]:
                self.missing_bytes -= end - self.arrived[piece]
                self.arrived[piece] = end
                if self._state >= 0:
                    os.pwrite(self._state, _NUMBER.pack(end), self._tables + piece * _NUMBER.size)

    def _force(self) -> None:
        """Have all that has arrived forced onto the disk, and then note that it has been."""
        with self._noting:
            if time.monotonic() - self._forced < _FORCED_EVERY_SECONDS:
                return  # another thread is at it
            self._forced = time.monotonic()
            table = b"".join(map(_NUMBER.pack, self.arrived))
        os.fdatasync(self._descriptor)
        os.pwrite(self._state, table, self._tables + len(table))
        os.fdatasync(self._state)

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


def _read_state(path: Path, url: str) -> tuple[FileVersion, Layout, list[int]]:
    """Return what an earlier process noted; raises whatever a damaged state leads to."""
    head, tables = _split_state(path)
    if head["url"] != url:
        raise ValueError("it is of another file")
    edges = tuple(int(edge) for edge in head["edges"])
    version, layout = FileVersion(**head["version"]), Layout(edges)
    count = len(layout)
    chosen = 0 if head["boot"] == _boot() else count  # after the system stopped, what was forced
    numbers = [number for (number,) in _NUMBER.iter_unpack(tables)]
    arrived = numbers[chosen : chosen + count]
    fits = (
        edges[0] == 0
        and edges[-1] == version.size
        and list(edges) == sorted(edges)
        and len(numbers) == 2 * count
    )
    if not fits or any(number > layout.length(piece) for piece, number in enumerate(arrived)):
        raise ValueError("it contradicts itself")
    return version, layout, arrived


def _split_state(path: Path) -> tuple[dict[str, Any], bytes]:
    with path.open("rb") as file:
        line, _, tables = file.read(_LONGEST_STATE_BYTES).partition(b"\n")
    return json.loads(line), tables


def _forced_table(path: Path, length: int) -> bytes:
    with contextlib.suppress(OSError, ValueError):
        table = _split_state(path)[1][length:]
        if len(table) == length:
            return table
    return bytes(length)


def _boot() -> str:
    """Return what tells one run of this machine's system from another."""
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""  # a system that does not tell; a crash of it is not noticed


def _open_locked(path: Path) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(descriptor)
            raise PartInUseError(f"another process is downloading {path.name}; wait for it") from None
        if _is_same(descriptor, path):
            return descriptor
        os.close(descriptor)  # another process finished it, and gave it its name, while this one waited


def _is_same(descriptor: int, path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return os.path.samestat(os.fstat(descriptor), path.stat())
    return False
