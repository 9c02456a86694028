"""A pipeline writes over images that nobody looks at any more, and over no other."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from caked import ArraySource, Dataset, Draws
from caked.transforms import (
    Compose,
    FourierCrop,
    GaussianBlur,
    Invert,
    MinMax,
    OneOf,
    RandomApply,
    Standardise,
    Transform,
)
from caked.transforms.owned import OwnedBatch
from caked.transforms.reduce import centre

IMAGES = np.random.default_rng(0).normal(3, 2, size=(6, 24, 20)).astype(np.float32)
STEPS = [MinMax(), GaussianBlur(sigma=0.8), Standardise(), FourierCrop(size=12), Invert()]
DRAWS = Draws(samples=np.arange(6))


class Keeping(Transform):
    """Keeps what it was given and what it gives back, as a transform of the user's may."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Tensor] = []

    def image(self, image: Tensor) -> Tensor:
        self.seen.append(image)
        return image


class Exponential(Transform):
    """Its gradient is made of what it has given back."""

    holds_nothing = True

    def image(self, image: Tensor) -> Tensor:
        return image.exp()


class MyMinMax(MinMax):
    """Another way of a transform that writes over images, which only says how to make new ones."""

    def image(self, image: Tensor) -> Tensor:
        return super().image(image) * 2


def _images() -> Tensor:
    return torch.from_numpy(IMAGES.copy())[:, None]


def _one_by_one(steps: list[Any], image: Tensor) -> Tensor:
    for step in steps:
        image = step(image)
    return image


@pytest.mark.parametrize("step", STEPS)
def test_written_over_or_not_the_values_are_the_same_bits(step: Transform) -> None:
    expected = step(_images())
    batch = OwnedBatch({"image": _images()}, image_is_owned=True)
    assert torch.equal(step(batch, DRAWS)["image"], expected)
    assert batch.image_is_owned


@pytest.mark.parametrize("step", [MinMax(), Standardise(), Invert()])
def test_an_image_that_was_given_away_is_written_over(step: Transform) -> None:
    image = _images()
    place = image.data_ptr()
    assert step(OwnedBatch({"image": image}, image_is_owned=True), DRAWS)["image"].data_ptr() == place
    assert step(OwnedBatch({"image": image}, image_is_owned=False), DRAWS)["image"].data_ptr() != place


def test_a_pipeline_leaves_what_it_is_given() -> None:
    image = _images()
    batch = {"image": image, "index": torch.arange(6)}
    found = Compose(STEPS)(batch, DRAWS)
    assert torch.equal(image, _images())
    assert set(batch) == {"image", "index"}
    assert batch["image"] is image
    assert type(found) is dict
    assert torch.equal(found["image"], _one_by_one(STEPS, image))


@pytest.mark.parametrize("before", [[], [Standardise()], [FourierCrop(size=(24, 20))]])
def test_what_a_step_of_the_users_holds_is_not_written_over(before: list[Transform]) -> None:
    keeping = Keeping()
    dataset = Dataset(ArraySource(IMAGES), transform=[*before, keeping, MinMax(), Invert()])
    found = dataset.batch(range(6))["image"]
    kept = _one_by_one(before, _images())
    assert torch.equal(keeping.seen[0], kept)
    assert torch.equal(found, _one_by_one([MinMax(), Invert()], kept))


def test_what_a_hook_looks_at_is_not_written_over() -> None:
    steps = [MinMax(), Standardise(), Invert()]
    seen: list[Tensor] = []
    handle = steps[0].register_forward_hook(lambda module, given, batch: seen.append(batch["image"]))
    Dataset(ArraySource(IMAGES), transform=steps).batch(range(6))
    handle.remove()
    steps[1].register_forward_pre_hook(lambda module, given: seen.append(given[0]["image"]))
    Dataset(ArraySource(IMAGES), transform=steps).batch(range(6))
    for image in seen:
        assert torch.equal(image, MinMax()(_images()))
    assert len(seen) == 2


def test_what_gradients_need_is_not_written_over() -> None:
    image = _images().requires_grad_()
    result = Compose([Exponential(), Invert()])(image).sum()
    (slope,) = torch.autograd.grad(result, image)
    torch.testing.assert_close(slope, -_images().exp())


def test_a_subclass_that_only_says_how_to_make_new_images_is_listened_to() -> None:
    found = Dataset(ArraySource(IMAGES), transform=[Standardise(), MyMinMax()]).batch(range(6))["image"]
    assert torch.equal(found, 2 * MinMax()(Standardise()(_images())))


@pytest.mark.parametrize(
    "step",
    [RandomApply(MinMax(), probability=1.0), RandomApply(MinMax(), probability=0.0), OneOf([MinMax()])],
)
def test_a_choice_of_steps_in_a_pipeline_is_as_it_is_alone(step: Transform) -> None:
    found = Dataset(ArraySource(IMAGES), transform=[Invert(), step, Standardise()]).batch(range(6))["image"]
    chosen = (
        MinMax()(-_images()) if not (isinstance(step, RandomApply) and step.probability == 0) else -_images()
    )
    assert torch.equal(found, Standardise()(chosen))


def test_samples_of_every_kind_are_centred_in_place_as_beside() -> None:
    """Ordinary, constant, far from zero, tiny, huge, and with infinities: alone and together."""
    rows = torch.from_numpy(IMAGES.reshape(6, -1).copy())
    kinds = torch.stack(
        [rows[0], torch.full_like(rows[0], 7.3), rows[1] + 3e4, rows[2] * 1e-30, rows[3] * 1e37]
    )[:, None]
    infinite = torch.cat([kinds, kinds[:1]])
    infinite[-1, 0, 3] = torch.inf
    for image in (kinds, infinite, *(kinds[k : k + 1] for k in range(5))):
        expected = centre(image)
        found = centre(image.clone(), overwrite=True)
        for one, other in zip(found, expected, strict=True):
            torch.testing.assert_close(one, other, rtol=0, atol=0, equal_nan=True)
    assert float(centre(kinds)[0][1].abs().max()) == 0.0


class KeepingBatch(Transform):
    """Keeps the dictionary itself that it was given and gives back."""

    def batch(self, batch: dict[str, Any], draws: Draws) -> dict[str, Any]:
        self.kept, self.image_then = batch, batch["image"].clone()
        return batch


def test_a_batch_that_a_step_keeps_stays_as_the_step_left_it() -> None:
    keeping = KeepingBatch()
    Compose([MinMax(), keeping, Invert(), MinMax()])({"image": torch.from_numpy(IMAGES[:, None].copy())})

    assert torch.equal(keeping.kept["image"], keeping.image_then)
