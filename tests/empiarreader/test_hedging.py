"""What is late is asked for twice: the right bytes, soon, at a bounded cost, and nobody writes afterwards."""

from __future__ import annotations

import itertools
import socket
import threading
import time
from collections.abc import Callable, Iterator
from time import perf_counter

import numpy as np
import pytest

import empiarreader
from empiarreader import FileChangedError, ServiceError
from empiarreader.network.ranges import FileVersion, fetch_range, fetch_spans
from empiarreader.network.transport import open_answer
from perc_archive import Archive

HOST = "ftp.ebi.ac.uk"
MIB = 1024 * 1024
BODY = np.random.default_rng(7).bytes(4 * MIB)
Turn = Callable[[socket.socket, int, int], None]
OK = (
    b"HTTP/1.1 206 Partial Content\r\nETag: %s\r\nContent-Length: %d\r\nContent-Range: bytes %d-%d/%d\r\n\r\n"
)


class Server:
    """A server that answers the n-th request as a function of the test says, and notes who hangs up."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.numbers = itertools.count()
        self.hung_up = threading.Event()
        self.listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}/a.mrc"

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection:
            while True:
                head = b""
                while b"\r\n\r\n" not in head:
                    try:
                        piece = connection.recv(65536)
                    except OSError:
                        piece = b""
                    if not piece:
                        return
                    head += piece
                wanted = head.partition(b"bytes=")[2].partition(b"\r")[0].decode()
                first, _, last = wanted.partition("-")
                number = next(self.numbers)
                turn = self.turns[number] if number < len(self.turns) else answer
                try:
                    turn(connection, int(first), int(last))
                except OSError:
                    self.hung_up.set()
                    return


def _head(first: int, last: int, etag: bytes = b'"1"') -> bytes:
    return OK % (etag, last - first + 1, first, last, len(BODY))


def answer(connection: socket.socket, first: int, last: int) -> None:
    connection.sendall(_head(first, last) + BODY[first : last + 1])


def wait_for_hang_up(connection: socket.socket) -> None:
    """Send nothing until the client has closed the connection."""
    connection.settimeout(20)
    if connection.recv(1) == b"":
        raise OSError


def stall(connection: socket.socket, first: int, last: int) -> None:
    wait_for_hang_up(connection)


def drip(connection: socket.socket, first: int, last: int) -> None:
    connection.sendall(_head(first, last))
    for place in range(first, last + 1):
        connection.sendall(BODY[place : place + 1])
        time.sleep(0.02)


@pytest.fixture
def server() -> Iterator[Server]:
    serving = Server()
    for k in range(6):  # so that the usual time of an answer is known
        _read(serving.url, k * 10, 10)
    serving.numbers = itertools.count()
    yield serving
    serving.listener.close()


def _read(url: str, start: int, length: int, known: FileVersion | None = None) -> bytes:
    buffer = bytearray(length)
    _, count = fetch_range(url, start, memoryview(buffer), known=known)
    return bytes(buffer[:count])


def _serve(archive: Archive, body: bytes) -> tuple[str, FileVersion]:
    archive.add_file(HOST, "pub/a.mrc", body)
    url = archive.url(HOST, "pub/a.mrc")
    return url, fetch_range(url, 0, memoryview(bytearray(10)))[0]


def test_the_connection_of_the_one_that_lost_is_closed(server: Server) -> None:
    server.turns = [stall]
    began = perf_counter()

    assert _read(server.url, 1000, 5000) == BODY[1000:6000]
    assert perf_counter() - began < 10  # the time-out that is set is 30 s
    assert server.hung_up.wait(1)


def test_a_second_request_that_hangs_too_is_followed_by_a_third(server: Server) -> None:
    server.turns = [stall, stall]
    began = perf_counter()

    assert _read(server.url, 1000, 5000) == BODY[1000:6000]
    assert perf_counter() - began < 10


def test_a_slow_drip_is_late_although_it_is_never_silent(server: Server) -> None:
    for _ in range(5):
        _read(server.url, 0, 100_000)  # so that the usual rate is known
    server.turns = [*[answer] * next(server.numbers), drip]
    began = perf_counter()

    assert _read(server.url, 1000, 200_000) == BODY[1000:201_000]
    assert perf_counter() - began < 3  # all of it would take an hour


def test_a_drip_of_which_nobody_looks_after_is_cut_off_too(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMPIARREADER_TIMEOUT", "0.3")
    server.turns = [drip]
    began = perf_counter()

    with (
        open_answer("GET", server.url, headers={"Range": "bytes=0-99999"}, statuses=(206,)) as slow,
        pytest.raises(ServiceError, match="bytes a second") as refused,
    ):
        slow.body(limit_bytes=10**6)
    assert refused.value.retryable
    assert perf_counter() - began < 10


def test_what_the_loser_brings_later_is_never_written(server: Server) -> None:
    others_came, sent = threading.Event(), threading.Event()

    def late_and_wrong(connection: socket.socket, first: int, last: int) -> None:
        connection.sendall(_head(first, last) + BODY[first : first + 100])
        others_came.wait(5)
        try:
            connection.sendall(b"\xff" * (last - first - 99))
        finally:
            sent.set()

    server.turns = [late_and_wrong]
    buffer = bytearray(100_000)
    fetch_range(server.url, 0, memoryview(buffer))
    others_came.set()
    assert sent.wait(5)
    time.sleep(0.05)

    assert bytes(buffer) == BODY[:100_000]


def test_two_answers_of_different_versions_are_never_mixed(server: Server) -> None:
    def begin_and_stall(connection: socket.socket, first: int, last: int) -> None:
        connection.sendall(_head(first, last, b'"old"') + b"\xff" * 50_000)
        wait_for_hang_up(connection)

    server.turns = [begin_and_stall]
    with pytest.raises(FileChangedError, match="open it again"):
        _read(server.url, 0, 100_000)


def test_a_server_that_is_slow_for_everybody_is_not_asked_twice(archive: Archive) -> None:
    url, version = _serve(archive, BODY * 4)
    for _ in range(8):
        _read(url, 0, 10)
    archive.shape(latency_seconds=0.7)
    before = empiarreader.traffic()
    view = bytearray(16 * MIB)
    fetch_spans(url, [(0, 16 * MIB)], memoryview(view), known=version)
    moved = empiarreader.traffic() - before

    assert bytes(view) == BODY * 4
    assert moved.hedges <= 2
    assert moved.bytes_received <= 18 * MIB


def test_an_archive_that_hangs_always_is_asked_a_bounded_number_of_times(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EMPIARREADER_TIMEOUT", "0.5")
    url, version = _serve(archive, BODY * 4)
    archive.add_fault("stall", times=None)
    before = len(archive.requests())
    with pytest.raises(ServiceError, match="stopped answering"):
        fetch_spans(url, [(0, 16 * MIB)], memoryview(bytearray(16 * MIB)), known=version)

    assert len(archive.requests()) - before <= 16 * 5 + 2 + 16 // 8


def test_a_server_that_asks_to_be_left_alone_gets_no_second_request(archive: Archive) -> None:
    url, _ = _serve(archive, BODY)
    for _ in range(8):
        _read(url, 0, 10)
    archive.add_fault("status", status=429, times=1, retry_after="1")
    before = len(archive.requests())

    assert _read(url, 0, 100) == BODY[:100]
    assert [request.status for request in archive.requests()[before:]] == [429, 206]


def test_a_version_that_changes_in_the_middle_is_an_error_and_never_pixels(server: Server) -> None:
    def changed(connection: socket.socket, first: int, last: int) -> None:
        connection.sendall(_head(first, last, b'"2"') + bytes(last - first + 1))

    version = FileVersion(size=len(BODY), etag='"1"')
    server.turns = [answer, answer, changed]
    spans = [(k * MIB, MIB) for k in range(4)]
    with pytest.raises(FileChangedError, match="open it again"):
        fetch_spans(server.url, spans, memoryview(bytearray(4 * MIB)), known=version)


@pytest.mark.parametrize("kind", ["drop", "ignore_range", "wrong_length", "gzip", "html", "status", "stall"])
def test_a_large_read_through_any_fault_now_and_then_is_right(archive: Archive, kind: str) -> None:
    url, version = _serve(archive, BODY * 4)
    for _ in range(8):
        _read(url, 0, 10)
    archive.add_fault(kind, times=None, every=5, after_bytes=300_000, status=503, retry_after="0")
    for _ in range(2):
        view = bytearray(16 * MIB)
        fetch_spans(url, [(0, 16 * MIB)], memoryview(view), known=version)

        assert bytes(view) == BODY * 4


def _seconds(read: Callable[[], object], times: int) -> list[float]:
    found = []
    for _ in range(times):
        began = perf_counter()
        read()
        found.append(perf_counter() - began)
    return sorted(found)


def test_three_stalls_in_a_hundred_cost_a_frame_half_a_second_at_most(archive: Archive) -> None:
    url, version = _serve(archive, BODY * 4)
    archive.shape(latency_seconds=0.02, rate_bytes_per_second=20e6)
    view = memoryview(bytearray(16 * MIB))

    def read() -> None:
        fetch_spans(url, [(0, 16 * MIB)], view, known=version)

    healthy = _seconds(read, 4)[1]
    archive.add_fault("stall", times=None, every=33, after_bytes=200_000)
    ill = _seconds(read, 10)

    assert bytes(view) == BODY * 4
    assert ill[-2] - healthy < 0.5


@pytest.mark.full
def test_three_stalls_in_a_hundred_cost_a_gibibyte_half_as_much_again_at_most(
    archive: Archive, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("stack") / "a.mrc"
    with path.open("wb") as file:
        file.truncate(2**30)  # sparse: takes no room on the disk
    archive.add_file(HOST, "pub/a.mrc", path)
    url = archive.url(HOST, "pub/a.mrc")
    version, _ = fetch_range(url, 0, memoryview(bytearray(10)))
    view = np.empty(2**30, np.uint8)
    archive.shape(latency_seconds=0.05, rate_bytes_per_second=20e6)

    def read() -> None:
        fetch_spans(url, [(0, 2**30)], view.data, known=version)

    def frame() -> None:
        fetch_range(url, 0, view[:1024].data)
        fetch_spans(url, [(1024, 16 * MIB)], view[: 16 * MIB].data, known=version)

    healthy, healthy_frame = min(_seconds(read, 2)), _seconds(frame, 11)[5]
    archive.add_fault("stall", times=None, every=33, after_bytes=500_000)
    before = empiarreader.traffic()
    view[:] = 1
    ill = _seconds(read, 2)[-1]
    moved = empiarreader.traffic() - before
    frames = _seconds(frame, 100)

    assert not view.any()
    assert ill < 1.5 * healthy
    assert moved.bytes_received < 1.1 * 2 * 2**30
    assert frames[94] - healthy_frame < 0.5
