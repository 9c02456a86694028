"""MRC files as images: axes, lengths and origins, extended headers, and files that are compressed."""

from __future__ import annotations

import bz2
import gzip
import lzma
import pickle
import struct
import tracemalloc
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gemmi
import mrcfile
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mrcfile.dtypes import get_ext_header_dtype

import empiarreader
from empiarreader import DamagedDataError, EmpiarReaderError, EmpiarSource, FileChangedError, VoxelSize
from empiarreader.images.mrcextended import serialem_float
from mrc_vectors import mrc_bytes, mrc_header, mrc_vectors, sample_array
from perc_archive import Archive

HOST = "ftp.ebi.ac.uk"
PACKED: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
}


def _open(folder: Path, content: bytes, name: str = "a.mrc", **options: Any) -> Any:
    (folder / name).write_bytes(content)
    return empiarreader.open_image(folder / name, **options)


def _metadata(folder: Path, content: bytes) -> dict[str, Any]:
    (folder / "a.mrc").write_bytes(content)
    return empiarreader.read_metadata(folder / "a.mrc")


@pytest.mark.parametrize("vector", mrc_vectors(), ids=lambda vector: vector.name)
def test_every_vector_opens_by_address_with_its_pixels(archive: Archive, vector: Any) -> None:
    archive.add_file(HOST, "pub/a.mrc", vector.content)
    image = empiarreader.open_image(archive.url(HOST, "pub/a.mrc"))
    expected = vector.expected
    if vector.name == "axes permuted":
        expected = np.transpose(expected, (2, 0, 1))  # stored as y, x, z

    np.testing.assert_array_equal(image.values, expected)
    assert image.dtype == expected.dtype
    assert tuple(image.voxel_size) == pytest.approx(vector.voxel_size)


@pytest.mark.parametrize(
    ("name", "fields", "dims"),
    [
        ("a.mrc", {}, ("frame", "y", "x")),
        ("a.mrc", {"ispg": 1}, ("z", "y", "x")),
        ("a.mrcs", {"ispg": 1}, ("frame", "y", "x")),
        ("a.st", {"ispg": 1}, ("frame", "y", "x")),
        ("a.rec", {}, ("z", "y", "x")),
        ("a.map", {}, ("z", "y", "x")),
        ("a.mrc", {"ispg": 1, "cell": (0.0, 0.0, 0.0)}, ("frame", "y", "x")),
        ("a.mrc", {"ispg": 1, "intervals": (1, 4, 5)}, ("frame", "y", "x")),
        ("a.mrc", {"ispg": 0, "axes": (2, 1, 3)}, ("z", "y", "x")),
    ],
    ids=str,
)
def test_a_volume_is_told_from_a_stack_by_header_and_name(
    tmp_path: Path, name: str, fields: dict[str, Any], dims: tuple[str, ...]
) -> None:
    content = mrc_bytes(sample_array(2), **fields)

    assert _open(tmp_path, content, name).dims == dims
    assert _open(tmp_path, content, name, volume=True).dims == ("z", "y", "x")
    assert _open(tmp_path, content, name, volume=False).dims == ("frame", "y", "x")


@pytest.mark.parametrize(("name", "dims"), [("a.mrc", "frame"), ("a.map", "z")])
def test_one_section_is_no_volume_whatever_its_space_group(tmp_path: Path, name: str, dims: str) -> None:
    image = _open(tmp_path, mrc_bytes(sample_array(2, (1, 8, 6)), ispg=1), name)

    assert image.dims == (dims, "y", "x")


def test_a_micrograph_that_its_header_calls_a_volume_is_binned(tmp_path: Path) -> None:
    micrograph = sample_array(2, (1, 8, 6))
    binned = empiarreader.bin_image(_open(tmp_path, mrc_bytes(micrograph, ispg=1), "a.mrc"))

    np.testing.assert_allclose(binned, micrograph.reshape(1, 4, 2, 3, 2).mean((2, 4)), rtol=1e-6)


def test_lengths_are_in_angstrom_and_begin_at_the_origin(tmp_path: Path) -> None:
    header = bytearray(mrc_bytes(sample_array(2), ispg=1, voxel_size=(3.0, 2.0, 1.5)))
    struct.pack_into("<3i", header, 16, 10, 20, 30)  # first column, row and section
    by_start = _open(tmp_path, bytes(header))
    struct.pack_into("<3f", header, 196, -1.0, -2.0, -3.0)  # x, y, z
    by_origin = _open(tmp_path, bytes(header))

    np.testing.assert_allclose(by_start.z, 90.0 + 3.0 * np.arange(3))
    np.testing.assert_allclose(by_start.x, 15.0 + 1.5 * np.arange(5))
    np.testing.assert_allclose(by_origin.z, -3.0 + 3.0 * np.arange(3))
    np.testing.assert_allclose(by_origin.x, -1.0 + 1.5 * np.arange(5))
    assert by_origin.attrs["origin"] == (-3.0, -2.0, -1.0)
    struct.pack_into("<3f", header, 196, 0.0, 0.0, -3.0)  # one length is enough to state an origin
    assert _open(tmp_path, bytes(header)).attrs["origin"] == (-3.0, 0.0, 0.0)
    assert by_origin.voxel_size == VoxelSize(3.0, 2.0, 1.5)
    assert {by_origin[axis].attrs["units"] for axis in "zyx"} == {"Å"}


def test_where_a_map_begins_is_told_along_the_axes_of_the_file(tmp_path: Path) -> None:
    header = bytearray(mrc_bytes(sample_array(2), ispg=1, voxel_size=(3.0, 2.0, 1.5)))
    struct.pack_into("<3i", header, 16, 10, 20, 30)  # first column, row and section
    struct.pack_into("<3i", header, 64, 2, 1, 3)  # columns lie along y, rows along x
    image = _open(tmp_path, bytes(header))

    assert image.attrs["origin"] == (30 * 3.0, 10 * 2.0, 20 * 1.5)
    np.testing.assert_array_equal(image.values, sample_array(2).transpose(0, 2, 1))


def test_a_pixel_size_may_be_given(tmp_path: Path) -> None:
    content = mrc_bytes(sample_array(2), cell=(0.0, 0.0, 0.0))
    plain = _open(tmp_path, content)
    told = _open(tmp_path, content, pixel_size_angstrom=1.1)

    assert plain.x.attrs["units"] == "pixel"
    np.testing.assert_array_equal(plain.x, np.arange(5))
    np.testing.assert_allclose(told.x, 1.1 * np.arange(5))
    assert told.voxel_size == VoxelSize(0.0, 1.1, 1.1)
    np.testing.assert_array_equal(told.frame, np.arange(3))
    with pytest.raises(empiarreader.InvalidRequestError, match="above 0"):
        _open(tmp_path, content, pixel_size_angstrom=-1.0)


@given(
    axes=st.permutations([1, 2, 3]),
    low=st.tuples(*[st.integers(0, 3)] * 3),
    size=st.tuples(*[st.integers(0, 4)] * 3),
)
def test_permuted_axes_are_turned_as_gemmi_turns_them(
    tmp_path_factory: pytest.TempPathFactory, axes: list[int], low: tuple[int, ...], size: tuple[int, ...]
) -> None:
    path = tmp_path_factory.mktemp("axes") / "a.map"
    array = sample_array(2, (4, 5, 6))
    counts = dict(zip(axes, (6, 5, 4), strict=True))  # columns, rows, sections along x, y, z
    cell = tuple(float(counts[axis]) for axis in (3, 2, 1))
    intervals = (counts[3], counts[2], counts[1])
    path.write_bytes(mrc_bytes(array, ispg=1, axes=tuple(axes), cell=cell, intervals=intervals))
    theirs = gemmi.read_ccp4_map(str(path))
    theirs.setup(float("nan"), gemmi.MapSetup.ReorderOnly)
    expected = np.array(theirs.grid.array).T  # (z, y, x)
    image = empiarreader.open_image(path)
    region = {name: slice(a, a + n) for name, a, n in zip("zyx", low, size, strict=True)}

    assert image.attrs["axis_order"] == ("z", "y", "x")
    np.testing.assert_array_equal(image.values, expected)
    np.testing.assert_array_equal(image.isel(region).values, expected[tuple(region.values())])


def test_a_turned_map_is_cut_into_the_sections_of_its_file(archive: Archive) -> None:
    array = sample_array(2, (8, 64, 64))
    archive.add_file(HOST, "pub/a.map", mrc_bytes(array, ispg=1, axes=(3, 1, 2)))
    image = empiarreader.open_image(archive.url(HOST, "pub/a.map"))  # stored as y, x, z

    assert image.sizes == {"z": 64, "y": 8, "x": 64}
    assert image.data.chunksize == (64, 1, 64)
    before = archive.requests()
    np.testing.assert_array_equal(image[:, 3].values, array[3].T)
    assert sum(request.body_bytes_sent for request in archive.requests()[len(before) :]) == 64 * 64 * 4


def test_a_source_keeps_the_axes_of_the_file(archive: Archive) -> None:
    array = sample_array(2)
    archive.add_entry(10002, {"data/a.map": mrc_bytes(array, ispg=1, axes=(3, 1, 2))})
    part = EmpiarSource(10002, "data").read_partition(0)

    assert part.dims == ("frame", "y", "x")
    assert part.attrs["axis_order"] == ("y", "x", "z")
    np.testing.assert_array_equal(part.values, array)


@pytest.mark.parametrize("suffix", PACKED)
@pytest.mark.parametrize("mode", [0, 2, 6, 101])
def test_a_compressed_file_is_described_by_its_beginning_and_unpacked_once(
    archive: Archive, suffix: str, mode: int
) -> None:
    array = np.random.default_rng(mode).integers(0, 15, (20, 100, 150)).astype(sample_array(mode).dtype)
    packed = PACKED[suffix](mrc_bytes(array, mode=mode, extended=b"\1" * 80))
    archive.add_file(HOST, f"pub/a.mrc{suffix}", packed)
    url = archive.url(HOST, f"pub/a.mrc{suffix}")
    image = empiarreader.open_image(url)

    assert image.shape == (20, 100, 150)
    assert image.attrs["must_fetch_bytes"] == len(packed)
    np.testing.assert_array_equal(image[3].values, array[3])
    before = archive.requests()
    np.testing.assert_array_equal(image.values, array)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(image)).values, array)
    assert len(archive.requests()) == len(before)


def test_describing_a_large_compressed_file_moves_a_part_of_it(archive: Archive) -> None:
    array = np.random.default_rng(0).integers(0, 2**16, (8, 512, 512)).astype(np.uint16)
    packed = gzip.compress(mrc_bytes(array, mode=6), 1)
    archive.add_entry(10005, {"data/a.mrc.gz": packed})
    part = EmpiarSource(10005, "data").partition(0)

    assert part.shape == (8, 512, 512)
    assert sum(request.body_bytes_sent for request in archive.requests("*.gz")) < 70_000
    assert len(packed) > 4_000_000


def test_the_content_decides_whether_a_file_is_compressed(tmp_path: Path) -> None:
    content = mrc_bytes(sample_array(2))

    np.testing.assert_array_equal(_open(tmp_path, content, "a.mrc.gz").values, sample_array(2))
    np.testing.assert_array_equal(_open(tmp_path, gzip.compress(content), "b.mrc").values, sample_array(2))
    assert _open(tmp_path, gzip.compress(content), "b.mrc").attrs["compression"] == "gzip"


@pytest.mark.parametrize("suffix", PACKED)
def test_a_compressed_file_that_is_damaged_says_so(tmp_path: Path, suffix: str) -> None:
    array = np.random.default_rng(3).normal(size=(4, 100, 100)).astype("f4")
    packed = PACKED[suffix](mrc_bytes(array))
    for content in (packed[: len(packed) // 2], packed[:100_000] + bytes(1000) + packed[101_000:]):
        with pytest.raises(DamagedDataError, match=r"a\.mrc"):
            _open(tmp_path, content, f"a.mrc{suffix}").compute()


def test_a_bomb_is_refused_before_it_goes_off(tmp_path: Path) -> None:
    header = mrc_header((1000, 4096, 4096), mode=2)
    small = gzip.compress(header + bytes(200_000_000), 9)  # promises 67 GB
    tracemalloc.start()
    with pytest.raises(DamagedDataError):
        _open(tmp_path, small, "a.mrc.gz").shape  # noqa: B018
    with pytest.raises(DamagedDataError, match="unpacks to more"):
        _open(tmp_path, gzip.compress(mrc_bytes(sample_array(2)) + bytes(5_000_000)), "b.mrc.gz").compute()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < 64 * 1024 * 1024


def test_a_compressed_file_that_changes_is_never_mixed(archive: Archive) -> None:
    archive.add_file(HOST, "pub/a.mrc.gz", gzip.compress(mrc_bytes(sample_array(2))))
    image = empiarreader.open_image(archive.url(HOST, "pub/a.mrc.gz"))
    archive.add_file(HOST, "pub/a.mrc.gz", gzip.compress(mrc_bytes(sample_array(2) + 1)) + b"\0")

    with pytest.raises(FileChangedError):
        image.compute()


def test_an_emdb_id_is_the_address_of_its_map(archive: Archive) -> None:
    array = sample_array(2, (6, 7, 8))
    packed = gzip.compress(mrc_bytes(array, ispg=1, voxel_size=(1.1, 1.1, 1.1)))
    archive.add_file(HOST, "pub/databases/emdb/structures/EMD-3197/map/emd_3197.map.gz", packed)
    image = empiarreader.open_image("emd-3197")

    assert image.dims == ("z", "y", "x")
    assert image.attrs["filename"].endswith("/emd_3197.map.gz")
    np.testing.assert_array_equal(image.values, array)


def _seri_shorts(value: float) -> tuple[int, int]:
    """Return a number as two shorts, by IMOD's description: 23 bits of mantissa and a power of two."""
    mantissa, exponent = np.frexp(abs(value))
    whole, power = round(float(mantissa) * 2**23), int(exponent) - 23
    first, rest = divmod(whole, 256)
    second = abs(power) * 256 + rest
    return (first if value >= 0 else -first), (second if power >= 0 else -second)


@given(value=st.floats(1e-3, 1e6) | st.floats(-1e6, -1e-3))
def test_the_floats_of_serialem_are_read(value: float) -> None:
    first, second = _seri_shorts(value)

    assert serialem_float(np.array([first]), np.array([second]))[0] == pytest.approx(value, rel=1e-6)


def _seri(order: str = "<") -> bytes:
    """Return a tilt series with every item of SerialEM's records."""
    records = b""
    for k in range(3):
        shorts = [-6000 + 300 * k, 10 * k, 20 * k, k, 25 * k, -50 * k, 530, 12500]
        records += struct.pack(f"{order}10h", *shorts, *_seri_shorts(1.5 + 3.25 * k))
    content = bytearray(
        mrc_bytes(sample_array(1), mode=1, order=order, extended=records + bytes(40), exttyp=b"SERI")
    )
    struct.pack_into(f"{order}2h", content, 128, 20, 1 | 2 | 4 | 8 | 16 | 32)
    return bytes(content)


@pytest.mark.parametrize("order", "<>")
def test_the_records_of_serialem_are_read(tmp_path: Path, order: str) -> None:
    found = _metadata(tmp_path, _seri(order))

    np.testing.assert_allclose(found["tilt_angle_degrees"], [-60.0, -57.0, -54.0])
    np.testing.assert_allclose(found["piece_y"], [0, 20, 40])
    np.testing.assert_allclose(found["stage_x_micrometres"], [0, 1, 2])
    np.testing.assert_allclose(found["stage_y_micrometres"], [0, -2, -4])
    np.testing.assert_allclose(found["magnification"], 53_000)
    np.testing.assert_allclose(found["intensity"], 0.5)
    np.testing.assert_allclose(found["dose_electrons_per_square_angstrom"], [1.5, 4.75, 8.0], rtol=1e-6)
    assert found["extended_header"] == "SERI"
    np.testing.assert_array_equal(_open(tmp_path, _seri(order)).values, sample_array(1))


def test_records_that_do_not_add_up_are_left_alone(tmp_path: Path) -> None:
    content = bytearray(_seri())
    struct.pack_into("<h", content, 128, 18)

    assert "tilt_angle_degrees" not in _metadata(tmp_path, bytes(content))


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize(
    ("integers", "reals", "stated"),
    [
        (0, 32, (0, 32)),
        (3, 13, (3, 13)),
        (2, 40, (2, 40)),
        (0, 32, (-1, 32)),
        (0, 32, (0, 0)),
        (0, 32, (9, 999)),
    ],
)
def test_the_records_of_agard_s_format_are_read(
    tmp_path: Path, order: str, integers: int, reals: int, stated: tuple[int, int]
) -> None:
    rows = [[2.0 * k, 0, 1e-5, 2e-5, 0, 0, 0, -3e-6, 1.2, 100, 85.0, 5e-10, 29000] for k in range(3)]
    whole = struct.pack(f"{order}{integers}i", *range(7, 7 + integers))
    records = b"".join(
        (whole + struct.pack(f"{order}13f", *row)).ljust(4 * (integers + reals), b"\0") for row in rows
    ).ljust(1024 * 4 * (integers + reals), b"\0")
    content = bytearray(mrc_bytes(sample_array(1), mode=1, order=order, extended=records, exttyp=b"AGAR"))
    struct.pack_into(f"{order}2h", content, 128, *stated)
    found = _metadata(tmp_path, bytes(content))

    np.testing.assert_allclose(found["tilt_angle_degrees"], [0, 2, 4])
    np.testing.assert_allclose(found["defocus_angstrom"], 30_000, rtol=1e-6)
    np.testing.assert_allclose(found["pixel_size_angstrom"], 5.0, rtol=1e-6)
    np.testing.assert_allclose(found["tilt_axis_angle_degrees"], 85.0)
    np.testing.assert_allclose(found["stage_y_micrometres"], 20.0, rtol=1e-6)


def test_the_records_of_older_fei_files_are_told_by_their_counts_and_length(tmp_path: Path) -> None:
    rows = [struct.pack("<13f", -60.0 + 3 * k, *[0.0] * 10, 4.2e-10, 1.0).ljust(128, b"\0") for k in range(3)]
    content = bytearray(mrc_bytes(sample_array(1), mode=1, extended=b"".join(rows).ljust(1024 * 128, b"\0")))
    struct.pack_into("<2h", content, 128, 0, 32)
    found = _metadata(tmp_path, bytes(content))

    np.testing.assert_allclose(found["tilt_angle_degrees"], [-60, -57, -54])
    np.testing.assert_allclose(found["pixel_size_angstrom"], 4.2, rtol=1e-6)


@pytest.mark.parametrize("kind", [b"FEI1", b"FEI2"])
@pytest.mark.parametrize("order", "<>")
def test_the_records_of_epu_are_read_as_far_as_their_bits_say(
    tmp_path: Path, kind: bytes, order: str
) -> None:
    layout = get_ext_header_dtype(kind, order)
    records = np.zeros(3, layout)
    records["Metadata size"] = layout.itemsize
    records["Bitmask 1"] = 1 << 6 | 1 << 7 | 1 << 12 | 1 << 14 | 1 << 22 | 1 << 31
    records["Bitmask 2"] = 1 << 16 | 1 << 19
    records["Alpha tilt"] = [-3, 0, 3]
    records["Tilt axis angle"] = 84.5
    records["Dose"] = 2.5e20
    records["Pixel size X"] = 1.35e-10
    records["Defocus"] = -2e-6
    records["Magnification"] = 64000
    records["Integration time"] = 0.5
    records["Camera name"] = b"BM-Falcon"
    records["X-Stage"] = 1.0  # its bit is not set
    content = mrc_bytes(
        sample_array(1), mode=1, order=order, extended=records.tobytes() + bytes(5000), exttyp=kind
    )
    found = _metadata(tmp_path, content)

    np.testing.assert_allclose(found["tilt_angle_degrees"], [-3, 0, 3])
    np.testing.assert_allclose(found["tilt_axis_angle_degrees"], 84.5)
    np.testing.assert_allclose(found["dose_electrons_per_square_angstrom"], 2.5)
    np.testing.assert_allclose(found["pixel_size_angstrom"], 1.35)
    np.testing.assert_allclose(found["defocus_angstrom"], 20_000)
    np.testing.assert_allclose(found["exposure_seconds"], 0.5)
    assert list(found["fei"]["camera_name"]) == ["BM-Falcon"] * 3
    assert "stage_x_micrometres" not in found
    assert "x_stage" not in found["fei"]


def test_the_defocus_that_was_asked_for_goes_before_the_one_of_the_lens(tmp_path: Path) -> None:
    records = np.zeros(3, get_ext_header_dtype(b"FEI2", "<"))
    records["Metadata size"] = records.dtype.itemsize
    for name in records.dtype.names or ():
        if name.startswith("Bitmask"):
            records[name] = 2**31 - 1
    records["Defocus"], records["Applied defocus"] = -5e-6, -2e-6
    content = mrc_bytes(sample_array(1), mode=1, extended=records.tobytes(), exttyp=b"FEI2")
    found = _metadata(tmp_path, content)

    np.testing.assert_allclose(found["defocus_angstrom"], 20_000)
    np.testing.assert_allclose(found["fei"]["defocus"], -5e-6)


def test_only_the_records_of_the_sections_move(archive: Archive) -> None:
    layout = get_ext_header_dtype(b"FEI1", "<")
    records = np.zeros(1024, layout)
    records["Metadata size"] = layout.itemsize
    content = mrc_bytes(sample_array(1), mode=1, extended=records.tobytes(), exttyp=b"FEI1")
    archive.add_file(HOST, "pub/a.mrc", content)
    empiarreader.read_metadata(archive.url(HOST, "pub/a.mrc"))

    sent = sum(request.body_bytes_sent for request in archive.requests())
    assert sent == 1024 + 4 + 1024 + 3 * layout.itemsize


def test_symmetry_and_labels_are_text(tmp_path: Path) -> None:
    lines = b"".join(line.ljust(80) for line in (b"X,  Y,  Z", b"-X,  Y+1/2,  -Z"))
    content = bytearray(mrc_bytes(sample_array(2), ispg=4, extended=lines, exttyp=b"CCP4"))
    struct.pack_into("<i", content, 220, 1)
    content[224:234] = b"a map\0junk"
    found = _metadata(tmp_path, bytes(content))

    assert found["symmetry"] == ["X,  Y,  Z", "-X,  Y+1/2,  -Z"]
    assert found["labels"] == ["a map"]


@given(
    kind=st.sampled_from(
        [b"SERI", b"FEI1", b"FEI2", b"AGAR", b"CCP4", b"MRCO", b"HDF5", b"\0\0\0\0", b"\xff\xfe\xfd\xfc"]
    ),
    extended=st.binary(max_size=2000),
    words=st.tuples(st.integers(-(2**15), 2**15 - 1), st.integers(-(2**15), 2**15 - 1)),
    order=st.sampled_from("<>"),
)
def test_any_extended_header_is_read_or_left_alone(
    tmp_path_factory: pytest.TempPathFactory, kind: bytes, extended: bytes, words: tuple[int, int], order: str
) -> None:
    path = tmp_path_factory.mktemp("extended") / "a.mrc"
    content = bytearray(mrc_bytes(sample_array(1), mode=1, order=order, extended=extended, exttyp=kind))
    struct.pack_into(f"{order}2h", content, 128, *words)
    path.write_bytes(content)
    try:
        with np.errstate(all="ignore"):
            found = empiarreader.read_metadata(path)
    except EmpiarReaderError:
        return
    assert all(len(found[name]) == 3 for name in found if name.endswith(("_degrees", "_angstrom")))


@pytest.mark.real_data
def test_a_real_map_with_permuted_axes_is_turned_as_gemmi_turns_it(real_data: Path) -> None:
    path = real_data / "empiar" / "mrc" / "EMD-3001.map"
    theirs = gemmi.read_ccp4_map(str(path))
    theirs.setup(float("nan"), gemmi.MapSetup.ReorderOnly)
    image = empiarreader.open_image(path)

    np.testing.assert_array_equal(image.values, np.array(theirs.grid.array).T)
    cell = theirs.grid.unit_cell
    whole = [cell.c / theirs.header_i32(10), cell.b / theirs.header_i32(9), cell.a / theirs.header_i32(8)]
    assert tuple(image.voxel_size) == pytest.approx(whole, rel=1e-6)


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["epu2.9_example.head.mrc", "fei-extended.head.mrc", "HAADFscan_FEI2.mrc"])
def test_real_records_of_epu_equal_those_of_mrcfile(real_data: Path, tmp_path: Path, name: str) -> None:
    content = (real_data / "empiar" / "mrc" / name).read_bytes()
    path = tmp_path / "a.mrc"
    path.write_bytes(content.ljust(35_000_000, b"\0"))  # the pixels were cut off
    found = empiarreader.read_metadata(path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with mrcfile.open(path, permissive=True) as theirs:
            record = theirs.indexed_extended_header[0]

    for ours, field in (("alpha_tilt", "Alpha tilt"), ("pixel_size_x", "Pixel size X"), ("ht", "HT")):
        assert found["fei"][ours][0] == record[field]
    assert found["fei"]["camera_name"][0] == record["Camera name"].decode()
    assert found["pixel_size_angstrom"][0] == pytest.approx(
        empiarreader.open_image(path).voxel_size.x, rel=1e-5
    )


@pytest.mark.parametrize("columns", [60, 316])
@pytest.mark.parametrize("map_id", [b"MAP ", b"\0\0\0\0"])
def test_a_width_that_reads_as_a_bracket_makes_no_web_page(
    columns: int, map_id: bytes, tmp_path: Path
) -> None:
    pixels = np.arange(3 * columns, dtype=np.float32).reshape(3, columns)
    path = tmp_path / "a.mrc"
    path.write_bytes(mrc_bytes(pixels, map_id=map_id))

    np.testing.assert_array_equal(empiarreader.open_image(path).values, pixels)
