"""Ctrl-C and SIGTERM: programs end at once, whatever a server keeps waiting, and nothing outlives them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mrc_vectors import mrc_bytes
from perc_archive import Archive

PROGRAM = str(Path(sys.executable).with_name("empiarreader"))
SILENCE: dict[str, Any] = {"kind": "stall", "times": None}
MUCH_SOONER_THAN_A_TIME_OUT = 10  # seconds; a silence is waited out for 30, and asked about again after it
SOURCE = "EmpiarSource(10934, 'data', filename='*.mrc')"
ENTRY = "EmpiarEntry(10934)"

CALLS = {
    "find": (f"{ENTRY}.find('data/**/*.mrc')", "*/sub/*"),
    "check": (f"{SOURCE}.to_dask(check=True)", "*c.mrc"),
    "sheet": (f"empiarreader.contact_sheet({SOURCE})", "*.mrc"),
}


@pytest.fixture
def entry(archive: Archive) -> Archive:
    image = mrc_bytes(np.ones((3, 64, 96), np.float32))
    archive.add_entry(10934, {f"data/{name}.mrc": image for name in ("a", "b", "c", "sub/d")})
    return archive


def _started(command: list[str], folder: Path) -> subprocess.Popen[str]:
    """A program that heeds Ctrl-C, which those started in the background do not."""
    return subprocess.Popen(
        command,
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


def _script(folder: Path, *lines: str) -> list[str]:
    """A program: one of a file, as processes that are started have to find it."""
    path = folder / "script.py"
    body = "".join(f"    {line}\n" for line in lines)
    path.write_text(
        "import empiarreader, numpy, os, time\nfrom empiarreader import *\n\n"
        "def work(image):\n    open(f'{os.getpid()}.pid', 'w').close()\n    time.sleep(600)\n\n"
        f"if __name__ == '__main__':\n{body}"
    )
    return [sys.executable, str(path)]


def _ended(job: subprocess.Popen[str], number: signal.Signals = signal.SIGINT) -> str:
    """Signal to a program that it is to end; return what it said on its way out, which is not long."""
    with job:
        job.send_signal(number)
        try:
            return job.communicate(timeout=MUCH_SOONER_THAN_A_TIME_OUT)[1]
        finally:
            job.kill()


@pytest.mark.parametrize("name", CALLS)
def test_a_program_that_is_interrupted_waits_for_no_server(name: str, entry: Archive, tmp_path: Path) -> None:
    call, what = CALLS[name]
    entry.add_fault(match=what, **SILENCE)
    job = _started(_script(tmp_path, call), tmp_path)
    while not entry.requests(what):
        assert job.poll() is None

    assert _ended(job).splitlines()[-1] == "KeyboardInterrupt"
    assert job.returncode == -signal.SIGINT


def test_a_contact_sheet_that_is_interrupted_ends_at_once(entry: Archive, tmp_path: Path) -> None:
    entry.add_fault(match="*.mrc", **SILENCE)
    job = _started([PROGRAM, "peek", "10934", "data/*.mrc", "--sheet", "3"], tmp_path)
    while not entry.requests("*.mrc"):
        assert job.poll() is None

    assert _ended(job) == "empiarreader: interrupted\n"
    assert job.returncode == 130
    assert not list(tmp_path.iterdir())


def test_threads_of_dask_wait_for_no_server_when_the_program_ends(entry: Archive, tmp_path: Path) -> None:
    entry.add_fault(match="*b.mrc", **SILENCE)
    job = _started(_script(tmp_path, f"{SOURCE}.to_dask().compute(scheduler='threads')"), tmp_path)
    while len(entry.requests("*b.mrc")) < 3:  # the first and both second requests that there may be
        assert job.poll() is None

    assert _ended(job).splitlines()[-1] == "KeyboardInterrupt"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_no_process_outlives_the_program_that_started_it(
    number: signal.Signals, entry: Archive, tmp_path: Path
) -> None:
    call = f"empiarreader.map_images({SOURCE}, work, processes=True, workers=2)"
    job = _started(_script(tmp_path, call), tmp_path)
    while len(workers := [int(path.stem) for path in tmp_path.glob("*.pid")]) < 2:
        assert job.poll() is None
        time.sleep(0.05)

    try:
        said = _ended(job, number)
        assert job.returncode == -number
        assert said.count("Traceback") == (number == signal.SIGINT)  # its own, and none of theirs
        deadline = time.monotonic() + MUCH_SOONER_THAN_A_TIME_OUT
        while any(map(_is_running, workers)):
            assert time.monotonic() < deadline
            time.sleep(0.05)
    finally:
        for worker in filter(_is_running, workers):
            os.kill(worker, signal.SIGKILL)


def _is_running(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
