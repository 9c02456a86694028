"""Entries of UniProt: what is read out of them, and what is not believed."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from profet import DamagedFileError, InactiveAccessionError, RefusedError
from profet.uniprot import PdbReference, parse_entry
from profet_samples import feature, uniprot_record


def record(**parts: object) -> dict[str, Any]:
    """An active entry with these parts."""
    return {"entryType": "UniProtKB reviewed (Swiss-Prot)", **uniprot_record("P12345", "MKV" * 20), **parts}


def location(start: tuple[int | None, str], end: tuple[int | None, str]) -> dict[str, object]:
    """A signal peptide with these ends."""
    ends = {
        side: {"value": value, "modifier": word} for side, (value, word) in (("start", start), ("end", end))
    }
    return {"type": "Signal", "location": ends}


@pytest.mark.parametrize(
    ("start", "end", "ranges", "certain"),
    [
        ((1, "EXACT"), (17, "EXACT"), ((1, 17),), True),
        ((1, "OUTSIDE"), (17, "EXACT"), ((1, 17),), True),
        ((1, "EXACT"), (17, "UNSURE"), ((1, 17),), False),
        ((1, "EXACT"), (None, "UNKNOWN"), None, True),
        ((None, "UNKNOWN"), (17, "EXACT"), None, True),
        ((1, "EXACT"), (17, "OUTSIDE"), None, True),
    ],
)
def test_the_ends_of_a_signal_peptide_are_believed_as_far_as_uniprot_knows_them(
    start: tuple[int | None, str],
    end: tuple[int | None, str],
    ranges: tuple[tuple[int, int], ...] | None,
    certain: bool,
) -> None:
    entry = parse_entry(record(features=[location(start, end)]))

    assert entry.is_certain() is certain
    if ranges is None:
        with pytest.raises(RefusedError, match="P12345 has a signal peptide, but not where it"):
            entry.ranges()
    else:
        assert entry.ranges() == ranges


def test_features_of_isoforms_and_of_other_kinds_do_not_count() -> None:
    other = feature("Signal", 1, 30)
    other["location"]["sequence"] = "P12345-2"  # type: ignore[index]

    entry = parse_entry(record(features=[feature("Transit peptide", 1, 40), other, feature("Signal", 1, 20)]))

    assert entry.ranges() == ((1, 20),)
    assert entry.ranges("Transit peptide") == ((1, 40),)
    assert entry.ranges("Propeptide") == ()


@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 30)), max_size=6))
def test_coverage_counts_each_residue_once(spans: list[tuple[int, int]]) -> None:
    segments = tuple(("A", first, first + length) for first, length in spans)
    reference = PdbReference(pdb_id="1ABC", method="NMR", resolution_angstrom=None, segments=segments)

    covered = {n for _, first, last in segments for n in range(first, last + 1)}
    assert reference.residues_covered == len(covered)


def test_a_file_may_call_the_protein_by_any_of_its_accessions() -> None:
    isoforms = [
        {"isoformIds": ["P12345-3"], "isoformSequenceStatus": "Displayed"},
        {"isoformIds": ["P12345-1"]},
    ]
    entry = parse_entry(record(secondaryAccessions=["Q00001"], comments=[{"isoforms": isoforms}]))

    assert [entry.is_named(name) for name in ("P12345", "q00001", "P12345-3")] == [True] * 3
    assert [entry.is_named(name) for name in ("P12345-1", "P12346", "")] == [False] * 3
    assert (entry.isoforms, entry.canonical_isoform) == ((1, 3), 3)


@pytest.mark.parametrize(
    "wrong",
    [
        None, [], "text", {}, {"entryType": "x"}, record(features=[{}]), record(features=5),
        record(features=[{"type": "Signal", "location": {"start": 1, "end": 2}}]),
        record(uniProtKBCrossReferences=[{"id": "1ABC"}]), record(sequence="MKV"),
        record(comments=[{"isoforms": [{"isoformIds": ["P12345-x"]}]}]),
        record(sequence={"value": "A" * 200_000}),
    ],
)  # fmt: skip
def test_a_record_that_is_none_is_told(wrong: object) -> None:
    with pytest.raises(DamagedFileError, match="UniProt sent"):
        parse_entry(wrong)


@pytest.mark.real_data
def test_recorded_entries_are_read(real_data: Path) -> None:
    folder = real_data / "profet"
    entry = parse_entry(json.loads(gzip.decompress((folder / "uniprot_P05067.json.gz").read_bytes())))

    assert (entry.accession, len(entry.sequence), len(entry.other_accessions)) == ("P05067", 770, 23)
    assert entry.ranges() == ((1, 17),)
    assert len(entry.pdb_references) == 240
    assert all(reference.segments for reference in entry.pdb_references)
    assert min(r.resolution_angstrom or 99 for r in entry.pdb_references) == 0.85
    assert (entry.canonical_isoform, entry.isoforms) == (1, tuple(range(1, 12)))
    assert entry.is_in_alphafold
    for name, word in (("demerged_Q00007", "P63151 or P63150"), ("deleted_I8FBX0", "deleted")):
        with pytest.raises(InactiveAccessionError, match=word):
            parse_entry(json.loads((folder / f"uniprot_inactive_{name}.json").read_text()))
