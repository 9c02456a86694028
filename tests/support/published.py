"""What is published, in environments of its own beside ours: the originals, and other readers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
ORIGINALS = ("profet==1.0.6", "empiarreader==0.0.17", "intake<2", "caked==0.1.7", "setuptools<81")
CRYODRGN = ("cryodrgn==4.3.1",)
GLOBUS = ("globus-cli==3.44.0",)
SCIPION = ("scipion-pyworkflow==3.11.7", "scipion-em==3.11.1")
READERS = ("scigantic-empiar==0.4.2", "fsspec", "aiohttp", "numpy", "tifffile", "imagecodecs")


def originals() -> Path:
    """Folder of the programs of profet 1.0.6, empiarreader 0.0.17 and caked 0.1.7; installed on first use."""
    return _environment(ROOT / ".venv-peers", ORIGINALS)


def readers() -> Path:
    """Folder of the Python that has scigantic-empiar and fsspec with aiohttp; installed on first use."""
    return _environment(ROOT / ".venv-readers", READERS)


def cryodrgn() -> Path:
    """Folder of the Python that has cryoDRGN, whose lazy reader of particles ours stands beside."""
    return _environment(ROOT / ".venv-cryodrgn", CRYODRGN)


def globus() -> Path:
    """Folder of the Python that has the command line of Globus; installed on first use."""
    return _environment(ROOT / ".venv-globus", GLOBUS)


def scipion() -> Path:
    """Folder of the Python that has Scipion, without plugins; installed on first use (690 MB)."""
    return _environment(ROOT / ".venv-scipion", SCIPION)


def answers(python: Path | str, script: str, names: Iterable[str], *, content: Path, folder: Path) -> Any:
    """What a script of calls answers, by name, where the archive goes by the real names of its hosts."""
    (folder / "home/.cache").mkdir(parents=True)
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "examples"), "HOME": str(folder / "home")}
    call = [python, ROOT / "tests/support" / script, folder, *names]
    words = [sys.executable, "-m", "perc_archive", "--content", content, "--as-hosts", "--", *call]
    done = subprocess.run([str(word) for word in words], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return dict(json.loads(line) for line in done.stdout.splitlines() if line.startswith('["'))


def _environment(folder: Path, wanted: tuple[str, ...]) -> Path:
    programs = folder / "bin"
    finished = folder / "finished"
    if not finished.exists():
        uv = Path(sys.executable).with_name("uv")
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder], check=True)
        python = programs / "python"
        subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *wanted], check=True)
        finished.touch()
    return programs
