"""Metadata of entries: typed, tolerant, asked for once; and the catalogue of imagesets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from empiar_entries import odd_records
from empiarreader import (
    Citation,
    EmpiarCatalog,
    EmpiarEntry,
    EmpiarReaderError,
    EmpiarSource,
    EntryNotFoundError,
    InvalidRequestError,
    ServiceError,
    parse_entry_id,
)
from empiarreader.metadata.api import select_record
from empiarreader.metadata.entry_metadata import EntryMetadata
from empiarreader.metadata.records import (
    read_imagesets,
    read_people,
)
from perc_archive import Archive

API = "www.ebi.ac.uk/empiar/api/entry/*"
RECORD: dict[str, Any] = {
    "title": "Movies of a test",
    "dataset_size": "305.5 GB",
    "release_date": "2022-02-07",
    "cross_references": ["EMD-2275", {"name": "EMD-3233"}],
    "related_pdb_entries": [{"name": "7qk5"}],
    "citation": [
        {
            "title": "A paper",
            "journal": "Nature",
            "year": "2021",
            "doi": "10.1/x",
            "pubmedid": 34667155,
            "authors": [{"name": "A B"}],
        }
    ],
    "imagesets": [
        {
            "name": "Movies",
            "directory": "/data/Tiff/",
            "data_format": "TIFF",
            "num_images_or_tilt_series": 4000,
            "frames_per_image": 34,
            "pixel_width": 0.824,
            "pixel_height": 0.824,
            "image_width": None,
            "image_height": "4096",
        },
        {"name": "Movies", "directory": "data/EER"},
        {"name": None, "directory": "data/nameless"},
    ],
}


@pytest.mark.parametrize(
    "entry",
    [
        10943,
        "10943",
        "EMPIAR-10943",
        "empiar-10943",
        " 10943 ",
        "10.6019/EMPIAR-10943",
        "doi:10.6019/EMPIAR-10943",
        "https://dx.doi.org/10.6019/EMPIAR-10943",
        "https://www.ebi.ac.uk/empiar/EMPIAR-10943/",
    ],
)
def test_an_entry_is_named_by_number_or_accession(entry: int | str) -> None:
    assert parse_entry_id(entry) == EmpiarEntry(entry).entry_id == 10943
    assert EmpiarEntry(entry).accession == "EMPIAR-10943"


@pytest.mark.parametrize(
    "entry",
    [
        0,
        -1,
        True,
        "",
        "EMD-1234",
        "10943/../1",
        "1e5",
        "10943\n2",
        "１0943",
        "10.1038/10943",
        "https://www.ebi.ac.uk/emdb/EMD-10943",
        "https://evil.example/10943",
        "10943//",
    ],
)
def test_what_is_no_entry_is_refused_before_anything_is_asked(entry: int | str, archive: Archive) -> None:
    with pytest.raises(InvalidRequestError, match="is not an EMPIAR entry"):
        EmpiarEntry(entry)
    assert archive.requests() == []


def test_metadata_is_typed_and_asked_for_once(archive: Archive) -> None:
    archive.add_entry(10943, {"data/a.mrc": b"x"}, RECORD)
    entry = EmpiarEntry(10943)

    assert entry.title == "Movies of a test"
    assert entry.dataset_size == "305.5 GB"
    assert entry.dataset_size_bytes == 305_500_000_000
    assert entry.release_date == "2022-02-07"
    assert entry.references["emdb"] == ("EMD-2275", "EMD-3233")
    assert entry.references["pdb"] == ("7qk5",)
    assert entry.citation == Citation(
        title="A paper", journal="Nature", year=2021, doi="10.1/x", pubmed_id="34667155", authors=("A B",)
    )
    first = entry.imagesets[0]
    assert (first.name, first.directory, first.count, first.frames_per_image) == (
        "Movies",
        "data/Tiff",
        4000,
        34,
    )
    assert (first.image_width, first.image_height) == (None, 4096)
    assert entry.pixel_sizes_angstrom == {"data/Tiff": 0.824, "data/EER": None, "data/nameless": None}
    assert len(archive.requests(API)) == 1


def test_making_an_entry_asks_nothing(archive: Archive) -> None:
    assert repr(EmpiarEntry(10943)) == "EmpiarEntry(10943)"
    assert archive.requests() == []


def test_an_entry_that_does_not_exist_says_so(archive: Archive) -> None:
    for ask in (
        lambda: EmpiarEntry(99999).title,
        lambda: EmpiarCatalog(99999),
        lambda: EmpiarCatalog.fetch_entry_data("EMPIAR-99999"),
    ):
        with pytest.raises(EntryNotFoundError, match="EMPIAR has no entry 99999"):
            ask()


def test_an_api_that_is_down_is_not_an_entry_that_is_missing(archive: Archive) -> None:
    archive.add_entry(10943, {"data/a.mrc": b"x"})
    archive.add_fault("status", match=API, status=503, times=None)
    archive.add_fault("status", match="*10943.xml", status=503, times=None)

    with pytest.raises(ServiceError, match="status 503"):
        EmpiarCatalog(10943)
    assert len(archive.requests(API)) == 5


def test_an_api_that_was_down_for_a_moment_is_asked_again(archive: Archive) -> None:
    archive.add_entry(10943, {"data/a.mrc": b"x"}, {"title": "Here"})
    archive.add_fault("html", match=API, times=1)
    archive.add_fault("refuse", match=API, times=1)

    assert EmpiarEntry(10943).title == "Here"
    assert len(archive.requests(API)) == 3


@pytest.mark.parametrize("answer", [[], 3, None, "gone", {}, {"EMPIAR-10943": None}, {"error": "x"}])
def test_an_answer_that_is_no_record_is_an_error_of_the_tree(answer: Any) -> None:
    with pytest.raises((EntryNotFoundError, ServiceError)):
        select_record(answer, 10943)


def test_an_api_that_answers_with_anything_but_json_could_not_be_asked(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.add_file("ftp.ebi.ac.uk", "api/entry/10943/page.html", b"x")
    monkeypatch.setenv("EMPIARREADER_API_URL", archive.url("ftp.ebi.ac.uk", "api"))

    with pytest.raises(ServiceError, match="no JSON"):
        EmpiarCatalog(10943)


def test_a_catalogue_maps_names_to_sources_and_loses_none(archive: Archive) -> None:
    archive.add_entry(10943, {"data/a.mrc": b"x"}, RECORD)
    catalogue = EmpiarCatalog("EMPIAR-10943")

    assert list(catalogue.keys()) == ["Movies", "Movies [2]", "data/nameless"]
    assert len(catalogue) == 3
    assert isinstance(catalogue["Movies"], EmpiarSource)
    assert catalogue["Movies"].directory == "data/Tiff"
    assert catalogue["Movies [2]"].directory == "data/EER"
    assert catalogue["Movies"].imageset_metadata["frames_per_image"] == 34
    assert catalogue.get("nothing") is None
    assert "Movies" in catalogue
    assert len(archive.requests()) == 1


def test_a_directory_that_climbs_out_of_its_entry_is_shown_but_never_asked_for(archive: Archive) -> None:
    archive.add_entry(10943, {"data/a.mrc": b"x"}, {"imagesets": [{"name": "bad", "directory": "../10944"}]})
    catalogue = EmpiarCatalog(10943)

    assert EmpiarEntry(10943).imagesets[0].directory == "../10944"
    with pytest.raises(InvalidRequestError, match="outside the entry"):
        catalogue["bad"]


@given(record=odd_records())
def test_a_record_of_any_shape_is_read_without_a_crash(record: dict[str, Any]) -> None:
    class Entry(EntryMetadata):
        @property
        def record(self) -> dict[str, Any]:
            return record

    entry = Entry()
    for name in vars(EntryMetadata):
        if not name.startswith("_"):
            getattr(entry, name)
    for imageset in entry.imagesets:
        assert isinstance(imageset.name, str)
        assert imageset.image_width is None or isinstance(imageset.image_width, int)


def test_people_are_read_in_all_three_shapes() -> None:
    people = [{"author": {"name": "A B"}}, {"name": "C D"}, "E F", {"author": None}, None, 3.5]

    assert read_people(people) == ("A B", "C D", "E F", "3.5")


@pytest.mark.real_data
def test_records_kept_by_others_are_read(real_data: Path) -> None:
    for name, count, first in (
        ("bia_EMPIAR-STARFILETEST.json", 6, "data/211206/data"),
        ("bia_EMPIAR-IMAGEPATTERNTEST.json", 1, None),
        ("bia_EMPIAR-IMAGELABELTEST.json", None, "data/frames"),
    ):
        (record,) = json.loads((real_data / "empiar" / "api" / name).read_text()).values()
        imagesets = read_imagesets(record)

        assert count is None or len(imagesets) == count, name
        assert first is None or imagesets[0].directory == first
        assert all(imageset.voxel_type and imageset.category for imageset in imagesets)


def test_errors_of_the_library_are_errors_of_one_kind() -> None:
    assert issubclass(EntryNotFoundError, EmpiarReaderError)
    assert issubclass(EntryNotFoundError, LookupError)
