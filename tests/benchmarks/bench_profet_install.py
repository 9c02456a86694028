"""What does installing profet put on the disk, and what does importing it cost, beside profet 1.0.6?"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.benchmarks.tables import ROOT, Table, run_script

# The class that everybody uses: profet alone loads nothing before a name is used, the original all of itself.
IMPORT = (
    "import time; start = time.perf_counter(); from profet import Fetcher; print(time.perf_counter() - start)"
)
_PACKAGES = {"profet": [str(ROOT / "profet")], "profet 1.0.6": ["profet==1.0.6", "setuptools<81"]}


def _environment(folder: Path, packages: list[str]) -> Path:
    """A virtual environment with these packages and what they need; returns its Python."""
    uv = Path(sys.executable).with_name("uv")
    subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
    python = folder / "bin" / "python"
    subprocess.run([uv, "pip", "install", "--quiet", "--python", python, *packages], check=True)
    return python


def _installed(folder: Path) -> tuple[int, float]:
    """Number of distributions, and megabytes of all that lies in site-packages."""
    (site,) = folder.glob("lib/python*/site-packages")
    size = sum(path.lstat().st_size for path in site.rglob("*") if path.is_file())
    return len(list(site.glob("*.dist-info"))), size / 1e6


def measure(folder: Path, *, times: int = 5, with_originals: bool = True) -> Table:
    """Distributions, megabytes and best seconds of an import, each in an environment of its own."""
    table = Table(
        "What does profet cost to install and import?",
        ["package", "distributions", "MB installed", "seconds to import Fetcher"],
    )
    if not with_originals:
        table.rows.append(["profet", "-", "-", run_script(sys.executable, IMPORT).strip()])
        return table
    pythons = {
        name: _environment(folder / f"venv{number}", packages)
        for number, (name, packages) in enumerate(_PACKAGES.items())
    }
    for python in pythons.values():
        run_script(python, IMPORT)  # writes the compiled modules
    runs: dict[str, list[float]] = {name: [] for name in pythons}
    for _ in range(times):
        for name, python in pythons.items():
            runs[name].append(float(run_script(python, IMPORT)))
    for name, python in pythons.items():
        distributions, megabytes = _installed(python.parents[1])
        table.rows.append([name, str(distributions), f"{megabytes:.0f}", f"{min(runs[name]):.3f}"])
    table.notes = f"Each in an environment of its own, compiled modules included; best of {times}, in turn."
    return table
