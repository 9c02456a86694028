"""EMPIAR's API, its XML, and what an entry added by hand looks like there."""

from __future__ import annotations

import struct
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import requests

from perc_archive import Archive
from perc_archive.empiar_record import complete_record
from perc_archive.empiar_xml import from_xml, to_xml
from perc_archive.services.empiar_api import parse_ids

API, TREE = "www.ebi.ac.uk", "ftp.ebi.ac.uk"


def mrc(nx: int, ny: int, nz: int, *, mode: int = 2, pixel: float = 1.5) -> bytes:
    """A little-endian MRC file with nothing but its header filled in."""
    head = bytearray(1024)
    struct.pack_into("<10i", head, 0, nx, ny, nz, mode, 0, 0, 0, nx, ny, nz)
    struct.pack_into("<3f", head, 40, nx * pixel, ny * pixel, nz * pixel)
    head[208:212] = b"MAP "
    return bytes(head) + bytes(8)


def api(archive: Archive, path: str, **options: str) -> requests.Response:
    if "data" in options:
        return requests.post(archive.url(API, f"empiar/api/{path}"), data=options["data"], timeout=10)
    return requests.get(archive.url(API, f"empiar/api/{path}"), timeout=10)


@pytest.mark.parametrize("name", ["10943", "EMPIAR-10943", "empiar-10943"])
def test_an_entry_answers_to_its_number_and_to_its_accession(archive: Archive, name: str) -> None:
    archive.add_entry(10943, {"data/a.mrc": mrc(8, 6, 4)}, {"title": "Pol κ"})
    for address in (f"entry/{name}/", f"entry/{name}"):
        answer = api(archive, address)
        assert answer.headers["Content-Type"] == "application/json"
        assert list(answer.json()) == ["EMPIAR-10943"]
        assert answer.json()["EMPIAR-10943"]["title"] == "Pol κ"


@pytest.mark.parametrize(
    "address", ["entry/10944/", "entry/abc/", "entry/10943-10945/", "entry/", "nothing/"]
)
def test_what_is_not_there_is_a_404_that_is_no_json(archive: Archive, address: str) -> None:
    archive.add_entry(10943, {})
    answer = api(archive, address)
    assert (answer.status_code, answer.headers["Content-Type"].startswith("text/html")) == (404, True)
    with pytest.raises(requests.JSONDecodeError):
        answer.json()


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("10000-10499", ["10002", "10017"]),
        ("10500-10999", ["10934", "10943"]),
        ("10002,10934, 10940-10950", ["10002", "10934", "10943"]),
        ("EMPIAR-10017", ["10017"]),
        ("13000-14000", []),
    ],
)
def test_many_entries_come_by_post_and_unknown_ones_are_left_out(
    archive: Archive, wanted: str, found: list[str]
) -> None:
    for number in (10002, 10017, 10934, 10943):
        archive.add_entry(number, {})
    answer = api(archive, "entry/", data=wanted)
    assert list(answer.json()) == [f"EMPIAR-{number}" for number in found]


def test_a_list_that_is_none_is_refused(archive: Archive) -> None:
    assert api(archive, "entry/", data="all of them").status_code == 404
    assert parse_ids("10002;10003") is None
    assert parse_ids("10002-EMPIAR-10005") == [(10002, 10005)]


def test_entries_are_found_by_their_map_unless_obsolete(archive: Archive) -> None:
    archive.add_entry(10028, {}, {"cross_references": [{"name": "EMD-2660"}]})
    archive.add_entry(10029, {}, {"cross_references": ["EMD-2660", "EMD-2661"]})
    archive.add_entry(10030, {}, {"cross_references": ["EMD-2660"], "status": "OBS"})
    assert list(api(archive, "emdb_ref/EMD-2660/").json()) == ["EMPIAR-10028", "EMPIAR-10029"]
    assert list(api(archive, "emdb_ref/", data="EMD-2661,EMD-9000").json()) == ["EMPIAR-10029"]
    assert api(archive, "emdb_ref/EMD-1/").status_code == 404


def test_what_a_record_leaves_out_is_filled_in_from_the_files(archive: Archive) -> None:
    files: dict[str, bytes | Path] = {
        "data/movies/a.mrcs": mrc(64, 32, 5, mode=6, pixel=0.5),
        "data/movies/b.mrcs": mrc(64, 32, 5, mode=6, pixel=0.5),
        "data/movies/gain.txt": b"",
        "data/x.tiff": b"II*\0",
        "data/notes/readme.txt": b"",
    }
    archive.add_entry(10943, files)
    record = api(archive, "entry/10943/").json()["EMPIAR-10943"]
    movies, images = record["imagesets"]
    assert (movies["directory"], images["directory"]) == ("data/movies", "data")
    assert movies["category"] == "micrographs - multiframe"
    assert (movies["num_images_or_tilt_series"], movies["frames_per_image"]) == (2, 5)
    assert (movies["image_width"], movies["image_height"]) == ("64", "32")  # text, as in the real answers
    assert (movies["pixel_width"], movies["voxel_type"]) == (0.5, "UNSIGNED 16 BIT INTEGER")
    assert (movies["data_format"], images["data_format"]) == ("MRCS", "TIFF")
    assert images["image_width"] is None
    assert record["dataset_size"] == "2.1 KB"
    assert (record["status"], record["entry_doi"]) == ("REL", "10.6019/EMPIAR-10943")


def test_what_a_record_says_stays_as_it_is() -> None:
    imageset = {"name": "A", "directory": "data/Tiff", "image_width": None, "num_images_or_tilt_series": 4000}
    record = complete_record(10943, {}, {"imagesets": [imageset], "status": "HOLD", "more": [1]})
    assert {name: record["imagesets"][0][name] for name in imageset} == imageset
    assert (record["status"], record["more"]) == ("HOLD", [1])
    assert set(record["imagesets"][0]) >= {"category", "data_format", "voxel_type", "segmentations"}


def test_the_xml_of_an_entry_is_the_twin_of_its_record(archive: Archive) -> None:
    record = {"title": "Pol κ & more", "cross_references": ["EMD-1", {"name": "EMD-2"}]}
    archive.add_entry(10943, {"data/a.mrc": mrc(8, 6, 4)}, record)
    answer = requests.get(archive.url(TREE, "empiar/world_availability/10943/10943.xml"), timeout=10)
    root = ET.fromstring(answer.content)
    space = "{http://pdbe.org/empiar}"
    assert root.tag == f"{space}entry"
    assert root.attrib["accessionCode"] == "EMPIAR-10943"
    assert root.findtext(f"{space}imageSet/{space}directory") == "/data"  # with its slash, unlike the API
    again = from_xml(answer.content)
    assert again["title"] == "Pol κ & more"
    assert again["cross_references"] == [{"name": "EMD-1"}, {"name": "EMD-2"}]
    original = api(archive, "entry/10943/").json()["EMPIAR-10943"]
    assert again["imagesets"] == original["imagesets"]
    assert again["dataset_size"] == original["dataset_size"]


def test_writing_the_xml_of_what_was_read_gives_the_same_record() -> None:
    record = complete_record(10943, {"data/a.mrc": mrc(8, 6, 4)}, {})
    once = from_xml(to_xml(10943, record))
    assert from_xml(to_xml(10943, once))["imagesets"] == once["imagesets"] == record["imagesets"]


@pytest.mark.real_data
def test_the_real_xml_becomes_the_record_that_it_states(real_data: Path) -> None:
    record = from_xml((real_data / "empiar/api/10934.xml").read_bytes())
    (imageset,) = record["imagesets"]
    assert record["dataset_size"] == "1.9 TB"
    assert record["cross_references"] == [{"name": "EMD-12602"}]
    assert len(record["authors"]) == 13
    assert record["authors"][5] == {"author": {"name": "Sobhy MA", "author_orcid": None}}
    assert record["corresponding_author"]["author"]["organization"].startswith(
        "Department of Molecular &amp; Cell"
    )
    assert record["citation"][0]["doi"] == "10.1038/s41467-021-26251-6"
    assert (
        record["citation"][0]["title"]
        == "Cryo-EM structure of human Pol κ bound to DNA and mono-ubiquitylated PCNA"
    )
    assert imageset["directory"] == "data/CL44-1_20201106_111915"
    assert (imageset["image_width"], imageset["pixel_width"], imageset["frames_per_image"]) == (
        "11520",
        0.543,
        45,
    )
    assert imageset["num_images_or_tilt_series"] == 3889


def test_maps_lie_in_the_tree_of_emdb(archive: Archive) -> None:
    place = "pub/databases/emdb/structures/EMD-3197/map/emd_3197.map.gz"
    archive.add_file(TREE, place, b"\x1f\x8bgz")
    answer = requests.get(archive.url(TREE, place), timeout=10)
    assert (answer.content, answer.headers["Content-Type"]) == (b"\x1f\x8bgz", "application/x-gzip")
    assert "Content-Encoding" not in answer.headers
