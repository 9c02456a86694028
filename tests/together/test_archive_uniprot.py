"""UniProt: entries in every form, isoforms, ranges, and entries that are no more."""

from __future__ import annotations

import gzip
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
import requests

from perc_archive import Archive
from perc_archive.uniprot_record import isoform_sequence

HOST = "rest.uniprot.org"
SEQUENCE = "MKWVTFISLL" * 13
SIGNAL = {
    "type": "Signal",
    "location": {"start": {"value": 1, "modifier": "EXACT"}, "end": {"value": 17, "modifier": "EXACT"}},
}


@pytest.fixture
def stocked(archive: Archive) -> Archive:
    record = {
        "uniProtkbId": "A4_HUMAN",
        "secondaryAccessions": ["B2R5V1"],
        "genes": [{"geneName": {"value": "APP"}}],
        "organism": {"scientificName": "Homo sapiens", "taxonId": 9606},
        "proteinDescription": {"recommendedName": {"fullName": {"value": "Amyloid-beta precursor protein"}}},
        "features": [SIGNAL],
        "sequence": SEQUENCE,
    }
    archive.add_uniprot("P05067", record)
    gone = {"entryType": "Inactive", "inactiveReason": {"inactiveReasonType": "DELETED"}}
    archive.add_uniprot("I8FBX0", gone)
    merged = {"inactiveReasonType": "MERGED", "mergeDemergeTo": ["P05067"]}
    archive.add_uniprot("B4DFC2", {"entryType": "Inactive", "inactiveReason": merged})
    return archive


def get(archive: Archive, path: str, *, follow: bool = True) -> requests.Response:
    return requests.get(archive.url(HOST, f"uniprotkb/{path}"), timeout=10, allow_redirects=follow)


def test_json_comes_with_the_release_and_without_validators(stocked: Archive) -> None:
    answer = get(stocked, "P05067.json")
    assert answer.json()["primaryAccession"] == "P05067"
    assert answer.json()["sequence"]["length"] == 130
    assert answer.headers["X-UniProt-Release"] == "2025_03"
    assert answer.headers["Cache-Control"] == "public, max-age=43200"
    assert answer.headers["Content-Encoding"] == "gzip"
    assert "ETag" not in answer.headers
    assert "Last-Modified" not in answer.headers
    assert get(stocked, "p05067").json() == answer.json()


def test_fasta_has_uniprots_header_and_sixty_letters_a_line(stocked: Archive) -> None:
    head, *lines = get(stocked, "P05067.fasta").text.splitlines()
    assert head == (
        ">sp|P05067|A4_HUMAN Amyloid-beta precursor protein OS=Homo sapiens OX=9606 GN=APP PE=1 SV=1"
    )
    assert [len(line) for line in lines] == [60, 60, 10]
    assert "".join(lines) == SEQUENCE


def test_a_range_of_the_sequence_can_be_asked_for(stocked: Archive) -> None:
    head, *lines = get(stocked, "P05067[18-30].fasta").text.splitlines()
    assert head == get(stocked, "P05067.fasta").text.splitlines()[0]
    assert "".join(lines) == SEQUENCE[17:30]


def test_a_fragment_without_a_named_gene_says_so_as_uniprot_does(archive: Archive) -> None:
    record = {
        "entryType": "UniProtKB unreviewed (TrEMBL)",
        "proteinDescription": {"submissionNames": [{"fullName": {"value": "Kinase"}}], "flag": "Fragment"},
        "genes": [{"orfNames": [{"value": "F1"}]}],
        "sequence": "MK",
    }
    archive.add_uniprot("a0a023fdy8", record)
    head = get(archive, "A0A023FDY8.fasta").text.splitlines()[0]
    assert head == (
        ">tr|A0A023FDY8|A0A023FDY8_SYNTH Kinase (Fragment) OS=synthetic construct OX=32630 GN=F1 PE=1 SV=1"
    )


def test_xml_keeps_features_where_programs_look_for_them(stocked: Archive) -> None:
    root = ET.fromstring(get(stocked, "P05067.xml").content)
    space = "{http://uniprot.org/uniprot}"
    entry = root.find(f"{space}entry")
    assert entry is not None
    (feature,) = entry.findall(f"{space}feature")
    assert feature.attrib["type"] == "signal peptide"
    location = feature[0]
    assert [(edge.tag.removeprefix(space), edge.attrib["position"]) for edge in location] == [
        ("begin", "1"),
        ("end", "17"),
    ]
    assert entry.findtext(f"{space}sequence") == SEQUENCE


def test_an_unknown_end_is_a_status_in_xml(archive: Archive) -> None:
    location = {"start": {"value": 1, "modifier": "EXACT"}, "end": {"value": None, "modifier": "UNKNOWN"}}
    archive.add_uniprot("P00001", {"features": [{"type": "Signal", "location": location}]})
    assert '<end status="unknown"' in get(archive, "P00001.xml").text


def test_a_merged_entry_leads_on_in_the_same_form(stocked: Archive) -> None:
    answer = get(stocked, "B4DFC2.fasta", follow=False)
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"/{HOST}/uniprotkb/P05067.fasta?from=B4DFC2"
    assert answer.json()["inactiveReason"]["inactiveReasonType"] == "MERGED"
    assert get(stocked, "B4DFC2.json").json()["primaryAccession"] == "P05067"
    assert get(stocked, "B2R5V1.json").json()["primaryAccession"] == "P05067"  # a secondary accession
    assert get(stocked, "A4_HUMAN.json").json()["primaryAccession"] == "P05067"


def test_a_deleted_entry_is_200_and_its_fasta_empty(stocked: Archive) -> None:
    answer = get(stocked, "I8FBX0.json")
    assert (answer.status_code, answer.json()["entryType"]) == (200, "Inactive")
    empty = get(stocked, "I8FBX0.fasta")
    assert (empty.status_code, empty.content) == (200, b"")


@pytest.mark.parametrize("name", ["xyz", "P0506", "4V1W", "P05067-", "Ｐ05067"])
def test_an_accession_that_is_none_is_400(stocked: Archive, name: str) -> None:
    answer = get(stocked, f"{name}.json")
    assert answer.status_code == 400
    assert answer.json()["messages"] == [
        "The 'accession' value has invalid format. It should be a valid UniProtKB accession"
    ]


@pytest.mark.parametrize("name", ["P99999.json", "P05067-2.fasta", "A4_MOUSE.json"])
def test_an_unknown_one_is_404(stocked: Archive, name: str) -> None:
    answer = get(stocked, name)
    assert (answer.status_code, answer.json()["messages"]) == (404, ["Resource not found"])


def test_many_accessions_come_in_one_answer(stocked: Archive) -> None:
    url = stocked.url(HOST, "uniprotkb/accessions")
    wanted = {"accessions": "P05067,P99999,I8FBX0"}
    for answer in (requests.get(url, params=wanted, timeout=10), requests.post(url, data=wanted, timeout=10)):
        assert [record["primaryAccession"] for record in answer.json()["results"]] == ["P05067", "I8FBX0"]
        assert answer.headers["X-Total-Results"] == "2"
    fields = {**wanted, "fields": "accession,sequence,ft_signal"}
    slim = requests.get(url, params=fields, timeout=10).json()["results"][0]
    assert set(slim) == {"entryType", "primaryAccession", "sequence", "features"}
    fasta = requests.get(url, params={**wanted, "format": "fasta"}, timeout=10).text
    assert fasta.count(">") == 1


def test_more_than_a_thousand_accessions_are_refused(stocked: Archive) -> None:
    url = stocked.url(HOST, "uniprotkb/accessions")
    answer = requests.post(url, data={"accessions": ",".join(["P05067"] * 1001)}, timeout=10)
    assert (answer.status_code, answer.json()["messages"]) == (
        400,
        ["Only '1000' accessions are allowed in each request."],
    )
    assert requests.get(url, params={"accessions": "P05067,x"}, timeout=10).status_code == 400


@pytest.mark.real_data
def test_isoforms_are_those_that_alphafold_modelled(real_data: Path) -> None:
    """Sequences built from the recorded entry's features, against those in the other database's recording."""
    record = json.loads(gzip.decompress((real_data / "profet/uniprot_P05067.json.gz").read_bytes()))
    models = json.loads((real_data / "profet/alphafold_prediction_P05067.json").read_bytes())
    isoforms = [model for model in models if "-" in model["uniprotAccession"]]
    assert len(isoforms) == 9
    for model in isoforms:
        found = isoform_sequence(record, model["uniprotAccession"])
        assert found is not None
        assert found[1] == model["sequence"]


@pytest.mark.real_data
def test_recorded_entries_come_back_as_recorded(real_data: Path) -> None:
    with Archive(real_data=real_data, ftp=False) as archive:
        recorded = json.loads(gzip.decompress((real_data / "profet/uniprot_P05067.json.gz").read_bytes()))
        assert get(archive, "P05067.json").json() == recorded
        deleted = json.loads((real_data / "profet/uniprot_inactive_deleted_I8FBX0.json").read_bytes())
        assert get(archive, "I8FBX0.json").json() == deleted
        demerged = get(archive, "Q00007.json")
        assert (demerged.status_code, demerged.json()["inactiveReason"]["mergeDemergeTo"]) == (
            200,
            ["P63151", "P63150"],
        )
        head, *lines = get(archive, "P05067-2.fasta").text.splitlines()
        name = "Isoform APP305 of Amyloid-beta precursor protein"
        assert head == f">sp|P05067-2|A4_HUMAN {name} OS=Homo sapiens OX=9606 GN=APP"
        assert len("".join(lines)) == 305
