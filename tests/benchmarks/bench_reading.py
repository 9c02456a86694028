"""How fast do images reach a training loop, beside the published caked and beside bare numpy?"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from published import originals
from tests.benchmarks.tables import Table, run_script

FLOOR = """
import sys, time, pathlib, numpy as np, torch
torch.set_num_threads(1)
paths = sorted(pathlib.Path(sys.argv[1]).iterdir())
def epoch():
    for start in range(0, len(paths), 32):
        batch = [np.fromfile(path, np.float32, offset=1024) for path in paths[start:start + 32]]
        torch.stack([torch.from_numpy(image) for image in batch])
"""
PUBLISHED = """
import sys, time, torch
torch.set_num_threads(1)
from caked.dataloader import DiskDataLoader
loader = DiskDataLoader(training=False)
loader.load(datapath=sys.argv[1], datatype="mrc")
batches = loader.get_loader(batch_size=32)
def epoch():
    for images, labels in batches:
        pass
"""
OURS = """
import sys, time, torch
torch.set_num_threads(1)
import caked
dataset = caked.Dataset(caked.FileSource(sys.argv[1]), labels="prefix")
batches = caked.Loader(dataset, batch_size=32, shuffle=True)
def epoch():
    for batch in batches:
        pass
"""
TIMED = """
epoch()
times = []
for _ in range(int(sys.argv[2])):
    start = time.perf_counter()
    epoch()
    times.append(time.perf_counter() - start)
print(min(times))
"""


def write_files(folder: Path, count: int, shape: tuple[int, ...]) -> Path:
    """Write noise of four classes as MRC files."""
    import mrcfile

    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    for i in range(count):
        with mrcfile.new(folder / f"class{i % 4}_{i:04d}.mrc") as mrc:
            mrc.set_data(generator.normal(size=shape).astype(np.float32))
    return folder


def measure(folder: Path, *, count: int = 512, times: int = 5, with_originals: bool = True) -> Table:
    """Samples a second of one epoch: 128² images and 64³ volumes, batches of 32, one thread."""
    table = Table(
        "How fast do images reach a training loop?",
        ["data", "reader", "samples/s", "of the published"],
    )
    for name, number, shape in (("128²", count, (128, 128)), ("64³", max(8, count // 8), (64, 64, 64))):
        files = write_files(folder / name, number, shape)
        readers = {
            "numpy.fromfile + torch.stack": (sys.executable, FLOOR),
            "caked, FileSource": (sys.executable, OURS),
            "caked, DiskDataLoader": (sys.executable, PUBLISHED),
        }
        if with_originals:
            readers["caked 0.1.7"] = (str(originals() / "python"), PUBLISHED)
        best = dict.fromkeys(readers, float("inf"))
        for _ in range(times):  # in turn, so that a noisy machine is fair to all
            for reader, (python, script) in readers.items():
                best[reader] = min(best[reader], float(run_script(python, script + TIMED, str(files), "1")))
        for reader, seconds in best.items():
            ratio = f"{best['caked 0.1.7'] / seconds:.1f}" if with_originals else "-"
            table.rows.append([f"{number} × {name}", reader, f"{number / seconds:,.0f}", ratio])
    table.notes = "Batches of 32, no transforms, one thread, files in the page cache; best of five, in turn."
    return table
