"""The cache: an entry is whole and verified, or it is not there."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
import unittest.mock
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from profet import CacheError, DamagedFileError, Provenance
from profet.formats import compressed
from profet.provenance import now
from profet.store import Key, Store, sidecar
from profet.whole_files import whole_file, write_whole

KEY = Key(source="pdb", id="4V1W", extension="cif")
DATA = b"data_4V1W\n" * 1000
NOW = now().isoformat()


def origin(data: bytes = DATA) -> Provenance:
    return Provenance(
        database="pdb",
        id="4V1W",
        url="https://files.rcsb.org/download/4V1W.cif.gz",
        retrieved=NOW,
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
    )


def test_what_was_put_comes_back_with_its_origin(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put(KEY, compressed.pack(DATA), origin())

    stored = Store(tmp_path).get(KEY)

    assert stored is not None
    assert stored.data == DATA
    assert stored.provenance == origin()
    assert store.path(KEY) == tmp_path / ".profet" / "pdb" / "4v1w.cif.gz"


def test_the_sidecar_is_json_with_the_facts(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put(KEY, compressed.pack(DATA), origin())

    record = json.loads((tmp_path / ".profet/pdb/4v1w.cif.gz.json").read_text())

    assert record["url"] == "https://files.rcsb.org/download/4V1W.cif.gz"
    assert record["sha256"] == hashlib.sha256(DATA).hexdigest()
    assert set(record) == {
        "database", "id", "url", "retrieved", "sha256", "size_bytes", "etag", "last_modified", "release",
        "source_version", "checked",
    }  # fmt: skip


def test_a_file_is_on_the_disk_before_it_takes_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, forced, fsync = tmp_path / "a.cif", [], os.fsync

    def noted(descriptor: int) -> None:
        forced.append((os.fstat(descriptor).st_size, path.exists()))
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", noted)
    write_whole(path, DATA)

    assert forced == [(len(DATA), False)]
    assert path.read_bytes() == DATA


def test_only_the_cache_is_made_and_only_when_something_comes(tmp_path: Path) -> None:
    store = Store(tmp_path / "not" / "yet")

    assert store.get(KEY) is None
    assert not (tmp_path / "not").exists()


@pytest.mark.parametrize("harm", ["cut short", "one byte", "no sidecar", "sidecar damaged", "another file"])
def test_an_entry_that_is_not_whole_does_not_count(harm: str, tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.put(KEY, compressed.pack(DATA), origin())
    path, sidecar = store.path(KEY), tmp_path / ".profet/pdb/4v1w.cif.gz.json"
    body = path.read_bytes()
    if harm == "cut short":
        path.write_bytes(body[:-9])
    elif harm == "one byte":
        path.write_bytes(body[:20] + bytes([body[20] ^ 1]) + body[21:])
    elif harm == "no sidecar":
        sidecar.unlink()
    elif harm == "sidecar damaged":
        sidecar.write_bytes(sidecar.read_bytes()[:-20])
    else:
        path.write_bytes(compressed.pack(DATA + b"#"))

    assert store.get(KEY) is None


def test_a_missing_file_is_remembered_for_a_day(tmp_path: Path) -> None:
    store = Store(tmp_path)
    old = Provenance(**{**vars(origin()), "retrieved": "2020-01-01T00:00:00+00:00"})

    assert not store.is_absent(KEY)
    store.put_absent(KEY, old)
    assert not store.is_absent(KEY)
    store.put_absent(KEY, origin())
    assert store.is_absent(KEY)
    assert store.get(KEY) is None


def test_a_name_can_never_lead_out_of_the_cache(tmp_path: Path) -> None:
    for name in ("../x", "a/b", "", ".", "..", "a\\b", "x" * 300, "a\n"):
        with pytest.raises(CacheError, match="cannot be the name"):
            Store(tmp_path).path(Key(source="pdb", id=name, extension="cif"))


def test_a_block_that_fails_leaves_nothing_and_keeps_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.cif"
    write_whole(path, b"before")

    def fail() -> None:
        with whole_file(path) as file:
            file.write(b"half of")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()

    assert path.read_bytes() == b"before"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.cif"]


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(CacheError, match="cannot write"):
        write_whole(tmp_path / "file" / "a.cif", b"")


def test_many_threads_writing_one_file_leave_one_whole_file(tmp_path: Path) -> None:
    bodies = [bytes([65 + n]) * 200_000 for n in range(8)]
    start = threading.Barrier(len(bodies))

    def write(body: bytes) -> None:
        start.wait()
        for _ in range(5):
            write_whole(tmp_path / "a.cif", body)

    threads = [threading.Thread(target=write, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert (tmp_path / "a.cif").read_bytes() in bodies
    assert os.listdir(tmp_path) == ["a.cif"]  # noqa: PTH208 - hidden ones too


def test_new_files_are_as_readable_as_the_umask_allows(tmp_path: Path) -> None:
    code = (
        "import os, sys, pathlib; os.umask(0o022); from profet.whole_files import write_whole; "
        "write_whole(pathlib.Path(sys.argv[1]), b'x')"
    )

    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a")], check=True)

    assert (tmp_path / "a").stat().st_mode & 0o777 == 0o644


def test_gzip_is_taken_off_with_a_limit() -> None:
    assert compressed.unpack(compressed.pack(compressed.pack(DATA))) == (DATA, 2)
    assert compressed.unpack(compressed.pack(b"a") + compressed.pack(b"b")) == (b"ab", 1)
    with pytest.raises(DamagedFileError, match="cut short"):
        compressed.unpack(compressed.pack(DATA)[:-4])
    with pytest.raises(DamagedFileError, match="damaged"):
        compressed.unpack(compressed.pack(DATA)[:-8] + b"\0" * 8)
    with pytest.raises(DamagedFileError, match="grow beyond"):
        compressed.unpack(compressed.pack(bytes(50_000_000)))


def test_a_sidecar_of_another_version_can_be_read_and_nonsense_cannot() -> None:
    record = json.loads(origin().to_json())

    assert Provenance.from_json(json.dumps({**record, "new": 1}).encode()) == origin()
    for wrong in (b"", b"[]", b"{}", b"\xff", json.dumps({**record, "retrieved": "soon"}).encode()):
        with pytest.raises(DamagedFileError):
            Provenance.from_json(wrong)


@settings(max_examples=60, deadline=None)
@given(
    target=st.sampled_from(["body", "sidecar"]),
    cut=st.integers(0, 400),
    at=st.integers(0, 10**6),
    with_bytes=st.binary(max_size=8),
)
def test_whatever_becomes_of_an_entry_it_is_whole_or_not_there(
    target: str, cut: int, at: int, with_bytes: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    store = Store(tmp_path_factory.mktemp("cache"))
    data = hashlib.shake_128(b"4V1W").digest(300)
    store.put(KEY, compressed.pack(data), origin(data))
    path = store.path(KEY) if target == "body" else sidecar(store.path(KEY))
    whole = path.read_bytes()
    at %= len(whole)

    path.write_bytes(whole[:at] + with_bytes + whole[at + cut :])

    with unittest.mock.patch("profet.store._BETWEEN_RENAMES_SECONDS", 0):
        stored = store.get(KEY)
    # What is found is the file that came, whichever bytes of it or of what is said of it were changed.
    assert stored is None or stored.data == data
