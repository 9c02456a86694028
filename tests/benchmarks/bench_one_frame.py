"""How many bytes and requests does reading one frame of a stack move, and how long does it take?"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

from perc_archive import Archive
from published import originals
from tests.benchmarks.tables import Table, run_script

OURS = """
import sys, time
import empiarreader
import xarray, dask.array
start = time.perf_counter()
source = empiarreader.MrcSource(sys.argv[1])
frame = source.partition(0)[int(sys.argv[2])].values
print(time.perf_counter() - start, float(frame[0, 0]))
"""
THEIRS = """
import sys, time
from empiarreader import MrcSource
start = time.perf_counter()
source = MrcSource(sys.argv[1])
source.discover()
frame = source.read_partition(0)[int(sys.argv[2])].values
print(time.perf_counter() - start, float(frame[0, 0]))
"""


def _stack(path: Path, frames: int, edge: int) -> None:
    import mrcfile

    with mrcfile.new_mmap(path, (frames, edge, edge), mrc_mode=2, fill=None) as mrc:
        for i in range(frames):
            mrc.data[i] = np.float32(i)
        mrc.set_image_stack()


def measure(
    folder: Path, *, frames: int = 64, edge: int = 2048, times: int = 5, with_originals: bool = True
) -> Table:
    """Bytes, requests and best seconds for frame 10 of a stack, at 50 ms and 20 MB/s a connection."""
    stack, wanted = folder / "stack.mrcs", min(10, frames - 1)
    _stack(stack, frames, edge)
    table = Table(
        f"What does reading one frame of a stack of {frames} × {edge}² float32 move?",
        ["reader", "requests", "MB moved", "times the frame", "seconds"],
    )
    readers = {"empiarreader": (sys.executable, OURS)}
    if with_originals:
        readers["empiarreader 0.0.17"] = (str(originals() / "python"), THEIRS)
    with Archive() as archive:
        archive.add_entry(10002, {"data/stack.mrcs": stack})
        url = f"{archive.settings()['EMPIARREADER_ARCHIVE_URL']}/10002/data/stack.mrcs"
        archive.shape(latency_seconds=0.05, rate_bytes_per_second=20e6)
        for name, (python, script) in readers.items():
            seconds = []
            for _ in range(times if name == "empiarreader" else 1):
                before = len(archive.requests("*stack.mrcs"))
                taken, value = run_script(python, script, url, str(wanted), env={**os.environ}).split()
                assert float(value) == wanted
                seconds.append(float(taken))
            log = archive.requests("*stack.mrcs")[before:]
            moved = sum(request.body_bytes_sent for request in log)
            ratio = moved / (4 * edge**2)
            table.rows.append(
                [name, str(len(log)), f"{moved / 1e6:.2f}", f"{ratio:.4f}", f"{min(seconds):.2f}"]
            )
    table.notes = (
        "50 ms a request and 20 MB/s a connection. Best of five for ours; the published reader moves all of "
        "the file, so it runs once."
    )
    return table
