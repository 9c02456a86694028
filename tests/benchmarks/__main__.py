"""Run the benchmarks side by side and write their tables: ``python -m tests.benchmarks``.

With names, such as ``python -m tests.benchmarks cleaning fetching``, those alone are measured and printed,
and the page stays as it is.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.benchmarks.tables import ROOT, Table

sys.path[:0] = [str(ROOT / "examples"), str(ROOT / "tests" / "support")]

PAGE = ROOT / "docs" / "reference" / "benchmarks.md"
HEAD = """# Benchmarks

Written by `make bench`. Seconds are those of the machine named below, which shares its processor with others:
read the ratios. Every reader ran in the same minutes, in turn, on the same data.

"""


def _measurements(folder: Path) -> dict[str, Callable[[], Table]]:
    import torch

    from tests.benchmarks import (
        bench_cleaning,
        bench_downloads,
        bench_empiar_catalogue,
        bench_empiar_frame,
        bench_empiar_listing,
        bench_empiar_tiff,
        bench_gpu,
        bench_imports,
        bench_one_frame,
        bench_particles,
        bench_profet_fetching,
        bench_profet_install,
        bench_reading,
        bench_transforms,
    )

    on_a_gpu = {"augmentation on a gpu": bench_gpu.measure} if torch.cuda.is_available() else {}
    return {
        "imports": bench_imports.measure,
        "one frame": lambda: bench_one_frame.measure(folder),
        "a frame of a gibibyte": lambda: bench_empiar_frame.measure(folder / "empiar"),
        "a page of a movie": lambda: bench_empiar_tiff.measure(folder / "empiar"),
        "downloads": lambda: bench_downloads.measure(folder / "downloads"),
        "listings": lambda: bench_empiar_listing.measure(folder / "listings"),
        "catalogue": lambda: bench_empiar_catalogue.measure(folder),
        "cleaning": lambda: bench_cleaning.measure(folder),
        "fetching": lambda: bench_profet_fetching.measure(folder / "fetching"),
        "installing profet": lambda: bench_profet_install.measure(folder),
        "particles": lambda: bench_particles.measure(folder),
        "reading": lambda: bench_reading.measure(folder),
        "transforms": lambda: bench_transforms.measure(folder / "transforms"),
        **on_a_gpu,
    }


def main(chosen: Sequence[str]) -> int:
    """Measure all and write the page, or measure those chosen and print them."""
    with tempfile.TemporaryDirectory() as folder:
        measurements = _measurements(Path(folder))
        unknown = [name for name in chosen if name not in measurements]
        if unknown:
            sys.stderr.write(f"there is no {unknown[0]!r}; there are {', '.join(measurements)}\n")
            return 2
        tables = []
        for name in chosen or measurements:
            sys.stderr.write(f"measuring {name} ...\n")
            tables.append(measurements[name]().markdown())
            sys.stderr.write(tables[-1] + "\n")
    if not chosen:
        machine = f"Python {platform.python_version()}, {os.cpu_count()} processors, {platform.system()}.\n\n"
        PAGE.write_text(HEAD + machine + "\n".join(tables))
        sys.stderr.write(f"wrote {PAGE.relative_to(ROOT)}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
