"""A worker of a loader, which is forked, waits for no thread that only its parent has."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
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


def test_no_worker_outlives_a_program_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("""
import os
import numpy as np
from caked import Dataset, Loader

def announce(worker):
    open(f"{os.getpid()}.pid", "w").close()

if __name__ == "__main__":
    dataset = Dataset(np.zeros((10, 4, 4)))
    options = {"multiprocessing_context": "forkserver", "worker_init_fn": announce}
    for batch in Loader(dataset, batch_size=1, num_workers=1, **options):
        print("batch", flush=True)
        input()
""")
    with subprocess.Popen(
        [sys.executable, str(script)],
        cwd=tmp_path,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        start_new_session=True,
    ) as job:
        assert job.stdout is not None
        assert job.stdout.readline() == b"batch\n"
        (worker,) = (int(path.stem) for path in tmp_path.glob("*.pid"))
        job.terminate()
    try:
        deadline = time.monotonic() + 10
        while _is_running(worker):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(job.pid, signal.SIGKILL)


def _is_running(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
