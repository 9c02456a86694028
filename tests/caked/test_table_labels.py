"""Labels out of tables on disk: CSV, STAR and manifests; and what is said where they do not fit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from caked import ArraySource, FileSource, Recipe, TableLabels, label_samples
from caked.errors import DamagedFileError, InvalidOptionError, SourceNotFoundError
from caked.labels import label_rule_from_dict, suffix_of

NAMES = ["run1/a.mrc", "run1/b.mrc", "run2/c.mrc"]
SOURCE = ArraySource(np.zeros((3, 4, 4), np.float32), names=NAMES)


def _written(folder: Path, kind: str) -> Path:
    """The labels apo, holo, apo of the three names, in one of the formats."""
    rows = list(zip(NAMES, ["apo", "holo", "apo"], strict=True))
    path = folder / f"labels.{kind}"
    if kind == "star":
        body = "".join(f"{name} {label}\n" for name, label in rows)
        path.write_text(
            f"data_other\n\nloop_\n_x #1\n1\n\ndata_p\n\nloop_\n_rlnImageName #1\n_class #2\n{body}\n"
        )
    elif kind == "jsonl":
        path.write_text("".join(json.dumps({"path": name, "class": label}) + "\n" for name, label in rows))
    else:
        comma = "\t" if kind == "tsv" else ","
        path.write_text("\ufeff" + "".join(comma.join(row) + "\r\n" for row in [("name", "class"), *rows]))
    return path


@pytest.mark.parametrize("kind", ["csv", "tsv", "star", "jsonl"])
def test_a_column_of_a_table_labels_samples_by_name(tmp_path: Path, kind: str) -> None:
    rule = TableLabels(_written(tmp_path, kind), "class")
    labels = label_samples(SOURCE, rule)

    assert (labels.classes, labels.codes.tolist()) == (("apo", "holo"), [0, 1, 0])
    again = label_rule_from_dict(json.loads(json.dumps(rule.to_dict())))
    assert label_samples(SOURCE, again).codes.tolist() == [0, 1, 0]


def test_the_last_part_of_a_name_finds_its_row_where_it_is_the_only_one(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("file,class\na.mrc,apo\nelsewhere/b.mrc,holo\nx/c.mrc,apo\ny/c.mrc,holo\n")
    rule = TableLabels(path, "class")

    assert [rule.label(SOURCE, i) for i in (0, 1)] == ["apo", "holo"]
    with pytest.raises(SourceNotFoundError, match=r"no row for 'run2/c\.mrc'"):
        rule.label(SOURCE, 2)
    assert TableLabels(path, "class", default="none").label(SOURCE, 2) == "none"


def test_a_dataset_is_labelled_by_a_table_and_its_recipe_says_so(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for k in range(4):
        np.save(images / f"{k}.npy", np.full((4, 4), k, np.float32))
    (tmp_path / "t.csv").write_text("image,kind\n" + "".join(f"{k}.npy,{'ab'[k % 2]}\n" for k in range(4)))
    recipe = Recipe(source=FileSource(images), labels=TableLabels(tmp_path / "t.csv", "kind"))
    dataset = recipe.datasets()["all"]

    assert dataset.classes == ("a", "b")
    assert [int(sample["label"]) for sample in dataset] == [0, 1, 0, 1]


@pytest.mark.parametrize(
    ("name", "text", "error", "message"),
    [
        ("missing.csv", None, SourceNotFoundError, "There is no file"),
        ("t.csv", "name,other\na,b\n", SourceNotFoundError, r"lacks .*'class'.*\['name', 'other'\]"),
        ("t.csv", "", SourceNotFoundError, "lacks"),
        ("t.csv", "x,class\na,b\n", SourceNotFoundError, "a column of names"),
        ("t.jsonl", "{", DamagedFileError, "corrupted"),
        ("t.star", "data_p\n\nloop_\n_a #1\n1\n", SourceNotFoundError, "has no block"),
        ("t.xls", "", InvalidOptionError, r"\.csv, \.tsv, \.star or \.jsonl"),
    ],
)
def test_a_table_that_does_not_fit_says_so(
    tmp_path: Path, name: str, text: str | None, error: type[Exception], message: str
) -> None:
    if text is not None:
        (tmp_path / name).write_text(text)
    with pytest.raises(error, match=message):
        TableLabels(tmp_path / name, "class").label(SOURCE, 0)


def test_the_rest_of_the_naming_convention_is_the_suffix() -> None:
    assert [suffix_of(name) for name in ("4v1w_007.mrc", "d/apo_a_b.mrcs#3", "foo.mrc")] == ["007", "a_b", ""]
