"""Real files under their real addresses."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from perc_archive import Archive, ContentFolder

pytestmark = pytest.mark.real_data
RCSB, EBI = "files.rcsb.org", "ftp.ebi.ac.uk"
IDENTITY = {"Accept-Encoding": "identity"}


@pytest.fixture(scope="module")
def content(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Synthetic stand-ins under real ids, as the demo has them."""
    folder = tmp_path_factory.mktemp("content")
    stand_in = ContentFolder(folder)
    stand_in.add_structure("4V1W", cif=b"data_STANDIN", pdb=b"HEADER STANDIN")
    stand_in.add_entry(10934, {"data/CL44-1_20201106_111915/a.tiff": b"II*\0"})
    return folder


@pytest.fixture(scope="module")
def real(content: Path, pytestconfig: pytest.Config) -> Iterator[Archive]:
    import os

    with Archive(real_data=Path(os.environ["PERC_REAL_DATA"]), content=content, ftp=False) as archive:
        yield archive


def get(archive: Archive, host: str, path: str) -> requests.Response:
    return requests.get(archive.url(host, path), headers=IDENTITY, timeout=10)


def test_structures_come_as_they_are_and_unpacked(real: Archive, real_data: Path) -> None:
    packed = (real_data / "profet/4v1w.cif.gz").read_bytes()
    assert get(real, RCSB, "download/4V1W.cif.gz").content == packed
    assert get(real, RCSB, "download/4v1w.cif").content == gzip.decompress(packed)
    assert gzip.decompress(packed).startswith(b"data_4V1W")


def test_a_real_file_goes_before_a_stand_in_and_a_missing_one_does_not_hide_it(real: Archive) -> None:
    assert b"STANDIN" not in get(real, RCSB, "download/4V1W.cif").content
    assert get(real, RCSB, "download/4V1W.pdb").content == b"HEADER STANDIN"


@pytest.mark.parametrize(
    ("name", "start"),
    [
        ("1AKI.cif", b"data_1AKI"),
        ("1AKI.pdb", b"HEADER"),
        ("3PSG.pdb", b"HEADER"),
        ("3PSG.cif", b"data_3PSG"),
        ("5EIL.cif", b"data_5EIL"),
        ("1JK9.cif", b"data_1JK9"),
        ("1QUP.cif", b"data_1QUP"),
        ("2BEG.cif", b"data_2BEG"),
        ("2Y29.cif", b"data_2Y29"),
        ("1A8O.pdb", b"HEADER"),
        ("pdb_00011a7y.cif", b"data_"),
    ],
)
def test_every_recorded_structure_has_its_address(real: Archive, name: str, start: bytes) -> None:
    answer = get(real, RCSB, f"download/{name}")
    assert (answer.status_code, answer.content[: len(start)]) == (200, start)


def test_the_archives_copy_is_served_where_both_were_recorded(real: Archive, real_data: Path) -> None:
    assert get(real, RCSB, "download/2Y29.cif.gz").content == (real_data / "profet/2y29.cif.gz").read_bytes()


@pytest.mark.parametrize(
    ("accession", "found"),
    [
        ("P40202", ["1JK9", "1QUP"]),
        ("P00445", ["1JK9"]),
        ("P05067", ["1AMB", "2BEG", "2Y29"]),
        ("P00698", ["1AKI"]),
        ("P00791", ["3PSG"]),
        ("P00760", ["1GBT", "4XOJ"]),
        ("P12497", ["1A8O"]),
    ],
)
def test_the_search_finds_them_by_accession(real: Archive, accession: str, found: list[str]) -> None:
    attribute = "rcsb_polymer_entity_container_identifiers.reference_sequence_identifiers.database_accession"
    parameters = {"attribute": attribute, "operator": "exact_match", "value": accession}
    query = {
        "query": {"type": "terminal", "service": "text", "parameters": parameters},
        "return_type": "entry",
        "request_options": {"results_verbosity": "compact"},
    }
    answer = requests.post(real.url("search.rcsb.org", "rcsbsearch/v2/query"), json=query, timeout=10)
    assert sorted(answer.json()["result_set"]) == found


def test_the_particles_of_10076_are_an_entry(real: Archive, real_data: Path) -> None:
    record = get(real, "www.ebi.ac.uk", "empiar/api/entry/10076/").json()["EMPIAR-10076"]
    (imageset,) = record["imagesets"]
    assert (imageset["image_width"], imageset["pixel_width"]) == ("320", 1.31)
    for folder, name in (("mrc", "mrc"), ("star", "star"), ("meta", "cs")):
        path = f"empiar/world_availability/10076/data/empiar_10076_7.{name}"
        body = (real_data / "empiar" / folder / f"empiar_10076_7.{name}").read_bytes()
        assert get(real, EBI, path).content == body


def test_the_xml_of_10934_and_its_record_agree_beside_stand_in_images(real: Archive, real_data: Path) -> None:
    record = get(real, "www.ebi.ac.uk", "empiar/api/entry/10934/").json()["EMPIAR-10934"]
    assert record["title"].startswith("Cryo-EM multiframe micrographs of human Pol kappa")
    tree = "empiar/world_availability/10934"
    xml = get(real, EBI, f"{tree}/10934.xml").content
    assert xml == (real_data / "empiar/api/10934.xml").read_bytes()
    assert get(real, EBI, f"{tree}/{record['imagesets'][0]['directory']}/a.tiff").content == b"II*\0"


@pytest.mark.parametrize("number", [3197, 3001])
def test_maps_of_emdb_are_in_their_place(real: Archive, number: int) -> None:
    path = f"pub/databases/emdb/structures/EMD-{number}/map/emd_{number}.map.gz"
    answer = get(real, EBI, path)
    assert gzip.decompress(answer.content)[208:212] == b"MAP "


def test_nothing_of_it_is_copied(real: Archive) -> None:
    """Files are links to where they are; only small records are written."""
    linked = real.folder.parent / "real"
    plain = [path for path in linked.rglob("*") if path.is_file() and not path.is_symlink()]
    assert {path.suffix for path in plain} <= {".json", ".xml"}


def test_a_folder_with_little_in_it_is_served_too(tmp_path: Path, real_data: Path) -> None:
    (tmp_path / "profet").mkdir()
    (tmp_path / "profet/1aki.pdb.gz").write_bytes((real_data / "profet/1aki.pdb.gz").read_bytes())
    with Archive(real_data=tmp_path, ftp=False) as archive:
        assert get(archive, RCSB, "download/1AKI.pdb").status_code == 200
        assert get(archive, RCSB, "download/1AKI.cif").status_code == 404
