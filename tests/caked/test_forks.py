"""A worker of a loader, which is forked, waits for no thread that only its parent has."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import numpy as np
import pytest

from caked.once import once
from caked.sources import ArraySource, CachedSource

pytestmark = pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
IMAGES = np.zeros((4, 8, 8), np.float32)


def test_a_cached_source_is_read_in_a_fork_while_a_thread_opens_another(tmp_path: Path) -> None:
    asked, may_answer = threading.Event(), threading.Event()

    class Slow(ArraySource):
        def digest(self, *, content: bool | None = None) -> str:
            asked.set()
            may_answer.wait()
            return "slow"

    slow = CachedSource(Slow(IMAGES), max_bytes=10_000, directory=tmp_path / "slow")
    other = CachedSource(ArraySource(IMAGES), max_bytes=10_000, directory=tmp_path / "other")
    thread = threading.Thread(target=slow.read, args=(0,))
    thread.start()
    asked.wait()
    process = os.fork()
    if process == 0:
        signal.alarm(10)  # ends it where it hangs
        code = 1
        try:
            code = int(other.read(0).shape != (8, 8))
        finally:
            os._exit(code)
    may_answer.set()
    thread.join()

    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0


def test_what_is_worked_out_once_is_worked_out_once_an_object() -> None:
    class Thing:
        count = 0

        @once
        def value(self) -> int:
            """Say what it is."""
            self.count += 1
            return self.count

    first, second = Thing(), Thing()
    assert (first.value, first.value, second.value) == (1, 1, 1)
    assert Thing.value.__doc__ == "Say what it is."
