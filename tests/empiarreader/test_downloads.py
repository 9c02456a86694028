"""Downloads: whole or not at all, continued where they stopped, recorded with checksums."""

from __future__ import annotations

import contextlib
import hashlib
import json
import multiprocessing
import os
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic, perf_counter
from typing import Any

import numpy as np
import pytest

from empiarreader import (
    ArchiveFileNotFoundError,
    DamagedDataError,
    EmpiarEntry,
    EmpiarSource,
    InvalidRequestError,
    LocalFileError,
    Manifest,
    RefusedAddressError,
    ServiceError,
    download,
    plan_download,
)
from empiarreader.downloading.manifest import MANIFEST_NAME, read_records
from perc_archive import Archive

HOST = "ftp.ebi.ac.uk"
MIB = 1024 * 1024
BODY = np.random.default_rng(1).bytes(300_000)


def _serve(archive: Archive, files: dict[str, bytes], entry_id: int = 10934) -> list[str]:
    archive.add_entry(entry_id, files)
    return [_url(archive, path, entry_id) for path in files]


def _url(archive: Archive, path: str, entry_id: int = 10934) -> str:
    return archive.url(HOST, f"empiar/world_availability/{entry_id}/{path}")


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != MANIFEST_NAME)


def _ranges(archive: Archive) -> list[str | None]:
    return [request.range for request in archive.requests("*.mrc") if request.method == "GET"]


def test_files_are_saved_under_their_names_with_checksums(archive: Archive, tmp_path: Path) -> None:
    bodies = {"data/a.mrc": BODY, "data/sub/b 1#.mrc": b"b" * 10, "data/empty.txt": b""}
    manifest = download(_serve(archive, bodies), tmp_path / "new" / "dir")

    assert manifest.failures == ()
    assert [file.path for file in manifest.files] == ["a.mrc", "b 1#.mrc", "empty.txt"]
    for path, body, file in zip(manifest.paths, bodies.values(), manifest.files, strict=True):
        assert path.read_bytes() == body
        assert (file.size, file.sha256) == (len(body), hashlib.sha256(body).hexdigest())
        assert file.etag is not None
        assert file.time.endswith("+00:00")
    assert _names(tmp_path / "new" / "dir") == ["a.mrc", "b 1#.mrc", "empty.txt"]


def test_the_manifest_on_disk_says_the_same(archive: Archive, tmp_path: Path) -> None:
    manifest = download(_serve(archive, {"data/a.mrc": BODY}), tmp_path)
    (line,) = (tmp_path / MANIFEST_NAME).read_text().splitlines()

    assert Manifest.load(tmp_path).files == manifest.files
    record = json.loads(line)
    assert {"path", "url", "size", "sha256", "etag", "time"} <= set(record)
    assert record["url"] == _url(archive, "data/a.mrc")


def test_selections_are_downloaded_as_they_are(archive: Archive, tmp_path: Path) -> None:
    _serve(archive, {"data/a.mrc": BODY, "data/b.mrc": b"b", "data/c.txt": b"c"})

    assert len(download(EmpiarSource(10934, "data"), tmp_path / "source").files) == 2
    assert len(download(EmpiarEntry(10934).find("data/*"), tmp_path / "found").files) == 3
    assert len(download(_url(archive, "data/c.txt"), tmp_path / "one").files) == 1


def test_what_is_there_and_unchanged_is_not_fetched_again(archive: Archive, tmp_path: Path) -> None:
    urls = _serve(archive, {"data/a.mrc": BODY, "data/b.mrc": b"b"})
    first = download(urls, tmp_path)
    before = len(archive.requests())
    second = download(urls, tmp_path)

    assert second.files == first.files
    again = archive.requests()[before:]
    assert [(request.method, request.body_bytes_sent) for request in again] == [("HEAD", 0)] * 2


def test_what_changed_in_the_archive_is_replaced(archive: Archive, tmp_path: Path) -> None:
    urls = _serve(archive, {"data/a.mrc": BODY})
    download(urls, tmp_path)
    _serve(archive, {"data/a.mrc": BODY[::-1]})
    manifest = download(urls, tmp_path)

    assert (tmp_path / "a.mrc").read_bytes() == BODY[::-1]
    assert Manifest.load(tmp_path).files == manifest.files


def test_what_was_cut_short_on_disk_is_fetched_again(archive: Archive, tmp_path: Path) -> None:
    urls = _serve(archive, {"data/a.mrc": BODY})
    download(urls, tmp_path)
    os.truncate(tmp_path / "a.mrc", 1000)
    assert Manifest.load(tmp_path).files == ()
    assert (plan_download(urls, tmp_path).files, plan_download(urls, tmp_path).there) == (1, 0)
    download(urls, tmp_path)

    assert (tmp_path / "a.mrc").read_bytes() == BODY


def test_an_interrupted_download_continues_where_it_stopped(archive: Archive, tmp_path: Path) -> None:
    urls = _serve(archive, {"data/a.mrc": BODY})
    archive.add_fault("drop", match="*a.mrc", times=1, after_bytes=200_000)
    manifest = download(urls, tmp_path)
    kept = 200_000

    assert (tmp_path / "a.mrc").read_bytes() == BODY
    assert manifest.files[0].sha256 == hashlib.sha256(BODY).hexdigest()
    _, second = archive.requests("*a.mrc")
    assert second.range is not None
    start = int(second.range.removeprefix("bytes=").partition("-")[0])
    assert kept - 65536 <= start <= kept
    assert second.headers["If-Range"] == manifest.files[0].etag
    assert second.status == 206


def test_attempts_that_bring_something_do_not_count(archive: Archive, tmp_path: Path) -> None:
    urls = _serve(archive, {"data/a.mrc": BODY})
    archive.add_fault("drop", match="*a.mrc", times=8, after_bytes=20_000)
    archive.add_fault("drop", match="*a.mrc", times=None, after_bytes=30_000)

    assert download(urls, tmp_path).failures == ()
    assert (tmp_path / "a.mrc").read_bytes() == BODY


def test_what_arrived_before_a_failure_serves_the_next_run(archive: Archive, tmp_path: Path) -> None:
    urls = _serve(archive, {"data/a.mrc": BODY})
    archive.add_fault("drop", match="*a.mrc", times=1, after_bytes=200_000)
    archive.add_fault("status", match="*a.mrc", status=403, times=1)
    first = download(urls, tmp_path)

    assert [type(failure.error) for failure in first.failures] == [ServiceError]
    assert not (tmp_path / "a.mrc").exists()
    (part,) = tmp_path.glob("a.mrc.*.part")
    assert BODY.startswith(part.read_bytes())
    kept = part.stat().st_size
    second = download(urls, tmp_path)
    assert second.failures == ()
    assert (tmp_path / "a.mrc").read_bytes() == BODY
    assert _ranges(archive)[-1] == f"bytes={kept}-{len(BODY) - 1}"
    assert _names(tmp_path) == ["a.mrc"]


def test_a_part_of_a_file_that_has_changed_is_begun_again(archive: Archive, tmp_path: Path) -> None:
    urls = _serve(archive, {"data/a.mrc": BODY})
    archive.add_fault("drop", match="*a.mrc", times=1, after_bytes=200_000)
    archive.add_fault("status", match="*a.mrc", status=403, times=1)
    download(urls, tmp_path)
    changed = np.random.default_rng(2).bytes(len(BODY))
    _serve(archive, {"data/a.mrc": changed})

    assert download(urls, tmp_path).failures == ()
    assert (tmp_path / "a.mrc").read_bytes() == changed
    last = archive.requests("*.mrc")[-1]
    assert (last.body_bytes_sent, last.headers.get("If-Range")) == (len(BODY), "")


FAULTS = ["stall", "drop", "status", "html", "refuse", "gzip", "wrong_length", "ignore_range"]


@pytest.mark.parametrize("kind", FAULTS)
def test_a_fault_that_passes_is_survived(archive: Archive, tmp_path: Path, kind: str) -> None:
    urls = _serve(archive, {f"data/{k}.mrc": BODY[k:] for k in range(6)})
    download(urls[:5], tmp_path / "warm")  # quick answers, from which patience is learned
    archive.add_fault(kind, match="*5.mrc", times=1, after_bytes=1000)
    manifest = download(urls[5:], tmp_path)

    assert manifest.failures == ()
    assert (tmp_path / "5.mrc").read_bytes() == BODY[5:]


@pytest.mark.parametrize(("kind", "bytes_kept"), [("html", 0), ("refuse", 0), ("gzip", 0), ("drop", 0)])
def test_a_fault_that_stays_leaves_no_file_and_nothing_empty(
    archive: Archive, tmp_path: Path, kind: str, bytes_kept: int
) -> None:
    urls = _serve(archive, {"data/a.mrc": BODY, "data/b.mrc": b"fine"})
    archive.add_fault(kind, match="*a.mrc", times=None, after_bytes=bytes_kept)
    manifest = download(urls, tmp_path)

    assert [type(failure.error) for failure in manifest.failures] == [ServiceError]
    assert [file.path for file in manifest.files] == ["b.mrc"]
    assert _names(tmp_path) == ["b.mrc"]
    with pytest.raises(ServiceError):
        manifest.raise_for_failures()


def test_a_length_that_never_comes_true_is_not_accepted(archive: Archive, tmp_path: Path) -> None:
    urls = _serve(archive, {"data/a.mrc": BODY})
    archive.add_fault("wrong_length", match="*a.mrc", times=None)
    manifest = download(urls, tmp_path)

    assert len(manifest.failures) == 1
    assert not (tmp_path / "a.mrc").exists()


def test_files_move_side_by_side(archive: Archive, tmp_path: Path) -> None:
    urls = _serve(archive, {f"data/{k:02d}.mrc": BODY for k in range(16)})
    archive.shape(latency_seconds=0.2)
    began = perf_counter()
    manifest = download(urls, tmp_path, workers=16)

    assert len(manifest.files) == 16
    assert perf_counter() - began < 3  # one after the other: 16 x 0.2 s at the least


def test_equal_names_never_overwrite_each_other(archive: Archive, tmp_path: Path) -> None:
    files = {"data/A/gain.mrc": b"gain A", "data/B/gain.mrc": b"gain B", "data/B/other.mrc": b"other"}
    manifest = download(_serve(archive, files), tmp_path)

    assert {str(path.relative_to(tmp_path)): path.read_bytes() for path in manifest.paths} == {
        "10934/data/A/gain.mrc": b"gain A",
        "10934/data/B/gain.mrc": b"gain B",
        "other.mrc": b"other",
    }


def test_a_name_that_an_earlier_download_has_is_given_way_to(archive: Archive, tmp_path: Path) -> None:
    first, second = _serve(archive, {"data/A/gain.mrc": b"gain A", "data/B/gain.mrc": b"gain B"})
    download([first], tmp_path)
    manifest = download([second], tmp_path)

    assert (tmp_path / "gain.mrc").read_bytes() == b"gain A"
    assert [file.path for file in manifest.files] == ["10934/data/B/gain.mrc"]
    assert len(Manifest.load(tmp_path).files) == 2


def test_a_file_of_unknown_origin_is_left_alone_unless_told(archive: Archive, tmp_path: Path) -> None:
    urls = _serve(archive, {"data/a.mrc": BODY})
    (tmp_path / "a.mrc").write_bytes(b"mine")
    refused = download(urls, tmp_path)

    assert isinstance(refused.failures[0].error, LocalFileError)
    assert (tmp_path / "a.mrc").read_bytes() == b"mine"
    assert download(urls, tmp_path, overwrite=True).failures == ()
    assert (tmp_path / "a.mrc").read_bytes() == BODY


def test_a_link_in_the_folder_is_replaced_and_not_followed(archive: Archive, tmp_path: Path) -> None:
    urls = _serve(archive, {"data/a.mrc": BODY})
    outside = tmp_path / "outside"
    outside.write_bytes(b"precious")
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.mrc").symlink_to(outside)
    download(urls, folder, overwrite=True)

    assert outside.read_bytes() == b"precious"
    assert not (folder / "a.mrc").is_symlink()
    assert (folder / "a.mrc").read_bytes() == BODY


@pytest.mark.parametrize("leads", ["to the same bytes", "nowhere"])
def test_a_link_in_place_of_a_downloaded_file_is_not_taken_for_it(
    archive: Archive, tmp_path: Path, leads: str
) -> None:
    urls = _serve(archive, {"data/a.mrc": BODY})
    folder, elsewhere = tmp_path / "folder", tmp_path / "elsewhere"
    download(urls, folder)
    elsewhere.write_bytes(BODY)
    (folder / "a.mrc").unlink()
    (folder / "a.mrc").symlink_to(elsewhere if leads == "to the same bytes" else tmp_path / "none")
    planned = plan_download(urls, folder)
    assert (planned.files, planned.size_bytes, planned.there) == (1, len(BODY), 0)
    assert download(urls, folder).failures == ()

    assert not (folder / "a.mrc").is_symlink()
    assert (folder / "a.mrc").read_bytes() == elsewhere.read_bytes() == BODY
    assert not (tmp_path / "none").exists()


def test_refused_and_missing_addresses_stop_no_other(archive: Archive, tmp_path: Path) -> None:
    (good,) = _serve(archive, {"data/a.mrc": BODY})
    bad = ["https://evil.example/x.mrc", _url(archive, "data/none.mrc"), f"{good}; touch PWNED"]
    manifest = download([bad[0], good, *bad[1:]], tmp_path)

    assert [file.path for file in manifest.files] == ["a.mrc"]
    assert [type(failure.error) for failure in manifest.failures] == [
        RefusedAddressError,
        ArchiveFileNotFoundError,
        RefusedAddressError,
    ]
    assert _names(tmp_path) == ["a.mrc"]


def test_refusals_alone_make_no_folder(tmp_path: Path) -> None:
    manifest = download(["file:///etc/passwd"], tmp_path / "new")

    assert len(manifest.failures) == 1
    assert not (tmp_path / "new").exists()


def test_two_spellings_of_one_address_are_one_file(archive: Archive, tmp_path: Path) -> None:
    (url,) = _serve(archive, {"data/a.mrc": BODY})
    manifest = download([url, url, url.replace("/data/", "//data//")], tmp_path)

    assert len(manifest.files) == 1
    assert len(archive.requests("*a.mrc")) == 1


def test_progress_is_told_once_a_file(archive: Archive, tmp_path: Path) -> None:
    urls = _serve(archive, {f"data/{k}.mrc": b"x" for k in range(5)})
    seen: list[tuple[int, int, str]] = []
    download(urls, tmp_path, progress=lambda done, total, url: seen.append((done, total, url)))

    assert [(done, total) for done, total, _ in seen] == [(k, 5) for k in range(1, 6)]
    assert {url for _, _, url in seen} == set(urls)


@pytest.mark.parametrize("workers", [0, -1, 1000])
def test_a_number_of_workers_that_makes_no_sense_is_refused(workers: int, tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="workers"):
        download([], tmp_path, workers=workers)


def test_a_file_in_place_of_the_folder_is_refused(archive: Archive, tmp_path: Path) -> None:
    urls = _serve(archive, {"data/a.mrc": BODY})
    (tmp_path / "file").write_text("x")

    with pytest.raises(InvalidRequestError, match="no folder"):
        download(urls, tmp_path / "file")


def test_a_folder_that_cannot_be_made_is_said_so(archive: Archive, tmp_path: Path) -> None:
    urls = _serve(archive, {"data/a.mrc": BODY})
    with pytest.raises(LocalFileError, match=r"cannot write .*: File name too long"):
        download(urls, tmp_path / ("x" * 300))


def test_a_folder_that_cannot_be_written_is_said_so(archive: Archive, tmp_path: Path) -> None:
    urls = _serve(archive, {"data/A/a.mrc": b"1", "data/B/a.mrc": b"2"})
    (tmp_path / "10934").write_text("a file where a directory has to be")
    manifest = download(urls, tmp_path)

    assert [type(failure.error) for failure in manifest.failures] == [LocalFileError] * 2
    assert "cannot write" in str(manifest.failures[0].error)


def test_a_very_long_name_is_saved(archive: Archive, tmp_path: Path) -> None:
    name = "x" * 240 + ".mrc"
    manifest = download(_serve(archive, {f"data/{name}": BODY}), tmp_path)

    assert manifest.failures == ()
    assert (tmp_path / name).read_bytes() == BODY


def test_an_interrupt_leaves_parts_and_no_files(archive: Archive, tmp_path: Path) -> None:
    urls = _serve(archive, {"data/a.mrc": BODY, "data/b.mrc": BODY})

    def interrupt(done: int, total: int, url: str) -> None:
        raise KeyboardInterrupt

    archive.add_fault("drop", match="*b.mrc", times=None, after_bytes=10)
    with pytest.raises(KeyboardInterrupt):
        download(urls, tmp_path, progress=interrupt)
    assert _names(tmp_path)[0] == "a.mrc"
    assert not (tmp_path / "b.mrc").exists()


_SCRIPT = "import sys, empiarreader; empiarreader.download(sys.argv[2:], sys.argv[1])"


def test_a_job_that_is_killed_leaves_no_half_of_a_file(archive: Archive, tmp_path: Path) -> None:
    body = np.random.default_rng(3).bytes(6 * MIB)
    urls = _serve(archive, {"data/a.mrc": body})
    archive.shape(rate_bytes_per_second=8 * MIB)
    for _ in range(3):
        job = subprocess.Popen([sys.executable, "-c", _SCRIPT, str(tmp_path), *urls], env=dict(os.environ))
        _wait_for_growth(tmp_path, job)
        job.send_signal(signal.SIGKILL)
        job.wait()
        assert not (tmp_path / "a.mrc").exists() or (tmp_path / "a.mrc").read_bytes() == body
    archive.shape()
    manifest = download(urls, tmp_path)

    assert (tmp_path / "a.mrc").read_bytes() == body
    assert manifest.files[0].sha256 == hashlib.sha256(body).hexdigest()
    moved = sum(request.body_bytes_sent for request in archive.requests("*a.mrc"))
    assert moved < 1.5 * len(body)  # without continuing, each of the three would begin anew
    assert _names(tmp_path) == ["a.mrc"]


def _wait_for_growth(folder: Path, job: subprocess.Popen[bytes]) -> None:
    """Wait until a job has brought a good piece, or is done."""
    deadline = monotonic() + 30
    begin = _part_bytes(folder)
    while _part_bytes(folder) < begin + MIB and monotonic() < deadline and job.returncode is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            job.wait(0.01)


def _part_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.part"))


def _download_into(folder: str, urls: list[str], results: Any) -> None:
    manifest = download(urls, folder)
    results.put([str(failure.error) for failure in manifest.failures])


def test_two_jobs_never_write_the_same_file_at_once(archive: Archive, tmp_path: Path) -> None:
    body = np.random.default_rng(4).bytes(2 * MIB)
    urls = _serve(archive, {"data/a.mrc": body})
    archive.shape(rate_bytes_per_second=2 * MIB)
    context: Any = multiprocessing.get_context("spawn")
    results = context.SimpleQueue()
    jobs = [context.Process(target=_download_into, args=(str(tmp_path), urls, results)) for _ in range(3)]
    for job in jobs:
        job.start()
    failures = [results.get() for _ in jobs]
    for job in jobs:
        job.join(30)

    assert (tmp_path / "a.mrc").read_bytes() == body
    assert failures == [[], [], []]  # two waited for the one that was first
    moved = sum(request.body_bytes_sent for request in archive.requests("*a.mrc"))
    assert moved == len(body)
    assert _names(tmp_path) == ["a.mrc"]


def test_a_manifest_whose_last_line_was_cut_is_read_without_it(archive: Archive, tmp_path: Path) -> None:
    urls = _serve(archive, {"data/a.mrc": BODY, "data/b.mrc": b"b"})
    download(urls[:1], tmp_path)
    with (tmp_path / MANIFEST_NAME).open("a") as file:
        file.write('{"path": "b.m')
    assert list(read_records(tmp_path)) == ["a.mrc"]

    assert download(urls, tmp_path).failures == ()
    assert sorted(read_records(tmp_path)) == ["a.mrc", "b.mrc"]


@pytest.mark.parametrize("content", ["[1, 2]\n", "hello\nthere\n", '{"path": 1}\n'])
def test_what_is_no_manifest_is_called_damaged(tmp_path: Path, content: str) -> None:
    (tmp_path / MANIFEST_NAME).write_text(content)

    with pytest.raises(DamagedDataError, match="no manifest"):
        Manifest.load(tmp_path)
    assert Manifest.load(tmp_path / "none").files == ()
