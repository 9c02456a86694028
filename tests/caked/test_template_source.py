"""The source to copy: that it works as it stands, and as a part that another package announces."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import caked
from caked import DamagedFileError, Dataset, Loader, Recipe, RecipeError, SourceNotFoundError
from caked.sources import source_from_dict
from caked.template import source as template
from caked.template.source import RawSource

IMAGES = np.random.default_rng(0).normal(size=(6, 8, 8)).astype("<f4")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "raw"
    place.mkdir()
    known = {}
    for k, image in enumerate(IMAGES):
        image.tofile(place / f"{'apo' if k % 2 else 'holo'}_{k}.raw")
        known[f"{'apo' if k % 2 else 'holo'}_{k}.raw"] = {
            "defocus_u_angstrom": 1e4 + k,
            "micrograph": f"m{k // 2}",
        }
    (place / "known.json").write_text(json.dumps(known))
    return place


def test_the_template_is_a_source_as_it_stands(folder: Path) -> None:
    dataset = Dataset(RawSource(folder, edge=8), labels="prefix")
    batch = next(iter(Loader(dataset, batch_size=6, num_workers=1)))
    assert sorted(batch["name"]) == batch["name"]
    for row, name in enumerate(batch["name"]):
        k = int(name.split("_")[1][0])
        np.testing.assert_array_equal(batch["image"][row, 0], IMAGES[k])
        assert batch["defocus_u_angstrom"][row] == 1e4 + k
        assert batch["group"][row] == f"m{k // 2}"
    np.testing.assert_array_equal(dataset.source.read(0, (slice(2, 4),)), IMAGES[1, 2:4])
    (folder / "apo_1.raw").write_bytes(bytes(8))
    with pytest.raises(DamagedFileError, match=r"apo_1\.raw is corrupted"):
        dataset[0]
    with pytest.raises(SourceNotFoundError, match="holds no raw images"):
        RawSource(folder.parent, edge=8)


def test_another_package_announces_the_template_as_its_own(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    (site / "their_package").mkdir(parents=True)
    shutil.copy(str(template.__file__), site / "their_package" / "__init__.py")
    information = site / "their_package-1.0.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: their_package\nVersion: 1.0\n")
    lines = [line.strip() for line in (template.__doc__ or "").splitlines()]
    start = lines.index('[project.entry-points."caked.sources"]')
    entry = lines[start + 1].replace("your_package.source", "their_package").replace('"', "")
    (information / "entry_points.txt").write_text(f"[caked.sources]\n{entry}\n")
    description = RawSource(folder, edge=8).to_dict()
    with pytest.raises(RecipeError, match="no source of the name 'raw files'"):
        source_from_dict(description)

    monkeypatch.syspath_prepend(str(site))
    from caked.sources.base import SOURCES

    try:
        again = source_from_dict(description)
        assert type(again).__module__ == "their_package"
        import their_package  # type: ignore[import-not-found]

        recipe = Recipe(source=their_package.RawSource(folder, edge=8), labels="prefix", batch_size=3)
        path = recipe.save(tmp_path / "recipe.json")
        ours, theirs = (next(iter(one.build()["all"])) for one in (recipe, caked.Recipe.load(path)))
        assert torch.equal(ours["image"], theirs["image"])
    finally:
        SOURCES._types.pop("raw files", None)
        sys.modules.pop("their_package", None)
