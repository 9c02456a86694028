"""Latency and rate, by ratios wide enough for a busy machine."""

from __future__ import annotations

import http.client
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from perc_archive import Archive

HOST = "ftp.ebi.ac.uk"


def seconds_for(archive: Archive, paths: list[str], *, new_connection: bool = False) -> float:
    """Time that it takes to read files one after the other over one connection, or over one each."""
    connection = http.client.HTTPConnection(archive.base_url.removeprefix("http://"), timeout=30)
    begun = time.perf_counter()
    for path in paths:
        connection.request("GET", f"/{HOST}/{path}")
        connection.getresponse().read()
        if new_connection:
            connection.close()
    connection.close()
    return time.perf_counter() - begun


def test_each_request_waits_for_a_round_trip_and_each_connection_for_one_more(archive: Archive) -> None:
    archive.add_file(HOST, "a", b"a")
    archive.shape(latency_seconds=0.05)
    kept = seconds_for(archive, ["a"] * 5)  # 5 + 1 round trips
    fresh = seconds_for(archive, ["a"] * 5, new_connection=True)  # 5 * 2
    assert 0.3 <= kept < 1.0
    assert fresh >= 0.5


def test_the_rate_is_kept_from_the_first_chunk_on(archive: Archive) -> None:
    archive.add_file(HOST, "a", bytes(400_000))
    archive.shape(rate_bytes_per_second=1e6)
    assert 0.4 <= seconds_for(archive, ["a"]) < 1.2
    # Paid before, not after: a small body costs its share too.
    archive.add_file(HOST, "small", bytes(50_000))
    assert 0.2 <= seconds_for(archive, ["small"] * 4) < 1.0


def test_the_rate_is_that_of_each_connection(archive: Archive) -> None:
    archive.add_file(HOST, "a", bytes(200_000))
    archive.shape(rate_bytes_per_second=1e6)
    begun = time.perf_counter()
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: seconds_for(archive, ["a"]), range(8)))
    assert 0.2 <= time.perf_counter() - begun < 1.4  # one after the other it would be 1.6


def test_bytes_from_memory_are_shaped_like_files(archive: Archive) -> None:
    archive.add_entry(10943, {}, {"title": "x" * 100_000})
    archive.shape(rate_bytes_per_second=5e5)
    begun = time.perf_counter()
    connection = http.client.HTTPConnection(archive.base_url.removeprefix("http://"), timeout=30)
    connection.request("GET", "/www.ebi.ac.uk/empiar/api/entry/10943/")
    body = connection.getresponse().read()
    connection.close()
    assert len(body) / 5e5 <= time.perf_counter() - begun < 3 * len(body) / 5e5


def test_shaping_of_the_start_is_what_clear_goes_back_to() -> None:
    with Archive(latency_seconds=0.05, ftp=False) as archive:
        archive.shape()
        archive.clear()
        archive.add_file(HOST, "a", b"a")
        assert seconds_for(archive, ["a"]) >= 0.1


@pytest.mark.parametrize("wrong", [{"latency_seconds": -1.0}, {"rate_bytes_per_second": 0.0}])
def test_links_that_cannot_be_are_refused(archive: Archive, wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="a link cannot have"):
        archive.shape(**wrong)
