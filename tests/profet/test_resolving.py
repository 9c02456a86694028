"""Many ids are resolved in few requests, and each ends with its file or its own error."""

from __future__ import annotations

from pathlib import Path

import pytest

from perc_archive import Archive
from profet import Fetcher, InactiveAccessionError, InvalidIdError, ServiceError, StructureNotFoundError
from profet.access import Access
from profet.ids import UniProtId, parse_id
from profet.uniprot_batch import find_entries
from profet_samples import Polymer, Residue, Sample, protein, to_mmcif, uniprot_record

SEQUENCE = protein(40)
SAMPLE = Sample(
    polymers=[
        Polymer(
            name="A",
            sequence=SEQUENCE,
            residues=[Residue(name=letter, place=n, number=n) for n, letter in enumerate(SEQUENCE, 1)],
        )
    ]
)
CIF = to_mmcif(SAMPLE, name="1AAA")


def accession(number: int) -> str:
    """The number-th accession of some."""
    return f"P{number // 10:04d}{number % 10}"


def add_proteins(archive: Archive, count: int) -> list[str]:
    """Proteins, each with one entry of its own in the PDB."""
    names = [accession(number) for number in range(count)]
    for number, name in enumerate(names):
        pdb_id = f"1{number:03d}"
        archive.add_uniprot(name, uniprot_record(name, SEQUENCE, pdb=[(pdb_id, "2.00 A", "A=1-40")]))
        archive.add_structure(pdb_id, cif=CIF)
    return names


def test_a_hundred_accessions_take_one_question_and_a_file_each(archive: Archive, tmp_path: Path) -> None:
    names = add_proteins(archive, 100)

    results = Fetcher(save_directory=tmp_path).get_files([*names, names[0].lower()])

    assert [result.error for result in results] == [None] * 101
    assert results[7].path == tmp_path / "p00007_1007.cif"
    assert len(archive.requests("rest.uniprot.org*")) == 1
    assert len(archive.requests()) == 101
    batch = archive.requests("rest.uniprot.org*")[0]
    assert batch.path == "/uniprotkb/accessions"
    Fetcher(save_directory=tmp_path).get_files(names)
    assert len(archive.requests()) == 101


def test_pdb_ids_take_one_request_a_file_and_no_other(archive: Archive, tmp_path: Path) -> None:
    names = [f"{number:04d}" for number in range(1000, 1100)]
    for name in names:
        archive.add_structure(name, cif=CIF)

    results = Fetcher(save_directory=tmp_path).get_files(names)

    assert all(result.error is None for result in results)
    assert len(archive.requests()) == 100


def test_two_thousand_accessions_take_two_or_three_questions(archive: Archive) -> None:
    names = [accession(number) for number in range(1500)] + [f"A0A{n:03d}AAA{n % 10}" for n in range(500)]
    for name in (*names[:3], names[-1]):
        archive.add_uniprot(name, uniprot_record(name, "MKV"))
    identities = [parse_id(name) for name in names]

    found = find_entries(Access(), [item for item in identities if isinstance(item, UniProtId)])

    requests = archive.requests()
    assert len(requests) == 3
    assert all(len(request.query) < 8000 for request in requests)
    assert sorted(found) == sorted([*names[:3], names[-1]])


def test_what_a_batch_cannot_tell_is_asked_for_alone(archive: Archive, tmp_path: Path) -> None:
    names = add_proteins(archive, 3)
    archive.add_uniprot(
        "Q00001",
        {
            "entryType": "Inactive",
            "inactiveReason": {"inactiveReasonType": "MERGED", "mergeDemergeTo": [names[0]]},
        },
    )
    archive.add_uniprot(
        "Q00002",
        {
            "entryType": "Inactive",
            "inactiveReason": {"inactiveReasonType": "DEMERGED", "mergeDemergeTo": ["P63151", "P63150"]},
        },
    )
    archive.add_uniprot("Q00003", {
        "entryType": "Inactive",
        "inactiveReason": {"inactiveReasonType": "DELETED", "deletedReason": "Redundant sequence"},
    })  # fmt: skip
    wanted = [
        *names,
        "Q00001",
        "Q00002",
        "Q00003",
        "Q00004",
        "P00000-7",
        "1000",
        "wrong!",
        f"{names[1]}_SYNTH",
    ]

    fetcher = Fetcher(save_directory=tmp_path)
    results = dict(zip(wanted, fetcher.get_files(wanted), strict=True))

    for name in (*names, "1000", f"{names[1]}_SYNTH"):
        assert (results[name].error, results[name].notes) == (None, ())
    assert results["Q00001"].path == tmp_path / "q00001_1000.cif"
    assert results["Q00001"].notes == ("UniProt has merged Q00001 into P00000",)
    assert results[f"{names[1]}_SYNTH"].path == tmp_path / "p00001_synth_1001.cif"
    assert isinstance(results["Q00002"].error, InactiveAccessionError)
    assert results["Q00002"].error.replaced_by == ("P63151", "P63150")
    assert "Redundant sequence; AlphaFold DB may still have a model" in str(results["Q00003"].error)
    assert "UniProt has no entry Q00004" in str(results["Q00004"].error)
    assert isinstance(results["P00000-7"].error, StructureNotFoundError)
    assert isinstance(results["wrong!"].error, InvalidIdError)
    assert fetcher.search_history()["Q00003"] == []
    asked = [request.path for request in archive.requests("rest.uniprot.org*")]
    assert asked.count("/uniprotkb/accessions") == 1
    assert sorted(set(asked)) == [
        "/uniprotkb/P00000.json",  # where Q00001 was redirected to
        "/uniprotkb/P00001.json",
        "/uniprotkb/P00001_SYNTH.json",
        "/uniprotkb/Q00001.json",
        "/uniprotkb/Q00004.json",
        "/uniprotkb/accessions",
    ]


@pytest.mark.parametrize(("status", "error"), [(400, ServiceError), (503, ServiceError)])
def test_a_batch_that_fails_is_an_error_of_each_and_does_not_become_many_questions(
    status: int, error: type[Exception], archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROFET_RETRIES", "0")
    names = add_proteins(archive, 20)
    archive.add_fault("status", match="*accessions*", status=status, times=None)

    results = Fetcher(save_directory=tmp_path).get_files([*names, "1000"])

    assert all(isinstance(result.error, error) for result in results[:-1])
    assert results[-1].error is None
    assert len(archive.requests("rest.uniprot.org*")) == 1


def test_a_batch_survives_what_services_do(archive: Archive, tmp_path: Path) -> None:
    names = add_proteins(archive, 30)
    archive.add_fault("status", match="*accessions*", status=429, retry_after="0")
    archive.add_fault("html", match="*accessions*")
    archive.add_fault("drop", match="*accessions*", after_bytes=20)

    results = Fetcher(save_directory=tmp_path).get_files(names)

    assert all(result.error is None for result in results)


def test_cleaning_after_a_batch_knows_the_whole_entry(archive: Archive, tmp_path: Path) -> None:
    """The batch asks for less than cleaning needs, and cleaning must not take it for all there is."""
    names = add_proteins(archive, 2)
    record = uniprot_record(names[0], SEQUENCE, pdb=[("1000", "2.00 A", "A=1-40")], signal=(1, 9))
    archive.add_uniprot(names[0], record)
    fetcher = Fetcher(save_directory=tmp_path)

    fetcher.get_files(names)

    assert "nosignal1to9" in fetcher.remove(names[0])
