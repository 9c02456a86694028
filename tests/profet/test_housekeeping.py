"""Looking after the cache: listing, verifying, pruning, clearing; what belongs to the user stays."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
from pathlib import Path

import pytest

from profet import CacheError, Provenance, housekeeping
from profet.cli import cli
from profet.command_line import main
from profet.formats import compressed
from profet.provenance import now
from profet.store import Key, Store, sidecar


def put(folder: Path, name: str, *, days_ago: float = 0.0, size: int = 1000) -> Path:
    """A structure in the cache, as if it had come so many days ago."""
    data = hashlib.shake_128(name.encode()).digest(size)
    when = now().fromtimestamp(now().timestamp() - 86400 * days_ago, tz=now().tzinfo)
    origin = Provenance(
        database="pdb",
        id=name,
        url=f"https://files.rcsb.org/download/{name}.cif.gz",
        retrieved=when.isoformat(),
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        source_version="1.4",
    )
    key = Key(source="pdb", id=name, extension="cif")
    Store(folder).put(key, compressed.pack(data), origin)
    return Store(folder).path(key)


def make_old(path: Path, *, hours: float) -> None:
    moment = now().timestamp() - 3600 * hours
    os.utime(path, (moment, moment))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache that the settings name, with two structures and a file of the user's."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("PROFET_CACHE_DIR", str(folder))
    put(folder, "1aki", days_ago=40)
    put(folder, "4v1w")
    (folder / "4v1w.cif").write_bytes(b"data_4V1W\n")
    return folder


def names(folder: Path) -> list[str]:
    return [entry.name for entry in housekeeping.entries(folder)]


def test_entries_are_listed_with_their_origin(folder: Path) -> None:
    (folder / ".profet/pdb/._1aki.cif.gz").write_bytes(b"x")  # as some systems leave beside what they copy
    first, second = housekeeping.entries()

    assert (first.source, first.name, second.name) == ("pdb", "1aki.cif", "4v1w.cif")
    assert first.provenance is not None
    assert first.provenance.source_version == "1.4"
    assert first.size_bytes == first.path.stat().st_size + sidecar(first.path).stat().st_size
    assert names(folder / "nowhere") == []


def test_verify_tells_the_damaged_from_the_whole(folder: Path) -> None:
    path = put(folder, "2aaa")
    path.write_bytes(path.read_bytes()[:-9])
    sidecar(put(folder, "3aaa")).unlink()
    other = put(folder, "4aaa")
    other.write_bytes(compressed.pack(b"another"))

    found = {entry.name: problem for entry, problem in housekeeping.verify()}

    assert found == {
        "1aki.cif": None,
        "2aaa.cif": "the compressed data is cut short",
        "3aaa.cif": "its sidecar is missing",
        "4aaa.cif": "its sha256 is not the one recorded",
        "4v1w.cif": None,
    }


def test_prune_removes_what_killed_processes_left_and_nothing_else(folder: Path) -> None:
    store = folder / ".profet"
    for name in ("claims", "saved"):
        (store / name).mkdir()
    leftovers = [
        store / "pdb/.9aaa.cif.gz.4711.0123abcd.part",
        folder / ".9aaa.cif.4711.0123abcd.part",
        store / "claims/pdb--9aaa.cif.claim",
        store / "pdb/8aaa.cif.absent",
        store / "pdb/7aaa.cif.gz.json",
        store / "saved/gone.cif.json",
    ]
    young = [store / "pdb/.9bbb.cif.gz.4711.0123abcd.part", store / "claims/pdb--9bbb.cif.claim"]
    users = [
        folder / "film.part",
        folder / ".hidden.part",
        folder / "4v1w.cif",
        folder / "fields.absent",
        folder / "table.gz.json",
        store / "saved/4v1w.cif.json",
    ]
    for path in (*leftovers, *young, *users):
        path.write_bytes(b"x")
    for path in (*leftovers, *users):
        make_old(path, hours=25)

    removed = housekeeping.prune()

    assert not any(path.exists() for path in leftovers)
    assert all(path.exists() for path in (*young, *users))
    assert names(folder) == ["1aki.cif", "4v1w.cif"]
    assert removed.size_bytes == len(leftovers)


def test_prune_by_age_counts_from_the_last_confirmation(folder: Path) -> None:
    put(folder, "3aaa", days_ago=29)
    confirmed = put(folder, "2aaa", days_ago=100)
    origin = Provenance.from_json(sidecar(confirmed).read_bytes())
    sidecar(confirmed).write_bytes(dataclasses.replace(origin, checked=now().isoformat()).to_json())

    removed = housekeeping.prune(older_than_days=30)

    assert names(folder) == ["2aaa.cif", "3aaa.cif", "4v1w.cif"]
    assert removed.files == 1


def test_prune_by_size_removes_the_oldest_first(folder: Path) -> None:
    for number in range(1, 6):
        put(folder, f"{number}aaa", days_ago=10 * number)
    newest = ["1aaa.cif", "2aaa.cif", "4v1w.cif"]
    size = sum(entry.size_bytes for entry in housekeeping.entries() if entry.name in newest)

    housekeeping.prune(most_bytes=size)

    assert names(folder) == newest


def test_prune_removes_the_damaged_when_asked_to(folder: Path) -> None:
    path = put(folder, "2aaa")
    path.write_bytes(path.read_bytes()[:-9])
    for name, hours in (("3aaa", 2), ("5aaa", 0)):
        other = put(folder, name)
        sidecar(other).write_bytes(b"{")
        make_old(other, hours=hours)

    housekeeping.prune()
    # Without a sidecar nothing counts; but a new one may come this very moment.
    assert names(folder) == ["1aki.cif", "2aaa.cif", "4v1w.cif", "5aaa.cif"]
    housekeeping.prune(damaged=True)
    assert names(folder) == ["1aki.cif", "4v1w.cif"]


def test_clear_leaves_what_is_the_users_and_what_is_being_written(folder: Path) -> None:
    others = [
        folder / ".profet/pdb/.9bbb.cif.gz.4711.0123abcd.part",
        folder / ".profet/claims/pdb--9bbb.cif.claim",
        folder / ".profet/saved/4v1w.cif.json",
        folder / "elsewhere/1aki.cif.gz",
    ]
    for path in others:
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"x")
    (folder / ".profet/link").symlink_to(folder / "elsewhere")

    removed = housekeeping.clear()

    assert removed.files == 2
    assert names(folder) == []
    assert (folder / "4v1w.cif").exists()
    assert all(path.exists() for path in others)


def test_a_cache_that_cannot_be_read_is_told(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", refuse)
    with pytest.raises(CacheError, match=r"cannot read .*: Permission denied"):
        list(housekeeping.entries())


def test_the_command_lists_with_json_and_without(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["cache", "ls", "-v"])
    said = capsys.readouterr()
    assert said.out.splitlines()[1].startswith("pdb/4v1w.cif  ")
    assert said.out.splitlines()[1].endswith("  1.4  https://files.rcsb.org/download/4v1w.cif.gz")
    assert said.err.startswith("2 files, ")

    main(["cache", "ls", "--json"])
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert (first["name"], second["version"]) == ("1aki.cif", "1.4")
    assert Path(second["path"]).exists()


def test_the_command_verifies_and_has_the_code_of_damaged_data(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["cache", "verify"])
    assert capsys.readouterr().out == "whole: 2 of 2 files\n"

    path = put(folder, "2aaa")
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(SystemExit) as caught:
        main(["cache", "verify"])
    said = capsys.readouterr()
    assert caught.value.code == 5
    assert said.out == "whole: 2 of 3 files\n"
    assert f"profet: {path}: the compressed data is cut short" in said.err


def test_the_command_prunes_and_clears(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["cache", "prune", "--older-than", "30"])
    assert capsys.readouterr().out.startswith("removed 1 file, ")
    main(["cache", "prune", "--max-size", "10k", "--json"])
    assert json.loads(capsys.readouterr().out) == {"files": 0, "size_bytes": 0}
    main(["cache", "clear", "--yes"])
    assert capsys.readouterr().out.startswith("removed 1 file, ")
    assert names(folder) == []


def test_clearing_asks_first_and_sizes_are_checked(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from click.testing import CliRunner

    assert CliRunner().invoke(cli, ["cache", "clear"], input="n\n").exit_code == 1
    assert len(names(folder)) == 2
    with pytest.raises(SystemExit) as caught:
        main(["cache", "prune", "--max-size", "much"])
    assert caught.value.code == 2
    assert "is no size" in capsys.readouterr().err
