"""What the tests of caked share: small folders of images, and a process of their own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from mrc_vectors import mrc_bytes
from numpy.typing import NDArray

Images = NDArray[np.float32]


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
