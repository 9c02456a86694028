"""Processes that torchrun starts share out an epoch: together they make what one process makes."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caked import Dataset, Loader, Recipe, StackSource
from caked.transforms import FourierCrop, GaussianNoise, RandomFlip, RandomRotation, Standardise
from mrc_vectors import mrc_bytes

pytestmark = pytest.mark.full  # four fresh interpreters with torch

SCRIPT = """
import hashlib, json, sys
import torch.distributed as distributed
from caked import Loader, Recipe

def told(batches):
    return [
        [name, hashlib.sha256(image.numpy().tobytes()).hexdigest()]
        for batch in batches for name, image in zip(batch["name"], batch["image"])
    ]

def loader(workers):
    return Loader(dataset, batch_size=2, shuffle=True, num_workers=workers)

if __name__ == "__main__":
    distributed.init_process_group("gloo")
    rank = distributed.get_rank()
    dataset = Recipe.load(sys.argv[1]).datasets()["all"]
    first = loader(rank)  # one rank reads itself, the other with a worker
    batches = iter(first)
    found = [told([next(batches), next(batches)])]
    state = first.state_dict()
    second = loader(1 - rank)
    second.load_state_dict(state)
    found[0] += told(second)
    found.append(told(second))
    everyone = [None] * distributed.get_world_size()
    distributed.all_gather_object(everyone, found)
    if rank == 0:
        print(json.dumps(everyone))
    distributed.destroy_process_group()
"""
STEPS = [RandomRotation(), RandomFlip(), FourierCrop(size=12), GaussianNoise(snr=[0.5, 2]), Standardise()]


def _told(batches: Any) -> list[list[str]]:
    return [
        [name, hashlib.sha256(image.numpy().tobytes()).hexdigest()]
        for batch in batches
        for name, image in zip(batch["name"], batch["image"], strict=True)
    ]


def test_ranks_of_torchrun_that_stop_in_the_middle_make_what_one_process_makes(tmp_path: Path) -> None:
    images = np.random.default_rng(0).normal(size=(18, 16, 16)).astype(np.float32)
    (tmp_path / "a_1.mrcs").write_bytes(mrc_bytes(images))
    recipe = Recipe(source=StackSource(tmp_path), labels="prefix", transforms=STEPS, seed=4)
    recipe.save(tmp_path / "recipe.json")
    (tmp_path / "script.py").write_text(SCRIPT)
    dataset: Dataset = recipe.datasets()["all"]
    alone = Loader(dataset, batch_size=4, shuffle=True)
    expected = [_told(alone), _told(alone)]

    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2"]
    script = [tmp_path / "script.py", tmp_path / "recipe.json"]
    done = subprocess.run(
        [*torchrun, *script],
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    ranks = json.loads(done.stdout.splitlines()[-1])

    assert len(ranks) == 2
    for epoch in range(2):
        first, second = (rank[epoch] for rank in ranks)
        assert len(first) == len(second) == 9
        together = [sample for pair in zip(first, second, strict=True) for sample in pair]
        assert together == expected[epoch]
