"""Balanced loading: equal shares, nothing of a small class lost, and the same order everywhere."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from caked import Dataset, Draws, Loader
from caked.balance import balanced_order, repeats_in
from caked.errors import InvalidOptionError
from caked.transforms import NormaliseBackground, RandomShift

LABELS = ["a"] * 40 + ["b"] * 5 + ["c"] * 15


def _loader(**options: object) -> Loader:
    images = np.arange(60, dtype=np.float32)[:, None, None] * np.ones((1, 2, 2), np.float32)
    return Loader(Dataset(images, labels=LABELS), batch_size=8, balanced=True, **options)  # type: ignore[arg-type]


def _indices(loader: Loader) -> list[int]:
    return [int(i) for batch in loader for i in batch["index"]]


@settings(deadline=None)
@given(codes=st.lists(st.integers(0, 5), min_size=1, max_size=80), epoch=st.integers(0, 3))
def test_classes_share_an_epoch_evenly_and_within_a_class_its_samples_do(
    codes: list[int], epoch: int
) -> None:
    classes = np.array(codes)
    order = balanced_order(classes, seed=3, epoch=epoch)

    assert len(order) == len(codes)
    shares = Counter(classes[order].tolist())
    assert set(shares) == set(codes)  # there are at least as many samples as classes
    assert max(shares.values()) - min(shares.values()) <= 1
    for name, share in shares.items():
        times = np.bincount(order, minlength=len(codes))[classes == name]
        assert times.sum() == share
        assert times.max() - times.min() <= 1


def test_every_epoch_shows_another_part_of_a_large_class() -> None:
    loader = _loader()
    first, second = _indices(loader), _indices(loader)

    assert len(first) == len(second) == 60
    assert Counter(LABELS[i] for i in first) == {"a": 20, "b": 20, "c": 20}
    seen = [{i for i in epoch if LABELS[i] == "a"} for epoch in (first, second)]
    assert len(seen[0]) == len(seen[1]) == 20
    assert seen[0] != seen[1]


@pytest.mark.parametrize("workers", [0, 2])
def test_a_balanced_order_is_the_same_for_workers_and_after_a_resume(workers: int) -> None:
    whole = _indices(_loader())
    broken = _loader(num_workers=workers)
    iterator = iter(broken)
    begun = [int(i) for _ in range(3) for i in next(iterator)["index"]]
    other = _loader(num_workers=workers)
    other.load_state_dict(broken.state_dict())

    assert begun + _indices(other) == whole


def test_ranks_share_a_balanced_epoch() -> None:
    both = [_loader(rank=rank, world_size=2) for rank in (0, 1)]
    parts = [_indices(loader) for loader in both]

    assert Counter(parts[0] + parts[1])[0] == Counter(_indices(_loader()))[0]
    assert len(parts[0]) == len(parts[1]) == 30


@settings(deadline=None)
@given(order=st.lists(st.integers(0, 5), max_size=40))
def test_repeats_are_counted_as_one_goes_along(order: list[int]) -> None:
    seen: Counter[int] = Counter()
    expected = []
    for position in order:
        expected.append(seen[position])
        seen[position] += 1
    assert repeats_in(np.array(order, dtype=np.int64)).tolist() == expected


def _augmented(**options: object) -> list[tuple[int, bytes]]:
    """Index and pixels of each sample of an epoch, of five samples of ``b`` that come four times each."""
    images = np.random.default_rng(0).normal(size=(60, 6, 6)).astype(np.float32)
    steps = [NormaliseBackground(white_dust=2.0), RandomShift(shift=2.0)]
    loader = Loader(Dataset(images, labels=LABELS, transform=steps), batch_size=8, balanced=True, **options)  # type: ignore[arg-type]
    return [
        (int(i), one.numpy().tobytes())
        for batch in loader
        for i, one in zip(batch["index"], batch["image"], strict=True)
    ]


def test_a_sample_that_comes_again_in_an_epoch_is_augmented_otherwise_and_alike_everywhere() -> None:
    epoch = _augmented()
    of_b = [pixels for i, pixels in epoch if LABELS[i] == "b"]
    assert len(of_b) == 20
    assert len(set(of_b)) == 20
    assert _augmented(num_workers=2) == epoch
    ranks = [_augmented(rank=rank, world_size=2) for rank in (0, 1)]
    assert sorted(ranks[0] + ranks[1]) == sorted(epoch)
    assert len(set(epoch)) == 60


def test_what_is_made_once_for_all_epochs_is_made_once_for_all_repeats() -> None:
    """Steps before the first random one may be kept, so they must not depend on which repeat came first."""
    dust = NormaliseBackground(white_dust=2.0)
    images = torch.from_numpy(np.random.default_rng(0).normal(size=(2, 1, 8, 8)).astype(np.float32))
    images[1] = images[0]
    repeated = dust(images, Draws(samples=[3, 3], repeats=[0, 7]))
    assert torch.equal(repeated[0], repeated[1])


def test_without_labels_there_is_nothing_to_balance() -> None:
    with pytest.raises(InvalidOptionError, match="no labels"):
        Loader(Dataset(np.zeros((4, 2, 2))), batch_size=2, balanced=True)
    plain = Loader(Dataset(np.zeros((60, 2, 2)), labels=LABELS), batch_size=8, shuffle=True)
    with pytest.raises(InvalidOptionError, match="balanced=True, and this one has False"):
        plain.load_state_dict(_loader().state_dict())
