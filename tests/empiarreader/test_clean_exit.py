"""A process that has read something and ends leaves nothing open, and says nothing."""

from __future__ import annotations

import subprocess
import sys

import numpy as np

from mrc_vectors import mrc_bytes
from perc_archive import Archive

READS = """
import atexit, gc, socket

@atexit.register  # the first to be registered is the last to run
def say_what_is_open():
    for found in gc.get_objects():
        if isinstance(found, socket.socket) and found.fileno() != -1 and found.family != socket.AF_UNIX:
            print("still open:", found)

import fsspec
from empiarreader import EmpiarEntry, EmpiarSource, open_image

assert len(EmpiarEntry(10934, protocol="ftp").find("data/*.mrc")) == 2
assert EmpiarSource(10934, "data", filename="*.mrc").to_dask().raster.values.ndim == 4
assert open_image(EmpiarEntry(10934).find("data/*.mrc")[0].url)[1].values.ndim == 2
with fsspec.open("empiar://10934/data/a.mrc") as file:
    assert len(file.read(2000)) == 2000
"""


def test_a_process_that_has_read_over_every_door_ends_without_a_word(archive: Archive) -> None:
    values = mrc_bytes(np.ones((3, 64, 96), np.float32))
    archive.add_entry(10934, {"data/a.mrc": values, "data/b.mrc": values})

    done = subprocess.run(
        [sys.executable, "-X", "dev", "-W", "error", "-c", READS],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )

    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
