"""Files damaged at random, of every format, decoded in a process that native code could take down."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import damaged_files


def _read(first: int, count: int) -> subprocess.CompletedProcess[str]:
    script = Path(damaged_files.__file__)
    return subprocess.run(
        [sys.executable, "-W", "error", str(script), str(first), str(count)],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
        timeout=540,
    )


def test_a_number_makes_the_same_damage_again() -> None:
    assert damaged_files.damaged(7) == damaged_files.damaged(7)
    assert damaged_files.damaged(7) != damaged_files.damaged(8)


# Where this fails, `python tests/support/damaged_files.py NUMBER 1` with the last number printed fails again.
@pytest.mark.parametrize(("first", "count"), [(0, 400), pytest.param(1000, 4000, marks=pytest.mark.full)])
def test_damaged_files_are_images_or_errors_and_never_a_crash(first: int, count: int) -> None:
    done = _read(first, count)

    assert done.returncode == 0, f"{done.returncode}: {done.stderr[-3000:]}"
