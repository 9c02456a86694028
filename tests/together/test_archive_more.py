"""What the embedded archive speaks besides: GraphQL, FASTA, schemas, UniProt's search, confidences."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import requests

from perc_archive import Archive
from perc_archive.graphql import GraphqlError, parse, pick

ENTITY = """
loop_
_entity.id
_entity.type
_entity.pdbx_description
1 polymer 'superoxide dismutase'
loop_
_entity_poly.entity_id
_entity_poly.pdbx_strand_id
1 X,Y
loop_
_struct_asym.id
_struct_asym.entity_id
A 1
B 1
loop_
_entity_poly_seq.entity_id
_entity_poly_seq.num
_entity_poly_seq.mon_id
1 1 MET
1 2 MSE
1 3 LYS
loop_
_struct_ref.id
_struct_ref.entity_id
_struct_ref.db_name
_struct_ref.pdbx_db_accession
1 1 UNP P00445
loop_
_struct_ref_seq.ref_id
_struct_ref_seq.pdbx_strand_id
_struct_ref_seq.seq_align_beg
_struct_ref_seq.seq_align_end
_struct_ref_seq.db_align_beg
1 X 1 3 20
1 Y 1 3 20
_atom_site.id 1
"""


@pytest.fixture
def stocked(archive: Archive) -> Archive:
    cif = b"data_1JK9\n" + ENTITY.encode()
    archive.add_structure("1jk9", cif=cif, accessions=["P00445"], resolution=2.9, title="A title")
    return archive


def graphql(archive: Archive, question: dict[str, Any], method: str = "POST") -> requests.Response:
    url = archive.url("data.rcsb.org", "graphql")
    if method == "GET":
        return requests.get(url, params={"query": question["query"]}, timeout=10)
    return requests.post(url, json=question, timeout=10)


def test_graphql_answers_with_what_was_asked_for_and_nothing_else(stocked: Archive) -> None:
    fields = "rcsb_id rcsb_entry_info{resolution_combined} nonsense polymer_entities{rcsb_id}"
    inline = {"query": f'{{entries(entry_ids:["1JK9","9ZZZ"]){{{fields}}}}}'}
    by_variable = {
        "query": f"query($ids: [String!]!) {{ entries(entry_ids: $ids) {{ {fields} }} }}",
        "variables": {"ids": ["1JK9", "9ZZZ"]},
    }
    entry = {
        "rcsb_id": "1JK9",
        "rcsb_entry_info": {"resolution_combined": [2.9]},
        "nonsense": None,
        "polymer_entities": [{"rcsb_id": "1JK9_1"}],
    }

    for answer in (graphql(stocked, inline), graphql(stocked, inline, "GET"), graphql(stocked, by_variable)):
        assert answer.status_code == 200
        assert answer.json() == {"data": {"entries": [entry]}}


@pytest.mark.parametrize(
    "question",
    [
        {"query": "{entries}"},
        {"query": "entries(entry_ids:[])"},
        {"query": '{nothing(entry_ids:["1JK9"]){rcsb_id}}'},
        {"query": '{entries(entry_ids:["1JK9"]){rcsb_id}} §'},
        {"no": "query"},
        {"query": f"{{entries(entry_ids:{json.dumps(['1ABC'] * 1001)}){{rcsb_id}}}}"},
    ],
)
def test_a_question_that_is_none_is_an_error(question: dict[str, Any], stocked: Archive) -> None:
    answer = graphql(stocked, question)

    assert answer.status_code == 400
    assert answer.json()["errors"][0]["message"]


def test_alignments_say_which_residues_of_uniprot_an_entity_is(stocked: Archive) -> None:
    regions = "aligned_regions{entity_beg_seq_id ref_beg_seq_id length}"
    fields = f"rcsb_polymer_entity_align{{reference_database_accession {regions}}}"
    answer = graphql(stocked, {"query": f'{{entries(entry_ids:["1JK9"]){{polymer_entities{{{fields}}}}}}}'})

    ((entity,),) = [item["polymer_entities"] for item in answer.json()["data"]["entries"]]
    assert entity["rcsb_polymer_entity_align"] == [
        {
            "reference_database_accession": "P00445",
            "aligned_regions": [{"entity_beg_seq_id": 1, "ref_beg_seq_id": 20, "length": 3}],
        }
    ]


def test_graphql_is_read_with_comments_nesting_and_values() -> None:
    (field,) = parse('# what\n{ a(x: [1, "b", true], y: $z) { c, d { e } } }', {"z": None})

    assert (field.name, field.arguments) == ("a", {"x": [1, "b", True], "y": None})
    assert pick({"a": [{"c": 1, "d": {"e": 2, "f": 3}}, None]}, (field,)) == {
        "a": [{"c": 1, "d": {"e": 2}}, None]
    }
    for wrong in ("{ a( }", "{ a { b }", "{ 1 }", "{ a(x: y) { b } } }"):
        with pytest.raises((GraphqlError, IndexError)):
            parse(wrong)


def test_fasta_has_a_record_for_each_entity_and_a_sentence_for_none(stocked: Archive) -> None:
    def get(name: str) -> requests.Response:
        return requests.get(stocked.url("www.rcsb.org", f"fasta/entry/{name}"), timeout=10)

    title = ">1JK9_1|Chains A[auth X], B[auth Y]|superoxide dismutase|synthetic construct (32630)"
    assert get("1jk9").text == f"{title}\nMMK\n"
    assert (get("9zzz").status_code, get("9zzz").text) == (200, "No fasta files were found.")
    assert get("nonsense").text == "No valid PDB IDs were submitted."


def test_the_search_tells_what_can_be_searched(stocked: Archive) -> None:
    schema = requests.get(stocked.url("search.rcsb.org", "rcsbsearch/v2/metadata/schema"), timeout=10).json()
    chemical = stocked.url("search.rcsb.org", "rcsbsearch/v2/metadata/chemical/schema")

    info = schema["properties"]["rcsb_entry_info"]["properties"]
    assert info["resolution_combined"]["type"] == "number"
    assert requests.get(chemical, timeout=10).json()["properties"] == {}


def test_uniprot_is_searched_page_by_page(archive: Archive) -> None:
    for number in range(5):
        archive.add_uniprot(f"P0000{number}", {"sequence": "MKV", "uniProtkbId": f"A{number}_HUMAN"})
    url = archive.url("rest.uniprot.org", "uniprotkb/search")
    query = "(id:A1_HUMAN) OR (accession:P00003) OR (id:a4_human)"

    first = requests.get(url, params={"query": query, "size": "2", "fields": "accession"}, timeout=10)
    link = re.fullmatch(r'<(.*)>; rel="next"', first.headers["Link"])
    assert link is not None
    second = requests.get(link[1], timeout=10)

    assert first.headers["X-Total-Results"] == "3"
    found = [record["primaryAccession"] for page in (first, second) for record in page.json()["results"]]
    assert found == ["P00001", "P00003", "P00004"]
    assert "sequence" not in first.json()["results"][0]
    assert "Link" not in second.headers
    assert requests.get(url, params={"query": "x", "size": "501"}, timeout=10).status_code == 400
    assert requests.get(url, timeout=10).status_code == 400


def test_a_batch_has_the_references_that_were_asked_for(archive: Archive) -> None:
    references: list[dict[str, object]] = [
        {"database": name, "id": "x", "properties": []} for name in ("PDB", "AlphaFoldDB", "GO")
    ]
    archive.add_uniprot("P00001", {"sequence": "MKV", "uniProtKBCrossReferences": references})
    url = archive.url("rest.uniprot.org", "uniprotkb/accessions")

    wanted = {"accessions": "P00001", "fields": "accession,xref_pdb,xref_alphafolddb"}
    (record,) = requests.get(url, params=wanted, timeout=10).json()["results"]

    assert [item["database"] for item in record["uniProtKBCrossReferences"]] == ["PDB", "AlphaFoldDB"]


def test_what_is_withdrawn_stands_in_a_list(archive: Archive) -> None:
    archive.add_record("obsolete", "9OLD", {"date": "01-JAN-20", "successors": ["1AAA", "2BBB"]})

    text = requests.get(archive.url("files.wwpdb.org", "pub/pdb/data/status/obsolete.dat"), timeout=10).text

    assert text.splitlines()[0].strip() == "LIST OF OBSOLETE COORDINATE ENTRIES AND SUCCESSORS"
    assert text.splitlines()[-1].split() == ["OBSLTE", "01-JAN-20", "9OLD", "1AAA", "2BBB"]


@pytest.mark.real_data
def test_confidences_are_those_in_the_models_file(real_data: Path) -> None:
    import gemmi

    path = real_data / "profet/AF-P05067-F1-model_v6.pdb.gz"
    expected = [residue[0].b_iso for residue in gemmi.read_structure(str(path))[0]["A"]]
    with Archive(real_data=real_data, ftp=False) as archive:
        host = archive.url("alphafold.ebi.ac.uk")
        plddt = requests.get(f"{host}files/AF-P05067-F1-confidence_v6.json", timeout=10).json()
        missing = requests.get(f"{host}files/AF-P1-F1-confidence_v6.json", timeout=10)
    assert plddt["confidenceScore"] == pytest.approx(expected)
    assert set(plddt["confidenceCategory"]) == {"H", "M", "L", "D"}
    assert missing.status_code == 404


def test_what_is_not_recorded_is_told_from_the_entry_of_uniprot(demo_archive: Archive) -> None:
    def get(path: str) -> Any:
        return requests.get(demo_archive.url("www.ebi.ac.uk", f"pdbe/{path}"), timeout=10).json()

    rows = get("api/v2/mappings/best_structures/P45523")["P45523"]
    assert [(row["pdb_id"], row["chain_id"]) for row in rows] == [("1q6u", chain) for chain in "ABCD"]
    assert rows[0]["unp_start"] == 26
    models = get("pdbe-kb/3dbeacons/api/v2/uniprot/summary/P05067.json")["structures"]
    assert [model["summary"]["provider"] for model in models] == ["AlphaFold DB"]
    assert models[0]["summary"]["model_url"].endswith("/files/AF-P05067-F1-model_v6.cif")
