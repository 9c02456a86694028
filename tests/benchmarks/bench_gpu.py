"""How fast does a GPU augment images and volumes, beside the libraries that do so there, too?"""

from __future__ import annotations

import importlib.util
import math
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from caked import Draws
from caked.transforms import (
    Compose,
    GaussianBlur,
    GaussianNoise,
    RandomFlip,
    RandomOrientation,
    RandomRotation,
    Standardise,
)
from tests.benchmarks.tables import Table

SIZES = {"1024 × 128²": (1024, 1, 128, 128), "32 × 64³": (32, 1, 64, 64, 64)}
Augment = Callable[[Tensor], Tensor]


def _caked(shape: tuple[int, ...], oversampling: int) -> Augment:
    turn = RandomRotation if len(shape) == 4 else RandomOrientation
    steps = Compose(
        [
            turn(oversampling=oversampling),
            RandomFlip(),
            GaussianNoise(snr=1.0),
            GaussianBlur(sigma=1.0),
            Standardise(),
        ]
    )
    draws = Draws(seed=1, samples=np.arange(shape[0]))
    return lambda image: steps({"image": image}, draws)["image"]


def _kornia(shape: tuple[int, ...]) -> Augment:
    from kornia.augmentation import (
        AugmentationSequential,
        RandomGaussianBlur,
        RandomGaussianNoise,
        RandomHorizontalFlip,
        RandomRotation,
        RandomVerticalFlip,
    )

    steps = AugmentationSequential(
        RandomRotation(180.0, p=1.0),
        RandomHorizontalFlip(),
        RandomVerticalFlip(),
        RandomGaussianNoise(std=1.0, p=1.0),
        RandomGaussianBlur((9, 9), (1.0, 1.0), p=1.0),
        data_keys=["input"],
    )
    return lambda image: _standardised(steps(image))


def _monai(shape: tuple[int, ...]) -> Augment:
    from monai.transforms import (
        Compose,
        GaussianSmooth,
        NormalizeIntensity,
        RandFlip,
        RandGaussianNoise,
        RandRotate,
    )

    turns = {"range_x": math.pi} | ({"range_y": math.pi, "range_z": math.pi} if len(shape) == 5 else {})
    steps = Compose(
        [
            RandRotate(**turns, prob=1.0, padding_mode="zeros"),
            *(RandFlip(prob=0.5, spatial_axis=axis) for axis in range(len(shape) - 2)),
            RandGaussianNoise(prob=1.0, std=1.0),
            GaussianSmooth(sigma=1.0),
            NormalizeIntensity(),
        ]
    )
    return lambda image: torch.stack([steps(one) for one in image])


def _torchvision(shape: tuple[int, ...]) -> Augment:
    from torchvision.transforms import v2

    steps = v2.Compose(
        [
            v2.RandomRotation(180, interpolation=v2.InterpolationMode.BILINEAR),
            v2.RandomHorizontalFlip(),
            v2.RandomVerticalFlip(),
            v2.GaussianNoise(sigma=1.0, clip=False),
            v2.GaussianBlur(9, 1.0),
        ]
    )
    return lambda image: _standardised(steps(image))


def _standardised(image: Tensor) -> Tensor:
    axes = tuple(range(1, image.ndim))
    return (image - image.mean(dim=axes, keepdim=True)) / image.std(dim=axes, keepdim=True, correction=0)


def _readers(shape: tuple[int, ...]) -> dict[tuple[str, str], Augment]:
    own = "its own"
    readers = {
        ("caked", own): _caked(shape, 2),
        ("caked, oversampling=1", own): _caked(shape, 1),
    }
    if importlib.util.find_spec("monai"):
        readers["MONAI", own] = _monai(shape)
    if importlib.util.find_spec("kornia") and len(shape) == 4:
        readers["kornia", own] = _kornia(shape)
    if len(shape) == 4:
        readers["torchvision v2", "one for all"] = _torchvision(shape)
    return readers


def _best_seconds(augment: Augment, image: Tensor, times: int) -> float:
    wait: Callable[[], None] = torch.cuda.synchronize if image.device.type == "cuda" else lambda: None
    best = math.inf
    for _ in range(times + 1):  # the first warms up
        start = time.perf_counter()
        augment(image)
        wait()
        best = min(best, time.perf_counter() - start)
    return best


def measure(*, times: int = 5, sizes: dict[str, tuple[int, ...]] = SIZES, device: str = "cuda") -> Table:
    """Samples a second of rotation, flips, noise, blur and standardisation, and the memory they take."""
    table = Table(
        "How fast does a GPU augment a batch?",
        ["batch", "library", "parameters of a sample", "samples/s", "most memory, in batches"],
    )
    for name, shape in sizes.items():
        image = torch.from_numpy(np.random.default_rng(0).normal(size=shape).astype(np.float32)).to(device)
        for (library, parameters), augment in _readers(shape).items():
            memory = "-"
            if device == "cuda":
                torch.cuda.reset_peak_memory_stats()
            seconds = _best_seconds(augment, image, times)
            if device == "cuda":
                memory = f"{torch.cuda.max_memory_allocated() / image.nbytes:.0f}"
            table.rows.append([name, library, parameters, f"{shape[0] / seconds:,.0f}", memory])
    where = torch.cuda.get_device_name() if device == "cuda" else device
    table.notes = (
        f"On {where}, torch {torch.__version__}; best of {times}. A rotation by any angle (of volumes in "
        "space), flips, Gaussian noise, Gaussian blur, mean 0 and deviation 1. All interpolate linearly, "
        "caked on a grid twice as fine unless told otherwise, which keeps fine detail."
    )
    return table
