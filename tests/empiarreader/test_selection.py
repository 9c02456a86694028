"""Which files a pattern selects, in its published meaning and in the new one."""

from __future__ import annotations

import fnmatch
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from empiarreader import PatternError
from empiarreader.listing.globs import Glob
from empiarreader.listing.selection import Selection

BASE = "https://ftp.ebi.ac.uk/empiar/world_availability/10943/data/GridSquare_1/Data"


def _chosen(names: list[str], pattern: str | None, **options: bool) -> list[str]:
    selection = Selection(pattern, **options)
    return [name for name in names if selection.selects(name, f"{BASE}/{name}")]


NAMES = [
    "a_EER.mrc",
    "a_EER.mrc.mdoc",
    "b.mrc",
    "b.MRC",
    "sub/c.mrc",
    "sub/deep/d.mrc",
    "notes.txt",
    "m.tiff.bz2",
]


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("*", ["a_EER.mrc", "a_EER.mrc.mdoc", "b.mrc", "b.MRC", "notes.txt", "m.tiff.bz2"]),
        ("*.mrc", ["a_EER.mrc", "b.mrc"]),
        ("**/*.mrc", ["a_EER.mrc", "b.mrc", "sub/c.mrc", "sub/deep/d.mrc"]),
        ("sub/*.mrc", ["sub/c.mrc"]),
        ("*/*.mrc", ["a_EER.mrc", "b.mrc", "sub/c.mrc"]),  # the published glob crossed slashes
        ("sub/**", ["sub/c.mrc", "sub/deep/d.mrc"]),
        ("b.[mM]*", ["b.mrc", "b.MRC"]),
        ("?.mrc", ["b.mrc"]),
        ("/b.mrc", ["b.mrc"]),
        ("*/GridSquare_1/Data/b.mrc", ["b.mrc"]),  # the published glob saw the whole address
        (f"{BASE}/b*", ["b.mrc", "b.MRC"]),
    ],
)
def test_a_glob_selects_by_relative_path_or_as_published_by_address(
    pattern: str, expected: list[str]
) -> None:
    assert _chosen(NAMES, pattern) == expected


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        (".*EER\\.mrc", ["a_EER.mrc", "a_EER.mrc.mdoc"]),
        (".*EER\\.mrc$", ["a_EER.mrc"]),
        ("EER\\.mrc$", ["a_EER.mrc"]),
        ("^b", ["b.mrc", "b.MRC"]),
        ("https://.*Data/n", ["notes.txt"]),
        ("(?i)^b\\.mrc$", ["b.mrc", "b.MRC"]),
        ("^sub/", ["sub/c.mrc", "sub/deep/d.mrc"]),
    ],
)
def test_a_regular_expression_matches_anywhere_or_as_published(pattern: str, expected: list[str]) -> None:
    assert _chosen(NAMES, pattern, regexp=True) == expected


def test_no_pattern_selects_images_of_any_depth_and_format() -> None:
    assert _chosen(NAMES, None) == [
        "a_EER.mrc",
        "b.mrc",
        "b.MRC",
        "sub/c.mrc",
        "sub/deep/d.mrc",
        "m.tiff.bz2",
    ]
    assert Selection(None).looks_below("sub")


def test_a_plain_pattern_does_not_look_below_unless_told() -> None:
    assert not Selection("*.mrc").looks_below("sub")
    assert not Selection(".*mrc", regexp=True).looks_below("sub")
    assert Selection("*.mrc", recursive=True).looks_below("sub")
    assert not Selection(None, recursive=False).looks_below("sub")
    assert _chosen(NAMES, "*.mrc", recursive=True) == ["a_EER.mrc", "b.mrc", "sub/c.mrc", "sub/deep/d.mrc"]


def test_only_directories_that_can_hold_a_match_are_worth_listing() -> None:
    glob = Glob("data/GridSquare_*/Data/*.mrc")

    assert glob.may_match_below("data")
    assert glob.may_match_below("data/GridSquare_7")
    assert glob.may_match_below("data/GridSquare_7/Data")
    assert not glob.may_match_below("data/GridSquare_7/Data/more")
    assert not glob.may_match_below("data/Atlas")
    assert not glob.may_match_below("other")


@pytest.mark.parametrize("pattern", ["(", "[", "*EER.mrc", "a{2,1}", "(?P<x", "\\"])
def test_a_malformed_regular_expression_is_one_clear_sentence(pattern: str) -> None:
    with pytest.raises(PatternError, match="is no regular expression") as refused:
        Selection(pattern, regexp=True)

    assert repr(pattern) in str(refused.value)


def test_a_glob_given_as_regular_expression_gets_a_hint() -> None:
    with pytest.raises(PatternError, match="as a glob"):
        Selection("*.mrc", regexp=True)


@pytest.mark.parametrize("pattern", ["..", "../*", "a/../b", "/", "."])
def test_a_glob_that_leads_nowhere_is_refused(pattern: str) -> None:
    with pytest.raises(PatternError):
        Glob(pattern)


NAME = st.text(alphabet="ab.*?[]!-", min_size=1, max_size=6).filter(lambda name: name not in {".", ".."})


@given(
    pattern=NAME.filter(lambda text: "**" not in text), name=st.text(alphabet="ab.", min_size=1, max_size=6)
)
def test_within_one_name_a_glob_means_what_fnmatch_means(pattern: str, name: str) -> None:
    assert Glob(pattern).matches(name) == fnmatch.fnmatchcase(name, pattern)


PART = st.sampled_from(["**", "*", "a", "b", "a*"])


@given(
    parts=st.lists(PART, min_size=1, max_size=4),
    names=st.lists(st.sampled_from("ab"), min_size=1, max_size=5),
)
def test_stars_stand_for_any_directories_like_a_regular_expression_over_paths(
    parts: list[str], names: list[str]
) -> None:
    expression = "".join(
        "(?:[^/]+/)*" if part == "**" else part.replace("*", "[^/]*") + "/" for part in parts
    )
    path = "/".join(names)

    assert Glob("/".join(parts)).matches(path) == (re.fullmatch(expression, path + "/") is not None)


@given(
    parts=st.lists(PART, min_size=1, max_size=4),
    names=st.lists(st.sampled_from("ab"), min_size=2, max_size=5),
)
def test_a_directory_above_a_match_is_always_worth_listing(parts: list[str], names: list[str]) -> None:
    glob = Glob("/".join(parts))
    if glob.matches("/".join(names)):
        for depth in range(1, len(names)):
            assert glob.may_match_below("/".join(names[:depth]))


@given(pattern=st.text(alphabet="abEMR*?.[]/", min_size=1, max_size=8), name=st.sampled_from(NAMES))
def test_what_a_published_glob_selected_in_its_directory_is_selected_still(pattern: str, name: str) -> None:
    try:
        selection = Selection(pattern)
    except PatternError:
        return
    url = f"{BASE}/{name}"
    if "/" not in name and re.match(fnmatch.translate(pattern), url):
        assert selection.selects(name, url)


def test_the_published_attribute_holds_the_compiled_pattern() -> None:
    whole = Selection(".*EER\\.mrc", regexp=True).whole_address

    assert whole is not None
    assert whole.match(f"{BASE}/a_EER.mrc")
    assert Path(BASE).name == "Data"
