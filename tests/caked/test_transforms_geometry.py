"""Random rotations, flips and shifts: exact, and drawn for each sample."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from caked import Draws
from caked.errors import InvalidOptionError, ShapeError
from caked.transforms import RandomFlip, RandomRoll, RandomRot90

SQUARE = torch.arange(24 * 16.0).reshape(24, 1, 4, 4)
MANY = torch.arange(9.0).reshape(1, 1, 3, 3).repeat(4000, 1, 1, 1)


def test_every_rotation_is_numpys_and_each_is_as_frequent_as_the_others() -> None:
    turned = RandomRot90()(MANY)
    expected = [np.rot90(np.arange(9.0).reshape(3, 3), k).tobytes() for k in range(4)]
    counts = Counter(expected.index(image[0].double().numpy().tobytes()) for image in turned)

    # 1000 expected of each; the deviation of a count is 27.
    assert sorted(counts) == [0, 1, 2, 3]
    assert all(abs(count - 1000) < 5 * 27.4 for count in counts.values())


def test_flips_are_drawn_for_each_axis_by_itself() -> None:
    flipped = RandomFlip()(MANY)
    image = np.arange(9.0).reshape(3, 3)
    expected = [image, image[::-1], image[:, ::-1], image[::-1, ::-1]]
    kinds = [np.ascontiguousarray(kind).tobytes() for kind in expected]
    counts = Counter(kinds.index(result[0].double().numpy().tobytes()) for result in flipped)

    assert all(abs(counts[k] - 1000) < 5 * 27.4 for k in range(4))


def test_a_flip_keeps_to_the_axes_that_are_named() -> None:
    volume = torch.randn(8, 1, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    flipped = RandomFlip(probability=1.0, axes=[-2])(volume)
    assert torch.equal(flipped, volume.flip(-2))
    with pytest.raises(ShapeError, match="no axis"):
        RandomFlip(axes=[-3])(SQUARE)


def test_every_shift_is_numpys_roll_and_stays_within_bounds() -> None:
    draws = Draws(seed=5, samples=np.arange(24))
    rolled = RandomRoll(shift=1)(SQUARE, draws)
    seen = set()
    for before, after in zip(SQUARE.numpy(), rolled.numpy(), strict=True):
        matches = [
            (dy, dx)
            for dy in (-1, 0, 1)
            for dx in (-1, 0, 1)
            if np.array_equal(np.roll(before, (dy, dx), (-2, -1)), after)
        ]
        assert len(matches) == 1
        seen.add(matches[0])
    assert len(seen) > 4


def test_volumes_are_turned_in_the_plane_that_is_asked_for() -> None:
    volume = torch.arange(27.0).reshape(1, 1, 3, 3, 3).repeat(600, 1, 1, 1, 1)
    in_plane, anywhere = RandomRot90()(volume), RandomRot90(plane="any")(volume)

    assert len({tuple(v.flatten().tolist()) for v in in_plane}) == 4
    assert torch.equal(in_plane.mean(dim=(-2, -1)), volume.mean(dim=(-2, -1)))
    assert len({tuple(v.flatten().tolist()) for v in anywhere}) == 10  # three planes, three turns, and none


def test_an_oblong_image_is_turned_by_half_turns_only() -> None:
    image = torch.arange(6.0).reshape(1, 1, 2, 3).repeat(40, 1, 1, 1)
    turned = RandomRot90()(image)
    assert {tuple(one.flatten().tolist()) for one in turned} == {(0, 1, 2, 3, 4, 5), (5, 4, 3, 2, 1, 0)}


def test_samples_of_one_batch_are_changed_each_in_its_own_way() -> None:
    image = torch.randn(1, 1, 8, 8, generator=torch.Generator().manual_seed(0)).repeat(32, 1, 1, 1)
    for transform in (RandomRot90(), RandomFlip(), RandomRoll(shift=3)):
        assert len({one.numpy().tobytes() for one in transform(image)}) > 2


def test_what_is_drawn_depends_on_sample_and_epoch_and_not_on_the_batch() -> None:
    samples = np.arange(100, 124)
    for transform in (RandomRot90(), RandomFlip(), RandomRoll(shift=2)):
        whole = transform(SQUARE, Draws(seed=1, epoch=3, samples=samples))
        part = transform(SQUARE[5:9], Draws(seed=1, epoch=3, samples=samples[5:9]))
        other = transform(SQUARE, Draws(seed=1, epoch=4, samples=samples))
        assert torch.equal(part, whole[5:9])
        assert not torch.equal(other, whole)


def test_options_that_make_no_sense_are_refused() -> None:
    for make in (
        lambda: RandomRot90(plane="xz"),
        lambda: RandomFlip(probability=2),
        lambda: RandomFlip(axes=[0]),
        lambda: RandomFlip(axes=[-1, -1]),
        lambda: RandomRoll(shift=1.5),  # type: ignore[arg-type]
        lambda: RandomRoll(shift=-1),
    ):
        with pytest.raises(InvalidOptionError):
            make()
    with pytest.raises(ShapeError, match="two axes"):
        RandomRot90()(torch.zeros(1, 1, 4))
    with pytest.raises(ShapeError, match="draws for 2 samples"):
        RandomFlip()(SQUARE, Draws(samples=[1, 2]))
