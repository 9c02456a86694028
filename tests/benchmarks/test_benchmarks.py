"""The benchmarks run, small and without the published originals; nothing is said of seconds."""

from __future__ import annotations

from pathlib import Path

from tests.benchmarks import (
    bench_gpu,
    bench_imports,
    bench_one_frame,
    bench_particles,
    bench_reading,
    bench_transforms,
)


def test_imports_are_measured() -> None:
    table = bench_imports.measure(times=1, with_originals=False)

    assert [row[0] for row in table.rows] == ["profet", "empiarreader", "caked"]


def test_one_frame_moves_that_frame_and_the_header(tmp_path: Path) -> None:
    table = bench_one_frame.measure(tmp_path, frames=4, edge=64, times=1, with_originals=False)

    _, requests, _, ratio, _ = table.rows[0]
    assert int(requests) <= 3
    assert float(ratio) <= (64 * 64 * 4 + 1024) / (64 * 64 * 4) + 1e-4


def test_reading_is_measured(tmp_path: Path) -> None:
    table = bench_reading.measure(tmp_path, count=64, times=1, with_originals=False)

    assert len(table.rows) == 6
    assert "| 64 × 128² | caked, FileSource |" in table.markdown()


def test_particles_are_measured(tmp_path: Path) -> None:
    table = bench_particles.measure(tmp_path, count=128, times=1, with_others=False)

    assert [row[0] for row in table.rows] == ["caked, StackSource", "caked, ParticleSource"]


def test_transforms_are_measured(tmp_path: Path) -> None:
    table = bench_transforms.measure(tmp_path, count=64, times=1, with_originals=False, with_volumes=False)

    assert [row[1] for row in table.rows] == [
        "numpy.fromfile + torch.stack",
        "caked, FileSource",
        "caked, FileSource",
        "caked, DiskDataLoader",
    ]


def test_augmentation_is_measured() -> None:
    sizes = {"4 × 32²": (4, 1, 32, 32), "2 × 16³": (2, 1, 16, 16, 16)}
    table = bench_gpu.measure(times=1, sizes=sizes, device="cpu")

    assert [row[:2] for row in table.rows if row[1] == "caked"] == [[size, "caked"] for size in sizes]
