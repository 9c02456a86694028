"""What was wrong in caked 0.1.7 is right behind the same names."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.ndimage
import scipy.signal
import torch

from caked.dataloader import DiskDataLoader, DiskDataset
from caked.errors import (
    InvalidOptionError,
    RefusedFileError,
    ShapeError,
    SourceNotFoundError,
    SplitError,
)
from caked.io.layout import read_layout
from caked.io.read import read_array
from mrc_vectors import mrc_bytes, sample_array

CLASSES = ["1b23", "1dfo", "1dkg", "1e3p"]
ALL = ["normalise", "gaussianblur", "shiftmin"]
Pair = tuple[torch.Tensor, str]


def _loaded(folder: Path, datatype: str = "mrc", **options: Any) -> DiskDataLoader:
    loader = DiskDataLoader(pipeline="disk", **options)
    loader.load(datapath=folder, datatype=datatype)
    return loader


def _first(loader: DiskDataLoader) -> Pair:
    pair: Pair = next(iter(loader.dataset))
    return pair


def test_importing_and_using_it_seeds_nothing(volumes: Path, run_python: Callable[[str], str]) -> None:
    code = "import numpy as np; s = np.random.get_state()[1].tolist(); import caked.dataloader; "
    assert run_python(code + "print(s == np.random.get_state()[1].tolist())").strip() == "True"
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()  # type: ignore[index]
    loader = _loaded(volumes, transformations=ALL)
    loader.dataset.augment(True, "rot90")
    for part in loader.get_loader(batch_size=2, split_size=0.5):
        for _ in part:
            pass
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1] == np.random.get_state()[1].tolist()  # type: ignore[index]
    assert before[2] == random.getstate()


def test_files_are_taken_by_their_exact_ending(volumes: Path) -> None:
    for name in ("1b23_x.mrc.bak", "1b23_x.mrcx"):
        (volumes / name).write_text("no image")
    (volumes / "1b23_x.mrc.d").mkdir()
    (volumes / "1b23_y.mrc").mkdir()
    assert len(_loaded(volumes).dataset) == 22


def test_the_same_files_are_chosen_and_split_in_every_process(
    volumes: Path, run_python: Callable[[str], str]
) -> None:
    code = f"""
from caked.dataloader import DiskDataLoader
loader = DiskDataLoader(dataset_size=9)
loader.load({str(volumes)!r}, "mrc")
train, validation = loader.get_loader(batch_size=2, split_size=0.5)
print([p.name for p in loader.dataset.paths], list(validation.dataset.indices), [l for _, l in train])
"""
    assert run_python(code) == run_python(code)
    few, more = _loaded(volumes, dataset_size=5), _loaded(volumes, dataset_size=9)
    assert few.dataset.paths == more.dataset.paths[:5]


def test_each_pass_has_an_order_of_its_own(volumes: Path) -> None:
    train, _ = _loaded(volumes).get_loader(batch_size=1, split_size=0.5)
    first, second = ([image.sum().item() for image, _ in train] for _ in range(2))
    assert sorted(first) == sorted(second)
    assert first != second


def test_two_rescales_apply_one_after_the_other(letters: Path) -> None:
    dataset = _loaded(letters, "npy", transformations=["rescale=16", "shiftmin", "rescale=4"]).dataset
    raw = dataset.read(dataset.paths[0])
    half = scipy.signal.resample(scipy.signal.resample(raw, 16, axis=0), 16, axis=1)
    half = (half - half.min()) / (half.max() - half.min())
    expected = scipy.signal.resample(scipy.signal.resample(half, 4, axis=0), 4, axis=1)

    assert dataset.rescale == 4
    np.testing.assert_allclose(dataset[0][0][0].numpy(), expected, atol=1e-5)


def _published(word: str, image: np.ndarray) -> Any:
    """What each word stands for, by scipy and numpy."""
    if word == "gaussianblur":
        return scipy.ndimage.gaussian_filter(image, 1.0)
    if word == "normalise":
        return (image - image.mean()) / image.std()
    if word == "shiftmin":
        return (image - image.min()) / (image.max() - image.min())
    for axis in range(image.ndim):
        image = scipy.signal.resample(image, 8, axis=axis)
    return image


@pytest.mark.parametrize(
    "words",
    [
        ["normalise"],
        ["gaussianblur"],
        ["shiftmin", "gaussianblur"],
        ["gaussianblur", "shiftmin"],
        ["gaussianblur", "normalise", "shiftmin", "rescale=8"],
        ["rescale=8", "shiftmin", "normalise", "gaussianblur"],
    ],
)
@pytest.mark.parametrize("kind", ["image", "volume"])
def test_the_words_do_what_they_say_in_the_order_given(
    words: list[str], kind: str, volumes: Path, letters: Path
) -> None:
    folder, datatype = (volumes, "mrc") if kind == "volume" else (letters, "npy")
    dataset = _loaded(folder, datatype, transformations=words).dataset
    expected = dataset.read(dataset.paths[0]).astype(np.float64)
    for word in words:
        expected = _published(word, expected)

    first, second = dataset[0][0], dataset[0][0]
    np.testing.assert_allclose(first[0].numpy(), expected, atol=2e-5 * max(1, np.abs(expected).max()))
    assert torch.equal(first, second)


def test_a_dataset_made_by_its_flags_applies_them_in_the_published_order(letters: Path) -> None:
    dataset = DiskDataset(
        letters, rescale=8, normalise=True, gaussianblur=True, shiftmin=True, input_transform=lambda x: x * 2
    )
    expected = dataset.read(dataset.paths[0])
    for word in ("rescale=8", "shiftmin", "gaussianblur", "normalise"):
        expected = _published(word, expected)
    np.testing.assert_allclose(dataset[0][0][0].numpy(), 2 * expected, atol=1e-4)
    dataset.normalise = dataset.gaussianblur = False
    assert float(dataset[0][0].max()) == pytest.approx(2.0)


def test_rescaling_does_not_alias(tmp_path: Path) -> None:
    wave = np.sin(2 * np.pi * 40 * np.arange(128) / 128)
    np.save(tmp_path / "a_1.npy", np.tile(wave, (128, 1)))
    image = _loaded(tmp_path, "npy", transformations=["rescale=32"]).dataset[0][0]
    assert float(image.square().mean()) < 0.01 * (wave**2).mean()


def test_rescaling_warns_where_it_changes_the_aspect(tmp_path: Path) -> None:
    np.save(tmp_path / "a_1.npy", np.random.default_rng(0).normal(size=(100, 200)))
    dataset = _loaded(tmp_path, "npy", transformations=["rescale=50"]).dataset
    with pytest.warns(UserWarning, match=r"\(100, 200\) to \(50, 50\): their aspect changes"):
        image = dataset[0][0]
    assert image.shape == (1, 50, 50)


def test_a_constant_image_makes_no_nan(tmp_path: Path) -> None:
    np.save(tmp_path / "a_1.npy", np.full((16, 16), 7.0))
    for words in (["shiftmin"], ["normalise"], [*ALL, "rescale=8"]):
        image = _loaded(tmp_path, "npy", transformations=words).dataset[0][0]
        assert torch.isfinite(image).all()


def test_nan_in_a_file_is_told(tmp_path: Path) -> None:
    image = np.zeros((4, 4))
    image[1, 1] = np.nan
    np.save(tmp_path / "a_1.npy", image)
    np.save(tmp_path / "a_2.npy", np.zeros((4, 4)))
    loader = _loaded(tmp_path, "npy", training=False)
    with pytest.warns(UserWarning, match=r"a_1\.npy holds NaN"):
        next(iter(loader.get_loader(batch_size=2)))
    with pytest.warns(UserWarning, match=r"a_1\.npy holds NaN"):
        DiskDataset(tmp_path)[0]


@pytest.mark.parametrize(
    ("count", "split_size", "expected"),
    [
        (100, 0.29, (71, 29)),
        (100, 0.07, (93, 7)),
        (40, 20, (32, 8)),
        (22, 0.8, (4, 18)),
        (1000, 0.295, (705, 295)),
    ],
)
def test_the_split_has_the_size_that_was_asked_for(
    count: int, split_size: float, expected: tuple[int, int], letters: Path
) -> None:
    loader = DiskDataLoader()
    path = next(letters.iterdir())
    loader.dataset = DiskDataset([path] * count)
    train, validation = loader.get_loader(batch_size=2, split_size=split_size)
    indices = list(train.dataset.indices) + list(validation.dataset.indices)
    assert (len(train.dataset), len(validation.dataset)) == expected
    assert sorted(indices) == list(range(count))


@pytest.mark.parametrize(("count", "split_size"), [(3, 0.8), (3, 0.2), (22, 1), (100, 0.005), (22, 99)])
def test_a_split_that_leaves_too_little_is_refused_with_the_numbers(count: int, split_size: float) -> None:
    loader = DiskDataLoader()
    loader.dataset = DiskDataset(["test"] * count)
    with pytest.raises(SplitError, match=r".* sets must be larger than .*train: \d+, val: \d+"):
        loader.get_loader(split_size=split_size, batch_size=2)


def test_a_loader_without_a_full_batch_raises_instead_of_giving_nothing(volumes: Path) -> None:
    train, validation = _loaded(volumes, dataset_size=8).get_loader(batch_size=64, split_size=0.5)
    for loader in (train, validation):
        with pytest.raises(SplitError, match="not one batch is left"):
            next(iter(loader))
    _, kept = _loaded(volumes, dataset_size=8).get_loader(batch_size=64, split_size=0.5, no_val_drop=True)
    assert len(next(iter(kept))[1]) == 4


def test_the_class_of_a_name_without_an_underscore_is_its_stem(tmp_path: Path) -> None:
    (tmp_path / "foo.mrc").write_bytes(mrc_bytes(sample_array(2)))
    loader = _loaded(tmp_path)
    assert loader.classes == ["foo"]
    assert _first(loader)[1] == "foo"


def test_a_second_folder_can_be_loaded_by_the_same_loader(volumes: Path, letters: Path) -> None:
    loader = _loaded(volumes)
    loader.load(letters, "npy")
    assert loader.classes == ["2", "a", "e", "x"]
    loader.classes = ["e"]
    loader.load(letters, "npy")
    assert len(loader.dataset) == 5


def test_the_variants_of_mrc_are_read(tmp_path: Path) -> None:
    for name, options in (
        ("big_1.mrc", {"order": ">"}),
        ("blank_1.mrcs", {"map_id": b"\0\0\0\0", "stamp": b"\0\0\0\0"}),
        ("wide_1.mrc", {"extended": bytes(160)}),
    ):
        (tmp_path / name).write_bytes(mrc_bytes(sample_array(2), **options))
    for image, _ in _loaded(tmp_path).dataset:
        np.testing.assert_array_equal(image[0].numpy(), sample_array(2))


def test_complex_images_keep_their_imaginary_part_or_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a_1.mrc").write_bytes(mrc_bytes(sample_array(4), mode=4))
    np.testing.assert_array_equal(_loaded(tmp_path, training=False).dataset[0][0][0].numpy(), sample_array(4))
    with pytest.raises(ValueError, match="Complex images"):
        _loaded(tmp_path, transformations=["shiftmin"]).dataset[0]


def test_a_batch_holds_what_single_samples_hold(volumes: Path) -> None:
    loader = _loaded(volumes, training=False, transformations=["gaussianblur", "rescale=8", *ALL])
    loader.dataset.augment(True, "rot90+flip")
    images, labels = next(iter(loader.get_loader(batch_size=7)))
    for k in range(7):
        image, label = loader.dataset[k]
        assert torch.equal(images[k], image)
        assert labels[k] == label


def test_without_training_the_order_is_kept(volumes: Path) -> None:
    loader = _loaded(volumes, training=False)
    labels = [label for _, batch in loader.get_loader(batch_size=5) for label in batch]
    assert labels == [Path(path).name.split("_")[0] for path in loader.dataset.paths]


def test_augmentation_that_is_switched_on_late_leaves_validation_alone_too(volumes: Path) -> None:
    loader = _loaded(volumes)
    train, validation = loader.get_loader(batch_size=2, split_size=0.5)
    plain = [validation.dataset[row][0] for row in range(len(validation.dataset))]
    before = [image for image, _ in train.dataset]
    loader.dataset.augment(True, "rot90+flip")

    assert any(not torch.equal(image, old) for (image, _), old in zip(train.dataset, before, strict=True))
    for _ in range(2):
        assert len(list(train)) == len(train)
    epoch = loader.dataset.epoch
    assert len(list(validation)) == len(validation)
    assert loader.dataset.epoch == epoch  # of the training, which goes on
    rows = list(range(len(plain)))
    for images in ([validation.dataset[row][0] for row in rows], validation.dataset.__getitems__(rows)):
        for image, old in zip(images, plain, strict=True):
            assert torch.equal(image if isinstance(image, torch.Tensor) else image[0], old)


def test_steps_are_made_once_and_follow_what_is_switched_on(volumes: Path) -> None:
    dataset = _loaded(volumes).dataset
    before = dataset.steps()
    assert dataset.steps() is before
    dataset.normalise = not dataset.normalise
    assert len(dataset.steps()) == len(before) + (1 if dataset.normalise else -1)


def test_augmentation_differs_by_epoch_and_leaves_validation_alone(volumes: Path) -> None:
    loader = _loaded(volumes)
    plain = [loader.dataset[k][0] for k in range(22)]
    loader.dataset.augment(True, "rot90")
    train, validation = loader.get_loader(batch_size=1, split_size=0.5)
    epochs = []
    for _ in range(2):
        for _ in train:
            pass
        epochs.append([loader.dataset[k][0] for k in train.dataset.indices])
    before = [plain[k] for k in train.dataset.indices]

    for epoch in epochs:
        assert any(not torch.equal(a, b) for a, b in zip(epoch, before, strict=True))
        for a, b in zip(epoch, before, strict=True):
            assert any(torch.equal(a, torch.rot90(b, k, (-2, -1))) for k in range(4))
    assert any(not torch.equal(a, b) for a, b in zip(*epochs, strict=True))
    for row, k in enumerate(validation.dataset.indices):
        assert torch.equal(validation.dataset[row][0], plain[k])
    loader.dataset.augment(False)
    assert torch.equal(loader.dataset[0][0], plain[0])
    with pytest.raises(InvalidOptionError, match="rot90, flip"):
        loader.dataset.augment(True, "shear")


@pytest.mark.parametrize("words", [None, ["rescale=8", "normalise"]])
def test_what_was_processed_is_saved_with_its_voxel_size(words: list[str] | None, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for k in range(3):
        image = np.random.default_rng(k).normal(size=(16, 16)).astype(np.float32)
        (folder / f"a_{k}.mrc").write_bytes(mrc_bytes(image, voxel_size=(1.5, 1.5, 1.5)))
    loader = _loaded(folder, save_to_disk=True, transformations=words)
    saved = sorted((folder / "processed").iterdir())

    assert [path.name for path in saved] == ["a_0.mrc", "a_1.mrc", "a_2.mrc"]
    for item, path in enumerate(loader.dataset.paths):
        written = folder / "processed" / Path(path).name
        layout = read_layout(written)
        np.testing.assert_array_equal(read_array(written, layout), loader.dataset[item][0][0].numpy())
        assert layout.voxel_size[1:] == pytest.approx((1.5, 1.5) if words is None else (3.0, 3.0))
    assert len(_loaded(folder).dataset) == 3


def test_numpy_files_and_another_folder_are_saved_too(letters: Path, tmp_path: Path) -> None:
    loader = DiskDataLoader(save_to_disk=True, transformations=["shiftmin"])
    loader.save_directory = tmp_path / "elsewhere"
    loader.load(letters, "npy")
    for item, path in enumerate(loader.dataset.paths):
        saved = np.load(tmp_path / "elsewhere" / Path(path).name)
        np.testing.assert_array_equal(saved, loader.dataset[item][0][0].numpy())
    with pytest.raises(InvalidOptionError, match="take the place"):
        loader.dataset.save(letters)


def test_pickled_numpy_files_are_refused(tmp_path: Path) -> None:
    np.save(tmp_path / "a_1.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(RefusedFileError, match="only numbers"):
        DiskDataset(tmp_path)[0]


def test_wrong_input_gets_one_sentence(tmp_path: Path, volumes: Path) -> None:
    cases: list[tuple[Callable[[], Any], type[Exception], str]] = [
        (lambda: _loaded(tmp_path / "gone"), SourceNotFoundError, "no folder"),
        (lambda: _loaded(volumes / "test"), SourceNotFoundError, "holds no .mrc file"),
        (lambda: _loaded(volumes, "tif"), InvalidOptionError, "'mrc' or 'npy'"),
        (lambda: DiskDataset(["a.tif"], "tif").read("a.tif"), InvalidOptionError, "only those are supported"),
        (
            lambda: _loaded(volumes, transformations=["sharpen"]),
            InvalidOptionError,
            r"not supported: \['sharpen'\]",
        ),
        (lambda: _loaded(volumes, transformations=["rescale=x"]), InvalidOptionError, "number of pixels"),
        (lambda: _loaded(volumes, dataset_size=0), InvalidOptionError, "one sample at least"),
        (
            lambda: _loaded(volumes).get_loader(batch_size=2),
            InvalidOptionError,
            "Split size must be provided",
        ),
        (lambda: _loaded(volumes).get_loader(0, 0.5), InvalidOptionError, "one sample at least"),
        (lambda: _loaded(volumes).get_loader(2, 100), InvalidOptionError, "fraction below 1 or a percentage"),
        (lambda: _loaded(volumes).get_loader(2, math.nan), InvalidOptionError, "not nan"),
        (lambda: DiskDataLoader().get_loader(2, 0.5), InvalidOptionError, "call load"),
        (lambda: DiskDataLoader().process([], "mrc"), InvalidOptionError, "nothing to process"),
    ]
    for call, error, message in cases:
        with pytest.raises(error, match=message):
            call()


def test_files_of_unlike_shapes_are_named(tmp_path: Path) -> None:
    for k in range(8):
        (tmp_path / f"{'ab'[k % 2]}_{k}.mrc").write_bytes(mrc_bytes(np.ones((4 + k // 4, 4), np.float32)))
    with pytest.raises(ShapeError, match=r"_\d\.mrc has \(1, [45], 4\), .*_\d\.mrc has .*'rescale=N'"):
        list(_loaded(tmp_path, training=False).get_loader(batch_size=8))
    loader = _loaded(tmp_path, training=False, transformations=["rescale=4"]).get_loader(batch_size=8)
    with pytest.warns(UserWarning, match="aspect"):
        assert next(iter(loader))[0].shape == (8, 1, 4, 4)


@pytest.mark.real_data
def test_real_stacks_without_a_map_id_are_loaded(real_data: Path) -> None:
    dataset = DiskDataset([real_data / "caked" / "cryodrgn" / "hand.5.mrcs"], "mrc", normalise=True)
    image, label = dataset[0]
    assert image.shape == (1, 5, 64, 64)
    assert label == "hand"
    assert float(image.std(correction=0)) == pytest.approx(1.0, abs=1e-4)
