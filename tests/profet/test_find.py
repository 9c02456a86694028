"""Finding every known structure of a protein, from as few requests as possible."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from perc_archive import Archive
from profet import Fetcher, InactiveAccessionError, InvalidChoiceError, StructureNotFoundError
from profet.command_line import main
from profet_samples import Polymer, Residue, Sample, protein, to_mmcif, uniprot_record

ACCESSION = "P05067"
SEQUENCE = protein(120)
SAMPLE = Sample(
    polymers=[
        Polymer(
            name=name,
            sequence=SEQUENCE,
            residues=[Residue(name=letter, place=n, number=n) for n, letter in enumerate(SEQUENCE, 1)],
            accession=ACCESSION,
            reference=(1, 120, 1, 120),
        )
        for name in "AB"
    ]
)
CIF = to_mmcif(SAMPLE, name="3CCC")


def asked(archive: Archive) -> list[str]:
    """What was asked, as host/path."""
    return [f"{request.host}{request.path}" for request in archive.requests()]


@pytest.fixture
def filled(archive: Archive) -> Archive:
    """A protein of 120 residues with three entries and a model."""
    entries = [("1AAA", "0.85 A", "A=20-90"), ("3CCC", "2.00 A", "A/B=1-120"), ("2BBB", "-", "A=1-120")]
    record = uniprot_record(ACCESSION, SEQUENCE, pdb=entries, in_alphafold=True, signal=(1, 20))
    archive.add_uniprot(ACCESSION, record)
    archive.add_structure("3CCC", cif=CIF, accessions=[ACCESSION], resolution=2.0)
    archive.add_alphafold(ACCESSION, cif=CIF, sequence=SEQUENCE)
    return archive


def test_one_request_finds_every_structure_and_the_first_is_what_is_fetched(filled: Archive) -> None:
    fetcher = Fetcher()

    hits = fetcher.find(ACCESSION)

    assert [hit.id for hit in hits] == ["3CCC", "2BBB", "1AAA", "AF-P05067-F1"]
    assert asked(filled) == ["rest.uniprot.org/uniprotkb/P05067.json"]
    best = hits[0]
    assert (best.database, best.chains, best.range, best.coverage) == ("pdb", ("A", "B"), (1, 120), 1.0)
    assert (best.resolution, best.method, best.accession) == (2.0, "X-ray", ACCESSION)
    assert best.reason == "it has 2 Å, 2BBB no resolution"
    assert hits[2].coverage == pytest.approx(71 / 120)
    assert fetcher.get_file(ACCESSION)[1] == CIF == fetcher.get_file(best)[1]


def test_a_database_alone_may_be_named_without_a_list(filled: Archive) -> None:
    assert [hit.id for hit in Fetcher().find(ACCESSION, databases="alphafold")] == ["AF-P05067-F1"]


def test_the_default_database_comes_first_unless_the_order_says_otherwise(filled: Archive) -> None:
    fetcher = Fetcher("alphafold")

    assert fetcher.find(ACCESSION)[0].id == "AF-P05067-F1"
    assert fetcher.find(ACCESSION, order="resolution")[0].id == "1AAA"
    assert [hit.id for hit in fetcher.find(ACCESSION, databases=["pdb"])] == ["3CCC", "2BBB", "1AAA"]


def test_the_order_of_a_fetcher_decides_what_it_gets(
    filled: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    filled.add_structure("1AAA", cif=CIF.replace(b"3CCC", b"1AAA"))

    assert Fetcher(order="resolution").get_file(ACCESSION)[1].startswith(b"data_1AAA")
    assert Fetcher(order=["coverage"]).get_file(ACCESSION)[1].startswith(b"data_3CCC")
    main(["get", ACCESSION, "--order", "resolution", "-d", str(tmp_path)])
    assert capsys.readouterr().out == f"Saved {ACCESSION} to '{tmp_path}/p05067_1aaa.cif'\n"
    filled.add_file("files.rcsb.org", "download/1AAA-assembly2.cif", CIF)
    main(["get", "1aaa", "--assembly", "2", "-d", str(tmp_path)])
    assert capsys.readouterr().out == f"Saved 1aaa to '{tmp_path}/1aaa-assembly2.cif'\n"
    with pytest.raises(InvalidChoiceError, match="cannot order structures by 'size'"):
        Fetcher(order="size")


def test_a_hit_is_fetched_and_saved_as_if_it_had_been_chosen(filled: Archive, tmp_path: Path) -> None:
    fetcher = Fetcher(save_directory=tmp_path)
    hits = fetcher.find(ACCESSION)

    entry, _ = fetcher.get_file(hits[0], filesave=True)
    model, _ = fetcher.get_file(hits[-1], filesave=True)

    assert (Path(entry or "").name, Path(model or "").name) == ("p05067_3ccc.cif", "p05067.cif")
    assert "nosignal1to20" in fetcher.remove(ACCESSION)
    with pytest.raises(StructureNotFoundError, match="pdb has no file of 2BBB"):
        fetcher.get_file(hits[1])


def add_1jk9(archive: Archive) -> None:
    """An entry that holds two proteins."""
    polymers = [
        Polymer(
            name=name,
            sequence="MKV",
            residues=[Residue(name="M", place=1, number=1)],
            accession=accession,
            reference=(1, 3, first, first + 2),
        )
        for name, accession, first in (("A", "P00445", 2), ("B", "P40202", 1))
    ]
    archive.add_structure("1JK9", cif=to_mmcif(Sample(polymers=polymers), name="1JK9"), resolution=2.9)


def test_a_pdb_id_has_one_hit_for_each_protein(archive: Archive) -> None:
    add_1jk9(archive)

    hits = Fetcher().find("1jk9")

    assert [(hit.accession, hit.range, hit.resolution) for hit in hits] == [
        ("P00445", (2, 4), 2.9),
        ("P40202", (1, 3), 2.9),
    ]
    assert asked(archive) == ["data.rcsb.org/graphql"]


def test_observed_residues_count_where_they_are_asked_for(filled: Archive) -> None:
    rows = [
        {"pdb_id": "3ccc", "chain_id": chain, "start": 1, "end": 120, "unp_start": 1, "unp_end": 120,
         "coverage": 1, "resolution": 2.0, "experimental_method": "X-ray diffraction",
         "observed_regions": [{"unp_start": first, "unp_end": last}]}
        for chain, first, last in (("A", 21, 50), ("B", 41, 60))
    ]  # fmt: skip
    newer = {**rows[0], "pdb_id": "9new", "observed_regions": [{"unp_start": 1, "unp_end": 12}]}
    filled.add_record("best_structures", ACCESSION, [*rows, newer])

    hits = {hit.id: hit for hit in Fetcher().find(ACCESSION, databases=["pdb"], observed=True)}

    assert hits["3CCC"].coverage == pytest.approx(40 / 120)
    assert (hits["3CCC"].range, hits["3CCC"].method) == ((21, 60), "X-ray")
    assert hits["9NEW"].coverage == pytest.approx(12 / 120)
    assert hits["2BBB"].coverage == 1.0  # PDBe does not know it yet
    assert len(filled.requests("*best_structures*")) == 1


def test_nothing_known_is_not_found_and_says_who_was_asked(archive: Archive) -> None:
    archive.add_uniprot("P12345", uniprot_record("P12345", "MKV"))

    with pytest.raises(StructureNotFoundError, match="no structure of p12345 in pdb or alphafold") as caught:
        Fetcher().find("p12345")

    assert caught.value.asked == ("uniprot", "pdb", "alphafold")


def test_the_command_prints_a_table_and_the_reason(
    filled: Archive, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["find", ACCESSION, "--limit", "2"])

    out, err = capsys.readouterr()
    assert out.splitlines() == [
        "database  id    chains  range  coverage  resolution  method",
        "pdb       3CCC  A,B     1-120  1.000     2.00        X-ray",
        "pdb       2BBB  A       1-120  1.000     -           X-ray",
    ]
    assert err == "3CCC is the best of 4: it has 2 Å, 2BBB no resolution\n"


def test_the_command_says_of_an_entry_which_proteins_it_holds(
    archive: Archive, capsys: pytest.CaptureFixture[str]
) -> None:
    add_1jk9(archive)

    main(["find", "1jk9"])

    out, err = capsys.readouterr()
    table = [line.split() for line in out.splitlines()]
    assert [row[:4] for row in table] == [
        ["database", "id", "accession", "chains"],
        ["pdb", "1JK9", "P00445", "A"],
        ["pdb", "1JK9", "P40202", "B"],
    ]
    assert err == ""  # of one entry none is the best


def test_the_command_prints_json_of_many(filled: Archive, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["find", ACCESSION, "P99999", "--json", "--order", "resolution"])

    out, err = capsys.readouterr()
    first = json.loads(out.splitlines()[0])
    assert ended.value.code == 1
    assert (first["query"], first["id"], first["resolution"]) == (ACCESSION, "1AAA", 0.85)
    assert "no structure of P99999" in err
    with pytest.raises(SystemExit) as refused:
        main(["find", ACCESSION, "--order", "size"])
    assert refused.value.code == 2


@pytest.mark.real_data
def test_the_recorded_protein_has_240_entries_and_a_model(
    real_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Archive(real_data=real_data, ftp=False) as archive:
        for name, value in archive.settings().items():
            monkeypatch.setenv(name, value)
        fetcher = Fetcher()
        hits = fetcher.find(ACCESSION)
        assert (len(hits), hits[0].id, hits[0].range) == (241, "8KF4", (1, 770))
        sharpest = fetcher.find(ACCESSION, order="resolution")[0]
        assert (sharpest.id, sharpest.resolution, sharpest.range) == ("2FMA", 0.85, (133, 189))
        assert [hit.id for hit in fetcher.find("P0DTR4")] == ["6N1B", "6N1A", "AF-P0DTR4-F1"]
        assert len(archive.requests()) == 2

        best = fetcher.find("P40202", databases=["pdbe"])
        assert [(hit.id, hit.chains, hit.resolution) for hit in best] == [
            ("1JK9", ("B", "D"), 2.9),
            ("5U9M", ("B", "D"), 2.35),
            ("1QUP", ("A", "B"), 1.8),
            ("1EJ8", ("A",), 1.55),
        ]
        for name in ("Q00007", "I8FBX0"):
            with pytest.raises(InactiveAccessionError, match=r"P63151 or P63150|AF-I8FBX0-F1"):
                fetcher.find(name)
