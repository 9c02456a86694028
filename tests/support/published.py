"""The published originals, in an environment of their own beside ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / ".venv-peers"
WANTED = ("profet==1.0.6", "empiarreader==0.0.17", "intake<2", "caked==0.1.7", "setuptools<81")


def originals() -> Path:
    """Folder of the programs of profet 1.0.6, empiarreader 0.0.17 and caked 0.1.7; installed on first use."""
    programs = FOLDER / "bin"
    finished = FOLDER / "finished"
    if not finished.exists():
        uv = Path(sys.executable).with_name("uv")
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, FOLDER], check=True)
        python = programs / "python"
        subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *WANTED], check=True)
        finished.touch()
    return programs
