"""How many bytes move, by the archive's own log: what was asked for, and hardly more."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import empiarreader
from empiarreader import EmpiarSource, MrcSource, open_image
from perc_archive import Archive

FRAMES, EDGE = 64, 2048
SECTION = 4 * EDGE * EDGE
WANTED = 10
PLACE = "empiar/world_availability/10934/data/stack.mrcs"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, np.ndarray[Any, np.dtype[np.float32]]]:
    """A stack of a gibibyte, of which one frame is more than a hole in the file."""
    import mrcfile

    path = tmp_path_factory.mktemp("stack") / "stack.mrcs"
    with mrcfile.new(path) as mrc:
        mrc.set_data(np.zeros((1, EDGE, EDGE), np.float32))
        mrc.set_image_stack()
        mrc.header.nz = mrc.header.mz = FRAMES
    values = np.random.default_rng(0).normal(size=(EDGE, EDGE)).astype(np.float32)
    with path.open("r+b") as file:
        file.truncate(1024 + FRAMES * SECTION)
        file.seek(1024 + WANTED * SECTION)
        file.write(values.tobytes())
    return path, values


def _moved(archive: Archive) -> int:
    return sum(request.body_bytes_sent for request in archive.requests("*stack*"))


def _serve(archive: Archive, path: Path) -> str:
    archive.add_entry(10934, {"data/stack.mrcs": path})
    return archive.url("ftp.ebi.ac.uk", PLACE)


def test_one_frame_of_a_gibibyte_moves_that_frame_and_the_header(
    archive: Archive, stack: tuple[Path, np.ndarray[Any, np.dtype[np.float32]]]
) -> None:
    path, values = stack
    _serve(archive, path)
    before = empiarreader.traffic()
    frame = EmpiarSource(10934, "data", filename="*.mrcs").partition(0)[WANTED].values

    np.testing.assert_array_equal(frame, values)
    assert SECTION <= _moved(archive) <= (SECTION + 1024) * 1.001
    assert (empiarreader.traffic() - before).bytes_received >= _moved(archive)


def test_rows_of_a_frame_move_those_rows(
    archive: Archive, stack: tuple[Path, np.ndarray[Any, np.dtype[np.float32]]]
) -> None:
    path, values = stack
    lazy = MrcSource(_serve(archive, path)).partition(0)
    before = _moved(archive)

    np.testing.assert_array_equal(lazy[WANTED, 300:340, 100:200].values, values[300:340, 100:200])
    assert _moved(archive) - before == 40 * EDGE * 4
    before = _moved(archive)
    np.testing.assert_array_equal(lazy[WANTED][300:340][10:20, ::50].values, values[310:320, ::50])
    assert _moved(archive) - before == 10 * EDGE * 4


def test_what_is_lazy_moves_headers_only(
    archive: Archive, stack: tuple[Path, np.ndarray[Any, np.dtype[np.float32]]]
) -> None:
    url = _serve(archive, stack[0])
    source = EmpiarSource(10934, "data", filename="*.mrcs")
    assert source.to_dask().raster.shape == (1, FRAMES, EDGE, EDGE)
    assert source.partition(0).shape == (FRAMES, EDGE, EDGE)
    assert _moved(archive) == 1024
    assert open_image(url).shape == (FRAMES, EDGE, EDGE)
    assert _moved(archive) <= 1024 + 64 * 1024


@pytest.mark.full
def test_memory_stays_below_three_frames(
    archive: Archive, stack: tuple[Path, np.ndarray[Any, np.dtype[np.float32]]]
) -> None:
    import subprocess
    import sys

    script = (
        "import sys, resource, numpy, urllib3\n"
        "from empiarreader import MrcSource\n"
        "lazy = MrcSource(sys.argv[1]).partition(0)\n"
        "lazy[0, :2].values\n"  # imports, threads, connections
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "frame = lazy[10].values\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    grown = subprocess.run(
        [sys.executable, "-c", script, _serve(archive, stack[0])], capture_output=True, text=True, check=True
    ).stdout  # fmt: skip

    assert int(grown) * 1024 < 3 * SECTION
