"""RCSB: the search service and the files, and the wwPDB's copy of them."""

from __future__ import annotations

import gzip
import json
from typing import Any

import pytest
import requests

from perc_archive import Archive
from perc_archive.structure_record import struct_ref_accessions, structure_record

SEARCH, FILES = "search.rcsb.org", "files.rcsb.org"
PATH = "rcsbsearch/v2/query"
PREFIX = "rcsb_polymer_entity_container_identifiers.reference_sequence_identifiers."


def terminal(attribute: str, operator: str, value: object, **more: object) -> dict[str, object]:
    parameters = {"attribute": attribute, "operator": operator, "value": value, **more}
    return {"type": "terminal", "service": "text", "parameters": parameters}


def by_accession(accession: str, return_type: str = "entry", **options: object) -> dict[str, object]:
    """The query that finds the structures of a protein."""
    nodes = [
        terminal(PREFIX + "database_accession", "exact_match", accession),
        terminal(PREFIX + "database_name", "exact_match", "UniProt"),
    ]
    group = {"type": "group", "logical_operator": "and", "nodes": nodes}
    return {"query": group, "return_type": return_type, "request_options": options}


def ask(archive: Archive, query: object) -> requests.Response:
    return requests.post(archive.url(SEARCH, PATH), json=query, timeout=10)


def names(answer: requests.Response) -> list[str]:
    assert answer.status_code == 200
    return [hit if isinstance(hit, str) else hit["identifier"] for hit in answer.json()["result_set"]]


@pytest.fixture
def stocked(archive: Archive) -> Archive:
    for pdb_id, accessions, resolution in (
        ("1jk9", ["P00445", "P40202"], 2.9),
        ("1QUP", ["P40202"], 1.8),
        ("5U9M", ["P40202"], 2.35),
        ("2BEG", ["P05067"], None),
    ):
        text = f"data_{pdb_id}\n".encode()
        archive.add_structure(pdb_id, cif=text, accessions=accessions, resolution=resolution)
    return archive


def test_the_answer_has_the_recorded_shape(stocked: Archive) -> None:
    answer = ask(stocked, by_accession("P05067"))
    assert answer.headers["Content-Type"] == "application/json"
    body = answer.json()
    assert set(body) == {"query_id", "result_type", "total_count", "result_set"}
    assert (body["result_type"], body["total_count"]) == ("entry", 1)
    assert body["result_set"] == [{"identifier": "2BEG", "score": 1.0}]


def test_structures_are_found_by_accession_in_the_order_asked_for(stocked: Archive) -> None:
    sort = [{"sort_by": "rcsb_entry_info.resolution_combined", "direction": "asc"}]
    assert names(ask(stocked, by_accession("P40202", sort=sort))) == ["1QUP", "5U9M", "1JK9"]
    sort[0]["direction"] = "desc"
    assert names(ask(stocked, by_accession("P40202", sort=sort))) == ["1JK9", "5U9M", "1QUP"]
    assert sorted(names(ask(stocked, by_accession("P40202")))) == ["1JK9", "1QUP", "5U9M"]


def test_polymer_entities_carry_their_number(stocked: Archive) -> None:
    found = names(ask(stocked, by_accession("P40202", "polymer_entity", results_verbosity="compact")))
    assert sorted(found) == ["1JK9_2", "1QUP_1", "5U9M_1"]
    assert names(ask(stocked, by_accession("P05067", "assembly"))) == ["2BEG-1"]


def test_get_with_json_is_the_same(stocked: Archive) -> None:
    url = stocked.url(SEARCH, PATH)
    answer = requests.get(url, params={"json": json.dumps(by_accession("P05067"))}, timeout=10)
    assert names(answer) == ["2BEG"]


def test_no_hit_is_204_without_a_body(stocked: Archive) -> None:
    answer = ask(stocked, by_accession("P99999"))
    assert (answer.status_code, answer.content) == (204, b"")
    assert "Content-Length" not in answer.headers


def test_pages_follow_one_another(stocked: Archive) -> None:
    pages = [
        names(ask(stocked, by_accession("P40202", paginate={"start": start, "rows": 2}))) for start in (0, 2)
    ]
    assert sorted(pages[0] + pages[1]) == ["1JK9", "1QUP", "5U9M"]
    counted = ask(stocked, by_accession("P40202", paginate={"start": 0, "rows": 1})).json()
    assert (counted["total_count"], len(counted["result_set"])) == (3, 1)
    counts = ask(stocked, by_accession("P40202", return_counts=True)).json()
    assert (counts["total_count"], "result_set" in counts) == (3, False)


def test_ten_rows_come_where_nobody_says_how_many(archive: Archive) -> None:
    for number in range(12):
        archive.add_structure(f"1A{number:02d}", accessions=["P40202"])
    assert len(names(ask(archive, by_accession("P40202")))) == 10
    assert len(names(ask(archive, by_accession("P40202", return_all_hits=True)))) == 12


def test_full_text_meets_any_word_of_an_entry(archive: Archive) -> None:
    archive.add_structure("1ABC", accessions=["P40202"], title="Copper chaperone")
    archive.add_structure("2DEF", title="Mentions p40202 only")
    query = {"type": "terminal", "service": "full_text", "parameters": {"value": "P40202"}}
    found = names(ask(archive, {"query": query, "return_type": "entry"}))
    assert sorted(found) == ["1ABC", "2DEF"]  # why a full-text hit is no proof


def test_computed_models_come_on_request_only(archive: Archive) -> None:
    record = structure_record(b"", accessions=["P40202"], computational=True)
    archive.add_record("rcsb", "AF_AFP40202F1", record)
    assert ask(archive, by_accession("P40202")).status_code == 204
    found = ask(archive, by_accession("P40202", results_content_type=["experimental", "computational"]))
    assert names(found) == ["AF_AFP40202F1"]


def test_other_attributes_and_operators_are_understood(stocked: Archive) -> None:
    def search(node: object) -> list[str]:
        return sorted(names(ask(stocked, {"query": node, "return_type": "entry"})))

    resolution = "rcsb_entry_info.resolution_combined"
    assert search(terminal(resolution, "less_or_equal", 2.35)) == ["1QUP", "5U9M"]
    assert search(terminal(resolution, "exists", None)) == ["1JK9", "1QUP", "5U9M"]
    assert search(terminal("rcsb_entry_container_identifiers.entry_id", "in", ["2BEG", "1QUP"])) == [
        "1QUP",
        "2BEG",
    ]
    assert search(terminal(PREFIX + "database_accession", "exact_match", "P40202", negation=True)) == [
        "1JK9",
        "2BEG",
    ]
    either = [terminal(PREFIX + "database_accession", "in", ["P05067"]), terminal(resolution, "greater", 2.5)]
    assert search({"type": "group", "logical_operator": "or", "nodes": either}) == ["1JK9", "2BEG"]


def test_representatives_are_chosen_by_coverage(archive: Archive) -> None:
    for pdb_id, coverage in (("1ABC", 0.3), ("2DEF", 0.9), ("3GHI", 0.5)):
        record = structure_record(b"", accessions=["P40202"], coverage={"P40202": coverage})
        archive.add_record("rcsb", pdb_id, record)
    group = {
        "aggregation_method": "matching_uniprot_accession",
        "ranking_criteria_type": {"sort_by": "coverage"},
    }
    query = by_accession("P40202", "polymer_entity", group_by=group, group_by_return_type="representatives")
    assert names(ask(archive, query)) == ["2DEF_1"]


BAD: list[Any] = [
    [],
    {},
    {"query": {"type": "terminal"}, "return_type": "entry"},
    {"query": terminal("no.such.attribute", "exact_match", "x"), "return_type": "entry"},
    {"query": terminal(PREFIX + "database_accession", "resembles", "x"), "return_type": "entry"},
    {"query": {"type": "group", "logical_operator": "xor", "nodes": []}, "return_type": "entry"},
    {"query": {"type": "terminal", "service": "sequence", "parameters": {}}, "return_type": "entry"},
    by_accession("P40202", "molecule"),
    by_accession("P40202", return_all_hits=True, paginate={"start": 0, "rows": 10}),
    by_accession("P40202", paginate={"start": 0, "rows": 20_000}),
]


@pytest.mark.parametrize("query", BAD, ids=range(len(BAD)))
def test_a_query_that_is_none_is_400_with_a_message(stocked: Archive, query: object) -> None:
    answer = ask(stocked, query)
    assert answer.status_code == 400
    assert len(answer.json()["message"]) > 10


def test_text_that_is_no_json_is_400_with_a_message(stocked: Archive) -> None:
    answer = requests.post(stocked.url(SEARCH, PATH), data=b"{", timeout=10)
    assert (answer.status_code, "message" in answer.json()) == (400, True)


CIF = b"data_4V1W\nloop_\n_atom_site.id\n1\n"


def download(archive: Archive, name: str, host: str = FILES, folder: str = "download/") -> requests.Response:
    return requests.get(archive.url(host, folder + name), headers={"Accept-Encoding": "identity"}, timeout=10)


@pytest.mark.parametrize("name", ["4V1W.cif", "4v1w.cif", "4v1W.cif.gz", "4v1w.pdb", "4V1W.pdb.gz"])
def test_a_structure_comes_in_both_forms_and_in_any_case(archive: Archive, name: str) -> None:
    archive.add_structure("4v1w", cif=CIF, pdb=b"HEADER")
    answer = download(archive, name)
    assert (answer.status_code, "Content-Encoding" in answer.headers) == (200, False)
    body = gzip.decompress(answer.content) if name.endswith(".gz") else answer.content
    assert body == (CIF if ".cif" in name else b"HEADER")


def test_validators_that_are_not_on_record_are_not_sent(archive: Archive) -> None:
    archive.add_structure("4V1W", cif=CIF)
    fields = download(archive, "4V1W.cif").headers
    assert "ETag" not in fields
    assert "Last-Modified" not in fields


@pytest.mark.parametrize("name", ["4V1W.pdb", "4V1W.pdb.gz", "9ZZZ.cif", "4V1W", "nonsense", "4V1W.cif.bz2"])
def test_a_file_that_is_not_there_is_an_html_404(archive: Archive, name: str) -> None:
    archive.add_structure("4V1W", cif=CIF)
    answer = download(archive, name)
    assert (answer.status_code, answer.headers["Content-Type"].split(";")[0]) == (404, "text/html")


def test_extended_ids_assemblies_and_binary_files_have_their_places(archive: Archive) -> None:
    archive.add_structure("pdb_00011a7y", cif=CIF)
    archive.add_file(FILES, "download/4V1W-assembly1.cif.gz", gzip.compress(b"assembly"))
    archive.add_file("models.rcsb.org", "1GBT.bcif.gz", gzip.compress(b"binary"))
    archive.add_structure("4V1W", cif=CIF)
    assert download(archive, "PDB_00011A7Y.cif").content == CIF
    assert download(archive, "4v1w-assembly1.cif").content == b"assembly"
    assert download(archive, "1gbt.bcif", "models.rcsb.org", "").content == b"binary"
    assert download(archive, "full", "models.rcsb.org", "v1/4v1w/").content == CIF


def test_the_wwpdb_has_the_same_files_under_their_middle_letters(archive: Archive) -> None:
    archive.add_structure("4V1W", cif=CIF, pdb=b"HEADER")
    root = "pub/pdb/data/structures/divided/"
    assert (
        gzip.decompress(download(archive, "4v1w.cif.gz", "files.wwpdb.org", f"{root}mmCIF/v1/").content)
        == CIF
    )
    packed = download(archive, "pdb4v1w.ent.gz", "files.wwpdb.org", f"{root}pdb/v1/").content
    assert gzip.decompress(packed) == b"HEADER"
    assert download(archive, "4v1w.cif.gz", "files.wwpdb.org", f"{root}mmCIF/zz/").status_code == 404


MMCIF = """data_1JK9
_struct.entry_id 1JK9
_struct.title 'Heterodimer between H48F-ySOD1 and yCCS'
_exptl.method 'X-RAY DIFFRACTION'
_refine.ls_d_res_high 2.90
loop_
_struct_ref.id
_struct_ref.db_name
_struct_ref.db_code
_struct_ref.pdbx_db_accession
_struct_ref.pdbx_seq_one_letter_code
1 UNP SODC_YEAST P00445
;VQAVAVLKGDAGVSGVVKFEQASESEPTTVSYEIAGNSPNAERG
FHIHEFGDATNGC
;
2 UNP CCS1_YEAST P40202 'it''s ; not'
3 PDB 1JK9 1JK9 ?
#
loop_
_atom_site.id
1
"""


def test_the_index_reads_what_an_mmcif_file_says_of_itself() -> None:
    assert struct_ref_accessions(MMCIF) == ["P00445", "P40202"]
    record = structure_record(MMCIF.encode())
    assert record["title"] == "Heterodimer between H48F-ySOD1 and yCCS"
    assert (record["resolution"], record["method"]) == (2.9, "X-RAY DIFFRACTION")
    assert record["entities"] == [
        {"entity": "1", "accession": "P00445", "coverage": 1.0},
        {"entity": "2", "accession": "P40202", "coverage": 1.0},
    ]
