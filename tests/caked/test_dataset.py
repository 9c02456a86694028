"""Samples and batches: what is in them, and what is reported instead of hidden."""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import caked
from caked import ArraySource, Dataset, FileSource, InvalidOptionError, NonFiniteImageError, ShapeError
from caked.transforms import Compose, FourierCrop, GaussianNoise, Invert, MinMax, RandomFlip, RandomRoll
from mrc_vectors import mrc_bytes, sample_array

MakeFolder = Callable[..., tuple[Path, np.ndarray]]
IMAGES = np.random.default_rng(0).normal(size=(12, 8, 8)).astype(np.float32)
NAMES = [f"{'apo' if k % 3 else 'holo'}_{k}.mrc" for k in range(12)]


def _dataset(**options: Any) -> Dataset:
    source = ArraySource(
        IMAGES, names=NAMES, groups=[f"m{k // 4}" for k in range(12)], pixel_size_angstrom=(1.5, 1.5)
    )
    return Dataset(source, labels="prefix", **options)


def test_a_sample_says_what_it_is() -> None:
    sample = _dataset()[3]

    assert sample["image"].dtype == torch.float32
    assert torch.equal(sample["image"], torch.from_numpy(IMAGES[3])[None])
    assert sample["label"].dtype == torch.int64
    assert (int(sample["label"]), int(sample["index"])) == (1, 3)
    assert (sample["name"], sample["group"]) == ("holo_3.mrc", "m0")
    assert sample["pixel_size_angstrom"].tolist() == [1.5, 1.5]


def test_a_batch_is_its_samples() -> None:
    dataset = _dataset(transform=[RandomRoll(shift=2), GaussianNoise(snr=1.0), MinMax()])
    batch = dataset.batch([5, 0, 11])
    for row, k in enumerate((5, 0, 11)):
        sample = dataset[k]
        assert sorted(sample) == sorted(batch)
        assert torch.equal(batch["image"][row], sample["image"])
        assert batch["name"][row] == sample["name"]
        assert batch["label"][row] == sample["label"]
    several = dataset.__getitems__([5, 0, 11])
    assert [sample["name"] for sample in several] == batch["name"]
    assert [sample["name"] for sample in several[1:]] == batch["name"][1:]


def test_samples_without_labels_or_groups_say_so() -> None:
    sample = Dataset(IMAGES)[-1]
    assert int(sample["label"]) == -1
    assert sample["group"] == ""
    assert Dataset(IMAGES).classes == ()
    with pytest.raises(InvalidOptionError, match="have no labels"):
        Dataset(IMAGES).class_weights()


def test_a_dataset_ends_where_it_ends() -> None:
    dataset = _dataset()
    assert len(list(dataset)) == len(dataset) == 12
    with pytest.raises(IndexError):
        dataset[12]


def test_classes_that_are_not_asked_for_are_left_out() -> None:
    dataset = _dataset(classes=["holo"])
    assert dataset.classes == ("holo",)
    assert [sample["name"] for sample in dataset] == NAMES[::3]
    assert dataset.class_counts() == {"holo": 4}
    assert _dataset().class_weights().tolist() == pytest.approx([12 / (2 * 8), 12 / (2 * 4)])
    assert _dataset().class_weights().dtype == torch.float32


def test_a_subset_draws_for_each_sample_what_the_whole_draws() -> None:
    whole = _dataset(transform=RandomRoll(shift=3), seed=5)
    part = whole.subset([9, 2])
    assert torch.equal(part[0]["image"], whole[9]["image"])
    assert torch.equal(part[1]["image"], whole[2]["image"])
    with pytest.raises(InvalidOptionError, match="that the dataset has"):
        part.subset([3])


def test_parts_of_a_split_are_augmented_only_for_training() -> None:
    dataset = _dataset(transform=[Invert(), RandomRoll(shift=3)])
    split = caked.split_samples(dataset.source, {"train": 0.34, "test": 0.66})
    parts = dataset.split(split)

    assert {len(parts["train"]), len(parts["test"])} == {4, 8}
    for sample in parts["test"]:
        assert torch.equal(sample["image"][0], -torch.from_numpy(IMAGES[int(sample["index"])]))
    assert any(
        not torch.equal(sample["image"][0], -torch.from_numpy(IMAGES[int(sample["index"])]))
        for sample in parts["train"]
    )
    assert parts["train"].transform is dataset.transform
    plain = dataset.split(split, evaluation_transform=None)["test"][0]
    assert torch.equal(plain["image"][0], torch.from_numpy(IMAGES[int(plain["index"])]))


def test_pairs_are_image_and_label() -> None:
    pairs = _dataset().as_tuples()
    image, label = pairs[3]
    assert torch.equal(image, torch.from_numpy(IMAGES[3])[None])
    assert int(label) == 1
    assert len(pairs) == 12
    batch = pairs.__getitems__([0, 3])
    assert torch.equal(batch[1][0], image)
    assert len(batch[:2]) == len(batch) == 2


@pytest.mark.parametrize("tuples", [False, True])
def test_torchs_own_loader_takes_it_too(tuples: bool) -> None:
    dataset: Any = _dataset().as_tuples() if tuples else _dataset()
    batch = next(iter(torch.utils.data.DataLoader(dataset, batch_size=5)))
    image = batch[0] if tuples else batch["image"]
    assert torch.equal(image, torch.from_numpy(IMAGES[:5])[:, None])
    if not tuples:
        assert list(batch["name"]) == NAMES[:5]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_images_that_are_not_finite_are_reported_by_name(bad: float) -> None:
    images = IMAGES.copy()
    images[7, 2, 2] = bad
    source = ArraySource(images, names=NAMES)
    with pytest.raises(NonFiniteImageError, match=r"apo_7\.mrc holds NaN or infinity") as caught:
        Dataset(source).batch([0, 7])
    assert caught.value.name == "apo_7.mrc"
    with pytest.warns(UserWarning, match=r"apo_7\.mrc holds NaN"):
        Dataset(source, non_finite="warn")[7]
    assert not torch.isfinite(Dataset(source, non_finite="keep")[7]["image"]).all()


def test_large_finite_values_are_no_reason_to_complain() -> None:
    Dataset(np.full((1, 64, 64), 3e38, dtype=np.float32))[0]


def test_images_of_several_shapes_are_brought_to_one_by_a_transform(tmp_path: Path) -> None:
    shapes = {"a.mrc": (8, 8), "b.mrc": (6, 10), "c.mrc": (8, 8), "d.mrc": (6, 10)}
    for name, shape in shapes.items():
        (tmp_path / name).write_bytes(mrc_bytes(sample_array(2, shape)))
    source = FileSource(tmp_path)
    batch = Dataset(source, transform=FourierCrop(size=4)).batch([3, 0, 1, 0, 2])

    assert batch["name"] == ["d.mrc", "a.mrc", "b.mrc", "a.mrc", "c.mrc"]
    assert batch["pixel_size_angstrom"].tolist() == [[1.5, 2.5], [2, 2], [1.5, 2.5], [2, 2], [2, 2]]
    for row, i in enumerate((3, 0, 1, 0, 2)):
        expected = FourierCrop(size=4)(torch.from_numpy(source.read(i))[None, None])[0]
        assert torch.equal(batch["image"][row], expected)
    with pytest.raises(ShapeError, match=r"a\.mrc has .*b\.mrc has .*one size"):
        Dataset(source).batch([0, 1])


def test_complex_images_stay_complex(tmp_path: Path) -> None:
    (tmp_path / "a.mrc").write_bytes(mrc_bytes(sample_array(4, (4, 4)), mode=4))
    image = Dataset(FileSource(tmp_path))[0]["image"]
    assert image.dtype == torch.complex64
    np.testing.assert_array_equal(image[0].numpy(), sample_array(4, (4, 4)))


@pytest.mark.parametrize("mode", [0, 1, 6, 12, 101])
def test_every_type_of_pixel_becomes_float32(mode: int, tmp_path: Path) -> None:
    (tmp_path / "a.mrc").write_bytes(mrc_bytes(sample_array(mode, (4, 6)), mode=mode))
    image = Dataset(FileSource(tmp_path))[0]["image"]
    assert image.dtype == torch.float32
    np.testing.assert_array_equal(image[0].numpy(), sample_array(mode, (4, 6)).astype(np.float32))


def test_a_new_epoch_draws_anew_and_the_old_one_can_be_had_again() -> None:
    dataset = _dataset(transform=RandomRoll(shift=3))
    first = dataset.batch(range(12))["image"]
    dataset.set_epoch(1)
    second = dataset.batch(range(12))["image"]
    dataset.set_epoch(0)
    assert not torch.equal(first, second)
    assert torch.equal(dataset.batch(range(12))["image"], first)


def test_using_it_touches_no_global_generator() -> None:
    def states() -> tuple[bytes, bytes, object]:
        legacy = np.random.get_state()
        return torch.get_rng_state().numpy().tobytes(), legacy[1].tobytes(), random.getstate()  # type: ignore[index]

    before = states()
    dataset = _dataset(transform=Compose([RandomFlip(), GaussianNoise(snr=1.0)]))
    for _ in caked.Loader(dataset, batch_size=4, shuffle=True):
        pass
    caked.split_samples(dataset.source, {"train": 0.5, "test": 0.5})
    assert states() == before


def test_a_pickle_gives_the_same_samples(make_folder: MakeFolder) -> None:
    folder, _ = make_folder(["a_1.mrc", "b_1.mrc"])
    dataset = Dataset(FileSource(folder), labels="prefix", transform=[RandomRoll(shift=2), MinMax()])
    again = pickle.loads(pickle.dumps(dataset))
    assert torch.equal(again[1]["image"], dataset[1]["image"])


def test_options_that_make_no_sense_are_refused() -> None:
    with pytest.raises(InvalidOptionError, match="'raise', 'warn' or 'keep'"):
        Dataset(IMAGES, non_finite="ignore")  # type: ignore[arg-type]
    with pytest.raises(InvalidOptionError, match="need labels"):
        Dataset(IMAGES, classes=["a"])
