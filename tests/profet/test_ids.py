"""Ids are recognised in any case, or refused before anything is asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perc_archive import Archive
from profet import Fetcher, InvalidIdError
from profet.ids import PdbId, UniProtId, parse_id


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
        "LYSC_CHICK", "AF-P05067-F1", "../etc", "4v1w/..", "4v1w.cif", "4vß", "pdb_0001aki", "\x1b[31m4v1w",
        "４v1w", "P05067\x00", "4v1w?x=1", "4v1w 1aki",
    ],
)  # fmt: skip
def test_anything_else_is_refused_with_one_clear_sentence(typed: str) -> None:
    with pytest.raises(InvalidIdError, match=r"is no id that profet knows") as caught:
        parse_id(typed)

    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300


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
