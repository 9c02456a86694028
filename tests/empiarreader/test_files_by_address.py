"""MRC and STAR files by address or path: MrcSource and StarSource."""

from __future__ import annotations

import gzip
import pickle
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest
import starfile
import xarray

from empiarreader import (
    ArchiveFileNotFoundError,
    DamagedDataError,
    FileChangedError,
    InvalidRequestError,
    MrcSource,
    PartitionIndexError,
    ReadableSource,
    StarSource,
    UnsupportedFormatError,
    open_image,
    prefetch,
)
from mrc_vectors import mrc_bytes, sample_array
from perc_archive import Archive

HOST, TREE = "ftp.ebi.ac.uk", "empiar/world_availability"
OPTICS = "data_optics\n\nloop_\n_rlnGroup #1\n_rlnVoltage #2\n1 300.0\n"
PARTICLES = "data_particles\n\nloop_\n_rlnGroup #1\n_rlnImageName #2\n1 000001@a.mrcs\n1 000002@a.mrcs\n"
GENERAL = "data_general\n\n_rlnCount 7\n_rlnName  x.mrc\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for k in range(3):
        (tmp_path / f"m{k}.mrc").write_bytes(mrc_bytes(sample_array(2) + k))
    return tmp_path


def test_one_file_several_or_a_pattern_are_partitions(folder: Path) -> None:
    paths = [str(folder / f"m{k}.mrc") for k in range(3)]

    assert MrcSource(folder / "m1.mrc").npartitions == 1
    assert MrcSource(paths[::-1]).names == tuple(paths[::-1])
    assert MrcSource(str(folder / "*.mrc")).names == tuple(paths)
    assert MrcSource([paths[0], paths[0], str(folder / "m*.mrc")]).npartitions == 3
    assert MrcSource(f"file://{paths[2]}").read(0).shape == (3, 4, 5)


def test_a_partition_carries_where_it_is_from(folder: Path) -> None:
    part = MrcSource(folder / "m1.mrc", metadata={"a": 1}).read_partition(0)

    assert part.attrs["filename"] == str(folder / "m1.mrc")
    np.testing.assert_array_equal(part.values, sample_array(2) + 1)


def test_a_name_with_magic_signs_that_exists_is_that_file(tmp_path: Path) -> None:
    (tmp_path / "a[1].mrc").write_bytes(mrc_bytes(sample_array(2)))

    assert MrcSource(str(tmp_path / "a[1].mrc")).shape(0) == (3, 4, 5)


def test_an_address_is_read_as_it_stands(archive: Archive) -> None:
    archive.add_file(HOST, "pub/a b.mrc", mrc_bytes(sample_array(2)))
    source = MrcSource(archive.url(HOST, "pub/a b.mrc") + "?signature=x%2Fy&t=1")

    np.testing.assert_array_equal(source.read(0), sample_array(2))
    assert {request.query for request in archive.requests()} == {"signature=x%2Fy&t=1"}


def test_anything_that_fsspec_opens_is_read() -> None:
    memory = fsspec.filesystem("memory")
    memory.pipe_file("/perc/a.mrc", mrc_bytes(sample_array(2), order=">"))
    source = MrcSource("memory://perc/a.mrc")

    np.testing.assert_array_equal(source.read(0, (slice(1, 2),)), sample_array(2)[1:2])
    with pytest.raises(ArchiveFileNotFoundError):
        MrcSource("memory://perc/none.mrc").shape(0)
    memory.rm_file("/perc/a.mrc")


def test_a_file_by_its_path_in_the_archive_is_the_file_by_its_address(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, location = f"{TREE}/10943/data/a b#1.mrc", "empiar://EMPIAR-10943/data/a b#1.mrc"
    archive.add_file(HOST, place, mrc_bytes(sample_array(2)), headers={"ETag": '"1"'})
    image = open_image(location)
    np.testing.assert_array_equal(image[1].values, sample_array(2)[1])
    archive.add_file(HOST, place, mrc_bytes(sample_array(2) + 1), headers={"ETag": '"2"'})
    with pytest.raises(FileChangedError):
        image[2].compute()
    prefetch([archive.url(HOST, place)])
    monkeypatch.setenv("EMPIARREADER_OFFLINE", "1")

    np.testing.assert_array_equal(open_image(location).values, sample_array(2) + 1)


def test_a_copy_of_a_file_behind_fsspec_is_not_used_for_another_of_the_same_size() -> None:
    memory = fsspec.filesystem("memory")
    for added in range(2):
        packed = gzip.compress(mrc_bytes(sample_array(1) + added, mode=1), 0)
        memory.pipe_file("/perc/a.mrc.gz", packed)
        np.testing.assert_array_equal(open_image("memory://perc/a.mrc.gz").values, sample_array(1) + added)
    memory.rm_file("/perc/a.mrc.gz")


def test_local_files_offer_the_reading_protocol_and_pickle(folder: Path) -> None:
    source: MrcSource = pickle.loads(pickle.dumps(MrcSource(str(folder / "*.mrc"))))

    assert isinstance(source, ReadableSource)
    np.testing.assert_array_equal(source.read(2), sample_array(2) + 2)
    np.testing.assert_array_equal(source.partition(2)[1].values, sample_array(2)[1] + 2)
    assert source.to_dask(check=True).raster.shape == (3, 3, 4, 5)


def test_what_is_not_there_or_not_read_says_so(folder: Path) -> None:
    with pytest.raises(ArchiveFileNotFoundError, match="no local file matches"):
        MrcSource(str(folder / "*.tif"))
    with pytest.raises(FileNotFoundError, match="there is no file"):
        MrcSource(folder / "none.mrc").read_partition(0)
    with pytest.raises(InvalidRequestError, match="nothing to read"):
        MrcSource([])
    (folder / "a.map.zst").write_bytes(b"\x28\xb5\x2f\xfd")
    with pytest.raises(UnsupportedFormatError, match="Zstandard"):
        MrcSource(folder / "a.map.zst").shape(0)


def test_a_name_without_meaning_is_read_by_its_header(tmp_path: Path) -> None:
    (tmp_path / "volume").write_bytes(mrc_bytes(sample_array(2)))
    (tmp_path / "text.dat").write_text("x" * 5000)

    assert MrcSource(tmp_path / "volume").shape(0) == (3, 4, 5)
    with pytest.raises(DamagedDataError):
        MrcSource(tmp_path / "text.dat").shape(0)


@pytest.mark.real_data
def test_real_files_give_the_pixels_of_mrcfile(real_data: Path) -> None:
    import warnings

    import mrcfile

    for name in (
        "EMD-3197.map",
        "hand.5.mrcs",
        "DE_Custom_movie.mrc",
        "float16_mode12.mrc",
        "HAADFscan_FEI2.mrc",
    ):
        path = real_data / "empiar" / "mrc" / name
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with mrcfile.open(path, permissive=True) as theirs:
                expected = np.array(theirs.data)
                voxel = theirs.voxel_size
        part = MrcSource(path).read_partition(0)

        np.testing.assert_array_equal(part.values, expected, name)
        assert part.voxel_size.x == pytest.approx(float(voxel.x))


def _star(folder: Path, text: str, name: str = "a.star") -> StarSource:
    (folder / name).write_text(text)
    return StarSource(folder / name)


def test_a_table_comes_with_its_rows_and_its_name(tmp_path: Path) -> None:
    part = _star(tmp_path, PARTICLES).read_partition(0)

    assert isinstance(part, xarray.Dataset)
    assert part["rlnImageName"].dims == ("frame", "index")
    assert list(part["rlnImageName"].values[0]) == ["000001@a.mrcs", "000002@a.mrcs"]
    assert list(part["block"].values) == ["particles"]
    assert part.attrs["filename"] == str(tmp_path / "a.star")


def test_blocks_of_different_columns_stand_side_by_side(tmp_path: Path) -> None:
    source = _star(tmp_path, OPTICS + "\n" + PARTICLES + "\n" + GENERAL)
    part = source.read_partition(0)

    assert list(part["block"].values) == ["optics", "particles", "general"]
    assert part["rlnVoltage"].values[0, 0] == 300.0
    assert np.isnan(part["rlnVoltage"].values[1, 0])
    assert list(part["rlnGroup"].values[1]) == [1, 1]
    tables = source.tables(0)
    assert [len(table) for table in tables.values()] == [1, 2, 1]
    assert list(tables["general"]["rlnName"]) == ["x.mrc"]


def test_several_files_are_read_together_with_their_names(tmp_path: Path) -> None:
    _star(tmp_path, PARTICLES, "a.star")
    _star(tmp_path, PARTICLES.replace("a.mrcs", "b.mrcs"), "b.star")
    source = StarSource(str(tmp_path / "*.star"))
    everything = source.read()

    assert source.npartitions == len(source) == 2
    assert everything["rlnImageName"].values[1, 0, 1] == "000002@b.mrcs"
    assert [Path(str(name)).name for name in everything["filename"].values] == ["a.star", "b.star"]
    one = StarSource(tmp_path / "a.star").read()
    assert one["rlnImageName"].dims == ("frame", "index")
    assert list(one["filename"].values) == [str(tmp_path / "a.star")]


def test_a_table_is_read_from_an_address(archive: Archive) -> None:
    rows = "".join(f"1 {k:06d}@a.mrcs\n" for k in range(100_000))
    text = PARTICLES[: PARTICLES.index("1 000001")] + rows
    archive.add_file(HOST, "pub/a.star", text.encode())
    table = StarSource(archive.url(HOST, "pub/a.star")).tables(0)["particles"]

    assert len(table) == 100_000
    assert table["rlnImageName"].iloc[-1] == "099999@a.mrcs"
    assert sum(request.body_bytes_sent for request in archive.requests()) == len(text)


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", b"\x00\x01data_x\n", b"<html>\n</html>", b"data_\n\nloop_\n_rlnA #1\n1 2 3\n4\n"],
    ids=["empty", "text", "binary", "page", "ragged"],
)
def test_what_is_no_table_is_damaged(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.star").write_bytes(content)

    with pytest.raises(DamagedDataError, match=r"a\.star is "):
        StarSource(tmp_path / "a.star").read_partition(0)


def test_a_table_that_is_not_there_says_so(tmp_path: Path) -> None:
    with pytest.raises(ArchiveFileNotFoundError):
        StarSource(tmp_path / "a.star").read()
    with pytest.raises(PartitionIndexError):
        _star(tmp_path, PARTICLES).tables(1)


def test_names_in_an_older_alphabet_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.star").write_bytes(PARTICLES.replace("a.mrcs", "\xb5.mrcs").encode("latin-1"))

    assert StarSource(tmp_path / "a.star").tables(0)["particles"]["rlnImageName"][0] == "000001@\xb5.mrcs"


@pytest.mark.real_data
def test_real_tables_equal_those_of_starfile(real_data: Path) -> None:
    small = [path for path in (real_data / "empiar/star").glob("*.star") if path.stat().st_size < 1_000_000]
    assert len(small) > 5
    for path in small:
        expected: dict[str, Any] = starfile.read(path, always_dict=True)
        found = StarSource(path).tables(0)

        assert list(found) == list(expected), path.name
        for name, block in expected.items():
            if hasattr(block, "columns"):
                assert found[name].equals(block), (path.name, name)
        StarSource(path).read_partition(0)
