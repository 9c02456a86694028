"""Every transform with options, and batches that know all that one may ask for."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from caked.transforms import (
    ApplyCTF,
    AutoInvert,
    BandPass,
    CentreCrop,
    CentreParticle,
    Clip,
    ColouredNoise,
    Compose,
    DoseWeight,
    FourierCrop,
    GaussianBlur,
    GaussianNoise,
    Invert,
    MinMax,
    MissingWedge,
    NormaliseBackground,
    OneOf,
    OnKeys,
    PhaseFlip,
    PoissonNoise,
    RandomApply,
    RandomBrightness,
    RandomContrast,
    RandomCrop,
    RandomCTF,
    RandomCutout,
    RandomFlip,
    RandomGamma,
    RandomOrientation,
    RandomRoll,
    RandomRot90,
    RandomRotation,
    RandomShift,
    Resize,
    SpectrumMatch,
    SphericalMask,
    Standardise,
    TiltDrop,
    Torchvision,
    Transform,
    VoxelDropout,
    Whiten,
    WienerFilter,
)

__all__ = ["CASES", "COUNT", "DRAWS_FOR_EACH_PIXEL", "SHAPES", "batch_of", "rows_of"]

COUNT = 9
TILTS = 5

ANYWHERE: list[Transform] = [
    AutoInvert(),
    BandPass(low=0.05, high=0.3),
    CentreCrop(size=9, fill="mean"),
    CentreParticle(),
    Clip(low=2, high=97),
    ColouredNoise(snr=0.5),
    Compose([Invert(), RandomRoll(shift=2)]),
    FourierCrop(size=8),
    GaussianBlur(sigma=0.8),
    GaussianNoise(snr=[0.2, 3.0], signal_radius_pixels=4),
    Invert(),
    MinMax(),
    NormaliseBackground(white_dust=2.5, black_dust=2.5),
    OnKeys(["target", "image"], RandomContrast()),
    OneOf([RandomGamma(), Invert(), RandomRoll(shift=2)], weights=[1, 2, 1]),
    PoissonNoise(dose_electrons_per_square_angstrom=(1, 40), contrast=0.3),
    RandomApply(RandomRot90(), probability=0.6),
    RandomBrightness(),
    RandomContrast(),
    RandomCrop(size=7),
    RandomCutout(count=3),
    RandomGamma(),
    RandomRoll(shift=3),
    RandomRot90(plane="any"),
    RandomRotation(degrees=[-30, 70]),
    RandomRotation(fill="border", oversampling=1),
    RandomShift(shift=1.5),
    Resize(size=8),
    Resize(size=15, method="linear"),
    SphericalMask(fill="mean"),
    SpectrumMatch(target=[1.0, 5.0, 2.0], cutoff=0.4),
    Standardise(),
    VoxelDropout(),
    Whiten(),
]
IMAGES_ONLY: list[Transform] = [
    ApplyCTF(),
    PhaseFlip(),
    RandomCTF(astigmatism_angstrom=[0, 400]),
    RandomFlip(probability=0.6),
    Torchvision("RandomAffine", degrees=30, translate=[0.1, 0.1]),
    WienerFilter(snr=0.3),
]
VOLUMES_ONLY: list[Transform] = [MissingWedge(tilt_degrees=[-50, 40], keep=True), RandomOrientation()]
TILT_SERIES_ONLY: list[Transform] = [
    DoseWeight(cosine=True),
    DoseWeight(total="sum"),
    TiltDrop(keep=3),
    TiltDrop(keep=2, by="dose"),
    ApplyCTF(),
]
SHAPES = {2: (13, 11), 3: (11, 13, 10), 0: (TILTS, 12, 13)}  # odd ones: no row begins at a round address
CASES = [
    *((transform, 2) for transform in (*ANYWHERE, *IMAGES_ONLY)),
    *((transform, 3) for transform in (*ANYWHERE, *VOLUMES_ONLY)),
    *((transform, 0) for transform in TILT_SERIES_ONLY),
]
DRAWS_FOR_EACH_PIXEL = (
    ColouredNoise,
    GaussianNoise,
    NormaliseBackground,
    PoissonNoise,
    Torchvision,
    VoxelDropout,
)
"""Those of which a GPU draws other numbers than the processor."""


def batch_of(kind: int, count: int = COUNT) -> dict[str, Any]:
    """A batch that knows all that a transform may ask for."""
    generator = np.random.default_rng(kind)
    shape = SHAPES[kind]
    ndim = len(shape)

    def numbers(low: float, high: float, *size: int) -> torch.Tensor:
        return torch.from_numpy(generator.uniform(low, high, size=(count, *size)))

    image = torch.from_numpy(generator.normal(2, 3, size=(count, 1, *shape)).astype(np.float32))
    batch = {
        "image": image,
        "target": image * 2,
        "mask": (image > 0).float(),
        "weight": image.sigmoid(),
        "index": torch.arange(count),
        "name": [f"sample {k}" for k in range(count)],
        "pixel_size_angstrom": torch.full((count, ndim), 2.0, dtype=torch.float64),
        "origin_angstrom": numbers(-5, 5, ndim),
        "shift_angstrom": numbers(-3, 3, ndim),
        "pose": torch.from_numpy(np.linalg.qr(generator.normal(size=(count, 3, 3)))[0]),
        "coordinates": [torch.from_numpy(generator.uniform(0, 9, size=(k % 3, ndim))) for k in range(count)],
        "defocus_u_angstrom": numbers(9e3, 2e4),
        "defocus_v_angstrom": numbers(9e3, 2e4),
        "defocus_angle_degrees": numbers(0, 180),
        "voltage_kilovolts": torch.full((count,), 300.0, dtype=torch.float64),
        "spherical_aberration_millimetres": torch.full((count,), 2.7, dtype=torch.float64),
        "amplitude_contrast": torch.full((count,), 0.1, dtype=torch.float64),
    }
    if kind == 0:
        batch["tilt_angle_degrees"] = numbers(-60, 60, TILTS)
        batch["dose_electrons_per_square_angstrom"] = numbers(0, 100, TILTS)
        batch["defocus_u_angstrom"] = numbers(9e3, 2e4, TILTS)
    return batch


def rows_of(batch: dict[str, Any], rows: slice) -> dict[str, Any]:
    """Some of the samples, elsewhere in memory."""
    parts = {key: value[rows] for key, value in batch.items()}
    return {key: part.clone() if isinstance(part, torch.Tensor) else part for key, part in parts.items()}
