"""Asking again: only what has changed is sent, by validators, by release, or by the date of revision."""

from __future__ import annotations

import datetime
import gzip
import hashlib
import json
from pathlib import Path

import pytest

from perc_archive import Archive
from profet import Fetcher, OfflineError, ServiceError, StructureNotFoundError
from profet_samples import Polymer, Residue, Sample, protein, to_mmcif, uniprot_record

SEQUENCE = protein(20)
RESIDUES = [Residue(name=letter, place=n, number=n) for n, letter in enumerate(SEQUENCE, 1)]
CIF = to_mmcif(Sample(polymers=[Polymer(name="A", sequence=SEQUENCE, residues=RESIDUES)]), name="4V1W")
ACCESSION = "P05067"


def revised_on(date: str, cif: bytes = CIF) -> bytes:
    """The structure with the date of its revision."""
    items = f"_pdbx_audit_revision_history.ordinal 1\n_pdbx_audit_revision_history.revision_date {date}\n"
    return cif.replace(b"#\n", b"#\n" + items.encode() + b"#\n", 1)


def serve_with_etag(archive: Archive, body: bytes) -> None:
    packed = gzip.compress(body, mtime=0)
    etag = f'"{hashlib.sha256(packed).hexdigest()[:16]}"'
    archive.add_file("files.rcsb.org", "download/4V1W.cif.gz", packed, headers={"ETag": etag})


def statuses(archive: Archive, match: str = "*") -> list[tuple[str, int]]:
    return [(request.method, request.status) for request in archive.requests(match)]


def test_what_has_a_validator_is_sent_again_only_when_it_has_changed(archive: Archive) -> None:
    archive.add_structure("4V1W", cif=CIF)
    serve_with_etag(archive, CIF)
    fetcher = Fetcher()
    fetcher.get_file("4v1w")

    assert fetcher.get_file("4v1w", refresh=True) == (None, CIF)
    serve_with_etag(archive, CIF + b"#\n")
    assert fetcher.get_file("4v1w") == (None, CIF)  # nobody asks
    assert fetcher.get_file("4v1w", refresh=True) == (None, CIF + b"#\n")
    assert fetcher.get_file("4v1w") == (None, CIF + b"#\n")

    assert statuses(archive) == [("GET", 200), ("GET", 304), ("GET", 200)]
    assert archive.requests()[1].body_bytes_sent == 0
    assert archive.requests()[1].headers["If-None-Match"].startswith('"')


def test_the_sidecar_says_when_the_service_was_last_asked(archive: Archive) -> None:
    archive.add_structure("4V1W", cif=CIF)
    serve_with_etag(archive, CIF)
    fetcher = Fetcher()
    (first,) = fetcher.get_files(["4v1w"])
    (second,) = fetcher.get_files(["4v1w"], refresh=True)

    assert first.provenance is not None
    assert second.provenance is not None
    assert first.provenance.checked is None
    assert second.provenance.retrieved == first.provenance.retrieved
    assert second.provenance.checked is not None
    assert second.provenance.checked > first.provenance.retrieved


def test_a_model_is_asked_for_by_its_api_and_confirmed_by_its_etag(archive: Archive) -> None:
    record = uniprot_record(ACCESSION, SEQUENCE, in_alphafold=True)
    archive.add_uniprot(ACCESSION, record)
    archive.add_alphafold(ACCESSION, cif=CIF, version=6, sequence=SEQUENCE)
    fetcher = Fetcher("alphafold")
    fetcher.get_file(ACCESSION)

    assert fetcher.get_file(ACCESSION, refresh=True)[1] == CIF
    assert [status for _, status in statuses(archive, "alphafold*/files/*")] == [200, 304]

    archive.add_alphafold(ACCESSION, cif=CIF + b"#\n", version=7, sequence=SEQUENCE)
    (result,) = fetcher.get_files([ACCESSION], refresh=True)
    assert result.provenance is not None
    assert result.provenance.source_version == "7"
    assert result.path is not None
    assert result.path.read_bytes() == CIF + b"#\n"
    last = archive.requests("alphafold*/files/*")[-1]
    assert (last.status, "If-None-Match" in last.headers) == (200, False)  # another file has another tag


def test_a_record_of_uniprot_is_confirmed_by_its_release(archive: Archive) -> None:
    record = uniprot_record(ACCESSION, SEQUENCE, pdb=[("4V1W", "2.00 A", "A=1-20")])
    archive.add_uniprot(ACCESSION, record)
    archive.add_structure("4V1W", cif=CIF)
    fetcher = Fetcher()
    fetcher.get_file(ACCESSION)

    fetcher.get_file(ACCESSION, refresh=True)

    assert statuses(archive, "rest.uniprot.org/*") == [("GET", 200), ("HEAD", 200)]

    sidecar = Path("~/.cache/pdb/.profet/uniprot/p05067.json.gz.json").expanduser()
    sidecar.write_text(json.dumps({**json.loads(sidecar.read_text()), "release": "1999_01"}))
    fetcher.get_file(ACCESSION, refresh=True)
    assert statuses(archive, "rest.uniprot.org/*")[2:] == [("HEAD", 200), ("GET", 200)]
    assert json.loads(sidecar.read_text())["release"] != "1999_01"


@pytest.mark.parametrize(
    ("days_ago", "is_sent"),
    [(2, False), (0, True)],  # what came on the day of the revision may be from before it
)
def test_an_entry_without_validators_is_confirmed_by_the_date_of_its_revision(
    days_ago: int, is_sent: bool, archive: Archive
) -> None:
    date = datetime.datetime.now(datetime.UTC).date() - datetime.timedelta(days=days_ago)
    archive.add_structure("4V1W", cif=revised_on(date.isoformat()))
    fetcher = Fetcher()
    before = fetcher.get_file("4v1w")

    assert fetcher.get_file("4v1w", refresh=True) == before
    assert len(archive.requests("files.rcsb.org/*")) == 1 + is_sent
    assert len(archive.requests("data.rcsb.org/*")) == 1


def test_an_entry_whose_date_cannot_be_learnt_is_fetched_again(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PROFET_RETRIES", "0")
    archive.add_structure("4V1W", cif=revised_on("2020-01-01"))
    fetcher = Fetcher()
    before = fetcher.get_file("4v1w")
    archive.add_fault("status", match="data.rcsb.org/*", status=500, times=None)

    assert fetcher.get_file("4v1w", refresh=True) == before
    assert len(archive.requests("files.rcsb.org/*")) == 2
    assert "files of 4V1W are fetched again" in caplog.text


def test_of_many_entries_the_dates_are_asked_for_at_once(archive: Archive) -> None:
    ids = [f"{n}abc" for n in range(1, 9)]
    for pdb_id in ids:
        archive.add_structure(pdb_id.upper(), cif=revised_on("2020-01-01"))
    fetcher = Fetcher()
    fetcher.get_files(ids)

    results = fetcher.get_files(ids, refresh=True)

    assert [result.error for result in results] == [None] * len(ids)
    assert all(result.provenance is not None and result.provenance.checked for result in results)
    assert len(archive.requests("files.rcsb.org/*")) == len(ids)
    assert len(archive.requests("data.rcsb.org/*")) == 1


def test_what_was_found_missing_is_asked_for_again(archive: Archive) -> None:
    fetcher = Fetcher()
    with pytest.raises(StructureNotFoundError):
        fetcher.get_file("4v1w")
    archive.add_structure("4V1W", cif=CIF)
    with pytest.raises(StructureNotFoundError):
        fetcher.get_file("4v1w")  # it is remembered for a day

    assert fetcher.get_file("4v1w", refresh=True) == (None, CIF)


def test_an_old_record_serves_on_where_nothing_new_can_be_had_or_kept(
    archive: Archive, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PROFET_RETRIES", "0")
    record = uniprot_record(ACCESSION, SEQUENCE, pdb=[("4V1W", "2.00 A", "A=1-20")])
    archive.add_uniprot(ACCESSION, record)
    archive.add_structure("4V1W", cif=CIF)
    before = Fetcher().get_file(ACCESSION)
    cache = Path("~/.cache/pdb/.profet").expanduser()
    sidecar = cache / "uniprot/p05067.json.gz.json"
    old = json.dumps({**json.loads(sidecar.read_text()), "retrieved": "2020-01-01T00:00:00+00:00"})
    sidecar.write_text(old)

    archive.add_fault("html", match="rest.uniprot.org/*", times=2)
    assert Fetcher().get_file(ACCESSION) == before  # a web page came in place of the record
    (cache / "claims").rmdir()
    (cache / "claims").write_bytes(b"")  # as good as a folder that may not be written, for root too
    assert Fetcher().get_file(ACCESSION) == before
    assert caplog.text.count("using the record of 2020-01-01") == 2


def test_what_cannot_be_asked_for_is_told_and_stays_in_the_cache(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROFET_RETRIES", "0")
    archive.add_structure("4V1W", cif=CIF)
    serve_with_etag(archive, CIF)
    fetcher = Fetcher()
    fetcher.get_file("4v1w")

    archive.add_fault("status", status=503, times=1)
    with pytest.raises(ServiceError):
        fetcher.get_file("4v1w", refresh=True)
    archive.add_fault("html", times=1)
    assert fetcher.get_files(["4v1w"], refresh=True)[0].error is not None
    monkeypatch.setenv("PROFET_OFFLINE", "1")
    with pytest.raises(OfflineError, match="cannot say if there is news"):
        fetcher.get_file("4v1w", refresh=True)

    assert fetcher.get_file("4v1w") == (None, CIF)


@pytest.fixture
def shared(archive: Archive, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Cache of somebody else that holds 4V1W and may not be written."""
    archive.add_structure("4V1W", cif=CIF)
    monkeypatch.setenv("PROFET_CACHE_DIR", str(tmp_path / "shared"))
    Fetcher().get_file("4v1w")
    (tmp_path / "shared/.profet/claims").rmdir()
    (tmp_path / "shared/.profet/claims").write_bytes(b"")  # as good as read-only, for root too
    return tmp_path / "shared"


def test_a_cache_that_may_not_be_written_serves_what_it_holds(shared: Path, tmp_path: Path) -> None:
    ids = ["1aki", "2aki", "4v1w", "3aki"]

    results = Fetcher(save_directory=tmp_path / "mine").get_files(ids, workers=1)

    assert [result.error is None for result in results] == [False, False, True, False]
    assert (tmp_path / "mine/4v1w.cif").read_bytes() == CIF
    (reason,) = {str(result.error) for result in results if result.error}
    assert reason == (
        f"cannot write {shared}/.profet/claims (Not a directory), so nothing new can be fetched; let "
        "PROFET_CACHE_DIR name a folder that you may write"
    )


def test_offline_works_in_a_cache_that_may_not_be_written(
    shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROFET_OFFLINE", "1")

    assert Fetcher().get_file("4v1w") == (None, CIF)
    with pytest.raises(OfflineError, match="does not hold"):
        Fetcher().get_file("1aki")
