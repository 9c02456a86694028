"""The benchmark of downloads, small and untimed."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks.bench_downloads import Race, measure


def test_downloads_are_raced_for(tmp_path: Path) -> None:
    races = [Race(5, 2000, False, ()), Race(1, 3_000_000, False, ())]
    table = measure(tmp_path, races=races, times=1)

    assert [row[1] for row in table.rows] == ["empiarreader", "empiarreader download"] * 2
    assert [row[0] for row in table.rows[::2]] == ["5 x 2 kB, plain", "1 x 3 MiB, plain"]
