"""What questions to the catalogue mean: spellings, synonyms, OR and NOT; and why nothing was found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from empiarreader import EmpiarIndex, InvalidRequestError
from empiarreader.catalogue.spelling import spelled_out
from empiarreader.catalogue.words import synonyms
from perc_archive import Archive

TITLES = (
    "Structure of the human β2-adrenergic receptor",
    "Beta-2 adrenergic receptor with agonist",
    "SARS-CoV2 spike glycoprotein",
    "S protein of SARS-CoV-2 with a nanobody",
    "Cryo electron tomography of Chlamydomonas",
    "CryoET of axonemes",
    "E. coli 70S ribosome",
    "Saccharomyces cerevisiae 80S ribosome",
    "TRPV1 in nanodiscs",
    "Tau filaments",
)


@pytest.fixture
def index(archive: Archive, tmp_path: Path) -> EmpiarIndex:
    """Catalogue of an entry for each title; the first has the number 10002."""
    for number, title in enumerate(TITLES, start=10_002):
        record: dict[str, Any] = {
            "title": title,
            "status": "OBS" if title == TITLES[-1] else "REL",
            "release_date": "2024-06-30",
            "dataset_size": "2 TB",
            "experiment_type": "3",
            "imagesets": [{"name": "Movies", "data_format": "TIFF"}],
        }
        archive.add_record("empiar", str(number), record)
    made = EmpiarIndex(tmp_path / "c.sqlite3")
    made.update()
    return made


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        ("β2 adrenergic", {0, 1}),
        ("beta2 adrenergic", {0, 1}),
        ("beta-2 adrenergic", {0, 1}),
        ("SARS-CoV-2", {2, 3}),
        ("sarscov2", set()),
        ("trpv 1", {8}),
        ("TRPV*", {8}),
        ("TRP", {8}),
        ("ion channel", {8}),
        ("gpcr", {0, 1}),
        ("G-protein-coupled receptors", {0, 1}),
        ("spike protein", {2, 3}),
        ("cryoET", {4, 5}),
        ("cryo-ET", {4, 5}),
        ("cryo electron tomography", {4, 5}),
        ("yeast ribosome", {7}),
        ("budding yeast ribosome", {7}),
        ("spike OR ribosome", {2, 3, 6, 7}),
        ("ribosome NOT coli", {7}),
        ("ribosome NOT 70S NOT 80S", set()),
        ("ribosome AND coli", {6}),
        ("ribosome coli OR cerevisiae", {6, 7}),
        ('"OR"', set()),
        ("or ribosome", set()),
        ("OR ribosome NOT", {6, 7}),
        ("EMDB EMPIAR10004", {2}),
    ],
)
def test_words_find_what_a_reader_of_the_titles_would(
    index: EmpiarIndex, text: str, titles: set[int]
) -> None:
    assert {hit.entry_id - 10_002 for hit in index.search(text, limit=None)} == titles


def test_the_entry_of_a_number_comes_before_entries_that_mention_it(archive: Archive, tmp_path: Path) -> None:
    for number, title in ((10_005, "Something at length about 10011 and 10011 again"), (10_011, "Short")):
        archive.add_record("empiar", str(number), {"title": title, "cross_references": ["EMD-10011"]})
    index = EmpiarIndex(tmp_path / "c.sqlite3")
    index.update()

    assert [hit.entry_id for hit in index.search("10011")] == [10_011, 10_005]
    assert [hit.entry_id for hit in index.search("10011", use_synonyms=False)] == [10_011, 10_005]


def test_without_synonyms_words_are_themselves_in_any_spelling(index: EmpiarIndex) -> None:
    def numbers(text: str) -> list[int]:
        return [hit.entry_id for hit in index.search(text, use_synonyms=False)]

    assert numbers("cryoET") == [10_007]
    assert numbers("gpcr") == []
    assert set(numbers("β2")) == {10_002, 10_003}


def test_a_question_needs_a_word_that_is_wanted(index: EmpiarIndex) -> None:
    for text in ("NOT human", "OR", "AND NOT"):
        with pytest.raises(InvalidRequestError, match="no word"):
            index.search(text)


def test_words_that_are_alike_stand_for_each_other_and_kinds_for_themselves() -> None:
    known = synonyms()

    assert "cryoET" in known["cryo electron tomography"]
    assert "cryo electron tomography" in known["cryoet"]
    assert "rhodopsin" in known["g protein coupled receptor"]
    assert "rhodopsin" not in known
    for word, others in known.items():
        assert word == spelled_out(word).lower()
        assert others
        assert len(set(others)) == len(others)


def test_the_method_of_a_deposition_form_is_found_by_its_word(index: EmpiarIndex) -> None:
    assert index.count(method="EMDB") == 9


@pytest.mark.parametrize(
    ("text", "filters", "sentence"),
    [
        ("ribosme", {}, "'ribosme' occurs in no entry; is ribosome meant?"),
        ("Chlamydomonás nanodisks", {}, "'nanodisks' occurs in no entry; is nanodiscs meant?"),
        ("xylophone OR ribosme", {}, "'xylophone' occurs in no entry; 'ribosme' occurs in no entry; is "),
        ("7QK5", {}, "'7QK5' occurs in no entry"),
        ("ribosome or spike", {}, "'or' occurs in no entry; write OR in capitals"),
        ("ribosome", {"max_size": 10**12, "format": "TIFF"}, "no entry has 1 TB or less"),
        ("ribosome", {"since": "2025"}, "no entry was released since 2025"),
        ("tau", {}, "of 1 that match otherwise, none is released"),
        ("ribosome gpcr", {}, "each of these conditions holds for some entry, but all of them for none"),
        ("ribosomes", {"use_synonyms": False}, "'ribosomes' occurs in no entry; is ribosome"),
    ],
)
def test_where_nothing_is_found_the_reason_is_told(
    index: EmpiarIndex, text: str, filters: dict[str, Any], sentence: str
) -> None:
    assert index.search(text, **filters) == []
    assert index.why_nothing(text, **filters).startswith(sentence)
