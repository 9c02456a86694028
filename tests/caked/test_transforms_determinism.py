"""One pipeline with nearly all that is random: the same bits in every way of running it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from caked import ArraySource, Dataset, FileSource, Loader, StackSource
from caked.transforms import (
    BandPass,
    ColouredNoise,
    FourierCrop,
    GaussianBlur,
    GaussianNoise,
    MissingWedge,
    NormaliseBackground,
    OneOf,
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
    Standardise,
    VoxelDropout,
)
from mrc_vectors import mrc_bytes

IMAGES = np.random.default_rng(0).normal(size=(17, 19, 22)).astype(np.float32)
VOLUMES = np.random.default_rng(1).normal(size=(7, 11, 12, 13)).astype(np.float32)
OF_IMAGES = [
    NormaliseBackground(white_dust=3.0),
    RandomCrop(size=[17, 19]),
    RandomCTF(pixel_size_angstrom=2.0, astigmatism_angstrom=[0, 500]),
    RandomRotation(),
    RandomApply(RandomRot90(), probability=0.5),
    RandomFlip(),
    RandomShift(shift=2),
    FourierCrop(size=13),
    OneOf([GaussianNoise(snr=[0.5, 2]), ColouredNoise(snr=1.0), RandomGamma()]),
    RandomContrast(),
    RandomBrightness(),
    RandomCutout(),
    GaussianBlur(sigma=0.7),
    Standardise(),
    PoissonNoise(dose_electrons_per_square_angstrom=[5, 50], pixel_size_angstrom=1, contrast=0.2),
]
OF_VOLUMES = [
    RandomOrientation(),
    RandomRoll(shift=2),
    MissingWedge(tilt_degrees=[-50, 60], keep=True),
    FourierCrop(size=9),
    BandPass(high=0.3),
    GaussianBlur(sigma=0.6),
    VoxelDropout(),
    GaussianNoise(snr=1.0),
    Standardise(),
]


@pytest.fixture(params=["images", "volumes"])
def dataset(request: pytest.FixtureRequest, tmp_path: Path) -> Dataset:
    if request.param == "images":
        (tmp_path / "a_1.mrcs").write_bytes(mrc_bytes(IMAGES[:9], voxel_size=(2.0, 2.0, 2.0)))
        (tmp_path / "b_1.mrcs").write_bytes(mrc_bytes(IMAGES[9:], voxel_size=(2.0, 2.0, 2.0)))
        return Dataset(StackSource(tmp_path), labels="prefix", transform=OF_IMAGES, seed=11)
    for k, volume in enumerate(VOLUMES):
        (tmp_path / f"{'ab'[k % 2]}_{k}.mrc").write_bytes(mrc_bytes(volume, ispg=1))
    return Dataset(FileSource(tmp_path), labels="prefix", transform=OF_VOLUMES, seed=5)


def _samples(loaders: Any, epochs: int = 2) -> dict[tuple[int, str], dict[str, Any]]:
    """Every sample of every epoch by name, with all that the batches say of it."""
    found: dict[tuple[int, str], dict[str, Any]] = {}
    for loader in loaders if isinstance(loaders, list) else [loaders]:
        for epoch in range(epochs):
            for batch in loader:
                for row, name in enumerate(batch["name"]):
                    found[epoch, name] = {key: values[row] for key, values in batch.items()}
    return found


def _assert_same(found: dict[Any, Any], expected: dict[Any, Any]) -> None:
    assert found.keys() == expected.keys()
    for place, sample in expected.items():
        for key, value in sample.items():
            same = torch.equal(found[place][key], value) if isinstance(value, torch.Tensor) else True
            assert same, f"{key} of {place} differs"


@pytest.mark.parametrize(
    "options", [{"batch_size": 4, "num_workers": 2}, {"batch_size": 3, "num_workers": 1}]
)
def test_workers_and_batches_change_no_bit(dataset: Dataset, options: dict[str, Any]) -> None:
    plain = Loader(dataset, batch_size=5, shuffle=True)
    order = [batch["index"].tolist() for batch in Loader(dataset, batch_size=1, shuffle=True)]
    other = Loader(dataset, shuffle=True, **options)
    _assert_same(_samples(other), _samples(plain))
    assert [
        [i] for batch in Loader(dataset, shuffle=True, **options) for i in batch["index"].tolist()
    ] == order


@pytest.mark.full  # four fresh interpreters; test_loader has the short version
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_the_start_method_changes_no_bit(dataset: Dataset, method: str) -> None:
    expected = _samples(Loader(dataset, batch_size=4, shuffle=True), 1)
    workers: dict[str, Any] = {"num_workers": 1, "multiprocessing_context": method}
    _assert_same(_samples(Loader(dataset, batch_size=4, shuffle=True, **workers), 1), expected)


def test_two_ranks_make_together_what_one_process_makes(dataset: Dataset) -> None:
    whole = _samples(Loader(dataset, batch_size=4, shuffle=True))
    ranks = [Loader(dataset, batch_size=2, shuffle=True, rank=rank, world_size=2) for rank in range(2)]
    _assert_same(_samples(ranks), whole)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_run_taken_up_in_the_middle_makes_the_same(dataset: Dataset, workers: int) -> None:
    whole = _samples(Loader(dataset, batch_size=2, shuffle=True))
    first = Loader(dataset, batch_size=2, shuffle=True)
    batches = iter(first)
    seen = [next(batches) for _ in range(2)]
    state = json.loads(json.dumps(first.state_dict()))
    rest = Loader(dataset, batch_size=2, shuffle=True, num_workers=workers)
    rest.load_state_dict(state)
    found = {
        (0, name): {key: values[row] for key, values in batch.items()}
        for batch in [*seen, *rest]
        for row, name in enumerate(batch["name"])
    }
    found |= {(1, name): sample for (_, name), sample in _samples(rest, 1).items()}
    _assert_same(found, whole)


def test_threads_change_no_bit(dataset: Dataset) -> None:
    threads = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        expected = _samples(Loader(dataset, batch_size=4, shuffle=True), 1)
        torch.set_num_threads(2)
        _assert_same(_samples(Loader(dataset, batch_size=4, shuffle=True), 1), expected)
    finally:
        torch.set_num_threads(threads)


def test_two_workers_never_draw_alike() -> None:
    """The same image 24 times, in two workers: no two results are alike in any kind of randomness."""
    same = ArraySource(np.tile(IMAGES[:1], (24, 1, 1)))
    steps = [GaussianNoise(snr=1.0), RandomRotation(), RandomShift(shift=3), VoxelDropout(), RandomContrast()]
    for step in steps:
        loader = Loader(Dataset(same, transform=step), batch_size=3, num_workers=2)
        images = torch.cat([batch["image"] for batch in loader])
        assert len({image.numpy().tobytes() for image in images}) == 24
