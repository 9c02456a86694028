"""How fast do particles reach a training loop by way of their STAR file, beside cryoDRGN's lazy reader?"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from published import cryodrgn
from tests.benchmarks.tables import Table, run_script

ORDER = """
import sys, time, numpy as np, torch
torch.set_num_threads(1)
folder, count = sys.argv[1], int(sys.argv[2])
def batches(epoch):
    order = np.random.default_rng(epoch).permutation(count)
    return [order[start:start + 32] for start in range(0, count, 32)]
"""
STACK = (
    ORDER
    + """
import caked
dataset = caked.Dataset(caked.StackSource(folder), non_finite="keep")
def epoch(k):
    for batch in batches(k):
        dataset.batch(batch)
"""
)
PARTICLES = (
    ORDER
    + """
import caked
dataset = caked.Dataset(caked.ParticleSource(folder + "/particles.star"), non_finite="keep")
def epoch(k):
    for batch in batches(k):
        dataset.batch(batch)
"""
)
CRYODRGN = (
    ORDER
    + """
from cryodrgn.source import ImageSource
source = ImageSource.from_file(folder + "/particles.star", lazy=True, datadir=folder)
def epoch(k):
    for batch in batches(k):
        source.images(np.sort(batch))
"""
)
TIMED = """
epoch(0)
start = time.perf_counter()
epoch(1)
print(time.perf_counter() - start)
"""


def _particles(folder: Path, count: int) -> Path:
    """Images in stacks of 500, and a STAR file with pose, shift and CTF of each."""
    import mrcfile

    folder.mkdir(parents=True)
    generator = np.random.default_rng(0)
    rows = []
    for first in range(0, count, 500):
        number = min(500, count - first)
        with mrcfile.new(folder / f"{first:05d}.mrcs") as mrc:
            mrc.set_data(generator.normal(size=(number, 128, 128)).astype(np.float32))
            mrc.set_image_stack()
        rows += [
            f"{k + 1}@{first:05d}.mrcs m{first} 1 {12000 + k} {12500 + k} 10 20 30 1.5 -2.5"
            for k in range(number)
        ]
    columns = ["ImageName", "MicrographName", "OpticsGroup", "DefocusU", "DefocusV"]
    columns += ["AngleRot", "AngleTilt", "AnglePsi", "OriginXAngst", "OriginYAngst"]
    head = "\n".join(f"_rln{column}" for column in columns)
    optics = (
        "data_optics\nloop_\n_rlnOpticsGroup\n_rlnVoltage\n_rlnImagePixelSize\n_rlnImageSize\n1 300 1.5 128\n"
    )
    (folder / "particles.star").write_text(
        f"{optics}\ndata_particles\nloop_\n{head}\n" + "\n".join(rows) + "\n"
    )
    return folder


def measure(folder: Path, *, count: int = 5000, times: int = 5, with_others: bool = True) -> Table:
    """Samples a second of one epoch in random order: 128², batches of 32, one thread."""
    particles = _particles(folder / "particles", count)
    readers = {
        "caked, StackSource": (sys.executable, STACK),
        "caked, ParticleSource": (sys.executable, PARTICLES),
    }
    if with_others:
        readers["cryoDRGN 4.3.1, lazy"] = (str(cryodrgn() / "python"), CRYODRGN)
    best = dict.fromkeys(readers, float("inf"))
    for _ in range(times):  # in turn, so that a noisy machine is fair to all
        for reader, (python, script) in readers.items():
            seconds = float(run_script(python, script + TIMED, str(particles), str(count)))
            best[reader] = min(best[reader], seconds)
    table = Table(
        "How fast do particles reach a training loop?", ["reader", "samples/s", "of reading stacks alone"]
    )
    for reader, seconds in best.items():
        table.rows.append([reader, f"{count / seconds:,.0f}", f"{best['caked, StackSource'] / seconds:.2f}"])
    table.notes = (
        f"{count:,} particles of 128² in stacks of 500, random batches of 32, one thread, files in the page "
        f"cache; best of {times}, in turn. ParticleSource gives pose, shift and CTF with the images; "
        "cryoDRGN's reader the images alone, sorted within a batch."
    )
    return table
