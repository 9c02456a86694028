"""What an entry says about itself in its other shapes: XML, deposition form, maps, kinds of files."""

from __future__ import annotations

import json
import logging
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from empiarreader import (
    Citation,
    DamagedDataError,
    EmpiarCatalog,
    EmpiarEntry,
    EntryNotFoundError,
    InvalidRequestError,
    ServiceError,
)
from empiarreader.listing.kinds import kind_of
from empiarreader.metadata.emdb import map_address, parse_emdb_id
from empiarreader.metadata.entry_xml import read_entry_xml
from empiarreader.metadata.records import (
    Grant,
    Segmentation,
    Version,
    read_citations,
    read_imagesets,
    read_orcids,
    read_people,
    read_person,
)
from empiarreader.metadata.vocabularies import decode_number, decode_word
from perc_archive import Archive

API = "www.ebi.ac.uk/empiar/api/entry/*"
XML = b"""<?xml version="1.0" encoding="UTF-8"?>
<entry xmlns="http://pdbe.org/empiar" accessionCode="EMPIAR-10943">
  <admin><currentStatus>REL</currentStatus><title>Pol \xce\xba &amp;amp; friends</title>
    <keyDates><releaseDate>2022-02-07</releaseDate></keyDates>
    <datasetSize units="TB">1.9</datasetSize></admin>
  <crossReferences><relatedEMDBEntries><emdbEntry>EMD-12602</emdbEntry></relatedEMDBEntries></crossReferences>
  <imageSet><name>Movies</name><directory>/data/Tiff</directory><framesPerImage>45</framesPerImage>
    <dimensions><imageWidth>variable</imageWidth><pixelWidth>0.543</pixelWidth></dimensions></imageSet>
</entry>
"""


def test_the_xml_of_an_entry_serves_while_the_api_is_down(
    archive: Archive, caplog: pytest.LogCaptureFixture
) -> None:
    archive.add_entry(10943, {"data/a.mrc": b"x"})
    archive.add_file("ftp.ebi.ac.uk", "empiar/world_availability/10943/10943.xml", XML)
    archive.add_fault("status", match=API, status=503, times=None)
    entry = EmpiarEntry(10943)

    with caplog.at_level(logging.WARNING, "empiarreader"):
        assert entry.title == "Pol κ & friends"
    assert entry.record_url == archive.url("ftp.ebi.ac.uk", "empiar/world_availability/10943/10943.xml")
    assert "503" in caplog.text
    assert entry.record_url in caplog.text
    assert (entry.status, entry.release_date, entry.dataset_size) == ("REL", "2022-02-07", "1.9 TB")
    assert entry.references["emdb"] == ("EMD-12602",)
    (imageset,) = entry.imagesets
    assert (imageset.directory, imageset.frames_per_image) == ("data/Tiff", 45)
    assert (imageset.image_width, imageset.pixel_width_angstrom) == (None, 0.543)


@pytest.mark.parametrize("offline", [False, True])
def test_the_xml_in_a_mirror_serves_while_the_api_cannot_be_asked(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, offline: bool
) -> None:
    (tmp_path / "10943").mkdir()
    (tmp_path / "10943/10943.xml").write_bytes(XML)
    monkeypatch.setenv("EMPIARREADER_MIRROR", str(tmp_path))
    if offline:
        monkeypatch.setenv("EMPIARREADER_OFFLINE", "1")
    archive.add_fault("status", match=API, status=503, times=None)
    entry = EmpiarEntry(10943)

    assert (entry.title, entry.record_url) == ("Pol κ & friends", str(tmp_path / "10943/10943.xml"))
    assert list(EmpiarCatalog(10943)) == ["Movies"]
    assert archive.requests("ftp.ebi.ac.uk/*") == []
    with pytest.raises(ServiceError):
        EmpiarEntry(10944).title.upper()


def test_an_entry_that_the_api_does_not_know_is_not_looked_for_elsewhere(archive: Archive) -> None:
    with pytest.raises(EntryNotFoundError):
        EmpiarEntry(10943).title.upper()
    assert archive.requests("ftp.ebi.ac.uk/*") == []


@pytest.mark.parametrize("xml", [None, b"", b"<html/>", b"<!DOCTYPE entry []>" + XML[39:], XML[:200]])
def test_where_the_xml_is_no_help_the_trouble_with_the_api_is_told(
    archive: Archive, xml: bytes | None
) -> None:
    archive.add_entry(10943, {"data/a.mrc": b"x"})
    if xml is not None:
        archive.add_file("ftp.ebi.ac.uk", "empiar/world_availability/10943/10943.xml", xml)
    else:
        archive.add_fault("status", match="*10943.xml", status=404, times=None)
    archive.add_fault("status", match=API, status=503, times=None)

    with pytest.raises(ServiceError, match="503"):
        EmpiarEntry(10943).title.upper()


def test_xml_that_could_unfold_is_refused() -> None:
    bomb = '<!DOCTYPE e [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><entry>&b;</entry>'
    for encoding in ("utf-8", "utf-8-sig", "utf-16"):
        with pytest.raises(DamagedDataError):
            read_entry_xml(bomb.encode(encoding), name="x.xml")


@given(st.binary(max_size=200) | st.builds(lambda cut: XML[:cut], st.integers(0, len(XML) - 2)))
def test_what_is_no_whole_xml_is_damaged_and_nothing_else(content: bytes) -> None:
    with pytest.raises(DamagedDataError):
        read_entry_xml(content, name="x.xml")


@pytest.mark.real_data
def test_a_real_xml_says_what_is_known_of_the_entry(real_data: Path) -> None:
    record = read_entry_xml((real_data / "empiar/api/10934.xml").read_bytes(), name="10934.xml")

    assert record["title"].endswith("monoubiquitylated PCNA")
    assert read_person(record["corresponding_author"]) == "Claudia Lancey"
    assert len(read_people(record["authors"])) == 13
    assert read_people(record["principal_investigator"]) == ("Alfredo De Biasio", "Samir Hamdan")
    (citation,) = read_citations(record)
    assert citation.doi == "10.1038/s41467-021-26251-6"
    assert (citation.volume, citation.issue, citation.journal_abbreviation) == ("12", "1", "Nat Commun")
    assert read_orcids(record)["Lancey C"] == "0000-0001-9064-4085"
    assert read_orcids(record)["Samir Hamdan"] == "0000-0001-5192-1852"
    assert (citation.year, citation.pubmed_id, citation.journal) == (
        2021,
        "34667155",
        "Nature communications",
    )
    (imageset,) = read_imagesets(record)
    assert imageset.directory == "data/CL44-1_20201106_111915"
    assert (imageset.count, imageset.frames_per_image, imageset.voxel_type) == (3889, 45, "UNSIGNED BYTE")
    assert (imageset.image_width, imageset.image_height) == (11520, 8184)
    assert imageset.pixel_width_angstrom == imageset.pixel_height_angstrom == 0.543
    assert imageset.micrographs_pattern.endswith("FoilHole_*_fractions.tiff.bz2")


@pytest.mark.real_data
def test_the_deposition_form_is_read_as_its_words(real_data: Path, archive: Archive) -> None:
    record = json.loads((real_data / "empiar/api/empiar_deposition_example.json").read_text())
    (imageset,) = read_imagesets(record)

    assert (imageset.category, imageset.data_format) == ("tilt series", "MRC")
    assert (imageset.header_format, imageset.voxel_type) == ("MRC", "UNSIGNED 32 BIT INTEGER")
    assert imageset.frame_range == (1, 121)
    archive.add_entry(10943, {"data/a.mrc": b"x"}, record)
    entry = EmpiarEntry(10943)
    assert (entry.experiment_type, entry.scale) == ("EMDB", "molecule")
    assert entry.orcids["Smith JW"] == entry.orcids["John William Smith"] == "0000-0002-1825-0097"
    assert len(entry.workflow_urls) == 1
    assert read_people(record["authors"]) == ("Smith JW", "Test T")
    assert read_person(record["corresponding_author"]) == "John William Smith"


@pytest.mark.real_data
def test_the_words_behind_codes_are_those_of_the_published_schema(real_data: Path) -> None:
    schema = json.loads((real_data / "empiar/api/empiar_deposition.schema.json").read_text())
    fields = schema["properties"]["imagesets"]["items"]["properties"]

    for field in ("category", "header_format", "data_format", "voxel_type"):
        described = fields[field]["description"]
        words = re.findall(r"'?(T\d+)' (?:corresponds to|-) '([^']+)'", described)
        assert len(words) >= 9
        for code, word in words:
            assert decode_word(field, f"('{code}', '')") == word
    scales = re.findall(r"(\d) - (\w+)", schema["properties"]["scale"]["description"])
    assert [decode_number("scale", code) for code, _ in scales] == [word for _, word in scales]
    kinds = schema["properties"]["experiment_type"]["enum"]
    assert len({decode_number("experiment_type", str(code)) for code in kinds} - set(map(str, kinds))) == 12
    assert decode_number("experiment_type", "10") == "10"


def test_a_code_that_is_on_no_list_stays_what_it_was_called() -> None:
    assert decode_word("data_format", "('OT', 'SMV2')") == "SMV2"
    assert decode_word("voxel_type", "('T14', 'ODD')") == "ODD"
    assert decode_word("category", "micrographs - multiframe") == "micrographs - multiframe"


def test_every_field_of_the_api_is_typed(archive: Archive) -> None:
    record: dict[str, Any] = {
        "deposition_date": "2021-12-31",
        "update_date": "2022-03-01",
        "obsolete_date": None,
        "scale": "molecule",
        "corresponding_author": {"author": {"name": "A B"}},
        "principal_investigator": [{"name": "C D"}, {"author": {"first_name": "E", "last_name": "F"}}],
        "grant_references": [{"funding_body": "MRC", "code": "X/1", "country": "UK"}, None],
        "workflow_file": {"path": "data/workflow.json"},
        "workflows": [{"url": "https://doi.org/10.1/w", "type": 1}, {"url": None}, 5],
        "authors": [
            {"author": {"name": "A B", "author_orcid": "0000-0002-1825-0097"}},
            {"author": {"name": "G H", "author_orcid": None}},
        ],
        "version_history": [
            {"version_number": 1, "date": "2022-02-07", "status_code": "REL", "details": None},
            {"version_number": "2", "date": "2022-03-01", "status_code": "REL", "details": ["a", "b"]},
            None,
        ],
        "citation": [
            {"volume": 12, "issue": "1", "first_page": "16269", "last_page": None, "details": " x "}
        ],
        "imagesets": [
            {
                "name": "Particles",
                "directory": "data",
                "frame_range_min": "1",
                "frame_range_max": 40,
                "picked_particles_directory": "/data/picks/",
                "segmentations": [
                    {"id": "3", "file": "seg.mrc", "description": "membranes"},
                    {"file": "b.mrc", "original_files": ["b.am", None], "original_format": "AMIRA"},
                    "odd",
                ],
            }
        ],
    }
    archive.add_entry(10943, {"data/a.mrc": b"x"}, record)
    entry = EmpiarEntry(10943)

    assert (entry.deposition_date, entry.update_date) == ("2021-12-31", "2022-03-01")
    assert (entry.obsolete_date, entry.scale, entry.corresponding_author) == ("", "molecule", "A B")
    assert entry.principal_investigators == ("C D", "E F")
    assert entry.grants == (Grant(funding_body="MRC", code="X/1", country="UK"),)
    assert entry.workflow_path == "data/workflow.json"
    (imageset,) = entry.imagesets
    assert imageset.frame_range == (1, 40)
    assert imageset.particles_directory == "data/picks"
    assert imageset.segmentations == (
        Segmentation(number=3, file="seg.mrc", description="membranes"),
        Segmentation(file="b.mrc", original_files=("b.am",), original_format="AMIRA"),
    )
    assert entry.workflow_urls == ("https://doi.org/10.1/w",)
    assert (entry.authors, entry.orcids) == (("A B", "G H"), {"A B": "0000-0002-1825-0097"})
    assert entry.versions == (
        Version(number=1, date="2022-02-07", status="REL"),
        Version(number=2, date="2022-03-01", status="REL", details="a; b"),
    )
    assert entry.citation == Citation(volume="12", issue="1", first_page="16269", details="x")


def test_maps_of_an_entry_have_their_addresses_in_emdb(archive: Archive) -> None:
    archive.add_entry(10943, {"data/a.mrc": b"x"}, {"cross_references": ["EMD-3197", {"name": "emd-12602"}]})

    first, second = EmpiarEntry(10943).maps()
    assert (first.emdb_id, second.emdb_id) == ("EMD-3197", "EMD-12602")
    assert first.url == archive.url(
        "ftp.ebi.ac.uk", "pub/databases/emdb/structures/EMD-3197/map/emd_3197.map.gz"
    )


@pytest.mark.parametrize("text", ["", "3197", "EMD-", "EMD-31x", "EMD-3197/../x", "EMPIAR-10943"])
def test_what_is_no_emdb_id_is_refused(text: str) -> None:
    assert parse_emdb_id(text) is None
    with pytest.raises(InvalidRequestError, match="no EMDB id"):
        map_address(text)


LISTED_12104 = "empiar/listing/EMPIAR-12104_cets.json"
KINDS = [
    ("data/movies/a.tiff", "movies"),
    ("data/movies/a.tif.bz2", "movies"),
    ("data/movies/CountRef_x.mrc", "gains"),
    ("data/movies/gain_ref/x.dm4", "gains"),
    ("data/movies/20200101_EER_GainReference.gain", "gains"),
    ("data/movies/non_gain_corrected_1.tiff", "movies"),
    ("data/movies/a.tiff.mdoc", "metadata"),
    ("data/movies/FoilHole_1_Data_2.jpg", None),  # EPU leaves a picture of each exposure beside it
    ("data/tilts/TS_01.PNG", None),
    ("data/photos/a.jpg", "micrographs"),
    ("data/micrographs/a.mrc", "micrographs"),
    ("data/micrographs/picks/a_autopick.star", "coordinates"),
    ("data/micrographs/a.box", "coordinates"),
    ("data/particles/shiny.mrcs", "particles"),
    ("data/particles/shiny.star", "metadata"),
    ("data/tilts/TS_01.mrc", "tilt_series"),
    ("data/tilts/TS_01.rawtlt", "metadata"),
    ("data/elsewhere/TS_02.st", "tilt_series"),
    ("data/elsewhere/a.eer", "movies"),
    ("data/elsewhere/a_fractions.mrc", "movies"),
    ("data/elsewhere/stack.mrcs", "particles"),
    ("data/elsewhere/a.mrc", None),
    ("data/elsewhere/a.bin", None),
    ("10943.xml", "metadata"),
]
IMAGESETS = [
    {"directory": "data/movies", "category": "micrographs - multiframe"},
    {"directory": "data/micrographs", "category": "micrographs - single frame"},
    {"directory": "data/particles/", "category": "picked particles - single frame - processed"},
    {"directory": "/data/tilts", "category": "('T9', '')"},
    {"directory": "data/photos", "category": "micrographs - single frame", "data_format": "JPEG"},
]


@pytest.mark.parametrize(("path", "kind"), KINDS)
def test_a_file_is_of_the_kind_that_its_name_and_imageset_tell(path: str, kind: str | None) -> None:
    assert kind_of(path, read_imagesets({"imagesets": IMAGESETS})) == kind


def test_files_of_one_kind_are_found(archive: Archive) -> None:
    archive.add_entry(10943, {path: b"x" for path, _ in KINDS}, {"imagesets": IMAGESETS})
    entry = EmpiarEntry(10943)

    gains = sorted(path for path, kind in KINDS if kind == "gains")
    assert [file.path for file in entry.files(kind="gains")] == gains
    assert [file.path for file in entry.files(kind="movies", directory="data/elsewhere")] == [
        "data/elsewhere/a.eer",
        "data/elsewhere/a_fractions.mrc",
    ]
    assert len(entry.files()) == len(KINDS)
    with pytest.raises(InvalidRequestError, match="no kind of files; there are movies, micrographs"):
        entry.files(kind="films")


@pytest.mark.real_data
def test_kinds_are_told_in_the_trees_of_real_entries(real_data: Path) -> None:
    xml, folder = json.loads((real_data / "empiar/listing/EMPIAR-10002_tree.json").read_text())
    names = folder["data"]
    frames = re.findall(r'"path": "[^"]*/12104/([^"]*)"', (real_data / LISTED_12104).read_text())
    imagesets = read_imagesets(
        {"imagesets": [{"directory": "data/Control", "category": "micrographs - multiframe"}]}
    )

    assert kind_of(xml) == "metadata"
    assert len(names) == 260
    assert {kind_of(f"data/{name}") for name in names} == {"movies"}
    assert len(frames) > 20
    assert {kind_of(path, imagesets) for path in frames if path.startswith("data/Control/frames")} == {
        "movies"
    }
