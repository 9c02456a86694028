"""The benchmarks of reading the archive run, small and without peers; nothing is said of seconds."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks import (
    bench_empiar_catalogue,
    bench_empiar_frame,
    bench_empiar_listing,
    bench_empiar_tiff,
)


def test_a_frame_is_raced_for(tmp_path: Path) -> None:
    table = bench_empiar_frame.measure(tmp_path, frames=12, edge=32, times=1, with_peers=False)

    assert [(row[0], row[1]) for row in table.rows] == [
        ("loopback", "empiarreader"),
        ("loopback", "curl, exact range"),
    ]


def test_the_second_time_a_page_takes_few_requests(tmp_path: Path) -> None:
    table = bench_empiar_tiff.measure(tmp_path, pages=12, shape=(64, 80), times=2, with_peers=False)
    _, known = table.rows

    assert known[0] == "empiarreader, layout known"
    assert int(known[1]) <= 3


def test_directories_are_listed(tmp_path: Path) -> None:
    table = bench_empiar_listing.measure(tmp_path, names=100, directories=5, times=1, with_peers=False)

    assert [row[1] for row in table.rows] == [
        "empiarreader",
        "empiarreader",
        "ideal of 16 connections",
    ]


def test_a_catalogue_takes_a_request_for_250_numbers(tmp_path: Path) -> None:
    table = bench_empiar_catalogue.measure(tmp_path, entries=60, times=1)
    first, later, *searches = table.rows

    assert [first[1], later[1]] == ["15", "7"]
    assert len(searches) == len(bench_empiar_catalogue.QUESTIONS)
