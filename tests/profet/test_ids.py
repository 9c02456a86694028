"""Ids are recognised in any case, or refused before anything is asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perc_archive import Archive
from profet import Fetcher, InvalidIdError
from profet.ids import ModelId, PdbId, UniProtId, parse_id


@pytest.mark.parametrize(
    ("typed", "text"),
    [
        ("4v1w", "4V1W"),
        (" 4V1W\n", "4V1W"),
        ("1aki", "1AKI"),
        ("pdb_00001aki", "1AKI"),
        ("PDB_00001AKI", "1AKI"),
        ("pdb_00011A7Y", "pdb_00011a7y"),
        ("pdb_00000abc", "pdb_00000abc"),
    ],
)
def test_pdb_ids_of_both_lengths_and_any_case_name_one_entry(typed: str, text: str) -> None:
    identity = parse_id(typed)

    assert isinstance(identity, PdbId)
    assert identity.text == text


@pytest.mark.parametrize(
    ("typed", "text", "isoform"),
    [
        ("P05067", "P05067", None),
        ("f4HvG8", "F4HVG8", None),
        ("A0A023FDY8", "A0A023FDY8", None),
        ("P05067-2", "P05067-2", 2),
        ("q9y6k9-10", "Q9Y6K9-10", 10),
    ],
)
def test_accessions_and_isoforms_are_recognised(typed: str, text: str, isoform: int | None) -> None:
    identity = parse_id(typed)

    assert isinstance(identity, UniProtId)
    assert (identity.text, identity.isoform) == (text, isoform)


@pytest.mark.parametrize(
    "typed",
    [
        "", " ", "4v1", "4v1wx", "0abc", "abcd", "P0506", "P050677", "P05067-", "P05067-0", "P05067-x",
        "P45523_1Q6U", "LYSC_CHICKEN", "AF-P05067", "AF-0000000066503175", "../etc", "4v1w/..", "4v1w.cif",
        "4vß", "pdb_0001aki", "\x1b[31m4v1w",
        "４v1w", "P05067\x00", "4v1w?x=1", "4v1w 1aki",
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_one_clear_sentence(typed: str) -> None:
    with pytest.raises(InvalidIdError, match=r"is no id that profet knows") as caught:
        parse_id(typed)

    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("typed", "text"),
    [("LYSC_CHICK", "LYSC_CHICK"), ("a4_human", "A4_HUMAN"), ("A0A023FDY8_AMBCJ", "A0A023FDY8_AMBCJ")],
)
def test_names_of_entries_are_recognised(typed: str, text: str) -> None:
    identity = parse_id(typed)

    assert isinstance(identity, UniProtId)
    assert (identity.text, identity.is_entry_name) == (text, True)


@pytest.mark.parametrize(
    ("typed", "name", "version"),
    [
        ("AF-P05067-F1", "AF-P05067-F1", None),
        ("af-p05067-2-f1-model_v6", "AF-P05067-2-F1", 6),
        ("AF-A0A023FDY8-F1-model_v4.cif", "AF-A0A023FDY8-F1", 4),
        ("AF_AFQ7SXF1F1", "AF-Q7SXF1-F1", None),
    ],
)
def test_names_of_models_are_recognised(typed: str, name: str, version: int | None) -> None:
    identity = parse_id(typed)

    assert isinstance(identity, ModelId)
    assert (identity.name, identity.version) == (name, version)


@pytest.mark.parametrize(
    ("typed", "reason"),
    [
        ("0abc", "begins with a digit from 1 to 9"),
        ("4v1w.A", "leave out the chain"),
        ("1aki_A", "leave out the chain"),
        ("4v1w.cif", "the ending of a file"),
        ("P05067.3", "without its version"),
        ("PO5067", "written as a letter"),
        ("pdb_0001aki", "pdb_ and eight characters"),
        ("AF-P05067", "ends in its fragment"),
        ("AF-0000000066503175", "complex"),
        ("UPI000012A5B3", "UniParc"),
        ("EMD-3197", "maps"),
        ("sp|P05067|A4_HUMAN", "accession between the bars"),
        ("1aki,4v1w", "one by one"),
        ("1aki 4v1w\nP05067", "one by one"),
        ("https://www.rcsb.org/structure/4V1W", "the id in it"),
    ],
)
def test_a_refusal_says_what_is_wrong_where_that_can_be_told(typed: str, reason: str) -> None:
    with pytest.raises(InvalidIdError, match=reason):
        parse_id(typed)


@given(st.text(max_size=300))
def test_no_text_makes_recognition_fail_otherwise(typed: str) -> None:
    try:
        said = parse_id(typed).text
    except InvalidIdError as error:
        said = str(error)

    assert said.isprintable()


@pytest.mark.parametrize("typed", ["nonsense", "4v1w/../../x", "P05067.json"])
def test_a_wrong_id_asks_nobody(archive: Archive, typed: str) -> None:
    fetcher = Fetcher()

    for ask in (fetcher.get_file, fetcher.check_db, fetcher.file_from_db, fetcher.remove):
        with pytest.raises(InvalidIdError):
            ask(typed)

    assert archive.requests() == []
    assert fetcher.search_history() == {}
