"""An EMPIAR entry as a PyTorch dataset: what moves, and what does not."""

from __future__ import annotations

from pathlib import Path

import mrcfile
import numpy as np
import pytest
import torch

import caked
import empiarreader
from perc_archive import Archive


@pytest.fixture
def stacks(archive: Archive, tmp_path: Path) -> np.ndarray:
    """Three stacks of five images in EMPIAR-10002; their pixels ``(stack, section, y, x)``."""
    pixels = np.random.default_rng(0).normal(size=(3, 5, 32, 48)).astype(np.float32)
    files = {}
    for number, images in enumerate(pixels):
        path = tmp_path / f"class{number}_{number}.mrcs"
        with mrcfile.new(path) as mrc:
            mrc.set_data(images)
            mrc.set_image_stack()
            mrc.voxel_size = 1.5
        files[f"data/{path.name}"] = path
    archive.add_entry(10002, files)
    return pixels


def _moved(archive: Archive) -> int:
    return sum(request.body_bytes_sent for request in archive.requests("*.mrcs"))


def test_one_section_moves_that_section_and_the_headers(archive: Archive, stacks: np.ndarray) -> None:
    source = caked.Sections(empiarreader.EmpiarSource(10002, "data", filename="*.mrcs"))
    dataset = caked.Dataset(source)
    before = len(dataset)
    headers = _moved(archive)
    sample = dataset[7]

    assert before == 15
    assert headers == 3 * 1024
    assert _moved(archive) - headers == 32 * 48 * 4
    np.testing.assert_array_equal(sample["image"][0].numpy(), stacks[1, 2])
    assert sample["group"] == "data/class1_1.mrcs"
    assert sample["pixel_size_angstrom"].tolist() == pytest.approx([1.5, 1.5])


def test_streamed_batches_equal_those_from_downloaded_files(
    archive: Archive, stacks: np.ndarray, tmp_path: Path
) -> None:
    remote = empiarreader.EmpiarSource(10002, "data", filename="*.mrcs")
    empiarreader.download(remote, tmp_path / "local")
    datasets = [
        caked.Dataset(source, labels="prefix", transform=[caked.transforms.Standardise()])
        for source in (caked.Sections(remote), caked.StackSource(tmp_path / "local" / "data"))
    ]
    streamed, local = (list(caked.Loader(d, batch_size=4, shuffle=True, seed=3)) for d in datasets)

    assert len(streamed) == 4
    for a, b in zip(streamed, local, strict=True):
        assert torch.equal(a["image"], b["image"])
        assert torch.equal(a["label"], b["label"])


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_workers_of_a_loader_stream_the_same(archive: Archive, stacks: np.ndarray, method: str) -> None:
    source = caked.Sections(empiarreader.EmpiarSource(10002, "data", filename="*.mrcs"))
    dataset = caked.Dataset(source)
    alone = [batch["image"] for batch in caked.Loader(dataset, batch_size=4)]
    loader = caked.Loader(dataset, batch_size=4, num_workers=2, multiprocessing_context=method)
    together = [batch["image"] for batch in loader]

    assert all(torch.equal(a, b) for a, b in zip(alone, together, strict=True))


def test_a_cached_source_asks_the_archive_once(archive: Archive, stacks: np.ndarray) -> None:
    source = caked.CachedSource(caked.Sections(empiarreader.EmpiarSource(10002, "data", filename="*.mrcs")))
    loader = caked.Loader(caked.Dataset(source), batch_size=8, shuffle=True)
    first = sum(len(batch["image"]) for batch in loader)
    requests = len(archive.requests())
    second = sum(len(batch["image"]) for batch in loader)

    assert first == second == 15
    assert len(archive.requests()) == requests


def test_a_file_that_is_damaged_is_named(archive: Archive) -> None:
    archive.add_entry(10003, {"data/bad.mrcs": b"\x05" * 2000})
    source = caked.Sections(empiarreader.EmpiarSource(10003, "data", filename="*.mrcs"))

    with pytest.raises(empiarreader.DamagedDataError, match=r"bad\.mrcs"):
        len(source)
