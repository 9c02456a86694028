"""The benchmark of cleaning runs, small, on generated atoms; nothing is said of seconds."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks import bench_cleaning


def test_cleaning_is_measured_and_every_way_leaves_the_same_atoms(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PERC_REAL_DATA", raising=False)

    table = bench_cleaning.measure(tmp_path, atoms=5_000, times=1)

    assert [row[0].split(",")[0] for row in table.rows] == ["profet.clean", "gemmi", "biotite", "Biopython"]
