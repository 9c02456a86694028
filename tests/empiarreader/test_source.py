"""Sources over EMPIAR entries: the published interface, and which bytes move when."""

from __future__ import annotations

import multiprocessing
import pickle
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
import xarray

from empiarreader import (
    ArchiveFileNotFoundError,
    DamagedDataError,
    EmpiarCatalog,
    EmpiarSource,
    EntryNotFoundError,
    FileChangedError,
    InvalidRequestError,
    MrcSource,
    PartitionIndexError,
    PatternError,
    ReadableSource,
    ServiceError,
    ShapeMismatchError,
    StarSource,
    UnsupportedFormatError,
    VoxelSize,
)
from mrc_vectors import mrc_bytes
from perc_archive import Archive

HOST = "ftp.ebi.ac.uk"
SQUARE = "data/MotionCorr/job003/Tiff/EER/Images-Disc1/GridSquare_11149061/Data"
FRAMES, HEIGHT, WIDTH = 5, 64, 96
FRAME_BYTES = HEIGHT * WIDTH * 4


def _movie(number: int) -> np.ndarray[Any, np.dtype[np.float32]]:
    return np.random.default_rng(number).normal(size=(FRAMES, HEIGHT, WIDTH)).astype(np.float32)


@pytest.fixture
def movies(archive: Archive) -> Archive:
    files = {
        f"{SQUARE}/FoilHole_{k:02d}_EER.mrc": mrc_bytes(_movie(k), voxel_size=(1.0, 0.82, 0.83))
        for k in range(12)
    }
    others = {f"{SQUARE}/FoilHole_00_EER_PS.mrc": mrc_bytes(_movie(0)[0]), f"{SQUARE}/log.txt": b"log"}
    archive.add_entry(10943, {**files, **others})
    return archive


def _source(**options: Any) -> EmpiarSource:
    return EmpiarSource(10943, directory=SQUARE, filename=".*EER\\.mrc", regex=True, **options)


def _pixel_bytes(archive: Archive) -> int:
    return sum(request.body_bytes_sent for request in archive.requests("*.mrc"))


def test_the_published_call_reads_a_micrograph(movies: Archive) -> None:
    source = _source()
    part = source.read_partition(10)

    assert source.npartitions == len(source) == 12
    assert source.directory == SQUARE
    assert source.data_directory_url == movies.url(HOST, f"empiar/world_availability/10943/{SQUARE}")
    assert isinstance(part, xarray.DataArray)
    assert part.dims == ("frame", "y", "x")
    assert part.attrs["filename"] == f"{source.data_directory_url}/FoilHole_10_EER.mrc"
    assert (part.voxel_size.x, part.voxel_size.y) == pytest.approx((0.83, 0.82))
    assert part.attrs["voxel_size"] == pytest.approx(VoxelSize(z=1.0, y=0.82, x=0.83))
    np.testing.assert_array_equal(part.values, _movie(10))
    np.testing.assert_array_equal(part.coords["x"], np.arange(WIDTH))


def test_arguments_go_in_the_published_order(movies: Archive) -> None:
    record = {"name": "x", "voxel_type": "32 BIT FLOAT"}
    source = EmpiarSource(10943, SQUARE, None, ".*EER\\.mrc", True, record, {"mine": 1}, {"anon": True})

    assert len(source) == 12
    assert source.imageset_metadata == record
    assert source.metadata == {"mine": 1}
    assert source.image_url_regexp is not None
    assert len(EmpiarSource(10943, SQUARE, "mrc", "*_EER.mrc")) == 12


def test_making_a_source_asks_nothing_and_one_look_lists_once(movies: Archive) -> None:
    source = _source()
    assert movies.requests() == []
    assert len(source.names) == len(source) == source.npartitions == len(source.filenames)

    assert len(movies.requests()) == 1


@pytest.mark.parametrize("directory", [SQUARE, f"/{SQUARE}", f"{SQUARE}/", f"/{SQUARE}//", f"./{SQUARE}"])
def test_slashes_around_a_directory_make_no_difference(movies: Archive, directory: str) -> None:
    source = EmpiarSource("EMPIAR-10943", directory, filename="*_EER.mrc")

    assert source.directory == SQUARE
    assert len(source) == 12


def test_one_frame_of_a_lazy_partition_moves_the_header_and_that_frame(movies: Archive) -> None:
    source = _source()
    len(source)
    movies_seen = len(movies.requests())
    part = source.partition(3)
    assert part.chunks is not None
    assert part.data.chunks == ((1,) * FRAMES, (HEIGHT,), (WIDTH,))
    assert _pixel_bytes(movies) == 1024
    frame = part[2].values

    np.testing.assert_array_equal(frame, _movie(3)[2])
    header, pixels = movies.requests()[movies_seen:]
    start = 1024 + 2 * FRAME_BYTES
    assert (header.range, header.body_bytes_sent) == ("bytes=0-1023", 1024)
    assert (pixels.range, pixels.body_bytes_sent) == (f"bytes={start}-{start + FRAME_BYTES - 1}", FRAME_BYTES)
    assert [header.status, pixels.status] == [206, 206]


def test_an_extended_header_is_skipped_and_not_moved(archive: Archive) -> None:
    content = mrc_bytes(_movie(0), extended=bytes(131072), exttyp=b"FEI1")
    archive.add_entry(10943, {"data/a.mrc": content})
    frame = EmpiarSource(10943, "data", filename="a.mrc").partition(0)[4].values

    np.testing.assert_array_equal(frame, _movie(0)[4])
    assert _pixel_bytes(archive) == 1024 + FRAME_BYTES


def test_a_tile_of_a_frame_moves_its_rows_only(movies: Archive) -> None:
    part = _source().partition(0)
    before = _pixel_bytes(movies)
    tile = part[1, 10:18, 20:30]

    np.testing.assert_array_equal(tile.values, _movie(0)[1, 10:18, 20:30])
    assert _pixel_bytes(movies) - before == 8 * WIDTH * 4


@pytest.mark.parametrize(
    "index",
    [
        (slice(None), slice(None, None, -1), slice(1, 90, 7)),
        (slice(4, None, -2), 3, slice(None)),
        (0, slice(5, 5), slice(None)),
        ([0, 3, 3], slice(2, 9), 7),
        (slice(1, 3), [60, 2, 5], slice(None)),
        (-1, -1, -1),
        (Ellipsis, 5),
    ],
    ids=str,
)
def test_any_index_of_a_lazy_partition_equals_that_of_the_pixels(movies: Archive, index: Any) -> None:
    np.testing.assert_array_equal(_source().partition(1).data[index].compute(), _movie(1)[index])


def test_a_lazy_partition_equals_the_one_in_memory(movies: Archive) -> None:
    source = _source()

    xarray.testing.assert_identical(source.partition(4).compute(), source.read_partition(4))


def test_a_header_is_fetched_once_by_any_number_of_threads(movies: Archive) -> None:
    source = _source()
    with ThreadPoolExecutor(16) as threads:
        shapes = set(threads.map(lambda _: source.shape(0), range(64)))

    assert shapes == {(FRAMES, HEIGHT, WIDTH)}
    assert len(movies.requests()) == 2  # the listing and the header


def test_the_reading_protocol_is_offered(movies: Archive) -> None:
    source = _source()
    assert isinstance(source, ReadableSource)

    assert source.names[0] == f"{SQUARE}/FoilHole_00_EER.mrc"
    assert len(set(source.names)) == len(source)
    assert source.shape(0) == (FRAMES, HEIGHT, WIDTH)
    assert source.dtype(0) == np.dtype("f4")
    out = np.empty((2, HEIGHT, 10), np.float32)
    assert source.read(0, (slice(1, 3), slice(None), slice(5, 15)), out) is out
    np.testing.assert_array_equal(out, _movie(0)[1:3, :, 5:15])
    np.testing.assert_array_equal(source.read(-1), _movie(11))


def test_a_pickled_source_reads_without_listing_again(movies: Archive) -> None:
    source = _source()
    source.shape(2)
    before = len(movies.requests())
    copy = pickle.loads(pickle.dumps(source))

    np.testing.assert_array_equal(copy.read(2, (slice(0, 1),)), _movie(2)[:1])
    assert len(movies.requests()) == before + 1


def _sum_in_child(source: EmpiarSource, i: int, results: Any) -> None:
    results.put(float(source.read(i).astype("f8").sum()))


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_a_child_process_reads_beside_a_parent_with_open_connections(movies: Archive, method: str) -> None:
    source = _source()
    source.read(0)
    context: Any = multiprocessing.get_context(method)
    results = context.SimpleQueue()
    children = [context.Process(target=_sum_in_child, args=(source, i, results)) for i in (1, 2)]
    for child in children:
        child.start()
    found = sorted(results.get() for _ in children)
    for child in children:
        child.join(30)

    assert [child.exitcode for child in children] == [0, 0]
    assert found == sorted(float(_movie(i).astype("f8").sum()) for i in (1, 2))
    np.testing.assert_array_equal(source.read(3), _movie(3))


def test_the_whole_as_one_lazy_dataset(movies: Archive) -> None:
    source = _source()
    dataset = source.to_dask()

    assert dataset.raster.dims == ("partition", "frame", "y", "x")
    assert dataset.raster.shape == (12, FRAMES, HEIGHT, WIDTH)
    assert dataset.raster.data.chunks[:2] == ((1,) * 12, (1,) * FRAMES)
    assert dataset["filename"].dims == ("partition",)
    assert str(dataset["filename"].values[7]).endswith("FoilHole_07_EER.mrc")
    assert len(movies.requests()) == 2  # the listing and the first header
    np.testing.assert_array_equal(dataset.raster[7, 2].values, _movie(7)[2])
    assert _pixel_bytes(movies) == 1024 + 1024 + FRAME_BYTES


def test_read_brings_everything_into_memory(movies: Archive) -> None:
    dataset = _source().read()

    assert dataset.raster.chunks is None
    np.testing.assert_array_equal(dataset.raster.values, np.stack([_movie(k) for k in range(12)]))


def test_a_reduction_over_the_dataset_runs_in_dask(movies: Archive) -> None:
    mean = _source().to_dask().raster.mean(dim=("partition", "frame")).compute()

    expected = np.stack([_movie(k) for k in range(12)]).mean(axis=(0, 1))
    np.testing.assert_allclose(mean.values, expected, atol=1e-6)  # float32 sums in another order


def test_a_lazy_array_pickles(movies: Archive) -> None:
    part = pickle.loads(pickle.dumps(_source().partition(5)))

    np.testing.assert_array_equal(part[0].values, _movie(5)[0])


def test_files_of_another_shape_raise_when_they_are_computed_or_checked(movies: Archive) -> None:
    source = EmpiarSource(10943, SQUARE, filename="FoilHole_0*.mrc")
    assert source.names[1].endswith("00_EER_PS.mrc")
    dataset = source.to_dask()

    np.testing.assert_array_equal(dataset.raster[0, 0].values, _movie(0)[0])
    with pytest.raises(ShapeMismatchError, match=r"00_EER_PS.mrc is \(64, 96\)"):
        dataset.raster[1, 0].compute()
    with pytest.raises(ShapeMismatchError, match="read each with partition"):
        source.to_dask(check=True)


def test_check_reads_every_header_and_nothing_else(movies: Archive) -> None:
    _source().to_dask(check=True)

    assert _pixel_bytes(movies) == 12 * 1024


def test_a_file_that_changes_after_its_header_is_never_mixed(movies: Archive) -> None:
    part = _source().partition(0)
    movies.add_file(
        HOST, f"empiar/world_availability/10943/{SQUARE}/FoilHole_00_EER.mrc", mrc_bytes(_movie(0) + 1)
    )

    with pytest.raises(FileChangedError):
        part[0].compute()


def test_one_frame_of_a_large_stack_moves_and_nothing_else(archive: Archive) -> None:
    frames = np.random.default_rng(0).integers(0, 4000, size=(3, 1536, 2048), dtype=np.uint16)
    archive.add_entry(10511, {"data/big.mrcs": mrc_bytes(frames, mode=6)})
    frame = EmpiarSource(10511, "data", filename="big.mrcs").partition(0)[1].values

    np.testing.assert_array_equal(frame, frames[1])
    header, *parts = archive.requests("*.mrcs")
    assert 1 <= len(parts) <= 6  # parts of a mebibyte, unless the host is as near as here
    assert sum(part.body_bytes_sent for part in parts) == frames[1].nbytes
    assert header.body_bytes_sent == 1024


def test_the_catalogue_s_source_takes_images_below_its_directory(movies: Archive) -> None:
    movies.add_entry(
        10944,
        {
            f"{SQUARE}/a.mrc": mrc_bytes(_movie(1)),
            f"{SQUARE}/a.mrc.mdoc": b"x",
            "data/MotionCorr/notes.txt": b"x",
        },
        {"imagesets": [{"name": "Aligned", "directory": "/data/MotionCorr"}]},
    )
    source = EmpiarCatalog(10944)["Aligned"]

    assert source.names == [f"{SQUARE}/a.mrc"]
    np.testing.assert_array_equal(source.read(0), _movie(1))


def test_the_declared_voxel_type_decides_about_bytes_where_the_file_does_not(archive: Archive) -> None:
    pixels = np.arange(240, dtype=np.uint8).reshape(12, 20)
    stamped = mrc_bytes(pixels.view(np.int8), mode=0, imod_flags=1)
    archive.add_entry(
        10511,
        {"data/a.mrc": mrc_bytes(pixels.view(np.int8), mode=0), "data/b.mrc": stamped},
        {"imagesets": [{"name": "Movies", "directory": "data", "voxel_type": "UNSIGNED BYTE"}]},
    )
    declared = EmpiarCatalog(10511)["Movies"]

    np.testing.assert_array_equal(declared.read(0), pixels)
    np.testing.assert_array_equal(declared.read(1), pixels.view(np.int8))
    assert EmpiarSource(10511, "data").dtype(0) == np.int8
    assert EmpiarSource(10511, "data", signed_bytes=False).dtype(0) == np.uint8


def test_metadata_of_the_imageset_is_asked_for_only_when_looked_at(movies: Archive) -> None:
    source = EmpiarSource(10943, "data/MotionCorr/")
    assert movies.requests() == []

    assert source.imageset_metadata["directory"] == "data/MotionCorr"
    assert EmpiarSource(10943, SQUARE).imageset_metadata == {}


def test_what_is_not_there_is_said_in_one_sentence(movies: Archive) -> None:
    with pytest.raises(EntryNotFoundError, match="no entry 99999"):
        len(EmpiarSource(99999, "data"))
    with pytest.raises(ArchiveFileNotFoundError, match="no directory 'data/none'"):
        _ = EmpiarSource(10943, "data/none").names
    with pytest.raises(ArchiveFileNotFoundError, match=r"looked for pattern '\*.tif', found 14 files"):
        EmpiarSource(10943, SQUARE, filename="*.tif").read_partition(0)
    with pytest.raises(ArchiveFileNotFoundError, match="no files there"):
        len(EmpiarSource(10943, "data", filename="*.mrc"))
    with pytest.raises(PartitionIndexError, match="no partition 12; there are 12"):
        _source().read_partition(12)
    with pytest.raises(IndexError):
        _source().partition(-13)


def test_what_makes_no_sense_is_refused_before_anything_is_asked(movies: Archive) -> None:
    with pytest.raises(PatternError):
        EmpiarSource(10943, SQUARE, filename="*EER", regexp=True)
    with pytest.raises(InvalidRequestError, match="outside the entry"):
        EmpiarSource(10943, "../10934/data")
    with pytest.raises(InvalidRequestError, match="driver"):
        EmpiarSource(10943, SQUARE, "pdf")
    assert movies.requests() == []


@pytest.mark.parametrize("name", ["a.tpx3", "a.tpx3.bz2", "a.mrc.zst", "movie.tiff.zip", "table.star"])
def test_a_format_that_is_not_read_is_named_with_those_that_are(archive: Archive, name: str) -> None:
    archive.add_entry(10934, {f"data/{name}": b"x" * 2000, "data/b.mrc": mrc_bytes(_movie(0))})
    source = EmpiarSource(10934, "data", filename="*")

    with pytest.raises(UnsupportedFormatError, match=r"MRC \(.mrc, .*download"):
        source.partition([path.rpartition("/")[2] for path in source.names].index(name))
    assert archive.requests(f"*/{name}") == []


def test_a_damaged_file_is_refused_before_memory_is_set_aside(archive: Archive) -> None:
    content = mrc_bytes(_movie(0))
    page = b"<html>busy</html>" * 100
    archive.add_entry(
        10934,
        {
            "data/cut.mrc": content[:-1000],
            "data/page.mrc": page,
            "data/short.mrc": b"x",
        },
    )
    source = EmpiarSource(10934, "data")

    for i in range(3):
        with pytest.raises(DamagedDataError) as refused:
            source.read_partition(i)
        assert source.filenames[i] in str(refused.value)
    assert max(request.body_bytes_sent for request in archive.requests("*.mrc")) == 1024


def test_an_archive_that_is_down_is_an_error_of_the_service(
    movies: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMPIARREADER_ARCHIVE_URL", "http://127.0.0.1:9/empiar")

    with pytest.raises(ServiceError, match="is there a network"):
        len(_source())


def test_reading_goes_on_through_stalls_drops_and_errors(movies: Archive) -> None:
    source = _source()
    for i in range(4):
        source.shape(i)  # quick answers, from which the patience is learned
    for every, kind in enumerate(("stall", "drop", "status", "html", "refuse"), start=2):
        movies.add_fault(kind, match="*_EER.mrc", times=2, every=every, after_bytes=500)
    found = [source.read(i) for i in range(12)]

    np.testing.assert_array_equal(np.stack(found), np.stack([_movie(k) for k in range(12)]))


def test_star_files_of_an_entry_come_as_tables(archive: Archive) -> None:
    star = b"data_particles\n\nloop_\n_rlnA #1\n_rlnB #2\n1 x\n2 y\n3 z\n"
    archive.add_entry(10934, {"data/a.star": star})
    source = EmpiarSource(10934, "data", filename="*.star")
    part: Any = source.read_partition(0)

    assert list(part["rlnA"].values[0]) == [1, 2, 3]
    assert part.attrs["filename"] == source.filenames[0]
    everything: Any = EmpiarSource(10934, "data", StarSource, "*.star").read()
    assert list(everything["rlnB"].values[0]) == ["x", "y", "z"]


def test_a_file_among_odd_names_is_read_by_its_decoded_name(archive: Archive) -> None:
    names = ["a b#1.mrc", "100%.mrc", "x%20y.mrc", "q?.mrc", "µ.mrc", "c:1.mrc"]
    archive.add_entry(10005, {f"data/sub dir/{n}": mrc_bytes(_movie(k)) for k, n in enumerate(names)})
    source = EmpiarSource(10005, "data/sub dir")

    assert source.names == sorted(f"data/sub dir/{name}" for name in names)
    for k, name in enumerate(names):
        np.testing.assert_array_equal(source.read(source.names.index(f"data/sub dir/{name}")), _movie(k))


def test_a_source_s_pixels_equal_those_of_the_files_by_address(movies: Archive) -> None:
    source = _source()
    by_address = MrcSource(list(source.filenames))

    np.testing.assert_array_equal(by_address.read(6), source.read(6))
    assert by_address.names == tuple(source.filenames)
