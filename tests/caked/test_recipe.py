"""A recipe makes the same batches again, or says what differs."""

from __future__ import annotations

import dataclasses
import json
import re
import shutil
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

import caked
from caked import (
    FileSource,
    Recipe,
    RecipeError,
    Sections,
    SourceNotFoundError,
    Split,
    SplitRule,
    StackSource,
)
from caked.transforms import Compose, FourierCrop, GaussianNoise, MinMax, RandomFlip, RandomRoll, Standardise
from mrc_vectors import mrc_bytes

STACKS = np.random.default_rng(0).normal(size=(9, 6, 16, 16)).astype(np.float32)
THREE = {"train": 0.6, "validation": 0.2, "test": 0.2}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "project" / "data"
    place.mkdir(parents=True)
    for k, stack in enumerate(STACKS):
        (place / f"{'apo' if k % 2 else 'holo'}_{k}.mrcs").write_bytes(mrc_bytes(stack))
    return place


def _recipe(source: Any, **options: Any) -> Recipe:
    return Recipe(
        source=source,
        labels=re.compile("(apo|holo)"),
        split=SplitRule(fractions=THREE, by="group", seed=4),
        transforms=[
            FourierCrop(size=12),
            RandomFlip(),
            RandomRoll(shift=2),
            GaussianNoise(snr=1.0),
            Standardise(),
        ],
        seed=9,
        batch_size=8,
        **options,
    )


def _batches(recipe: Recipe, **options: Any) -> dict[str, list[Any]]:
    return {
        part: [batch for _ in range(2) for batch in loader]
        for part, loader in recipe.build(**options).items()
    }


def _equal(first: dict[str, list[Any]], second: dict[str, list[Any]]) -> bool:
    return first.keys() == second.keys() and all(
        len(first[part]) == len(second[part])
        and all(
            a["name"] == b["name"] and all(torch.equal(a[key], b[key]) for key in ("image", "label", "index"))
            for a, b in zip(first[part], second[part], strict=True)
        )
        for part in first
    )


def test_a_recipe_from_a_file_makes_the_same_batches_bit_for_bit(folder: Path) -> None:
    recipe = _recipe(StackSource(folder))
    expected = _batches(recipe)
    again = Recipe.load(recipe.save(folder.parent / "recipe.json"))

    assert _equal(_batches(again), expected)
    assert _equal(_batches(again, num_workers=2), expected)
    assert again.sha256 == recipe.sha256
    assert sorted(expected) == sorted(THREE)


def test_a_recipe_moves_together_with_its_data(folder: Path, tmp_path: Path) -> None:
    recipe = _recipe(StackSource(folder))
    expected, key = _batches(recipe), recipe.sha256
    recipe.save(folder.parent / "recipe.json")
    written = json.loads((folder.parent / "recipe.json").read_text())
    shutil.move(folder.parent, tmp_path / "elsewhere")
    moved = Recipe.load(tmp_path / "elsewhere" / "recipe.json")

    assert written["source"]["root"] == "data"
    assert _equal(_batches(moved), expected)
    assert moved.sha256 == key


def test_a_recipe_tells_its_versions_and_its_inputs(folder: Path) -> None:
    described = _recipe(StackSource(folder)).to_dict()

    assert described["versions"]["caked"] == caked.__version__
    assert described["versions"]["torch"] == str(torch.__version__)
    assert described["inputs"]["sha256"] == StackSource(folder).digest()
    assert json.loads(json.dumps(described)) == described


def test_inputs_that_changed_are_noticed(folder: Path) -> None:
    path = _recipe(StackSource(folder)).save(folder.parent / "recipe.json")
    stack = folder / "apo_1.mrcs"
    content = bytearray(stack.read_bytes())
    content[-1] ^= 1
    stack.write_bytes(bytes(content))

    with pytest.raises(RecipeError, match="inputs are not those"):
        Recipe.load(path).build()
    assert Recipe.load(path).build(check=False)
    named = _recipe(StackSource(folder)).save(folder.parent / "named.json", content=False)
    stack.write_bytes(bytes(content[:-1]) + b"\0")
    assert Recipe.load(named).build()


def test_inputs_that_are_gone_are_named(folder: Path) -> None:
    path = _recipe(StackSource(folder)).save(folder.parent / "recipe.json")
    shutil.rmtree(folder)
    with pytest.raises(SourceNotFoundError, match="no folder"):
        Recipe.load(path)


def test_any_change_of_the_recipe_changes_its_key(folder: Path) -> None:
    recipe = _recipe(FileSource(folder, group=re.compile(r"(\d)")))
    others = [
        dataclasses.replace(recipe, seed=10),
        dataclasses.replace(recipe, batch_size=9),
        dataclasses.replace(recipe, transforms=[MinMax()]),
        dataclasses.replace(recipe, split=SplitRule(fractions=THREE, by="random", seed=4)),
        dataclasses.replace(recipe, classes=["apo"]),
        dataclasses.replace(recipe, evaluation_transforms=[MinMax()]),
        dataclasses.replace(recipe, source=FileSource(folder, pattern="apo*", group="prefix"), split=None),
    ]
    assert len({other.sha256 for other in [recipe, *others]}) == len(others) + 1
    loaded = Recipe.load(recipe.save(folder.parent / "recipe.json"))
    assert dataclasses.replace(loaded, seed=10).sha256 == others[0].sha256


def test_a_balanced_recipe_balances_what_it_trains_on_and_says_so(folder: Path) -> None:
    for path in sorted(folder.iterdir())[:2]:
        path.unlink()  # three of one class, four of the other
    recipe = _recipe(StackSource(folder), balanced=True)
    saved = recipe.save(folder.parent / "recipe.json")
    again = Recipe.load(saved)
    assert json.loads(saved.read_text())["balanced"] is True
    assert again.balanced
    loaders = again.build()
    assert {part: loader.batches.balanced for part, loader in loaders.items()} == {
        "train": True,
        "validation": False,
        "test": False,
    }
    assert _equal(_batches(recipe), _batches(again))
    assert recipe.sha256 != _recipe(StackSource(folder)).sha256

    earlier = json.loads(saved.read_text())
    del earlier["balanced"]
    saved.write_text(json.dumps(earlier))
    assert not Recipe.load(saved).balanced


def test_parts_by_name_and_no_parts_at_all_are_kept(folder: Path) -> None:
    source = FileSource(folder)
    named = Recipe(
        source=source, split=Split({"train": tuple(source.names[:5]), "rest": tuple(source.names[5:])})
    )
    whole = Recipe(source=source, transforms=MinMax(), evaluation_transforms=MinMax(), batch_size=2)
    for recipe, parts in ((named, {"train", "rest"}), (whole, {"all"})):
        again = Recipe.load(recipe.save(folder.parent / "recipe.json"))
        assert set(again.build()) == parts
        assert _equal(_batches(again), _batches(recipe))


def test_evaluation_leaves_out_what_is_random_unless_told_otherwise(folder: Path) -> None:
    recipe = _recipe(StackSource(folder))
    own = dataclasses.replace(recipe, evaluation_transforms=[MinMax()])
    plain = recipe.datasets()["test"].transform
    assert isinstance(plain, Compose)
    assert [type(step).__name__ for step in plain.transforms] == ["FourierCrop", "Standardise"]
    assert own.datasets()["validation"].transform is own.evaluation_transforms
    assert own.datasets()["train"].transform is own.transforms


def test_the_training_part_alone_is_shuffled_and_rid_of_a_last_batch_that_is_not_full(folder: Path) -> None:
    recipe = _recipe(StackSource(folder), drop_last=True)
    datasets = recipe.datasets()
    assert {dataset.seed for dataset in datasets.values()} == {9}
    for part, loader in recipe.build().items():
        shown = [int(i) for batch in loader for i in batch["index"]]
        own = datasets[part].indices.tolist()
        if part == "train":
            assert len(shown) == len(own) // 8 * 8
            assert shown != sorted(shown)
        else:
            assert shown == own


class _Remote:
    """A foreign source that a factory makes."""

    def __init__(self, count: int) -> None:
        self.names = [f"stack_{k}" for k in range(count)]

    def __len__(self) -> int:
        return len(self.names)

    def shape(self, i: int) -> tuple[int, ...]:
        return STACKS.shape[1:]

    def dtype(self, i: int) -> np.dtype[Any]:
        return STACKS.dtype

    def read(self, i: int, region: Any = None, out: Any = None) -> Any:
        part = STACKS[i] if region is None else STACKS[i][region]
        if out is None:
            return part.copy()
        out[...] = part
        return out


@pytest.fixture
def archive_module(monkeypatch: pytest.MonkeyPatch) -> str:
    """A module that offers a factory, as a program of a user's would."""
    module = ModuleType("an_archive")
    module.open_remote = _Remote  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "an_archive", module)
    return "an_archive"


def test_a_streamed_source_is_named_by_its_factory_and_opened_if_that_is_allowed(
    tmp_path: Path, archive_module: str
) -> None:
    source = Sections(
        caked.stream(_Remote(5), factory=f"{archive_module}:open_remote", arguments={"count": 5})
    )
    recipe = Recipe(source=source, labels="group", transforms=[RandomFlip(), MinMax()], batch_size=7)
    path = recipe.save(tmp_path / "recipe.json")

    with pytest.raises(RecipeError, match=r"asks to call 'an_archive:open_remote'.*allow="):
        Recipe.load(path)
    for allow in (["an_archive"], ["an_archive:open_remote"]):
        assert _equal(_batches(Recipe.load(path, allow=allow)), _batches(recipe))


def test_a_recipe_never_calls_what_it_names_unasked(tmp_path: Path, folder: Path) -> None:
    path = _recipe(StackSource(folder)).save(tmp_path / "recipe.json")
    described = json.loads(path.read_text())
    trap = tmp_path / "sprung"
    for key, value in (
        ("source", {"type": "protocol", "factory": "os:mkdir", "arguments": {"path": str(trap)}}),
        ("labels", {"type": "function", "function": "os:mkdir"}),
        ("transforms", {"type": "foreign", "function": "os:mkdir"}),
    ):
        path.write_text(json.dumps({**described, key: value}))
        with pytest.raises(RecipeError, match="os:mkdir"):
            Recipe.load(path)
    assert not trap.exists()


def test_what_is_no_recipe_is_refused(tmp_path: Path, folder: Path) -> None:
    good = _recipe(StackSource(folder)).to_dict()
    with pytest.raises(SourceNotFoundError, match="no recipe"):
        Recipe.load(tmp_path / "none.json")
    for text, message in (
        ("{", "not JSON"),
        ("[]", "not a recipe"),
        (json.dumps({**good, "caked_recipe": 99}), "not a recipe"),
        (json.dumps({key: value for key, value in good.items() if key != "labels"}), "not a complete recipe"),
        (json.dumps({**good, "split": {"rule": {"by": "moon"}}}), "not a complete recipe"),
        (json.dumps({**good, "transforms": {"type": "sharpen"}}), "no transform of the name"),
    ):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(RecipeError, match=message):
            Recipe.load(tmp_path / "bad.json")


def test_what_cannot_be_written_down_leaves_no_file(tmp_path: Path, folder: Path) -> None:
    for recipe in (
        Recipe(source=STACKS[0]),
        Recipe(source=FileSource(folder), labels=lambda name: name),
        Recipe(source=FileSource(folder), transforms=[lambda image: image]),
    ):
        with pytest.raises(RecipeError):
            recipe.save(tmp_path / "out" / "recipe.json")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("collate", ["pad", "list"])
def test_a_recipe_of_unlike_shapes_says_what_becomes_of_them(tmp_path: Path, collate: Any) -> None:
    for k, shape in enumerate(((5, 6), (4, 7), (5, 6))):
        np.save(tmp_path / f"{k}.npy", np.full(shape, k, dtype=np.float32))
    recipe = caked.Recipe(source=FileSource(tmp_path, pattern="*.npy"), batch_size=3, collate=collate)
    again = caked.Recipe.load(recipe.save(tmp_path / "recipe.json"))
    [batch], [expected] = again.build()["all"], recipe.build()["all"]

    assert batch["index"].tolist() == expected["index"].tolist()
    for found, wanted in zip(batch["image"], expected["image"], strict=True):
        assert torch.equal(found, wanted)
    assert again.sha256 == recipe.sha256 != caked.Recipe(source=recipe.source, batch_size=3).sha256
    assert (batch["image"].shape == (3, 1, 5, 7)) if collate == "pad" else isinstance(batch["image"], list)
