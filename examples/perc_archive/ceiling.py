"""How fast the archive itself is, so that a benchmark knows what it measures."""

from __future__ import annotations

import http.client
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from perc_archive.archive import Archive

_PART = 8 << 20
_HOST = "ftp.ebi.ac.uk"
_NAME = "ceiling.bin"


def measure(size_bytes: int = 1 << 30) -> Iterator[str]:
    """Lines of a small table, each as soon as it is known. With 1 GiB it takes about ten seconds."""
    title = f"{size_bytes >> 30} GiB" if size_bytes >> 30 else f"{size_bytes >> 20} MiB"
    with tempfile.TemporaryDirectory() as scratch, Archive(ftp=False) as archive:
        path = Path(scratch, _NAME)
        with path.open("wb") as file:
            file.truncate(size_bytes)
        archive.add_file(_HOST, _NAME, path)
        archive.add_file(_HOST, "small.bin", bytes(10_000))
        read = partial(_download, archive, size_bytes)
        read(connections=1, part=size_bytes)  # the first run after a pause is slower
        for connections in (1, 4):
            seconds = min(read(connections=connections, part=64 << 20) for _ in range(2))
            count = f"{connections} connection{'s' * (connections > 1)}"
            yield f"{title}, {count}, no limit: {seconds:.2f} s, {size_bytes / seconds / 1e9:.2f} GB/s"
        requests, seconds = _small_requests(archive, connections=4)
        yield f"10 kB files, 4 connections kept alive: {requests / seconds:.0f} requests/s"
        archive.shape(latency_seconds=0.05, rate_bytes_per_second=20e6)
        seconds = read(connections=16, part=_PART)
        ideal = _ideal(size_bytes, connections=16)
        link = "16 connections at 20 MB/s and 50 ms, 8 MiB parts"
        yield f"{title}, {link}: {seconds:.2f} s (ideal {ideal:.2f} s)"


def _ideal(size_bytes: int, *, connections: int) -> float:
    """Seconds for the busiest connection at 20 MB/s and 50 ms: one round trip a part, one to connect."""
    parts = -(-size_bytes // _PART)
    rounds = -(-parts // connections)
    return rounds * (min(_PART, size_bytes) / 20e6 + 0.05) + 0.05


def _download(archive: Archive, size_bytes: int, *, connections: int, part: int) -> float:
    """Seconds to read the whole file in ranges over so many connections."""
    starts = iter(range(0, size_bytes, part))
    lock = threading.Lock()

    def work() -> None:
        buffer = bytearray(1 << 20)
        connection = _connect(archive)
        while True:
            with lock:
                start = next(starts, None)
            if start is None:
                break
            connection.request(
                "GET", f"/{_HOST}/{_NAME}", headers={"Range": f"bytes={start}-{start + part - 1}"}
            )
            answer = connection.getresponse()
            while answer.readinto(buffer):
                pass
        connection.close()

    begun = time.perf_counter()
    with ThreadPoolExecutor(connections) as pool:
        for done in [pool.submit(work) for _ in range(connections)]:
            done.result()
    return time.perf_counter() - begun


def _small_requests(archive: Archive, *, connections: int) -> tuple[int, float]:
    each = 1000

    def work() -> None:
        connection = _connect(archive)
        for _ in range(each):
            connection.request("GET", f"/{_HOST}/small.bin")
            connection.getresponse().read()
        connection.close()

    begun = time.perf_counter()
    with ThreadPoolExecutor(connections) as pool:
        for done in [pool.submit(work) for _ in range(connections)]:
            done.result()
    return each * connections, time.perf_counter() - begun


def _connect(archive: Archive) -> http.client.HTTPConnection:
    address = archive.base_url.removeprefix("http://")
    return http.client.HTTPConnection(address, timeout=60)
