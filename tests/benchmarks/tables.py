"""What every benchmark shares: a table, and a script in a process of its own."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


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
