"""The order in which structures are tried, and the reason that is given for it."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profet import InvalidChoiceError
from profet.hits import ORDER, PREDICTED, StructureHit, extent, parse_order, ranked, residues_in


def hit(name: str, **facts: object) -> StructureHit:
    """An entry of the PDB."""
    return StructureHit(**{"database": "pdb", "id": name, **facts})  # type: ignore[arg-type]


def names(hits: list[StructureHit]) -> list[str]:
    return [found.id for found in hits]


def test_coverage_counts_before_resolution_before_method_before_id() -> None:
    hits = [
        hit("5EEE", coverage=0.5, resolution=1.0),
        hit("4DDD", coverage=1.0, method="NMR"),
        hit("3CCC", coverage=1.0, resolution=2.0, method="EM"),
        hit("2BBB", coverage=1.0, resolution=2.0, method="X-ray"),
        hit("1AAA", coverage=1.0, resolution=2.0, method="X-ray"),
        hit("6FFF", coverage=1.0, resolution=2.5, method="X-ray"),
    ]

    assert names(ranked(hits)) == ["1AAA", "2BBB", "3CCC", "6FFF", "4DDD", "5EEE"]


def test_each_structure_says_why_it_comes_before_the_next() -> None:
    hits = [
        hit("1AAA", coverage=1.0, resolution=2.0, method="X-ray"),
        hit("2BBB", coverage=1.0, resolution=2.0, method="X-ray"),
        hit("3CCC", coverage=1.0, resolution=2.0, method="EM"),
        hit("4DDD", coverage=1.0, method="NMR"),
        hit("5EEE", coverage=0.25),
        StructureHit(database="alphafold", id="AF-P05067-F1", coverage=1.0, method=PREDICTED),
    ]

    assert [found.reason for found in ranked(hits, databases=("pdb", "alphafold"))] == [
        "it is equal to 2BBB, and first by id",
        "its method is X-ray, that of 3CCC EM",
        "it has 2 Å, 4DDD no resolution",
        "it covers 100.0% of the protein, 5EEE 25.0%",
        "pdb is asked before alphafold",
        "",
    ]


@pytest.mark.parametrize(
    ("order", "best"),
    [("coverage", "AF"), ("resolution", "2B"), ("database,resolution", "2B"), ("method coverage", "1A")],
)
def test_the_order_is_the_users(order: str, best: str) -> None:
    hits = [
        hit("1A", coverage=0.9, resolution=3.0, method="X-ray"),
        hit("2B", coverage=0.1, resolution=0.8, method="EM"),
        StructureHit(database="alphafold", id="AF", coverage=1.0, method=PREDICTED),
    ]

    assert ranked(hits, parse_order(order), databases=("pdb", "alphafold"))[0].id == best


@pytest.mark.parametrize("order", ["size", "coverage,coverage", ["resolution", "colour"]])
def test_an_order_that_is_none_is_refused(order: str | list[str]) -> None:
    with pytest.raises(InvalidChoiceError, match="cannot order structures by"):
        parse_order(order)


facts = st.fixed_dictionaries(
    {
        "coverage": st.none() | st.floats(0, 1),
        "resolution": st.none() | st.floats(0.5, 20),
        "method": st.sampled_from(["X-ray", "EM", "NMR", "Neutron", "other", "", PREDICTED]),
        "database": st.sampled_from(["pdb", "alphafold", "mine"]),
    }
)


@given(st.lists(facts, max_size=8), st.permutations(ORDER))
def test_no_structure_is_lost_and_each_is_at_least_as_good_as_the_next(
    drawn: list[dict[str, object]], order: list[str]
) -> None:
    hits = [hit(f"{number}ABC", **item) for number, item in enumerate(drawn)]

    best = ranked(hits, order, databases=("pdb", "alphafold"))

    assert sorted(names(best)) == sorted(names(hits))
    assert ranked(list(reversed(hits)), order, databases=("pdb", "alphafold")) == best
    if order[0] == "coverage":
        coverages = [found.coverage or 0 for found in best]
        assert coverages == sorted(coverages, reverse=True)
    if order[0] == "resolution":
        resolutions = [found.resolution or 99 for found in best]
        assert resolutions == sorted(resolutions)


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 30)), max_size=6))
def test_residues_are_counted_once(spans: list[tuple[int, int]]) -> None:
    segments = [("A", first, first + more) for first, more in spans]
    residues = {n for _, first, last in segments for n in range(first, last + 1)}

    assert residues_in(segments) == len(residues)
    assert extent(segments) == ((min(residues), max(residues)) if residues else None)


def test_a_hit_is_json_without_what_is_not_known() -> None:
    record = hit("1AAA", chains=("A", "B"), range=(1, 9), segments=(("A/B", 1, 9),)).to_record()

    assert json.loads(json.dumps(record)) == {
        "database": "pdb",
        "id": "1AAA",
        "chains": ["A", "B"],
        "range": [1, 9],
        "segments": [["A/B", 1, 9]],
    }
