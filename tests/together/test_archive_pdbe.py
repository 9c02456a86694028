"""PDBe and 3D-Beacons: mappings, entry files and summaries."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
import requests

from perc_archive import Archive

HOST = "www.ebi.ac.uk"
ROWS = [{"pdb_id": "1jk9", "chain_id": "B", "coverage": 1, "resolution": 2.9}]
BEACONS = "pdbe/pdbe-kb/3dbeacons/api/v2/uniprot/summary"


def get(archive: Archive, path: str, **options: object) -> requests.Response:
    return requests.get(archive.url(HOST, path), timeout=10, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("api", ["pdbe/api/v2", "pdbe/api", "pdbe/graph-api"])
def test_best_structures_come_from_every_door(archive: Archive, api: str) -> None:
    archive.add_record("best_structures", "P40202", ROWS)
    answer = get(archive, f"{api}/mappings/best_structures/P40202")
    assert answer.json() == {"P40202": ROWS}
    assert answer.headers["Cache-Control"] == "public, max-age=604800"
    missing = get(archive, f"{api}/mappings/best_structures/P99999")
    assert (missing.status_code, missing.json()) == (
        404,
        {"message": "Requested endpoint does not contains any data"},
    )


def test_sifts_mappings_are_wrapped_as_pdbe_has_them(archive: Archive) -> None:
    mapping = {"P05067": {"mappings": [{"chain_id": "A", "unp_start": 287, "unp_end": 344}]}}
    archive.add_record("sifts", "1aap", mapping)
    answer = get(archive, "pdbe/api/v2/mappings/uniprot/1AAP")
    assert answer.json() == {"1aap": {"UniProt": mapping}}


def test_entry_files_have_validators_and_the_archives_copy_is_rcsbs(archive: Archive) -> None:
    archive.add_file(
        HOST, "pdbe/entry-files/download/2y29_updated.cif.gz", gzip.compress(b"data_2Y29 updated")
    )
    archive.add_structure("2Y29", cif=b"data_2Y29", pdb=b"HEADER")
    packed = get(archive, "pdbe/entry-files/download/2y29_updated.cif.gz")
    assert gzip.decompress(packed.content) == b"data_2Y29 updated"
    assert packed.headers["Cache-Control"] == "max-age=60, private"
    again = get(
        archive,
        "pdbe/entry-files/download/2y29_updated.cif.gz",
        headers={"If-None-Match": packed.headers["ETag"]},
    )
    assert again.status_code == 304
    for name, body in (
        ("entry-files/download/2y29_updated.cif", b"data_2Y29 updated"),
        ("static/entry/2y29_updated.cif", b"data_2Y29 updated"),
        ("entry-files/download/2y29.cif", b"data_2Y29"),
        ("entry-files/download/pdb2y29.ent", b"HEADER"),
    ):
        assert get(archive, f"pdbe/{name}").content == body


def test_a_missing_file_is_an_html_page(archive: Archive) -> None:
    answer = get(archive, "pdbe/entry-files/download/9zzz_updated.cif")
    assert (answer.status_code, answer.headers["Content-Type"].split(";")[0]) == (404, "text/html")


@pytest.fixture
def summary(archive: Archive) -> Archive:
    structures = [
        {"summary": {"model_identifier": name, "provider": provider}}
        for name, provider in (("6g86", "PDBe"), ("AF-P38634-F1", "AlphaFold DB"), ("AF-P38634", "AlphaFill"))
    ]
    archive.add_record("beacons", "P38634", {"uniprot_entry": {"ac": "P38634"}, "structures": structures})
    return archive


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        ({}, ["6g86", "AF-P38634-F1", "AF-P38634"]),
        ({"provider": "alphafold"}, ["AF-P38634-F1"]),
        ({"provider": "alphafill"}, ["AF-P38634"]),
        ({"exclude_provider": "pdbe"}, ["AF-P38634-F1", "AF-P38634"]),
    ],
)
def test_summaries_are_filtered_by_provider(
    summary: Archive, parameters: dict[str, str], found: list[str]
) -> None:
    one = get(summary, f"{BEACONS}/P38634.json", params=parameters).json()
    assert [structure["summary"]["model_identifier"] for structure in one["structures"]] == found
    body = {"accessions": ["P38634", "P99999"], "provider": None, "exclude_provider": None, **parameters}
    assert requests.post(summary.url(HOST, BEACONS), json=body, timeout=10).json() == [one]


def test_no_summary_is_404_and_empty(summary: Archive) -> None:
    for answer in (
        get(summary, f"{BEACONS}/P99999.json"),
        get(summary, f"{BEACONS}/P38634.json", params={"provider": "ped"}),
        requests.post(summary.url(HOST, BEACONS), json={"accessions": ["P99999"]}, timeout=10),
    ):
        assert (answer.status_code, answer.json()) == (404, {})
    many = {"accessions": ["P38634"] * 11}
    assert requests.post(summary.url(HOST, BEACONS), json=many, timeout=10).status_code == 422


@pytest.mark.real_data
def test_recordings_come_back_as_recorded(real_data: Path) -> None:
    folder = real_data / "profet"
    with Archive(real_data=real_data, ftp=False) as archive:
        best = json.loads((folder / "pdbe_best_structures_P40202.json").read_bytes())
        assert get(archive, "pdbe/api/v2/mappings/best_structures/P40202").json() == best
        sifts = json.loads((folder / "pdbe_sifts_mappings_excerpt_1AAP_1OWT_102L.json").read_bytes())
        mapped = get(archive, "pdbe/api/mappings/uniprot/1owt").json()
        assert mapped == {"1owt": {"UniProt": {"P05067": {"mappings": sifts["1OWT"]}}}}
        file = get(archive, "pdbe/entry-files/download/2y29_updated.cif.gz")
        assert file.content == (folder / "2y29_updated.cif.gz").read_bytes()
        beacons = json.loads((folder / "3dbeacons_summary_all_providers.json").read_bytes())
        # Links to known hosts are turned towards the archive, all else is as recorded.
        answer = requests.post(archive.url(HOST, BEACONS), json={"accessions": ["P38634"]}, timeout=10)
        restored = answer.text.replace(archive.base_url + "/", "https://")
        assert json.loads(restored) == beacons
