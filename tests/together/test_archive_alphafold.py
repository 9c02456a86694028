"""AlphaFold DB: an array of models in no useful order, and files whose ETag is their checksum."""

from __future__ import annotations

import base64
import gzip
import hashlib
from pathlib import Path

import pytest
import requests
import urllib3

from perc_archive import Archive

HOST = "alphafold.ebi.ac.uk"
CIF = b"data_AF-P05067-F1\n" * 50


def prediction(archive: Archive, name: str) -> requests.Response:
    return requests.get(archive.url(HOST, f"api/prediction/{name}"), timeout=10)


def file(archive: Archive, url: str, **headers: str) -> urllib3.BaseHTTPResponse:
    """Answer with its body as sent."""
    with urllib3.PoolManager(retries=False) as pool:
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        return pool.request("GET", url, headers=fields, decode_content=False)


def test_the_canonical_model_is_listed_but_not_first(archive: Archive) -> None:
    archive.add_alphafold("P05067", cif=CIF, sequence="MLPGLALL")
    models = prediction(archive, "P05067").json()
    assert [model["uniprotAccession"] for model in models] == ["P05067-2", "P05067"]
    assert models[1]["entryId"] == "AF-P05067-F1"
    assert (models[1]["sequence"], models[1]["sequenceEnd"]) == ("MLPGLALL", 8)
    assert prediction(archive, "p05067").json() == models


def test_links_lead_to_this_archive_and_carry_the_version(archive: Archive) -> None:
    archive.add_alphafold("P05067", cif=CIF, pdb=b"ATOM", version=7)
    model = prediction(archive, "P05067").json()[1]
    assert model["cifUrl"] == f"{archive.base_url}/{HOST}/files/AF-P05067-F1-model_v7.cif"
    assert model["latestVersion"] == 7
    assert requests.get(model["cifUrl"], timeout=10).content == CIF
    assert requests.get(model["pdbUrl"], timeout=10).content == b"ATOM"
    for url in (model["bcifUrl"], model["cifUrl"].replace("_v7", "_v6")):
        answer = requests.get(url, timeout=10)
        assert (answer.status_code, "NoSuchKey" in answer.text) == (404, True)


def test_under_the_real_name_links_stay_as_they_are(archive: Archive) -> None:
    archive.add_alphafold("P05067", cif=CIF)
    answer = requests.get(f"{archive.base_url}/api/prediction/P05067", headers={"Host": HOST}, timeout=10)
    assert answer.json()[1]["cifUrl"] == f"https://{HOST}/files/AF-P05067-F1-model_v6.cif"


def test_the_api_packs_its_answer_for_who_takes_it_and_gives_no_validator(archive: Archive) -> None:
    archive.add_alphafold("P05067", cif=CIF)
    url = archive.url(HOST, "api/prediction/P05067")
    packed = file(archive, url, Accept_Encoding="gzip")
    assert packed.headers["Content-Encoding"] == "gzip"
    assert "ETag" not in packed.headers
    assert gzip.decompress(packed.data) == file(archive, url, Accept_Encoding="identity").data


@pytest.mark.parametrize("accept", ["gzip", "deflate, gzip;q=0.5", "GZIP"])
def test_the_etag_of_a_file_is_the_md5_of_its_gzip_bytes(archive: Archive, accept: str) -> None:
    archive.add_alphafold("P05067", cif=CIF)
    url = archive.url(HOST, "files/AF-P05067-F1-model_v6.cif")
    answer = file(archive, url, Accept_Encoding=accept)
    digest = hashlib.md5(answer.data)
    assert answer.headers["ETag"] == f'"{digest.hexdigest()}"'
    assert answer.headers["x-goog-hash"] == f"md5={base64.b64encode(digest.digest()).decode()}"
    assert answer.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(answer.data) == CIF
    assert file(archive, url, Accept_Encoding=accept, If_None_Match=answer.headers["ETag"]).status == 304


@pytest.mark.parametrize("accept", ["identity", "gzip;q=0", "deflate"])
def test_who_takes_no_gzip_gets_the_file_unpacked(archive: Archive, accept: str) -> None:
    archive.add_alphafold("P05067", cif=CIF)
    answer = file(archive, archive.url(HOST, "files/AF-P05067-F1-model_v6.cif"), Accept_Encoding=accept)
    assert "Content-Encoding" not in answer.headers
    assert answer.data == CIF


def test_no_model_is_a_404(archive: Archive) -> None:
    assert prediction(archive, "P99999").status_code == 404
    assert prediction(archive, "P99999-2").status_code == 404


@pytest.mark.real_data
def test_the_recorded_answer_comes_back_with_the_canonical_model_third(real_data: Path) -> None:
    with Archive(real_data=real_data, ftp=False) as archive:
        models = prediction(archive, "P05067").json()
        assert [model["uniprotAccession"] for model in models][:3] == ["P05067-10", "P05067-11", "P05067"]
        assert len(models) == 10
        (isoform,) = prediction(archive, "P05067-2").json()
        assert isoform["entryId"] == "AF-P05067-2-F1"
        served = file(archive, models[2]["cifUrl"], Accept_Encoding="gzip")
        assert served.headers["ETag"] == '"53661cb9413fd59f23f834ce002e8031"'  # as recorded from the service
        assert served.headers["Content-Length"] == "151980"
        (insulin,) = [m for m in prediction(archive, "P01308").json() if m["uniprotAccession"] == "P01308"]
        assert insulin["pdbUrl"].endswith("/files/AF-P01308-F1-model_v4.pdb")
        assert requests.get(insulin["pdbUrl"], timeout=10).status_code == 200
