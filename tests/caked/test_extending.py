"""Sources and transforms of one's own: the least that is needed, and how recipes come to know them."""

from __future__ import annotations

import logging
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import caked
from caked import Dataset, Draws, Loader, Recipe, RecipeError, ShapeError, Source
from caked.sources import StackSource, register, source_from_dict
from caked.transforms import RandomTransform, Transform, transform_from_dict
from caked.transforms import register as register_transform
from mrc_vectors import mrc_bytes, sample_array

PLUGIN = """
import numpy as np
import torch
from caked.sources import Source
from caked.transforms import Transform

class Ramp(Source):
    type_name = "ramp"

    def __init__(self, count):
        self.count = count

    @property
    def names(self):
        return [f"ramp_{k}" for k in range(self.count)]

    def shape(self, i):
        return (4, 4)

    def dtype(self, i):
        return np.dtype(np.float32)

    def read(self, i, region=None, out=None):
        image = np.full((4, 4), i, dtype=np.float32)
        if out is None:
            return image
        out[...] = image
        return out

    def to_dict(self):
        return {"type": "ramp", "count": self.count}

    @classmethod
    def from_dict(cls, description, *, base, allow=()):
        return cls(description["count"])

class Double(Transform):
    type_name = "double"

    def image(self, image):
        return image * 2
"""


class Checkers(Source):
    """The least that a source has to have."""

    names = ["even", "odd"]  # noqa: RUF012

    def shape(self, i: int) -> tuple[int, ...]:
        return (3 + i, 3)

    def dtype(self, i: int) -> np.dtype[Any]:
        return np.dtype(np.int16)

    def read(self, i: int, region: Any = None, out: Any = None) -> Any:
        image = np.indices(self.shape(i)).sum(axis=0).astype(np.int16) % 2
        if out is None:
            return image if region is None else image[region]
        out[...] = image
        return out

    def meta(self, i: int) -> dict[str, Any]:
        return {"pixel_size_angstrom": (2.0, 2.0)}


def test_a_source_of_ones_own_needs_names_shapes_types_and_a_way_to_read() -> None:
    source = Checkers()
    sample = Dataset(source)[1]

    assert len(source) == 2
    assert sample["image"].shape == (1, 4, 3)
    assert sample["pixel_size_angstrom"].tolist() == [2.0, 2.0]
    assert source.group(0) is None
    assert source.read_batch([0, 0]).dtype == np.int16
    assert source.digest() != source.digest(content=True)
    with pytest.raises(ShapeError, match="odd has"):
        source.read_batch([0, 1])
    with pytest.raises(caked.InvalidOptionError, match="no samples"):
        source.read_batch([])
    with pytest.raises(RecipeError, match="cannot be made"):
        Checkers.from_dict({}, base=Path())


def test_a_registered_part_stands_in_recipes(tmp_path: Path) -> None:
    @register("checkers")
    class Written(Checkers):
        def to_dict(self) -> dict[str, Any]:
            return {"type": self.type_name}

        @classmethod
        def from_dict(
            cls, description: Mapping[str, Any], *, base: Path, allow: Sequence[str] = ()
        ) -> Source:
            return cls()

    @register_transform("add_noise_of_my_own")
    class Shifted(RandomTransform):
        def __init__(self, *, by: float) -> None:
            super().__init__(by=by)
            self.by = by

        def draw(self, draws: Draws, image: torch.Tensor) -> torch.Tensor:
            return torch.from_numpy(draws.uniform(-self.by, self.by)).to(image)

        def transform(self, image: torch.Tensor, parameters: torch.Tensor) -> torch.Tensor:
            return image + parameters.reshape(-1, *(1,) * (image.ndim - 1))

    recipe = Recipe(source=Written(), transforms=[Shifted(by=0.5)], batch_size=1, seed=2)
    again = Recipe.load(recipe.save(tmp_path / "recipe.json"))
    batches = [next(iter(made.build()["all"]))["image"] for made in (recipe, again)]

    assert torch.equal(*batches)
    with pytest.raises(RecipeError, match="name 'checkers' already"):
        register("checkers")(Checkers)
    with pytest.raises(NotImplementedError):
        Transform()(torch.zeros(1, 1, 2))


def test_an_installed_package_announces_its_parts_by_entry_point(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ramp_plugin.py").write_text(PLUGIN)
    info = tmp_path / "ramp_plugin-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: ramp-plugin\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(
        "[caked.sources]\nramp = ramp_plugin:Ramp\n[caked.transforms]\ndouble = ramp_plugin:Double\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    try:
        source = source_from_dict({"type": "ramp", "count": 3})
        double = transform_from_dict({"type": "double"})
        batch = next(iter(Loader(Dataset(source, transform=double), batch_size=3)))
    finally:
        sys.modules.pop("ramp_plugin", None)

    assert batch["image"][:, 0, 0, 0].tolist() == [0.0, 2.0, 4.0]


def test_an_image_file_among_stacks_is_one_sample(tmp_path: Path) -> None:
    (tmp_path / "a.mrcs").write_bytes(mrc_bytes(sample_array(2, (3, 6, 4))))
    (tmp_path / "b.mrcs").write_bytes(mrc_bytes(sample_array(2, (6, 4))))
    source = StackSource(tmp_path)

    assert list(source.names) == ["a.mrcs#0", "a.mrcs#1", "a.mrcs#2", "b.mrcs"]
    np.testing.assert_array_equal(
        source.read_batch([3, 1]), [sample_array(2, (6, 4)), sample_array(2, (3, 6, 4))[1]]
    )


def test_a_recipe_of_other_versions_says_so_and_a_split_that_comes_out_otherwise_is_an_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    import json

    for k in range(6):
        np.save(tmp_path / f"a_{k}.npy", np.zeros((2, 2)))
    split = caked.SplitRule(fractions={"train": 0.5, "test": 0.5})
    path = Recipe(source=caked.FileSource(tmp_path), split=split).save(tmp_path / "recipe.json")
    described = json.loads(path.read_text())

    path.write_text(json.dumps({**described, "versions": {**described["versions"], "torch": "1.0"}}))
    with caplog.at_level(logging.WARNING, logger="caked"):
        Recipe.load(path).build()
    assert "written with {'torch': '1.0'}" in caplog.text
    described["split"]["sha256"] = "0" * 64
    path.write_text(json.dumps(described))
    with pytest.raises(RecipeError, match="comes out otherwise"):
        Recipe.load(path).build()
