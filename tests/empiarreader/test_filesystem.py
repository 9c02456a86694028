"""The archive through fsspec: names, sizes and bytes exact, and the libraries that read through it."""

from __future__ import annotations

import gzip
import io
import pickle
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import fsspec
import numpy as np
import pandas
import pytest
import tifffile
from hypothesis import given
from hypothesis import strategies as st

from empiarreader import ArchiveFileNotFoundError, FileChangedError, InvalidRequestError, ServiceError
from empiarreader.readahead import GrowingReadAhead
from perc_archive import Archive

BODY = np.random.default_rng(3).bytes(3_000_000)
NAMES = ["a b#1.mrc", "x%20y.mrc", "p+q&r.mrc", "ü'quote.mrc", "semi;colon.mrc", "b.csv"]
TABLE = "name,value\n" + "".join(f"n{k},{k}\n" for k in range(20_000))


@pytest.fixture
def files(archive: Archive) -> dict[str, bytes]:
    held = {f"data/{name}": BODY[: 1000 + k] for k, name in enumerate(NAMES)}
    held |= {"data/deep/er/c.mrc": BODY, "data/empty.txt": b"", "data/b.csv": TABLE.encode()}
    archive.add_entry(10934, held)
    return held


def _open(**options: object) -> fsspec.AbstractFileSystem:
    return fsspec.filesystem("empiar", skip_instance_cache=True, **options)


def test_every_name_is_listed_found_described_and_read(files: dict[str, bytes]) -> None:
    archive = _open()
    assert set(archive.find("10934")) == {f"10934/{name}" for name in files} | {"10934/10934.xml"}
    assert set(archive.ls("empiar://10934/data/", detail=False)) == {
        *(f"10934/data/{name}" for name in NAMES), "10934/data/deep", "10934/data/empty.txt",
    }  # fmt: skip
    for name, body in files.items():
        path = f"empiar://10934/{name}"
        info = archive.info(path)
        assert (info["name"], info["size"], info["type"]) == (f"10934/{name}", len(body), "file")
        assert archive.cat_file(path) == body
        assert archive.isfile(path)
        assert archive.exists(path)
        with fsspec.open(path) as file:
            assert file.read() == body
    assert archive.info("EMPIAR-10934/data/deep")["type"] == "directory"
    assert archive.isdir("10934")
    assert archive.glob("10934/data/**/*.mrc") == sorted(
        f"10934/{name}" for name in files if name.endswith(".mrc")
    )
    assert archive.glob("10934/data/*+*.mrc") == ["10934/data/p+q&r.mrc"]


def test_sizes_are_exact_or_unknown_and_never_rounded(archive: Archive, files: dict[str, bytes]) -> None:
    remote = _open()
    assert {info["size"] for info in remote.ls("10934/data") if info["type"] == "file"} == {None}
    exact = {
        info["name"].partition("/")[2]: info["size"]
        for info in remote.ls("10934/data", exact_sizes=True)
        if info["type"] == "file"
    }
    assert exact == {name: len(body) for name, body in files.items() if "/er/" not in name}
    assert remote.sizes(["10934/data/b.csv"]) == [len(TABLE)]
    assert remote.du("10934/data/b.csv") == len(TABLE)
    found = remote.find("10934/data", detail=True, exact_sizes=True)
    assert found["10934/data/deep/er/c.mrc"]["size"] == len(BODY)


def test_ftp_tells_sizes_at_once(files: dict[str, bytes]) -> None:
    sizes = {info["name"]: info["size"] for info in _open(listing="ftp").ls("10934/data")}

    assert sizes["10934/data/b.csv"] == len(TABLE)


def test_what_is_not_there_says_so(files: dict[str, bytes]) -> None:
    remote = _open()
    for path in ("10934/none", "10934/data/none.mrc", "10999/data", "10934/data/b.csv/x"):
        assert not remote.exists(path)
        for ask in (remote.info, remote.ls, remote.cat_file, remote.open):
            with pytest.raises(FileNotFoundError):
                ask(path)
    assert remote.find("10934/none") == []
    for path in ("", "empiar://", "nonsense/data"):
        with pytest.raises(InvalidRequestError):
            remote.ls(path)
    with pytest.raises(InvalidRequestError, match="outside"):
        remote.info("10934/../10935/data")


def test_depth_and_directories_are_found_as_fsspec_counts_them(files: dict[str, bytes]) -> None:
    remote = _open()
    assert "10934/data/deep/er/c.mrc" not in remote.find("10934/data", maxdepth=1)
    assert "10934/data/b.csv" in remote.find("10934/data", maxdepth=1)
    assert "10934/data/deep/er" in remote.find("10934/data", withdirs=True)
    assert remote.find("10934/data/b.csv") == ["10934/data/b.csv"]
    with pytest.raises(ValueError, match="maxdepth"):
        remote.find("10934", maxdepth=0)
    walked = {root: (dirs, names) for root, dirs, names in remote.walk("10934/data")}
    assert walked["10934/data/deep"] == (["er"], [])


def test_many_ranges_of_many_files_move_at_once(archive: Archive, files: dict[str, bytes]) -> None:
    remote = _open()
    names = ["data/deep/er/c.mrc", "data/b.csv"]
    paths = [f"10934/{name}" for name in names] * 2
    starts, ends = [10, 5, 2_000_000, 9], [1_500_000, 9, 2_000_100, 15]
    before = len(archive.requests())
    found = remote.cat_ranges(paths, starts, ends)

    assert found == [files[name][start:end] for name, start, end in zip(names * 2, starts, ends, strict=True)]
    assert {request.method for request in archive.requests()[before:]} == {"GET"}
    before = len(archive.requests())
    assert remote.cat_ranges(["10934/data/b.csv"] * 2, [0, 20], [10, 30], max_gap=50) == [
        files["data/b.csv"][:10], files["data/b.csv"][20:30],
    ]  # fmt: skip
    assert [request.range for request in archive.requests()[before:]] == ["bytes=0-29"]


def test_ranges_are_sliced_as_fsspec_slices(files: dict[str, bytes]) -> None:
    remote = _open()
    path, body = "10934/data/b.csv", files["data/b.csv"]
    for start, end in [
        (None, None),
        (5, None),
        (None, 7),
        (-9, None),
        (-9, -2),
        (3, 3),
        (5, 10**9),
        (10**9, None),
    ]:
        assert remote.cat_file(path, start, end) == body[start:end]
    good, error, short = remote.cat_ranges(
        [path, "10934/data/none", path], [0, 0, len(body) - 3], [4, 4, len(body) + 9]
    )
    assert (good, short) == (body[:4], body[-3:])
    assert isinstance(error, FileNotFoundError)
    with pytest.raises(FileNotFoundError):
        remote.cat_ranges([path, "10934/data/none"], [0, 0], [4, 4], on_error="raise")
    assert remote.cat_ranges([path], 1, 3) == [body[1:3]]
    assert remote.head(path, 5) == body[:5]
    assert remote.tail(path, 5) == body[-5:]


def test_nothing_is_written(files: dict[str, bytes], tmp_path: Path) -> None:
    remote = _open()
    (tmp_path / "x").write_bytes(b"x")
    path = "10934/data/new.mrc"
    writes: list[Callable[[], object]] = [
        lambda: remote.open(path, "wb"),
        lambda: remote.open("10934/data/b.csv", "ab"),
        lambda: remote.rm("10934/data/b.csv"),
        lambda: remote.mkdir("10934/new"),
        lambda: remote.makedirs("10934/new"),
        lambda: remote.rmdir("10934/data"),
        lambda: remote.touch(path),
        lambda: remote.pipe(path, b"x"),
        lambda: remote.put_file(str(tmp_path / "x"), path),
        lambda: remote.mv("10934/data/b.csv", path),
        lambda: remote.cp_file("10934/data/b.csv", path),
    ]
    for write in writes:
        with pytest.raises(io.UnsupportedOperation, match="read-only"):
            write()


def test_files_are_copied_whole_or_not_at_all(
    archive: Archive, files: dict[str, bytes], tmp_path: Path
) -> None:
    remote = _open()
    remote.get("10934/data/deep", str(tmp_path / "here"), recursive=True)
    assert (tmp_path / "here" / "er" / "c.mrc").read_bytes() == BODY
    remote.get_file("10934/data/empty.txt", tmp_path / "empty")
    assert (tmp_path / "empty").read_bytes() == b""
    archive.add_fault("status", match="*c.mrc", status=403, times=None, every=2)
    with pytest.raises(ServiceError):
        remote.get_file("10934/data/deep/er/c.mrc", tmp_path / "c.mrc")
    assert not list(tmp_path.glob("*c.mrc*"))


def test_an_open_file_sees_one_version_only(archive: Archive) -> None:
    place = "empiar/world_availability/10934/data/a.mrc"
    archive.add_file("ftp.ebi.ac.uk", place, BODY, headers={"ETag": '"1"'})
    with _open().open("10934/data/a.mrc") as file:
        assert file.read(10) == BODY[:10]
        archive.add_file("ftp.ebi.ac.uk", place, BODY[::-1], headers={"ETag": '"2"'})
        file.seek(2_000_000)
        with pytest.raises(FileChangedError):
            file.read(10)


def test_little_is_read_ahead_here_and_there_and_much_from_end_to_end(
    archive: Archive, files: dict[str, bytes]
) -> None:
    remote = _open()
    before = len(archive.requests())
    with remote.open("10934/data/deep/er/c.mrc") as file:
        for place in range(10):
            file.seek(place * 250_000)
            assert file.read(8) == BODY[place * 250_000 :][:8]
    assert sum(request.body_bytes_sent for request in archive.requests()[before:]) <= 10 * 16 * 1024
    before = len(archive.requests())
    with remote.open("10934/data/deep/er/c.mrc") as file:
        pieces = iter(lambda: file.read(10_000), b"")
        assert b"".join(pieces) == BODY
    moved = archive.requests()[before:]
    assert sum(request.body_bytes_sent for request in moved if request.method == "GET") == len(BODY)
    assert len(moved) <= 14  # 16 KiB, 32 KiB … and not one for each of 300 pieces


@given(
    reads=st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 700)), max_size=20),
    block=st.integers(1, 600),
)
def test_what_is_read_ahead_is_always_the_right_bytes(reads: list[tuple[int, int]], block: int) -> None:
    body = BODY[:4000]
    cache = GrowingReadAhead(block, lambda start, end: body[start:end], len(body))
    for start, length in reads:
        assert cache._fetch(start, start + length) == body[start : start + length]


def _length_and_bytes(remote: fsspec.AbstractFileSystem, path: str) -> tuple[int, bytes]:
    return remote.size(path), remote.cat_file(path)


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_it_works_in_child_processes(files: dict[str, bytes], method: str) -> None:
    remote = _open()
    _length_and_bytes(remote, "10934/data/b.csv")
    with get_context(method).Pool(1) as processes:
        found = processes.apply(_length_and_bytes, (remote, "10934/data/b.csv"))

    assert found == (len(TABLE), TABLE.encode())


def test_it_and_its_open_files_pickle(files: dict[str, bytes]) -> None:
    remote = pickle.loads(pickle.dumps(_open()))
    assert remote.cat_file("10934/data/b.csv", 0, 4) == b"name"
    with remote.open("10934/data/b.csv") as file:
        file.seek(5)
        copy = pickle.loads(pickle.dumps(file))
    assert copy.read(5) == TABLE[5:10].encode()


def test_pandas_reads_through_it(archive: Archive, files: dict[str, bytes]) -> None:
    archive.add_entry(10935, {"data/b.csv.gz": gzip.compress(TABLE.encode())})
    wanted = pandas.read_csv(io.StringIO(TABLE))

    pandas.testing.assert_frame_equal(pandas.read_csv("empiar://10934/data/b.csv"), wanted)
    pandas.testing.assert_frame_equal(pandas.read_csv("empiar://10935/data/b.csv.gz"), wanted)


def test_tifffile_reads_through_it(archive: Archive) -> None:
    pages = np.random.default_rng(1).integers(0, 9, (5, 40, 60), dtype=np.uint8)
    made = io.BytesIO()
    tifffile.imwrite(made, pages, compression="lzw")
    archive.add_entry(10934, {"data/m.tif": made.getvalue()})
    with fsspec.open("empiar://10934/data/m.tif") as file:
        np.testing.assert_array_equal(tifffile.imread(file, key=3), pages[3])


def test_dask_reads_through_it(files: dict[str, bytes]) -> None:
    from dask.bytes.core import read_bytes

    sample, blocks = read_bytes(  # type: ignore[no-untyped-call]
        "empiar://10934/data/b.csv", blocksize="64 kB", delimiter=b"\n"
    )
    whole = b"".join(block.compute(scheduler="threads") for block in blocks[0])

    assert whole == TABLE.encode()
    assert sample.startswith(b"name,value")


def test_zarr_reads_through_it(archive: Archive, tmp_path: Path) -> None:
    import zarr

    values = np.arange(24 * 30, dtype=np.float32).reshape(24, 30)
    made = zarr.create_array(tmp_path / "a.zarr", shape=values.shape, chunks=(8, 10), dtype=values.dtype)
    made[:] = values
    held = {
        f"data/{path.relative_to(tmp_path)}": path.read_bytes()
        for path in tmp_path.rglob("*")
        if path.is_file()
    }
    archive.add_entry(10934, held)
    remote = zarr.open_array("empiar://10934/data/a.zarr", mode="r")

    np.testing.assert_array_equal(remote[5:20, 3:25], values[5:20, 3:25])


def test_offline_it_reads_what_was_fetched(
    archive: Archive, files: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    from empiarreader.bytefiles import RemoteFile

    remote = _open()
    remote.ls("10934/data")
    RemoteFile(remote.url("10934/data/b.csv")).local_copy()
    monkeypatch.setenv("EMPIARREADER_OFFLINE", "1")
    before = len(archive.requests())

    assert "10934/data/b.csv" in remote.ls("10934/data", detail=False)
    assert pandas.read_csv("empiar://10934/data/b.csv").shape == (20_000, 2)
    assert remote.cat_ranges(["10934/data/b.csv"], [0], [4]) == [b"name"]
    with pytest.raises(ServiceError, match="EMPIARREADER_OFFLINE"):
        remote.cat_file("10934/data/deep/er/c.mrc")
    assert len(archive.requests()) == before


def test_a_mirror_is_read_through_it(
    archive: Archive, files: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "10934" / "data").mkdir(parents=True)
    (tmp_path / "10934" / "data" / "b.csv").write_bytes(b"mirrored")
    monkeypatch.setenv("EMPIARREADER_MIRROR", str(tmp_path))
    remote = _open()

    assert remote.cat_file("10934/data/b.csv") == b"mirrored"
    assert remote.cat_ranges(["10934/data/b.csv"], [0], [4]) == [b"mirr"]
    assert remote.ls("10934/data")[0]["size"] == 8
    assert archive.requests() == []
    with pytest.raises(ArchiveFileNotFoundError):
        remote.info("10934/data/none")
