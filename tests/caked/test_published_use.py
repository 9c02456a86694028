"""What was written for caked 0.1.7, and what its paper shows, runs on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch.utils.data import default_collate

from caked.base import AbstractDataLoader, AbstractDataset
from caked.dataloader import TRANSFORM_OPTIONS, DiskDataLoader, DiskDataset
from caked.errors import (
    ClassesNotFoundError,
    DamagedFileError,
    SourceNotFoundError,
)
from caked.io.layout import read_layout
from caked.io.read import read_array
from mrc_vectors import damaged_mrc, mrc_bytes

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


def test_the_classes_come_out_sorted(volumes: Path, letters: Path) -> None:
    assert _loaded(volumes).classes == CLASSES
    assert _loaded(letters, "npy").classes == ["2", "a", "e", "x"]
    assert _loaded(volumes, classes=["1dkg", "1b23", "1b23"]).classes == ["1b23", "1dkg"]
    assert issubclass(DiskDataLoader, AbstractDataLoader)
    assert issubclass(DiskDataset, AbstractDataset)
    assert TRANSFORM_OPTIONS == ["normalise", "gaussianblur", "shiftmin"]


def test_a_three_dimensional_file_is_one_volume_sample(volumes: Path) -> None:
    loader = _loaded(volumes)
    image, label = loader.dataset[1]
    path = loader.dataset.paths[1]

    assert image.shape == (1, 16, 16, 16)
    assert image.dtype == torch.float32
    assert label in CLASSES
    np.testing.assert_array_equal(image[0].numpy(), read_array(path, read_layout(path)))
    assert loader.dataset.dim() == 3


def test_a_class_that_is_not_there_is_named(volumes: Path) -> None:
    with pytest.raises(ClassesNotFoundError, match=r"Missing classes: \['2b3a'\]") as caught:
        _loaded(volumes, classes=["2b3a", "1b23"])
    assert isinstance(caught.value, RuntimeError)


def test_only_the_classes_asked_for_are_loaded(volumes: Path) -> None:
    loader = _loaded(volumes, classes=["1b23", "1dkg"])
    assert {label for _, label in loader.dataset} == {"1b23", "1dkg"}
    assert len(loader.dataset) == 11


def test_flags_can_be_read_and_images_keep_their_shape(volumes: Path, letters: Path) -> None:
    dataset = _loaded(volumes, transformations=[*ALL, "rescale=0"]).dataset
    assert (dataset.normalise, dataset.shiftmin, dataset.gaussianblur, dataset.rescale) == (
        True,
        True,
        True,
        0,
    )
    assert dataset[0][0].shape == (1, 16, 16, 16)
    dataset = _loaded(letters, "npy", transformations=["normalise", "gaussianblur"]).dataset
    assert (dataset.normalise, dataset.shiftmin, dataset.gaussianblur, dataset.rescale) == (
        True,
        False,
        True,
        0,
    )
    assert dataset[0][0].shape == (1, 64, 64)
    dataset = _loaded(volumes, transformations=["rescale=8"]).dataset
    assert (dataset.normalise, dataset.shiftmin, dataset.gaussianblur, dataset.rescale) == (
        False,
        False,
        False,
        8,
    )
    assert dataset[0][0].shape == (1, 8, 8, 8)


def test_loading_again_with_transformations_processes_the_same_files(volumes: Path) -> None:
    loader = DiskDataLoader(training=False)
    loader.debug = True
    loader.load(datapath=volumes, datatype="mrc")
    before, names = _first(loader), [Path(path).name for path in loader.dataset.paths]
    loader.transformations = [*ALL, "rescale=0"]
    loader.load(datapath=volumes, datatype="mrc")

    assert names == sorted(names)
    assert _first(loader)[1] == before[1]
    assert not torch.equal(_first(loader)[0], before[0])


def test_loaders_are_torchs_own_and_drop_as_documented(volumes: Path) -> None:
    loader = _loaded(volumes, classes=CLASSES)
    for no_drop in (True, False):
        train, validation = loader.get_loader(split_size=0.7, batch_size=64, no_val_drop=no_drop)
        assert type(train) is type(validation) is torch.utils.data.DataLoader
        assert isinstance(train.dataset, torch.utils.data.Subset)
        assert train.drop_last
        assert validation.drop_last is not no_drop
    assert isinstance(_loaded(volumes, training=False).get_loader(batch_size=64), torch.utils.data.DataLoader)


def test_batches_hold_tensors_and_names(volumes: Path) -> None:
    train, validation = _loaded(volumes).get_loader(batch_size=4, split_size=20)
    images, labels = next(iter(train))
    assert images.shape == (4, 1, 16, 16, 16)
    assert len(labels) == 4
    assert set(labels) <= set(CLASSES)
    assert (len(train.dataset), len(validation.dataset)) == (17, 5)


def test_a_damaged_file_is_an_error_that_ends_as_published(tmp_path: Path) -> None:
    dataset = (
        DiskDataset(paths=tmp_path, datatype="mrc")
        if list(tmp_path.iterdir())
        else DiskDataset(["test"], "mrc")
    )
    for name, content in damaged_mrc():
        path = tmp_path / f"{name}.mrc"
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r".* corrupted\.$") as caught:
            dataset.read(path)
        assert isinstance(caught.value, DamagedFileError)
    with pytest.raises(SourceNotFoundError, match="no file"):
        dataset.read(tmp_path / "gone.mrc")


def test_a_folder_can_be_given_as_the_paths(volumes: Path) -> None:
    dataset = DiskDataset(paths=volumes, datatype="mrc")
    assert len(dataset) == 22
    assert [Path(path).name for path in dataset.paths] == sorted(Path(path).name for path in dataset.paths)
    assert len(DiskDataset(paths=["test"])) == 1


def test_a_dataset_of_ones_own_takes_the_loaders_place(volumes: Path) -> None:
    class WithAffinity(DiskDataset):
        def __init__(self, dataset: DiskDataset, classes: list[str]) -> None:
            super().__init__(
                paths=dataset.paths,
                datatype=dataset.datatype,
                rescale=dataset.rescale,
                shiftmin=dataset.shiftmin,
                normalise=dataset.normalise,
                gaussianblur=dataset.gaussianblur,
            )
            self.classes = classes

        def __getitem__(self, item: int) -> Any:
            x = self.transformation(np.array(self.read(self.paths[item])))
            y = Path(self.paths[item]).name.split("_")[0]
            return x, y, self.classes.index(y), {"avg": float(np.average(x))}

    loader = _loaded(volumes, transformations=["gaussianblur", "normalise", "shiftmin"])
    loader.dataset = WithAffinity(loader.dataset, loader.classes)
    train, _ = loader.get_loader(batch_size=4, split_size=20)
    images, labels, affinity, meta = next(iter(train))

    assert images.shape == (4, 1, 16, 16, 16)
    assert [CLASSES[k] for k in affinity] == list(labels)
    assert len(meta["avg"]) == 4


def test_the_pairs_of_the_notebook_load_as_it_shows(tmp_path: Path) -> None:
    np.save(tmp_path / "10943_map.npy", np.zeros((12, 12, 12), dtype=np.float32))
    np.save(tmp_path / "10943_model.npy", np.zeros((85, 3)))

    class Demo(DiskDataset):
        def __init__(self, dataset: DiskDataset) -> None:
            super().__init__(
                dataset.paths,
                dataset.datatype,
                dataset.rescale,
                dataset.shiftmin,
                dataset.normalise,
                dataset.gaussianblur,
            )
            self.paths_models = [path for path in self.paths if "_model" in str(path)]
            self.paths_maps = [path for path in self.paths if "_model" not in str(path)]

        def __getitem__(self, item: int) -> Any:
            self.paths = self.paths_maps
            x_map, y = super().__getitem__(item)
            self.paths = self.paths_models
            x_model, _ = super().__getitem__(item)
            return x_map, x_model, y

    loader = _loaded(tmp_path, "npy", classes=["10943"])
    loader.dataset = Demo(dataset=loader.dataset)
    shapes = [(image.shape, coordinates.shape, label) for image, coordinates, label in loader.dataset]
    assert shapes == [((1, 12, 12, 12), (1, 85, 3), "10943")]


def test_subtomograms_are_used_as_affinity_vae_uses_them(tmp_path: Path) -> None:
    """Boxes of 64³ in .mrcs files, classes by prefix, all words of processing, both kinds of loaders."""
    generator = np.random.default_rng(1)
    for k in range(12):
        volume = generator.normal(size=(64, 64, 64)).astype(np.float32)
        (tmp_path / f"{CLASSES[k % 3]}_{k}-{k + 7}-3.mrcs").write_bytes(mrc_bytes(volume, ispg=1))
    words = ["gaussianblur", "normalise", "shiftmin", "rescale=32"]
    loader = _loaded(tmp_path, classes=CLASSES[:3], training=True, transformations=words)
    train, validation = loader.get_loader(batch_size=3, split_size=25, no_val_drop=True)

    assert (len(train.dataset), len(validation.dataset)) == (9, 3)
    for image, labels in [*train, *validation]:
        assert image.shape == (3, 1, 32, 32, 32)
        assert image.dtype == torch.float32
        assert set(labels) <= set(CLASSES[:3])
        assert bool(torch.isfinite(image).all())
    testing = _loaded(tmp_path, training=False, transformations=words)
    order = [label for _, labels in testing.get_loader(batch_size=4) for label in labels]
    assert order == [str(Path(path).name).partition("_")[0] for path in testing.dataset.paths]
    image, _ = testing.dataset[0]
    volume = read_array(testing.dataset.paths[0], read_layout(testing.dataset.paths[0]))
    blurred = gaussian_filter(volume, 1.0, mode="reflect", truncate=4.0)
    scaled = (blurred - blurred.mean()) / blurred.std()
    scaled = (scaled - scaled.min()) / (scaled.max() - scaled.min())
    low = np.fft.fftshift(np.fft.fftn(scaled))[16:48, 16:48, 16:48]
    low[0], low[:, 0], low[:, :, 0] = 0, 0, 0  # the Nyquist planes have no partner and are not compared
    found = np.fft.fftshift(np.fft.fftn(image[0].numpy()))
    found[0], found[:, 0], found[:, :, 0] = 0, 0, 0
    np.testing.assert_allclose(found, low / 8, atol=2e-2 * np.abs(low / 8).max() / 32)


@pytest.mark.parametrize("words", [None, ["rescale=8", *ALL]])
def test_batches_are_what_torch_makes_of_the_samples(volumes: Path, words: list[str] | None) -> None:
    loader = _loaded(volumes, training=False, transformations=words)
    for batch in (loader.get_loader(batch_size=3), loader.get_loader(batch_size=len(loader.dataset))):
        start = 0
        for images, labels in batch:
            alone = [loader.dataset[k] for k in range(start, start + len(images))]
            expected = default_collate(alone)
            assert torch.equal(images, expected[0])
            assert labels == expected[1]
            start += len(images)
        assert start == len(loader.dataset)


def test_a_sample_that_is_replaced_before_the_batch_is_made_is_in_it(volumes: Path) -> None:
    class Masked(DiskDataset):
        def __getitems__(self, items: Any) -> list[Any]:
            samples = super().__getitems__(items)
            samples[1] = (torch.zeros(1, 16, 16, 16), "none")
            return samples

    loader = DiskDataLoader(training=False)
    loader.dataset = Masked(volumes, "mrc")
    images, labels = next(iter(loader.get_loader(batch_size=3)))
    assert not images[1].any()
    assert images[0].any()
    assert labels[1] == "none"


def test_a_file_that_is_written_anew_is_read_anew(tmp_path: Path) -> None:
    for name in ("a_1.npy", "a_2.npy"):
        np.save(tmp_path / name, np.zeros((4, 4), np.float32))
    batches = _loaded(tmp_path, "npy", training=False).get_loader(batch_size=2)
    assert next(iter(batches))[0].shape == (2, 1, 4, 4)
    for name in ("a_1.npy", "a_2.npy"):
        np.save(tmp_path / name, np.ones((6, 5), np.float32))
    assert torch.equal(next(iter(batches))[0], torch.ones(2, 1, 6, 5))
