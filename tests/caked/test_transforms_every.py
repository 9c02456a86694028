"""What holds of every transform: descriptions, constant images, any batch, any number of threads."""

from __future__ import annotations

import json
import math
import random
import re
from typing import Any

import numpy as np
import pytest
import torch

from caked import Draws
from caked.transforms import (
    ColouredNoise,
    GaussianNoise,
    NormaliseBackground,
    PoissonNoise,
    Torchvision,
    Transform,
    spectral,
    transform_from_dict,
)
from caked.transforms.base import TRANSFORMS
from elsewhere import Elsewhere, There, elsewhere
from transform_cases import CASES, COUNT, DRAWS_FOR_EACH_PIXEL, SHAPES, batch_of, rows_of


def _each(cases: list[tuple[Transform, int]]) -> pytest.MarkDecorator:
    ids = [f"{type(transform).__name__}-{kind}" for transform, kind in cases]
    return pytest.mark.parametrize(("transform", "kind"), cases, ids=ids)


every = _each(CASES)


def assert_same(found: dict[str, Any], expected: dict[str, Any]) -> None:
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        pairs = (
            [(found[key], value)] if isinstance(value, torch.Tensor) else zip(found[key], value, strict=True)
        )
        for one, other in pairs:
            same = torch.equal(one, other) if isinstance(other, torch.Tensor) else one == other
            assert same, f"{key} differs"


def test_every_transform_is_tried_here() -> None:
    tried = {type(transform).type_name for transform, _ in CASES}
    own = {name for name, cls in TRANSFORMS._types.items() if cls.__module__.startswith("caked.transforms.")}
    assert own - tried == {"foreign"}  # a function of somebody's own: see test_transforms_compose


def test_every_formula_names_its_source() -> None:
    made_of_others = {"compose", "foreign", "on_keys", "one_of", "random_apply", "torchvision"}
    for name, cls in TRANSFORMS._types.items():
        if cls.__module__.startswith("caked.transforms.") and name not in made_of_others:
            assert re.search(r"\bSources?\b.*:", cls.__doc__ or ""), f"{cls.__name__} names no source"


@every
def test_a_transform_is_made_again_from_its_description(transform: Transform, kind: int) -> None:
    again = transform_from_dict(json.loads(json.dumps(transform.to_dict())))
    draws = Draws(seed=3, epoch=2, samples=np.arange(COUNT))
    assert again.to_dict() == transform.to_dict()
    assert again.is_random == transform.is_random
    assert repr(again) == repr(transform)
    assert_same(again(batch_of(kind), draws), transform(batch_of(kind), draws))


@every
def test_a_sample_is_transformed_alike_in_any_batch_on_any_number_of_threads(
    transform: Transform, kind: int
) -> None:
    batch, draws = batch_of(kind), Draws(seed=3, epoch=2, samples=np.arange(50, 50 + COUNT))
    whole, threads = transform(batch, draws), torch.get_num_threads()
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            for rows in (slice(0, 1), slice(2, 7), slice(8, 9), slice(0, 9)):
                part = transform(rows_of(batch, rows), draws.select(rows))
                assert_same(part, rows_of(whole, rows))
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)


@every
def test_constant_images_make_no_nan(transform: Transform, kind: int) -> None:
    batch = batch_of(kind)
    for value in (0.0, 1.0, 1e-30, 12345.678):
        batch["image"] = torch.full_like(batch["image"], value)
        assert bool(torch.isfinite(transform(batch)["image"]).all())


@every
def test_what_is_given_is_not_changed_and_no_global_generator_is_touched(
    transform: Transform, kind: int
) -> None:
    batch, same = batch_of(kind), batch_of(kind)
    before = (torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate())  # type: ignore[index]
    result = transform(batch)
    after = (torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate())  # type: ignore[index]

    assert_same(batch, same)
    assert torch.equal(before[0], after[0])
    assert before[1:] == after[1:]
    result["image"].mul_(2)  # a new image, and nobody else's
    assert_same(batch, same)


@every
def test_what_is_random_differs_between_epochs_and_nothing_else_does(transform: Transform, kind: int) -> None:
    draws = [Draws(seed=1, epoch=epoch, samples=np.arange(COUNT)) for epoch in (0, 1)]
    results = [transform(batch_of(kind), some)["image"] for some in draws]
    assert torch.equal(*results) != transform.is_random


@every
def test_samples_that_are_alike_become_unlike_only_by_chance(transform: Transform, kind: int) -> None:
    batch = batch_of(kind)
    for key, value in batch.items():
        batch[key] = [value[1]] * COUNT if isinstance(value, list) else value[1:2].expand_as(value).clone()
    images = transform(batch)["image"]
    kinds = len({image.numpy().tobytes() for image in images})
    random_dust = isinstance(transform, NormaliseBackground)  # drawn, but the same in every epoch
    assert (kinds > 1) == (transform.is_random or random_dust)


@every
def test_channels_are_transformed_alike_in_the_precision_that_they_have(
    transform: Transform, kind: int
) -> None:
    """Two equal channels stay equal: parameters belong to the sample. Noise and dust are drawn for each."""
    batch = batch_of(kind)
    batch["image"] = batch["image"].expand(-1, 2, *SHAPES[kind]).clone()
    own_numbers = GaussianNoise | ColouredNoise | PoissonNoise | NormaliseBackground
    result = transform(batch)["image"]
    assert result.shape[1] == 2
    assert torch.equal(result[:, 0], result[:, 1]) or isinstance(transform, own_numbers)
    batch["image"] = batch["image"].double()
    assert transform(batch)["image"].dtype == torch.float64


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@every
def test_floats_of_16_bits_are_worked_on_in_32_and_rounded_afterwards(
    transform: Transform, kind: int, dtype: torch.dtype
) -> None:
    short = {key: batch_of(kind)[key].to(dtype) for key in ("image", "target", "weight")}
    draws = Draws(seed=3, epoch=2, samples=np.arange(COUNT))
    expected = transform({**batch_of(kind), **{key: value.float() for key, value in short.items()}}, draws)
    result = transform({**batch_of(kind), **short}, draws)
    for key in short:
        assert result[key].dtype == dtype
        assert torch.equal(result[key], expected[key].to(dtype)), key


@every
def test_masks_of_whole_numbers_stay_such(transform: Transform, kind: int) -> None:
    classes = batch_of(kind)["mask"] * 3
    expected = transform({**batch_of(kind), "mask": classes})["mask"]
    for dtype in (torch.bool, torch.uint8, torch.int64):
        result = transform({**batch_of(kind), "mask": classes.to(dtype)})["mask"]
        assert result.dtype == dtype
        assert torch.equal(result, expected.to(dtype))


def _moved(batch: dict[str, Any]) -> dict[str, Any]:
    return {
        key: elsewhere(value)
        if isinstance(value, torch.Tensor)
        else [elsewhere(one) if isinstance(one, torch.Tensor) else one for one in value]
        for key, value in batch.items()
    }


@_each([case for case in CASES if not isinstance(case[0], Torchvision)])  # which takes real devices alone
def test_on_another_device_nothing_of_the_processor_is_mixed_in_and_the_numbers_are_the_same(
    transform: Transform, kind: int
) -> None:
    """Ways through the code that only a GPU takes are taken; Fourier steps may differ by rounding."""
    draws = Draws(seed=3, epoch=2, samples=np.arange(COUNT))
    expected = transform(batch_of(kind), draws)
    with Elsewhere():
        found, again = (transform(_moved(batch_of(kind)), draws) for _ in range(2))

    assert found.keys() == expected.keys()
    for key, value in expected.items():
        if not isinstance(value, torch.Tensor):
            continue
        assert isinstance(found[key], There), f"{key} left the device"
        one, other = found[key].cpu().double(), value.double()
        assert torch.equal(one, again[key].cpu().double()), f"{key} is not the same each time"
        if key == "image" and isinstance(transform, DRAWS_FOR_EACH_PIXEL):
            assert one.shape == other.shape
            continue
        tolerance = 1e-5 * max(float(other.std()), 1e-3)
        assert torch.allclose(one, other, rtol=1e-5, atol=tolerance), f"{key} differs"


@_each([case for case in CASES if not isinstance(case[0], Torchvision)])
def test_a_device_that_takes_a_batch_in_pieces_gives_what_it_gives_of_all_at_once(
    transform: Transform, kind: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    draws = Draws(seed=3, epoch=2, samples=np.arange(COUNT))
    with Elsewhere():
        expected = transform(_moved(batch_of(kind)), draws)["image"].cpu()
        monkeypatch.setattr(spectral, "_PIXELS_AT_ONCE", 8 * math.prod(SHAPES[kind]))
        found = transform(_moved(batch_of(kind)), draws)["image"].cpu()
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-5 * max(float(expected.std()), 1e-3))


@_each([case for case in CASES if not isinstance(case[0], PoissonNoise)])  # counting has no slope
def test_gradients_are_those_of_finite_differences(transform: Transform, kind: int) -> None:
    batch, draws = rows_of(batch_of(kind), slice(0, 2)), Draws(seed=3, epoch=2, samples=np.arange(2))
    image = batch["image"].double()

    def total(image: torch.Tensor) -> torch.Tensor:
        result: torch.Tensor = transform({**batch, "image": image}, draws)["image"]
        return (result * torch.arange(result.numel()).sin().reshape(result.shape)).sum()

    (slope,) = torch.autograd.grad(total(image.requires_grad_()), image)
    step = 1e-5 * torch.from_numpy(np.random.default_rng(0).normal(size=tuple(image.shape)))
    with torch.no_grad():
        difference = total(image + step) - total(image - step)
    assert float(2 * (slope * step).sum()) == pytest.approx(float(difference), rel=1e-4)


@_each([case for case in CASES if not isinstance(case[0], PoissonNoise)])
def test_gradients_of_constant_images_are_numbers(transform: Transform, kind: int) -> None:
    batch = batch_of(kind)
    batch["image"] = torch.full_like(batch["image"], 3.0).requires_grad_()
    result = transform(batch)["image"]
    (slope,) = torch.autograd.grad(result.square().sum(), batch["image"])
    assert bool(torch.isfinite(slope).all())
