"""How files move: in pieces, past stalls, faults, changes, outages and kills, over HTTP and FTP."""

from __future__ import annotations

import contextlib
import hashlib
import multiprocessing
import os
import pickle
import resource
import signal
import struct
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from empiarreader import (
    DamagedDataError,
    EmpiarEntry,
    EmpiarSource,
    InvalidRequestError,
    LocalFileError,
    Manifest,
    ServiceError,
    download,
    plan_download,
    traffic,
)
from empiarreader.downloading import parts, states
from empiarreader.downloading.chunks import fetch_chunk, name_chunk
from empiarreader.downloading.crew import Crew
from empiarreader.downloading.ledger import open_ledger
from empiarreader.downloading.manifest import MANIFEST_NAME, read_records
from empiarreader.downloading.options import TransferOptions
from empiarreader.downloading.parts import PartFile
from empiarreader.downloading.planning import Plan, check_room
from empiarreader.downloading.restraint import Throttle
from empiarreader.downloading.room import free_bytes
from empiarreader.downloading.selecting import select_files
from empiarreader.downloading.states import Layout
from empiarreader.network import patience
from empiarreader.network.answers import FileVersion
from perc_archive import Archive

HOST = "ftp.ebi.ac.uk"
MIB = 1024 * 1024
LARGE = np.random.default_rng(5).bytes(12 * MIB + 12_345)
SMALL = LARGE[:10_000]


def _serve(archive: Archive, files: dict[str, bytes], entry_id: int = 10934) -> list[str]:
    archive.add_entry(entry_id, files)
    return [archive.url(HOST, f"empiar/world_availability/{entry_id}/{path}") for path in files]


def _moved(archive: Archive, match: str = "*.mrc") -> int:
    return sum(request.body_bytes_sent for request in archive.requests(match))


def _names(folder: Path) -> list[str]:
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and path.name != MANIFEST_NAME
    )


def test_a_large_file_moves_in_pieces_that_join_without_gap_or_overlap(
    archive: Archive, tmp_path: Path
) -> None:
    urls = _serve(archive, {"data/a.mrc": LARGE})
    archive.shape(latency_seconds=0.02)
    (file,) = download(urls, tmp_path).files

    assert (tmp_path / "a.mrc").read_bytes() == LARGE
    assert file.sha256 == hashlib.sha256(LARGE).hexdigest()
    asked = sorted(
        tuple(map(int, (request.range or "").removeprefix("bytes=").split("-")))
        for request in archive.requests("*a.mrc")
    )
    assert len(asked) > 4
    assert [first for first, _ in asked] == [0, *(last + 1 for _, last in asked[:-1])]
    assert asked[-1][1] == len(LARGE) - 1
    assert _moved(archive) == len(LARGE)
    assert all(request.headers["If-Range"] == file.etag for request in archive.requests("*a.mrc")[1:])


def test_the_manifest_knows_a_file_before_it_has_its_name(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = _serve(archive, {f"data/{k}.mrc": SMALL[k:] for k in range(3)})
    known, replace_ = [], Path.replace

    def noted(path: Path, target: Path) -> Path:
        if path.suffix == ".part":
            known.append(target.name in read_records(tmp_path))
        return replace_(path, target)

    monkeypatch.setattr(Path, "replace", noted)
    download(urls, tmp_path)

    assert known == [True] * 3


def test_small_files_take_one_request_each_and_no_state(archive: Archive, tmp_path: Path) -> None:
    urls = _serve(archive, {f"data/{k}.mrc": SMALL[k:] for k in range(200)})
    manifest = download(urls, tmp_path)

    assert len(manifest.files) == len(archive.requests()) == 200
    assert all((tmp_path / f"{k}.mrc").read_bytes() == SMALL[k:] for k in range(200))
    assert len(_names(tmp_path)) == 200


def test_what_is_asked_ahead_goes_to_the_file_that_it_is_of(archive: Archive, tmp_path: Path) -> None:
    files = {f"data/{k}.mrc": SMALL[k:] for k in range(60)}
    urls = _serve(archive, files)
    assert not download(urls[20:25], tmp_path).failures
    part = PartFile(tmp_path / "40.mrc", urls[40])  # as a job that was killed leaves it
    part.begin(FileVersion(size=len(SMALL) - 40), Layout.of([len(SMALL) - 40]))
    part.write(0, 0, memoryview(SMALL[40:140]))
    part.keep()
    missing = urls[0].replace("0.mrc", "none.mrc")

    manifest = download([*urls[:30], missing, *urls[30:]], tmp_path)

    assert [failure.url for failure in manifest.failures] == [missing]
    assert {path: (tmp_path / path).read_bytes() for path in _names(tmp_path)} == {
        Path(path).name: body for path, body in files.items()
    }


def test_files_have_the_time_that_they_have_in_the_archive(archive: Archive, tmp_path: Path) -> None:
    urls = _serve(archive, {"data/a.mrc": SMALL})
    served = archive.folder / HOST / "empiar/world_availability/10934/data/a.mrc"
    os.utime(served, (1_600_000_000, 1_600_000_000))
    (file,) = download(urls, tmp_path).files

    assert (tmp_path / "a.mrc").stat().st_mtime == 1_600_000_000
    assert file.last_modified == "Sun, 13 Sep 2020 12:26:40 GMT"


def test_a_file_that_changes_in_the_middle_is_begun_again_and_never_mixed(
    archive: Archive, tmp_path: Path
) -> None:
    urls = _serve(archive, {"data/a.mrc": LARGE})
    archive.shape(rate_bytes_per_second=2 * MIB)
    other = LARGE[::-1]

    def change() -> None:
        while _moved(archive) < MIB:
            time.sleep(0.05)
        _serve(archive, {"data/a.mrc": other})
        archive.shape()

    changing = threading.Thread(target=change)
    changing.start()
    (file,) = download(urls, tmp_path, workers=1).files
    changing.join()

    assert (tmp_path / "a.mrc").read_bytes() == other
    assert file.sha256 == hashlib.sha256(other).hexdigest()


@pytest.mark.parametrize(
    "kind", ["stall", "drop", "status", "html", "refuse", "gzip", "wrong_length", "ignore_range"]
)
def test_faults_in_any_piece_leave_no_trace(archive: Archive, tmp_path: Path, kind: str) -> None:
    urls = _serve(archive, {"data/a.mrc": LARGE})
    archive.shape(latency_seconds=0.01)
    archive.add_fault(kind, match="*a.mrc", times=4, every=3, after_bytes=50_000)
    manifest = download(urls, tmp_path)

    assert manifest.failures == ()
    assert (tmp_path / "a.mrc").read_bytes() == LARGE
    assert manifest.files[0].sha256 == hashlib.sha256(LARGE).hexdigest()


def test_a_server_without_ranges_is_read_in_one_stream(archive: Archive, tmp_path: Path) -> None:
    urls = _serve(archive, {"data/a.mrc": LARGE, "data/b.mrc": LARGE[1:]})
    archive.add_fault("ignore_range", times=None)
    manifest = download(urls, tmp_path)

    assert manifest.failures == ()
    assert [path.read_bytes() for path in manifest.paths] == [LARGE, LARGE[1:]]
    assert _moved(archive) == 2 * len(LARGE) - 1


def test_a_server_that_asks_to_be_left_alone_is_left_alone_by_all(archive: Archive, tmp_path: Path) -> None:
    urls = _serve(archive, {f"data/{k}.mrc": SMALL for k in range(40)})
    archive.shape(latency_seconds=0.05)
    archive.add_fault("status", match="*/5.mrc", status=503, retry_after="1", times=1)
    began = time.perf_counter()
    finished: list[float] = []
    manifest = download(
        urls, tmp_path, progress=lambda done, total, url: finished.append(time.perf_counter() - began)
    )

    assert manifest.failures == ()
    waits = np.diff([0.0, *finished])
    assert max(waits) > 0.6  # nobody asked anything meanwhile


def test_a_server_that_asks_to_be_left_alone_for_an_hour_is_not_waited_for(
    archive: Archive, tmp_path: Path
) -> None:
    urls = _serve(archive, {"data/a.mrc": SMALL})
    archive.add_fault("status", match="*a.mrc", status=503, retry_after="3600", times=None)
    (failure,) = download(urls, tmp_path).failures

    assert failure.error.__notes__ == ["It asks to be left alone for 3600 s; try again after that."]
    assert len(archive.requests("*a.mrc")) == 1


def test_a_near_server_that_falls_silent_holds_up_one_file(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "_NEXT_DOOR_SECONDS", 1.0)  # also where this machine is busy
    urls = _serve(archive, {f"data/{k}.mrc": SMALL for k in range(300)})
    archive.add_fault("stall", match="*/100.mrc", times=1, after_bytes=5000)
    done: list[str] = []
    download(urls, tmp_path, progress=lambda count, of, url: done.append(url))

    assert done.index(urls[100]) > 200  # not after the hundred before it


def test_a_late_piece_is_fetched_by_another(archive: Archive, tmp_path: Path) -> None:
    urls = _serve(archive, {"data/a.mrc": LARGE, **{f"data/{k}.mrc": SMALL for k in range(8)}})
    archive.shape(latency_seconds=0.02)
    download(urls[1:], tmp_path / "warm")  # quick answers, from which patience is learned
    archive.add_fault("stall", match="*a.mrc", times=1, every=4, after_bytes=30_000)
    before = traffic()
    began = time.perf_counter()
    manifest = download(urls[:1], tmp_path)

    assert manifest.failures == ()
    assert (tmp_path / "a.mrc").read_bytes() == LARGE
    assert (traffic() - before).hedges + (traffic() - before).stalls > 0
    assert time.perf_counter() - began < 15  # the usual patience is 30 s


def test_a_limit_of_bytes_a_second_holds_over_all_connections(archive: Archive, tmp_path: Path) -> None:
    urls = _serve(archive, {f"data/{k}.mrc": LARGE[: MIB // 2] for k in range(4)})
    began = time.perf_counter()
    manifest = download(urls, tmp_path, bytes_per_second=2 * MIB)

    assert manifest.failures == ()
    assert time.perf_counter() - began > 0.9  # 2 MiB at 2 MiB/s, the last piece not waited for
    with pytest.raises(InvalidRequestError, match="bytes a second"):
        Throttle(10)


def test_a_server_that_we_hold_back_ourselves_is_not_taken_for_a_slow_one(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = _serve(archive, {f"data/{k}.mrc": SMALL[:1500] for k in range(4)})
    monkeypatch.setenv("EMPIARREADER_TIMEOUT", "1")

    assert not download(urls, tmp_path, workers=4, bytes_per_second=2000).failures
    assert len(archive.requests()) == 4


def test_a_network_that_comes_back_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content, folder = tmp_path / "content", tmp_path / "folder"
    served = content / HOST / "empiar/world_availability/10934/data/a.mrc"
    served.parent.mkdir(parents=True)
    served.write_bytes(LARGE)
    outcome: list[Manifest] = []
    with Archive(content=content, ftp=False, rate_bytes_per_second=MIB // 4) as first:
        port = int(first.base_url.rpartition(":")[2])
        monkeypatch.setenv("EMPIARREADER_ARCHIVE_URL", first.settings()["EMPIARREADER_ARCHIVE_URL"])
        url = first.url(HOST, "empiar/world_availability/10934/data/a.mrc")
        job = threading.Thread(target=lambda: outcome.append(download([url], folder)))
        job.start()
        while _moved(first) < 2 * MIB:
            time.sleep(0.05)
    time.sleep(1.5)  # more than five attempts take
    with Archive(content=content, ftp=False, port=port) as second:
        job.join(60)
        moved_again = _moved(second)

    assert outcome[0].failures == ()
    assert (folder / "a.mrc").read_bytes() == LARGE
    assert moved_again < len(LARGE) - MIB


def test_a_disk_without_room_is_found_out_before_anything_moves(archive: Archive, tmp_path: Path) -> None:
    (url,) = _serve(archive, {"data/a.mrc": SMALL})
    disk = os.statvfs(tmp_path).f_blocks * os.statvfs(tmp_path).f_frsize
    (file,) = EmpiarEntry(10934).find("data/*", exact_sizes=True)
    before = len(archive.requests())
    with pytest.raises(LocalFileError, match="has room for"):
        download([replace(file, size_bytes=disk + 1)], tmp_path)
    assert len(archive.requests()) == before
    assert url == file.url


@pytest.mark.parametrize(("share", "is_exact", "fits"), [
    (0.95, True, True), (1.05, True, False), (1.05, False, True), (1.2, False, False),
])  # fmt: skip
def test_sizes_that_are_rounded_up_keep_nothing_from_a_disk_that_may_have_room(
    tmp_path: Path, share: float, is_exact: bool, fits: bool
) -> None:
    plan = Plan(
        directory=tmp_path, files=3, size_bytes=int(share * free_bytes(tmp_path)), is_exact=is_exact, there=0
    )
    with contextlib.nullcontext() if fits else pytest.raises(LocalFileError, match="has room for"):
        check_room(plan)


@pytest.mark.parametrize("seed", range(3))
def test_a_job_that_is_killed_again_and_again_moves_little_twice(
    archive: Archive, tmp_path: Path, seed: int
) -> None:
    urls = _serve(archive, {"data/a.mrc": LARGE, "data/b.mrc": LARGE[::-1], "data/c.mrc": SMALL})
    archive.shape(latency_seconds=0.01, rate_bytes_per_second=2 * MIB)
    script = "import sys, empiarreader; empiarreader.download(sys.argv[2:], sys.argv[1])"
    random = np.random.default_rng(seed)
    for _ in range(3):
        before = _moved(archive)
        job = subprocess.Popen([sys.executable, "-c", script, str(tmp_path), *urls])
        wanted = before + int(random.integers(MIB, 4 * MIB))
        while job.poll() is None and _moved(archive) < wanted:
            time.sleep(0.01)
        job.send_signal(signal.SIGKILL)
        job.wait()
        for name, body in (("a.mrc", LARGE), ("b.mrc", LARGE[::-1]), ("c.mrc", SMALL)):
            assert not (tmp_path / name).exists() or (tmp_path / name).read_bytes() == body
    archive.shape()
    manifest = download(urls, tmp_path)

    assert [path.read_bytes() for path in manifest.paths] == [LARGE, LARGE[::-1], SMALL]
    assert [file.sha256 for file in manifest.files] == [
        hashlib.sha256(body).hexdigest() for body in (LARGE, LARGE[::-1], SMALL)
    ]
    total = 2 * len(LARGE) + len(SMALL)
    # Each kill loses what lies in sixteen sockets of this machine, whatever the size of the files.
    assert _moved(archive) < total + 3 * 16 * 256 * 1024
    assert _names(tmp_path) == ["a.mrc", "b.mrc", "c.mrc"]


@pytest.fixture
def part(tmp_path: Path) -> PartFile:
    part = PartFile(tmp_path / "a.mrc", "https://host/a.mrc")
    part.begin(FileVersion(size=len(LARGE), etag='"1"'), Layout.of([MIB, len(LARGE) - MIB]))
    part.write(0, 0, memoryview(LARGE)[: MIB // 2])
    part.write(1, 0, memoryview(LARGE)[MIB : 3 * MIB])
    part.close()
    return PartFile(tmp_path / "a.mrc", "https://host/a.mrc")


def test_a_part_says_how_far_each_piece_has_come(part: PartFile) -> None:
    assert part.resume()
    assert (part.arrived, part.missing_bytes) == ([MIB // 2, 2 * MIB], len(LARGE) - 5 * MIB // 2)
    part.write(0, MIB // 2, memoryview(LARGE)[MIB // 2 : MIB])
    part.write(1, 2 * MIB, memoryview(LARGE)[3 * MIB :])

    assert part.sha256() == hashlib.sha256(LARGE).hexdigest()


def test_a_file_in_one_piece_is_gone_on_with_after_a_kill_once_it_has_taken_a_moment(tmp_path: Path) -> None:
    target, url = tmp_path / "a.mrc", "https://host/a.mrc"
    part = PartFile(target, url)
    part.begin(FileVersion(size=len(SMALL), etag='"1"'), Layout.of([len(SMALL)]))
    part.write(0, 0, memoryview(SMALL)[:1000])
    assert _names(tmp_path) == [part.path.name]  # most files are whole before a second one is worth it
    time.sleep(2 * parts._STATE_AFTER_SECONDS)
    part.write(0, 1000, memoryview(SMALL)[1000:3000])
    os.close(part._descriptor)  # as the end of a process does, and with it the lock is gone

    other = PartFile(target, url)
    assert other.resume()
    assert other.arrived == [3000]
    other.write(0, 3000, memoryview(SMALL)[3000:])
    assert other.sha256() == hashlib.sha256(SMALL).hexdigest()
    other.finish(target)
    assert _names(tmp_path) == ["a.mrc"]


def test_what_has_arrived_stays_where_no_state_can_be_written(part: PartFile) -> None:
    in_the_way = Path(f"{part.path}.state.new")
    in_the_way.mkdir()
    with pytest.raises(OSError, match="directory"):
        part.resume()
    part.close()
    in_the_way.rmdir()

    other = PartFile(part.path.with_name("a.mrc"), "https://host/a.mrc")
    assert other.resume()
    assert other.missing_bytes == len(LARGE) - 5 * MIB // 2


def test_a_state_that_the_disk_takes_half_of_replaces_no_whole_one(part: PartFile) -> None:
    state = Path(f"{part.path}.state")
    whole = state.read_bytes()
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(whole) // 2, hard))  # takes what fits, as a full disk does
    try:
        with pytest.raises(OSError, match="No space left"):
            part.resume()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    part.close()

    assert state.read_bytes() == whole


def test_what_is_given_up_early_is_kept_and_what_is_empty_is_not(tmp_path: Path) -> None:
    target, url = tmp_path / "a.mrc", "https://host/a.mrc"
    part = PartFile(target, url)
    part.begin(FileVersion(size=len(SMALL), etag='"1"'), Layout.of([len(SMALL)]))
    part.close()
    assert _names(tmp_path) == []

    part = PartFile(target, url)
    part.begin(FileVersion(size=len(SMALL), etag='"1"'), Layout.of([len(SMALL)]))
    part.write(0, 0, memoryview(SMALL)[:1000])
    part.close()
    other = PartFile(target, url)
    assert other.resume()
    assert other.arrived == [1000]
    other.discard()
    other.close()
    assert _names(tmp_path) == []


@pytest.mark.parametrize(
    "spoil",
    ["shorter", "garbage", "other boot", "other file", "too much", "a byte too much", "other size"],
)
def test_a_part_that_cannot_be_trusted_is_not(
    part: PartFile, spoil: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    part.keep()
    state = Path(f"{part.path}.state")
    if spoil == "shorter":
        os.truncate(part.path, 2 * MIB)
    elif spoil == "garbage":
        state.write_bytes(b"{}\n" + bytes(7))
    elif spoil == "other boot":
        monkeypatch.setattr(states, "_BOOT", Path("/dev/null"))
    elif spoil == "other file":
        state.write_bytes(state.read_bytes().replace(b"https://host/a.mrc", b"https://host/b.mrc"))
    elif spoil == "other size":
        state.write_bytes(state.read_bytes().replace(b'"size": %d' % len(LARGE), b'"size": %d' % 99_999_999))
    else:
        content, arrived = state.read_bytes(), MIB + 1 if spoil == "a byte too much" else 2**64 - 1
        state.write_bytes(content[:-32] + struct.pack("<4Q", arrived, 0, 0, 0))

    again = PartFile(part.path.with_name("a.mrc"), "https://host/a.mrc")
    resumed = again.resume()
    assert resumed == (spoil == "other boot")
    assert not resumed or again.arrived == [0, 0]  # after a crash, what was not forced onto the disk is void
    again.close()


@given(st.lists(st.integers(1, 200_000), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_pieces_in_any_order_have_the_hash_of_the_whole(
    tmp_path_factory: pytest.TempPathFactory, lengths: list[int], random: Any
) -> None:
    folder = tmp_path_factory.mktemp("part")
    size = sum(lengths)
    part = PartFile(folder / "x", "https://host/x")
    part.begin(FileVersion(size=size), Layout.of(lengths))
    writes = [
        (piece, place, min(place + 70_000, length))
        for piece, length in enumerate(lengths)
        for place in range(0, length, 70_000)
    ]
    order = sorted(range(len(writes)), key=lambda k: (random.random(), k))
    by_piece = {piece: iter([w for w in writes if w[0] == piece]) for piece in range(len(lengths))}
    for k in order:
        piece, place, end = next(by_piece[writes[k][0]])
        start = part.layout.edges[piece]
        part.write(piece, place, memoryview(LARGE)[start + place : start + end])

    assert part.missing_bytes == 0
    assert part.sha256() == hashlib.sha256(LARGE[:size]).hexdigest()
    part.discard()
    part.close()


def test_a_part_that_is_whole_but_nameless_is_named_by_the_next_job(archive: Archive, tmp_path: Path) -> None:
    urls = _serve(archive, {"data/a.mrc": LARGE, "data/c.mrc": SMALL})
    chunk = fetch_chunk(select_files(urls).placements, str(tmp_path), TransferOptions())
    assert len(chunk.fetched) == 2
    before = _moved(archive)
    manifest = download(urls, tmp_path)

    assert manifest.failures == ()
    assert _names(tmp_path) == ["a.mrc", "c.mrc"]
    assert _moved(archive) == before


def test_a_chunk_that_another_process_fetched_is_named_here(archive: Archive, tmp_path: Path) -> None:
    urls = _serve(archive, {"data/a.mrc": LARGE, "data/c.mrc": SMALL})
    wanted = select_files([*urls, f"{urls[0]}.none"])
    task = pickle.loads(pickle.dumps((wanted.placements, TransferOptions())))
    chunk = pickle.loads(pickle.dumps(fetch_chunk(task[0], str(tmp_path), task[1])))
    assert read_records(tmp_path) == {}
    outcomes = dict(name_chunk(open_ledger(tmp_path, overwrite=False), chunk))

    assert (tmp_path / "a.mrc").read_bytes() == LARGE
    assert sorted(read_records(tmp_path)) == ["a.mrc", "c.mrc"]
    assert _names(tmp_path) == ["a.mrc", "c.mrc"]
    assert len(outcomes) == 3


def _download_into(folder: str, urls: list[str], results: Any) -> None:
    results.put([str(failure.error) for failure in download(urls, folder).failures])


def test_two_jobs_into_one_folder_share_the_work(archive: Archive, tmp_path: Path) -> None:
    bodies = {f"data/{k}.mrc": LARGE[k : k + 300_000] for k in range(40)}
    urls = _serve(archive, bodies)
    archive.shape(latency_seconds=0.05)
    context: Any = multiprocessing.get_context("spawn")
    results = context.SimpleQueue()
    orders = (urls, urls[::-1])
    jobs = [context.Process(target=_download_into, args=(str(tmp_path), o, results)) for o in orders]
    for job in jobs:
        job.start()
    failures = [results.get() for _ in jobs]
    for job in jobs:
        job.join(30)

    assert failures == [[], []]
    assert all((tmp_path / f"{k}.mrc").read_bytes() == body for k, body in enumerate(bodies.values()))
    assert len(_names(tmp_path)) == 40
    assert set(read_records(tmp_path)) == {f"{k}.mrc" for k in range(40)}
    assert _moved(archive) <= 1.2 * sum(map(len, bodies.values()))


def test_a_file_that_another_job_has_just_named_is_no_stranger(archive: Archive, tmp_path: Path) -> None:
    urls = _serve(archive, {"data/a.mrc": SMALL})
    (placement,) = select_files(urls).placements
    ledger = open_ledger(tmp_path, overwrite=False)
    download(urls, tmp_path)

    assert ledger.latest_record(placement) is not None

    (tmp_path / "b.mrc").write_bytes(b"mine")
    with pytest.raises(LocalFileError, match="is there already"):
        ledger.latest_record(replace(placement, target="b.mrc"))


def test_what_another_job_has_just_put_under_the_name_is_not_taken_for_the_file(
    archive: Archive, tmp_path: Path
) -> None:
    one, two = _serve(archive, {"data/A/gain.mrc": b"A" * 4000, "data/B/gain.mrc": b"B" * 4000})
    ledger = open_ledger(tmp_path, overwrite=False)
    download([one], tmp_path)  # by a job that the ledger has not heard of yet

    options = TransferOptions(workers=2, protocol="https", overwrite=False, bytes_per_second=None)
    crew = Crew(select_files([two]).placements, ledger, options, deliver=ledger.take)
    crew.run(lambda: None)
    ledger.settle()

    assert (tmp_path / "gain.mrc").read_bytes() == b"A" * 4000
    assert (tmp_path / "10934/data/B/gain.mrc").read_bytes() == b"B" * 4000


def test_two_jobs_with_files_of_one_name_keep_both(archive: Archive, tmp_path: Path) -> None:
    one, two = _serve(archive, {"data/A/gain.mrc": b"A" * 400_000, "data/B/gain.mrc": b"B" * 400_000})
    archive.shape(latency_seconds=0.3)
    jobs = [threading.Thread(target=download, args=([url], tmp_path)) for url in (one, two)]
    for job in jobs:
        job.start()
    for job in jobs:
        job.join()

    records = read_records(tmp_path)
    assert len(records) == 2
    for record in records.values():
        assert (tmp_path / record.path).read_bytes() == record.url.split("/")[-2].encode() * 400_000


def test_names_that_differ_in_case_alone_are_kept_apart(archive: Archive, tmp_path: Path) -> None:
    manifest = download(_serve(archive, {"data/A/Gain.mrc": b"A", "data/B/gain.mrc": b"B"}), tmp_path)

    assert _names(tmp_path) == ["10934/data/A/Gain.mrc", "10934/data/B/gain.mrc"]
    assert manifest.failures == ()


def test_entries_sources_and_files_keep_their_directories(archive: Archive, tmp_path: Path) -> None:
    _serve(archive, {"data/x/a.mrc": SMALL, "data/b.txt": b"b"})

    download(EmpiarEntry(10934), tmp_path / "entry")
    assert _names(tmp_path / "entry") == ["10934.xml", "data/b.txt", "data/x/a.mrc"]
    download(EmpiarSource(10934, "data"), tmp_path / "source")
    assert _names(tmp_path / "source") == ["data/x/a.mrc"]
    download(EmpiarEntry(10934).find("data/**"), tmp_path / "flat", layout="flat")
    assert _names(tmp_path / "flat") == ["a.mrc", "b.txt"]
    download(EmpiarEntry(10934).find("data/**"), tmp_path / "archive", layout="archive")
    assert _names(tmp_path / "archive") == ["10934/data/b.txt", "10934/data/x/a.mrc"]
    with pytest.raises(InvalidRequestError, match="no layout"):
        download(EmpiarEntry(10934), tmp_path, layout="round")


def test_somebodys_manifest_is_fetched_and_checked_by_its_checksums(archive: Archive, tmp_path: Path) -> None:
    _serve(archive, {"data/a.mrc": SMALL, "data/b.mrc": LARGE})
    theirs = download(EmpiarEntry(10934).find("data/*"), tmp_path / "theirs")
    ours = download(Manifest.read(tmp_path / "theirs"), tmp_path / "ours")

    assert [file.sha256 for file in ours.files] == [file.sha256 for file in theirs.files]
    assert _names(tmp_path / "ours") == ["data/a.mrc", "data/b.mrc"]
    _serve(archive, {"data/a.mrc": SMALL[::-1]})
    again = download(Manifest.read(tmp_path / "theirs"), tmp_path / "again")
    assert [type(failure.error) for failure in again.failures] == [DamagedDataError]
    assert _names(tmp_path / "again") == ["data/b.mrc"]


def test_a_line_that_was_cut_is_told_of_once_where_a_folder_is_fetched_by_its_own_manifest(
    archive: Archive, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    download(_serve(archive, {"data/a.mrc": SMALL}), tmp_path)
    with (tmp_path / MANIFEST_NAME).open("a") as manifest:
        manifest.write('{"path": "b.mrc", "url"\n')

    assert not download(Manifest.read(tmp_path), tmp_path).failures
    assert [record.message for record in caplog.records if "cut short" in record.message] == [
        f"a line of {tmp_path / MANIFEST_NAME} is cut short and left out"
    ]


@pytest.mark.parametrize("path", ["../x", "/etc/x", "a/../../x", ""])
def test_a_manifest_whose_paths_lead_out_of_the_folder_is_refused(tmp_path: Path, path: str) -> None:
    (tmp_path / MANIFEST_NAME).write_text(
        f'{{"path": "{path}", "url": "https://ftp.ebi.ac.uk/empiar/world_availability/1/a", "size": 1, '
        f'"sha256": "x", "etag": null, "time": ""}}\n'
    )
    with pytest.raises(DamagedDataError, match="no manifest"):
        Manifest.read(tmp_path)


def test_a_plan_says_what_would_be_fetched_and_fetches_nothing(archive: Archive, tmp_path: Path) -> None:
    urls = _serve(archive, {"data/a.mrc": bytes(16384), "data/b.mrc": bytes(16384)})
    plan = plan_download(urls, tmp_path / "maps")

    assert plan.describe() == f"would fetch 2 files, 32.8 kB, into {tmp_path / 'maps'} (0 already there)"
    assert not (tmp_path / "maps").exists()
    assert _moved(archive) == 0
    download(urls[:1], tmp_path / "maps")
    assert plan_download(urls, tmp_path / "maps").describe().endswith("(1 already there)")
    (failure,) = plan_download([*urls, f"{urls[0]}x"], tmp_path / "maps").failures
    assert failure.url == f"{urls[0]}x"


def test_bytes_rate_and_time_left_are_told(archive: Archive, tmp_path: Path) -> None:
    urls = _serve(archive, {f"data/{k}.mrc": LARGE[:MIB] for k in range(4)})
    archive.shape(rate_bytes_per_second=2 * MIB)
    seen: list[Any] = []
    download(urls, tmp_path, watch=seen.append)

    last = seen[-1]
    assert (last.files, last.files_in_all) == (4, 4)
    assert last.size_bytes == last.size_bytes_in_all == 4 * MIB
    assert [one.size_bytes for one in seen] == sorted(one.size_bytes for one in seen)
    assert any(one.seconds_left for one in seen[:-1])


ODD_NAMES = ["plain.mrc", " leading", "trailing ", "double  space", "#1 %20 + & ; [x].mrc", "Größe µ.mrc"]


def test_over_ftp_the_same_files_come_with_the_same_facts(archive: Archive, tmp_path: Path) -> None:
    bodies = {f"data/{name}": LARGE[k : k + 100_000 * k] for k, name in enumerate(ODD_NAMES)}
    urls = _serve(archive, bodies)
    over_ftp = download(urls, tmp_path / "ftp", protocol="ftp")
    over_https = download(urls, tmp_path / "https")

    assert over_ftp.failures == ()
    assert _names(tmp_path / "ftp") == _names(tmp_path / "https")
    for ftp, https, body in zip(over_ftp.files, over_https.files, bodies.values(), strict=True):
        facts = ("path", "url", "size", "sha256", "last_modified")
        assert [getattr(ftp, name) for name in facts] == [getattr(https, name) for name in facts]
        assert ftp.etag is None
        assert (tmp_path / "ftp" / ftp.path).read_bytes() == body
        times = [(tmp_path / kind / ftp.path).stat().st_mtime for kind in ("ftp", "https")]
        assert times[0] == times[1]
    assert {request.method for request in archive.requests("*/data/*")} == {"RETR", "SIZE", "MDTM", "GET"}


def test_over_ftp_a_download_goes_on_where_another_stopped(archive: Archive, tmp_path: Path) -> None:
    urls = _serve(archive, {"data/a b.mrc": LARGE})
    archive.shape(rate_bytes_per_second=3 * MIB)
    script = "import sys, empiarreader; empiarreader.download(sys.argv[2:], sys.argv[1], protocol='ftp')"
    job = subprocess.Popen([sys.executable, "-c", script, str(tmp_path), *urls])
    while not (
        any(tmp_path.glob("*.state"))
        and any(path.stat().st_blocks * 512 > MIB for path in tmp_path.glob("*.part"))
    ):
        time.sleep(0.01)
    job.send_signal(signal.SIGKILL)
    job.wait()
    archive.shape()
    before = _moved(archive)
    (file,) = download(urls, tmp_path, protocol="ftp").files

    assert (tmp_path / "a b.mrc").read_bytes() == LARGE
    assert file.sha256 == hashlib.sha256(LARGE).hexdigest()
    assert _moved(archive) - before < len(LARGE) - MIB // 2


def test_over_ftp_what_is_not_there_is_not_found(archive: Archive, tmp_path: Path) -> None:
    (url,) = _serve(archive, {"data/a.mrc": SMALL})
    manifest = download([url, f"{url}.none"], tmp_path, protocol="ftp")

    assert [file.path for file in manifest.files] == ["a.mrc"]
    assert "there is nothing at" in str(manifest.failures[0].error)


def test_offline_nothing_is_downloaded(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = _serve(archive, {"data/a.mrc": SMALL})
    monkeypatch.setenv("EMPIARREADER_OFFLINE", "1")
    with pytest.raises(ServiceError, match="EMPIARREADER_OFFLINE"):
        download(urls, tmp_path)
    assert archive.requests() == []


def test_downloading_loads_nothing_heavy(archive: Archive, tmp_path: Path) -> None:
    urls = _serve(archive, {"data/a.mrc": SMALL})
    script = "import sys, empiarreader as e; e.download(sys.argv[2:], sys.argv[1]); print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path), *urls], capture_output=True, text=True, check=True
    )

    assert {"numpy", "dask", "xarray", "pandas", "urllib3", "requests", "fsspec"}.isdisjoint(
        done.stdout.split()
    )
