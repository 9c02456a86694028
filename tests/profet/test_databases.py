"""Databases behind one protocol: profet's own, those that others add, and what each is asked for."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import json
from pathlib import Path

import pytest

import profet.databases
from perc_archive import Archive
from profet import DamagedFileError, Fetcher, InvalidChoiceError, StructureNotFoundError, settings
from profet.access import Access
from profet.command_line import main
from profet.databases.protocol import Database
from profet.obsolete import read_list
from profet.store import Key, Store
from profet_samples import Polymer, Residue, Sample, protein, to_mmcif, to_pdb, uniprot_record

ACCESSION = "P05067"
SEQUENCE = protein(60)
SAMPLE = Sample(
    polymers=[
        Polymer(
            name="A",
            sequence=SEQUENCE,
            residues=[Residue(name=letter, place=n, number=n) for n, letter in enumerate(SEQUENCE, 1)],
        )
    ]
)
CIF, PDB = to_mmcif(SAMPLE, name="1AAA"), to_pdb(SAMPLE)
BINARY = b"\x83\xa7encoder\xa4test\xa7version\xa50.3.0\xaadataBlocks\x90"


@pytest.fixture
def filled(archive: Archive) -> Archive:
    """A protein with an entry from X-rays and one from NMR, and a model."""
    entries = [("1AAA", "1.50 A", "A=1-60"), ("2BBB", "-", "A=1-30")]
    record = uniprot_record(ACCESSION, SEQUENCE, pdb=entries, in_alphafold=True)
    record["uniProtKBCrossReferences"][1]["properties"][0]["value"] = "NMR"  # type: ignore[index]
    archive.add_uniprot(ACCESSION, record)
    archive.add_structure("1AAA", cif=CIF, pdb=PDB)
    archive.add_alphafold(ACCESSION, cif=CIF.replace(b"1AAA", b"AF-P05067-F1"), sequence=SEQUENCE)
    return archive


def asked(archive: Archive) -> list[str]:
    return [f"{request.host}{request.path}" for request in archive.requests()]


@pytest.mark.parametrize("name", profet.databases.names())
def test_every_database_keeps_to_the_protocol(name: str, archive: Archive) -> None:
    database = profet.databases.open_database(name, Access())

    assert isinstance(database, Database)
    assert database.name == name


@pytest.mark.parametrize(
    ("filetype", "place", "body", "answer"),
    [
        ("cif", "files.rcsb.org/download/1AAA-assembly1.cif", CIF, CIF),
        ("pdb", "files.rcsb.org/download/1AAA.pdb1", PDB, PDB),
        ("cif.gz", "files.rcsb.org/download/1AAA-assembly1.cif", CIF, None),
    ],
)
def test_an_assembly_is_another_file_than_the_deposited_unit(
    filetype: str, place: str, body: bytes, answer: bytes | None, filled: Archive, tmp_path: Path
) -> None:
    host, _, path = place.partition("/")
    changed = body.replace(b"4.000", b"4.444")
    filled.add_file(host, path, changed)
    fetcher = Fetcher(save_directory=tmp_path)

    unit, unit_data = fetcher.get_file("1aaa", filetype, filesave=True)
    assembly, data = fetcher.get_file("1aaa", filetype, filesave=True, assembly=1)
    of_protein, _ = fetcher.get_file(ACCESSION, filetype, filesave=True, assembly=1)

    assert Path(unit or "").name == f"1aaa.{filetype}"
    assert Path(assembly or "").name == f"1aaa-assembly1.{filetype}"
    assert Path(of_protein or "").name == f"p05067_1aaa-assembly1.{filetype}"
    assert (data if answer else gzip.decompress(data)) == changed != unit_data
    assert f"{place}.gz" in asked(filled)
    assert len(filled.requests()) == 3  # the protein's assembly was in the cache: only UniProt was asked


def test_an_assembly_that_is_not_there_is_not_replaced_by_something_else(filled: Archive) -> None:
    fetcher = Fetcher()

    with pytest.raises(StructureNotFoundError, match="the PDB has no assembly 7 of 1aaa"):
        fetcher.get_file("1aaa", assembly=7)
    with pytest.raises(StructureNotFoundError, match="no structure of assembly 7 of P05067 in pdb"):
        fetcher.get_file(ACCESSION, assembly=7)
    for wrong in (0, -1):
        with pytest.raises(InvalidChoiceError, match="counted from 1"):
            fetcher.get_file("1aaa", assembly=wrong)
    with pytest.raises(InvalidChoiceError, match="alphafold has no biological assemblies"):
        fetcher.get_file(fetcher.find(ACCESSION)[-1], assembly=1)


def test_compressed_files_are_the_same_files(filled: Archive, tmp_path: Path) -> None:
    fetcher = Fetcher(save_directory=tmp_path)

    path, data = fetcher.get_file("1aaa", "cif.gz", filesave=True)

    assert Path(path or "").name == "1aaa.cif.gz"
    assert gzip.decompress(data) == CIF == fetcher.get_file("1aaa", "cif")[1]
    assert asked(filled) == ["files.rcsb.org/download/1AAA.cif.gz"]


def test_binary_cif_comes_from_where_it_is_kept_and_mmcif_where_it_is_not(
    filled: Archive, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    filled.add_file("models.rcsb.org", "1AAA.bcif", BINARY)
    filled.add_structure("3CCC", cif=CIF)
    fetcher = Fetcher(save_directory=tmp_path)

    assert fetcher.get_file("1aaa", "bcif", filesave=True) == (str(tmp_path / "1aaa.bcif"), BINARY)
    assert caplog.text == ""
    assert fetcher.get_file("3ccc", "bcif")[1] == CIF
    assert "3ccc does not exist as bcif; it came as cif" in caplog.text


@pytest.mark.real_data
def test_real_binary_cif_is_what_biotite_reads(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from biotite.structure.io import pdbx

    with Archive(real_data=real_data, ftp=False) as archive:
        for name, value in archive.settings().items():
            monkeypatch.setenv(name, value)
        path, data = Fetcher(save_directory=tmp_path).get_file("1gbt", "bcif", filesave=True)
    assert data == gzip.decompress((real_data / "profet/1gbt.bcif.gz").read_bytes())
    assert pdbx.get_structure(pdbx.BinaryCIFFile.read(path), model=1).array_length() > 1600


def test_pdbe_gives_the_updated_file_in_a_folder_of_its_own(filled: Archive, tmp_path: Path) -> None:
    updated = CIF.replace(b"_struct.title", b"_struct.pdbx_title")
    filled.add_file("www.ebi.ac.uk", "pdbe/entry-files/download/1aaa_updated.cif.gz", gzip.compress(updated))
    fetcher = Fetcher("pdbe", save_directory=tmp_path)

    path, data = fetcher.get_file("1aaa", filesave=True)
    (result,) = fetcher.get_files([ACCESSION])

    assert (path, data) == (str(tmp_path / "pdbe/1aaa.cif"), updated)
    assert (result.database, result.path) == ("pdbe", tmp_path / "pdbe/p05067_1aaa.cif")
    assert result.provenance is not None
    assert (result.provenance.database, result.provenance.id) == ("pdbe", "1AAA")
    assert fetcher.get_file("1aaa", db="pdb")[1] == CIF


def test_pdb_redo_is_asked_for_crystals_and_the_pdb_where_it_has_nothing(
    filled: Archive, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    redone = CIF.replace(b"4.000", b"4.111")
    filled.add_file("pdb-redo.eu", "db/1aaa/1aaa_final.cif", redone)
    filled.add_structure("2BBB", cif=CIF)
    fetcher = Fetcher("pdbredo", save_directory=tmp_path)

    assert [hit.id for hit in fetcher.find(ACCESSION, databases=["pdbredo"])] == ["1AAA"]
    assert fetcher.get_file(ACCESSION, filesave=True) == (str(tmp_path / "pdbredo/p05067_1aaa.cif"), redone)
    assert caplog.text == ""
    (result,) = fetcher.get_files(["2bbb"])
    assert (result.database, result.path) == ("pdb", tmp_path / "2bbb.cif")
    assert result.notes == ("2bbb: not in pdbredo, taken from pdb",)
    assert "2bbb: not in pdbredo, taken from pdb" in caplog.text


def beacon(name: str, provider: str, **facts: object) -> dict[str, object]:
    """A model as the hub lists it."""
    summary = {
        "model_identifier": name,
        "provider": provider,
        "model_category": "TEMPLATE-BASED",
        "model_url": f"https://swissmodel.expasy.org/{name}.pdb?x=1",
        "model_format": "PDB",
        "uniprot_start": 1,
        "uniprot_end": 30,
        **facts,
    }
    return {"summary": summary}


def test_beacons_bring_models_of_others_and_say_whose(filled: Archive, tmp_path: Path) -> None:
    entities = [
        {"entity_type": "POLYMER", "identifier": ACCESSION, "chain_ids": ["_"]},
        {"entity_type": "POLYMER", "identifier": "P99999", "chain_ids": ["B"]},
    ]
    entry = {
        "model_category": "EXPERIMENTALLY DETERMINED",
        "experimental_method": "X-RAY DIFFRACTION",
        "model_format": "MMCIF",
        "sequence_identity": 100.0,
        "coverage": 0.4,
        "resolution": 1.5,
        "entities": entities,
    }
    structures = [
        beacon("P05067_1-30:1abc.1.A", "SWISS-MODEL", coverage=50.0, sequence_identity=86.0),
        beacon("AF-P05067-F1", "AlphaFold DB", model_category="AB-INITIO", model_format="MMCIF"),
        beacon("1aaa", "PDBe", **entry),
        beacon("other", "ModelArchive", model_url="file:///etc/passwd"),
        beacon("stranger", "SASBDB", model_format="ZIP"),
    ]
    filled.add_record("beacons", ACCESSION, {"structures": structures})
    filled.add_file("swissmodel.expasy.org", "P05067_1-30:1abc.1.A.pdb", PDB)
    fetcher = Fetcher("3dbeacons", save_directory=tmp_path)

    hits = {hit.provider: hit for hit in fetcher.find(ACCESSION, databases=["3dbeacons"])}

    assert set(hits) == {"SWISS-MODEL", "AlphaFold DB", "PDBe"}
    swiss = hits["SWISS-MODEL"]
    assert (swiss.coverage, swiss.sequence_identity, swiss.range) == (0.5, 0.86, (1, 30))
    assert (hits["PDBe"].database, hits["PDBe"].id, hits["PDBe"].sequence_identity) == ("pdbe", "1AAA", 1.0)
    assert (hits["PDBe"].chains, hits["PDBe"].method) == (("_",), "X-ray")
    assert hits["AlphaFold DB"].database == "alphafold"
    path, data = fetcher.get_file(swiss, "pdb", filesave=True)
    assert data == PDB
    assert Path(path or "").parent == tmp_path / "3dbeacons"
    assert fetcher.get_file(hits["AlphaFold DB"])[1].startswith(b"data_AF")
    (result,) = Fetcher("swissmodel").get_files([ACCESSION])
    assert (result.database, result.filetype) == ("swissmodel", "pdb")
    assert result.notes == (f"{ACCESSION}_{swiss.label} does not exist as cif; it came as pdb",)


@pytest.mark.real_data
def test_recorded_beacons_are_fractions_whatever_their_provider_says(
    real_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Archive(real_data=real_data, ftp=False) as archive:
        for name, value in archive.settings().items():
            monkeypatch.setenv(name, value)
        fetcher = Fetcher(save_directory=tmp_path)
        hits = fetcher.find("P38634", databases=["3dbeacons"])
        path, data = fetcher.get_file("Q9NTW7", db="swissmodel", filesave=True)
    assert len(hits) == 23
    assert all(0 <= (hit.sequence_identity or 0) <= 1 for hit in hits)
    (fused,) = [hit for hit in hits if hit.id == "8K0G"]
    assert (fused.coverage, fused.sequence_identity) == (0.165, 0.86)
    assert [part[1:] for part in fused.segments] == [(2, 5), (6, 48)]
    assert Path(path or "").parent.name == "swissmodel"
    assert data.count(b"\nHETATM") == 6  # zinc ions


def test_the_worked_template_fetches_domains(filled: Archive, tmp_path: Path) -> None:
    domains = [
        {"ted_id": f"AF-P05067-F1-model_v4_TED0{n}", "chopping": chopping, "cath_label": "3.30.1490.140"}
        for n, chopping in ((1, "5-14"), (2, "16-20_31-55"))
    ]
    body = json.dumps({"count": 2, "data": domains}).encode()
    filled.add_file("ted.cathdb.info", f"api/v1/uniprot/summary/{ACCESSION}", body)
    filled.add_file("ted.cathdb.info", "api/v1/files/AF-P05067-F1-model_v4_TED02.pdb", PDB)
    fetcher = Fetcher("ted", save_directory=tmp_path)

    first, second = fetcher.find(ACCESSION, databases=["ted"])

    assert (first.label, first.coverage, first.range) == ("TED02", 0.5, (16, 55))
    assert first.segments == (("A", 16, 20), ("A", 31, 55))
    assert second.coverage == pytest.approx(10 / 60)
    path, data = fetcher.get_file(ACCESSION, "pdb", filesave=True)
    assert (Path(path or "").relative_to(tmp_path), data) == (Path("ted/p05067_ted02.pdb"), PDB)
    filled.add_file("ted.cathdb.info", "api/v1/uniprot/summary/P45523", b'{"data": [{"ted_id": 5}]}')
    with pytest.raises(DamagedFileError, match="TED sent a list that cannot be understood"):
        fetcher.find("P45523", databases=["ted"])


_PACKAGE = """
from profet.databases.protocol import Target
from profet.enums import FileType
from profet.hits import StructureHit
from profet.store import Key, Stored

class Lab:
    name = "lab"
    def __init__(self, access):
        self._access = access
    def find(self, target):
        return [StructureHit(database="lab", id=target.accession, coverage=1.0)] if target.accession else []
    def fetch(self, hit, filetype):
        key = Key(source="lab", id=hit.id, extension=filetype)
        url = "{url}/" + hit.id + "." + filetype
        return self._access.file(key, lambda: url, lambda data: "7", etag_is_md5=False)
"""


@pytest.fixture
def installed(filled: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Archive:
    """A package of somebody else's, installed as pip would, that brings two databases."""
    site = tmp_path / "site"
    (site / "lab-1.0.dist-info").mkdir(parents=True)
    (site / "lab-1.0.dist-info/METADATA").write_text("Metadata-Version: 2.1\nName: lab\nVersion: 1.0\n")
    points = (
        "[profet.databases]\nlab = lab_of_others:Lab\nbroken = no_such_module:Lab\npdb = lab_of_others:Lab\n"
    )
    (site / "lab-1.0.dist-info/entry_points.txt").write_text(points)
    (site / "lab_of_others.py").write_text(_PACKAGE.replace("{url}", filled.url("ftp.ebi.ac.uk", "lab")))
    monkeypatch.syspath_prepend(str(site))
    filled.add_file("ftp.ebi.ac.uk", f"lab/{ACCESSION}.cif", CIF.replace(b"1AAA", b"LAB"))
    return filled


def test_an_installed_package_adds_a_database(installed: Archive, tmp_path: Path) -> None:
    fetcher = Fetcher("lab", save_directory=tmp_path)

    path, data = fetcher.get_file(ACCESSION, filesave=True)
    (result,) = fetcher.get_files([ACCESSION])

    assert (path, data[:8]) == (str(tmp_path / "lab/p05067.cif"), b"data_LAB")
    assert result.provenance is not None
    assert (result.provenance.database, result.provenance.source_version) == ("lab", "7")
    assert "lab" in profet.databases.names()
    assert Fetcher("pdb").get_file("1aaa")[1] == CIF  # nobody takes the place of profet's own
    with pytest.raises(InvalidChoiceError, match=r"broken \(no_such_module:Lab\) cannot be loaded"):
        Fetcher("broken").get_file(ACCESSION)


def test_the_command_line_knows_installed_databases(
    installed: Archive, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main([ACCESSION, "--main_db=lab", f"--save_directory={tmp_path}"])

    assert capsys.readouterr().out == f"Saved {ACCESSION} to '{tmp_path}/lab/p05067.cif'\n"


def test_a_program_registers_a_database(filled: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    from profet.databases.rcsb import Rcsb

    class Mine(Rcsb):
        name = "mine"

    monkeypatch.setattr(profet.databases, "_registered", {})
    profet.databases.register("mine", Mine)

    assert Fetcher("mine").get_file("1aaa", db="mine")[1] == CIF
    assert "mine" in profet.databases.names()
    for wrong in ("pdb", "Mine", "../mine", ""):
        with pytest.raises(InvalidChoiceError):
            profet.databases.register(wrong, Mine)
    with pytest.raises(InvalidChoiceError, match="no database 'swiss'; profet knows pdb, alphafold"):
        Fetcher("swiss")


def test_documents_say_how_far_a_model_can_be_trusted(filled: Archive, tmp_path: Path) -> None:
    fetcher = Fetcher(save_directory=tmp_path)

    path, plddt = fetcher.get_confidence(ACCESSION, filesave=True)
    _, pae = fetcher.get_confidence("AF-P05067-F1", "pae")

    assert path == str(tmp_path / "p05067.plddt.json")
    assert json.loads(plddt)["confidenceScore"] == [10.0] * 60
    assert len(json.loads(pae)[0]["predicted_aligned_error"]) == 60
    assert len(filled.requests("alphafold*")) == 3
    with pytest.raises(InvalidChoiceError, match="profet knows plddt, pae"):
        fetcher.get_confidence(ACCESSION, "msa")  # type: ignore[arg-type]
    with pytest.raises(StructureNotFoundError):
        fetcher.get_confidence("1aaa")


def test_a_model_is_asked_for_by_its_name(filled: Archive, tmp_path: Path) -> None:
    fetcher = Fetcher(save_directory=tmp_path)

    path, data = fetcher.get_file("AF-P05067-F1-model_v6", filesave=True)

    assert Path(path or "").name == "af-p05067-f1-model_v6.cif"
    assert data.startswith(b"data_AF")
    assert "rest.uniprot.org" not in " ".join(asked(filled))
    with pytest.raises(StructureNotFoundError, match="serves version 6 of AF-P05067-F1 and no other"):
        fetcher.get_file("AF-P05067-F1-model_v4")
    with pytest.raises(StructureNotFoundError, match="only within the archive of its proteome"):
        fetcher.get_file("AF-P05067-F2")


@pytest.mark.parametrize(
    ("listed", "successors"),
    [
        ({"9OLD": ["9MID"], "9MID": ["1AAA"]}, ("1AAA",)),
        ({"9OLD": ["9MID", "2BBB"], "9MID": ["9NEW"], "9NEW": ["2BBB", "1AAA"]}, ("2BBB", "1AAA")),
        ({"9OLD": ["9MID"], "9MID": []}, ()),
        ({"9OLD": ["9MID"], "9MID": ["9OLD"]}, ()),
    ],
)
def test_what_took_the_place_of_a_withdrawn_entry_may_have_been_withdrawn_too(
    listed: dict[str, list[str]], successors: tuple[str, ...]
) -> None:
    lines = [f"OBSLTE    01-JAN-20 {old}     {'     '.join(new)}".rstrip() for old, new in listed.items()]

    withdrawn = read_list("\n".join(lines), "9OLD")

    assert withdrawn is not None
    assert withdrawn.successors == successors


def test_a_version_that_is_asked_for_is_not_answered_with_an_older_one_of_the_cache(
    filled: Archive, tmp_path: Path
) -> None:
    fetcher = Fetcher(save_directory=tmp_path)
    _, new = fetcher.get_file("AF-P05067-F1")
    store, key = Store(settings.cache_directory()), Key(source="alphafold", id="P05067", extension="cif")
    origin, old = store.origin(key), new.replace(b"data_AF", b"data_OLD")
    assert origin is not None
    url = origin.url.replace("v6", "v4")
    digest = hashlib.sha256(old).hexdigest()
    store.put(
        key, gzip.compress(old), dataclasses.replace(origin, source_version="4", url=url, sha256=digest)
    )

    assert fetcher.get_file("AF-P05067-F1")[1] == old  # what the cache holds serves until it is refreshed
    assert fetcher.get_file("AF-P05067-F1-model_v6")[1] == new
    assert fetcher.get_file("AF-P05067-F1")[1] == new
    (hit,) = fetcher.find("AF-P05067-F1-model_v6", databases="alphafold")
    assert fetcher.get_file(hit)[1] == new


@pytest.mark.parametrize(
    ("successors", "message"),
    [
        (["1AAA"], None),
        (["1AAA", "2BBB"], r"the PDB has withdrawn 9OLD \(01-JAN-20\): ask for 1AAA or 2BBB"),
        ([], r"the PDB has withdrawn 9OLD \(01-JAN-20\), and nothing took its place"),
        (["9NON"], r"9NON took its place, but has no file either"),
    ],
)
def test_a_withdrawn_entry_is_followed_or_explained(
    successors: list[str], message: str | None, filled: Archive, tmp_path: Path
) -> None:
    filled.add_record("obsolete", "9OLD", {"date": "01-JAN-20", "successors": successors})
    fetcher = Fetcher(save_directory=tmp_path)

    if message is None:
        (result,) = fetcher.get_files(["9old"])
        assert result.path == tmp_path / "9old_1aaa.cif"
        assert result.path.read_bytes() == CIF
        assert result.provenance is not None
        assert result.provenance.id == "1AAA"
        assert result.notes == ("the PDB has withdrawn 9OLD (01-JAN-20); 1AAA took its place",)
        cleaned = fetcher.remove("9old", signal_peptides=False)
        assert cleaned == str(tmp_path / "9old_1aaa_nohydrogens_nowater_nohetatm.cif")
    else:
        with pytest.raises(StructureNotFoundError, match=message):
            fetcher.get_file("9old")
    fetcher.get_files(["9ol2", "9ol3"])
    assert len(filled.requests("files.wwpdb.org*")) == 1
