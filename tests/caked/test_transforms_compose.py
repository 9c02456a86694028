"""Transforms of transforms, those of other libraries, and their descriptions."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np
import pytest
import torch
import torchvision.transforms.v2 as tv

from caked import Draws
from caked.errors import InvalidOptionError, RecipeError, ShapeError
from caked.transforms import (
    Compose,
    Foreign,
    FourierCrop,
    GaussianNoise,
    Invert,
    MinMax,
    MissingWedge,
    RandomApply,
    RandomFlip,
    RandomRoll,
    RandomRotation,
    Standardise,
    Torchvision,
    as_transform,
    transform_from_dict,
)
from caked.transforms.chunks import CHUNK_BYTES, transform_in_chunks

IMAGES = torch.randn(16, 1, 12, 12, generator=torch.Generator().manual_seed(0))


def test_transforms_apply_in_the_order_given() -> None:
    assert torch.equal(Compose([MinMax(), Invert()])(IMAGES), -MinMax()(IMAGES))
    assert torch.equal(Compose([Invert(), MinMax()])(IMAGES), MinMax()(-IMAGES))
    assert torch.equal(as_transform(None)(IMAGES), IMAGES)


def test_two_steps_of_a_kind_draw_numbers_of_their_own() -> None:
    once = RandomRoll(shift=5)
    draws = Draws(seed=1, samples=np.arange(16))
    twice = Compose([once, once])(IMAGES, draws)
    first = once(IMAGES, draws.within("0"))
    assert torch.equal(twice, once(first, draws.within("1")))
    assert not torch.equal(twice, once(first, draws.within("0")))


def test_some_samples_are_chosen_each_by_itself() -> None:
    draws = Draws(seed=1, samples=np.arange(16))
    changed = RandomApply(Invert(), probability=0.5)(IMAGES, draws)
    rows = [not torch.equal(a, b) for a, b in zip(changed, IMAGES, strict=True)]

    assert 2 < sum(rows) < 14
    assert torch.equal(changed[rows], -IMAGES[rows])
    assert torch.equal(RandomApply(Invert(), probability=1.0)(IMAGES), -IMAGES)
    assert torch.equal(RandomApply(Invert(), probability=0.0)(IMAGES), IMAGES)
    with pytest.raises(ShapeError, match="keep the shape"):
        RandomApply(FourierCrop(size=6), probability=1.0)(IMAGES)


def test_torchvision_is_drawn_for_each_sample_and_the_same_each_time() -> None:
    same = IMAGES[:1].repeat(32, 1, 1, 1)
    flip = Compose([tv.RandomHorizontalFlip(p=0.5), MinMax()])
    first, second = flip(same), flip(same)
    kinds = {one.numpy().tobytes() for one in first}

    assert len(kinds) == 2  # the library by itself would flip all of them or none
    assert torch.equal(first, second)
    assert not torch.equal(flip(same, Draws(epoch=1, samples=np.arange(32))), first)


def test_a_function_of_ones_own_may_draw_from_any_generator() -> None:
    def jitter(image: torch.Tensor) -> torch.Tensor:
        return image + torch.rand(1) + random.random() + float(np.random.rand())

    assert torch.equal(Compose([jitter])(IMAGES), Compose([jitter])(IMAGES))
    with pytest.raises(InvalidOptionError, match="made a float"):
        Foreign(lambda image: 1.0)(IMAGES)  # type: ignore[arg-type, return-value]


def test_evaluation_leaves_out_what_is_random() -> None:
    pipeline = Compose(
        [Invert(), RandomFlip(), [MinMax(), RandomRoll(shift=1)], tv.CenterCrop(6), tv.RandomVerticalFlip()]
    )
    plain = pipeline.deterministic()

    assert pipeline.is_random
    assert not plain.is_random
    assert torch.equal(plain(IMAGES), MinMax()(-IMAGES)[..., 3:9, 3:9])
    assert pipeline.deterministic_prefix()[1] == 1
    assert torch.equal(pipeline.deterministic_prefix()[0](IMAGES), -IMAGES)


def test_what_cannot_be_written_down_says_so() -> None:
    with pytest.raises(RecipeError, match=r"Torchvision\('RandomHorizontalFlip'"):
        Compose([tv.RandomHorizontalFlip()]).to_dict()
    with pytest.raises(RecipeError, match="stands in a module by name"):
        Compose([lambda image: image]).to_dict()


def test_a_function_by_name_is_called_only_if_it_is_allowed() -> None:
    description = {"type": "foreign", "function": "torch:abs"}
    with pytest.raises(RecipeError, match=r"allow=\['torch:abs'\]"):
        transform_from_dict(description)
    assert torch.equal(transform_from_dict(description, allow=["torch:abs"])(IMAGES), IMAGES.abs())
    with pytest.raises(RecipeError, match="not there"):
        transform_from_dict({"type": "foreign", "function": "torch:nothing"}, allow=["torch"])


def test_unknown_types_and_options_are_refused() -> None:
    with pytest.raises(RecipeError, match="no transform of the name 'sharpen'"):
        transform_from_dict({"type": "sharpen"})
    with pytest.raises(InvalidOptionError, match="do not fit"):
        transform_from_dict({"type": "min_max", "strength": 3})
    with pytest.raises(InvalidOptionError, match="no transform 'Nothing'"):
        Torchvision("Nothing")
    with pytest.raises(InvalidOptionError, match="module or a function"):
        as_transform(3)


def test_large_samples_go_in_pieces_that_change_nothing() -> None:
    side = int(CHUNK_BYTES**0.5) // 2  # four times as much as a piece holds, for sixteen samples
    images = torch.randn(16, 1, side // 4, side, generator=torch.Generator().manual_seed(1))
    batch: dict[str, Any] = {"image": images, "name": [str(k) for k in range(16)], "index": torch.arange(16)}
    transform = Compose([RandomFlip(), Standardise()])
    draws = Draws(samples=np.arange(16))
    found, expected = transform_in_chunks(transform, batch, draws), transform(batch, draws)

    assert torch.equal(found["image"], expected["image"])
    assert found["name"] == batch["name"]
    assert torch.equal(found["index"], batch["index"])


def test_options_may_be_numpys_numbers_and_are_written_down_as_pythons() -> None:
    options: list[Any] = [np.float32(0.5), np.array([0.5, 2.0]), (1, 2)]
    for option in options:
        for made in (
            GaussianNoise(snr=option),
            RandomRotation(degrees=option),
            MissingWedge(tilt_degrees=option),
        ):
            assert transform_from_dict(json.loads(json.dumps(made.to_dict()))).to_dict() == made.to_dict()
