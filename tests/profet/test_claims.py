"""Claims: one at a time among threads and processes, and those of the dead count no longer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from profet import CacheError, claims
from profet.claims import Claims

COUNT = """
import sys, time
from pathlib import Path
from profet.claims import Claims
folder, counter = Claims(Path(sys.argv[1])), Path(sys.argv[2])
for _ in range(int(sys.argv[3])):
    with folder.hold("pdb/4v1w.cif"):
        number = int(counter.read_text())
        time.sleep(0.002)
        counter.write_text(str(number + 1))
"""
HOLD = """
import sys, time
from pathlib import Path
from profet.claims import Claims
with Claims(Path(sys.argv[1])).hold("pdb/4v1w.cif"):
    print("held", flush=True)
    time.sleep(60)
"""
NAME = "pdb/4v1w.cif"


def foreign(folder: Path, *, token: str = "other") -> Path:
    """A claim that was taken on another machine."""
    path = folder / "pdb--4v1w.cif.claim"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"token": token, "machine": "elsewhere", "process": 1}))
    return path


def test_threads_and_processes_take_turns(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    command = [sys.executable, "-c", COUNT, str(tmp_path / "claims"), str(counter), "10"]

    jobs = [subprocess.Popen(command) for _ in range(4)]
    folder = Claims(tmp_path / "claims")

    def work() -> None:
        for _ in range(10):
            with folder.hold(NAME):
                number = int(counter.read_text())
                time.sleep(0.002)
                counter.write_text(str(number + 1))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [job.wait(60) for job in jobs] == [0] * 4
    assert counter.read_text() == "70"
    assert list((tmp_path / "claims").iterdir()) == []


def test_other_names_are_not_waited_for(tmp_path: Path) -> None:
    folder = Claims(tmp_path)

    with folder.hold("pdb/4v1w.cif"), folder.hold("pdb/4v1w.pdb"), folder.hold("uniprot/4v1w.cif"):
        assert len(list(tmp_path.iterdir())) == 3


def test_a_claim_is_given_back_also_after_a_failure(tmp_path: Path) -> None:
    folder = Claims(tmp_path)

    def fail() -> None:
        with folder.hold(NAME):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    with folder.hold(NAME):
        pass
    assert list(tmp_path.iterdir()) == []
    assert folder._threads == {}  # thousands of ids leave nothing behind


def test_the_claim_of_a_killed_process_counts_no_longer(tmp_path: Path) -> None:
    job = subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert job.stdout is not None
    with job.stdout as said:
        assert said.readline() == "held\n"
        begin = time.monotonic()
        threading.Timer(0.3, job.send_signal, (signal.SIGKILL,)).start()
        threading.Timer(0.35, job.wait).start()  # until it is waited for, its number is taken
        with Claims(tmp_path).hold(NAME):
            waited = time.monotonic() - begin

    assert 0.3 <= waited < 5.0
    assert list(tmp_path.iterdir()) == []


def test_another_machine_is_waited_for_until_it_has_been_silent_long_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "SILENCE_SECONDS", 0.4)
    path = foreign(tmp_path)
    os.utime(path, (0, 0))  # its clock may be years behind
    stop = threading.Event()

    def beat() -> None:
        for number in range(5):
            time.sleep(0.15)
            os.utime(path, (number, number))
        stop.set()

    threading.Thread(target=beat).start()
    begin = time.monotonic()
    with Claims(tmp_path).hold(NAME):
        waited = time.monotonic() - begin

    assert stop.is_set()
    assert 0.75 + 0.4 <= waited < 5.0
    assert list(tmp_path.iterdir()) == []


def test_a_claim_that_nobody_signed_is_not_waited_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "_UNSIGNED_SECONDS", 0.3)
    (tmp_path / "pdb--4v1w.cif.claim").write_bytes(b"")  # its process was killed before it wrote more

    begin = time.monotonic()
    with Claims(tmp_path).hold(NAME):
        waited = time.monotonic() - begin

    assert 0.3 <= waited < 5.0
    assert list(tmp_path.iterdir()) == []


def test_a_holder_shows_that_it_lives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(claims, "_BEAT_SECONDS", 0.05)

    with Claims(tmp_path).hold(NAME):
        (path,) = tmp_path.iterdir()
        os.utime(path, (0, 0))
        deadline = time.monotonic() + 5
        while path.stat().st_mtime == 0 and time.monotonic() < deadline:
            time.sleep(0.02)
        assert path.stat().st_mtime > 0


def test_a_holder_that_was_thought_dead_leaves_the_new_claim_alone(tmp_path: Path) -> None:
    with Claims(tmp_path).hold(NAME):
        (mine,) = tmp_path.iterdir()
        mine.unlink()
        foreign(tmp_path)

    assert json.loads(mine.read_text())["token"] == "other"


def test_a_claim_that_lies_there_anew_is_put_back(tmp_path: Path) -> None:
    path = foreign(tmp_path, token="new")

    assert claims._remove(path, claims._Seen("old", "elsewhere", 1, 0))
    assert json.loads(path.read_text())["token"] == "new"
    assert claims._remove(path, claims._Seen("new", "elsewhere", 1, 0))
    assert claims._remove(path, claims._Seen("new", "elsewhere", 1, 0))  # somebody else did
    assert list(tmp_path.iterdir()) == []


def test_a_dead_claim_that_may_not_be_removed_holds_nobody_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "SILENCE_SECONDS", 0.2)
    path = foreign(tmp_path)

    def refuse(path: Path, target: Path) -> None:
        raise PermissionError(1, "Operation not permitted")  # as in a folder with the sticky bit

    monkeypatch.setattr(Path, "replace", refuse)
    with Claims(tmp_path).hold(NAME):
        pass

    assert json.loads(path.read_text())["token"] == "other"


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with (
        pytest.raises(CacheError, match="let PROFET_CACHE_DIR") as caught,
        Claims(tmp_path / "file").hold(NAME),
    ):
        pass
    assert not caught.value.is_of_the_folder  # what the cache holds can be had all the same
