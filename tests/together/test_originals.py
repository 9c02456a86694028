"""Ours beside the published originals, in one run, on the same archive."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import published

ROOT = Path(__file__).resolve().parents[2]
MOVIES = "data/CL44-1_20201106_111915/Images-Disc1/GridSquare_6089277/Data"


@pytest.fixture(scope="module")
def originals() -> Path:
    """Programs of the published originals."""
    return published.originals()


def _as_hosts(content: Path, *command: str | Path) -> str:
    words = [sys.executable, "-m", "perc_archive", "--content", content, "--as-hosts", "--", *command]
    env = {**os.environ, "PYTHONPATH": str(ROOT / "examples")}
    done = subprocess.run([str(word) for word in words], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.full
@pytest.mark.parametrize(
    "arguments",
    [
        ["--entry", "10934", "--select", "*"],
        ["--entry", "10934", "--select", "*", "--verbose"],
        ["--entry", "10934", "--dir", MOVIES, "--select", "*gain.tiff.bz2"],
        ["--entry", "10934", "--dir", MOVIES, "--select", ".*fractions.*", "--regexp", "--verbose"],
    ],
    ids=lambda words: " ".join(words[2:]).replace(MOVIES, "DIR"),
)
def test_search_prints_the_lines_of_the_original(
    arguments: list[str], originals: Path, demo_content: Path
) -> None:
    theirs = _as_hosts(demo_content, originals / "empiarreader", "search", *arguments)
    ours = _as_hosts(demo_content, Path(sys.executable).with_name("empiarreader"), "search", *arguments)

    # Without --dir the original puts two slashes between entry and name; one is the file's address.
    assert ours.splitlines() == theirs.replace("/10934//", "/10934/").splitlines()


@pytest.mark.full
def test_a_partition_holds_the_pixels_of_the_original(originals: Path, demo_content: Path) -> None:
    script = """
from empiarreader import EmpiarSource
square = "data/MotionCorr/job003/Tiff/EER/Images-Disc1/GridSquare_11149061/Data"
part = EmpiarSource(10943, directory=square, filename=".*EER\\\\.mrc", regexp=True).read_partition(10)
import hashlib
pixels = hashlib.sha256(part.values.tobytes()).hexdigest()
print(part.dims, part.dtype, part.attrs["filename"], round(float(part.voxel_size.x), 5), pixels)
"""
    theirs = _as_hosts(demo_content, originals / "python", "-c", script)
    ours = _as_hosts(demo_content, sys.executable, "-c", script)

    assert ours == theirs
