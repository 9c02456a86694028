"""profet's benchmarks run, small; requests are counted, and nothing is said of seconds."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks import bench_profet_fetching, bench_profet_install


def test_a_structure_is_one_request_then_none_then_only_confirmed(tmp_path: Path) -> None:
    table = bench_profet_fetching.measure(tmp_path, count=12, models=3, times=1)

    rows = {row[0]: row[2:] for row in table.rows}
    assert rows["profet, PDB entries"] == ["1.000", "0"]
    assert rows["profet, again"] == ["0.000", "0"]
    assert rows["profet, again with refresh"] == ["1.000", "12"]
    assert float(rows["profet, AlphaFold models"][0]) <= 2 + 1 / 3 + 0.01  # and one question to UniProt


def test_importing_profet_is_timed(tmp_path: Path) -> None:
    table = bench_profet_install.measure(tmp_path, times=1, with_originals=False)

    assert [row[0] for row in table.rows] == ["profet"]
