"""Downloads at full size: killed, without room, with requests that hang; over a link of 50 ms and 20 MB/s."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from empiarreader import Manifest
from perc_archive import Archive

GIB, MIB = 1024**3, 1024**2
HOST = "ftp.ebi.ac.uk"
KILLS = 20
LATENCY_SECONDS, BYTES_PER_SECOND = 0.05, 20e6
SCRIPT = "import sys, empiarreader; empiarreader.download(sys.argv[2:], sys.argv[1]).raise_for_failures()"


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder of content with a file of one gibibyte that repeats nothing at any piece's distance."""
    folder = tmp_path_factory.mktemp("content")
    path = folder / HOST / "empiar/world_availability/10934/data/large.mrc"
    path.parent.mkdir(parents=True)
    block = np.random.default_rng(0).bytes(16 * MIB + 1)
    with path.open("wb") as file:
        while file.tell() < GIB:
            file.write(block[: GIB - file.tell()])
    yield folder
    shutil.rmtree(folder)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@pytest.mark.full
def test_a_gibibyte_survives_twenty_kills_with_at_most_a_twentieth_moved_twice(
    content: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = content / HOST / "empiar/world_availability/10934/data/large.mrc"
    random = np.random.default_rng(7)
    with Archive(
        content=content, ftp=False, latency_seconds=LATENCY_SECONDS, rate_bytes_per_second=BYTES_PER_SECOND
    ) as archive:
        for name, value in archive.settings().items():
            monkeypatch.setenv(name, value)
        url = archive.url(HOST, "empiar/world_availability/10934/data/large.mrc")

        def moved() -> int:
            return sum(request.body_bytes_sent for request in archive.requests("*large.mrc"))

        # Moments spread over the download by what has arrived, so that a slow machine is killed as often.
        for moment in np.sort(random.uniform(0.01, 0.97, KILLS)):
            job = subprocess.Popen([sys.executable, "-c", SCRIPT, str(tmp_path), url])
            while job.poll() is None and _arrived(tmp_path) < moment * GIB:
                time.sleep(0.01)
            job.kill()
            job.wait()
            assert not (tmp_path / "large.mrc").exists()
        subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path), url], check=True)
        twice = moved() - GIB

    assert _sha256(tmp_path / "large.mrc") == _sha256(served) == Manifest.load(tmp_path).files[0].sha256
    assert 0 <= twice <= GIB // 20
    assert [path.name for path in tmp_path.iterdir() if path.suffix in {".part", ".state"}] == []


def _arrived(folder: Path) -> int:
    """Return how many bytes of parts lie on the disk, holes not counted."""
    return sum(path.stat().st_blocks * 512 for path in folder.glob("*.part"))


@pytest.mark.full
def test_where_three_requests_in_a_hundred_hang_a_gibibyte_takes_at_most_half_as_long_again(
    content: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Archive(
        content=content, ftp=False, latency_seconds=LATENCY_SECONDS, rate_bytes_per_second=BYTES_PER_SECOND
    ) as archive:
        for name, value in archive.settings().items():
            monkeypatch.setenv(name, value)
        url = archive.url(HOST, "empiar/world_availability/10934/data/large.mrc")

        def seconds(folder: str) -> float:
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path / folder), url], check=True)
            return time.perf_counter() - began

        smooth, stalled = [], []
        for turn in range(3):  # in turn, as a noisy machine should be fair to both
            archive.clear()
            smooth.append(seconds(f"smooth{turn}"))
            archive.clear()
            archive.add_fault("stall", match="*large.mrc", times=None, every=33, after_bytes=100_000)
            stalled.append(seconds(f"stalled{turn}"))
            shutil.rmtree(tmp_path / f"smooth{turn}")
            (file,) = Manifest.load(tmp_path / f"stalled{turn}").files
            assert _sha256(tmp_path / f"stalled{turn}" / "large.mrc") == file.sha256
            shutil.rmtree(tmp_path / f"stalled{turn}")

    assert min(stalled) <= 1.5 * min(smooth)


_IN_A_SMALL_DISK = """
import pathlib, subprocess, sys
folder, url, other = sys.argv[1:]
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", folder], check=True)
import empiarreader
first = empiarreader.download([url, other], folder)
print(len(first.files), [str(failure.error) for failure in first.failures])
assert not pathlib.Path(folder, "large.mrc").exists()
subprocess.run(["mount", "-o", "remount,size=1200m", folder], check=True)
second = empiarreader.download([url, other], folder)
second.raise_for_failures()
assert empiarreader.verify(folder).is_fine
print(second.files[0].sha256)
"""


@pytest.mark.full
def test_a_disk_that_fills_up_loses_nothing_and_the_rest_comes_when_there_is_room(
    content: Path, tmp_path: Path
) -> None:
    served = content / HOST / "empiar/world_availability/10934/data/large.mrc"
    served.with_name("small.mrc").write_bytes(b"small")
    with Archive(content=content, ftp=False) as archive:
        base = archive.url(HOST, "empiar/world_availability/10934/data/")
        done = subprocess.run(
            ["unshare", "-Urm", sys.executable, "-c", _IN_A_SMALL_DISK, str(tmp_path), f"{base}large.mrc",
             f"{base}small.mrc"],
            env={**os.environ, **archive.settings()}, capture_output=True, text=True,
        )  # fmt: skip

    assert done.returncode == 0, done.stderr
    first, digest = done.stdout.splitlines()
    assert "no room" in first
    assert digest == _sha256(served)
