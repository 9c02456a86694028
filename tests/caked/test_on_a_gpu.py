"""On a real GPU: the numbers of the processor, the same bits each time, and batches that get there."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from caked import Dataset, Draws, FileSource, Loader, to_device
from caked.transforms import (
    ColouredNoise,
    Compose,
    FourierCrop,
    GaussianNoise,
    PoissonNoise,
    RandomFlip,
    RandomRotation,
    RandomShift,
    Standardise,
    Transform,
    VoxelDropout,
    radial_amplitudes,
)
from mrc_vectors import mrc_bytes
from transform_cases import CASES, COUNT, DRAWS_FOR_EACH_PIXEL, batch_of, rows_of

pytestmark = pytest.mark.gpu

HOW_TO = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "train-on-a-gpu.md"
DRAWS = Draws(seed=3, epoch=2, samples=np.arange(COUNT))


def _each(cases: list[tuple[Transform, int]]) -> pytest.MarkDecorator:
    ids = [f"{type(step).__name__}-{kind}" for step, kind in cases]
    return pytest.mark.parametrize(("transform", "kind"), cases, ids=ids)


every = _each(CASES)


def _tensors(batch: dict[str, Any]) -> dict[str, list[torch.Tensor]]:
    """Return what tensors a batch has, those of a list one by one."""
    found = {}
    for key, value in batch.items():
        parts = [part for part in (value if isinstance(value, list) else [value]) if torch.is_tensor(part)]
        if parts:
            found[key] = parts
    return found


def _assert_close(found: dict[str, Any], expected: dict[str, Any]) -> None:
    ours, theirs = _tensors(found), _tensors(expected)
    assert ours.keys() == theirs.keys()
    for key, parts in theirs.items():
        for one, other in zip(ours[key], parts, strict=True):
            assert one.device.type == "cuda", f"{key} left the GPU"
            one, other = one.cpu().double(), other.double()
            tolerance = 2e-5 * max(float(other.std()) if other.numel() > 1 else 0.0, 1e-3)
            assert torch.allclose(one, other, rtol=2e-5, atol=tolerance), f"{key} differs"


@every
def test_a_gpu_gives_the_numbers_of_the_processor(transform: Transform, kind: int) -> None:
    found, expected = transform(to_device(batch_of(kind), "cuda"), DRAWS), transform(batch_of(kind), DRAWS)
    if isinstance(transform, DRAWS_FOR_EACH_PIXEL):
        assert found.pop("image").shape == expected.pop("image").shape
    _assert_close(found, expected)


@every
def test_a_gpu_gives_the_same_bits_each_time_and_in_another_batch_nearly(
    transform: Transform, kind: int
) -> None:
    first, second = (transform(to_device(batch_of(kind), "cuda"), DRAWS) for _ in range(2))
    for key, parts in _tensors(first).items():
        for one, other in zip(parts, _tensors(second)[key], strict=True):
            assert torch.equal(one, other), f"{key} differs"
    some = slice(2, 7)
    part = transform(to_device(rows_of(batch_of(kind), some), "cuda"), DRAWS.select(some))
    _assert_close(part, to_device({key: value[some] for key, value in first.items()}, "cpu"))


@every
def test_a_gpu_leaves_what_it_is_given_and_makes_no_nan_of_constant_images(
    transform: Transform, kind: int
) -> None:
    batch = to_device(batch_of(kind), "cuda")
    torch.cuda.manual_seed(5)
    before = torch.cuda.get_rng_state()
    transform(batch, DRAWS)
    assert torch.equal(torch.cuda.get_rng_state(), before)
    for key, parts in _tensors(batch_of(kind)).items():
        assert all(torch.equal(a.cpu(), b) for a, b in zip(_tensors(batch)[key], parts, strict=True)), key
    for value in (0.0, 1e-30, 12345.678):
        batch["image"] = torch.full_like(batch["image"], value)
        assert bool(torch.isfinite(transform(batch, DRAWS)["image"]).all())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@every
def test_a_gpu_keeps_the_type(transform: Transform, kind: int, dtype: torch.dtype) -> None:
    batch = to_device(batch_of(kind), "cuda")
    batch["image"] = batch["image"].to(dtype)
    assert transform(batch, DRAWS)["image"].dtype == dtype


@every
def test_gradients_on_a_gpu_are_those_of_the_processor(transform: Transform, kind: int) -> None:
    if isinstance(transform, PoissonNoise):
        return  # counting has no slope
    slopes = []
    for device in ("cpu", "cuda"):
        batch = to_device(batch_of(kind), device)
        batch["image"] = image = batch["image"].double().requires_grad_()
        result = transform(batch, DRAWS)["image"]
        weights = torch.arange(result.numel(), dtype=torch.float64).cos().reshape(result.shape).to(device)
        slopes.append(torch.autograd.grad((result * weights).sum(), image)[0].cpu())
    if isinstance(transform, DRAWS_FOR_EACH_PIXEL):
        assert bool(torch.isfinite(slopes[1]).all())
    else:
        torch.testing.assert_close(slopes[1], slopes[0], rtol=1e-5, atol=1e-6)


def _gpu_images(count: int = 8, *, size: int = 256) -> dict[str, Any]:
    image = np.random.default_rng(0).normal(5, 2, size=(count, 1, size, size)).astype(np.float32)
    sizes = torch.full((count, 2), 1.5)
    batch: dict[str, Any] = to_device(
        {"image": torch.from_numpy(image), "pixel_size_angstrom": sizes}, "cuda"
    )
    return batch


def test_noise_of_a_gpu_has_the_strength_and_the_spectrum_asked_for() -> None:
    batch, draws = _gpu_images(), Draws(seed=4, samples=np.arange(8))
    added = GaussianNoise(snr=0.25)(batch, draws)["image"] - batch["image"]
    assert added.std(dim=(1, 2, 3)).cpu().numpy() == pytest.approx(4.0, rel=0.02)
    assert float((added / 4).pow(4).mean()) == pytest.approx(3.0, rel=0.03)  # as of a normal distribution
    flat = added.flatten(1)
    assert float(torch.corrcoef(flat).fill_diagonal_(0).abs().max()) < 0.02  # each sample has its own

    pink = ColouredNoise(snr=1.0, exponent=2.0)(batch, draws)["image"] - batch["image"]
    here = {key: value.cpu() for key, value in batch.items()}
    pink_here = ColouredNoise(snr=1.0, exponent=2.0)(here, draws)["image"] - here["image"]
    assert radial_amplitudes(pink.cpu()) == pytest.approx(radial_amplitudes(pink_here), rel=0.15)


def test_a_gpu_counts_electrons_as_poisson_says() -> None:
    batch = _gpu_images()
    batch["image"] = torch.ones_like(batch["image"])
    for dose in (0.5, 20.0, 1e10):  # more than a GPU counts are counted by the processor
        counted = PoissonNoise(dose_electrons_per_square_angstrom=dose)(batch)["image"].double() * dose * 2.25
        assert float(counted.mean()) == pytest.approx(dose * 2.25, rel=0.01)
        if dose < 1e6:
            assert torch.equal(counted.round(), counted.float().round().double())
            assert float(counted.var()) == pytest.approx(dose * 2.25, rel=0.02)


def test_a_gpu_drops_the_part_of_the_voxels_asked_for() -> None:
    batch = {"image": torch.ones(64, 2, 32, 32, device="cuda")}
    dropped = VoxelDropout(fraction=[0.1, 0.3])(batch, Draws(samples=np.arange(64)))["image"]
    parts = (dropped == 0).float().mean(dim=(1, 2, 3))
    assert torch.equal(dropped[:, 0], dropped[:, 1])
    assert float(parts.mean()) == pytest.approx(0.2, abs=0.02)
    assert 0.06 < float(parts.min()) < 0.14
    assert 0.26 < float(parts.max()) < 0.34


@pytest.mark.parametrize("options", [{}, {"prefetch": 2}, {"num_workers": 2}], ids=str)
def test_pinned_batches_get_there_whole(tmp_path: Path, options: dict[str, Any]) -> None:
    images = np.random.default_rng(0).normal(size=(23, 40, 40)).astype(np.float32)
    for number, image in enumerate(images):
        (tmp_path / f"a_{number:02}.mrc").write_bytes(mrc_bytes(image[None]))
    dataset = Dataset(FileSource(tmp_path), labels="prefix", transform=[FourierCrop(size=20)], seed=2)
    plain = Loader(dataset, batch_size=4, shuffle=True)
    expected = [(batch["index"].tolist(), batch["image"]) for batch in plain]
    loader = Loader(dataset, batch_size=4, shuffle=True, pin_memory=True, **options)
    found = []
    for batch in loader:
        assert batch["image"].is_pinned()
        moved = to_device(batch, "cuda")
        del batch  # the copy may still be going on
        found.append((moved["index"].tolist(), moved["image"].cpu()))
    assert [rows for rows, _ in found] == [rows for rows, _ in expected]
    assert all(torch.equal(one, other) for (_, one), (_, other) in zip(found, expected, strict=True))


def test_the_how_to_runs_on_a_gpu() -> None:
    blocks = re.findall(r"```python\n(.*?)```", HOW_TO.read_text(), flags=re.DOTALL)
    names: dict[str, Any] = {}
    for block in blocks:
        exec(block, names)
    assert names["device"] == "cuda"
    assert names["batch"]["image"].device.type == "cuda"


def test_training_on_a_gpu_sees_the_augmentation_that_the_processor_sees() -> None:
    steps = Compose([RandomRotation(), RandomFlip(), RandomShift(shift=2), Standardise()])
    for epoch in range(3):
        draws = Draws(seed=1, epoch=epoch, samples=np.arange(COUNT))
        there = steps(to_device(batch_of(2), "cuda"), draws)["image"].cpu()
        assert torch.allclose(there, steps(batch_of(2), draws)["image"], atol=1e-4)
