"""The documentation builds without a warning, and all it shows runs."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import mrcfile
import numpy as np
import pytest

from eer_files import eer_bytes, random_electrons
from perc_archive import Archive

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(
    path.relative_to(ROOT).as_posix()
    for path in [ROOT / "README.md", *ROOT.glob("*/README.md"), *(ROOT / "docs").rglob("*.md")]
    if re.search(r"^```(python|console)$", path.read_text(), re.MULTILINE)
)
COMMANDS = ("profet", "empiarreader", "caked")


def _blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / page).read_text(), re.MULTILINE | re.DOTALL)


def _programs(page: str) -> list[str]:
    """Return what a page shows as one program, and each block that is a program of its own."""
    blocks = _blocks(page, "python")
    own = [block for block in blocks if '__name__ == "__main__"' in block]
    rest = "\n".join(block for block in blocks if block not in own)
    return [program for program in (rest, *own) if program]


@pytest.fixture
def workplace(tmp_path: Path, demo_archive: Archive) -> Path:
    """An empty folder but for the files that the pages take for granted, and the archive they ask."""
    folder = tmp_path / "work"
    particles = folder / "particles"
    particles.mkdir(parents=True)
    (folder / "ids.txt").write_text("4v1w, P45523  # a list as people keep it\n7qk5\n")
    generator = np.random.default_rng(0)
    for name in ("4v1w", "7qk5"):
        for number in range(40):
            image = generator.normal(size=(64, 64)).astype(np.float32)
            with mrcfile.new(particles / f"{name}_{number:03d}.mrc", image) as mrc:
                mrc.voxel_size = 1.43
    frames = [random_electrons(generator, 64, 200) for _ in range(14)]
    (folder / "movie.eer").write_bytes(eer_bytes(frames, 64))
    return folder


@pytest.mark.parametrize("page", [page for page in PAGES if _blocks(page, "python")])
def test_the_python_of_a_page_runs_from_top_to_bottom(page: str, workplace: Path) -> None:
    for program in _programs(page):
        script = workplace / "page.py"
        script.write_text(program)
        done = subprocess.run(
            [sys.executable, "-W", "error::DeprecationWarning:__main__", script.name],
            cwd=workplace,
            env={**_environment(), "PYTHONPATH": str(ROOT / "examples"), "MPLBACKEND": "Agg"},
            capture_output=True,
            text=True,
        )

        assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", [page for page in PAGES if _blocks(page, "console")])
def test_the_commands_of_a_page_run(page: str, workplace: Path) -> None:
    text = "\n".join(_blocks(page, "console")).replace("\\\n", " ")
    commands = [line[2:].partition("  #")[0] for line in text.splitlines() if line.startswith("$ ")]
    for command in commands:
        words = shlex.split(command)
        if words[0] not in COMMANDS:
            continue
        program = Path(sys.executable).with_name(words[0])
        done = subprocess.run(
            ["/bin/sh", "-c", command.replace(words[0], shlex.quote(str(program)), 1)],
            cwd=workplace,
            env=_environment(),
            capture_output=True,
            text=True,
        )

        assert done.returncode == 0, (command, done.stderr)


def _environment() -> dict[str, str]:
    import os

    return {name: value for name, value in os.environ.items() if not name.startswith("COV")}


def test_the_documentation_builds_without_a_warning(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "sphinx",
            "-W",
            "--keep-going",
            "-q",
            "-b",
            "html",
            "docs",
            str(tmp_path / "html"),
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr
    assert (tmp_path / "html" / "index.html").is_file()


def test_every_public_name_is_in_the_reference(tmp_path: Path) -> None:
    import importlib

    for library in COMMANDS:
        page = (ROOT / "docs" / "reference" / f"{library}.md").read_text()
        missing = [
            name
            for name in importlib.import_module(library).__all__
            if name != "__version__" and not re.search(rf"\b{re.escape(name)}\b", page)
        ]

        assert not missing, library
