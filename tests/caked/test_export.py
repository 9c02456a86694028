"""Written data sets: read back by other readers, they are what came out of the transforms."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest
import starfile
import torch

from caked import ArraySource, Dataset, FileSource, ParticleSource, TableLabels, export
from caked.errors import InvalidOptionError, ShapeError
from caked.io.particles import ParticleTable
from caked.io.write import write_mrc
from caked.io.write_star import write_particles_star
from caked.transforms import FourierCrop, MinMax, RandomFlip

COUNT = 11


@pytest.fixture
def particles(tmp_path: Path) -> ParticleSource:
    """Eleven particles of one stack, with pose, shift, CTF and groups."""
    generator = np.random.default_rng(5)
    write_mrc(
        tmp_path / "in" / "stack.mrcs",
        generator.normal(size=(COUNT, 16, 16)).astype(np.float32),
        is_volume=False,
        voxel_size=(0.0, 1.5, 1.5),
    )
    table = ParticleTable.from_columns(
        places=(["stack.mrcs"], np.zeros(COUNT, np.int32), np.arange(COUNT, dtype=np.int32)),
        pixel_size_angstrom=np.full(COUNT, 1.5),
        columns={
            "defocus_u_angstrom": generator.uniform(1e4, 2e4, COUNT),
            "voltage_kilovolts": np.full(COUNT, 300.0),
            "optics_group": np.ones(COUNT, np.int64),
            "half_set": np.arange(COUNT) % 2 + 1,
        },
        angles=generator.uniform(0, 170, (COUNT, 3)),
        shifts=generator.uniform(-5, 5, (COUNT, 2)),
        micrographs=[f"m{k % 3}.mrc" for k in range(COUNT)],
        kept={},
    )
    return ParticleSource(write_particles_star(tmp_path / "in" / "p.star", table))


def _processed(dataset: Dataset) -> Any:
    return torch.cat([dataset.batch([k])["image"] for k in range(len(dataset))])[:, 0].numpy()


def test_images_become_a_stack_and_a_star_file_that_say_all(
    particles: ParticleSource, tmp_path: Path
) -> None:
    dataset = Dataset(particles, transform=[FourierCrop(size=8), MinMax()])
    seen: list[int] = []
    done = export(dataset, tmp_path / "out", batch_size=4, progress=seen.append)

    assert (done.count, seen) == (COUNT, [4, 8, 11])
    assert done.files == ("particles.mrcs", "particles.star", "samples.jsonl")
    with mrcfile.open(tmp_path / "out" / "particles.mrcs") as stack:
        np.testing.assert_array_equal(stack.data, _processed(dataset))
        assert stack.is_image_stack()
        assert stack.voxel_size.x == pytest.approx(3.0)
        assert stack.header.dmax == pytest.approx(1.0)
    assert mrcfile.validate(tmp_path / "out" / "particles.mrcs")
    blocks = starfile.read(tmp_path / "out" / "particles.star")
    assert blocks["optics"]["rlnImagePixelSize"].tolist() == [3.0]
    assert blocks["optics"]["rlnImageSize"].tolist() == [8]
    again = ParticleSource(tmp_path / "out" / "particles.star")
    first, second = Dataset(particles).batch(range(COUNT)), Dataset(again).batch(range(COUNT))
    for key in ("pose", "shift_angstrom", "defocus_u_angstrom", "half_set"):
        np.testing.assert_allclose(second[key].numpy(), first[key].numpy(), atol=1e-5, rtol=1e-7)
    assert second["micrograph"] == first["micrograph"]
    np.testing.assert_array_equal(second["image"][:, 0].numpy(), _processed(dataset))


@pytest.mark.parametrize("kind", ["npy", "zarr"])
@pytest.mark.parametrize("shape", [(8, 8), (6, 6, 6)])
def test_images_and_volumes_become_one_array(tmp_path: Path, kind: Any, shape: tuple[int, ...]) -> None:
    images = np.random.default_rng(0).normal(size=(7, *shape)).astype(np.float32)
    dataset = Dataset(images, labels=["a", "b", "a", "b", "a", "b", "a"], transform=MinMax())
    export(dataset, tmp_path / "out", format=kind, batch_size=3)

    if kind == "npy":
        found = np.load(tmp_path / "out" / "images.npy", allow_pickle=False)
    else:
        import zarr

        found = np.asarray(zarr.open_array(str(tmp_path / "out" / "images.zarr"), mode="r"))
    np.testing.assert_array_equal(found, _processed(dataset))
    lines = [json.loads(line) for line in (tmp_path / "out" / "samples.jsonl").read_text().splitlines()]
    assert [line["class"] for line in lines] == ["a", "b", "a", "b", "a", "b", "a"]
    assert [line["image"] for line in lines] == [f"images.{kind}#{k}" for k in range(7)]
    again = Dataset(
        ArraySource(found, names=[line["name"] for line in lines]),
        labels=TableLabels(tmp_path / "out" / "samples.jsonl", "class", key="name"),
    )
    assert again.own_labels().codes.tolist() == dataset.own_labels().codes.tolist()


def test_volumes_become_a_file_each(tmp_path: Path) -> None:
    for k in range(3):
        write_mrc(
            tmp_path / "in" / f"v{k}.mrc", np.full((4, 5, 6), k, np.float32), voxel_size=(2.0, 2.0, 2.0)
        )
    done = export(Dataset(FileSource(tmp_path / "in")), tmp_path / "out")

    assert done.files[:2] == ("particles.star", "samples.jsonl")
    for k in range(3):
        with mrcfile.open(tmp_path / "out" / f"volume_{k:06d}.mrc") as written:
            assert (written.data == k).all()
            assert written.is_volume()
            assert written.voxel_size.z == pytest.approx(2.0)
    again = ParticleSource(tmp_path / "out" / "particles.star")
    assert again.shape(1) == (4, 5, 6)
    assert starfile.read(tmp_path / "out" / "particles.star")["optics"][
        "rlnImageDimensionality"
    ].tolist() == [3]


def test_shards_hold_samples_of_any_shape_and_are_always_the_same_bytes(tmp_path: Path) -> None:
    for k in range(5):
        np.save(tmp_path / f"{'ab'[k % 2]}_{k}.npy", np.full((4 + k, 6), k, np.float32))
    dataset = Dataset(FileSource(tmp_path, pattern="*.npy"), labels="prefix", collate="list")
    for name in ("one", "two"):
        done = export(dataset, tmp_path / name, format="shards", samples_per_shard=2)
    assert done.files == ("samples.jsonl", "shard-00000.tar", "shard-00001.tar", "shard-00002.tar")

    found = {}
    for shard in sorted((tmp_path / "one").glob("*.tar")):
        assert shard.read_bytes() == (tmp_path / "two" / shard.name).read_bytes()
        with tarfile.open(shard) as members:
            for member in members:
                content = members.extractfile(member)
                assert content is not None
                body = io.BytesIO(content.read())
                found[member.name] = np.load(body) if member.name.endswith("npy") else json.load(body)
    assert [found[f"{k:08d}.npy"].shape for k in range(5)] == [dataset.source.shape(k) for k in range(5)]
    assert [found[f"{k:08d}.json"]["name"] for k in range(5)] == list(dataset.source.names)


def test_random_steps_are_left_out_unless_asked_for(tmp_path: Path) -> None:
    images = np.random.default_rng(0).normal(size=(6, 4, 4)).astype(np.float32)
    dataset = Dataset(images, transform=[RandomFlip()])
    export(dataset, tmp_path / "plain", format="npy")
    export(dataset, tmp_path / "augmented", format="npy", augment=True)

    np.testing.assert_array_equal(np.load(tmp_path / "plain" / "images.npy"), images)
    augmented = np.load(tmp_path / "augmented" / "images.npy")
    assert (augmented != images).any()
    np.testing.assert_array_equal(augmented, _processed(dataset))


def test_nothing_is_overwritten_and_nothing_half_written_is_left(tmp_path: Path) -> None:
    dataset = Dataset(np.zeros((4, 4, 4), np.float32))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(InvalidOptionError, match="nothing is lost"):
        export(dataset, tmp_path / "full", format="npy")
    (tmp_path / "empty").mkdir()
    export(dataset, tmp_path / "empty", format="npy")

    for k in range(3):
        np.save(tmp_path / f"{k}.npy", np.zeros((4 + k // 2, 4), np.float32))
    with pytest.raises(ShapeError):
        export(Dataset(FileSource(tmp_path, pattern="*.npy")), tmp_path / "out", format="npy", batch_size=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0.npy", "1.npy", "2.npy", "empty", "full"]


@pytest.mark.parametrize(
    ("images", "options", "message"),
    [
        (np.zeros((2, 4, 4), np.complex64), {}, "real images"),
        (np.zeros((2, 4, 4)), {"format": "tiff"}, "mrc, npy, zarr, shards"),
        (np.zeros((2, 4, 4)), {"batch_size": 0}, "one sample at least"),
    ],
)
def test_what_a_format_cannot_hold_is_refused(
    tmp_path: Path, images: Any, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidOptionError, match=message):
        export(Dataset(images), tmp_path / "out", **options)
    assert list(tmp_path.iterdir()) == []
