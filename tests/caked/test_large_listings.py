"""What a large set costs: bytes a file in memory and in what workers are sent, counted and not timed."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from caked import Dataset, FileSource
from caked.errors import DamagedFileError, SourceNotFoundError
from caked.names import NameTable, take_names
from caked.sources.files import FileTable
from mrc_vectors import mrc_bytes, sample_array

COUNT = 1_000_000


def test_a_million_files_take_their_names_and_a_few_bytes_each() -> None:
    table = FileTable(Path("/data"), [f"grid/class{i % 4}_{i:07d}.mrc" for i in range(COUNT)], squeeze=True)
    held = len(table.names._text) + table.names._ends.nbytes + table._codes.nbytes

    assert held / COUNT <= len("grid/class0_0000000.mrc") + 12  # where a name ends, and which layout it has
    assert len(pickle.dumps(table, protocol=5)) / COUNT <= len("grid/class0_0000000.mrc") + 12.1
    assert table.path(COUNT - 1) == "/data/grid/class3_0999999.mrc"


def test_names_are_taken_as_they_are_one_by_one() -> None:
    names = ["a", "", "bcd", "é", "last"]
    table = NameTable(names)
    for places in ([0], [4, 0, 2, 2], [-1, -5, 3, 1], []):
        assert take_names(table, places) == [names[k] for k in places] == take_names(names, places)
    for wrong in (5, -6):
        with pytest.raises(IndexError):
            table.take([wrong])


def test_a_batch_of_unlike_files_is_what_they_are_one_by_one(tmp_path: Path) -> None:
    """Types, byte orders, and volumes of one section: all of one shape as samples."""
    for k, (mode, order) in enumerate(((2, "<"), (1, "<"), (2, ">"), (6, "<"), (2, "<"))):
        array = sample_array(mode, (1, 5, 7) if k % 2 else (5, 7))
        (tmp_path / f"{k}.mrc").write_bytes(mrc_bytes(array, order=order, mode=mode))
    np.save(tmp_path / "5.npy", np.arange(35.0).reshape(5, 7))
    source = FileSource(tmp_path)
    out = np.full((7, 5, 7), np.nan, dtype=np.float32)
    places = [4, 0, 5, 1, 2, 3, 0]

    assert source.read_batch(places, out) is out
    for row, i in zip(out, places, strict=True):
        np.testing.assert_array_equal(row, source.read(i).astype(np.float32))


def test_a_file_that_changes_under_a_batch_is_named(tmp_path: Path) -> None:
    for k in range(3):
        (tmp_path / f"{k}.mrc").write_bytes(mrc_bytes(sample_array(2, (5, 7))))
    source = FileSource(tmp_path)
    out = np.empty((3, 5, 7), dtype=np.float32)
    source.read_batch([0, 1, 2], out)
    whole = (tmp_path / "1.mrc").read_bytes()
    (tmp_path / "1.mrc").write_bytes(whole[:-4])
    with pytest.raises(DamagedFileError, match=r"1\.mrc is corrupted\.$"):
        source.read_batch([0, 1, 2], out)
    (tmp_path / "1.mrc").unlink()
    with pytest.raises(SourceNotFoundError, match=r"1\.mrc"):
        source.read_batch([0, 1, 2], out)


class Halves(FileSource):
    """Somebody's own way of reading and shape: the upper half of each file."""

    def shape(self, i: int) -> tuple[int, ...]:
        rows, *others = super().shape(i)
        return (rows // 2, *others)

    def read(self, i: int, region: Any = None, out: Any = None) -> np.ndarray:
        return super().read(i, (slice(0, self.shape(i)[0]),), out)


def test_shapes_at_once_are_those_one_by_one_also_of_a_source_of_ones_own(tmp_path: Path) -> None:
    for k, shape in enumerate(((6, 7), (1, 6, 7), (4, 5), (6, 7))):
        (tmp_path / f"{k}.mrc").write_bytes(mrc_bytes(sample_array(2, shape)))
    for source, first in ((FileSource(tmp_path), (6, 7)), (Halves(tmp_path), (3, 7))):
        assert source.shapes([2, 0, 1]) == [source.shape(i) for i in (2, 0, 1)]
        assert source.shapes([0, 1]) == [first, first]
        assert Dataset(source).batch([0, 3])["image"].shape == (2, 1, *first)


@pytest.mark.parametrize("wrong", [3, -4, 1.0, "1"])
def test_a_place_that_is_none_is_refused(wrong: Any) -> None:
    dataset = Dataset(np.zeros((3, 4, 4)))
    with pytest.raises((IndexError, TypeError)):
        dataset.batch([0, wrong])
    assert dataset.batch(np.array([-1, 0]).tolist())["index"].tolist() == [2, 0]
