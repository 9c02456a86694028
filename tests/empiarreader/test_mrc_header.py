"""Headers of MRC files: shared vectors, mrcfile as a second reader, and bytes that nobody meant."""

from __future__ import annotations

import io
import struct
import tracemalloc
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mrcfile.mrcinterpreter import MrcInterpreter
from numpy.typing import NDArray

from empiarreader import DamagedDataError, MrcHeader, VoxelSize, parse_mrc_header
from mrc_vectors import MrcVector, damaged_mrc, mrc_bytes, mrc_header, mrc_vectors, sample_array

VECTORS = {vector.name: vector for vector in mrc_vectors()}
UNKNOWN_TO_MRCFILE = {
    name for name in VECTORS if "mode 3" in name or "101" in name or "4 bits" in name or "unsigned" in name
} | {"bytes whose maximum is 253"}


def _with_mrcfile(content: bytes) -> MrcInterpreter:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return MrcInterpreter(io.BytesIO(content), permissive=True)


def _parse(content: bytes) -> MrcHeader:
    return parse_mrc_header(content[:1024], file_bytes=len(content))


@pytest.mark.parametrize("vector", VECTORS.values(), ids=VECTORS)
def test_a_header_says_where_the_pixels_are_and_what_they_mean(vector: MrcVector) -> None:
    header = _parse(vector.content)

    assert header.shape == vector.expected.shape
    assert np.dtype(header.dtype) == vector.expected.dtype
    assert header.voxel_size == pytest.approx(vector.voxel_size)
    assert header.data_offset == len(vector.content) - header.data_bytes - (
        100 if vector.name == "bytes after the pixels" else 0
    )


@pytest.mark.parametrize("name", sorted(set(VECTORS) - UNKNOWN_TO_MRCFILE))
def test_mrcfile_reads_the_same_shape_and_pixels(name: str) -> None:
    vector = VECTORS[name]
    theirs = _with_mrcfile(vector.content)

    assert theirs.data is not None
    assert theirs.data.shape == _parse(vector.content).shape
    np.testing.assert_array_equal(theirs.data, vector.expected)


@pytest.mark.parametrize(("name", "content"), damaged_mrc(), ids=[name for name, _ in damaged_mrc()])
def test_a_damaged_file_is_refused_with_one_sentence(name: str, content: bytes) -> None:
    with pytest.raises(DamagedDataError) as refused:
        _parse(content)

    assert str(refused.value).startswith("MRC file ")
    assert "\n" not in str(refused.value)


def test_a_web_page_in_place_of_a_file_is_called_so() -> None:
    with pytest.raises(DamagedDataError, match="web page"):
        _parse(dict(damaged_mrc())["a web page"])


def test_the_voxel_size_goes_in_array_order_and_by_name() -> None:
    size = _parse(mrc_bytes(sample_array(2), voxel_size=(3.0, 2.0, 1.0))).voxel_size

    assert isinstance(size, VoxelSize)
    assert (size.z, size.y, size.x) == tuple(size) == (3.0, 2.0, 1.0)


def test_the_axes_are_reported_in_array_order() -> None:
    assert _parse(mrc_bytes(sample_array(2))).axis_order == ("z", "y", "x")
    assert _parse(mrc_bytes(sample_array(2), axes=(3, 1, 2))).axis_order == ("y", "x", "z")


def test_a_volume_is_told_from_a_stack() -> None:
    assert _parse(mrc_bytes(sample_array(2), ispg=1)).is_volume
    assert not _parse(mrc_bytes(sample_array(2), ispg=0)).is_volume


def test_the_kind_of_the_extended_header_is_named_where_there_is_one() -> None:
    assert _parse(mrc_bytes(sample_array(2), extended=b"\0" * 768, exttyp=b"FEI1")).extended_header == "FEI1"
    assert _parse(mrc_bytes(sample_array(2), exttyp=b"FEI1")).extended_header == ""


def test_unstamped_bytes_are_what_the_caller_knows_them_to_be() -> None:
    plain = mrc_bytes(sample_array(0), mode=0)
    stamped = mrc_bytes(sample_array(0), mode=0, imod_flags=1)

    assert parse_mrc_header(plain, file_bytes=len(plain), signed_bytes=False).dtype == "u1"
    assert parse_mrc_header(stamped, file_bytes=len(stamped), signed_bytes=False).dtype == "i1"


@pytest.mark.parametrize(
    ("size", "label", "width"),
    [
        (
            (7420, 3838),
            b"SerialEMCCD: Dose frac. image, 4 bits packed  r/f 0",
            7676,
        ),  # K2 at super-resolution
        ((8184, 5760), b"SerialEMCCD: Dose frac. image, 4 bits packed  r/f 3", 11520),  # K3
        ((7420, 3838), b"SerialEMCCD: Dose frac. image, scaled by 1.00  r/f 0", 3838),
        ((7420, 3000), b"SerialEMCCD: Dose frac. image, 4 bits packed  r/f 0", 3000),  # cut out of one
    ],
)
def test_a_label_and_the_size_of_a_camera_tell_that_bytes_hold_two_counts(
    size: tuple[int, int], label: bytes, width: int
) -> None:
    content = bytearray(mrc_header((3, *size), mode=0, voxel_size=(1.0, 1.1, 1.2)))
    content[220:224], content[224 : 224 + len(label)] = (1).to_bytes(4, "little"), label
    header = parse_mrc_header(bytes(content), file_bytes=1024 + 3 * size[0] * size[1])

    assert header.shape == (3, size[0], width)
    assert header.intervals == header.shape
    assert header.voxel_size == pytest.approx((1.0, 1.1, 1.2))


def test_a_claim_of_petabytes_sets_no_memory_aside() -> None:
    content = mrc_header((2_000_000_000, 2_000_000_000, 2_000_000_000), mode=4)
    tracemalloc.start()
    with pytest.raises(DamagedDataError):
        parse_mrc_header(content, file_bytes=10_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 100_000


@given(content=st.binary(max_size=2000), size=st.integers(0, 2**50))
def test_any_bytes_are_a_header_that_fits_or_are_refused(content: bytes, size: int) -> None:
    try:
        header = parse_mrc_header(content, file_bytes=size)
    except DamagedDataError:
        return
    assert header.data_offset + header.data_bytes <= size


@given(
    words=st.lists(st.integers(-(2**31), 2**31 - 1), min_size=56, max_size=56),
    mode=st.sampled_from([0, 1, 2, 3, 4, 6, 12, 101]),
    order=st.sampled_from("<>"),
    size=st.integers(0, 2**62),
)
def test_any_words_in_a_header_are_read_or_refused(
    words: list[int], mode: int, order: str, size: int
) -> None:
    words[3] = mode
    content = struct.pack(f"{order}56i", *words).ljust(1024, b"\0")
    try:
        header = parse_mrc_header(content, file_bytes=size)
    except DamagedDataError:
        return
    assert header.data_offset + header.data_bytes <= size
    assert min(header.shape) > 0


@given(
    shape=st.tuples(st.integers(1, 4), st.integers(1, 5), st.integers(1, 6)),
    mode=st.sampled_from([0, 1, 2, 3, 4, 6, 12, 101]),
    order=st.sampled_from("<>"),
    extended=st.integers(0, 300),
)
def test_what_is_written_is_read_back(
    shape: tuple[int, int, int], mode: int, order: str, extended: int
) -> None:
    array = sample_array(mode, shape)
    header = _parse(mrc_bytes(array, mode=mode, order=order, extended=b"\7" * extended, ispg=1))

    assert (header.shape, header.byte_order, header.mode) == (shape, order, mode)
    assert header.data_offset == 1024 + extended


def _real_mrc(folder: Path) -> list[Path]:
    found = [*(folder / "empiar" / "mrc").iterdir(), *(folder / "caked").rglob("*.mrc*")]
    return sorted(path for path in found if path.suffix in {".mrc", ".mrcs", ".map"})


@pytest.mark.real_data
def test_real_files_read_as_mrcfile_reads_them(real_data: Path) -> None:
    paths = [path for path in _real_mrc(real_data) if ".head." not in path.name]

    for path in paths:
        content = path.read_bytes()
        theirs = _with_mrcfile(content)
        header = _parse(content)
        pixels: NDArray[Any] = np.frombuffer(
            content, np.dtype(header.dtype).newbyteorder(header.byte_order), offset=header.data_offset
        )[: theirs.data.size]

        assert header.shape == theirs.data.shape, path.name
        np.testing.assert_array_equal(pixels.reshape(header.shape), theirs.data, path.name)
        expected = [float(theirs.voxel_size[axis]) for axis in "zyx"]
        assert header.voxel_size == pytest.approx(expected, rel=1e-6), path.name
    assert len(paths) >= 8


@pytest.mark.real_data
def test_real_files_cut_short_are_refused(real_data: Path) -> None:
    heads = [path for path in _real_mrc(real_data) if ".head." in path.name]

    for path in heads:
        content = path.read_bytes()
        with pytest.raises(DamagedDataError, match="was cut short"):
            _parse(content)
        assert parse_mrc_header(content, file_bytes=10**9).extended_header in {"FEI1", "FEI2"}
    assert len(heads) == 2


@pytest.mark.real_data
def test_the_permuted_axes_of_a_real_map_are_reported(real_data: Path) -> None:
    header = _parse((real_data / "empiar" / "mrc" / "EMD-3001.map").read_bytes())

    assert header.shape == (25, 43, 73)
    assert header.axis_order == ("y", "x", "z")
    assert (header.data_offset, header.start) == (1024 + 160, (-12, -21, 0))
