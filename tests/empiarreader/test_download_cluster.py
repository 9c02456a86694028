"""A download by the workers of a cluster: as by one process, and nothing is lost with a worker."""

from __future__ import annotations

import hashlib
import os
import signal
from collections import Counter
from pathlib import Path

import pytest
from distributed import Client

from empiarreader import ArchiveFileNotFoundError, DownloadedFile, EmpiarEntry, Manifest, download
from empiarreader.downloading.cluster import _share
from empiarreader.downloading.manifest import MANIFEST_NAME, read_records
from empiarreader.downloading.options import TransferOptions
from empiarreader.downloading.progress import Progress
from perc_archive import Archive

FILES = {f"data/{k // 8}/file_{k:02d}.bin": bytes([k]) * (2000 * k + 1) for k in range(40)}


@pytest.fixture
def entry(archive: Archive) -> EmpiarEntry:
    archive.add_entry(10934, FILES)
    return EmpiarEntry(10934)


def _is_whole(manifest: Manifest, folder: Path) -> None:
    records = read_records(folder)
    assert {file.path: file.sha256 for file in manifest.files} == {
        path: hashlib.sha256(content).hexdigest() for path, content in FILES.items()
    }
    assert {path: record.sha256 for path, record in records.items()} == {
        file.path: file.sha256 for file in manifest.files
    }
    for path, content in FILES.items():
        assert (folder / path).read_bytes() == content
    assert len((folder / MANIFEST_NAME).read_text().splitlines()) == len(FILES)
    assert not list(folder.rglob("*.part*"))


def test_a_killed_worker_loses_nothing_and_nothing_finished_is_fetched_again(
    archive: Archive, entry: EmpiarEntry, cluster: Client, tmp_path: Path
) -> None:
    wanted = entry.find("data/**/*.bin")
    workers = dict(cluster.run(os.getpid))
    archive.shape(latency_seconds=0.02)
    done_then: list[str] = []
    seen: list[Progress] = []

    def kill_one(done: int, total: int, url: str) -> None:
        if len(done_then) < 8:
            done_then.append(url)
            if len(done_then) == 8:
                os.kill(next(iter(workers.values())), signal.SIGKILL)

    manifest = download(wanted, tmp_path / "a", client=cluster, progress=kill_one, watch=seen.append)
    archive.shape()

    assert not manifest.failures
    _is_whole(manifest, tmp_path / "a")
    asked = Counter(
        request.path.rpartition("/")[2] for request in archive.requests("*.bin") if request.method == "GET"
    )
    assert all(asked[url.rpartition("/")[2]] == 1 for url in done_then)
    assert seen[-1].files == len(FILES)
    assert seen[-1].size_bytes == seen[-1].size_bytes_in_all == sum(map(len, FILES.values()))

    before = len(archive.requests("*.bin"))
    again = download(wanted, tmp_path / "a", client=cluster)
    assert again.files == manifest.files
    assert {request.method for request in archive.requests("*.bin")[before:]} == {"HEAD"}
    alone = download(wanted, tmp_path / "alone")
    assert [(file.path, file.sha256) for file in alone.files] == [
        (file.path, file.sha256) for file in manifest.files
    ]


@pytest.mark.full
def test_failures_are_listed_and_stop_no_other(
    archive: Archive, entry: EmpiarEntry, cluster: Client, tmp_path: Path
) -> None:
    good = [file.url for file in entry.find("data/0/*.bin")]
    manifest = download(
        [*good, f"{good[0]}.none", "https://elsewhere.org/x"], tmp_path, client=cluster, bytes_per_second=1e9
    )

    assert len(manifest.files) == 8
    assert [type(failure.error).__name__ for failure in manifest.failures] == [
        "ArchiveFileNotFoundError",
        "RefusedAddressError",
    ]
    assert isinstance(manifest.failures[0].error, ArchiveFileNotFoundError)
    (tmp_path / "new").mkdir()
    (tmp_path / "new/file_00.bin").write_text("mine")
    refused = download(good[:2], tmp_path / "new", client=cluster)
    assert [isinstance(file, DownloadedFile) for file in refused.files] == [True]
    assert (tmp_path / "new/file_00.bin").read_text() == "mine"


def test_connections_and_bandwidth_are_shared_out() -> None:
    for at_once in (1, 2, 5, 16):
        share = _share(TransferOptions(workers=16, bytes_per_second=8e6), at_once)
        assert share.workers * at_once <= 16
        assert share.bytes_per_second == 8e6 / at_once
