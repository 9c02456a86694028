"""Batches are the same bits for any number of workers, any start method, any rank, and after a resume."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from caked import (
    ArraySource,
    DamagedFileError,
    Dataset,
    FileSource,
    InvalidOptionError,
    Loader,
    SplitError,
    StackSource,
)
from caked.order import BatchOrder
from caked.transforms import (
    Compose,
    FourierCrop,
    GaussianBlur,
    GaussianNoise,
    MinMax,
    RandomApply,
    RandomFlip,
    RandomRoll,
    RandomRot90,
    Standardise,
    Torchvision,
)
from mrc_vectors import mrc_bytes

IMAGES = np.random.default_rng(0).normal(size=(23, 16, 16)).astype(np.float32)
PIPELINE = [
    FourierCrop(size=12),
    RandomRot90(),
    RandomFlip(),
    RandomRoll(shift=3),
    RandomApply(GaussianNoise(snr=[0.5, 2.0]), probability=0.5),
    Torchvision("RandomHorizontalFlip"),
    GaussianBlur(sigma=0.8),
    MinMax(),
    Standardise(),
]


@pytest.fixture
def dataset(tmp_path: Path) -> Dataset:
    (tmp_path / "a_1.mrcs").write_bytes(mrc_bytes(IMAGES[:10]))
    (tmp_path / "b_1.mrcs").write_bytes(mrc_bytes(IMAGES[10:]))
    return Dataset(StackSource(tmp_path), labels="prefix", transform=PIPELINE, seed=11)


def _run(loader: Loader, epochs: int = 2) -> list[dict[str, Any]]:
    return [batch for _ in range(epochs) for batch in loader]


def _same(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> bool:
    return len(first) == len(second) and all(
        torch.equal(a["image"], b["image"]) and torch.equal(a["label"], b["label"]) and a["name"] == b["name"]
        for a, b in zip(first, second, strict=True)
    )


@pytest.mark.parametrize("workers", [1, 2])
def test_workers_change_no_bit(dataset: Dataset, workers: int) -> None:
    expected = _run(Loader(dataset, batch_size=4, shuffle=True))
    found = _run(Loader(dataset, batch_size=4, shuffle=True, num_workers=workers))
    assert _same(found, expected)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_the_start_method_changes_no_bit(dataset: Dataset, method: str) -> None:
    # A fresh interpreter each; without torchvision, which takes seconds to import.
    dataset.transform = Compose([step for step in PIPELINE if not isinstance(step, Torchvision)])
    options: dict[str, Any] = {
        "num_workers": 1,
        "multiprocessing_context": method,
        "persistent_workers": True,
    }
    expected = _run(Loader(dataset, batch_size=8, shuffle=True))
    assert _same(_run(Loader(dataset, batch_size=8, shuffle=True, **options)), expected)


def test_the_size_of_the_batches_changes_no_sample(dataset: Dataset) -> None:
    def samples(size: int) -> dict[str, torch.Tensor]:
        loader = Loader(dataset, batch_size=size, shuffle=True)
        return {
            name: image for batch in loader for name, image in zip(batch["name"], batch["image"], strict=True)
        }

    expected = samples(1)
    for size in (2, 5, 23, 40):
        found = samples(size)
        assert list(found) == list(expected)  # the order, too
        assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_two_workers_never_share_a_stream() -> None:
    same = ArraySource(np.tile(IMAGES[:1], (24, 1, 1)))
    noisy = Dataset(same, transform=GaussianNoise(snr=1.0))
    images = torch.cat([batch["image"] for batch in Loader(noisy, batch_size=3, num_workers=2)])
    assert len({image.numpy().tobytes() for image in images}) == 24


def test_an_epoch_holds_every_sample_once_in_an_order_of_its_own(dataset: Dataset) -> None:
    loader = Loader(dataset, batch_size=4, shuffle=True)
    orders = [[int(i) for batch in loader for i in batch["index"]] for _ in range(3)]
    assert all(sorted(order) == list(range(23)) for order in orders)
    assert len({tuple(order) for order in orders}) == 3
    assert loader.epoch == 2

    loader.set_epoch(1)
    assert [int(i) for batch in loader for i in batch["index"]] == orders[1]


def test_validation_is_the_same_in_every_epoch(dataset: Dataset) -> None:
    first, second = _run(Loader(dataset, batch_size=4), 1), _run(Loader(dataset, batch_size=4), 1)
    loader = Loader(dataset, batch_size=4)
    assert _same(first, second)
    assert _same(_run(loader, 2), first + first)
    assert [int(i) for batch in first for i in batch["index"]] == list(range(23))
    varied = Loader(dataset, batch_size=4, fixed_draws=False)
    assert not _same(_run(varied, 2), first + first)


@pytest.mark.parametrize(("before", "after"), [(0, 0), (0, 2), (2, 0), (2, 2)])
@pytest.mark.parametrize("stop", [0, 1, 4, 6, 7])
def test_a_run_that_stops_in_the_middle_goes_on_as_if_it_had_not(
    dataset: Dataset, before: int, after: int, stop: int
) -> None:
    whole = _run(Loader(dataset, batch_size=4, shuffle=True), 3)
    loader = Loader(dataset, batch_size=4, shuffle=True, num_workers=before)
    seen = _take(loader, stop)
    state = json.loads(json.dumps(loader.state_dict()))
    resumed = Loader(dataset, batch_size=4, shuffle=True, num_workers=after)
    resumed.load_state_dict(state)

    assert _same(seen + _run(resumed, 3 - stop // 6), whole)


def _take(loader: Loader, count: int) -> list[dict[str, Any]]:
    """Take batches, over epochs of six, and leave the last one unfinished."""
    taken: list[dict[str, Any]] = []
    while len(taken) < count:
        for batch in loader:
            taken.append(batch)
            if len(taken) == count:
                break
    return taken


def test_a_state_goes_on_with_other_batches_and_ranks(dataset: Dataset) -> None:
    order = [int(i) for batch in Loader(dataset, batch_size=4, shuffle=True) for i in batch["index"]]
    loader = Loader(dataset, batch_size=4, shuffle=True)
    _take(loader, 2)
    rest = []
    for rank in range(2):
        part = Loader(dataset, batch_size=3, shuffle=True, rank=rank, world_size=2)
        part.load_state_dict(loader.state_dict())
        assert len(part) == 3
        rest.append([batch["index"].tolist() for batch in part])
    together = [i for step in zip(*rest, strict=True) for pair in zip(*step, strict=True) for i in pair]

    assert together[:15] == order[8:]


def test_the_state_of_other_data_is_refused(dataset: Dataset) -> None:
    state = Loader(dataset, batch_size=4, shuffle=True).state_dict()
    with pytest.raises(InvalidOptionError, match="shuffle=True, and this one has False"):
        Loader(dataset, batch_size=4).load_state_dict(state)
    with pytest.raises(InvalidOptionError, match="length=23"):
        Loader(dataset.subset([1, 2]), batch_size=1, shuffle=True).load_state_dict(state)
    with pytest.raises(InvalidOptionError, match="seed"):
        Loader(dataset, batch_size=4, shuffle=True, seed=3).load_state_dict(state)


def test_a_pass_that_is_broken_off_is_begun_again(dataset: Dataset) -> None:
    loader = Loader(dataset, batch_size=4, shuffle=True)
    first = next(iter(loader))
    assert _same([next(iter(loader))], [first])
    assert len(loader) == 6


@settings(deadline=None)
@given(
    length=st.integers(1, 60),
    batch_size=st.integers(1, 9),
    world_size=st.integers(1, 4),
    drop_last=st.booleans(),
    position=st.integers(0, 59),
)
def test_ranks_share_out_an_epoch_in_step(
    length: int, batch_size: int, world_size: int, drop_last: bool, position: int
) -> None:
    def order(rank: int, world: int, size: int) -> BatchOrder:
        found = BatchOrder(
            length,
            batch_size=size,
            shuffle=True,
            seed=3,
            drop_last=drop_last,
            fixed_draws=False,
            rank=rank,
            world_size=world,
        )
        found.position = position
        return found

    ranks = [list(order(rank, world_size, batch_size)) for rank in range(world_size)]
    alone = list(order(0, 1, batch_size * world_size))

    assert len({len(batches) for batches in ranks}) == 1
    assert len(ranks[0]) == len(alone) == len(order(0, world_size, batch_size))
    for step, whole in zip(zip(*ranks, strict=True), alone, strict=True):
        shared = [i for row in zip(*step, strict=True) for i in row]
        assert shared[: len(whole)] == list(whole)
        assert len(shared) - len(whole) < world_size
        again = order(0, 1, 1).order()
        assert shared[len(whole) :] == np.resize(again, len(shared) - len(whole)).tolist()


def test_a_rank_that_goes_on_fills_its_last_batch_as_if_it_had_not_stopped() -> None:
    """Of 7 samples two ranks take 4 at a time: the last one is filled up from the beginning of the order."""
    dataset = Dataset(np.arange(7.0)[:, None, None] * np.ones((1, 2, 2)))
    for rank in (0, 1):
        options: dict[str, Any] = {"batch_size": 2, "shuffle": True, "rank": rank, "world_size": 2}
        whole = [batch["index"].tolist() for batch in Loader(dataset, **options)]
        stopped = Loader(dataset, **options)
        first = next(iter(stopped))["index"].tolist()
        other = Loader(dataset, **options)
        other.load_state_dict(stopped.state_dict())
        assert [first, *(batch["index"].tolist() for batch in other)] == whole


def test_two_ranks_see_together_what_one_process_sees(dataset: Dataset) -> None:
    whole = Loader(dataset, batch_size=8, shuffle=True)
    parts = [Loader(dataset, batch_size=4, shuffle=True, rank=rank, world_size=2) for rank in range(2)]
    for batch, first, second in zip(whole, *parts, strict=True):
        assert first["image"].shape == second["image"].shape
        mixed = torch.stack([first["image"], second["image"]], dim=1).flatten(0, 1)
        assert torch.equal(mixed[: len(batch["image"])], batch["image"])


def test_a_loader_that_would_give_no_batch_is_refused(dataset: Dataset) -> None:
    with pytest.raises(SplitError, match="sets must be larger than 23 samples"):
        Loader(dataset, batch_size=24, drop_last=True)
    with pytest.raises(SplitError, match="larger than 0"):
        Loader(dataset.subset([]), batch_size=1)
    bad_options: list[dict[str, Any]] = [
        {"batch_size": 0},
        {"batch_size": 1, "rank": 2, "world_size": 2},
        {"batch_size": 1, "rank": 0},
        {"batch_size": 1, "world_size": 2},
    ]
    for bad in bad_options:
        with pytest.raises(InvalidOptionError):
            Loader(dataset, **bad)
    assert len(Loader(dataset, batch_size=5, drop_last=True)) == 4


def test_pairs_come_as_pairs(dataset: Dataset) -> None:
    expected = next(iter(Loader(dataset, batch_size=4)))
    image, label = next(iter(Loader(dataset.as_tuples(), batch_size=4, num_workers=1)))
    assert torch.equal(image, expected["image"])
    assert torch.equal(label, expected["label"])


def test_an_error_in_a_worker_is_the_error_itself(tmp_path: Path) -> None:
    for k in range(4):
        content = mrc_bytes(IMAGES[k])
        (tmp_path / f"{k}.mrc").write_bytes(content[:-8] if k == 2 else content)
    loader = Loader(Dataset(FileSource(tmp_path)), batch_size=2, num_workers=1)
    batches: Iterator[Any] = iter(loader)
    next(batches)
    with pytest.raises(DamagedFileError, match=r"2\.mrc is corrupted"):
        next(batches)


def test_large_seeds_are_seeds_too() -> None:
    for seed in (-1, 2**64 + 5):
        loader = Loader(Dataset(IMAGES, seed=seed, transform=RandomFlip()), batch_size=4, shuffle=True)
        assert len(_run(loader, 1)) == 6
