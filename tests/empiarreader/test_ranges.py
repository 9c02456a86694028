"""Exact ranges: how many requests and bytes, and what happens when a server misbehaves."""

from __future__ import annotations

import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from time import perf_counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import empiarreader
from empiarreader import (
    ArchiveFileNotFoundError,
    DamagedDataError,
    FileChangedError,
    InvalidRequestError,
    ServiceError,
)
from empiarreader.network.answers import accept
from empiarreader.network.ranges import (
    FileVersion,
    JoinedSpans,
    ask_version,
    fetch_file,
    fetch_range,
    fetch_spans,
    part_size,
)
from empiarreader.network.wire import Head, Headers
from perc_archive import Archive

HOST = "ftp.ebi.ac.uk"
MIB = 1024 * 1024
SMALL = bytes(range(256)) * 64


def _serve(archive: Archive, body: bytes, name: str = "pub/a.mrc", **headers: str) -> str:
    archive.add_file(HOST, name, body, headers=headers)
    return archive.url(HOST, name)


def _read(url: str, start: int, length: int, known: FileVersion | None = None) -> bytes:
    buffer = bytearray(length)
    _, count = fetch_range(url, start, memoryview(buffer), known=known)
    return bytes(buffer[:count])


def _big(size: int) -> bytes:
    return np.random.default_rng(size).bytes(size)


def test_one_range_moves_those_bytes_and_no_others(archive: Archive) -> None:
    url = _serve(archive, SMALL)
    before = empiarreader.traffic()

    assert _read(url, 100, 50) == SMALL[100:150]
    moved = empiarreader.traffic() - before
    (request,) = archive.requests()
    assert (request.status, request.range, request.body_bytes_sent) == (206, "bytes=100-149", 50)
    assert (moved.requests, moved.bytes_received, moved.retries) == (1, 50, 0)


def test_every_request_says_who_asks_and_wants_no_compression(archive: Archive) -> None:
    _read(_serve(archive, SMALL), 0, 10)
    headers = archive.requests()[0].headers

    assert headers["User-Agent"].startswith(f"empiarreader/{empiarreader.__version__} (+https://")
    assert "contact" in headers["User-Agent"]
    assert headers["Accept-Encoding"] == "identity"


def test_a_file_that_is_shorter_than_the_range_gives_what_there_is(archive: Archive) -> None:
    url = _serve(archive, b"short")
    version, count = fetch_range(url, 0, memoryview(bytearray(1024)))

    assert (version.size, count) == (5, 5)
    assert version.etag is not None


def test_a_large_read_moves_in_parts_of_a_mebibyte_at_once(archive: Archive) -> None:
    body = _big(10 * MIB)
    url = _serve(archive, body)
    archive.shape(latency_seconds=0.01)
    version, _ = fetch_range(url, 0, memoryview(bytearray(1)))
    view = bytearray(9 * MIB)
    fetch_spans(url, [(MIB, 9 * MIB)], memoryview(view), known=version)
    parts = archive.requests()[1:]

    assert bytes(view) == body[MIB:]
    assert len(parts) == 9
    assert sum(part.body_bytes_sent for part in parts) == 9 * MIB
    assert all(part.range and part.range.count("-") == 1 and "," not in part.range for part in parts)
    assert {part.headers["If-Range"] for part in parts} == {version.etag}


def test_from_near_by_few_connections_are_enough(archive: Archive) -> None:
    body = _big(10 * MIB)
    url = _serve(archive, body)
    for _ in range(8):
        version, _ = fetch_range(url, 0, memoryview(bytearray(1)))
    before = len(archive.requests())
    view = bytearray(9 * MIB)
    fetch_spans(url, [(MIB, 9 * MIB)], memoryview(view), known=version)

    assert bytes(view) == body[MIB:]
    assert len(archive.requests()) - before in {1, 9}  # nine where this machine was too busy to notice


def test_parts_move_side_by_side(archive: Archive) -> None:
    body = _big(8 * MIB)
    url = _serve(archive, body)
    archive.shape(latency_seconds=0.02, rate_bytes_per_second=4 * MIB)
    version, _ = fetch_range(url, 0, memoryview(bytearray(1)))
    began = perf_counter()
    fetch_spans(url, [(0, 8 * MIB)], memoryview(bytearray(8 * MIB)), known=version)

    assert perf_counter() - began < 1.5  # one connection needs 2 s; eight of them 0.3


def test_connections_are_kept_open(archive: Archive) -> None:
    url = _serve(archive, SMALL)
    for start in range(5):
        _read(url, start, 10)

    assert len(archive.requests()) == 5
    assert len({request.connection for request in archive.requests()}) == 1


def test_connections_are_kept_open_after_answers_without_a_body(archive: Archive) -> None:
    url = _serve(archive, SMALL)
    assert ask_version(url).size == len(SMALL)
    assert ask_version(url).etag is not None

    first, second = archive.requests()
    assert first.connection == second.connection


@pytest.mark.parametrize(("etag", "condition"), [('"strong"', '"strong"'), ('W/"weak"', "")])
def test_a_range_is_asked_for_on_condition_of_an_exact_version_only(
    archive: Archive, etag: str, condition: str
) -> None:
    """RFC 9110 allows no other in If-Range, and answers that are weaker are noticed all the same."""
    url = _serve(archive, SMALL)
    with pytest.raises(FileChangedError):
        fetch_range(url, 0, memoryview(bytearray(10)), known=FileVersion(size=len(SMALL), etag=etag))

    assert archive.requests()[-1].headers.get("If-Range", "") == condition


@given(total=st.integers(1, 10**12))
def test_parts_are_at_most_eight_mebibytes_and_at_least_one(total: int) -> None:
    assert MIB <= part_size(total) <= 8 * MIB


@given(
    wanted=st.lists(st.tuples(st.integers(0, 900), st.integers(0, 200)), max_size=8),
    nearby_bytes=st.integers(0, 50),
)
def test_spans_that_overlap_or_lie_near_each_other_move_once(
    wanted: list[tuple[int, int]], nearby_bytes: int
) -> None:
    joined = JoinedSpans(wanted, nearby_bytes)
    moved = memoryview(b"".join(SMALL[start : start + length] for start, length in joined.spans))

    assert joined.total_bytes == len(moved)
    assert [bytes(part) for part in joined.cut(moved)] == [SMALL[start : start + n] for start, n in wanted]
    gaps = [later[0] - sum(earlier) for earlier, later in pairwise(joined.spans)]
    assert all(gap > nearby_bytes for gap in gaps)


@given(
    spans=st.lists(st.tuples(st.integers(0, 16000), st.integers(0, 300)), max_size=5),
)
def test_several_spans_land_one_after_the_other(spans: list[tuple[int, int]]) -> None:
    from empiarreader.network.ranges import _split

    total = sum(length for _, length in spans)
    buffer = bytearray(total)
    covered = 0
    for start, view in _split(spans, memoryview(buffer), 1000):
        view[:] = SMALL[start : start + len(view)]
        covered += len(view)

    assert covered == total
    assert bytes(buffer) == b"".join(SMALL[start : start + length] for start, length in spans)


def test_a_file_is_whole_also_where_the_disk_takes_a_part_of_what_it_is_given(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    body, pwrite = _big(2 * MIB), os.pwrite
    url = _serve(archive, body)
    monkeypatch.setattr(os, "pwrite", lambda file, data, place: pwrite(file, data[:300_000], place))
    with (tmp_path / "a.mrc").open("wb") as file:
        fetch_file(url, file, known=ask_version(url))

    assert (tmp_path / "a.mrc").read_bytes() == body


@pytest.mark.parametrize("kind", ["drop", "wrong_length", "refuse", "html", "ignore_range", "gzip"])
def test_a_fault_that_passes_is_survived_with_the_right_bytes(archive: Archive, kind: str) -> None:
    url = _serve(archive, SMALL)
    archive.add_fault(kind, match="*a.mrc", times=2, after_bytes=7)

    assert _read(url, 5000, 300) == SMALL[5000:5300]


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_a_status_that_passes_is_survived(archive: Archive, status: int) -> None:
    url = _serve(archive, SMALL)
    archive.add_fault("status", status=status, times=1, retry_after="0")

    assert _read(url, 0, 4) == SMALL[:4]
    assert [request.status for request in archive.requests()] == [status, 206]


def test_a_server_that_asks_to_be_left_alone_is_left_alone(archive: Archive) -> None:
    url = _serve(archive, SMALL)
    archive.add_fault("status", status=429, times=1, retry_after="1")
    began = perf_counter()
    _read(url, 0, 4)

    assert perf_counter() - began >= 1.0


def test_a_server_that_asks_for_an_hour_is_not_waited_for(archive: Archive) -> None:
    url = _serve(archive, SMALL)
    archive.add_fault("status", status=503, times=None, retry_after="3600")

    with pytest.raises(ServiceError, match="status 503") as refused:
        _read(url, 0, 4)
    assert refused.value.status == 503
    assert refused.value.retry_after_seconds == 3600
    assert "3600 s" in refused.value.__notes__[0]
    assert len(archive.requests()) == 1


@pytest.mark.parametrize("status", [400, 401, 403, 418])
def test_a_refusal_is_not_asked_again(archive: Archive, status: int) -> None:
    url = _serve(archive, SMALL)
    archive.add_fault("status", status=status, times=None)

    with pytest.raises(ServiceError, match=f"status {status}"):
        _read(url, 0, 4)
    assert len(archive.requests()) == 1


@pytest.mark.parametrize("after_bytes", [0, 100])
def test_a_stall_is_asked_for_again_after_the_usual_silence(archive: Archive, after_bytes: int) -> None:
    url = _serve(archive, SMALL)
    for start in range(8):
        _read(url, start, 10)
    archive.add_fault("stall", match="*a.mrc", times=1, after_bytes=after_bytes)
    before = empiarreader.traffic()
    began = perf_counter()

    assert _read(url, 0, 5000) == SMALL[:5000]
    assert perf_counter() - began < 10  # the time-out that is set is 30 s
    moved = empiarreader.traffic() - before
    assert (moved.hedges, moved.stalls, moved.retries, moved.requests) == (1, 1, 0, 2)
    again = archive.requests()[-1]
    assert (again.range, again.body_bytes_sent) == (f"bytes={after_bytes}-4999", 5000 - after_bytes)


def test_a_silent_server_is_given_up_in_the_end(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMPIARREADER_TIMEOUT", "0.2")
    url = _serve(archive, SMALL)
    archive.add_fault("stall", match="*a.mrc", times=None)

    with pytest.raises(ServiceError, match="stopped answering"):
        _read(url, 0, 10)
    assert 5 <= len(archive.requests("*a.mrc")) <= 7  # and two more, when the first is late


def test_no_server_is_told_from_no_file(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ArchiveFileNotFoundError, match="nothing at"):
        _read(archive.url(HOST, "pub/none.mrc"), 0, 10)
    with pytest.raises(ServiceError, match="is there a network"):
        _read("http://127.0.0.1:9/a.mrc", 0, 10)
    with pytest.raises(ServiceError, match="is there a network"):
        _read("http://no-such-host.invalid/a.mrc", 0, 10)


def test_a_server_that_ignores_ranges_is_not_drained_for_a_frame(archive: Archive) -> None:
    url = _serve(archive, _big(20 * MIB))
    archive.add_fault("ignore_range", times=None)

    with pytest.raises(ServiceError, match="ignores ranges"):
        _read(url, 15 * MIB, 1000)
    assert sum(request.body_bytes_sent for request in archive.requests()) < 30 * MIB  # 5 whole ones: 100


def test_a_server_that_ignores_ranges_still_serves_what_is_near_the_beginning(archive: Archive) -> None:
    body = _big(20 * MIB)
    url = _serve(archive, body)
    archive.add_fault("ignore_range", times=None)

    assert _read(url, 1000, 5000) == body[1000:6000]
    assert len(archive.requests()) == 1


def test_a_file_that_changes_between_two_ranges_is_an_error_and_never_a_mixture(archive: Archive) -> None:
    url = _serve(archive, SMALL, ETag='"one"')
    version, _ = fetch_range(url, 0, memoryview(bytearray(10)))
    _serve(archive, SMALL[::-1], ETag='"two"')

    with pytest.raises(FileChangedError, match="has changed since"):
        _read(url, 100, 10, known=version)


def test_a_change_is_noticed_by_the_date_alone(archive: Archive) -> None:
    old = "Mon, 07 Feb 2022 00:00:00 GMT"
    url = _serve(archive, SMALL)
    version = FileVersion(size=len(SMALL), etag=None, last_modified=old)

    with pytest.raises(FileChangedError):
        _read(url, 100, 10, known=version)


def test_a_file_that_became_shorter_is_noticed_by_its_size(archive: Archive) -> None:
    url = _serve(archive, SMALL[:5000])
    version = FileVersion(size=len(SMALL))

    with pytest.raises(FileChangedError):
        _read(url, 100, 10, known=version)
    with pytest.raises(DamagedDataError, match="ends before byte"):
        _read(url, 9000, 10, known=version)


@pytest.mark.parametrize(
    ("stated", "length", "message"),
    [
        ("bytes 99-199/1000", 101, "came with bytes 99-199"),
        ("bytes 101-199/1000", 99, "came with bytes 101-199"),
        ("bytes 100-198/1000", 99, "came with bytes 100-198"),
        ("bytes 100-200/1000", 101, "came with bytes 100-200"),
        ("bytes 100-149/150", 50, None),  # the file ends there
        ("bytes 100-199/1000", 99, "comes with 99 of 100 bytes"),
        ("bytes 100-199/1000", 100, None),
    ],
)
def test_another_range_than_the_one_asked_for_is_refused(
    stated: str, length: int, message: str | None
) -> None:
    headers = Headers([("Content-Range", stated), ("Content-Length", str(length))])
    answer = Head("https://host/a.mrc", 206, headers)
    if message is None:
        assert accept(answer, 100, 100, None).length == length
    else:
        with pytest.raises(ServiceError, match=message):
            accept(answer, 100, 100, None)


def test_an_empty_file_is_damaged(archive: Archive) -> None:
    with pytest.raises(DamagedDataError, match="empty"):
        _read(_serve(archive, b""), 0, 1024)


def test_a_gz_file_that_is_called_encoded_comes_as_it_is(archive: Archive) -> None:
    body = b"\x1f\x8b" + SMALL
    url = _serve(archive, body, "pub/a.map.gz")
    archive.add_fault("gzip", times=None)

    assert _read(url, 0, 100) == body[:100]


def test_a_bz2_file_that_is_called_gzip_was_packed_once_more_and_is_asked_for_again(archive: Archive) -> None:
    url = _serve(archive, SMALL, "pub/a.mrc.bz2")
    archive.add_fault("gzip", times=1)
    assert _read(url, 0, 100) == SMALL[:100]
    archive.add_fault("gzip", times=None)

    with pytest.raises(ServiceError, match="came compressed"):
        _read(url, 0, 100)


@pytest.mark.parametrize("kind", ["html", "gzip", "wrong_length", "drop"])
def test_a_fault_that_stays_is_an_error_of_the_service(archive: Archive, kind: str) -> None:
    url = _serve(archive, SMALL)
    archive.add_fault(kind, times=None, after_bytes=3)

    with pytest.raises(ServiceError) as refused:
        _read(url, 5000, 300)
    assert refused.value.retryable
    assert len(archive.requests()) == 5


def test_one_part_that_fails_fails_the_whole_and_leaves_nobody_writing(archive: Archive) -> None:
    body = _big(6 * MIB)
    url = _serve(archive, body)
    archive.shape(latency_seconds=0.01)
    version, _ = fetch_range(url, 0, memoryview(bytearray(1)))
    archive.add_fault("status", status=403, times=None, every=4)
    buffer = bytearray(6 * MIB)
    with pytest.raises(ServiceError, match="403"):
        fetch_spans(url, [(0, 6 * MIB)], memoryview(buffer), known=version)
    after = bytes(buffer)
    count = len(archive.requests())
    _serve(archive, SMALL, "pub/other.mrc")

    assert bytes(buffer) == after
    assert len(archive.requests()) == count


def test_many_threads_read_at_once(archive: Archive) -> None:
    body = _big(3 * MIB)
    url = _serve(archive, body)
    version, _ = fetch_range(url, 0, memoryview(bytearray(1)))

    def read(start: int) -> bool:
        buffer = bytearray(2 * MIB)
        fetch_spans(url, [(start, 2 * MIB)], memoryview(buffer), known=version)
        return bytes(buffer) == body[start : start + 2 * MIB]

    with ThreadPoolExecutor(24) as threads:
        assert all(threads.map(read, range(0, 24 * 1000, 1000)))


def test_a_redirect_is_followed_on_the_same_host_only() -> None:
    from empiarreader.network.transport import redirected

    here = "https://host/a.mrc"
    assert redirected(here, "/b.mrc") == "https://host/b.mrc"
    for location in ("https://elsewhere/b.mrc", "http://host/b.mrc", "file:///etc/passwd", ""):
        with pytest.raises(ServiceError):
            redirected(here, location)
    with pytest.raises(ArchiveFileNotFoundError, match="is a directory"):
        redirected(here, "/a.mrc/")


def test_a_directory_asked_for_as_a_file_is_called_one(archive: Archive) -> None:
    archive.add_file(HOST, "pub/folder/a.mrc", SMALL)

    with pytest.raises(ArchiveFileNotFoundError, match="is a directory"):
        _read(archive.url(HOST, "pub/folder"), 0, 10)


@pytest.mark.parametrize("url", ["ftp://host/a", "http://", "http://[::1", "x", "http://a b/", "http://h:x/"])
def test_what_is_no_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidRequestError, match="is no address"):
        _read(url, 0, 10)


def test_a_proxy_of_the_environment_is_used(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    archive.add_file(HOST, "pub/a.mrc", SMALL)
    monkeypatch.setenv("http_proxy", archive.base_url)
    monkeypatch.setenv("no_proxy", "localhost")

    assert _read(f"http://{HOST}/pub/a.mrc", 0, 10) == SMALL[:10]


def test_versions_travel_between_processes() -> None:
    version = FileVersion(size=5, etag='"x"')

    assert pickle.loads(pickle.dumps(version)) == version
    assert version.differs_from(FileVersion(size=6))
    assert not version.differs_from(FileVersion(size=5))
