"""The local catalogue of the archive: few requests, right answers, and nothing lost by an interruption."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from empiarreader import (
    DamagedDataError,
    EmpiarIndex,
    EntryNotFoundError,
    InvalidRequestError,
    LocalFileError,
    ServiceError,
)
from empiarreader.catalogue.online import search_online
from empiarreader.catalogue.words import synonyms
from empiarreader.cli import main
from perc_archive import Archive

API = "www.ebi.ac.uk/empiar/api/entry/*"
KINDS = ("ribosome", "apoferritin", "beta-galactosidase", "spike glycoprotein", "adrenergic receptor")
FORMATS = ("TIFF", "MRC", "EER")


def _record(number: int) -> dict[str, Any]:
    """An entry shaped like the real ones, different for each number and always the same for one."""
    draw = random.Random(number)
    return {
        "title": f"Cryo-EM of {KINDS[number % len(KINDS)]} number {number}",
        "status": "REL",
        "dataset_size": f"{draw.uniform(1, 900):.1f} {draw.choice(['GB', 'TB'])}",
        "experiment_type": "EMDB" if number % 7 else "FIB-SEM",
        "scale": "molecule" if number % 7 else "cell",
        "release_date": f"20{15 + number % 10:02d}-0{1 + number % 9}-15",
        "update_date": "2025-01-01",
        "cross_references": [f"EMD-{number}", {"name": f"EMD-{number + 50_000}"}],
        "related_pdb_entries": [f"{number % 9 + 1}abc"],
        "authors": [{"author": {"name": f"Müller {number}"}}],
        "citation": [{"title": f"Paper on {KINDS[number % len(KINDS)]}", "journal": "Nature", "authors": []}],
        "imagesets": [
            {"name": "Movies", "directory": "data", "data_format": FORMATS[number % 3], "details": "Krios"}
        ],
    }


def _fill(archive: Archive, numbers: range) -> None:
    for number in numbers:
        archive.add_record("empiar", str(number), _record(number))


@pytest.fixture
def index(archive: Archive) -> EmpiarIndex:
    """Catalogue of 600 entries, in three ranges."""
    _fill(archive, range(10_002, 10_602))
    made = EmpiarIndex()
    made.update()
    return made


def test_the_archive_is_taken_in_by_ranges_and_not_asked_again_within_a_day(
    archive: Archive, index: EmpiarIndex
) -> None:
    assert len(index) == 600
    asked = archive.requests(API)
    assert [request.method for request in asked] == ["POST"] * 13  # 250 numbers each, up to the last known
    again = index.update()
    assert (again.requests, again.new, again.changed, again.entries) == (0, 0, 0, 600)
    assert index.record("EMPIAR-10100")["title"] == _record(10_100)["title"]
    with pytest.raises(EntryNotFoundError):
        index.record(99_999)


def test_an_update_finds_what_is_new_changed_and_gone(archive: Archive, index: EmpiarIndex) -> None:
    archive.clear()
    _fill(archive, range(10_003, 10_620))
    archive.add_record("empiar", "10100", {**_record(10_100), "title": "Now about nucleosomes"})
    done = index.update(refresh=True)

    assert (done.new, done.changed, done.removed, done.entries) == (18, 1, 1, 617)
    assert [hit.entry_id for hit in index.search("nucleosomes", use_synonyms=False)] == [10_100]
    with pytest.raises(EntryNotFoundError):
        index.record(10_002)


def test_an_interrupted_update_goes_on_where_it_stopped(archive: Archive) -> None:
    _fill(archive, range(10_002, 10_602))
    archive.add_fault("status", match=API, status=500, every=3, times=None)
    index = EmpiarIndex()
    stopped: list[int] = []

    def stop(done: Any) -> None:
        stopped.append(done.requests)
        if done.requests == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        index.update(progress=stop)
    assert len(index) == 498
    archive.clear()
    _fill(archive, range(10_002, 10_602))
    done = index.update()
    assert (done.requests, done.new, done.entries) == (11, 102, 600)


def test_the_whole_archive_takes_about_fifteen_requests(archive: Archive) -> None:
    _fill(archive, range(10_002, 13_300, 7))
    done = EmpiarIndex().update()

    assert (done.requests, done.entries) == (16, len(range(10_002, 13_300, 7)))


def test_a_search_ranks_filters_and_limits(index: EmpiarIndex) -> None:
    everything = {number: _record(number) for number in range(10_002, 10_602)}

    ribosomes = index.search("ribosome", limit=None, use_synonyms=False)
    assert {hit.entry_id for hit in ribosomes} == {
        n for n, r in everything.items() if "ribosome" in r["title"]
    }
    assert len(index.search("ribosome")) == 20
    for arguments, keeps in (
        ({"format": "eer"}, lambda n, r: n % 3 == 2),
        ({"method": "fib-sem"}, lambda n, r: n % 7 == 0),
        ({"since": "2020", "until": "2021-03"}, lambda n, r: "2020" <= r["release_date"] < "2021-04"),
        ({"emdb": "EMD-60100"}, lambda n, r: n == 10_100),
        ({"emdb": "10100"}, lambda n, r: n == 10_100),
        ({"emdb": "EMD-6010"}, lambda n, r: False),  # the beginning of others
        ({"author": "muller 10100"}, lambda n, r: n == 10_100),
        ({"pdb": "3ABC"}, lambda n, r: n % 9 == 2),
        ({"max_size": "100 GB"}, lambda n, r: _size(r) <= 100e9),
        ({"min_size": 500 * 10**9, "scale": "cell"}, lambda n, r: _size(r) >= 500e9 and n % 7 == 0),
    ):
        found = {hit.entry_id for hit in index.search(limit=None, **arguments)}
        assert found == {n for n, r in everything.items() if keeps(n, r)}, arguments
        both = {hit.entry_id for hit in index.search("spike", limit=None, **arguments)}
        assert both == {n for n in found if "spike" in everything[n]["title"]}
    assert index.count("spike", format="EER") == len(index.search("spike", format="EER", limit=None)) == 40
    sizes = [_size(everything[hit.entry_id]) for hit in index.search("spike", sort="smallest", limit=None)]
    assert sizes == sorted(sizes)
    assert index.search("spike", sort="largest", limit=1)[0].size_bytes == pytest.approx(sizes[-1])
    newest = index.search(limit=3)
    assert [hit.release_date for hit in newest] == ["2024-09-15", "2024-09-15", "2024-09-15"]


def _size(record: dict[str, Any]) -> float:
    number, unit = record["dataset_size"].split()
    return float(number) * {"GB": 1e9, "TB": 1e12}[unit]


def test_the_title_counts_more_than_a_mention(archive: Archive) -> None:
    mention = {**_record(10_005), "title": "Something else"}
    mention["imagesets"][0]["details"] = "calibrated with apoferritin"
    archive.add_record("empiar", "10005", mention)
    archive.add_record("empiar", "10006", {**_record(10_005), "title": "Apoferritin at 1.2 Å"})
    index = EmpiarIndex()
    index.update()

    assert [hit.entry_id for hit in index.search("apoferritin")] == [10_006, 10_005]
    assert [hit.entry_id for hit in index.search("MULLER")] == [10_005, 10_006]  # accents do not matter
    assert [hit.entry_id for hit in index.search('"1.2 Å"')] == [10_006]


def test_words_of_the_field_stand_for_their_synonyms(index: EmpiarIndex) -> None:
    receptors = index.search("GPCR", limit=None)
    assert len(receptors) == 120
    assert all("adrenergic receptor" in hit.title for hit in receptors)
    assert index.search("GPCR", use_synonyms=False) == []
    assert all(word == word.lower() and others for word, others in synonyms().items())


def test_wrong_questions_are_refused(index: EmpiarIndex) -> None:
    for arguments, message in (
        ({"max_size": "much"}, "no size"),
        ({"since": "last year"}, "2024-06-30"),
        ({"since": "2024-13"}, "2024-06-30"),
        ({"text": "***"}, "no word"),
        ({"text": "\0"}, "no word"),
        ({"text": "x" * 1001}, "1001 letters"),
        ({"text": "x " * 41}, "41 words"),
        ({"emdb": "7QK5"}, "EMD-3197"),
        ({"pdb": "EMD-3197"}, "7QK5"),
        ({"min_size": "2 TB", "max_size": "1 TB"}, "at least 2 TB"),
        ({"since": "2024-02", "until": "2024-01"}, "since 2024-02"),
        ({"limit": 0}, "limit"),
        ({"sort": "size"}, "smallest, largest"),
    ):
        with pytest.raises(InvalidRequestError, match=message):
            index.search(**arguments)


def test_a_catalogue_that_is_missing_damaged_or_unreachable_says_so(archive: Archive, tmp_path: Path) -> None:
    with pytest.raises(LocalFileError, match="catalogue update"):
        EmpiarIndex(tmp_path / "none.sqlite3").search("x")
    assert len(EmpiarIndex(tmp_path / "none.sqlite3")) == 0
    (tmp_path / "bad.sqlite3").write_bytes(b"no database" * 100)
    with pytest.raises(DamagedDataError, match="no catalogue"):
        EmpiarIndex(tmp_path / "bad.sqlite3").search("x")
    archive.add_fault("html", match=API, times=None)
    with pytest.raises(ServiceError):
        EmpiarIndex(tmp_path / "new.sqlite3").update()


def test_ebi_search_is_the_way_without_a_catalogue(archive: Archive) -> None:
    _fill(archive, range(10_002, 10_802))
    found = search_online("ribosome", limit=150)

    assert len(found) == 150
    assert all("ribosome" in hit.title and hit.release_date for hit in found)
    assert len({hit.entry_id for hit in found}) == 150
    assert len(archive.requests("www.ebi.ac.uk/ebisearch/*")) == 2
    assert search_online("unheard-of") == []
    line = CliRunner().invoke(main, ["catalogue", "search", "ribosome", "--online", "--limit", "1"])
    assert line.exit_code == 0, line.output
    assert "ribosome" in line.output
    refused = CliRunner().invoke(main, ["catalogue", "search", "ribosome", "--online", "--format", "TIFF"])
    assert refused.exit_code == 2
    archive.add_fault("html", match="www.ebi.ac.uk/ebisearch/*", times=None)
    with pytest.raises(ServiceError):
        search_online("ribosome")
    with pytest.raises(InvalidRequestError):
        search_online(" ")


def test_the_command_line_updates_and_searches(archive: Archive) -> None:
    _fill(archive, range(10_002, 10_102))
    runner = CliRunner()
    missing = runner.invoke(main, ["catalogue", "search", "spike"])
    assert missing.exit_code != 0
    assert "catalogue update" in missing.output
    updated = runner.invoke(main, ["catalogue", "update"])
    assert updated.exit_code == 0, updated.output
    assert "100 entries (100 new, 0 changed, 0 removed) from 13 requests" in updated.output
    options = [
        "--format",
        "TIFF",
        "--max-size",
        "900GB",
        "--method",
        "EMDB",
        "--since",
        "2016",
        "--limit",
        "2",
    ]
    found = runner.invoke(main, ["catalogue", "search", "ribosome", *options])
    assert found.exit_code == 0, found.output
    lines = found.output.splitlines()
    assert len(lines) == 2
    assert all(line.startswith("EMPIAR-1") and "ribosome" in line for line in lines)
    as_json = runner.invoke(main, ["catalogue", "search", "ribosome", "--json", "--limit", "1"])
    assert "ribosome" in json.loads(as_json.stdout)["title"]
    assert runner.invoke(main, ["catalogue", "search", "unheard-of"]).exit_code == 3
    counted = runner.invoke(main, ["catalogue", "search", "ribosome", "--format", "TIFF", "--count"])
    assert int(counted.output) == len([n for n in range(10_002, 10_102) if n % 5 == 0 and n % 3 == 0])
    spikes = runner.invoke(main, ["catalogue", "search", "spike", "--sort", "newest", "--json"])
    dates = [json.loads(line)["release_date"] for line in spikes.stdout.splitlines()]
    assert dates == sorted(dates, reverse=True) != sorted(dates)
    some = runner.invoke(main, ["catalogue", "search", "ribosome", "--limit", "2"])
    assert "2 of 20 entries; --limit 20 shows all" in some.stderr
    assert runner.invoke(main, ["catalogue", "search", "ribosome", "--limit", "2", "-q"]).stderr == ""
    nothing = runner.invoke(main, ["catalogue", "search", "ribosom", "--format", "TIF"])
    assert "'TIF'; there are " in nothing.stderr
    assert "'ribosom' occurs in no entry; is ribosome meant?" in nothing.stderr
    again = runner.invoke(main, ["catalogue", "update", "--json"])
    assert json.loads(again.stdout)["requests"] == 0
    assert "nothing was due; --refresh asks for everything" in again.stderr
    assert runner.invoke(main, ["catalogue", "update", "-q"]).stderr == ""
