"""What the steps before the first random one make can be kept, and changes no bit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torchvision.transforms.v2 as tv

from caked import (
    ArraySource,
    Dataset,
    FileSource,
    InvalidOptionError,
    Loader,
    MovieSource,
    NonFiniteImageError,
    PairSource,
    ParticleSource,
    PatchSource,
    Source,
)
from caked.io.particles import ParticleTable
from caked.io.write_cs import write_particles_cs
from caked.transforms import (
    FourierCrop,
    GaussianNoise,
    Invert,
    NormaliseBackground,
    RandomRot90,
    Standardise,
    Transform,
)
from mrc_vectors import mrc_bytes

PIPELINE = [NormaliseBackground(white_dust=3.0), FourierCrop(size=8), RandomRot90(), GaussianNoise(snr=1.0)]


@pytest.fixture
def source(make_folder: Any) -> FileSource:
    folder, _ = make_folder([f"{name}_{k}.mrc" for name in "ab" for k in range(6)], (12, 12))
    return FileSource(folder)


def _epochs(dataset: Dataset, **options: Any) -> list[dict[str, Any]]:
    loader = Loader(dataset, batch_size=5, shuffle=True, **options)
    return [batch for _ in range(2) for batch in loader]


def _same(found: list[dict[str, Any]], expected: list[dict[str, Any]]) -> None:
    for one, other in zip(found, expected, strict=True):
        assert one.keys() == other.keys()
        for key, value in other.items():
            assert torch.equal(one[key], value) if isinstance(value, torch.Tensor) else one[key] == value


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("place", ["memory", "folder"])
def test_a_cache_changes_no_bit(source: FileSource, tmp_path: Path, place: str, workers: int) -> None:
    expected = _epochs(Dataset(source, labels="prefix", transform=PIPELINE, seed=3))
    where = "memory" if place == "memory" else tmp_path / "cache"
    for _ in range(2):  # the second run finds the folder full
        kept = Dataset(source, labels="prefix", transform=PIPELINE, seed=3, cache=where)
        _same(_epochs(kept, num_workers=workers), expected)


class Counted(Transform):
    """Counts the samples that come by."""

    type_name = "counted"
    seen = 0

    def image(self, image: torch.Tensor) -> torch.Tensor:
        type(self).seen += len(image)
        return image * 2


@pytest.mark.parametrize("place", ["memory", "folder"])
def test_deterministic_steps_are_done_once(source: FileSource, tmp_path: Path, place: str) -> None:
    Counted.seen = 0
    where = "memory" if place == "memory" else tmp_path
    dataset = Dataset(source, transform=[Counted(), RandomRot90()], cache=where)
    _epochs(dataset)
    assert Counted.seen == 12
    dataset.batch([0, 3])
    assert Counted.seen == 12
    if place == "folder":
        _epochs(Dataset(source, transform=[Counted(), GaussianNoise(snr=2.0)], cache=where))
        assert Counted.seen == 12
    _epochs(Dataset(source, transform=[Invert(), Counted(), RandomRot90()], cache=where))
    assert Counted.seen == 24


def test_other_inputs_are_not_taken_for_these(make_folder: Any, tmp_path: Path) -> None:
    names = ["a_1.mrc", "a_2.mrc"]
    first, images = make_folder(names, folder="one", seed=1)
    second, _ = make_folder(names, folder="two", seed=2)
    cached = [
        Dataset(FileSource(folder), transform=Invert(), cache=tmp_path / "cache")
        for folder in (first, second)
    ]
    one, two = (dataset.batch([0, 1])["image"] for dataset in cached)
    np.testing.assert_array_equal(one[:, 0].numpy(), -images)
    assert not torch.equal(one, two)


def test_a_damaged_file_is_made_again(source: FileSource, tmp_path: Path) -> None:
    dataset = Dataset(source, transform=Standardise(), cache=tmp_path)
    expected = dataset.batch([0, 1, 2])["image"]
    files = sorted(tmp_path.rglob("*.npz"))
    assert len(files) == 3
    files[0].write_bytes(files[0].read_bytes()[:100])
    files[1].write_bytes(b"")
    assert torch.equal(dataset.batch([0, 1, 2])["image"], expected)
    assert all(file.stat().st_size > 100 for file in files)
    assert not list(tmp_path.rglob("*.part"))


def test_labels_are_those_of_the_dataset(source: FileSource, tmp_path: Path) -> None:
    plain = Dataset(source, transform=Invert(), cache=tmp_path)
    labelled = Dataset(source, labels="prefix", transform=Invert(), cache=tmp_path)
    assert plain.batch([0, 11])["label"].tolist() == [-1, -1]
    assert labelled.batch([0, 11])["label"].tolist() == [0, 1]


def test_what_is_taken_from_memory_may_be_changed(source: FileSource) -> None:
    dataset = Dataset(source, transform=Invert(), cache="memory")
    for _ in range(3):
        batch = dataset.batch([0, 1])
        expected = -source.read_batch([0, 1])
        np.testing.assert_array_equal(batch["image"][:, 0].numpy(), expected)
        batch["image"].zero_()


def test_steps_that_cannot_be_written_down_cannot_be_cached(source: FileSource) -> None:
    with pytest.raises(InvalidOptionError, match="can be cached"):
        Dataset(source, transform=[tv.CenterCrop(4)], cache="memory").batch([0])


def _varied(folder: Path) -> list[tuple[str, Source, Source]]:
    """Pairs of sources of the same files or arrays whose samples differ by an option alone."""
    images = np.random.default_rng(0).normal(size=(6, 12, 12)).astype(np.float32)
    series = np.random.default_rng(1).normal(size=(4, 3, 8, 8)).astype(np.float32)
    (folder / "p.mrcs").write_bytes(mrc_bytes(images))
    (folder / "one.mrc").write_bytes(mrc_bytes(images[:1], ispg=1))
    sized = ArraySource(images, pixel_size_angstrom=(2.0, 2.0))
    cs = write_particles_cs(folder / "p.cs", _negative(), image_size=12)
    points = [[(5.0, 5.0)]] * 6
    moved = [[(5.25, 5.0)]] * 6
    edge = [[(1.0, 1.0)]] * 6
    return [
        ("pixel size", ArraySource(images), ArraySource(images, pixel_size_angstrom=(2.0, 2.0))),
        ("groups", ArraySource(images), ArraySource(images, groups=list("aabbcc"))),
        ("squeeze", FileSource(folder / "one.mrc"), FileSource(folder / "one.mrc", squeeze=False)),
        ("group rule", FileSource(folder / "one.mrc"), FileSource(folder / "one.mrc", group="prefix")),
        ("sign", ParticleSource(cs), ParticleSource(cs, apply_sign=True)),
        ("given size", ParticleSource(cs), ParticleSource(cs, pixel_size_angstrom=3.0)),
        ("place", PatchSource.at(sized, points, 4), PatchSource.at(sized, moved, 4)),
        (
            "fill",
            PatchSource.at(images, edge, 8, outside="pad"),
            PatchSource.at(images, edge, 8, outside="pad", fill=1.0),
        ),
        ("kind", PairSource(images, target=images * 2), PairSource(images, weight=images * 2)),
        ("frames", MovieSource(series), MovieSource(series, frames="sum")),
        ("gain", MovieSource(series), MovieSource(series, gain=np.abs(series[0, 0]) + 1)),
    ]


def _negative() -> ParticleTable:
    return ParticleTable.from_columns(
        places=(["p.mrcs"], np.zeros(6, int), np.arange(6)),
        pixel_size_angstrom=np.full(6, 1.5),
        columns={}, angles=None, shifts=None, micrographs=None,
        kept={"blob/sign": -np.ones(6)},
    )  # fmt: skip


def test_an_option_of_the_source_alone_makes_other_inputs(tmp_path: Path) -> None:
    for what, one, other in _varied(tmp_path):
        expected = Dataset(other, transform=Standardise()).batch([0])
        assert not _alike(Dataset(one, transform=Standardise()).batch([0]), expected), what
        where = tmp_path / "cache" / what
        Dataset(one, transform=Standardise(), cache=where).batch([0])
        found = Dataset(other, transform=Standardise(), cache=where).batch([0])
        assert _alike(found, expected), what


def _alike(found: dict[str, Any], expected: dict[str, Any]) -> bool:
    return found.keys() == expected.keys() and all(
        torch.equal(found[key], value) if isinstance(value, torch.Tensor) else found[key] == value
        for key, value in expected.items()
    )


def test_what_was_kept_with_nan_is_not_taken_where_nan_is_reported(tmp_path: Path) -> None:
    images = np.ones((2, 4, 4), np.float32)
    images[1, 0, 0] = np.nan
    Dataset(images, transform=Invert(), non_finite="keep", cache=tmp_path).batch([0, 1])
    with pytest.raises(NonFiniteImageError, match="holds NaN"):
        Dataset(images, transform=Invert(), cache=tmp_path).batch([0, 1])
