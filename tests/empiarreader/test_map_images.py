"""A function over many images: the same results wherever it runs; nothing finished is lost or repeated."""

from __future__ import annotations

import bz2
import functools
import os
import signal
import threading
import time
import tracemalloc
from collections import Counter
from pathlib import Path
from typing import Any

import dask
import mrcfile
import numpy as np
import pytest
import xarray
from dask.system import CPU_COUNT
from distributed import Client
from hypothesis import given, settings
from hypothesis import strategies as st

from empiarreader import (
    EmpiarEntry,
    EmpiarSource,
    InvalidRequestError,
    LocalFileError,
    ServiceError,
    WorkerLostError,
    apply_gain,
    bin_image,
    iterate_mapped,
    map_images,
    open_gain,
    open_image,
    to_mrc,
    to_zarr,
)
from empiarreader.spreading.jobs import jobs_of
from empiarreader.spreading.results import Results
from empiarreader.spreading.running import Written
from perc_archive import Archive

RNG = np.random.default_rng(7)
MOVIES = RNG.integers(0, 200, size=(6, 5, 32, 48)).astype(np.int16)
GAIN = RNG.uniform(0.5, 1.5, size=(32, 48)).astype(np.float32)
JOURNAL = "empiarreader-mapped.jsonl"


@pytest.fixture(scope="module")
def movies(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """Movies as bzip2, and a gain reference."""
    folder = tmp_path_factory.mktemp("movies")
    files = {}
    for k, frames in enumerate(MOVIES):
        with mrcfile.new(folder / f"{k}.mrc") as file:
            file.set_data(frames)
            file.set_image_stack()
            file.voxel_size = 1.5
        files[f"data/sub/movie_{k}.mrc.bz2"] = bz2.compress((folder / f"{k}.mrc").read_bytes())
    mrcfile.write(folder / "gain.mrc", GAIN)
    files["data/gain.mrc"] = (folder / "gain.mrc").read_bytes()
    return files


@pytest.fixture
def source(archive: Archive, movies: dict[str, bytes]) -> EmpiarSource:
    archive.add_entry(10934, movies)
    return EmpiarSource(10934, "data", filename="sub/*.mrc.bz2")


def corrected(movie: xarray.DataArray, *, gain: str) -> xarray.DataArray:
    """Sum of a movie, corrected and binned; the gain is opened where it is used."""
    return bin_image(apply_gain(movie, open_gain(gain)).sum("frame", keep_attrs=True))


def expected(k: int) -> np.ndarray[Any, Any]:
    """The same in numpy."""
    total = (MOVIES[k].astype(np.float32) * GAIN).sum(0, dtype=np.float64)
    binned: np.ndarray[Any, Any] = total.reshape(16, 2, 24, 2).mean((1, 3))
    return binned


def total(image: xarray.DataArray) -> int:
    return int(image.astype(np.int64).sum())


TOTALS = [int(frames.astype(np.int64).sum()) for frames in MOVIES]


def test_values_come_in_the_order_of_the_source(source: EmpiarSource) -> None:
    found = map_images(source, total, workers=3)

    assert list(found.values) == TOTALS
    assert [image.name for image in found.images] == list(source.names)
    assert not found.failures
    seen: list[int] = []
    map_images(source, total, workers=2, progress=lambda image: seen.append(image.index))
    assert sorted(seen) == list(range(6))


def test_images_are_given_as_files_addresses_paths_and_sources(source: EmpiarSource, tmp_path: Path) -> None:
    class Other:
        names = ("a", "b")

        def __len__(self) -> int:
            return 2

        def read(self, i: int) -> np.ndarray[Any, Any]:
            return np.full((2, 2), i)

    files = EmpiarEntry(10934).find("data/sub/*_[12].mrc.bz2")
    assert map_images(files, total).values == tuple(TOTALS[1:3])
    assert map_images(source.filenames[3], total).values == (TOTALS[3],)
    assert map_images(Other(), lambda image: int(image.sum())).values == (0, 4)  # type: ignore[arg-type]
    mrcfile.write(tmp_path / "a.mrc", MOVIES[0])
    assert map_images([tmp_path / "a.mrc"], total).values == (TOTALS[0],)


@pytest.mark.parametrize("how", ["threads", pytest.param("processes", marks=pytest.mark.full)])
def test_movies_become_corrected_binned_mrc_files(how: str, source: EmpiarSource, tmp_path: Path) -> None:
    gain = EmpiarEntry(10934).find("data/gain.mrc")[0].url
    work = functools.partial(corrected, gain=gain)
    found = map_images(source, work, directory=tmp_path / "out", workers=2, processes=how == "processes")

    found.raise_for_failures()
    assert [path.relative_to(tmp_path / "out").as_posix() for path in found.paths] == [
        f"data/sub/movie_{k}.mrc" for k in range(6)
    ]
    for k, path in enumerate(found.paths):
        with mrcfile.open(path) as file:
            np.testing.assert_allclose(file.data, expected(k), rtol=1e-6)
            assert round(float(file.voxel_size.x), 4) == 3.0
    assert mrcfile.validate(found.paths[0])


@pytest.mark.full
def test_a_cluster_gives_the_same_files_as_threads(
    source: EmpiarSource, cluster: Client, tmp_path: Path
) -> None:
    work = functools.partial(corrected, gain=EmpiarEntry(10934).find("data/gain.mrc")[0].url)
    alone = map_images(source, work, directory=tmp_path / "alone", workers=1)
    spread = map_images(source, work, directory=tmp_path / "spread", client=cluster)

    spread.raise_for_failures()
    for one, other in zip(alone.paths, spread.paths, strict=True):
        assert (mrcfile.read(one) == mrcfile.read(other)).all()
    assert map_images(source, total, client=cluster).values == tuple(TOTALS)
    cells = map_images(source, bin_image, directory=tmp_path / "zarr", save="zarr", client=cluster)
    cells.raise_for_failures()
    stored = xarray.open_zarr(cells.paths[2], consolidated=False)["image"]
    np.testing.assert_array_equal(stored.values, bin_image(open_image(source.filenames[2])).values)
    assert stored.attrs["voxel_size"] == [1.5, 3.0, 3.0]


class Noted:
    """Work that writes down in a folder who does what, so that it can be counted.

    With ``hold``, all but the first image take until there is a file ``go``.
    """

    def __init__(self, folder: Path, *, hold: bool = False) -> None:
        self.folder, self.hold = folder, hold

    def __call__(self, image: xarray.DataArray) -> xarray.DataArray:
        with (self.folder / "log").open("a") as file:
            file.write(f"{Path(str(image.attrs['filename'])).name} {os.getpid()}\n")
        while self.hold and "movie_0" not in image.attrs["filename"] and not (self.folder / "go").exists():
            time.sleep(0.02)
        return image

    def lines(self) -> list[list[str]]:
        path = self.folder / "log"
        return [line.split() for line in path.read_text().splitlines()] if path.exists() else []

    def counts(self) -> Counter[str]:
        return Counter(name for name, _ in self.lines())


def _finished_and_kept(dask_scheduler: Any) -> int:
    """Return how many results the workers of a cluster hold, each of which would be made again if lost."""
    return sum(task.state == "memory" for task in dask_scheduler.tasks.values())


@pytest.mark.parametrize("how", ["cluster", pytest.param("processes", marks=pytest.mark.full)])
def test_a_killed_worker_loses_nothing_and_nothing_finished_is_repeated(
    how: str, source: EmpiarSource, archive: Archive, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    options: dict[str, Any] = {"processes": True, "workers": 2}
    if how == "cluster":
        options = {"client": request.getfixturevalue("cluster")}
    work, finished, killed = Noted(tmp_path, hold=True), set(), ""
    for image in iterate_mapped(source, work, directory=tmp_path / "out", **options):
        assert image.error is None
        finished.add(Path(image.name).name)
        if not killed:
            # Whoever finished an image is in the middle of another now, or will be.
            (worker,) = [pid for name, pid in work.lines() if name in finished]
            while len(begun := [name for name, pid in work.lines() if pid == worker]) < 2:
                time.sleep(0.02)
            if how == "cluster":
                cluster, long_enough = options["client"], time.monotonic() + 60
                while kept := cluster.run_on_scheduler(_finished_and_kept):
                    assert time.monotonic() < long_enough, f"{kept} results are kept that nobody needs"
            killed = begun[1]
            finished_then = set(finished)
            os.kill(int(worker), signal.SIGKILL)
            (tmp_path / "go").touch()

    assert len(finished) == 6
    counts = work.counts()
    assert counts[killed] >= 2  # begun, lost, and done
    assert all(counts[name] == 1 for name in finished_then)
    assert sum(counts.values()) <= 6 + 2  # a pool of two loses two at most
    for k in range(6):
        np.testing.assert_array_equal(mrcfile.read(tmp_path / f"out/data/sub/movie_{k}.mrc"), MOVIES[k])
    assert not list((tmp_path / "out").rglob(".part-*"))

    again = map_images(source, work, directory=tmp_path / "out")
    assert all(image.was_there for image in again.images)
    assert work.counts() == counts


@pytest.mark.full
def test_work_that_kills_whoever_does_it_is_given_up(source: EmpiarSource, tmp_path: Path) -> None:
    def deadly(image: xarray.DataArray) -> int:
        if "movie_2" in str(image.attrs["filename"]):
            os.kill(os.getpid(), signal.SIGKILL)
        return total(image)

    found = map_images(source, deadly, processes=True, workers=1, in_flight=1, attempts=2)
    assert [type(image.error) for image in found.images].count(WorkerLostError) == 1
    assert isinstance(found.images[2].error, WorkerLostError)
    assert [value for value in found.values if value is not None] == TOTALS[:2] + TOTALS[3:]


def test_a_run_that_was_left_goes_on_where_it_stopped(source: EmpiarSource, tmp_path: Path) -> None:
    work, out = Noted(tmp_path), tmp_path / "out"
    for _, image in zip(range(2), iterate_mapped(source, work, directory=out, workers=1), strict=False):
        assert image.path is not None
    first = work.counts()
    found = map_images(source, work, directory=out, workers=1)

    assert sum(image.was_there for image in found.images) >= 2
    assert len(found.paths) == 6
    assert sum(work.counts().values()) <= 6 + 2  # what was under way when it was left
    assert all(
        work.counts()[Path(i.name).name] == first[Path(i.name).name] for i in found.images if i.was_there
    )


def test_what_is_damaged_on_the_disk_is_done_again(source: EmpiarSource, tmp_path: Path) -> None:
    found = map_images(source, directory=tmp_path)
    found.paths[0].write_bytes(b"short")
    found.paths[1].unlink()
    with (tmp_path / JOURNAL).open("a") as file:
        file.write('{"target": "data/sub/mo')  # cut off

    again = map_images(source, directory=tmp_path)
    assert [image.was_there for image in again.images] == [False, False, True, True, True, True]
    np.testing.assert_array_equal(mrcfile.read(again.paths[0]), MOVIES[0])
    assert all(image.was_there for image in map_images(source, directory=tmp_path).images)


def test_what_has_changed_in_the_archive_is_done_again_and_nothing_else(
    source: EmpiarSource, archive: Archive, movies: dict[str, bytes], tmp_path: Path
) -> None:
    map_images(source, directory=tmp_path / "out")
    host, place = "ftp.ebi.ac.uk", "empiar/world_availability/10934/data/sub/movie_2.mrc.bz2"
    archive.add_file(host, place, movies["data/sub/movie_4.mrc.bz2"])

    again = map_images(source, directory=tmp_path / "out")
    assert [image.was_there for image in again.images] == [True, True, False, True, True, True]
    np.testing.assert_array_equal(mrcfile.read(again.paths[2]), MOVIES[4])
    assert all(image.was_there for image in map_images(source, directory=tmp_path / "out").images)


def test_a_file_that_has_gone_keeps_its_result_and_hides_no_change_of_others(
    archive: Archive, tmp_path: Path
) -> None:
    mrcfile.write(tmp_path / "one.mrc", np.ones((4, 4), np.float32))
    mrcfile.write(tmp_path / "two.mrc", np.full((4, 4), 2, np.float32))
    names = [f"data/{k:02}.mrc" for k in range(40)]
    archive.add_entry(10935, dict.fromkeys(names, (tmp_path / "one.mrc").read_bytes()))
    images = EmpiarSource(10935, "data").filenames
    map_images(images, directory=tmp_path / "out").raise_for_failures()
    archive.add_fault("status", match="*/00.mrc", status=404, times=None)
    last = "empiar/world_availability/10935/data/39.mrc"  # asked when the first is known to have gone
    archive.add_file("ftp.ebi.ac.uk", last, (tmp_path / "two.mrc").read_bytes())

    again = map_images(images, directory=tmp_path / "out")
    assert [image.was_there for image in again.images] == [True] * 39 + [False]


def test_files_on_the_disk_that_changed_are_done_again(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("a.mrc", "b.mrc")]
    for path in paths:
        mrcfile.write(path, np.ones((4, 4), np.float32))
    map_images(paths, directory=tmp_path / "out")
    mrcfile.write(paths[1], np.full((4, 4), 2, np.float32), overwrite=True)  # as large as before

    again = map_images(paths, directory=tmp_path / "out")
    assert [image.was_there for image in again.images] == [True, False]
    assert mrcfile.read(again.paths[1]).tolist() == [[2.0] * 4] * 4


def test_what_is_finished_stays_so_where_the_archive_cannot_be_asked(
    source: EmpiarSource, archive: Archive, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    map_images(source, directory=tmp_path)
    archive.add_fault("status", match="*.bz2", status=403, times=None)

    assert all(image.was_there for image in map_images(source, directory=tmp_path).images)
    (said,) = [record for record in caplog.records if record.name.startswith("empiarreader.")]
    assert "is not known" in said.getMessage()


def test_results_of_another_function_are_not_taken_for_these(source: EmpiarSource, tmp_path: Path) -> None:
    map_images(source, functools.partial(bin_image, factor=2), directory=tmp_path)
    four = functools.partial(bin_image, factor=4)
    with pytest.raises(InvalidRequestError, match=r"bin_image\(factor=2\).*bin_image\(factor=4\)"):
        map_images(source, four, directory=tmp_path)
    found = map_images(source, four, directory=tmp_path, overwrite=True)
    assert mrcfile.read(found.paths[0]).shape == (5, 8, 12)


def test_results_with_other_arrays_or_settings_are_told_apart(tmp_path: Path) -> None:
    def subtracting(less: Any) -> Any:
        return lambda image: image - less

    def weighted(image: xarray.DataArray, weights: Any) -> Any:
        return image * weights

    path = tmp_path / "a.mrc"
    mrcfile.write(path, np.ones((60, 60), np.float32))
    weights = np.ones((60, 60), np.float32)
    other = weights.copy()
    other[30, 30] = 2  # in the middle, which numpy does not print
    pairs = [
        (subtracting(1), subtracting(2)),
        (functools.partial(weighted, weights=weights), functools.partial(weighted, weights=other)),
        (
            functools.partial(weighted, weights=xarray.DataArray(weights, dims=("y", "x"))),
            functools.partial(weighted, weights=xarray.DataArray(other, dims=("y", "x"))),
        ),
    ]
    for number, (one, two) in enumerate(pairs):
        map_images([path], one, directory=tmp_path / str(number)).raise_for_failures()
        assert map_images([path], one, directory=tmp_path / str(number)).images[0].was_there
        with pytest.raises(InvalidRequestError, match="is there, made from"):
            map_images([path], two, directory=tmp_path / str(number))


def test_a_function_that_is_an_object_is_the_same_in_the_next_run(tmp_path: Path) -> None:
    class Plain:
        pass

    def work(image: xarray.DataArray, setting: Plain) -> xarray.DataArray:
        return image

    path = tmp_path / "a.mrc"
    mrcfile.write(path, np.ones((4, 4), np.float32))
    for _ in range(2):
        found = map_images([path], functools.partial(work, setting=Plain()), directory=tmp_path / "out")
    assert found.images[0].was_there


def test_files_of_unknown_origin_are_not_replaced(source: EmpiarSource, tmp_path: Path) -> None:
    mine = tmp_path / "data/sub/movie_3.mrc"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    found = map_images(source, directory=tmp_path)

    assert [image.index for image in found.failures] == [3]
    with pytest.raises(LocalFileError, match="nothing says where it is from"):
        found.raise_for_failures()
    assert mine.read_text() == "mine"
    assert len(found.paths) == 5
    assert not map_images(source, directory=tmp_path, overwrite=True).failures


def test_one_image_that_fails_stops_no_other(archive: Archive, source: EmpiarSource, tmp_path: Path) -> None:
    def picky(image: xarray.DataArray) -> xarray.DataArray:
        if "movie_4" in str(image.attrs["filename"]):
            raise ValueError("not this one")
        return image

    found = map_images(source, picky, directory=tmp_path)
    assert [(image.index, str(image.error)) for image in found.failures] == [(4, "not this one")]
    assert len(found.paths) == 5
    assert not list(tmp_path.rglob(".part-*"))


def test_an_archive_that_is_busy_is_asked_again(archive: Archive, source: EmpiarSource) -> None:
    assert len(source) == 6
    tries: list[str] = []

    def busy(image: xarray.DataArray) -> int:
        tries.append(str(image.attrs["filename"]))
        if len(tries) < 3:
            raise ServiceError("too busy", retryable=True)
        return 1

    assert map_images(source.filenames[:1], busy).values == (1,)
    assert len(tries) == 3
    found = map_images(source.filenames[:1], lambda _: 1 / 0)
    assert isinstance(found.images[0].error, ZeroDivisionError)


def test_images_worked_on_side_by_side_share_the_processors(source: EmpiarSource) -> None:
    def threads(_: xarray.DataArray) -> tuple[str, int]:
        return dask.config.get("scheduler"), dask.config.get("num_workers")

    for workers in (1, 2 * CPU_COUNT):
        found = map_images(source.filenames[:2], threads, workers=workers)
        assert found.values == (("threads", max(2, CPU_COUNT // workers)),) * 2
    assert dask.config.get("num_workers", None) is None


def test_no_more_is_given_out_than_is_allowed(source: EmpiarSource) -> None:
    lock, now, most = threading.Lock(), 0, 0

    def slow(image: xarray.DataArray) -> None:
        nonlocal now, most
        with lock:
            now += 1
            most = max(most, now)
        time.sleep(0.05)
        with lock:
            now -= 1

    map_images(source, slow, workers=6, in_flight=2)
    assert most == 2


def test_a_result_that_only_its_worker_can_see_is_an_error_that_says_so(tmp_path: Path) -> None:
    with Results(tmp_path, None, to_mrc, suffix=".mrc", overwrite=False) as results:
        (job,) = results.place(jobs_of(["https://host/a.tif"]))
        with pytest.raises(LocalFileError, match="all workers must reach the same folder"):
            results.finish(job, Written(tmp_path / "elsewhere.mrc", None))
    assert (tmp_path / JOURNAL).read_bytes() == b""


def test_two_runs_do_not_write_into_one_folder(source: EmpiarSource, tmp_path: Path) -> None:
    running = iterate_mapped(source, directory=tmp_path, workers=1)
    next(running)
    with pytest.raises(LocalFileError, match="another process"):
        map_images(source, directory=tmp_path)
    assert len(list(running)) == 5


def test_names_of_results_are_clear(tmp_path: Path) -> None:
    for name in ("a/x.mrc", "b/x.mrc", "b/x.tif.mrc"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        mrcfile.write(tmp_path / name, np.ones((4, 4), np.float32))
    given = [tmp_path / "a/x.mrc", tmp_path / "b/x.mrc"]
    found = map_images(
        given, directory=tmp_path / "out", save=lambda image, path: path.touch(), suffix=".png"
    )
    assert [path.relative_to(tmp_path / "out").as_posix() for path in found.paths] == ["a/x.png", "b/x.png"]
    with pytest.raises(InvalidRequestError, match="more than one"):
        map_images([given[0], given[0]], directory=tmp_path / "twice")
    nothing = map_images(given[:1], directory=tmp_path / "none", save=lambda image, path: None)
    assert "nothing was written" in str(nothing.images[0].error)


@pytest.mark.parametrize(
    "options",
    [
        {"attempts": 0},
        {"in_flight": 0},
        {"workers": 0},
        {"client": "tcp://x"},
        {"save": "jpeg", "directory": "x"},
    ],
    ids=str,
)
def test_wrong_options_are_refused(options: dict[str, Any], tmp_path: Path) -> None:
    mrcfile.write(tmp_path / "a.mrc", np.ones((4, 4), np.float32))
    with pytest.raises(InvalidRequestError):
        map_images([tmp_path / "a.mrc"], **options)


@settings(max_examples=30)
@given(
    factor=st.integers(1, 4),
    shape=st.tuples(st.integers(1, 3), st.integers(4, 13), st.integers(4, 13)),
    dims=st.sampled_from([("frame", "y", "x"), ("z", "y", "x")]),
)
def test_binning_is_the_mean_of_blocks(
    factor: int, shape: tuple[int, int, int], dims: tuple[str, ...]
) -> None:
    values = np.random.default_rng(0).integers(-100, 100, size=shape).astype(np.int16)
    image = xarray.DataArray(values, dims=dims)
    deep = factor if dims[0] == "z" else 1
    if shape[0] < deep:
        with pytest.raises(InvalidRequestError):
            bin_image(image, factor)
        return
    z, y, x = shape[0] // deep, shape[1] // factor, shape[2] // factor
    cut = values[: z * deep, : y * factor, : x * factor].astype(np.float64)
    blocks = cut.reshape(z, deep, y, factor, x, factor).mean((1, 3, 5))

    np.testing.assert_allclose(bin_image(image, factor).values, blocks, rtol=1e-6, atol=1e-6)
    lazy = bin_image(image.chunk({dims[0]: 1}), factor)
    assert lazy.chunks is not None
    np.testing.assert_allclose(lazy.values, blocks, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("dtype", "written"),
    [
        ("u1", "i2"),
        ("i1", "i1"),
        ("i2", "i2"),
        ("u2", "u2"),
        ("i4", "f4"),
        ("f8", "f4"),
        ("f2", "f2"),
        ("c8", "c8"),
    ],
)
def test_mrc_files_hold_what_was_written(dtype: str, written: str, tmp_path: Path) -> None:
    values = np.arange(24).reshape(2, 3, 4).astype(dtype)
    for dims, check in ((("z", "y", "x"), "is_volume"), (("frame", "y", "x"), "is_image_stack")):
        to_mrc(xarray.DataArray(values, dims=dims, attrs={"voxel_size": (3.0, 2.0, 1.0)}), tmp_path / "a.mrc")
        with mrcfile.open(tmp_path / "a.mrc") as file:
            assert file.data.dtype == np.dtype(written)
            np.testing.assert_array_equal(file.data, values)
            assert getattr(file, check)()
            assert [round(float(file.voxel_size[axis]), 3) for axis in "xyz"] == [1.0, 2.0, 3.0]
    to_mrc(values[0], tmp_path / "b.mrc")
    np.testing.assert_array_equal(mrcfile.read(tmp_path / "b.mrc"), values[0])
    with pytest.raises(InvalidRequestError, match="2 or 3 axes"):
        to_mrc(np.zeros((2, 2, 2, 2), np.float32), tmp_path / "c.mrc")


def test_what_each_section_needs_of_all_others_is_read_once(archive: Archive, tmp_path: Path) -> None:
    frames = np.arange(12 * 100 * 100, dtype=np.float32).reshape(12, 100, 100)
    mrcfile.write(tmp_path / "movie.mrcs", frames)
    archive.add_entry(10935, {"data/movie.mrcs": tmp_path / "movie.mrcs"})
    source = EmpiarSource(10935, "data")
    found = map_images(source, lambda movie: movie - movie.mean("frame"), directory=tmp_path / "out")

    np.testing.assert_array_equal(mrcfile.read(found.paths[0]), frames - frames.mean(0))
    moved = sum(request.body_bytes_sent for request in archive.requests("*movie.mrcs"))
    assert moved < 1.1 * frames.nbytes


def test_a_lazy_image_is_written_in_less_memory_than_it_takes(tmp_path: Path) -> None:
    section = np.random.default_rng(0).normal(size=(500, 400)).astype(np.float32)
    sections = [xarray.DataArray(section + k, dims=("y", "x")).chunk() for k in range(60)]
    image = xarray.concat(sections, "z")
    to_mrc(image[:1], tmp_path / "warm.mrc")
    tracemalloc.start()
    to_mrc(image, tmp_path / "a.mrc")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert peak < image.nbytes / 3
    with mrcfile.open(tmp_path / "a.mrc") as file:
        header, data = file.header, file.data.astype(np.float64)
        said = [float(header[name]) for name in ("dmin", "dmax", "dmean", "rms")]
        np.testing.assert_allclose(said, [data.min(), data.max(), data.mean(), data.std()], rtol=1e-6)


def test_zarr_keeps_coordinates_and_what_json_knows(tmp_path: Path) -> None:
    image = xarray.DataArray(
        np.ones((2, 3), np.float32),
        dims=("y", "x"),
        coords={"x": [0.0, 1.5, 3.0]},
        attrs={"voxel_size": (0.0, 1.5, 1.5), "odd": object(), "dose": np.float32(2)},
    )
    to_zarr(image, tmp_path / "a.zarr")
    stored = xarray.open_zarr(tmp_path / "a.zarr", consolidated=False)["image"]
    np.testing.assert_array_equal(stored.x.values, image.x.values)
    assert stored.attrs == {"voxel_size": [0.0, 1.5, 1.5], "dose": 2.0}


def _share_of_connections(image: xarray.DataArray) -> int:
    from empiarreader.network.connections import connections

    pools = connections(str(image.attrs["filename"])).connection_pool_kw
    return int(pools["maxsize"])


@pytest.mark.full
def test_workers_share_the_connections_to_the_archive(source: EmpiarSource, cluster: Client) -> None:
    here = map_images(source.filenames[:2], _share_of_connections).values
    there = map_images(source.filenames[:2], _share_of_connections, client=cluster).values

    assert here == (16 + 4, 16 + 4)
    assert there == (8 + 4, 8 + 4)  # the second number is of requests that are asked twice
