"""Fetching: which file of which database comes, what is asked of whom, and where it is kept."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from pathlib import Path

import pytest

from perc_archive import Archive
from profet import (
    CacheError,
    DamagedFileError,
    Fetcher,
    FileType,
    InactiveAccessionError,
    InvalidChoiceError,
    NotFetchedError,
    OfflineError,
    ServiceError,
    StructureNotFoundError,
)
from profet_samples import Polymer, Residue, Sample, feature, protein, to_mmcif, to_pdb, uniprot_record

ACCESSION = "P05067"
SEQUENCE = protein(120)
SAMPLE = Sample(
    polymers=[
        Polymer(
            name="A",
            sequence=SEQUENCE,
            residues=[Residue(name=letter, place=n, number=n) for n, letter in enumerate(SEQUENCE, 1)],
        )
    ]
)
CIF, PDB = to_mmcif(SAMPLE, name="4V1W"), to_pdb(SAMPLE)
MODEL_CIF, MODEL_PDB = to_mmcif(SAMPLE, name="AF-P05067-F1"), to_pdb(SAMPLE).replace(b"TEST", b"XXXX")


def asked(archive: Archive) -> list[str]:
    """What was asked since the last look, as host/path."""
    return [f"{request.host}{request.path}" for request in archive.requests()]


def add_protein(archive: Archive, *, in_pdb: bool = True, in_alphafold: bool = True) -> None:
    """A protein of 120 residues with entries 1AAA (part, sharp), 2BBB and 3CCC (whole) and a model."""
    entries = [("1AAA", "0.85 A", "A=20-90"), ("3CCC", "2.00 A", "A/B=1-120"), ("2BBB", "-", "A=1-120")]
    record = uniprot_record(
        ACCESSION, SEQUENCE, pdb=entries if in_pdb else (), in_alphafold=in_alphafold, signal=(1, 20)
    )
    archive.add_uniprot(ACCESSION, record)
    if in_pdb:
        for name in ("1AAA", "2BBB", "3CCC"):
            archive.add_structure(name, cif=CIF.replace(b"4V1W", name.encode()), pdb=PDB)
    if in_alphafold:
        archive.add_alphafold(ACCESSION, cif=MODEL_CIF, pdb=MODEL_PDB, sequence=SEQUENCE)


def test_the_papers_example_saves_the_entry_under_its_name(archive: Archive) -> None:
    archive.add_structure("4V1W", cif=CIF, pdb=PDB)

    filename, filedata = Fetcher("pdb", save_directory="~/.pdb/").get_file(
        "4v1w", filetype="cif", filesave=True
    )

    assert filename == os.path.expanduser("~/.pdb/4v1w.cif")  # noqa: PTH111 - as the paper reads
    assert filedata == CIF == Path(filename).read_bytes()
    assert filedata.startswith(b"data_4V1W")


def test_a_pdb_id_asks_for_one_file_and_nothing_else(archive: Archive) -> None:
    archive.add_structure("4V1W", cif=CIF, pdb=PDB)
    fetcher = Fetcher()

    assert fetcher.get_file("4V1W") == (None, CIF)
    assert asked(archive) == ["files.rcsb.org/download/4V1W.cif.gz"]
    assert fetcher.search_history() == {"4V1W": ["pdb"]}


@pytest.mark.parametrize("filetype", ["cif", "pdb", FileType.cif, FileType.pdb])
def test_what_parakeet_does_works(filetype: str, archive: Archive) -> None:
    archive.add_structure("4V1W", cif=CIF, pdb=PDB)

    filename, filedata = Fetcher().get_file("4v1w", filetype=filetype)

    assert filename is None
    assert filedata.decode("ascii").startswith("data_4V1W" if filetype == "cif" else "HEADER")


@pytest.mark.parametrize(
    ("typed", "options"),
    [
        ("4v1w", {}),
        ("4v1w", {"filetype": "pdb"}),
        ("P05067", {}),
        ("P05067", {"filetype": "pdb", "db": "alphafold"}),
        ("p05067", {"filesave": True}),
    ],
)
def test_a_second_call_asks_nobody(typed: str, options: dict[str, object], archive: Archive) -> None:
    archive.add_structure("4V1W", cif=CIF)  # there is no PDB-format file of it
    add_protein(archive)
    first = Fetcher().get_file(typed, **options)  # type: ignore[arg-type]
    count = len(archive.requests())

    second = Fetcher().get_file(typed.upper(), **options)  # type: ignore[arg-type]

    assert count > 0
    assert second == first
    assert len(archive.requests()) == count


def test_nothing_is_saved_unless_asked_for_but_all_is_cached(archive: Archive, tmp_path: Path) -> None:
    archive.add_structure("4V1W", cif=CIF)
    fetcher = Fetcher(save_directory=tmp_path / "saved")

    assert fetcher.get_file("4v1w") == (None, CIF)

    cache = Path("~/.cache/pdb").expanduser()
    assert not (tmp_path / "saved").exists()
    assert [entry.name for entry in cache.iterdir()] == [".profet"]
    assert gzip.decompress((cache / ".profet/pdb/4v1w.cif.gz").read_bytes()) == CIF
    record = json.loads((cache / ".profet/pdb/4v1w.cif.gz.json").read_text())
    assert record["sha256"] == hashlib.sha256(CIF).hexdigest()
    assert record["url"].endswith("/download/4V1W.cif.gz")


def test_an_accession_gets_the_entry_that_covers_most_then_the_sharpest(archive: Archive) -> None:
    add_protein(archive)

    filename, data = Fetcher().get_file(ACCESSION, filesave=True, filetype="pdb")

    assert Path(filename or "").name == "p05067_3ccc.pdb"
    assert data == PDB
    assert asked(archive) == ["rest.uniprot.org/uniprotkb/P05067.json", "files.rcsb.org/download/3CCC.pdb.gz"]


def test_history_holds_ids_as_typed_and_every_database_without_an_extra_request(archive: Archive) -> None:
    add_protein(archive)
    archive.add_uniprot("F4HVG8", uniprot_record("F4HVG8", SEQUENCE, in_alphafold=True))
    archive.add_alphafold("F4HVG8", cif=MODEL_CIF)
    fetcher = Fetcher()

    fetcher.get_file("p05067")
    fetcher.get_file("F4HvG8")
    fetcher.get_file(ACCESSION, db="alphafold")

    assert fetcher.search_history() == {
        "p05067": ["pdb", "alphafold"],
        "F4HvG8": ["alphafold"],
        "P05067": ["pdb", "alphafold"],
    }
    assert sum("rest.uniprot.org" in place for place in asked(archive)) == 2


def test_a_model_comes_from_where_the_api_says_and_its_version_is_recorded(archive: Archive) -> None:
    archive.add_uniprot(ACCESSION, uniprot_record(ACCESSION, SEQUENCE, in_alphafold=True))
    archive.add_alphafold(ACCESSION, cif=MODEL_CIF, version=11, sequence=SEQUENCE)
    fetcher = Fetcher("alphafold")

    filename, data = fetcher.get_file(ACCESSION, filesave=True)

    assert Path(filename or "").name == "p05067.cif"
    assert data == MODEL_CIF
    assert asked(archive)[1:] == [
        "alphafold.ebi.ac.uk/api/prediction/P05067",
        "alphafold.ebi.ac.uk/files/AF-P05067-F1-model_v11.cif",
    ]
    assert archive.requests("*model_v11*")[0].headers["Accept-Encoding"] == "gzip"
    (result,) = fetcher.get_files([ACCESSION])
    assert result.provenance is not None
    assert (result.provenance.database, result.provenance.source_version) == ("alphafold", "11")
    kept = Path("~/.cache/pdb/.profet/alphafold/p05067.cif.gz").expanduser().read_bytes()
    assert result.provenance.etag == f'"{hashlib.md5(kept, usedforsecurity=False).hexdigest()}"'


def test_the_default_database_is_the_one_set_and_db_overrides_it(archive: Archive) -> None:
    add_protein(archive)
    fetcher = Fetcher()
    assert fetcher.get_default_db() == "pdb"

    fetcher.set_default_db("alphafold")

    assert fetcher.get_default_db() == "alphafold"
    assert fetcher.get_file(ACCESSION)[1] == MODEL_CIF
    assert fetcher.get_file(ACCESSION, db="pdb")[1].startswith(b"data_3CCC")
    assert Fetcher("alphafold").get_file(ACCESSION)[1] == MODEL_CIF


def test_the_other_database_answers_where_the_first_has_nothing(archive: Archive) -> None:
    add_protein(archive, in_pdb=False)
    fetcher = Fetcher("pdb")

    filename, data = fetcher.get_file(ACCESSION, filesave=True)

    assert data == MODEL_CIF
    assert Path(filename or "").name == "p05067.cif"
    assert fetcher.get_files([ACCESSION])[0].database == "alphafold"
    assert json.loads(Path(fetcher.cache().manifest).read_text())["P05067"]["fileorigin"] == "alphafold"
    with pytest.raises(StructureNotFoundError):
        fetcher.file_from_db(ACCESSION, db="pdb")


def test_a_pdb_id_is_found_whatever_the_default_database(archive: Archive) -> None:
    archive.add_structure("4V1W", cif=CIF)

    assert Fetcher("alphafold").get_file("4v1w") == (None, CIF)
    with pytest.raises(StructureNotFoundError, match="goes by accession"):
        Fetcher().file_from_db("4v1w", db="alphafold")


def test_the_other_file_type_comes_where_one_does_not_exist(
    archive: Archive, caplog: pytest.LogCaptureFixture
) -> None:
    archive.add_structure("4V1W", cif=CIF)

    filename, data = Fetcher().get_file("4v1w", filetype="pdb", filesave=True)

    assert Path(filename or "").name == "4v1w.cif"
    assert data == CIF
    assert "4v1w does not exist as pdb; it came as cif" in caplog.text


def test_an_extended_id_is_never_asked_for_in_pdb_format(archive: Archive) -> None:
    archive.add_structure("pdb_00011a7y", cif=CIF)

    filename, _ = Fetcher().get_file("PDB_00011A7Y", filetype="pdb", filesave=True)

    assert Path(filename or "").name == "pdb_00011a7y.cif"
    assert asked(archive) == ["files.rcsb.org/download/pdb_00011a7y.cif.gz"]


def test_an_entry_that_the_pdb_no_longer_has_is_passed_over(archive: Archive) -> None:
    entries = [("9XYZ", "1.00 A", "A=1-120"), ("1AAA", "2.00 A", "A=20-90")]
    archive.add_uniprot(ACCESSION, uniprot_record(ACCESSION, SEQUENCE, pdb=entries))
    archive.add_structure("1AAA", cif=CIF)

    filename, _ = Fetcher().get_file(ACCESSION, filesave=True)

    assert Path(filename or "").name == "p05067_1aaa.cif"


def test_an_unknown_id_is_not_found_and_its_history_is_empty(archive: Archive) -> None:
    fetcher = Fetcher()

    for typed in ("9zzz", "P99999"):
        with pytest.raises(StructureNotFoundError, match=typed) as caught:
            fetcher.get_file(typed)
        assert isinstance(caught.value, LookupError)
        assert isinstance(caught.value, RuntimeError)
    count = len(archive.requests())
    with pytest.raises(StructureNotFoundError):
        fetcher.get_file("9zzz")

    assert fetcher.search_history() == {"9zzz": [], "P99999": []}
    assert len(archive.requests()) == count


def test_a_model_is_found_though_uniprot_does_not_list_it(archive: Archive) -> None:
    archive.add_alphafold("P99999", cif=MODEL_CIF)
    fetcher = Fetcher()

    assert fetcher.get_file("P99999")[1] == MODEL_CIF
    assert fetcher.search_history() == {"P99999": ["alphafold"]}


def test_withdrawn_accessions_are_explained_or_followed(archive: Archive) -> None:
    add_protein(archive)
    for accession, reason in (
        ("Q00007", {"inactiveReasonType": "DEMERGED", "mergeDemergeTo": ["P63151", "P63150"]}),
        ("I8FBX0", {"inactiveReasonType": "DELETED"}),
        ("B4DFC2", {"inactiveReasonType": "MERGED", "mergeDemergeTo": [ACCESSION]}),
    ):
        archive.add_uniprot(accession, {"entryType": "Inactive", "inactiveReason": reason})
    fetcher = Fetcher("alphafold")

    with pytest.raises(InactiveAccessionError, match="P63151 or P63150") as caught:
        fetcher.get_file("Q00007")
    assert caught.value.replaced_by == ("P63151", "P63150")
    with pytest.raises(InactiveAccessionError, match="deleted"):
        fetcher.get_file("I8FBX0")
    filename, data = fetcher.get_file("B4DFC2", filesave=True)
    assert (Path(filename or "").name, data) == ("b4dfc2.cif", MODEL_CIF)


def test_check_db_asks_once_and_says_who_has_it(archive: Archive) -> None:
    add_protein(archive)
    archive.add_structure("4V1W", cif=CIF)
    fetcher = Fetcher()

    assert fetcher.check_db(ACCESSION) == ["pdb", "alphafold"]
    assert fetcher.check_db("4v1w") == ["pdb"]
    assert fetcher.check_db("9zzz") == []
    assert fetcher.check_db("P99999") == []
    assert len(archive.requests()) == 4
    assert sum(request.body_bytes_sent for request in archive.requests("files.rcsb.org/*")) == 0


def test_file_from_db_gives_name_type_and_bytes(archive: Archive) -> None:
    add_protein(archive)
    fetcher = Fetcher()

    assert fetcher.file_from_db(ACCESSION, "pdb") == ("P05067_3CCC", "pdb", PDB)
    assert fetcher.file_from_db(ACCESSION, "cif", "alphafold") == ("P05067", "cif", MODEL_CIF)


def test_wrong_choices_are_refused_before_anything_is_asked(archive: Archive) -> None:
    fetcher = Fetcher()

    for attempt in (
        lambda: Fetcher("cath"),
        lambda: fetcher.set_default_db("PDB"),
        lambda: fetcher.get_file("4v1w", filetype="mmtf"),
        lambda: fetcher.get_file("4v1w", db="cath"),
        lambda: fetcher.get_files(["4v1w"], filetype="xml"),
        lambda: fetcher.file_from_db("4v1w", db="x\x1b"),
    ):
        with pytest.raises(InvalidChoiceError, match="profet knows"):
            attempt()
    assert archive.requests() == []


def test_a_web_page_in_place_of_a_structure_is_never_kept(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROFET_RETRIES", "0")
    archive.add_structure("4V1W", cif=CIF)
    archive.add_fault("html", match="files.rcsb.org/*")
    fetcher = Fetcher()

    with pytest.raises(DamagedFileError, match="web page"):
        fetcher.get_file("4v1w", filesave=True)
    assert fetcher.search_history() == {}
    assert list(Path("~").expanduser().rglob("*.cif*")) == []
    assert fetcher.get_file("4v1w") == (None, CIF)


def test_a_model_whose_checksum_is_wrong_is_never_kept(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROFET_RETRIES", "0")
    place = ("ftp.ebi.ac.uk", "models/AF-P05067-F1-model_v6.cif")
    archive.add_uniprot(ACCESSION, uniprot_record(ACCESSION, SEQUENCE, in_alphafold=True))
    model = {"uniprotAccession": ACCESSION, "cifUrl": "https://" + "/".join(place)}
    archive.add_record("alphafold", ACCESSION, [model])
    body = gzip.compress(MODEL_CIF)
    stated = hashlib.md5(body, usedforsecurity=False).hexdigest()

    archive.add_file(*place, gzip.compress(MODEL_CIF + b"#\n"), headers={"ETag": f'"{stated}"'})
    with pytest.raises(DamagedFileError, match="does not have the checksum that the service states"):
        Fetcher("alphafold").get_file(ACCESSION)
    assert list(Path("~/.cache").expanduser().rglob("*.cif*")) == []

    # The checksum is that of the compressed file, also where a proxy has unpacked it on the way.
    for served in (body, MODEL_CIF):
        archive.add_file(*place, served, headers={"ETag": f'"{stated}"'})
        assert Fetcher("alphafold").get_file(ACCESSION, refresh=True)[1] == MODEL_CIF


@pytest.mark.parametrize("status", [403, 500, 503])
def test_a_service_that_fails_is_not_taken_for_a_missing_structure(
    status: int, archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROFET_RETRIES", "0")
    add_protein(archive)
    fetcher = Fetcher()

    for host in ("rest.uniprot.org", "files.rcsb.org"):
        archive.add_fault("status", match=f"{host}/*", status=status)
        with pytest.raises(ServiceError):
            fetcher.get_file(ACCESSION)

    assert fetcher.search_history() == {}
    assert fetcher.get_file(ACCESSION)[1].startswith(b"data_3CCC")


def test_a_record_that_is_no_json_is_not_kept(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROFET_RETRIES", "0")
    add_protein(archive)
    archive.add_fault("html", match="rest.uniprot.org/*")

    with pytest.raises(DamagedFileError, match="no JSON"):
        Fetcher().get_file(ACCESSION)
    assert Fetcher().get_file(ACCESSION)[1].startswith(b"data_3CCC")


def test_offline_the_cache_answers_and_what_it_lacks_is_told(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_protein(archive)
    archive.add_structure("4V1W", cif=CIF)
    before = [Fetcher().get_file(typed) for typed in ("4v1w", ACCESSION)]
    monkeypatch.setenv("PROFET_OFFLINE", "1")
    count = len(archive.requests())

    assert [Fetcher().get_file(typed) for typed in ("4v1w", ACCESSION)] == before
    assert Fetcher().check_db("4v1w") == ["pdb"]
    for typed in ("1aki", "P40202"):
        with pytest.raises(OfflineError, match="PROFET_OFFLINE is set"):
            Fetcher().get_file(typed)
        with pytest.raises(OfflineError):
            Fetcher().check_db(typed)
    assert len(archive.requests()) == count


def test_an_old_record_is_asked_for_again_and_serves_on_if_that_fails(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PROFET_RETRIES", "0")
    add_protein(archive)
    Fetcher().get_file(ACCESSION)
    sidecar = Path("~/.cache/pdb/.profet/uniprot/p05067.json.gz.json").expanduser()
    old = {**json.loads(sidecar.read_text()), "retrieved": "2020-01-01T00:00:00+00:00"}
    sidecar.write_text(json.dumps(old))
    archive.add_fault("status", match="rest.uniprot.org/*", status=500)

    assert Fetcher().get_file(ACCESSION)[1].startswith(b"data_3CCC")
    assert "using the record of 2020-01-01" in caplog.text
    Fetcher().get_file(ACCESSION)
    Fetcher().get_file(ACCESSION)

    assert [request.status for request in archive.requests("rest.uniprot.org/*")] == [200, 500, 200]
    assert json.loads(sidecar.read_text())["release"]


def test_a_damaged_entry_of_the_cache_is_fetched_again(
    archive: Archive, caplog: pytest.LogCaptureFixture
) -> None:
    archive.add_structure("4V1W", cif=CIF)
    Fetcher().get_file("4v1w")
    kept = Path("~/.cache/pdb/.profet/pdb/4v1w.cif.gz").expanduser()
    kept.write_bytes(kept.read_bytes()[:-30])

    assert Fetcher().get_file("4v1w") == (None, CIF)
    assert "is damaged" in caplog.text
    assert len(archive.requests()) == 2


@pytest.mark.parametrize("edited", [b"data_4V1W\n# mine\n", CIF.replace(b"ALA", b"GLY")])
def test_a_file_that_somebody_edited_is_replaced_by_the_true_one(
    edited: bytes, archive: Archive, tmp_path: Path
) -> None:
    archive.add_structure("4V1W", cif=CIF)
    (tmp_path / "4v1w.cif").write_bytes(edited)

    assert Fetcher(save_directory=tmp_path).get_file("4v1w", filesave=True)[1] == CIF
    assert (tmp_path / "4v1w.cif").read_bytes() == CIF


def test_a_saved_file_that_is_as_it_should_be_is_not_written_again(archive: Archive, tmp_path: Path) -> None:
    archive.add_structure("4V1W", cif=CIF)
    fetcher = Fetcher(save_directory=tmp_path)
    fetcher.get_file("4v1w", filesave=True)
    os.utime(tmp_path / "4v1w.cif", (1e9, 1e9))

    fetcher.get_file("4v1w", filesave=True)
    assert (tmp_path / "4v1w.cif").stat().st_mtime == 1e9  # who goes by its date need not start again


def test_a_saved_file_that_is_gone_has_to_be_fetched_again(archive: Archive, tmp_path: Path) -> None:
    archive.add_structure("4V1W", cif=CIF)
    fetcher = Fetcher(save_directory=tmp_path)
    path, _ = fetcher.get_file("4v1w", filesave=True)
    Path(str(path)).unlink()

    with pytest.raises(NotFetchedError, match="fetch it first"):
        fetcher.remove("4v1w")


def test_set_directory_expands_and_moves_later_files_only(archive: Archive, tmp_path: Path) -> None:
    archive.add_structure("4V1W", cif=CIF, pdb=PDB)
    fetcher = Fetcher(save_directory=tmp_path / "one")
    fetcher.get_file("4v1w", filesave=True)

    fetcher.set_directory("~/two/deep")

    with pytest.raises(NotFetchedError):
        fetcher.remove("4v1w")
    assert fetcher.get_file("4v1w", "pdb", True)[0] == str(Path("~/two/deep/4v1w.pdb").expanduser())
    assert sorted(name for name, _ in fetcher.cache().items()) == ["4v1w"]
    assert fetcher.cache().directory == str(Path("~/two/deep").expanduser())


def test_a_folder_that_cannot_be_written_is_told(archive: Archive, tmp_path: Path) -> None:
    archive.add_structure("4V1W", cif=CIF)
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(CacheError, match="cannot write"):
        Fetcher(save_directory=tmp_path / "file").get_file("4v1w", filesave=True)


def test_an_isoform_has_its_own_model_and_no_pdb_entry(archive: Archive) -> None:
    record = uniprot_record(ACCESSION, SEQUENCE, pdb=[("3CCC", "2.00 A", "A=1-120")], in_alphafold=True)
    names = [
        {"name": {"value": "1"}, "isoformIds": ["P05067-1"], "isoformSequenceStatus": "Displayed"},
        {"name": {"value": "2"}, "isoformIds": ["P05067-2"], "isoformSequenceStatus": "Described"},
        {"name": {"value": "3"}, "isoformIds": ["Q99999-3"], "isoformSequenceStatus": "External"},
    ]
    record["comments"] = [{"commentType": "ALTERNATIVE PRODUCTS", "isoforms": names}]
    archive.add_uniprot(ACCESSION, record)
    archive.add_structure("3CCC", cif=CIF)
    archive.add_alphafold(ACCESSION, cif=MODEL_CIF)
    isoform = MODEL_CIF.replace(b"P05067", b"P05067-2")
    archive.add_alphafold("P05067-2", cif=isoform)
    fetcher = Fetcher()

    found = {typed: fetcher.check_db(typed) for typed in ("P05067-1", "P05067-2")}

    assert found == {"P05067-1": ["pdb", "alphafold"], "P05067-2": ["alphafold"]}
    with pytest.raises(StructureNotFoundError, match=r"no isoform P05067-3; it has P05067-1, P05067-2$"):
        fetcher.get_file("P05067-3")


def test_of_a_protein_with_one_sequence_the_first_isoform_is_that_one(archive: Archive) -> None:
    add_protein(archive)
    fetcher = Fetcher()

    assert fetcher.get_file("P05067-1") == (None, CIF.replace(b"4V1W", b"3CCC"))
    assert fetcher.get_file("p05067-1", db="alphafold") == (None, MODEL_CIF)
    assert fetcher.check_db("P05067-1") == ["pdb", "alphafold"]
    assert str(fetcher.get_sequence("P05067-1").seq) == SEQUENCE
    assert str(fetcher.get_sequence("P05067-1", cleave_signal=True).seq) == SEQUENCE[20:]
    for ask in (fetcher.get_file, fetcher.get_sequence):
        with pytest.raises(StructureNotFoundError, match=r"no isoform P05067-7; it has P05067-1$"):
            ask("P05067-7")


@pytest.mark.real_data
def test_the_canonical_model_is_chosen_though_it_is_third_of_ten(
    archive: Archive, real_data: Path, tmp_path: Path
) -> None:
    folder = real_data / "profet"
    record = json.loads(gzip.decompress((folder / "uniprot_P05067.json.gz").read_bytes()))
    archive.add_uniprot(ACCESSION, record)
    archive.add_record(
        "alphafold", ACCESSION, json.loads((folder / "alphafold_prediction_P05067.json").read_text())
    )
    for name in ("AF-P05067-F1-model_v6.cif", "AF-P05067-F1-model_v6.pdb", "AF-P05067-2-F1-model_v6.cif"):
        archive.add_file(
            "alphafold.ebi.ac.uk", f"files/{name}", gzip.decompress((folder / f"{name}.gz").read_bytes())
        )
    fetcher = Fetcher("alphafold", save_directory=tmp_path)

    assert fetcher.get_file("P05067")[1].startswith(b"data_AF-P05067-F1\n")
    assert fetcher.get_file("p05067-2", filesave=True)[0] == str(tmp_path / "p05067-2.cif")
    assert fetcher.get_file("P05067-2")[1].startswith(b"data_AF-P05067-2-F1\n")
    assert fetcher.search_history()["P05067"] == ["pdb", "alphafold"]


@pytest.mark.real_data
def test_of_240_entries_of_one_protein_the_one_that_covers_most_is_chosen(
    archive: Archive, real_data: Path
) -> None:
    record = json.loads(gzip.decompress((real_data / "profet/uniprot_P05067.json.gz").read_bytes()))
    archive.add_uniprot(ACCESSION, record)
    archive.add_structure("8KF4", cif=CIF)
    archive.add_uniprot("P0DTR4", json.loads((real_data / "profet/uniprot_P0DTR4.json").read_text()))
    archive.add_structure("6N1B", cif=CIF)

    assert Fetcher().file_from_db(ACCESSION)[0] == "P05067_8KF4"
    assert Fetcher().file_from_db("P0DTR4")[0] == "P0DTR4_6N1B"


def test_an_unknown_end_of_a_feature_does_not_hinder_fetching(archive: Archive) -> None:
    record = uniprot_record(ACCESSION, SEQUENCE, pdb=[("3CCC", "2.00 A", "A=1-120")])
    record["features"] = [feature("Signal", 1, None)]
    archive.add_uniprot(ACCESSION, record)
    archive.add_structure("3CCC", cif=CIF)

    assert Fetcher().get_file(ACCESSION)[1] == CIF
