"""What moves of each format, and when: the rows of the documentation's table beside those of plain stacks."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile

from empiarreader import EmpiarSource
from mrc_vectors import mrc_bytes
from perc_archive import Archive

MIB = 1024 * 1024
MOVIE = (20, 4092, 5760)


@pytest.fixture(scope="module")
def movie(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An LZW movie of 128 MB, the frames nearly the same, with a directory before each frame."""
    path = tmp_path_factory.mktemp("movie") / "movie.tif"
    frame = _electrons()
    strips = [
        bytes(imagecodecs.lzw_encode(frame[row : row + 64].tobytes())) for row in range(0, MOVIE[1], 64)
    ]
    with tifffile.TiffWriter(path) as writer:
        for k in range(MOVIE[0]):
            # One strip of each frame differs, so that frames differ in length as those of cameras do.
            last = np.random.default_rng(k).poisson(0.9, (MOVIE[1] % 64, MOVIE[2])).astype(np.uint8)
            writer.write(
                iter([*strips[:-1], bytes(imagecodecs.lzw_encode(last.tobytes()))]),
                shape=MOVIE[1:],
                dtype="u1",
                compression="lzw",
                rowsperstrip=64,
                photometric="minisblack",
                metadata=None,
            )
    return path


def _electrons() -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.random.default_rng(0).poisson(0.9, MOVIE[1:]).astype(np.uint8)


class _Meter:
    """Image bytes and requests since it was last read."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._seen = 0

    def read(self) -> tuple[int, int]:
        files = [request for request in self._archive.requests() if not request.path.endswith("/")]
        found, self._seen = files[self._seen :], len(files)
        return len(found), sum(request.body_bytes_sent for request in found)


@pytest.fixture
def meter(archive: Archive) -> _Meter:
    return _Meter(archive)


def test_one_page_of_a_large_movie_moves_its_strips(archive: Archive, meter: _Meter, movie: Path) -> None:
    archive.add_entry(10028, {"data/movie.tif": movie})
    strips = movie.stat().st_size / MOVIE[0]
    part = EmpiarSource(10028, "data").partition(0)
    _, described = meter.read()
    page = part[10].values
    _, moved = meter.read()

    np.testing.assert_array_equal(page[:4032], _electrons()[:4032])
    assert movie.stat().st_size > 120 * MIB
    assert part.shape == MOVIE
    assert described <= 0.02 * strips
    assert described + moved <= 1.1 * strips


def test_a_described_movie_is_described_by_one_request_the_second_time(
    archive: Archive, meter: _Meter, movie: Path
) -> None:
    archive.add_entry(10028, {"data/movie.tif": movie})
    EmpiarSource(10028, "data").partition(0)
    meter.read()
    part = EmpiarSource(10028, "data").partition(0)

    assert meter.read() == (1, 16 * 1024)
    np.testing.assert_array_equal(part[19, :8, :8].values, _electrons()[:8, :8])
    requests, moved = meter.read()
    assert requests == 2  # the directory of page 19, and the strip
    assert moved < 4 * 1024 + 1.5 * movie.stat().st_size / MOVIE[0] / 64


def test_describing_many_files_moves_the_first_header(archive: Archive, meter: _Meter) -> None:
    content = mrc_bytes(np.zeros((2, 30, 40), np.float32))
    archive.add_entry(10002, {f"data/{k}.mrc": content for k in range(20)})
    source = EmpiarSource(10002, "data")
    source.to_dask()
    assert meter.read() == (1, 1024)
    source.to_dask(check=True)
    assert meter.read() == (19, 19 * 1024)


def test_a_compressed_map_moves_its_beginning_and_then_all_of_it_once(
    archive: Archive, meter: _Meter
) -> None:
    pixels = np.random.default_rng(1).normal(size=(40, 200, 200)).astype(np.float32)
    packed = gzip.compress(mrc_bytes(pixels, ispg=1), 1)
    archive.add_entry(10002, {"data/a.map.gz": packed})
    image = EmpiarSource(10002, "data").partition(0)
    requests, described = meter.read()
    image[3].compute()
    _, fetched = meter.read()
    image[4].compute()

    assert (requests, described) == (2, 1024 + 64 * 1024)
    assert image.attrs["must_fetch_bytes"] == len(packed) == fetched
    assert meter.read() == (0, 0)


def test_extended_headers_move_when_they_are_asked_for(archive: Archive, meter: _Meter) -> None:
    content = mrc_bytes(np.zeros((2, 30, 40), np.float32), extended=bytes(100_000), exttyp=b"MRCO")
    archive.add_entry(10002, {"data/a.mrc": content})
    source = EmpiarSource(10002, "data")
    source.partition(0)[1].compute()
    assert meter.read() == (2, 1024 + 30 * 40 * 4)
    assert source.file_metadata(0)["extended_header"] == "MRCO"
    assert meter.read() == (1, 101_024)


@pytest.mark.parametrize("scheduler", ["threads", pytest.param("processes", marks=pytest.mark.full)])
def test_a_lazy_array_of_a_movie_is_read_by_workers_of_dask(
    archive: Archive, movie: Path, scheduler: str
) -> None:
    archive.add_entry(10028, {"data/movie.tif": movie})
    part = EmpiarSource(10028, "data").partition(0)[:2, :200, :300]
    expected = 2 * int(_electrons()[:200, :300].sum(dtype=int))
    total = part.astype("i8").sum()

    assert int(total.compute(scheduler=scheduler)) == expected
