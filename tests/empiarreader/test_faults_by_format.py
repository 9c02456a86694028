"""Every way in which the archive was seen to fail, with every format: right pixels or one clear error."""

from __future__ import annotations

import bz2
import contextlib
import io
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

import hostile_files
from eer_files import eer_bytes, random_electrons
from empiarreader import EmpiarReaderError, FileChangedError, ServiceError, open_image
from mrc_vectors import mrc_bytes
from perc_archive import Archive

HOST = "ftp.ebi.ac.uk"
Array = np.ndarray[Any, Any]
COUNTS = np.random.default_rng(0).poisson(9, (6, 300, 400)).astype(np.uint8)
ELECTRONS = [random_electrons(np.random.default_rng(k), 256, 20_000) for k in range(6)]
FAULTS = ("drop", "ignore_range", "wrong_length", "gzip", "html", "429", "503", "stall")


def _mrc(pixels: Array) -> bytes:
    return mrc_bytes(pixels.astype(np.uint16), mode=6)


def _tiff(pixels: Array) -> bytes:
    stream = io.BytesIO()
    with tifffile.TiffWriter(stream) as writer:
        for frame in pixels:
            writer.write(frame, compression="lzw", rowsperstrip=50, metadata=None, photometric="minisblack")
    return stream.getvalue()


def _movies() -> dict[str, tuple[bytes, Array]]:
    """Return files by name with the pixels they hold."""
    return {
        "a.mrc": (_mrc(COUNTS), COUNTS),
        "a.tif": (_tiff(COUNTS), COUNTS),
        "a.mrc.bz2": (bz2.compress(_mrc(COUNTS)), COUNTS),
        "a.eer": (eer_bytes(ELECTRONS, 256), np.stack([frame.image(256, 1) for frame in ELECTRONS])),
    }


MOVIES = _movies()


def _add_fault(archive: Archive, fault: str, **how: Any) -> None:
    if fault.isdigit():
        archive.add_fault("status", status=int(fault), retry_after="0", match="*/a.*", **how)
    else:
        archive.add_fault(fault, match="*/a.*", after_bytes=2000, **how)


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", MOVIES)
def test_a_fault_now_and_then_leaves_the_pixels_right(archive: Archive, name: str, fault: str) -> None:
    content, expected = MOVIES[name]
    archive.add_file(HOST, "pub/warm.bin", bytes(5000))
    archive.add_file(HOST, f"pub/{name}", content)
    _learn_patience(archive)
    _add_fault(archive, fault, times=None, every=3)  # of requests side by side one alone may get every second
    image = open_image(archive.url(HOST, f"pub/{name}"))

    np.testing.assert_array_equal(image[4].values, expected[4])
    np.testing.assert_array_equal(image.values, expected)


@pytest.mark.parametrize("fault", ["drop", "gzip", "html", "503"])
@pytest.mark.parametrize("name", ["a.mrc.bz2", "a.tif"])
def test_a_fault_that_stays_is_one_error_that_names_the_file(archive: Archive, name: str, fault: str) -> None:
    archive.add_file(HOST, f"pub/{name}", MOVIES[name][0])
    _add_fault(archive, fault, times=None)

    with pytest.raises(ServiceError) as refused:
        open_image(archive.url(HOST, f"pub/{name}"))
    assert archive.url(HOST, f"pub/{name}") in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "make", [_mrc, _tiff, lambda pixels: bz2.compress(_mrc(pixels))], ids=["mrc", "tiff", "bz2"]
)
def test_a_file_replaced_while_it_is_read_gives_what_it_was_or_an_error(
    archive: Archive, make: Callable[[Array], bytes]
) -> None:
    archive.add_file(HOST, "pub/a.mrc", make(COUNTS), headers={"ETag": '"one"'})
    url = archive.url(HOST, "pub/a.mrc")
    image = open_image(url)
    archive.add_file(HOST, "pub/a.mrc", make(COUNTS[::-1]), headers={"ETag": '"two"'})

    for k in range(6):
        with contextlib.suppress(FileChangedError):
            # Where a small file was fetched whole at first, that copy goes on serving.
            np.testing.assert_array_equal(image[k].values, COUNTS[k])
    np.testing.assert_array_equal(open_image(url).values, COUNTS[::-1])


def _learn_patience(archive: Archive) -> None:
    from empiarreader.network.ranges import fetch_range

    for start in range(8):
        fetch_range(archive.url(HOST, "pub/warm.bin"), start, memoryview(bytearray(10)))


@pytest.fixture(scope="module")
def hostile() -> dict[str, bytes]:
    return hostile_files.hostile_files()


def test_a_hostile_header_costs_a_mebibyte_at_most(archive: Archive, hostile: dict[str, bytes]) -> None:
    for name, content in hostile.items():
        archive.add_file(HOST, f"pub/{name}", content)
        with pytest.raises(EmpiarReaderError) as refused:
            open_image(archive.url(HOST, f"pub/{name}")).compute()

        assert name in str(refused.value)
        moved = sum(request.body_bytes_sent for request in archive.requests(f"*/{name}"))
        assert moved <= 1024 * 1024, name


def test_a_hostile_header_takes_sixty_four_mebibytes_of_the_whole_process_at_most(
    hostile: dict[str, bytes], tmp_path: Path
) -> None:
    for name, content in hostile.items():
        (tmp_path / name).write_bytes(content)
    done = subprocess.run(
        [sys.executable, "-W", "error", str(Path(hostile_files.__file__)), str(tmp_path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    grown = {line.split()[0]: int(line.split()[1]) for line in done.stdout.splitlines()}

    assert grown.keys() == hostile.keys()
    assert max(grown.values()) <= 64 * 1024 * 1024, grown
