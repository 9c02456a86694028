"""What the tests of caked share: small folders of images, and a process of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from mrc_vectors import mrc_bytes

Images = NDArray[np.float32]
PUBLISHED_CLASSES = ["1b23", "1dfo", "1dkg", "1e3p"]


@pytest.fixture
def make_folder(tmp_path: Path) -> Callable[..., tuple[Path, Images]]:
    """Write one MRC file a name; gives the folder, and the images in the order of the names."""

    def make(
        names: Sequence[str],
        shape: tuple[int, ...] = (8, 8),
        *,
        folder: str = "data",
        seed: int = 0,
        voxel_size: tuple[float, float, float] = (1.0, 1.0, 1.0),
    ) -> tuple[Path, Images]:
        place = tmp_path / folder
        images = np.random.default_rng(seed).normal(size=(len(names), *shape)).astype(np.float32)
        for name, image in zip(names, images, strict=True):
            path = place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(mrc_bytes(image, ispg=int(image.ndim == 3), voxel_size=voxel_size))
        return place, images

    return make


@pytest.fixture
def run_python() -> Callable[[str], str]:
    """Run a piece of code in a fresh interpreter and return what it prints."""

    def run(code: str) -> str:
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


@pytest.fixture
def volumes(tmp_path: Path) -> Path:
    """Subtomograms as affinity-vae has them: .mrcs files of one volume each, ISPG 1, voxel size 0."""
    folder = tmp_path / "volumes"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for k in range(22):
        volume = generator.normal(size=(16, 16, 16)).astype(np.float32)
        content = mrc_bytes(volume, ispg=1, cell=(0.0, 0.0, 0.0))
        (folder / f"{PUBLISHED_CLASSES[k % 4]}_{k}-{7 * k}-{3 * k}.mrcs").write_bytes(content)
    (folder / "classes.csv").write_text("a,b\n")
    (folder / "test").mkdir()
    return folder


@pytest.fixture
def letters(tmp_path: Path) -> Path:
    folder = tmp_path / "letters"
    folder.mkdir()
    generator = np.random.default_rng(1)
    for letter in "2aex":
        for k in range(5):
            np.save(folder / f"{letter}_{k}_img.npy", generator.normal(size=(64, 64)))
    return folder
