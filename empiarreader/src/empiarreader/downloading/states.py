"""How far a file has come, in a file beside it that a process killed at any moment leaves true.

The state is one line of JSON (address, version, pieces, the system's boot) followed by two tables of unsigned
64-bit numbers, little endian: for each piece how many bytes have arrived, and how many of them are surely on
the disk.
"""

from __future__ import annotations

import errno
import itertools
import json
import os
import struct
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import NamedTuple

from empiarreader.network.answers import FileVersion

STATE_SUFFIX = ".state"
_LONGEST_STATE_BYTES = 256 * 1024 * 1024
_FORCED_EVERY_SECONDS = 60.0
_NUMBER = struct.Struct("<Q")
_BOOT = Path("/proc/sys/kernel/random/boot_id")


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


class StateFile:
    """How far each piece of a file has come, on the disk. One process at a time writes it.

    Parameters
    ----------
    path
        Where it is; what was there is replaced.
    url, version, layout
        The file that it speaks of.
    arrived
        How many bytes of each piece are there.
    forced
        How many of them are surely on the disk; None for none.
    """

    def __init__(
        self,
        path: Path,
        url: str,
        version: FileVersion,
        layout: Layout,
        arrived: Sequence[int],
        forced: Sequence[int] | None = None,
    ) -> None:
        head = {"url": url, "version": asdict(version), "edges": layout.edges, "boot": _boot()}
        line = json.dumps(head).encode() + b"\n"
        self._table = bytearray(_packed(arrived))
        self._start = len(line)
        self._forced = time.monotonic()
        self._forcing = threading.Lock()
        # Written in full at once, so that a disk that fills up later has room for it.
        self._descriptor = _replace(path, line + self._table + _packed(forced or [0] * len(layout)))

    def note(self, piece: int, count: int) -> None:
        """Note that so many bytes of a piece are there; they have been written."""
        _NUMBER.pack_into(self._table, piece * _NUMBER.size, count)
        os.pwrite(self._descriptor, _NUMBER.pack(count), self._start + piece * _NUMBER.size)

    def force_if_due(self, descriptor: int) -> None:
        """Once a minute, have all that has arrived forced onto the disk, and note that it has been.

        Parameters
        ----------
        descriptor
            The file that has been arriving.
        """
        if not self._is_due() or not self._forcing.acquire(blocking=False):
            return
        try:
            if self._is_due():
                self._forced = time.monotonic()
                table = bytes(self._table)
                os.fdatasync(descriptor)
                os.pwrite(self._descriptor, table, self._start + len(table))
                os.fdatasync(self._descriptor)
        finally:
            self._forcing.release()

    def close(self) -> None:
        """Let it go, as it is."""
        os.close(self._descriptor)

    def _is_due(self) -> bool:
        return time.monotonic() - self._forced > _FORCED_EVERY_SECONDS


class State(NamedTuple):
    """What an earlier process noted of a file."""

    version: FileVersion
    layout: Layout
    arrived: list[int]
    forced: list[int]


def read_state(path: Path, url: str) -> State:
    """Return what an earlier process noted of a file, as far as it can be relied on.

    Raises
    ------
    OSError, ValueError, TypeError, KeyError, AttributeError, struct.error
        If there is nothing, or it is damaged or of another file.
    """
    with path.open("rb") as file:
        line, _, tables = file.read(_LONGEST_STATE_BYTES).partition(b"\n")
    head = json.loads(line)
    if head["url"] != url:
        raise ValueError("it is of another file")
    edges = tuple(int(edge) for edge in head["edges"])
    version, layout = FileVersion(**head["version"]), Layout(edges)
    numbers = [number for (number,) in _NUMBER.iter_unpack(tables)]
    arrived, forced = numbers[: len(layout)], numbers[len(layout) :]
    fits = edges[0] == 0 and edges[-1] == version.size and list(edges) == sorted(edges)
    if not fits or len(numbers) != 2 * len(layout):
        raise ValueError("it contradicts itself")
    # After the system has stopped only what was forced counts.
    state = State(version, layout, arrived if head["boot"] == _boot() else forced, forced)
    if any(number > layout.length(piece) for piece, number in enumerate(state.arrived)):
        raise ValueError("more has arrived than there is")
    return state


def _replace(path: Path, content: bytes) -> int:
    """Write a file beside another and give it its name; return its descriptor, which stays open."""
    beside = path.with_name(f"{path.name}.new")
    descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
    try:
        if os.write(descriptor, content) < len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))  # told of by the length alone
        beside.replace(path)
    except OSError:
        os.close(descriptor)
        beside.unlink(missing_ok=True)
        raise
    return descriptor


def _packed(numbers: Sequence[int]) -> bytes:
    return b"".join(map(_NUMBER.pack, numbers))


def _boot() -> str:
    """Return what tells one run of this machine's system from another."""
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""  # a system that does not tell; a crash of it is not noticed
