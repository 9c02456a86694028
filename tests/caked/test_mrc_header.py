"""The MRC parser, held to byte vectors, to real files and to what is damaged."""

from __future__ import annotations

import bz2
import gzip
import logging
import struct
from pathlib import Path

import gemmi
import mrcfile
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import caked
from caked.dataloader import DiskDataset
from caked.errors import DamagedFileError, SourceNotFoundError, UnreachableSourceError
from caked.io import mrc as mrc_module
from caked.io.layout import MRC_SUFFIXES, read_layout
from caked.io.listing import has_suffix
from caked.io.mrc import parse_mrc_header
from caked.io.read import read_array
from caked.protocol import Array
from mrc_vectors import MrcVector, damaged_mrc, mrc_bytes, mrc_header, mrc_vectors, sample_array


def _in_order(vector: MrcVector) -> Array:
    """The array of a vector as (z, y, x): of one, columns lie along z, rows along x and sections along y."""
    return vector.expected.transpose(2, 0, 1) if vector.name == "axes permuted" else vector.expected


@pytest.mark.parametrize("vector", mrc_vectors(), ids=lambda vector: vector.name)
@pytest.mark.parametrize("compress", [bytes, gzip.compress, bz2.compress], ids=["plain", "gzip", "bzip2"])
def test_every_vector_comes_out_with_its_values_type_and_voxel_size(
    vector: MrcVector, compress: type[bytes], tmp_path: Path
) -> None:
    path = tmp_path / "file.mrc"
    path.write_bytes(compress(vector.content))
    layout = read_layout(path)
    array, expected = read_array(path, layout), _in_order(vector)

    assert (layout.shape, layout.dtype) == (expected.shape, expected.dtype)
    assert layout.voxel_size == pytest.approx(vector.voxel_size)
    assert array.dtype == expected.dtype
    assert array.dtype.isnative
    np.testing.assert_array_equal(array, expected)


@pytest.mark.parametrize("vector", mrc_vectors(), ids=lambda vector: vector.name)
def test_a_region_of_a_vector_is_that_part_of_it(vector: MrcVector, tmp_path: Path) -> None:
    path = tmp_path / "file.mrc"
    path.write_bytes(vector.content)
    expected = _in_order(vector)
    region = tuple(slice(n // 3, n // 3 + 2) for n in expected.shape)
    layout = read_layout(path)

    np.testing.assert_array_equal(read_array(path, layout, region), expected[region])
    np.testing.assert_array_equal(read_array(path, layout, region[:1]), expected[region[:1]])


@pytest.mark.parametrize(
    ("name", "content"), damaged_mrc(), ids=lambda value: value if isinstance(value, str) else ""
)
def test_a_damaged_file_is_refused_by_its_header(name: str, content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "damaged.mrc"
    path.write_bytes(content)

    with pytest.raises(DamagedFileError, match=r"damaged\.mrc is corrupted\.$") as caught:
        read_layout(path)
    assert caught.value.path == str(path)
    assert isinstance(caught.value, ValueError)


def test_a_compressed_header_that_promises_too_much_is_refused_without_setting_memory_aside(
    tmp_path: Path,
) -> None:
    path = tmp_path / "bomb.mrc.gz"
    path.write_bytes(gzip.compress(mrc_header((100_000, 100_000, 100_000), mode=2) + bytes(1000)))

    with pytest.raises(DamagedFileError, match=r"corrupted\.$"):
        read_array(path, read_layout(path))


@pytest.mark.parametrize("compress", [gzip.compress, bz2.compress])
def test_a_compressed_file_that_breaks_off_is_reported_as_damaged(
    compress: type[bytes], tmp_path: Path
) -> None:
    path = tmp_path / "cut.mrc.gz"
    whole = compress(mrc_bytes(np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)))
    path.write_bytes(whole[: len(whole) // 2])

    with pytest.raises(DamagedFileError, match=r"corrupted\.$"):
        read_array(path, read_layout(path))


def test_a_file_that_shrinks_after_its_header_was_read_is_reported_as_damaged(tmp_path: Path) -> None:
    path = tmp_path / "shrinks.mrc"
    content = mrc_bytes(sample_array(2, (4, 8, 8)))
    path.write_bytes(content)
    layout = read_layout(path)
    path.write_bytes(content[:-100])

    for region in (None, (slice(3, 4),)):
        with pytest.raises(DamagedFileError, match="ends before its pixels"):
            read_array(path, layout, region)


def test_a_missing_file_and_a_folder_are_told_apart_from_damage(tmp_path: Path) -> None:
    with pytest.raises(SourceNotFoundError, match=r"no file .*gone\.mrc"):
        read_layout(tmp_path / "gone.mrc")
    with pytest.raises(UnreachableSourceError, match="could not be read"):
        read_layout(tmp_path)


def test_a_missing_map_id_is_told_once_and_not_for_every_file(caplog: pytest.LogCaptureFixture) -> None:
    mrc_module._once.clear()
    content = mrc_header((1, 2, 2), mode=2, map_id=b"\0\0\0\0")
    with caplog.at_level(logging.WARNING, logger="caked"):
        for number in range(3):
            parse_mrc_header(content, name=f"{number}.mrc")

    assert [record.getMessage() for record in caplog.records] == [
        "File 0.mrc has no 'MAP ' in its header; reading it all the same. (said once)"
    ]


def test_the_voxel_size_goes_along_the_axes_of_the_array_where_the_map_permutes_them() -> None:
    content = mrc_header((2, 3, 4), mode=2, cell=(40.0, 20.0, 10.0), intervals=(10, 10, 10), axes=(3, 1, 2))
    # Columns run along z (4 Å), rows along x (1 Å), sections along y (2 Å).
    assert parse_mrc_header(content, name="m").voxel_size == (2.0, 1.0, 4.0)


@given(st.binary(min_size=0, max_size=1100))
def test_any_bytes_are_parsed_or_refused_with_one_error(content: bytes) -> None:
    try:
        header = parse_mrc_header(content, name="any")
    except DamagedFileError:
        return
    assert all(edge > 0 for edge in header.sections)
    assert header.offset >= 1024


def _as_gemmi_reads(path: Path) -> tuple[Array, list[float], list[float]]:
    """Values (z, y, x), voxel size and the place of the first voxel in Å, by gemmi."""
    theirs = gemmi.read_ccp4_map(str(path))
    theirs.setup(float("nan"), gemmi.MapSetup.ReorderOnly)
    cell = theirs.grid.unit_cell
    counts = [theirs.header_i32(word) for word in (10, 9, 8)]
    voxel = [edge / n for edge, n in zip((cell.c, cell.b, cell.a), counts, strict=True)]
    origin = [theirs.header_i32(7 - k) * voxel[k] for k in range(3)]
    return np.array(theirs.grid.array).T, voxel, origin


@pytest.mark.parametrize("how", ["layout", "files", "url", "sections", "packed", "published"])
@given(
    axes=st.permutations([1, 2, 3]),
    starts=st.tuples(*[st.integers(-50, 50)] * 3),
    low=st.tuples(*[st.integers(0, 3)] * 3),
    size=st.tuples(*[st.integers(1, 4)] * 3),
)
@settings(max_examples=20)
def test_volumes_are_turned_as_gemmi_turns_them_whatever_reads_them(
    tmp_path_factory: pytest.TempPathFactory,
    how: str,
    axes: list[int],
    starts: tuple[int, int, int],
    low: tuple[int, ...],
    size: tuple[int, ...],
) -> None:
    path = tmp_path_factory.mktemp("axes") / "one_a.mrc"
    counts = dict(zip(axes, (6, 5, 4), strict=True))  # columns, rows, sections along x, y, z
    cell = (counts[3] * 3.0, counts[2] * 2.0, counts[1] * 1.5)
    content = bytearray(
        mrc_bytes(
            sample_array(2, (4, 5, 6)),
            ispg=1,
            axes=tuple(axes),
            cell=cell,
            intervals=(counts[3], counts[2], counts[1]),
        )
    )
    struct.pack_into("<3i", content, 16, *starts)
    path.write_bytes(content)
    expected, voxel, origin = _as_gemmi_reads(path)
    region = tuple(slice(a, a + n) for a, n in zip(low, size, strict=True))

    if how == "layout":
        layout = read_layout(path)
        assert layout.voxel_size == pytest.approx(voxel)
        assert layout.origin == pytest.approx(origin)
        np.testing.assert_array_equal(read_array(path, layout, region), expected[region])
        np.testing.assert_array_equal(read_array(path, layout), expected)
    elif how in ("files", "url"):
        source = caked.FileSource(path) if how == "files" else caked.UrlSource([f"file://{path}"])
        assert source.shape(0) == expected.shape
        assert source.pixel_size(0) == pytest.approx(voxel)
        assert source.origin(0) == pytest.approx(origin)
        np.testing.assert_array_equal(source.read(0), expected)
        np.testing.assert_array_equal(source.read(0, region), expected[region])
        np.testing.assert_array_equal(source.read_batch([0, 0], np.empty((2, *expected.shape)))[1], expected)
    elif how == "sections":
        slices = caked.StackSource(path)
        np.testing.assert_array_equal(slices.read_batch(range(len(slices))), expected)
        np.testing.assert_array_equal(slices.read(2), expected[2])
    elif how == "packed":
        packed = path.with_name("one_a.mrc.gz")
        packed.write_bytes(gzip.compress(path.read_bytes()))
        np.testing.assert_array_equal(caked.FileSource(packed).read(0, region), expected[region])
    else:
        data, label = DiskDataset([path], datatype="mrc")[0]
        assert label == "one"
        np.testing.assert_array_equal(data[0], expected)


@pytest.mark.parametrize(
    ("size", "label", "width"),
    [
        ((7420, 3838), b"SerialEMCCD: Dose frac. image, 4 bits packed  r/f 0", 7676),
        ((8184, 5760), b"SerialEMCCD: Dose frac. image, 4 bits packed  r/f 3", 11520),
        ((7420, 3838), b"SerialEMCCD: Dose frac. image, scaled by 1.00  r/f 0", 3838),
        ((7420, 3000), b"SerialEMCCD: Dose frac. image, 4 bits packed  r/f 0", 3000),
    ],
)
@pytest.mark.parametrize("order", ["<", ">"])
def test_the_title_that_serialem_gave_before_there_was_a_flag_tells_of_two_counts_a_byte(
    size: tuple[int, int], label: bytes, width: int, order: str
) -> None:
    content = bytearray(mrc_header((3, *size), mode=0, voxel_size=(1.0, 1.1, 1.2), order=order))
    content[220:224], content[224 : 224 + len(label)] = struct.pack(f"{order}i", 1), label
    header = parse_mrc_header(bytes(content), name="a.mrc")

    assert header.shape == (3, size[0], width)
    assert header.mode == (101 if width > size[1] else 0)
    assert header.size_bytes == 3 * size[0] * size[1]
    assert header.voxel_size == pytest.approx((1.0, 1.1, 1.2))


@pytest.mark.parametrize(("mode", "shape"), [(3, (4, 5, 6)), (101, (3, 4, 5)), (1, (2, 3, 4, 5))])
def test_packed_numbers_and_stacks_of_volumes_are_turned_too(
    mode: int, shape: tuple[int, ...], tmp_path: Path
) -> None:
    path = tmp_path / "a.mrc"
    array = sample_array(mode, shape)
    path.write_bytes(mrc_bytes(array, mode=mode, axes=(2, 3, 1)))  # columns along y, rows z, sections x
    *volumes, x, z, y = range(len(shape))
    layout = read_layout(path)

    assert layout.stored_shape == shape
    np.testing.assert_array_equal(read_array(path, layout), array.transpose(*volumes, z, y, x))
    np.testing.assert_array_equal(caked.UrlSource([f"file://{path}"]).read(0), read_array(path, layout))


@pytest.mark.real_data
@pytest.mark.parametrize("name", ["EMD-3001.map", "emd_3001.map.gz", "EMD-3197.map", "EMD-3197.map.bz2"])
def test_real_maps_lie_as_gemmi_lays_them(name: str, real_data: Path, tmp_path: Path) -> None:
    path = real_data / "caked" / "mrcfile" / name
    plain = tmp_path / "plain.map"
    unpack = {".gz": gzip.decompress, ".bz2": bz2.decompress}.get(path.suffix, bytes)
    plain.write_bytes(unpack(path.read_bytes()))
    expected, voxel, origin = _as_gemmi_reads(plain)
    source = caked.FileSource(path)

    np.testing.assert_array_equal(source.read(0), expected)
    assert source.pixel_size(0) == pytest.approx(voxel, rel=1e-6)
    assert source.origin(0) == pytest.approx(origin, rel=1e-6)


@pytest.mark.real_data
@pytest.mark.filterwarnings("ignore:Map ID string not found|Unrecognised machine stamp:RuntimeWarning")
def test_every_real_file_has_the_values_and_the_voxel_size_that_mrcfile_reads(real_data: Path) -> None:
    paths = [p for p in sorted((real_data / "caked").rglob("*")) if has_suffix(p.name, MRC_SUFFIXES)]
    assert len(paths) >= 13
    for path in paths:
        with mrcfile.open(path, permissive=True) as file:
            expected, voxel = np.array(file.data), file.voxel_size
            axes = [int(file.header[name]) for name in ("maps", "mapr", "mapc")]  # of the array, x is 1
        layout = read_layout(path)
        array = read_array(path, layout)
        if axes not in ([3, 2, 1], [0, 0, 0]):
            expected = np.transpose(expected, [axes.index(axis) for axis in (3, 2, 1)])
        along = [float(voxel[axis]) for axis in "zyx"]

        assert array.dtype == expected.dtype, path
        np.testing.assert_array_equal(array, expected, err_msg=str(path))
        assert layout.voxel_size == pytest.approx(along, rel=1e-6), path


def test_the_formats_own_library_agrees_on_what_it_can_write(tmp_path: Path) -> None:
    for mode, dtype in ((0, "i1"), (1, "i2"), (2, "f4"), (4, "c8"), (6, "u2"), (12, "f2")):
        path = tmp_path / f"{mode}.mrc"
        values = sample_array(mode, (3, 6, 5))
        with mrcfile.new(path, values.astype(dtype)) as file:
            file.voxel_size = (1.5, 2.0, 3.0)
        layout = read_layout(path)

        assert layout.voxel_size == pytest.approx((3.0, 2.0, 1.5))
        np.testing.assert_array_equal(read_array(path, layout), values)
