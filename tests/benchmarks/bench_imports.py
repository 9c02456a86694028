"""What does importing a library cost, beside the published one?"""

from __future__ import annotations

import sys

from published import originals
from tests.benchmarks.tables import Table, run_script

SCRIPT = """
import resource, sys, time
start = time.perf_counter()
__import__(sys.argv[1])
seconds = time.perf_counter() - start
print(seconds, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, len(sys.modules))
"""


def measure(*, times: int = 5, with_originals: bool = True) -> Table:
    """Best seconds, peak memory and modules of ``import``, ours and theirs in turn."""
    table = Table("What does importing a library cost?", ["library", "seconds", "peak MB", "modules"])
    pythons = {"": sys.executable} | ({" (published)": str(originals() / "python")} if with_originals else {})
    for library in ("profet", "empiarreader", "caked"):
        runs: dict[str, list[list[float]]] = {label: [] for label in pythons}
        for _ in range(times):
            for label, python in pythons.items():
                runs[label].append([float(word) for word in run_script(python, SCRIPT, library).split()])
        for label, values in runs.items():
            seconds, megabytes, modules = (min(column) for column in zip(*values, strict=True))
            table.rows.append([f"{library}{label}", f"{seconds:.3f}", f"{megabytes:.0f}", f"{modules:.0f}"])
    table.notes = (
        "Best of five, in turn; our names are loaded when they are first used (torch with caked), not "
        "when the library is imported."
    )
    return table
