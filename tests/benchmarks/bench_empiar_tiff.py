"""How long does one page of a compressed movie take, the first time and when its layout is known?"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

from perc_archive import Archive
from published import readers
from tests.benchmarks.bench_empiar_frame import BASE, PLACE, as_hosts, race
from tests.benchmarks.tables import Table

WANTED = 10
_REPORT = """
import json
print(json.dumps({"seconds": seconds, "value": float(frame[5, 7]), **extra}))
"""
OURS = f"""
import os, sys, tempfile, time
url, small = sys.argv[1:3]
os.environ["EMPIARREADER_CACHE_DIR"] = sys.argv[3] if len(sys.argv) > 3 else tempfile.mkdtemp()
import empiarreader, urllib3
empiarreader.open_image(small)[0].values  # a small local file: xarray and dask load the rest now
before = empiarreader.traffic()
began = time.perf_counter()
frame = empiarreader.open_image(url)[{WANTED}].values
seconds = time.perf_counter() - began
moved = empiarreader.traffic() - before
extra = {{"requests": moved.requests, "bytes": moved.bytes_received}}
{_REPORT}"""
SCIGANTIC = f"""
import time
import scigantic_empiar, tifffile, imagecodecs
imagecodecs.lzw_decode
began = time.perf_counter()
frame, header = scigantic_empiar.read_tiff_frame(10002, "movie.tif", {WANTED})
seconds = time.perf_counter() - began
extra = {{}}
{_REPORT}"""
TIFFFILE = f"""
import sys, time
import aiohttp, fsspec, imagecodecs, tifffile
imagecodecs.lzw_decode
began = time.perf_counter()
with fsspec.open(sys.argv[1], block_size=65536) as file:
    frame = tifffile.imread(file, key={WANTED})
seconds = time.perf_counter() - began
extra = {{}}
{_REPORT}"""


def make_movie(path: Path, pages: int, shape: tuple[int, int]) -> float:
    """Write a movie of counts, compressed by LZW; returns a value of the page that is wanted."""
    import tifffile

    path.parent.mkdir(parents=True, exist_ok=True)
    counts = np.random.default_rng(0).poisson(1.0, (pages, *shape)).astype(np.uint8)
    with tifffile.TiffWriter(path) as movie:
        for page in counts:
            movie.write(page, compression="lzw", contiguous=False, metadata=None)
    return float(counts[WANTED, 5, 7])


def measure(
    folder: Path,
    *,
    pages: int = 20,
    shape: tuple[int, int] = (4092, 5760),
    times: int = 5,
    with_peers: bool = True,
) -> Table:
    """Best seconds for page 10 of a movie, at 50 ms and 20 MB/s a connection."""
    content = folder / "tiff"
    value = make_movie(content / PLACE / "movie.tif", pages, shape)
    small = folder / "small.tif"
    make_movie(small, WANTED + 1, (16, 16))
    table = Table(
        f"How long does one page of a movie of {pages} × {shape[0]} × {shape[1]} (LZW) take?",
        ["reader", "requests", "MB moved", "best seconds", "median", "first time is … times that"],
    )
    if with_peers:
        results = race(_runners(BASE, small, folder, with_peers=True), times, around=as_hosts(content))
    else:
        with Archive(content=content, ftp=False) as archive:
            base = archive.url("ftp.ebi.ac.uk", "empiar/world_availability")
            results = race(_runners(base, small, folder, with_peers=False), times)
    ours = results["empiarreader, first time"][0]["seconds"]
    for name, runs in results.items():
        assert all(run["value"] == value for run in runs)
        best, median = runs[0], runs[len(runs) // 2]["seconds"]
        moved = f"{best['bytes'] / 1e6:.2f}" if "bytes" in best else "-"
        row = [name, str(best.get("requests", "-")), moved, f"{best['seconds']:.3f}", f"{median:.3f}"]
        table.rows.append([*row, f"{ours / best['seconds']:.2f}"])
    table.notes = (
        "50 ms, 20 MB/s a connection, TLS, under the archive's real name; a process of its own each, imports "
        "not counted. Best of five, in turn. The second time, where the pages lie is known from the cache."
    )
    return table


def _runners(base: str, small: Path, folder: Path, *, with_peers: bool) -> list[dict[str, Any]]:
    url = f"{base}/10002/data/movie.tif"
    first = {"name": "empiarreader, first time", "command": [sys.executable, "-c", OURS, url, str(small)]}
    known = [*first["command"], str(folder / "known")]
    runners: list[dict[str, Any]] = [first, {"name": "empiarreader, layout known", "command": known}]
    if with_peers:
        peer = str(readers() / "python")
        runners += [
            {"name": "scigantic-empiar 0.4.2", "command": [peer, "-c", SCIGANTIC]},
            {"name": "tifffile over fsspec, 64 KiB blocks", "command": [peer, "-c", TIFFFILE, url]},
        ]
    return runners
