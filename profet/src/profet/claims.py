"""One at a time for one name, among the threads of a process and all processes that share a folder.

A claim is a file that is created exclusively (``O_EXCL``: one step on local disks, on NFS from version 3
on, and on the parallel file systems of clusters) and removed when the work is done. ``flock`` is not used:
what it does on a network file system depends on its version, its options and the server, and often it is
nothing.

The claim says who holds it. A claim whose process has died counts no longer: on the same machine that is seen
at once, by the process number; from another machine by its silence, for a holder touches its claims every few
seconds. Silence is measured by the one who waits, with its own clock, so clocks need not agree; what it reads
is fresh, because NFS asks the server again when a file is opened.

Claims only save work. A holder that was merely slow may lose its claim, and then two download one file; that
is harmless, for what they write appears whole and by renaming (`profet.whole_files`), and the last one wins.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
import platform
import secrets
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from profet.errors import CacheError

SILENCE_SECONDS = 60.0
"""After so long without a sign of life from another machine, a claim counts no longer."""

_MAY_NOT_WRITE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR)
_UNSIGNED_SECONDS = 2.0  # a claim that does not say whose it is, for its process died while it wrote that
_BEAT_SECONDS = 10.0
_FIRST_PAUSE_SECONDS = 0.01
_LONGEST_PAUSE_SECONDS = 0.3


class Claims:
    """Claims in one folder, made when the first is taken.

    Parameters
    ----------
    folder
        Shared by all who respect each other's claims.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._lock = threading.Lock()
        self._threads: dict[str, _Shared] = {}
        self._held: set[Path] = set()
        self._beating_in = 0  # number of the process; a forked one has no thread that beats

    @contextlib.contextmanager
    def hold(self, name: str) -> Iterator[None]:
        """Wait until nobody else holds `name`, and hold it until the block ends.

        Raises
        ------
        CacheError
            If the folder cannot be written.
        """
        with self._among_threads(name):
            path = self.folder / f"{name.replace('/', '--')}.claim"
            token = _take(path)
            self._keep_alive(path)
            try:
                yield
            finally:
                with self._lock:
                    self._held.discard(path)
                seen = _look(path)
                if seen is not None and seen.token == token:  # not if somebody thought us dead
                    with contextlib.suppress(OSError):
                        path.unlink()

    @contextlib.contextmanager
    def _among_threads(self, name: str) -> Iterator[None]:
        with self._lock:
            shared = self._threads.setdefault(name, _Shared(lock=threading.Lock()))
            shared.waiting += 1
        try:
            with shared.lock:
                yield
        finally:
            with self._lock:
                shared.waiting -= 1
                if not shared.waiting:
                    del self._threads[name]

    def _keep_alive(self, path: Path) -> None:
        with self._lock:
            self._held.add(path)
            if self._beating_in != os.getpid():
                self._beating_in = os.getpid()
                threading.Thread(target=self._beat, name="profet-claims", daemon=True).start()

    def _beat(self) -> None:
        """Touch what is held, for as long as anything is."""
        while True:
            time.sleep(_BEAT_SECONDS)
            with self._lock:
                if not self._held:
                    self._beating_in = 0
                    return
                for path in self._held:
                    with contextlib.suppress(OSError):
                        os.utime(path)


@dataclass
class _Shared:
    """A lock, and how many threads want it; it is forgotten when none does."""

    lock: threading.Lock
    waiting: int = 0


@dataclass(frozen=True)
class _Seen:
    """A claim as it lay there at one moment; its next sign of life makes it another."""

    token: str
    machine: str
    process: int
    touched: int


def _take(path: Path) -> str:
    """Create the claim, as soon as there is none that counts; returns what it is known by."""
    token = secrets.token_hex(8)
    claim = json.dumps({"token": token, "machine": _machine(), "process": os.getpid()}).encode()
    last, silent_since, pause = None, time.monotonic(), _FIRST_PAUSE_SECONDS
    while not _create(path, claim):
        seen = _look(path)
        if seen != last:
            last, silent_since = seen, time.monotonic()
        patience = SILENCE_SECONDS if seen is None or seen.token else _UNSIGNED_SECONDS
        if seen is not None and (_has_died(seen) or time.monotonic() - silent_since > patience):
            if not _remove(path, seen):
                return token  # it is another user's, and stays; work may be done twice, but is not held up
            continue
        time.sleep(pause)
        pause = min(1.5 * pause, _LONGEST_PAUSE_SECONDS)
    return token


def _create(path: Path, claim: bytes) -> bool:
    """Whether it could be created, for there was none."""
    try:
        file = _opened(path)
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno in _MAY_NOT_WRITE:  # what the cache holds serves all the same, so others may go on
            raise CacheError(
                f"cannot write {path.parent} ({error.strerror}), so nothing new can be fetched; let "
                "PROFET_CACHE_DIR name a folder that you may write"
            ) from error
        raise CacheError.of(error, f"cannot write {path}") from error
    try:
        os.write(file, claim)
    except OSError as error:
        path.unlink()
        raise CacheError.of(error, f"cannot write {path}") from error
    finally:
        os.close(file)
    return True


def _opened(path: Path) -> int:
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY
    with contextlib.suppress(FileNotFoundError):
        return os.open(path, flags, 0o666)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except FileExistsError:  # where the folder should be
        raise NotADirectoryError(errno.ENOTDIR, f"{path.parent} is a file") from None
    return os.open(path, flags, 0o666)


def _look(path: Path) -> _Seen | None:
    """Read a claim; None if it is gone. One that is only half written has no token yet."""
    try:
        with path.open("rb") as file:
            touched, text = os.fstat(file.fileno()).st_mtime_ns, file.read(1000)
    except OSError:
        return None
    try:
        record = json.loads(text)
        return _Seen(str(record["token"]), str(record["machine"]), int(record["process"]), touched)
    except (ValueError, TypeError, KeyError):
        return _Seen("", "", 0, touched)


def _has_died(claim: _Seen) -> bool:
    if os.name != "posix" or claim.machine != _machine():  # elsewhere, asking for a process may end it
        return False
    try:
        os.kill(claim.process, 0)
    except ProcessLookupError:
        return True
    except OSError:  # somebody else's process
        return False
    return False


def _remove(path: Path, dead: _Seen) -> bool:
    """Take a dead claim away, if we may. If somebody was faster and a new claim lies there, put that back."""
    aside = path.with_name(f"{path.name}.{secrets.token_hex(4)}.part")
    try:
        path.replace(aside)  # one of those who try at once succeeds
    except FileNotFoundError:
        return True
    except OSError:
        return False
    with contextlib.suppress(OSError):
        found = _look(aside)
        if found is not None and found.token != dead.token:
            with contextlib.suppress(FileExistsError):
                os.link(aside, path)
        aside.unlink()
    return True


def _machine() -> str:
    """Where process numbers mean the same processes: a machine, or a container on one."""
    with contextlib.suppress(OSError):
        return f"{platform.node()} {os.readlink('/proc/self/ns/pid')}"  # noqa: PTH115 - no path is meant
    return platform.node()
