"""How fast do processed images reach a training loop, beside the published caked?"""

from __future__ import annotations

import sys
from pathlib import Path

from published import originals
from tests.benchmarks.bench_reading import FLOOR, TIMED, write_files
from tests.benchmarks.tables import Table, run_script

PUBLISHED = """
import sys, time, warnings, torch
torch.set_num_threads(1)
warnings.simplefilter("ignore")
from caked.dataloader import DiskDataLoader
loader = DiskDataLoader(training=False, transformations=sys.argv[3].split(","))
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
from caked.transforms import FourierCrop, GaussianBlur, MinMax, Standardise
known = {"shiftmin": MinMax(), "gaussianblur": GaussianBlur(sigma=1.0), "normalise": Standardise()}
steps = [known.get(word) or FourierCrop(size=int(word.split("=")[1])) for word in sys.argv[3].split(",")]
dataset = caked.Dataset(caked.FileSource(sys.argv[1]), labels="prefix", transform=steps)
batches = caked.Loader(dataset, batch_size=32, shuffle=True)
def epoch():
    for batch in batches:
        pass
"""
VALUES = "shiftmin,gaussianblur,normalise"


def measure(
    folder: Path,
    *,
    count: int = 512,
    times: int = 5,
    with_originals: bool = True,
    with_volumes: bool = True,
) -> Table:
    """Samples a second of one epoch with min-max, blur, standardise and rescale, in either order."""
    table = Table(
        "How fast do processed images reach a training loop?",
        ["data", "reader", "steps", "samples/s", "of the published"],
    )
    sizes = (("128²", count, (128, 128), 64), ("64³", max(8, count // 8), (64, 64, 64), 32))
    for name, number, shape, size in sizes[: 1 + with_volumes]:
        files = write_files(folder / name, number, shape)
        first, last = f"rescale={size},{VALUES}", f"{VALUES},rescale={size}"
        readers = {
            ("numpy.fromfile + torch.stack", "none"): (sys.executable, FLOOR),
            ("caked, FileSource", first): (sys.executable, OURS),
            ("caked, FileSource", last): (sys.executable, OURS),
            ("caked, DiskDataLoader", first): (sys.executable, PUBLISHED),
        }
        if with_originals:
            readers["caked 0.1.7", first] = (str(originals() / "python"), PUBLISHED)
        best = dict.fromkeys(readers, float("inf"))
        for _ in range(times):  # in turn, so that a noisy machine is fair to all
            for (reader, steps), (python, script) in readers.items():
                seconds = float(run_script(python, script + TIMED, str(files), "1", steps))
                best[reader, steps] = min(best[reader, steps], seconds)
        for (reader, steps), seconds in best.items():
            ratio = f"{best['caked 0.1.7', first] / seconds:.1f}" if with_originals else "-"
            table.rows.append([f"{number} × {name}", reader, steps, f"{number / seconds:,.0f}", ratio])
    table.notes = (
        "Batches of 32, one thread, files in the page cache; best of five, in turn. caked 0.1.7 rescales "
        "first whatever it is told, by splines that alias, blurs volumes in two of three axes with another "
        "strength each time, and `normalise` does nothing there."
    )
    return table
