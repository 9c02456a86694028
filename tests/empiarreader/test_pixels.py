"""Pixels out of MRC files: every region equals the slice of the whole, from exactly its rows."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from empiarreader import DamagedDataError, FileChangedError, InvalidRequestError, MrcSource, parse_mrc_header
from empiarreader.bytefiles import open_bytes
from empiarreader.images.raw import RawPixels
from empiarreader.regions import resolve_region
from mrc_vectors import MrcVector, mrc_bytes, mrc_vectors, sample_array

VECTORS = {vector.name: vector for vector in mrc_vectors()}


def _file(folder: Path, content: bytes, name: str = "a.mrc") -> MrcSource:
    path = folder / name
    path.write_bytes(content)
    return MrcSource(path)


@pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS)
def test_all_pixels_come_out_in_the_byte_order_of_the_machine(vector: MrcVector, tmp_path: Path) -> None:
    source = _file(tmp_path, vector.content)
    found = source.read(0)

    np.testing.assert_array_equal(found, vector.expected)
    assert found.dtype == vector.expected.dtype == source.dtype(0)
    assert found.dtype.isnative


@st.composite
def regions(draw: st.DrawFn, shape: tuple[int, ...]) -> tuple[slice, ...]:
    axes = draw(st.integers(0, len(shape)))
    chosen = []
    for length in shape[:axes]:
        bound = st.none() | st.integers(-length - 2, length + 2)
        chosen.append(slice(draw(bound), draw(bound), draw(st.sampled_from([None, 1]))))
    return tuple(chosen)


@given(data=st.data(), mode=st.sampled_from([0, 1, 2, 3, 4, 6, 12, 101]), order=st.sampled_from("<>"))
def test_any_region_equals_the_slice_of_the_whole(data: st.DataObject, mode: int, order: str) -> None:
    shape = data.draw(st.sampled_from([(5, 7), (3, 4, 5), (2, 3, 4, 5)]))
    array = sample_array(mode, shape)
    region = data.draw(regions(shape))
    with tempfile.TemporaryDirectory() as folder:
        source = _file(Path(folder), mrc_bytes(array, mode=mode, order=order, extended=b"\1" * 10))
        found = source.read(0, region)
        given_out = np.zeros(found.shape, "c16" if np.iscomplexobj(array) else "f8")
        returned = source.read(0, region, given_out)

    np.testing.assert_array_equal(found, array[region])
    np.testing.assert_array_equal(given_out, array[region])
    assert returned is given_out


@given(data=st.data())
def test_a_plan_holds_the_rows_of_the_region_and_no_byte_more(data: st.DataObject) -> None:
    shape = data.draw(st.sampled_from([(5, 7), (3, 4, 5), (2, 3, 4, 5)]))
    array = sample_array(1, shape)
    content = mrc_bytes(array, mode=1)
    header = parse_mrc_header(content, file_bytes=len(content))
    region = data.draw(regions(shape))
    bounds = resolve_region(region, shape)
    spans = header.pixels.spans(bounds)
    fetched = b"".join(content[start : start + length] for start, length in spans)
    rows = array[tuple(slice(*bound) for bound in bounds[:-1])]
    wanted = rows if array[region].size else rows[:0]

    assert fetched == wanted.tobytes()


@given(data=st.data(), order=st.sampled_from("<>"), padding=st.integers(0, 9), gap=st.integers(0, 30))
def test_what_fills_up_rows_and_sections_is_left_out(
    data: st.DataObject, order: str, padding: int, gap: int
) -> None:
    array = sample_array(1, (3, 4, 5))
    rows = np.full((3, 4, 5 * 2 + padding), 0xEE, np.uint8)
    rows[..., :10] = array.astype(f"{order}i2").view(np.uint8)
    sections = np.full((3, 4 * (10 + padding) + gap), 0xDD, np.uint8)
    sections[:, : 4 * (10 + padding)] = rows.reshape(3, -1)
    content = b"head" + sections.tobytes()[: sections.size - gap]
    pixels = RawPixels(
        shape=(3, 4, 5),
        stored=f"{order}i2",
        offset=4,
        row_bytes=10 + padding,
        section_bytes=sections.shape[1],
    )
    region = data.draw(regions(array.shape))
    assume(array[region].size)
    bounds = resolve_region(region, array.shape)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.raw"
        path.write_bytes(content)
        file = open_bytes(path)
        out = np.zeros([stop - start for start, stop in bounds], np.int16)
        pixels.read_into(file, file.version(), bounds, out)

    np.testing.assert_array_equal(out, array[region])
    assert pixels.end == len(content)


def test_whole_frames_next_to_each_other_are_one_span() -> None:
    content = mrc_bytes(sample_array(2, (6, 4, 5)))
    header = parse_mrc_header(content, file_bytes=len(content))

    assert header.pixels.spans(((2, 5), (0, 4), (0, 5))) == [(1024 + 2 * 80, 3 * 80)]
    assert header.pixels.spans(((2, 4), (1, 3), (0, 2))) == [(1204, 40), (1284, 40)]


@pytest.mark.parametrize(
    "region",
    [
        (slice(0, 1), slice(0, 1), slice(0, 1), slice(0, 1)),
        (slice(0, 3, 2),),
        (slice(3, 0, -1),),
        (1,),
        [slice(0, 1)],
        "all",
    ],
    ids=str,
)
def test_a_region_that_makes_no_sense_is_refused(region: Any, tmp_path: Path) -> None:
    source = _file(tmp_path, mrc_bytes(sample_array(2)))

    with pytest.raises(InvalidRequestError):
        source.read(0, region)


@pytest.mark.parametrize(
    "out",
    [np.empty((3, 4, 4), "f4"), np.empty((3, 4, 5), "i4"), np.broadcast_to(np.float32(0), (3, 4, 5))],
    ids=["other shape", "cannot hold it", "read-only"],
)
def test_an_out_that_does_not_fit_is_refused(out: Any, tmp_path: Path) -> None:
    source = _file(tmp_path, mrc_bytes(sample_array(2)))

    with pytest.raises(InvalidRequestError):
        source.read(0, None, out)


def test_an_out_with_gaps_in_memory_is_filled(tmp_path: Path) -> None:
    array = sample_array(2)
    out = np.zeros((3, 4, 10), "f4")[:, :, ::2]

    np.testing.assert_array_equal(_file(tmp_path, mrc_bytes(array, order=">")).read(0, None, out), array)


def test_a_file_that_changes_after_its_header_was_read_is_never_mixed(tmp_path: Path) -> None:
    source = _file(tmp_path, mrc_bytes(sample_array(2)))
    source.shape(0)
    _file(tmp_path, mrc_bytes(sample_array(2) + 1, extended=b"1234"))

    with pytest.raises(FileChangedError):
        source.read(0)


def test_a_file_of_no_bytes_is_damaged(tmp_path: Path) -> None:
    with pytest.raises(DamagedDataError, match="0 bytes"):
        _file(tmp_path, b"").shape(0)
