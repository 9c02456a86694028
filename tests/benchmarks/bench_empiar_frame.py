"""How long does one frame of a stack of a gibibyte take, beside other readers and beside curl?"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from perc_archive import Archive
from published import readers
from tests.benchmarks.tables import ROOT, Table

BASE = "https://ftp.ebi.ac.uk/empiar/world_availability"
PLACE = "ftp.ebi.ac.uk/empiar/world_availability/10002/data"
WANTED = 10
_REPORT = """
import json, resource
print(json.dumps({"seconds": seconds, "value": float(frame[5, 7]),
                  "peak_mb": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024}))
"""
_BEFORE = "import resource\nbefore = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
OURS = f"""
import sys, time
import urllib3
from empiarreader import MrcSource
MrcSource(sys.argv[2]).partition(0)[0].values  # a small local file: xarray and dask load the rest now
{_BEFORE}
began = time.perf_counter()
frame = MrcSource(sys.argv[1]).partition(0)[{WANTED}].values
seconds = time.perf_counter() - began
{_REPORT}"""
SCIGANTIC = f"""
import time
import scigantic_empiar
{_BEFORE}
began = time.perf_counter()
frame, header = scigantic_empiar.read_mrc_frame(10002, "stack.mrcs", {WANTED})
seconds = time.perf_counter() - began
{_REPORT}"""
_LAYOUT = f"""
width, height = numpy.frombuffer(head, "<i4", 2)
first = 1024 + int(numpy.frombuffer(head, "<i4", 1, 92)[0]) + {WANTED} * 4 * int(width) * int(height)
last = first + 4 * int(width) * int(height)
"""
FSSPEC = f"""
import sys, time
import fsspec, numpy, aiohttp
archive, url, count = fsspec.filesystem("http"), sys.argv[1], int(sys.argv[2])
{_BEFORE}
began = time.perf_counter()
head = archive.cat_file(url, 0, 1024)
{_LAYOUT}
edges = [first + (last - first) * k // count for k in range(count + 1)]
parts = archive.cat_ranges([url] * count, edges[:-1], edges[1:])
frame = numpy.frombuffer(b"".join(parts), numpy.float32).reshape(height, width)
seconds = time.perf_counter() - began
{_REPORT}"""
OPEN = f"""
import sys, time
import fsspec, numpy, aiohttp
{_BEFORE}
began = time.perf_counter()
with fsspec.open(sys.argv[1]) as file:
    head = file.read(1024)
    {_LAYOUT.strip().replace(chr(10), chr(10) + "    ")}
    file.seek(first)
    frame = numpy.frombuffer(file.read(last - first), numpy.float32).reshape(height, width)
seconds = time.perf_counter() - began
{_REPORT}"""


def make_stack(path: Path, frames: int, edge: int) -> float:
    """Write a stack of which only one frame is more than a hole in the file; returns a value of it."""
    import mrcfile

    path.parent.mkdir(parents=True, exist_ok=True)
    with mrcfile.new(path) as mrc:
        mrc.set_data(np.zeros((1, edge, edge), np.float32))
        mrc.set_image_stack()
        mrc.header.nz = mrc.header.mz = frames
    section = 4 * edge * edge
    values = np.random.default_rng(0).normal(size=(edge, edge)).astype(np.float32)
    with path.open("r+b") as file:
        file.truncate(1024 + frames * section)
        file.seek(1024 + WANTED * section)
        file.write(values.tobytes())
    return float(values[5, 7])


def race(runners: list[dict[str, Any]], times: int, *, around: list[str] | None = None) -> dict[str, Any]:
    """Race commands against one another, within another command if there is one around."""
    command = [*(around or []), sys.executable, str(ROOT / "tests" / "benchmarks" / "race.py")]
    wanted = json.dumps({"runners": runners, "times": times})
    done = subprocess.run(command, input=wanted, capture_output=True, text=True, check=False, cwd=ROOT)
    if done.returncode != 0:
        raise RuntimeError(f"the race ended with {done.returncode}: {done.stderr[-3000:]}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def as_hosts(content: Path) -> list[str]:
    """Command that runs another where the archive's name means this machine: 50 ms, 20 MB/s a connection."""
    options = ["--as-hosts", "--no-ftp", "--latency", "0.05", "--rate", "20M", "--content", str(content)]
    return ["env", f"PYTHONPATH={ROOT / 'examples'}", sys.executable, "-m", "perc_archive", *options, "--"]


def _runners(url: str, small: Path, *, with_peers: bool) -> list[dict[str, Any]]:
    ours = {"name": "empiarreader", "command": [sys.executable, "-c", OURS, url, str(small)]}
    if not with_peers:
        return [ours]
    peer = str(readers() / "python")
    return [
        ours,
        {"name": "scigantic-empiar 0.4.2", "command": [peer, "-c", SCIGANTIC]},
        {"name": "fsspec cat_ranges × 8", "command": [peer, "-c", FSSPEC, url, "8"]},
        {"name": "fsspec cat_ranges × 16", "command": [peer, "-c", FSSPEC, url, "16"]},
        {"name": "fsspec open", "command": [peer, "-c", OPEN, url]},
    ]


def _curl(url: str, edge: int) -> dict[str, Any]:
    first = 1024 + WANTED * 4 * edge * edge
    wanted = f"{first}-{first + 4 * edge * edge - 1}"
    return {"name": "curl, exact range", "command": ["curl", "-sfo", "/dev/null", "-r", wanted, url]}


def measure(
    folder: Path, *, frames: int = 64, edge: int = 2048, times: int = 5, with_peers: bool = True
) -> Table:
    """Best seconds for one frame: over TLS on the real name at 50 ms and 20 MB/s, and on bare loopback."""
    content = folder / "frame"
    value = make_stack(content / PLACE / "stack.mrcs", frames, edge)
    small = folder / "small.mrcs"
    make_stack(small, WANTED + 1, 16)
    table = Table(
        f"How long does one frame of a stack of {frames} × {edge}² float32 take?",
        ["link", "reader", "best seconds", "median", "ours is … times that", "peak MB above its imports"],
    )
    url = f"{BASE}/10002/data/stack.mrcs"
    around = as_hosts(content) if with_peers else None
    if around is not None:
        shaped = [*_runners(url, small, with_peers=True), _curl(url, edge)]
        _add(table, "50 ms, 20 MB/s each", race(shaped, times, around=around), value)
    with Archive(content=content, ftp=False) as archive:
        plain = archive.url("ftp.ebi.ac.uk", PLACE.partition("/")[2] + "/stack.mrcs")
        runners = [
            runner
            for runner in _runners(plain, small, with_peers=with_peers)
            if "scigantic" not in runner["name"]  # knows the real name only
        ]
        _add(table, "loopback", race([*runners, _curl(plain, edge)], times), value)
    table.notes = (
        "Header and frame, in a process of its own, connections included and imports not; curl is told the "
        f"range and timed as a process. The frame has {4 * edge**2 / 1e6:.1f} MB. Best of five, in turn. The "
        "link of 50 ms and 20 MB/s a connection speaks TLS under the archive's real name."
    )
    return table


def _add(table: Table, link: str, results: dict[str, Any], value: float) -> None:
    ours = results["empiarreader"][0]["seconds"]
    for name, runs in results.items():
        assert all(run.get("value", value) == value for run in runs)
        best = runs[0]
        peak = f"{best['peak_mb']:.0f}" if "peak_mb" in best else "-"
        median = runs[len(runs) // 2]["seconds"]
        row = [link, name, f"{best['seconds']:.3f}", f"{median:.3f}", f"{ours / best['seconds']:.2f}", peak]
        table.rows.append(row)
