"""The catalogue where something goes wrong: killed updates, odd files, hostile questions, short answers."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from empiar_entries import entry_record, odd_records
from empiarreader import DamagedDataError, EmpiarIndex, InvalidRequestError, LocalFileError, ServiceError
from empiarreader.catalogue.database import Database
from perc_archive import Archive

API = "www.ebi.ac.uk/empiar/api/entry/*"
UPDATE = "import sys; from empiarreader import EmpiarIndex; EmpiarIndex(sys.argv[1]).update()"
DAY = 24 * 3600


def _fill(archive: Archive, numbers: range, **changes: Any) -> None:
    for number in numbers:
        archive.add_record("empiar", str(number), {**entry_record(number), **changes})


def _content(index: EmpiarIndex) -> list[tuple[Any, ...]]:
    """Everything in a catalogue, and that its index of words belongs to it."""
    with closing(sqlite3.connect(index.path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        connection.execute("INSERT INTO words(words) VALUES ('integrity-check')")
        numbers = connection.execute("SELECT rowid FROM words ORDER BY 1").fetchall()
        rows = connection.execute("SELECT * FROM entries ORDER BY 1").fetchall()
    assert numbers == [row[:1] for row in rows]
    return rows


def _grow_older(index: EmpiarIndex, days: float) -> None:
    with closing(sqlite3.connect(index.path)) as connection, connection:
        connection.execute("UPDATE ranges SET fetched = fetched - ?", (days * DAY,))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> EmpiarIndex:
    """Catalogue of 300 entries; its archive is gone."""
    index = EmpiarIndex(tmp_path_factory.mktemp("catalogue") / "catalogue.sqlite3")
    with Archive(ftp=False) as archive, pytest.MonkeyPatch.context() as patch:
        for name, value in archive.settings().items():
            patch.setenv(name, value)
        _fill(archive, range(10_001, 10_301))
        index.update()
    return index


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=200)
@given(st.text(max_size=60))
@example("\0")
@example("a\0b")
@example('"')
@example('""" AND')
@example("\ud800")
@example("NEAR(a b, 5)")
@example("title:ribosome")
@example("{title imagesets}: a")
@example("^a")
@example("-- ; DROP TABLE entries")
@example("a* *")
@example("* OR *")
@example("½ ⅷ ١")
@example("OR NOT AND")
@example("NOT a OR NOT b")
@example("µ β ß2 ²")
def test_whatever_is_typed_is_no_expression_of_the_database(filled: EmpiarIndex, text: str) -> None:
    for use_synonyms in (True, False):
        try:
            hits = filled.search(text, use_synonyms=use_synonyms, limit=None)
        except InvalidRequestError:
            continue
        assert len(hits) == filled.count(text, use_synonyms=use_synonyms)
        if not hits:
            assert "is empty" not in filled.why_nothing(text, use_synonyms=use_synonyms)
    with pytest.raises(InvalidRequestError):
        filled.search(pdb=f"x{text}' OR 1 --")


def test_numbers_and_texts_that_the_database_could_not_take_are_no_trouble(filled: EmpiarIndex) -> None:
    assert len(filled.search(max_size="999999999999999 PB", limit=10**30)) == len(filled.search(limit=None))
    assert filled.search(min_size="999999999999999 PB") == []
    for name in ("format", "method", "scale"):
        options: dict[str, Any] = {name: "\udcff\0x"}
        assert filled.search(**options) == []
        assert filled.why_nothing(**options)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(odd_records())
def test_a_record_of_any_shape_is_taken_in_and_given_back(tmp_path: Path, record: dict[str, Any]) -> None:
    index = EmpiarIndex(tmp_path / "c.sqlite3")
    record = {"imagesets": [], **record}  # else it would be completed with what the one before said
    Database(index.path).keep_range(10_000, 10_249, {10_002: record})

    assert json.dumps(index.record(10_002), sort_keys=True) == json.dumps(record, sort_keys=True)
    (hit,) = index.search(released=False)
    assert hit.entry_id == 10_002
    assert index.search("10002", released=False) == [hit]


def test_words_in_a_row_have_synonyms_together_and_plurals_are_found(filled: EmpiarIndex) -> None:
    def numbers(text: str, **options: Any) -> set[int]:
        return {hit.entry_id for hit in filled.search(text, limit=None, **options)}

    assert numbers("ribosomes") == numbers("ribosome") != set()
    assert numbers("ribosomes", use_synonyms=False) == set()
    assert numbers("krios ion channel") == numbers("TRPV1") != set()
    assert numbers('"ion channel"') <= numbers("ion channel")


def test_the_word_itself_comes_before_its_synonyms(archive: Archive, tmp_path: Path) -> None:
    record = entry_record(10_001)
    titles = {10_001: "Rhodopsin", 10_002: "A GPCR", 10_003: "Muscarinic receptor", 10_004: "Something else"}
    for number, title in titles.items():
        archive.add_record("empiar", str(number), {**record, "title": title, "imagesets": [], "citation": []})
    index = EmpiarIndex(tmp_path / "c.sqlite3")
    index.update()

    found = [hit.entry_id for hit in index.search("gpcrs")]
    assert found[0] == 10_002
    assert sorted(found) == [10_001, 10_002, 10_003]


def test_withdrawn_entries_are_found_on_request_only(filled: EmpiarIndex) -> None:
    withdrawn = [number for number in range(10_001, 10_301) if entry_record(number)["status"] == "OBS"]

    assert {hit.entry_id for hit in filled.search(released=False, limit=None)} == set(range(10_001, 10_301))
    assert len(filled.search(limit=None)) == 300 - len(withdrawn) < 300
    assert filled.search(emdb=withdrawn[0]) == []
    assert filled.search(emdb=withdrawn[0], released=False)[0].status == "OBS"


def test_a_catalogue_asks_nobody(filled: EmpiarIndex, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EMPIARREADER_OFFLINE", "1")

    assert filled.search("ribosome")
    with pytest.raises(ServiceError, match=r"EMPIARREADER_OFFLINE is set; the catalogue .* may be copied"):
        filled.update(refresh=True)
    assert len(filled) == 300


def test_later_updates_ask_for_the_latest_numbers_alone(archive: Archive, tmp_path: Path) -> None:
    _fill(archive, range(10_002, 13_000, 13))
    index = EmpiarIndex(tmp_path / "c.sqlite3")
    assert index.update().requests == 14  # twelve ranges with entries, two without
    _grow_older(index, 2)
    archive.add_record("empiar", "13001", entry_record(13_001))
    archive.add_record("empiar", "10002", {**entry_record(10_002), "title": "Corrected"})

    later = index.update()
    assert (later.requests, later.new, later.changed) == (8, 1, 0)
    _grow_older(index, 31)
    assert index.update().changed == 1
    _grow_older(index, -2)  # a clock that was wrong
    assert index.update().requests > 10


def test_an_archive_that_grew_beyond_a_gap_is_seen_to_its_end(archive: Archive, tmp_path: Path) -> None:
    _fill(archive, range(13_180, 13_190))
    _fill(archive, range(14_000, 14_003))
    index = EmpiarIndex(tmp_path / "c.sqlite3")
    assert index.update().entries == 10  # nothing says that there is more
    _fill(archive, range(13_600, 13_602))
    assert index.update(refresh=True).entries == 15


def test_an_answer_that_lacks_most_entries_takes_nothing_away(archive: Archive, tmp_path: Path) -> None:
    _fill(archive, range(10_002, 10_102))
    index = EmpiarIndex(tmp_path / "c.sqlite3")
    index.update()
    archive.clear()
    with pytest.raises(ServiceError, match="0 entries from 10000 to 10249, where the catalogue knows 100"):
        index.update(refresh=True)
    assert len(index) == 100
    with pytest.raises(ServiceError, match="no entry at all"):
        EmpiarIndex(tmp_path / "new.sqlite3").update()


def test_what_is_too_much_at_once_is_asked_for_in_halves(archive: Archive, tmp_path: Path) -> None:
    _fill(archive, range(10_002, 10_102))
    archive.add_fault("status", match=API, status=504, times=3)
    index = EmpiarIndex(tmp_path / "c.sqlite3")
    done = index.update()

    assert done.entries == 100
    bodies = [request.headers.get("Content-Length") for request in archive.requests(API)]
    assert len(bodies) == 13 + 2 + 2
    assert done.requests == 15


def test_short_records_are_completed_and_stay_complete(archive: Archive, tmp_path: Path) -> None:
    for number in range(10_002, 10_012):
        record = entry_record(number)
        alone = {name: record.pop(name) for name in ("imagesets", "citation")}
        archive.add_record("empiar", str(number), {**record, "_alone": alone})
    index = EmpiarIndex(tmp_path / "c.sqlite3")
    first = index.update()
    assert (first.short, index.search("Krios")) == (10, [])

    completed = index.update(complete=True)
    assert (completed.requests, completed.changed, completed.short) == (10, 10, 0)
    assert len(index.search("Krios", limit=None)) == 10
    assert index.record(10_002) == entry_record(10_002)

    again = index.update(refresh=True)  # the short records of many, of the same date
    assert (again.changed, again.short) == (0, 0)
    changed = {**entry_record(10_002), "update_date": "2026-01-01"}
    del changed["imagesets"]
    archive.add_record("empiar", "10002", changed)
    assert index.update(refresh=True).short == 1


def test_two_updates_at_once_give_one_whole_catalogue(archive: Archive, tmp_path: Path) -> None:
    _fill(archive, range(10_002, 11_002))
    path = tmp_path / "new" / "c.sqlite3"
    both = [subprocess.Popen([sys.executable, "-c", UPDATE, str(path)]) for _ in range(2)]
    assert [process.wait(60) for process in both] == [0, 0]

    alone = EmpiarIndex(tmp_path / "alone.sqlite3")
    alone.update()
    assert _content(EmpiarIndex(path)) == _content(alone)


def test_an_update_that_is_killed_at_any_moment_leaves_a_whole_catalogue(
    archive: Archive, tmp_path: Path
) -> None:
    _fill(archive, range(10_002, 11_002))
    reference = EmpiarIndex(tmp_path / "reference.sqlite3")
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", UPDATE, str(reference.path)], check=True)
    whole = time.monotonic() - began
    expected = _content(reference)
    index = EmpiarIndex(tmp_path / "c.sqlite3")
    draw, killed = random.Random(4), 0
    for _ in range(12):
        process = subprocess.Popen([sys.executable, "-c", UPDATE, str(index.path)])
        try:
            process.wait(draw.uniform(0.3, 1.0) * whole)
        except subprocess.TimeoutExpired:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            killed += 1
        if index.path.exists() and len(index):
            held = _content(index)
            assert held == expected[: len(held)]
            assert len(held) in {248, 498, 748, 998, 1000}  # ranges of 250 numbers from 10,000 on
    index.update()

    assert killed > 0
    assert _content(index) == expected


def test_a_catalogue_of_an_older_version_is_made_anew_from_what_it_holds(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite3"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executescript(
            """CREATE TABLE entries (entry_id INTEGER PRIMARY KEY, status TEXT, title TEXT, record TEXT);
            CREATE VIRTUAL TABLE words USING fts5(title);
            CREATE TABLE ranges (first INTEGER PRIMARY KEY, fetched REAL, entries INTEGER);
            PRAGMA user_version = 1;"""
        )
        for number in range(10_002, 10_012):
            connection.execute(
                "INSERT INTO entries VALUES (?, 'REL', '', ?)", (number, json.dumps(entry_record(number)))
            )
        connection.execute("INSERT INTO ranges VALUES (10000, 1.0, 10)")
    index = EmpiarIndex(path)

    assert len(index.search("Krios", limit=None)) == 10
    assert index.record(10_005) == entry_record(10_005)
    assert _content(index)


@pytest.mark.parametrize(
    ("version", "message"), [(999, "later version"), (0, "another database")], ids=["later", "foreign"]
)
def test_other_databases_are_left_as_they_are(version: int, message: str, tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite3"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE entries (name TEXT)")
        connection.execute(f"PRAGMA user_version = {version}")
    before = path.read_bytes()

    for use in (lambda: EmpiarIndex(path).search("x"), lambda: EmpiarIndex(path).update()):
        with pytest.raises(DamagedDataError, match=message):
            use()
    assert path.read_bytes() == before


def test_a_damaged_catalogue_says_so_and_is_not_touched(filled: EmpiarIndex, tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite3"
    whole = filled.path.read_bytes()
    path.write_bytes(whole[:8192] + bytes(len(whole) - 8192))
    before = path.read_bytes()

    with pytest.raises(DamagedDataError, match="remove it"):
        EmpiarIndex(path).search("ribosome")
    assert path.read_bytes() == before


@contextmanager
def _for_reading_alone(path: Path) -> Iterator[EmpiarIndex]:
    """Give a copy of a catalogue to somebody who may write neither it nor its folder."""
    folder, user = Path(tempfile.mkdtemp(dir="/tmp")), os.geteuid()
    try:
        index = EmpiarIndex(shutil.copy(path, folder / "c.sqlite3"))
        index.path.chmod(0o444)
        folder.chmod(0o555)
        if user == 0:
            os.seteuid(65534)  # root may write anywhere
        try:
            yield index
        finally:
            os.seteuid(user)
    finally:
        folder.chmod(0o755)
        shutil.rmtree(folder)


def test_a_catalogue_that_may_only_be_read_is_searched(filled: EmpiarIndex, archive: Archive) -> None:
    _fill(archive, range(10_001, 10_250), title="Changed")
    with _for_reading_alone(filled.path) as index:
        assert index.search("ribosome")
        assert index.why_nothing("ribosom") == "'ribosom' occurs in no entry; is ribosome meant?"
        with pytest.raises(LocalFileError, match="readonly"):
            index.update(refresh=True)


def test_a_catalogue_of_an_earlier_version_that_may_only_be_read_says_who_can_renew_it(
    filled: EmpiarIndex, tmp_path: Path
) -> None:
    old = Path(shutil.copy(filled.path, tmp_path / "old.sqlite3"))
    with closing(sqlite3.connect(old)) as connection, connection:
        connection.execute("PRAGMA user_version = 2")
    with (
        _for_reading_alone(old) as index,
        pytest.raises(LocalFileError, match=r"earlier version and cannot be made anew here .*readonly"),
    ):
        index.search("ribosome")
