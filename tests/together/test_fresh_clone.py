"""The two commands of the README, in a fresh clone that has nothing installed."""

from __future__ import annotations

import os
import pwd
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PICTURES = {"micrograph.png", "batch.png", "training.png", "confusion.png"}


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clone") / "perc"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    return folder


def _make(clone: Path, *words: str) -> str:
    """Run make with the package cache of this machine, so that packages are fetched once."""
    cache = Path(pwd.getpwuid(os.getuid()).pw_dir) / ".cache" / "uv"
    kept = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "VIRTUAL_ENV", "MAKEFLAGS")
    }
    env = {**kept, "PATH": _path_without_environments(), "UV_CACHE_DIR": str(cache)}
    done = subprocess.run(["make", *words], cwd=clone, env=env, capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout[-4000:]}\n{done.stderr[-4000:]}"
    return done.stdout


def _path_without_environments() -> str:
    return os.pathsep.join(part for part in os.environ["PATH"].split(os.pathsep) if ".venv" not in part)


def _check_output(folder: Path, said: str) -> None:
    score = re.search(r"held-out accuracy (\d\.\d\d), majority baseline (\d\.\d\d)", said)

    assert score is not None, said
    assert float(score[1]) >= 0.7
    assert float(score[2]) < 0.35
    assert {path.name for path in folder.glob("*.png")} >= PICTURES
    assert (folder / "recipe.json").is_file()
    assert (folder / "summary.md").is_file()


@pytest.mark.full
def test_make_demo_sets_itself_up_runs_and_can_be_run_again(clone: Path) -> None:
    for _ in range(2):
        _check_output(clone / "perc_output", _make(clone, "demo"))


@pytest.mark.full
@pytest.mark.real_data
def test_make_demo_runs_on_real_files(clone: Path, real_data: Path) -> None:
    said = _make(clone, "demo", f"REAL={real_data}", "OUTPUT=real_output")

    _check_output(clone / "real_output", said)
    assert (clone / "real_output" / "real_images.png").is_file()
