"""Slabs of a tomogram: no voxel in two parts, and shares as asked for."""

from __future__ import annotations

import numpy as np
import pytest

from caked import ArraySource, Dataset, PatchSource, split_slabs
from caked.errors import InvalidOptionError, SplitError

VOLUMES = ArraySource(np.arange(2 * 12 * 40 * 20, dtype=np.float32).reshape(2, 12, 40, 20))


@pytest.mark.parametrize("axis", ["z", "y", "x"])
@pytest.mark.parametrize("overlap", [0, 1])
def test_parts_share_no_voxel_and_cover_their_slabs(axis: str, overlap: int) -> None:
    patches = PatchSource.grid(VOLUMES, (3, 5, 5), overlap=overlap)
    split = split_slabs(patches, {"train": 0.75, "validation": 0.25}, axis=axis)
    voxels = {
        part: {int(v) for i in split.indices(part, patches) for v in patches.read(i).ravel()}
        for part in split.parts
    }
    place = {"z": 0, "y": 1, "x": 2}[axis]
    length = (12, 40, 20)[place]

    assert not voxels["train"] & voxels["validation"]
    for part, (low, high) in {"train": (0, 0.75 * length), "validation": (0.75 * length, length)}.items():
        at = [np.unravel_index(v, (2, 12, 40, 20))[place + 1] for v in voxels[part]]
        assert low <= min(at) <= max(at) < high
        if not overlap:
            assert {np.unravel_index(v, (2, 12, 40, 20))[0] for v in voxels[part]} == {0, 1}
    if not overlap:  # the grid meets the border, so nothing is left out
        assert len(split["train"]) + len(split["validation"]) == len(patches)
        assert len(voxels["train"]) == pytest.approx(0.75 * 2 * 12 * 40 * 20, rel=0.05)


def test_a_dataset_is_split_by_slabs() -> None:
    patches = PatchSource.grid(VOLUMES, (3, 4, 4))
    parts = Dataset(patches).split(split_slabs(patches, {"train": 0.5, "test": 0.5}))

    assert len(parts["train"]) == len(parts["test"]) == len(patches) // 2


def test_what_cannot_be_split_so_says_so() -> None:
    patches = PatchSource.grid(VOLUMES, (12, 20, 20))
    with pytest.raises(SplitError, match="in the slab of 'validation'"):
        split_slabs(patches, {"train": 0.9, "validation": 0.1})
    with pytest.raises(InvalidOptionError, match="no patch"):
        split_slabs(VOLUMES, {"train": 0.9, "validation": 0.1})
    with pytest.raises(InvalidOptionError, match="no axis 'z'"):
        split_slabs(ArraySource(np.zeros((2, 4, 4))), {"train": 1.0}, axis="z")
    with pytest.raises(InvalidOptionError, match="add up to 1"):
        split_slabs(patches, {"train": 0.9})
