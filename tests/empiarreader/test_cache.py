"""What is kept on the disk: whole or not at all, checked, bounded, shared, and useful offline."""

from __future__ import annotations

import bz2
import contextlib
import errno
import fcntl
import gzip
import lzma
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from empiarreader import (
    ArchiveFileNotFoundError,
    DamagedDataError,
    FileChangedError,
    InvalidRequestError,
    LocalFileError,
    ServiceError,
    UnsupportedFormatError,
    settings,
)
from empiarreader.bytefiles import LocalFile, RemoteFile, open_bytes
from empiarreader.cache.copies import find_copy
from empiarreader.cache.facts import cached_text, facts_bytes, recall, remember
from empiarreader.cache.items import safe_file_name
from empiarreader.cache.store import Store, default_store
from empiarreader.cache.unpacking import unpack
from empiarreader.network.ranges import FileVersion
from perc_archive import Archive

HOST = "ftp.ebi.ac.uk"
BODY = np.random.default_rng(1).bytes(300_000)
V1, V2 = FileVersion(size=5, etag='"1"'), FileVersion(size=5, etag='"2"')


def _serve(archive: Archive, body: bytes, name: str = "a.mrc", **headers: str) -> RemoteFile:
    place = f"empiar/world_availability/10934/data/{name}"
    archive.add_file(HOST, place, body, headers=headers)
    return RemoteFile(archive.url(HOST, place))


def _put(store: Store, url: str, content: bytes = b"bytes", version: FileVersion = V1) -> Path:
    return store.put(
        "file", url, version, name="a.mrc", size_bytes=len(content), write=lambda file: _write(file, content)
    ).path


def _write(file: BinaryIO, content: bytes) -> None:
    file.write(content)


def test_a_local_copy_is_the_file_under_its_own_name_and_is_fetched_once(archive: Archive) -> None:
    file = _serve(archive, BODY, "a b#1.mrc")
    paths = {file.local_copy() for _ in range(3)}
    (path,) = paths

    assert path.name == "a b#1.mrc"
    assert path.read_bytes() == BODY
    assert path.is_relative_to(settings.cache_dir())
    assert sum(request.body_bytes_sent for request in archive.requests()) < len(BODY) + 10


def test_a_whole_file_moves_in_parts_side_by_side(archive: Archive) -> None:
    body = np.random.default_rng(2).bytes(12 * 2**20)
    file = _serve(archive, body)
    archive.shape(latency_seconds=0.05, rate_bytes_per_second=20e6)
    version, _ = file.beginning(1)
    began = time.perf_counter()
    assert file.local_copy(version).read_bytes() == body
    seconds = time.perf_counter() - began

    parts = archive.requests("*a.mrc")[1:]
    assert len(parts) >= 8
    assert sum(part.body_bytes_sent for part in parts) < 1.1 * len(body)
    assert seconds < 0.05 * len(parts) + len(body) / 20e6  # one after the other: twelve round trips and 0.6 s


def test_many_threads_and_processes_that_want_a_copy_fetch_it_once(archive: Archive) -> None:
    file = _serve(archive, BODY)
    version, _ = file.beginning(1)
    archive.shape(latency_seconds=0.05)
    with get_context("fork").Pool(2) as processes, ThreadPoolExecutor(4) as threads:
        here = [threads.submit(file.local_copy, version) for _ in range(4)]
        there = processes.map(file.local_copy, [version] * 2)
        paths = {future.result() for future in here} | set(there)

    assert len(paths) == 1
    assert sum(request.body_bytes_sent for request in archive.requests()) <= len(BODY) + 1


def test_a_file_system_without_locks_keeps_whole_files_all_the_same(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(descriptor: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    file = _serve(archive, BODY)
    version, _ = file.beginning(1)
    archive.shape(latency_seconds=0.05)
    with get_context("fork").Pool(3) as processes:
        (path,) = set(processes.map(file.local_copy, [version] * 6))

    assert path.read_bytes() == BODY
    assert list((settings.cache_dir() / "incoming").iterdir()) == []


def test_a_copy_of_an_older_version_is_replaced(archive: Archive) -> None:
    file = _serve(archive, BODY, ETag='"1"')
    old, _ = file.beginning(1)
    assert file.local_copy(old).read_bytes() == BODY
    _serve(archive, BODY[::-1], ETag='"2"')
    new, _ = file.beginning(1)

    assert file.local_copy(new).read_bytes() == BODY[::-1]
    with pytest.raises(FileChangedError):
        file.local_copy(old)
    assert len(default_store().items()) == 1


def test_spans_of_a_kept_version_are_read_from_the_disk_and_others_are_not(archive: Archive) -> None:
    file = _serve(archive, BODY, ETag='"1"')
    version, _ = file.beginning(1)
    file.local_copy(version)
    before = len(archive.requests())

    assert file.range(1000, 5000, version) == BODY[1000:6000]
    assert len(archive.requests()) == before
    _serve(archive, BODY[::-1], ETag='"2"')
    newer, first = file.beginning(10)
    assert first == BODY[::-1][:10]
    assert file.range(1000, 5000, newer) == BODY[::-1][1000:6000]


def test_many_ranges_move_together_and_nearby_ones_as_one(archive: Archive) -> None:
    file = _serve(archive, BODY)
    version, _ = file.beginning(1)
    spans = [(200_000, 10), (0, 100), (150, 100), (200_005, 20), (0, 0), (120, 10)]
    found = file.ranges(spans, version)

    assert [bytes(piece) for piece in found] == [BODY[start : start + length] for start, length in spans]
    assert {request.range for request in archive.requests()[1:]} == {"bytes=0-249", "bytes=200000-200024"}


@given(
    spans=st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 300)), max_size=8), gap=st.integers(0, 500)
)
def test_any_ranges_of_a_local_file_are_those_bytes(
    tmp_path_factory: pytest.TempPathFactory, spans: list[tuple[int, int]], gap: int
) -> None:
    path = tmp_path_factory.mktemp("x") / "a"
    path.write_bytes(BODY[:5000])
    file = LocalFile(path)
    found = file.ranges(spans, file.beginning(0)[0], nearby_bytes=gap)

    assert [bytes(piece) for piece in found] == [BODY[start : start + length] for start, length in spans]


def test_a_local_file_is_its_own_copy(tmp_path: Path) -> None:
    path = tmp_path / "a.mrc"
    path.write_bytes(b"12345")
    file = open_bytes(path)
    version, _ = file.beginning(1)

    assert file.local_copy(version) == path
    path.write_bytes(b"123456")
    with pytest.raises(FileChangedError):
        file.local_copy(version)
    with pytest.raises(ArchiveFileNotFoundError):
        LocalFile(tmp_path / "none").local_copy()


def test_other_addresses_have_copies_too() -> None:
    import fsspec

    fsspec.filesystem("memory").pipe_file("/copy.mrc", BODY)
    file = open_bytes("memory://copy.mrc")
    version, _ = file.beginning(1)

    assert file.local_copy().read_bytes() == BODY
    assert [bytes(piece) for piece in file.ranges([(5, 10), (100_000, 7)], version)] == [
        BODY[5:15],
        BODY[100_000:100_007],
    ]


def test_what_fails_while_it_is_fetched_leaves_nothing(archive: Archive) -> None:
    file = _serve(archive, BODY)
    version, _ = file.beginning(1)
    archive.add_fault("status", status=403, times=None)
    with pytest.raises(ServiceError, match="403"):
        file.local_copy(version)

    assert default_store().items() == []
    assert list((settings.cache_dir() / "incoming").iterdir()) == []


def test_a_damaged_copy_is_noticed_and_fetched_again(archive: Archive) -> None:
    file = _serve(archive, BODY)
    path = file.local_copy()
    path.write_bytes(BODY[:-1] + b"X")
    assert file.local_copy().read_bytes() == BODY
    path.write_bytes(BODY[:-1])
    assert file.local_copy().read_bytes() == BODY
    path.with_name("about.json").write_text("{}")
    assert file.local_copy().read_bytes() == BODY


def test_a_copy_whose_time_changed_is_judged_by_its_checksum(archive: Archive) -> None:
    file = _serve(archive, BODY)
    path = file.local_copy()
    os.utime(path, (1, 1))
    before = len(
        archive.requests(
            "*",
        )
    )
    assert find_copy(file.label) is not None
    assert len(archive.requests()) == before


def test_a_record_that_leads_out_of_the_cache_is_not_followed(tmp_path: Path) -> None:
    store = Store(tmp_path / "cache", 10**6)
    path = _put(store, "u")
    about = path.with_name("about.json")
    (tmp_path / "secret").write_bytes(b"bytes")
    about.write_text(about.read_text().replace('"a.mrc"', '"../../../../secret"'))

    assert store.find("file", "u") is None


def test_what_was_used_longest_ago_goes_first(tmp_path: Path) -> None:
    store = Store(tmp_path, 4000)
    for k, url in enumerate("abc"):
        about = _put(store, url, b"x" * 1000).with_name("about.json")
        os.utime(about, (k, k))
    assert store.find("file", "a") is not None  # used now, so b is the oldest
    _put(store, "d", b"x" * 1000)

    assert [store.find("file", url) is not None for url in "abcd"] == [True, False, True, True]
    assert sum(path.stat().st_size for path in tmp_path.rglob("*") if path.is_file()) <= 4000 + 1000


def test_a_file_larger_than_the_cache_is_refused_before_anything_moves(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMPIARREADER_CACHE_SIZE", "100 kB")
    file = _serve(archive, BODY)

    with pytest.raises(InvalidRequestError, match="EMPIARREADER_CACHE_SIZE"):
        file.local_copy()
    assert sum(request.body_bytes_sent for request in archive.requests()) == 0


def test_what_a_crashed_job_left_is_removed_in_the_end(tmp_path: Path) -> None:
    store = Store(tmp_path, 10**6)
    crashed, at_work = (tmp_path / "incoming" / name for name in ("crashed", "at_work"))
    for folder in (crashed, at_work):
        folder.mkdir(parents=True)
        (folder / "a.mrc").write_bytes(b"half")
    old = time.time() - 48 * 3600
    os.utime(crashed / "a.mrc", (old, old))
    os.utime(crashed, (old, old))
    _put(store, "a")

    assert not crashed.exists()
    assert at_work.exists()


def _keep_putting(root: Path, number: int) -> int:
    store = Store(root, 20_000)
    found = 0
    for k in range(40):
        version = FileVersion(size=2000, etag=f'"{k % 3}"')
        content = bytes([k % 3]) * 2000
        path = _put(store, f"u{k % 4}", content, version)
        item = store.find("file", f"u{k % 4}")
        if item is not None:
            found += 1
            try:
                assert item.path.read_bytes() == bytes([int((item.version.etag or "")[1])]) * 2000
            except FileNotFoundError:
                continue  # replaced in between by another process
        with contextlib.suppress(FileNotFoundError):  # another version has come since
            assert path.read_bytes() == content
    return found


def test_what_another_job_has_just_removed_is_removed_without_a_trace(tmp_path: Path) -> None:
    store = Store(tmp_path, 20_000)
    _put(store, "a")
    store._remove(tmp_path / "files" / "ab" / "gone")

    assert list((tmp_path / "incoming").iterdir()) == []
    assert store.find("file", "a") is not None


def test_processes_that_replace_one_another_never_see_a_mixture(tmp_path: Path) -> None:
    with get_context("spawn").Pool(2) as processes:
        found = processes.starmap(_keep_putting, [(tmp_path, 0), (tmp_path, 1)])

    assert min(found) > 0
    assert list((tmp_path / "incoming").iterdir()) == []


def test_a_cache_that_cannot_be_written_is_an_error_that_says_so(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("EMPIARREADER_CACHE_DIR", str(tmp_path / "file" / "cache"))
    file = _serve(archive, BODY)
    version, _ = file.beginning(1)

    with pytest.raises(LocalFileError, match="EMPIARREADER_CACHE_DIR"):
        file.local_copy(version)
    remember("kind", "u", V1, b"x")  # a favour that is not done, and no error
    assert recall("kind", "u", V1) is None
    assert file.range(0, 10, version) == BODY[:10]


@pytest.mark.parametrize(
    ("kind", "suffix", "pack"),
    [("gzip", ".gz", gzip.compress), ("bzip2", ".bz2", bz2.compress), ("xz", ".xz", lzma.compress)],
)
def test_a_compressed_file_is_streamed_once_and_kept_unpacked(
    archive: Archive, kind: str, suffix: str, pack: Callable[[bytes], bytes]
) -> None:
    packed = pack(BODY)
    file = _serve(archive, packed, f"a b.mrc{suffix}")
    version, first = file.unpacked_beginning(kind, 1024)
    moved = sum(request.body_bytes_sent for request in archive.requests())
    paths = {file.unpacked_copy(kind, version) for _ in range(2)}
    (path,) = paths

    assert first == BODY[:1024]
    assert moved <= 2**20
    assert path.name == "a b.mrc"
    assert path.read_bytes() == BODY
    assert sum(request.body_bytes_sent for request in archive.requests()) - moved == len(packed)


def test_members_that_follow_one_another_are_all_unpacked() -> None:
    for kind, pack in (("gzip", gzip.compress), ("bzip2", bz2.compress), ("xz", lzma.compress)):
        stream = pack(b"one") + pack(b"two")
        pieces = [stream[k : k + 7] for k in range(0, len(stream), 7)]
        assert b"".join(unpack(pieces, kind, label="x", limit_bytes=100)) == b"onetwo"
        assert b"".join(unpack([stream, b"\0" * 512], kind, label="x", limit_bytes=100)) == b"onetwo"


@pytest.mark.parametrize("kind", ["gzip", "bzip2", "xz"])
def test_damaged_and_cut_streams_are_errors(kind: str) -> None:
    packers: dict[str, Callable[[bytes], bytes]] = {
        "gzip": gzip.compress, "bzip2": bz2.compress, "xz": lzma.compress,
    }  # fmt: skip
    pack = packers[kind]
    stream = pack(BODY)
    damaged = stream[:1000] + bytes([stream[1000] ^ 255]) + stream[1001:]
    for bad in (stream[:-20], stream[: len(stream) // 2], damaged, BODY, b""):
        with pytest.raises(DamagedDataError):
            list(unpack([bad], kind, label="x", limit_bytes=10**9))


@given(st.binary(max_size=200), st.sampled_from(["gzip", "bzip2", "xz"]))
def test_any_bytes_at_all_are_a_stream_or_an_error(data: bytes, kind: str) -> None:
    with contextlib.suppress(DamagedDataError):
        assert len(b"".join(unpack([data], kind, label="x", limit_bytes=10**6))) <= 10**6


def test_a_stream_that_grows_without_end_is_cut_off() -> None:
    bomb = bz2.compress(b"\0" * 2**20) * 270  # bunzip2 takes members that follow one another for one
    grown: list[int] = []
    with pytest.raises(DamagedDataError, match="times its length"):
        grown.extend(len(piece) for piece in unpack([bomb], "bzip2", label="x", limit_bytes=10**12))
    assert sum(grown) <= 257 * 2**20
    with pytest.raises(DamagedDataError, match="more than the 1000 bytes"):
        list(unpack([bomb], "bzip2", label="x", limit_bytes=1000))
    with pytest.raises(UnsupportedFormatError):
        list(unpack([bomb], "lha", label="x", limit_bytes=1000))


def test_a_file_that_unpacks_to_more_than_it_may_leaves_nothing(archive: Archive) -> None:
    file = _serve(archive, gzip.compress(BODY), "a.mrc.gz")

    with pytest.raises(DamagedDataError, match="more than the 1000 bytes"):
        file.unpacked_copy("gzip", limit_bytes=1000)
    assert default_store().items() == []


def test_facts_are_found_for_their_version_only() -> None:
    remember("pages", "https://h/a.tif", V1, b"[1, 2]")

    assert recall("pages", "https://h/a.tif", V1) == b"[1, 2]"
    assert recall("pages", "https://h/a.tif", V2) is None
    assert recall("pages", "https://h/b.tif", V1) is None
    assert recall("strips", "https://h/a.tif", V1) is None


def test_a_damaged_fact_is_no_fact() -> None:
    remember("pages", "u", V1, b"[1, 2]")
    (path,) = (settings.cache_dir() / "facts").glob("*/*")
    path.write_bytes(path.read_bytes()[:-1] + b"x")

    assert recall("pages", "u", V1) is None


def test_facts_too_are_bounded_and_those_used_last_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMPIARREADER_CACHE_SIZE", "1 MB")  # a tenth of it for facts
    remember("pages", "in use", V1, b"[1]")
    for number in range(1000):
        remember("pages", f"u{number}", V1, bytes(1000))
        if number % 10 == 0:
            assert recall("pages", "in use", V1) == b"[1]"

    # Room is made by chance, here one time in six: a run of 200 times without comes once in 10^15.
    assert facts_bytes() < 100_000 + 200 * 1100


def test_a_text_is_asked_for_when_it_is_too_old() -> None:
    asked: list[int] = []

    def ask() -> str:
        asked.append(1)
        return f"answer {len(asked)} \udc80"

    first = cached_text("https://h/", ask, max_age_seconds=100)
    again = cached_text("https://h/", ask, max_age_seconds=100)
    assert (first.text, again.text, len(asked)) == ("answer 1 \udc80", "answer 1 \udc80", 1)
    assert abs((again.time - first.time).total_seconds()) < 5
    assert abs((datetime.now(UTC) - again.time).total_seconds()) < 60
    assert cached_text("https://h/", ask, max_age_seconds=0).text == "answer 2 \udc80"
    assert facts_bytes() > 0


def test_what_asking_raises_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> str:
        raise ServiceError("no")

    with pytest.raises(ServiceError, match="no"):
        cached_text("https://h/", fail, max_age_seconds=100)
    monkeypatch.setenv("EMPIARREADER_OFFLINE", "1")
    with pytest.raises(ServiceError, match="EMPIARREADER_OFFLINE is set"):
        cached_text("https://h/", lambda: "never asked", max_age_seconds=100)


def test_offline_a_text_of_any_age_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    cached_text("https://h/", lambda: "old", max_age_seconds=0)
    monkeypatch.setenv("EMPIARREADER_OFFLINE", "1")

    assert cached_text("https://h/", lambda: "new", max_age_seconds=0).text == "old"


def test_offline_what_was_fetched_is_read_and_the_rest_is_one_clear_error(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, elsewhere = _serve(archive, BODY), _serve(archive, BODY, "b.mrc")
    here.local_copy()
    monkeypatch.setenv("EMPIARREADER_OFFLINE", "1")
    before = len(archive.requests())
    version, first = here.beginning(100)

    assert first == BODY[:100]
    assert here.range(200_000, 100, version) == BODY[200_000:200_100]
    assert here.local_copy(version).read_bytes() == BODY
    began = time.monotonic()
    for ask in (
        lambda: elsewhere.beginning(1),
        lambda: elsewhere.local_copy(),
        lambda: elsewhere.range(0, 1, version),
    ):
        with pytest.raises(ServiceError, match="empiarreader prefetch") as refused:
            ask()
        assert not refused.value.retryable
    assert time.monotonic() - began < 1
    assert len(archive.requests()) == before


def test_offline_nothing_at_all_is_asked(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    from empiarreader import EmpiarEntry

    monkeypatch.setenv("EMPIARREADER_OFFLINE", "yes")
    with pytest.raises(ServiceError, match="EMPIARREADER_OFFLINE is set"):
        _ = EmpiarEntry(10934).title
    assert archive.requests() == []


def test_a_mirror_serves_what_it_has(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, elsewhere = _serve(archive, BODY, "a b#1.mrc"), _serve(archive, BODY, "b.mrc")
    copy = tmp_path / "10934" / "data" / "a b#1.mrc"
    copy.parent.mkdir(parents=True)
    copy.write_bytes(BODY[::-1])
    monkeypatch.setenv("EMPIARREADER_MIRROR", str(tmp_path))
    version, first = here.beginning(10)

    assert first == BODY[::-1][:10]
    assert here.range(1000, 10, version) == BODY[::-1][1000:1010]
    assert here.local_copy(version) == copy
    assert archive.requests() == []
    assert elsewhere.beginning(10)[1] == BODY[:10]
    copy.unlink()
    with pytest.raises(FileChangedError):
        here.range(0, 10, version)


def test_a_mirror_is_not_left_through_an_address(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from empiarreader.listing.mirror import mirrored

    (tmp_path / "mirror").mkdir()
    (tmp_path / "secret").write_bytes(b"x")
    monkeypatch.setenv("EMPIARREADER_MIRROR", str(tmp_path / "mirror"))
    base = settings.archive_url()

    for path in ("../secret", "%2e%2e/secret", "..%2fsecret", str(tmp_path / "secret")):
        assert mirrored(f"{base}/{path}") is None
    monkeypatch.setenv("EMPIARREADER_MIRROR", str(tmp_path / "none"))
    with pytest.raises(InvalidRequestError, match="EMPIARREADER_MIRROR"):
        mirrored(f"{base}/x")


def test_sizes_are_read_as_people_write_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for text, size in {
        "": 20 * 10**9, "50 GB": 50 * 10**9, "1.5TiB": 1.5 * 2**40, "500m": 5 * 10**8, "4096": 4096,
    }.items():  # fmt: skip
        monkeypatch.setenv("EMPIARREADER_CACHE_SIZE", text)
        assert settings.cache_size_bytes() == size
    for text in ("much", "-1", "1e9", "5 XB"):
        monkeypatch.setenv("EMPIARREADER_CACHE_SIZE", text)
        with pytest.raises(InvalidRequestError, match="EMPIARREADER_CACHE_SIZE"):
            settings.cache_size_bytes()
    monkeypatch.setenv("EMPIARREADER_OFFLINE", "perhaps")
    with pytest.raises(InvalidRequestError, match="EMPIARREADER_OFFLINE"):
        settings.offline()


@given(st.text(max_size=300))
def test_any_name_becomes_one_that_stays_in_its_folder(name: str) -> None:
    safe = safe_file_name(name)

    assert Path(safe).name == safe
    assert safe == safe_file_name(safe)
    assert safe != "about.json"
    assert len(os.fsencode(safe.encode("utf-8", "replace").decode())) < 256
