"""Splits: the right counts, no leakage, nothing silently empty."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from caked import (
    ArraySource,
    InvalidOptionError,
    RecipeError,
    SourceNotFoundError,
    Split,
    SplitError,
    SplitRule,
    label_samples,
    split_samples,
)
from caked.sharing import assign

THREE = {"train": 0.8, "validation": 0.1, "test": 0.1}


def _source(count: int, groups: list[str] | None = None) -> ArraySource:
    return ArraySource(np.zeros((count, 1, 1)), groups=groups)


def _counts(split: Split) -> dict[str, int]:
    return {part: len(names) for part, names in split.parts.items()}


def _of_singles(total: int, shares: dict[str, float]) -> dict[str, int]:
    return {part: len(ids) for part, ids in assign([[[i] for i in range(total)]], shares).items()}


@given(st.integers(0, 2000), st.lists(st.integers(1, 97), min_size=1, max_size=5))
def test_shares_follow_the_method_of_largest_remainders(total: int, weights: list[int]) -> None:
    whole = sum(weights)
    shares = {f"p{k}": w / whole for k, w in enumerate(weights)}
    counts = _of_singles(total, shares)
    exact = {part: total * Fraction(str(share)) for part, share in shares.items()}

    assert sum(counts.values()) == total
    assert all(
        math.floor(exact[part]) <= count <= math.floor(exact[part]) + 1 for part, count in counts.items()
    )
    up = [exact[p] - math.floor(exact[p]) for p in counts if counts[p] > math.floor(exact[p])]
    down = [exact[p] - math.floor(exact[p]) for p in counts if counts[p] == math.floor(exact[p])]
    assert not up or not down or min(up) >= max(down)


@pytest.mark.parametrize(("total", "share", "expected"), [(100, 0.29, 29), (1000, 0.07, 70), (100, 0.57, 57)])
def test_a_fraction_is_the_decimal_number_it_is_written_as(total: int, share: float, expected: int) -> None:
    assert _of_singles(total, {"a": share, "b": 1 - share})["a"] == expected


@given(st.integers(20, 400), st.integers(0, 2**40))
def test_single_samples_are_split_by_largest_remainder_and_all_of_them(count: int, seed: int) -> None:
    split = split_samples(_source(count), THREE, seed=seed)
    assert _counts(split) == _of_singles(count, THREE)
    assert sorted(name for part in split.parts.values() for name in part) == list(_source(count).names)


def test_a_split_depends_on_its_seed_and_on_nothing_else() -> None:
    source = _source(200)
    assert split_samples(source, THREE, seed=1).parts == split_samples(source, THREE, seed=1).parts
    assert split_samples(source, THREE, seed=1).parts != split_samples(source, THREE, seed=2).parts


@given(st.lists(st.integers(2, 9), min_size=3, max_size=30), st.integers(0, 1000))
def test_a_group_is_never_shared_between_parts(sizes: list[int], seed: int) -> None:
    groups = [f"micrograph {g}" for g, size in enumerate(sizes) for _ in range(size)]
    source = _source(len(groups), groups)
    split = split_samples(source, THREE, seed=seed)
    part_of: dict[str, set[str]] = {}
    for part, names in split.parts.items():
        assert names
        for name in names:
            part_of.setdefault(str(source.group(source.index(name))), set()).add(part)

    assert all(len(parts) == 1 for parts in part_of.values())


def test_many_groups_come_close_to_the_fractions_asked_for() -> None:
    sizes = np.random.default_rng(0).integers(5, 60, 200)
    groups = [f"g{g}" for g, size in enumerate(sizes) for _ in range(size)]
    counts = _counts(split_samples(_source(len(groups), groups), THREE))
    assert all(abs(counts[part] - THREE[part] * len(groups)) < 60 for part in THREE)


@given(st.integers(0, 1000))
def test_a_large_group_finds_its_place_before_small_ones_fill_the_parts(seed: int) -> None:
    groups = ["large"] * 40 + [f"small {k}" for k in range(40)]
    split = split_samples(_source(80, groups), {"train": 0.5, "test": 0.5}, seed=seed)
    assert _counts(split) == {"train": 40, "test": 40}


def test_samples_of_one_micrograph_are_parted_only_when_asked() -> None:
    source = _source(100, ["one"] * 50 + ["two"] * 50)
    halves = {"train": 0.5, "test": 0.5}
    by_group = split_samples(source, halves)
    at_random = split_samples(source, halves, by="random")

    assert {source.group(source.index(name)) for name in by_group["train"]} in ({"one"}, {"two"})
    assert {source.group(source.index(name)) for name in at_random["train"]} == {"one", "two"}


@given(st.lists(st.integers(1, 40), min_size=2, max_size=6), st.integers(0, 1000))
def test_each_class_is_split_by_itself_when_stratified(sizes: list[int], seed: int) -> None:
    names = [f"c{c}_{k}" for c, size in enumerate(sizes) for k in range(size)]
    source = ArraySource(np.zeros((len(names), 1, 1)), names=names)
    labels = label_samples(source, "prefix")
    halves = {"train": 0.5, "test": 0.5}
    try:
        split = split_samples(source, halves, stratify=True, labels=labels, seed=seed)
    except SplitError:
        assert len(names) < 2
        return
    for part in split.parts:
        counts = Counter(name.partition("_")[0] for name in split[part])
        for c, size in enumerate(sizes):
            assert abs(counts[f"c{c}"] - size / 2) <= 1
        assert abs(len(split[part]) - len(names) / 2) <= 1


@pytest.mark.parametrize("stratify", [False, True])
def test_samples_of_no_class_asked_for_are_in_no_part(stratify: bool) -> None:
    names = [f"{c}_{k}" for k in range(20) for c in ("apo", "holo", "ice")]
    source = ArraySource(np.zeros((60, 1, 1)), names=names)
    labels = label_samples(source, "prefix", classes=["apo", "holo"])
    split = split_samples(source, THREE, stratify=stratify, labels=labels)
    found = sorted(name for part in split.parts.values() for name in part)
    assert found == sorted(name for name in names if not name.startswith("ice"))


def test_ten_small_classes_do_not_starve_a_part() -> None:
    names = [f"c{c}_{k}" for c in range(10) for k in range(5)]
    source = ArraySource(np.zeros((50, 1, 1)), names=names)
    split = split_samples(source, THREE, stratify=True, labels=label_samples(source, "prefix"))
    assert _counts(split) == {"train": 40, "validation": 5, "test": 5}


def test_groups_of_every_class_reach_every_part_when_stratified() -> None:
    names = [f"c{c}_g{g}_{k}" for c in range(4) for g in range(10) for k in range(3)]
    groups = [name.rpartition("_")[0] for name in names]
    source = ArraySource(np.zeros((len(names), 1, 1)), names=names, groups=groups)
    split = split_samples(source, THREE, stratify=True, labels=label_samples(source, "prefix"))
    for part in THREE:
        assert Counter(name[:2] for name in split[part]) == {f"c{c}": 30 * THREE[part] for c in range(4)}


def test_a_part_that_would_be_empty_is_an_error_with_the_counts() -> None:
    with pytest.raises(SplitError, match=r"sets must be larger than 0 samples.*'validation': 0") as caught:
        split_samples(_source(3), {"train": 0.9, "validation": 0.1})
    assert isinstance(caught.value, RuntimeError)
    with pytest.raises(SplitError, match="2 groups"):
        split_samples(_source(10, ["a"] * 5 + ["b"] * 5), THREE)


def test_few_groups_still_leave_one_for_every_part() -> None:
    groups = [f"g{k // 4}" for k in range(20)]
    assert _counts(split_samples(_source(20, groups), THREE)) == {"train": 12, "validation": 4, "test": 4}


def test_a_split_is_saved_by_name_and_means_the_same_in_another_order(tmp_path: Path) -> None:
    source = _source(50)
    split = split_samples(source, THREE)
    again = Split.load(split.save(tmp_path / "new" / "split.json"))
    backwards = ArraySource(np.zeros((50, 1, 1)), names=list(source.names)[::-1])

    assert again == split
    assert again.sha256() == split.sha256()
    assert [source.names[i] for i in again.indices("test", source)] == list(split["test"])
    assert sorted(backwards.names[i] for i in again.indices("test", backwards)) == sorted(split["test"])


def test_names_that_are_gone_twice_used_or_of_no_part_are_reported(tmp_path: Path) -> None:
    split = split_samples(_source(10), {"train": 0.5, "test": 0.5})
    with pytest.raises(SourceNotFoundError, match="2 samples of part"):
        Split({"train": ("gone", "0", "lost")}).indices("train", _source(10))
    with pytest.raises(SourceNotFoundError, match="no part 'validation'"):
        split["validation"]
    with pytest.raises(InvalidOptionError, match="two parts"):
        Split({"a": ("x",), "b": ("x",)})
    with pytest.raises(SourceNotFoundError, match="no file"):
        Split.load(tmp_path / "none.json")
    for text in ("[]", "{", '{"parts": 3}', '{"other": {}}'):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(RecipeError, match="not a split"):
            Split.load(tmp_path / "bad.json")


def test_rules_that_make_no_sense_are_refused() -> None:
    unknown = {"a": math.nan, "b": 0.5}
    for fractions in ({}, {"a": 0.5}, {"a": -0.5, "b": 1.5}, {"a": 0.7, "b": 0.7}, unknown, {"a": math.inf}):
        with pytest.raises(InvalidOptionError, match="add up to 1"):
            SplitRule(fractions=fractions)
    with pytest.raises(InvalidOptionError, match="'auto', 'group' or 'random'"):
        SplitRule(by="micrograph")  # type: ignore[arg-type]
    with pytest.raises(InvalidOptionError, match="need labels"):
        split_samples(_source(4), {"a": 0.5, "b": 0.5}, stratify=True)
    with pytest.raises(InvalidOptionError, match="no group to split by"):
        split_samples(_source(4), {"a": 0.5, "b": 0.5}, by="group")
