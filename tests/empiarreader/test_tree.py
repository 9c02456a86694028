"""Walking the directories of an entry over HTTP, and what is said about those that are not there."""

from __future__ import annotations

from time import perf_counter

import pytest

from empiarreader import ArchiveFileNotFoundError, EmpiarEntry, EntryNotFoundError, ServiceError
from empiarreader.listing import tree
from perc_archive import Archive

HOST = "ftp.ebi.ac.uk"
PAGES = f"{HOST}/empiar/world_availability/*/"


@pytest.fixture
def entry(archive: Archive) -> EmpiarEntry:
    files = {f"data/GridSquare_{square}/Data/m{k}.mrc": b"x" * k for square in range(6) for k in range(3)}
    archive.add_entry(10943, {**files, "data/gain ref.mrc": b"g", "data/Atlas/atlas#1.mrc": b"a"})
    return EmpiarEntry(10943)


@pytest.mark.parametrize("style", ["table", "table-truncated", "pre", "ul"])
def test_find_returns_matches_by_path_in_any_layout_of_the_pages(
    entry: EmpiarEntry, archive: Archive, style: str
) -> None:
    archive.listing_style = style
    found = entry.find("data/**/*.mrc")

    assert len(found) == 6 * 3 + 2
    assert [file.path for file in found] == sorted(file.path for file in found)
    assert found[0].path == "data/Atlas/atlas#1.mrc"
    assert found[0].url == archive.url(HOST, "empiar/world_availability/10943/data/Atlas/atlas#1.mrc")


def test_only_directories_that_can_hold_a_match_are_asked_for(entry: EmpiarEntry, archive: Archive) -> None:
    entry.find("data/GridSquare_[12]/Data/*.mrc")
    asked = [request.path.partition("10943/")[2] for request in archive.requests(PAGES)]

    assert sorted(asked) == [
        "",
        "data/",
        "data/GridSquare_1/",
        "data/GridSquare_1/Data/",
        "data/GridSquare_2/",
        "data/GridSquare_2/Data/",
    ]


def test_find_begins_in_a_directory_and_takes_regular_expressions(entry: EmpiarEntry) -> None:
    assert [file.path for file in entry.find("*.mrc", directory="/data/")] == ["data/gain ref.mrc"]
    assert [file.path for file in entry.find(r"Square_5/.*m2\.mrc$", regexp=True)] == [
        "data/GridSquare_5/Data/m2.mrc"
    ]
    assert entry.find("data/*.tif") == []


def test_a_tree_without_end_is_given_up(archive: Archive, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tree, "_DEEPEST", 3)
    archive.add_entry(10944, {"a/b/c/d/e.mrc": b"x", "a/b/c/d/e/f.mrc": b"x"})

    with pytest.raises(ServiceError, match="nested without end"):
        EmpiarEntry(10944).find("**")


def test_walk_lists_every_directory_once(entry: EmpiarEntry, archive: Archive) -> None:
    walked = {directory.path: len(directory.files) for directory in entry.walk()}

    assert walked[""] == 1  # the entry's XML
    assert walked["data/GridSquare_3/Data"] == 3
    assert len(walked) == len(archive.requests(PAGES)) == 2 + 6 * 2 + 1


def test_directories_are_asked_for_many_at_a_time(archive: Archive) -> None:
    archive.add_entry(10002, {f"data/d{k:02d}/a.mrc": b"x" for k in range(48)})
    archive.shape(latency_seconds=0.1)
    began = perf_counter()
    found = EmpiarEntry(10002).find("data/*/*.mrc")
    seconds = perf_counter() - began

    assert len(found) == 48
    assert seconds < 3  # one after the other: 50 pages x 0.1 s, and twice that with new connections


def test_a_directory_that_is_not_there_says_what_is(entry: EmpiarEntry) -> None:
    with pytest.raises(ArchiveFileNotFoundError, match=r"no directory 'data/GridSquare_9'.*GridSquare_\d, "):
        entry.list_directory("data/GridSquare_9")
    with pytest.raises(ArchiveFileNotFoundError, match="'data' has Atlas"):
        entry.list_directory("data/atlas/deeper/still")
    with pytest.raises(ArchiveFileNotFoundError, match="is a file there"):
        entry.list_directory("data/gain ref.mrc")
    with pytest.raises(ArchiveFileNotFoundError, match="not %20"):
        entry.list_directory("data/Grid%20Square")


def test_an_entry_that_is_not_there_says_so(archive: Archive) -> None:
    with pytest.raises(EntryNotFoundError, match="no entry 99999"):
        EmpiarEntry(99999).find("**/*.mrc")
    with pytest.raises(EntryNotFoundError, match="no entry 99999"):
        list(EmpiarEntry(99999).walk("data/x"))


def test_a_page_that_is_no_listing_is_asked_for_again(entry: EmpiarEntry, archive: Archive) -> None:
    archive.add_fault("html", match="*/10943/data/", times=2)

    assert len(entry.list_directory("data").files) == 1
    assert len(archive.requests("*/10943/data/")) == 3


def test_a_page_that_never_is_a_listing_is_an_error_of_the_service(
    entry: EmpiarEntry, archive: Archive
) -> None:
    archive.add_fault("html", match="*/10943/data/", times=None)

    with pytest.raises(ServiceError, match="lists no directory"):
        entry.list_directory("data")


def test_an_error_in_one_of_many_directories_is_not_lost(entry: EmpiarEntry, archive: Archive) -> None:
    archive.add_fault("status", match="*/GridSquare_4/", status=403, times=None)

    with pytest.raises(ServiceError, match="status 403"):
        entry.find("data/**/*.mrc")


def test_a_walk_that_is_left_early_asks_for_little_more(entry: EmpiarEntry, archive: Archive) -> None:
    walk = entry.walk()
    first = next(walk)
    walk.close()  # type: ignore[attr-defined]

    assert first.directories == ("data",)
    assert len(archive.requests(PAGES)) == 1


def test_names_with_signs_of_every_kind_are_listed_and_have_addresses(archive: Archive) -> None:
    names = [
        "a b.mrc", "100%.mrc", "x%20y.mrc", "hash#1.mrc", "q?.mrc", "quote's.mrc", "a&amp.mrc", "µ日本.mrc",
        "colon:10:12.mrc", "C=N;O=D", "plus+.mrc", "back\\slash.mrc", "[1]{2}.mrc", "semi;colon.mrc",
    ]  # fmt: skip
    archive.add_entry(10005, {f"data/odd names/{name}": name.encode() for name in names})
    found = EmpiarEntry(10005).find("data/odd names/*")

    assert [file.path.rpartition("/")[2] for file in found] == sorted(names)


def test_rounded_sizes_and_dates_come_with_the_files(archive: Archive) -> None:
    archive.add_entry(10006, {"data/a.mrc": bytes(5000)})
    (file,) = EmpiarEntry(10006).list_directory("data").files

    assert file.approximate_size_bytes == round(4.9 * 1024)
    assert file.modified is not None
    assert len(file.modified) == len("2026-01-01 00:00")
