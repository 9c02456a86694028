"""Run scripts in turn, again and again, and say how the best run of each went; run by path, prints JSON.

Standard input holds a list of ``{"name", "command", "warm_up"}``. Every command prints one JSON object with
``seconds`` and whatever else it wants to report. In turn, so that a noisy machine is fair to all; the order
is reversed every other time, so that nobody always runs after the same other.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from typing import Any


def run(command: list[str]) -> dict[str, Any]:
    """Run one command; the time of its whole process is added to what it prints."""
    began = time.perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"})
    taken = time.perf_counter() - began
    if done.returncode != 0:
        raise RuntimeError(f"{command[:3]} ended with {done.returncode}: {done.stderr[-2000:]}")
    printed = done.stdout.strip()
    said = json.loads(printed.splitlines()[-1]) if printed.startswith("{") else {}
    return {"seconds": taken, "process_seconds": taken, **said}


def race(runners: list[dict[str, Any]], times: int) -> dict[str, list[dict[str, Any]]]:
    """Return what the runs of each runner said, fastest first."""
    results: dict[str, list[dict[str, Any]]] = {runner["name"]: [] for runner in runners}
    for turn in range(times):
        for runner in runners if turn % 2 == 0 else reversed(runners):
            results[runner["name"]].append(run(runner["command"]))
    return {name: sorted(runs, key=lambda one: float(one["seconds"])) for name, runs in results.items()}


if __name__ == "__main__":
    wanted = json.load(sys.stdin)
    json.dump(race(wanted["runners"], wanted["times"]), sys.stdout)
