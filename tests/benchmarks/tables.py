"""What every benchmark shares: paired timings, a table, and the environment of the published originals."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PEERS = ROOT / ".venv-peers"


@dataclass
class Table:
    """Answer to one question, in rows."""

    question: str
    columns: Sequence[str]
    rows: list[Sequence[str]] = field(default_factory=list)
    notes: str = ""

    def markdown(self) -> str:
        """The table as a section of a page."""
        lines = [
            f"## {self.question}",
            "",
            "| " + " | ".join(self.columns) + " |",
            "|---" * len(self.columns) + "|",
        ]
        lines += ["| " + " | ".join(row) + " |" for row in self.rows]
        return "\n".join([*lines, "", self.notes, ""])


def best_of(runs: Mapping[str, Callable[[], object]], *, times: int = 5) -> dict[str, float]:
    """Best seconds of each, after a warm-up, in alternating order, so that a noisy machine is fair to all."""
    for run in runs.values():
        run()
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for turn in range(times):
        for name in list(runs)[:: 1 if turn % 2 == 0 else -1]:
            start = time.perf_counter()
            runs[name]()
            seconds[name].append(time.perf_counter() - start)
    return {name: min(taken) for name, taken in seconds.items()}


def originals() -> Path:
    """Python of an environment with profet 1.0.6, empiarreader 0.0.17 and caked 0.1.7; made on first use."""
    python = PEERS / "bin" / "python"
    if not (PEERS / "bin" / "empiarreader").exists():
        uv = Path(sys.executable).with_name("uv")
        subprocess.run([uv, "venv", "--quiet", "--clear", "--python", sys.executable, PEERS], check=True)
        wanted = ["profet==1.0.6", "empiarreader==0.0.17", "intake<2", "caked==0.1.7", "setuptools<81"]
        subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *wanted], check=True)
    return python


def run_script(python: Path | str, script: str, *arguments: str, env: Mapping[str, str] | None = None) -> str:
    """What a script prints in a Python of its own; one thread for the number crunching."""
    one_thread = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    done = subprocess.run(
        [str(python), "-c", script, *arguments],
        env={**os.environ, **one_thread, **(env or {})},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


def median_ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Median of the ratios pair by pair."""
    return statistics.median(a / b for a, b in zip(ours, theirs, strict=True))
