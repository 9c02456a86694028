"""Many ids at once: order kept, failures told, nothing asked for twice."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from perc_archive import Archive
from profet import Fetcher, FetchResult, InvalidIdError, ServiceError, StructureNotFoundError
from profet_samples import Polymer, Residue, Sample, protein, to_mmcif, uniprot_record

SEQUENCE = protein(20)
RESIDUES = [Residue(name=letter, place=n, number=n) for n, letter in enumerate(SEQUENCE, 1)]
CIF = to_mmcif(Sample(polymers=[Polymer(name="A", sequence=SEQUENCE, residues=RESIDUES)]))
IDS = [f"{n}abc" for n in range(1, 10)] + [f"{n}xyz" for n in range(1, 10)]


def body(pdb_id: str) -> bytes:
    """A structure that says its id."""
    return CIF.replace(b"data_TEST", b"data_" + pdb_id.upper().encode())


@pytest.fixture
def filled(archive: Archive) -> Archive:
    """Eighteen entries, and a protein with one of them."""
    for pdb_id in IDS:
        archive.add_structure(pdb_id.upper(), cif=body(pdb_id))
    archive.add_uniprot("P12345", uniprot_record("P12345", SEQUENCE, pdb=[("1ABC", "1.00 A", "A=1-20")]))
    return archive


def test_results_come_in_the_order_of_the_ids_with_path_and_origin(filled: Archive, tmp_path: Path) -> None:
    fetcher = Fetcher(save_directory=tmp_path)

    results = fetcher.get_files([*IDS, "P12345"], workers=6)

    assert [result.id for result in results] == [*IDS, "P12345"]
    assert [result.path for result in results[:-1]] == [tmp_path / f"{pdb_id}.cif" for pdb_id in IDS]
    assert results[-1].path == tmp_path / "p12345_1abc.cif"
    assert all(result.error is None and result.database == "pdb" for result in results)
    for result in results[:-1]:
        assert result.path is not None
        assert result.provenance is not None
        assert result.path.read_bytes() == body(result.id)
        assert result.provenance.url.endswith(f"/download/{result.id.upper()}.cif.gz")
    assert set(fetcher.search_history()) == {*IDS, "P12345"}
    assert len(filled.requests()) == len(IDS) + 1


def test_what_is_no_text_is_a_wrong_id_like_any_other(filled: Archive, tmp_path: Path) -> None:
    ids = ["1abc", None, float("nan"), 7, "", "2abc"]  # as a column of a table may have

    results = Fetcher(save_directory=tmp_path).get_files(ids, workers=2)  # type: ignore[arg-type]

    assert [result.id for result in results] == ids
    assert [type(result.error) for result in results] == [type(None), *[InvalidIdError] * 4, type(None)]


def test_a_failure_is_a_result_and_the_others_go_on(
    filled: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROFET_RETRIES", "0")
    filled.add_fault("status", match="*/2ABC.cif.gz", status=500)

    results = Fetcher(save_directory=tmp_path).get_files(["1abc", "2abc", "9zzz", "wrong!", "3abc"])

    assert [type(result.error) for result in results] == [
        type(None), ServiceError, StructureNotFoundError, InvalidIdError, type(None),
    ]  # fmt: skip
    assert [result.path is None for result in results] == [False, True, True, True, False]
    assert sorted(path.name for path in tmp_path.glob("*.*")) == [".profet", "1abc.cif", "3abc.cif"]


def test_an_id_given_twice_is_fetched_once(filled: Archive) -> None:
    results = Fetcher().get_files(["1abc", "1ABC", "1abc", "pdb_00001abc", "P12345"], workers=5)

    assert [result.id for result in results] == ["1abc", "1ABC", "1abc", "pdb_00001abc", "P12345"]
    assert all(result.error is None for result in results)
    assert sum("1ABC" in request.path for request in filled.requests()) == 1


def test_progress_is_told_once_for_each_id(filled: Archive) -> None:
    seen: list[FetchResult] = []

    results = Fetcher().get_files([*IDS, IDS[0]], progress=seen.append)

    assert sorted(result.id for result in seen) == sorted(IDS)
    assert len(results) == len(IDS) + 1
    assert Fetcher().get_files([]) == []
    assert [result.error for result in Fetcher().get_files("1abc")] == [None]


def test_an_interruption_ends_the_batch(filled: Archive) -> None:
    def interrupt(_: FetchResult) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        Fetcher().get_files(IDS, progress=interrupt, workers=1)
    assert len(filled.requests()) < len(IDS)


def test_processes_that_fetch_the_same_ids_leave_whole_files(filled: Archive, tmp_path: Path) -> None:
    code = f"import profet; rs = profet.Fetcher().get_files({IDS!r}); assert not any(r.error for r in rs), rs"
    environment = {**os.environ, "PROFET_CACHE_DIR": str(tmp_path)}

    jobs = [subprocess.Popen([sys.executable, "-c", code], env=environment) for _ in range(3)]

    assert [job.wait(60) for job in jobs] == [0, 0, 0]
    assert [(tmp_path / f"{pdb_id}.cif").read_bytes() for pdb_id in IDS] == list(map(body, IDS))
    assert not list(tmp_path.rglob("*.part"))
