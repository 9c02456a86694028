"""Copies of whole files in the cache, each fetched once however many threads and processes ask for it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO

from empiarreader.cache.items import KeptFile, item_name
from empiarreader.cache.store import Store, default_store
from empiarreader.network.connections import on_fork
from empiarreader.network.ranges import FileVersion

AS_IS = "file"
_POLL_SECONDS = 0.05
_LONGEST_WAIT_SECONDS = 600.0


def kept_copy(
    kind: str,
    url: str,
    version: FileVersion,
    *,
    name: str,
    size_bytes: int,
    write: Callable[[BinaryIO], None],
) -> Path:
    """Return the path of a kept file, which ``write`` makes where it is not there yet.

    See :meth:`empiarreader.cache.store.Store.put` for the parameters and errors.
    """
    store = default_store()
    item = store.find(kind, url, version)
    if item is None:
        with _one_at_a_time(store, kind, url):
            item = store.find(kind, url, version) or store.put(
                kind, url, version, name=name, size_bytes=size_bytes, write=write
            )
    return item.path


def find_copy(url: str, version: FileVersion | None = None, *, kind: str = AS_IS) -> KeptFile | None:
    """Return the kept copy of a file, None where there is none of that version (None: of any)."""
    return default_store().find(kind, url, version)


@contextlib.contextmanager
def _one_at_a_time(store: Store, kind: str, url: str) -> Iterator[None]:
    """Keep others from fetching the same file meanwhile; a kindness to the archive, not needed to be right.

    On file systems without locks, two processes may both fetch a file, and the second replaces the first.
    """
    name = item_name(kind, url)
    with _locks.of(name), contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            folder = store.root / "locks"
            folder.mkdir(parents=True, exist_ok=True)
            # One of 256 files, so that they need no tidying; a collision costs a wait.
            descriptor = os.open(folder / name[:2], os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
            stack.callback(os.close, descriptor)
            _lock(descriptor)
        yield


def _lock(descriptor: int) -> None:
    deadline = time.monotonic() + _LONGEST_WAIT_SECONDS
    while time.monotonic() < deadline:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_POLL_SECONDS)
        else:
            return


class _Locks:
    """One lock a file for the threads of this process."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}

    def of(self, name: str) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(name, threading.Lock())


_locks = _Locks()


def _begin_again_after_fork() -> None:
    global _locks
    _locks = _Locks()


on_fork(_begin_again_after_fork)
