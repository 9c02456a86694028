"""Labels by name, folder, table and provenance."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest

from caked import (
    ArraySource,
    ClassesNotFoundError,
    ConcatSource,
    InvalidOptionError,
    Labels,
    MappingLabels,
    MetaLabels,
    RecipeError,
    SourceNotFoundError,
    as_label_rule,
    label_samples,
    stream,
)
from caked.labels import LabelRule, label_rule_from_dict, prefix_of

NAMES = ["run1/holo_1.mrc", "run1/apo_1.mrc", "run2/holo_2_x.mrc"]
SOURCE = ArraySource(np.zeros((3, 2, 2)), names=NAMES, groups=["a", "b", "a"])


def upper(name: str) -> str:
    """A function that a recipe can name."""
    return name.upper()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("1b23_12-78-36.mrcs", "1b23"),
        ("foo.mrc", "foo"),
        ("foo.mrc.gz", "foo"),
        ("a.b_c.mrc", "a.b"),
        ("deep/er/apo_1.mrcs#12", "apo"),
        ("apo.mrcs#12", "apo"),
        ("11924_0.mrc", "11924"),
        ("_x.mrc", ""),
    ],
)
def test_the_class_of_a_name_stands_before_its_first_underscore(name: str, expected: str) -> None:
    assert prefix_of(name) == expected


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("prefix", ["holo", "apo", "holo"]),
        ("parent", ["run1", "run1", "run2"]),
        ("group", ["a", "b", "a"]),
        (re.compile("apo|holo"), ["holo", "apo", "holo"]),
        (re.compile(r"run(\d)"), ["1", "1", "2"]),
        (re.compile(r"run(\d)/(?P<label>[a-z]+)"), ["holo", "apo", "holo"]),
        (lambda name: name[3], ["1", "1", "2"]),
        (dict(zip(NAMES, "xyx", strict=True)), ["x", "y", "x"]),
        ([3, 1, 2], ["3", "1", "2"]),
        (np.array([0, 1, 0]), ["0", "1", "0"]),
        (MappingLabels({NAMES[0]: "known"}, default="other"), ["known", "other", "other"]),
    ],
)
def test_a_rule_labels_every_sample_and_the_classes_come_out_sorted(
    rule: object, expected: list[str]
) -> None:
    labels = label_samples(SOURCE, rule)

    assert labels.classes == tuple(sorted(set(expected)))
    assert [labels.classes[code] for code in labels.codes] == expected
    assert labels.codes.dtype == np.int64


def test_provenance_can_be_the_label() -> None:
    apo = stream(ArraySource(np.zeros((2, 4, 4)), names=["a", "b"]), meta={"entry": 10002})
    holo = ArraySource(np.zeros((1, 4, 4)), names=["c"])
    both = ConcatSource([apo, holo], keys=["first", "second"])

    assert label_samples(apo, MetaLabels("entry")).classes == ("10002",)
    assert label_samples(both, MetaLabels("source")).codes.tolist() == [0, 0, 1]
    with pytest.raises(SourceNotFoundError, match="no 'entry'; known are"):
        label_samples(both, MetaLabels("entry"))


def test_only_the_classes_asked_for_are_kept() -> None:
    labels = label_samples(SOURCE, "prefix", classes=["holo", "holo"])
    assert labels.classes == ("holo",)
    assert labels.codes.tolist() == [0, -1, 0]
    with pytest.raises(ClassesNotFoundError, match=r"Missing classes: \['open', 'shut'\]") as caught:
        label_samples(SOURCE, "prefix", classes=["shut", "apo", "open"])
    assert caught.value.missing == ("open", "shut")


def test_a_sample_without_a_label_is_named() -> None:
    for rule, message in (
        (re.compile("nothing"), "finds no label in 'run1/holo_1.mrc'"),
        ({NAMES[0]: "x"}, "no entry for 'run1/apo_1.mrc'"),
        (["x"], "1 label for 3 samples"),
    ):
        with pytest.raises((InvalidOptionError, SourceNotFoundError), match=re.escape(message)):
            label_samples(SOURCE, rule)
    flat = ArraySource(np.zeros((1, 2, 2)), names=["a.mrc"])
    deep = ArraySource(np.zeros((1, 2, 2)), names=["data/run1/apo/a.mrc"])
    assert label_samples(deep, "parent").classes == ("apo",)
    with pytest.raises(InvalidOptionError, match="lies in no folder"):
        label_samples(flat, "parent")
    with pytest.raises(InvalidOptionError, match="no group"):
        label_samples(flat, "group")


def test_what_says_nothing_about_labels_is_refused() -> None:
    for rule in ("suffix", 3):
        with pytest.raises(InvalidOptionError):
            as_label_rule(rule)
    with pytest.raises(InvalidOptionError, match="not a regular expression"):
        label_rule_from_dict({"type": "regex", "pattern": "("})


def test_weights_make_classes_count_alike() -> None:
    labels = Labels(("a", "b", "c"), np.array([0, 0, 0, 1, -1]))
    weights = labels.weights()

    assert labels.counts().tolist() == [3, 1, 0]
    assert weights.tolist() == pytest.approx([4 / (2 * 3), 4 / (2 * 1), 0.0])
    # The weights of the samples add up to their number.
    assert weights[labels.codes[:4]].sum() == pytest.approx(4)


@pytest.mark.parametrize(
    "rule",
    [
        "prefix",
        "parent",
        "group",
        re.compile("(apo|holo)"),
        dict.fromkeys(NAMES, "x"),
        ["a", "b", "c"],
        MetaLabels("k"),
    ],
    ids=lambda rule: type(rule).__name__,
)
def test_a_rule_is_made_again_from_its_description(rule: object) -> None:
    made: LabelRule = as_label_rule(rule)
    again = label_rule_from_dict(json.loads(json.dumps(made.to_dict())))
    assert again.to_dict() == made.to_dict()
    if not isinstance(rule, MetaLabels):
        assert [again.label(SOURCE, i) for i in range(3)] == [made.label(SOURCE, i) for i in range(3)]


def test_a_function_is_named_if_it_can_be_found_again_and_called_if_that_is_allowed() -> None:
    described = {"type": "function", "function": "posixpath:basename"}
    with pytest.raises(RecipeError, match="If you trust it"):
        label_rule_from_dict(described)
    assert label_rule_from_dict(described, allow=["posixpath"]).label(SOURCE, 1) == "apo_1.mrc"
    with pytest.raises(RecipeError, match="cannot be written"):
        as_label_rule(lambda name: name).to_dict()
    with pytest.raises(InvalidOptionError, match="does not fit"):
        label_rule_from_dict({"type": "meta"})
