"""What code written for profet 1.0.6 relies on."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path

import pytest

import profet
from perc_archive import Archive
from profet import (
    CacheError,
    Fetcher,
    FileType,
    InvalidIdError,
    NotFetchedError,
    RefusedError,
    StructureNotFoundError,
)
from profet.alphafold import Alphafold_DB
from profet.cache import PDBFileCache
from profet.cleaver import Cleaver
from profet.pdb import PDB_DB
from profet_samples import Polymer, Residue, Sample, ligand, protein, to_mmcif, to_pdb, uniprot_record, water

SEQUENCE = protein(60)
RESIDUES = [
    Residue(name=letter, place=n - 25, number=n, uniprot=n, atoms=(("CA", "C"), ("HA", "H")))
    for n, letter in enumerate(SEQUENCE, 1)
    if n > 25
]
SAMPLE = Sample(
    polymers=[
        Polymer(
            name="A",
            sequence=SEQUENCE[25:],
            residues=RESIDUES,
            accession="P45523",
            reference=(26, 60, 26, 60),
        )
    ],
    others=[("A", ligand("SO4", 101, ("S", "S"))), ("A", water(102))],
)
CIF, PDB = to_mmcif(SAMPLE, name="1Q6U"), to_pdb(SAMPLE)


@pytest.fixture
def p45523(archive: Archive) -> Archive:
    """The protein of the published tests: signal peptide 1-25, one PDB entry, a model."""
    record = uniprot_record(
        "P45523", SEQUENCE, signal=(1, 25), pdb=[("1Q6U", "2.45 A", "A=26-60")], in_alphafold=True
    )
    archive.add_uniprot("P45523", record)
    archive.add_structure("1Q6U", cif=CIF, pdb=PDB, accessions=["P45523"])
    archive.add_alphafold("P45523", cif=CIF.replace(b"1Q6U", b"AF-P45523-F1"), pdb=PDB)
    return archive


def test_the_cache_is_a_folder_of_files_named_by_id(tmp_path: Path) -> None:
    cache = PDBFileCache(directory=tmp_path)
    assert cache.path("4V5D", "cif") == str(tmp_path / "4v5d.cif")
    assert cache.path("4V5D", FileType.pdb) == str(tmp_path / "4v5d.pdb")
    assert cache.path("4V5D") == str(tmp_path / "4v5d.cif")

    cache["4V5D"] = ("pdb", "cif", "4V5D cif data")
    cache["1U2P"] = ("alphafold", "pdb", b"1U2P pdb data")
    cache["1U2P"] = ("pdb", "cif", bytearray(b"1U2P cif data"))

    assert cache.find("2J3K") == []
    assert cache.find("4V5D") == [str(tmp_path / "4v5d.cif")]
    assert cache.find("1U2P") == [str(tmp_path / "1u2p.pdb"), str(tmp_path / "1u2p.cif")]
    assert "2J3K" not in cache
    assert "4v5d" in cache
    assert "1U2P" in cache
    assert Path(cache["4v5d"]).read_text() == "4V5D cif data"
    assert Path(cache["1u2p"]).read_text() == "1U2P pdb data"
    assert sorted(cache.items()) == [
        ("1u2p", str(tmp_path / "1u2p.cif")),
        ("1u2p", str(tmp_path / "1u2p.pdb")),
        ("4v5d", str(tmp_path / "4v5d.cif")),
    ]


def test_the_manifest_says_where_each_file_came_from(tmp_path: Path) -> None:
    cache = PDBFileCache(tmp_path)
    cache["4V5D"] = ("pdb", "cif", "x")
    cache["F4HvG8"] = ("alphafold", "pdb", "x")
    (tmp_path / "mine.cif").write_text("x")

    assert Path(cache.manifest) == tmp_path / "manifest.txt"
    assert json.loads(Path(cache.manifest).read_text()) == {
        "4V5D": {"fileorigin": "pdb", "filetype": "cif", "filename": str(tmp_path / "4v5d.cif")},
        "F4HvG8": {"fileorigin": "alphafold", "filetype": "pdb", "filename": str(tmp_path / "f4hvg8.pdb")},
    }
    (tmp_path / "4v5d.cif").unlink()
    assert list(json.loads(Path(cache.manifest).read_text())) == ["F4HvG8"]


def test_what_profet_1_wrote_into_the_manifest_stays_in_it(tmp_path: Path) -> None:
    old = {
        "4v1w": {"fileorigin": "pdb", "filetype": "cif", "filename": "/before/it/was/moved/4v1w.cif"},
        "P12345": {"fileorigin": "alphafold", "filetype": "pdb", "filename": str(tmp_path / "p12345.pdb")},
        "gone": {"fileorigin": "pdb", "filetype": "pdb", "filename": str(tmp_path / "gone.pdb")},
    }
    (tmp_path / "manifest.txt").write_text(json.dumps(old))
    for name in ("4v1w.cif", "p12345.pdb"):
        (tmp_path / name).write_text("x")
    cache = PDBFileCache(tmp_path)
    cache["P12345"] = ("pdb", "pdb", "y")

    manifest = json.loads(Path(cache.manifest).read_text())

    assert manifest == {
        "4v1w": {**old["4v1w"], "filename": str(tmp_path / "4v1w.cif")},
        "P12345": {**old["P12345"], "fileorigin": "pdb"},
    }


@pytest.mark.parametrize(
    "text", ["my notes", "[1]", '{"4v1w": "cif"}', "\ud800".encode("utf-16-le", "surrogatepass")]
)
def test_a_file_that_is_no_manifest_is_never_written_over(text: str | bytes, tmp_path: Path) -> None:
    body = text.encode() if isinstance(text, str) else text
    (tmp_path / "manifest.txt").write_bytes(body)

    with pytest.raises(CacheError, match=r"manifest\.txt is no manifest of profet; move it"):
        _ = PDBFileCache(tmp_path).manifest
    assert (tmp_path / "manifest.txt").read_bytes() == body


def test_files_of_every_type_are_listed_and_found_again(p45523: Archive, tmp_path: Path) -> None:
    cache = PDBFileCache(tmp_path)
    for filetype in ("cif", "cif.gz", "pdb.gz", "bcif"):
        cache["1ABC"] = ("pdb", filetype, "x")
    cache["5v3m.1.C"] = ("swissmodel", "cif", "x")
    for name in ("1abc.cif.part", ".cif", ".1abc.cif", "notes"):
        (tmp_path / name).write_text("x")

    names = ["1abc.bcif", "1abc.cif", "1abc.cif.gz", "1abc.pdb.gz", "5v3m.1.c.cif"]
    assert list(cache.items()) == [
        ("1abc" if name.startswith("1abc") else "5v3m.1.c", str(tmp_path / name)) for name in names
    ]
    assert json.loads(Path(cache.manifest).read_text())["1ABC"]["fileorigin"] == "pdb"
    Fetcher(save_directory=tmp_path).get_file("P45523", "pdb.gz", True)
    path = Fetcher(save_directory=tmp_path).remove("P45523", False, False)  # another process, some day
    assert Path(path).name == "p45523_1q6u_nowater_nohetatm.pdb.gz"


def test_the_folder_is_made_when_the_first_file_comes_however_deep(tmp_path: Path) -> None:
    cache = PDBFileCache(tmp_path / "a" / "b")
    assert list(cache.items()) == []
    assert not (tmp_path / "a").exists()

    cache["1abc"] = ("pdb", "pdb", b"x")

    assert (tmp_path / "a/b/1abc.pdb").read_bytes() == b"x"


def test_what_is_not_there_raises_the_error_it_always_raised(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="no file of 4v5d"):
        PDBFileCache(tmp_path)["4v5d"]


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/b", "", ".hidden", "a\x00b", "x" * 300])
def test_no_id_leads_out_of_the_folder(name: str, tmp_path: Path) -> None:
    cache = PDBFileCache(tmp_path / "inside")

    with pytest.raises(InvalidIdError):
        cache[name] = ("pdb", "pdb", b"x")
    assert list(tmp_path.iterdir()) == []


def test_the_cache_of_a_fetcher_shows_both_types(p45523: Archive, tmp_path: Path) -> None:
    fetcher = profet.Fetcher()
    fetcher.set_directory(str(tmp_path))

    for filetype in ("cif", "pdb"):
        fetcher.get_file(uniprot_id="P45523", filetype=filetype, filesave=True, db="alphafold")

    assert sorted(name for name, _ in fetcher.cache().items()) == ["p45523", "p45523"]
    assert os.path.exists(os.path.join(tmp_path, "p45523.cif"))  # noqa: PTH110, PTH118 - as published


@pytest.mark.parametrize(
    ("words", "suffix", "atoms"),
    [
        ((True, True, True, True), "nosignal1to25_nohydrogens_nowater_nohetatm", 35),
        ((False, True, True, True), "nohydrogens_nowater_nohetatm", 35),
        ((True, False, True, True), "nosignal1to25_nowater_nohetatm", 70),
        ((True, True, False, True), "nosignal1to25_nohydrogens_nohetatm", 36),
        ((True, True, True, False), "nosignal1to25_nohydrogens_nowater", 36),
        ((False, False, False, False), "unmodified", 72),
    ],
)
def test_remove_names_its_files_as_published_and_returns_the_path(
    words: tuple[bool, bool, bool, bool], suffix: str, atoms: int, p45523: Archive, tmp_path: Path
) -> None:
    fetcher = Fetcher()
    fetcher.set_directory(str(tmp_path))
    fetcher.get_file(uniprot_id="P45523", filetype="pdb", filesave=True, db="pdb")
    signal_peptides, hydrogens, water_, hetatoms = words

    path = fetcher.remove(
        "P45523", signal_peptides=signal_peptides, hydrogens=hydrogens, water=water_, hetatoms=hetatoms
    )

    assert path == str(tmp_path / f"p45523_1q6u_{suffix}.pdb")
    text = Path(path).read_text()
    assert text.count("\nATOM") + text.count("\nHETATM") == atoms


def test_what_the_readme_of_profet_1_calls_cuts_off_the_signal_peptide_and_nothing_else(
    p45523: Archive, tmp_path: Path
) -> None:
    fetcher = Fetcher(save_directory=tmp_path)
    fetcher.get_file(uniprot_id="P45523", filetype="pdb", filesave=True, db="alphafold")

    path = fetcher.cleave_off_signal_peptides("P45523")

    assert path == str(tmp_path / "p45523_nosignal1to25.pdb")
    assert Path(path).read_text() == Path(fetcher.remove("P45523", True, False, False, False)).read_text()


def test_remove_asks_nobody_after_the_file_was_fetched(p45523: Archive) -> None:
    fetcher = Fetcher()
    fetcher.get_file("P45523", filesave=True)
    count = len(p45523.requests())

    fetcher.remove("P45523")
    Fetcher().remove("p45523")

    assert len(p45523.requests()) == count


def test_remove_takes_the_file_saved_last_or_the_one_there_is(p45523: Archive, tmp_path: Path) -> None:
    fetcher = Fetcher(save_directory=tmp_path)
    names = {}
    for step, (filetype, db) in enumerate([("cif", "pdb"), ("pdb", "alphafold"), ("cif", "pdb")]):
        fetcher.get_file("P45523", filetype, True, db)
        names[step] = Path(fetcher.remove("P45523")).name.partition("_nosignal")[0]

    assert names == {0: "p45523_1q6u", 1: "p45523", 2: "p45523_1q6u"}
    assert Path(Fetcher(save_directory=tmp_path).remove("P45523")).name.startswith("p45523_nosignal")
    (tmp_path / "p45523.pdb").unlink()
    assert Path(Fetcher(save_directory=tmp_path).remove("P45523")).suffix == ".cif"


def test_remove_finds_what_another_process_has_saved_under_any_form_of_the_id_from_any_database(
    p45523: Archive, tmp_path: Path
) -> None:
    p45523.add_file("www.ebi.ac.uk", "pdbe/entry-files/download/1q6u_updated.cif.gz", gzip.compress(CIF))
    Fetcher("pdbe", tmp_path / "a").get_file("1q6u", filesave=True)
    Fetcher(save_directory=tmp_path / "b").get_file("1Q6U", filesave=True)

    of_pdbe = Fetcher(save_directory=tmp_path / "a").remove("1q6u", False, False)
    of_long_id = Fetcher(save_directory=tmp_path / "b").remove("pdb_00001q6u", False, False)

    assert of_pdbe == str(tmp_path / "a/pdbe/1q6u_nowater_nohetatm.cif")
    assert of_long_id == str(tmp_path / "b/1q6u_nowater_nohetatm.cif")


def test_remove_of_a_pdb_id_works_for_the_proteins_in_the_file(p45523: Archive, tmp_path: Path) -> None:
    fetcher = Fetcher(save_directory=tmp_path)
    fetcher.get_file("1q6u", "pdb", True)

    assert Path(fetcher.remove("1Q6U")).name == "1q6u_nosignal1to25_nohydrogens_nowater_nohetatm.pdb"


def test_remove_writes_where_it_is_told_and_never_over_the_input(p45523: Archive, tmp_path: Path) -> None:
    fetcher = Fetcher(save_directory=tmp_path)
    saved, _ = fetcher.get_file("P45523", "pdb", True)
    assert saved is not None

    assert fetcher.remove("P45523", output_filename=str(tmp_path / "mine.pdb")) == str(tmp_path / "mine.pdb")
    with pytest.raises(RefusedError):
        fetcher.remove("P45523", output_filename=saved)


def test_remove_before_fetching_says_what_to_do(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(NotFetchedError, match=r"fetch it first: get_file\('P45523', filesave=True\)"):
        Fetcher(save_directory=tmp_path).remove("P45523")
    assert archive.requests() == []


def test_the_pdb_database_of_old(p45523: Archive) -> None:
    database = PDB_DB()

    assert database.uniprot_id_to_pdb_id("P45523") == "1Q6U"
    assert database.uniprot_id_to_pdb_id("1q6u") == "1Q6U"
    assert database.check_structure("1Q6U") is True
    assert database.check_structure("P45523") is True
    assert database.check_structure("9zzz") is False
    assert database.make_url("p45523", "cif") == p45523.url("files.rcsb.org", "download/1Q6U.cif")
    assert database.get_pdb("P45523", "pdb") == ("P45523_1Q6U", "pdb", PDB)
    assert database.get_pdb("1q6u")[0] == "1q6u"


def test_results_never_survive_from_one_id_to_the_next(p45523: Archive) -> None:
    p45523.add_uniprot("P0A855", uniprot_record("P0A855", SEQUENCE, pdb=[("2HQS", "1.50 A", "A=1-60")]))
    p45523.add_structure("2HQS", cif=CIF.replace(b"1Q6U", b"2HQS"))
    database = PDB_DB()
    database.get_pdb("P45523")

    assert database.get_pdb("P0A855")[0] == "P0A855_2HQS"


def test_the_alphafold_database_of_old(p45523: Archive) -> None:
    database = Alphafold_DB()

    assert database.check_structure("p45523") is True
    assert database.check_structure("P99999") is False
    assert database.make_url("P45523").endswith("/files/AF-P45523-F1-model_v6.cif")
    assert database.get_file_url("P45523", "pdb").endswith("/files/AF-P45523-F1-model_v6.pdb")
    assert database.get_pdb("P45523", "pdb") == ("P45523", "pdb", PDB)
    with pytest.raises(StructureNotFoundError):
        database.make_url("P99999")
    with pytest.raises(InvalidIdError, match="is a PDB id"):
        database.check_structure("4v1w")


def test_the_cleaver_of_old(p45523: Archive, tmp_path: Path) -> None:
    cleaver = Cleaver()
    path = tmp_path / "a.pdb"
    path.write_bytes(PDB)

    assert cleaver.signal_residuenumbers_requester("P45523") == [(1, 25)]
    cut = cleaver.remove_nonmain(str(path), [(1, 30)])
    kept = cleaver.remove_nonmain(str(path), [], hydrogens=False, water=False, hetatoms=False)
    copied = cleaver.remove_nonmain(str(path), None, False, False, False, False, str(tmp_path / "b.pdb"))

    assert Path(cut).name == "a_nosignal1to30_nohydrogens_nowater_nohetatm.pdb"
    assert Path(cut).read_text().count("\nATOM") == 30
    assert Path(kept).name == "a_nosignalnone.pdb"
    assert Path(copied).read_bytes() == PDB
