"""What was downloaded, checked again and kept in step: verify, mirror and the commands around them."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from empiarreader import (
    ArchiveFileNotFoundError,
    EmpiarEntry,
    EmpiarSource,
    InvalidRequestError,
    Manifest,
    download,
    mirror,
    verify,
)
from empiarreader.cli import main
from empiarreader.downloading.manifest import FAILED_NAME, MANIFEST_NAME
from mrc_vectors import mrc_bytes, sample_array
from perc_archive import Archive

HOST = "ftp.ebi.ac.uk"
FILES = {"data/a.mrc": b"a" * 1000, "data/x/b.mrc": b"b" * 2000, "data/x/c.txt": b"c" * 30}


@pytest.fixture
def folder(archive: Archive, tmp_path: Path) -> Path:
    archive.add_entry(10934, FILES)
    for path in FILES:  # deposited long ago
        served = archive.folder / HOST / "empiar/world_availability/10934" / path
        os.utime(served, (1_600_000_000, 1_600_000_000))
    download(EmpiarEntry(10934).find("data/**"), tmp_path / "folder")
    return tmp_path / "folder"


def _run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def _url(archive: Archive, path: str) -> str:
    return archive.url(HOST, f"empiar/world_availability/10934/{path}")


def _withdraw(archive: Archive, path: str) -> None:
    (archive.folder / HOST / "empiar/world_availability/10934" / path).unlink()


def _write_without_trace(path: Path, content: bytes) -> None:
    """Change a file as a disk does: its time of change stays."""
    status = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def test_a_folder_as_it_was_downloaded_is_fine(folder: Path) -> None:
    found = verify(folder)

    assert found.is_fine
    assert [file.path for file in found.whole] == sorted(FILES)
    assert found == Manifest.load(folder).verify()
    assert _run("verify", str(folder)).exit_code == 0
    assert _run("verify", str(folder)).stdout == ""
    assert _run("verify", str(folder), "-v").stdout.splitlines() == [
        f"whole: {path}" for path in sorted(FILES)
    ]


@pytest.mark.parametrize("write", [Path.write_bytes, _write_without_trace])
def test_one_file_that_is_not_as_it_was_is_enough_not_to_be_fine(
    write: Callable[[Path, bytes], object], folder: Path
) -> None:
    write(folder / "data/x/b.mrc", b"b" * 1999 + b"c")
    assert not verify(folder).is_fine
    assert _run("verify", str(folder)).exit_code == 5


def test_what_is_missing_changed_damaged_and_extra_is_told_apart(folder: Path) -> None:
    (folder / "data/x/c.txt").unlink()
    (folder / "data/a.mrc").write_bytes(b"mine")
    _write_without_trace(folder / "data/x/b.mrc", b"b" * 1999 + b"c")
    (folder / "notes.txt").write_text("mine")
    (folder / "data/d.mrc.12345678.part").write_bytes(b"on its way")
    found = verify(folder)

    assert not found.is_fine
    assert [file.path for file in found.missing] == ["data/x/c.txt"]
    assert [file.path for file in found.changed] == ["data/a.mrc"]
    assert [file.path for file in found.damaged] == ["data/x/b.mrc"]
    assert found.extra == ("notes.txt",)
    done = _run("verify", str(folder))
    assert done.exit_code == 5
    assert done.stdout.splitlines() == [
        "missing: data/x/c.txt",
        "changed: data/a.mrc",
        "damaged: data/x/b.mrc",
        "extra: notes.txt",
    ]
    records = [json.loads(line) for line in _run("verify", str(folder), "--json").stdout.splitlines()]
    assert [record["state"] for record in records] == ["missing", "changed", "damaged", "extra"]


def test_what_is_missing_alone_ends_with_3_and_comes_back_with_the_next_download(folder: Path) -> None:
    (folder / "data/a.mrc").unlink()
    assert _run("verify", str(folder), "-q").exit_code == 3
    download(EmpiarEntry(10934).find("data/**"), folder)
    assert verify(folder).is_fine


def test_a_folder_without_a_manifest_cannot_be_verified(tmp_path: Path) -> None:
    with pytest.raises(ArchiveFileNotFoundError, match="no manifest"):
        verify(tmp_path)
    assert _run("verify", str(tmp_path)).exit_code == 3


def test_checksums_are_those_of_sha256sum(folder: Path) -> None:
    found = {file.path: file.sha256 for file in Manifest.load(folder).files}
    assert found == {path: hashlib.sha256(body).hexdigest() for path, body in FILES.items()}


def test_a_mirror_is_read_in_place_of_the_archive(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.add_entry(10934, {"data/a.mrc": mrc_bytes(sample_array(2)), "data/b.txt": b"b"})
    expected = EmpiarSource(10934, "data").read_partition(0).values
    done = mirror(10934, tmp_path / "lab")

    assert [file.path for file in done.new] == [
        "10934/10934.xml",
        "10934/data/a.mrc",
        "10934/data/b.txt",
    ]
    monkeypatch.setenv("EMPIARREADER_MIRROR", str(tmp_path / "lab"))
    before = len(archive.requests())
    assert (EmpiarSource(10934, "data").read_partition(0).values == expected).all()
    assert len(archive.requests("*/data/*")) == len(
        [request for request in archive.requests()[:before] if "/data/" in request.path]
    )
    with pytest.raises(InvalidRequestError, match="EMPIARREADER_MIRROR"):
        mirror(10934, tmp_path / "lab")


def test_a_mirror_follows_what_is_new_changed_and_withdrawn(archive: Archive, tmp_path: Path) -> None:
    archive.add_entry(10934, FILES)
    mirror(10934, tmp_path)
    (tmp_path / "10934/data/mine.txt").write_text("not from the archive")
    archive.add_entry(10934, {"data/a.mrc": b"A" * 1001, "data/new.mrc": b"new"})
    _withdraw(archive, "data/x/b.mrc")
    done = mirror(10934, tmp_path)

    assert [file.path for file in done.new] == ["10934/data/new.mrc"]
    assert "10934/data/a.mrc" in [file.path for file in done.changed]
    assert [file.path for file in done.withdrawn] == ["10934/data/x/b.mrc"]
    assert (tmp_path / "10934/data/x/b.mrc").exists()
    assert (tmp_path / "10934/data/a.mrc").read_bytes() == b"A" * 1001
    deleted = mirror(10934, tmp_path, delete=True)
    assert deleted.removed
    assert not (tmp_path / "10934/data/x/b.mrc").exists()
    assert (tmp_path / "10934/data/x/c.txt").exists()
    assert (tmp_path / "10934/data/mine.txt").exists()
    assert verify(tmp_path).is_fine
    assert mirror(10934, tmp_path).withdrawn == ()


def test_what_a_listing_leaves_out_is_not_taken_for_withdrawn(archive: Archive, tmp_path: Path) -> None:
    archive.add_entry(10934, FILES)
    mirror(10934, tmp_path)
    archive.add_fault("omit", match="*a.mrc", times=None)

    assert mirror(10934, tmp_path, delete=True).withdrawn == ()
    assert (tmp_path / "10934/data/a.mrc").exists()


def test_a_pattern_mirrors_a_part_and_speaks_of_no_other(archive: Archive, tmp_path: Path) -> None:
    archive.add_entry(10934, FILES)
    mirror(10934, tmp_path)
    _withdraw(archive, "data/x/c.txt")
    _withdraw(archive, "data/x/b.mrc")
    done = mirror(10934, tmp_path, "data/**/*.mrc")

    assert [file.path for file in done.withdrawn] == ["10934/data/x/b.mrc"]


def test_the_mirror_command_says_what_is_gone(archive: Archive, tmp_path: Path) -> None:
    archive.add_entry(10934, FILES)
    assert _run("mirror", "10934", str(tmp_path)).exit_code == 0
    _withdraw(archive, "data/a.mrc")
    done = _run("mirror", "10934", str(tmp_path), "--delete")

    assert done.stdout == "removed: 10934/data/a.mrc\n"
    assert "1 withdrawn, removed here" in done.stderr
    assert not (tmp_path / "10934/data/a.mrc").exists()


def test_an_entry_or_a_part_of_it_is_downloaded_with_its_directories(
    archive: Archive, tmp_path: Path
) -> None:
    archive.add_entry(
        10934,
        FILES,
        {"imagesets": [{"name": "Set x", "directory": "data/x"}, {"name": "y", "directory": "z"}]},
    )

    def names(where: str, *arguments: str) -> list[str]:
        done = _run("download", "10934", *arguments, "--to", str(tmp_path / where))
        assert done.exit_code == 0, done.output
        return sorted(file.path for file in Manifest.load(tmp_path / where).files)

    assert names("all") == ["10934.xml", *sorted(FILES)]
    assert names("glob", "data/**/*.mrc") == ["data/a.mrc", "data/x/b.mrc"]
    assert names("two", "data/*.mrc", "data/x/*.txt") == ["data/a.mrc", "data/x/c.txt"]
    assert names("dir", "*.mrc", "--directory", "data/x") == ["data/x/b.mrc"]
    assert names("set", "--imageset", "Set x") == ["data/x/b.mrc", "data/x/c.txt"]
    assert names("regexp", r"x/.\.txt$", "--regexp") == ["data/x/c.txt"]
    assert names("flat", "data/**/*.mrc", "--layout", "flat") == ["a.mrc", "b.mrc"]
    assert names("ftp", "data/**/*.mrc", "--protocol", "ftp") == ["data/a.mrc", "data/x/b.mrc"]
    assert names("slow", "data/*.mrc", "--limit-rate", "1M") == ["data/a.mrc"]


def test_a_dry_run_says_what_would_come_and_writes_nothing(archive: Archive, tmp_path: Path) -> None:
    archive.add_entry(10934, FILES)
    done = _run("download", "10934", "data/**/*.mrc", "--to", str(tmp_path / "maps"), "--dry-run")

    assert done.stdout == f"would fetch 2 files, 3 kB, into {tmp_path / 'maps'} (0 already there)\n"
    assert not (tmp_path / "maps").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "sentence"),
    [
        (("download", "--to", "x"), 2, "Give an ENTRY"),
        (("download", "10934", "--download", "-", "--to", "x"), 2, "one of them"),
        (("download", "10934", "*.none", "--to", "x"), 3, "no file in EMPIAR-10934 matches"),
        (("download", "10934", "--imageset", "no", "--to", "x"), 2, "no imageset of the name 'no'"),
        (("download", "10934", "--limit-rate", "fast", "--to", "x"), 2, "is no rate"),
        (("download", "10934", "--limit-rate", "5", "--to", "x"), 2, "none to work with"),
        (("mirror", "99999", "x"), 3, "no entry 99999"),
    ],
)
def test_wrong_questions_are_answered_with_one_sentence(
    archive: Archive, tmp_path: Path, arguments: tuple[str, ...], code: int, sentence: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    archive.add_entry(10934, FILES)
    monkeypatch.chdir(tmp_path)
    done = _run(*arguments)

    assert (done.exit_code, done.stdout) == (code, "")
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_what_failed_is_retried_from_a_list_into_the_same_places(archive: Archive, tmp_path: Path) -> None:
    archive.add_entry(10934, FILES)
    archive.add_fault("status", match="*b.mrc", status=403, times=1)
    done = _run("download", "10934", "data/**", "--to", str(tmp_path))

    assert done.exit_code == 1
    assert (tmp_path / FAILED_NAME).read_text().splitlines() == [
        "# layout: tree",
        _url(archive, "data/x/b.mrc"),
    ]
    program, *words = shlex.split(done.stderr.splitlines()[-1].removeprefix("to try again: "))
    again = _run(*words)
    assert (program, again.exit_code) == ("empiarreader", 0)
    assert (tmp_path / "data/x/b.mrc").read_bytes() == FILES["data/x/b.mrc"]
    assert not (tmp_path / FAILED_NAME).exists()


def test_a_manifest_is_downloaded_and_a_mismatch_is_damaged_data(
    archive: Archive, folder: Path, tmp_path: Path
) -> None:
    assert _run("download", "--manifest", str(folder), "--to", str(tmp_path / "copy")).exit_code == 0
    assert verify(tmp_path / "copy").is_fine
    shutil.copy(folder / MANIFEST_NAME, tmp_path / "theirs.jsonl")
    archive.add_entry(10934, {"data/a.mrc": b"z" * 1000})
    done = _run("download", "--manifest", str(tmp_path / "theirs.jsonl"), "--to", str(tmp_path / "other"))
    assert done.exit_code == 1
    assert "as the manifest says" in done.stderr
    assert not (tmp_path / "other/data/a.mrc").exists()


HOSTILE = [
    "x; touch PWNED",
    "$(touch PWNED)",
    "`touch PWNED`",
    "../../x",
    "{base}/../../x",
    "{base}/%2e%2e%2fx",
    "-o",
    "--output=PWNED",
    "file:///etc/passwd",
    "https://evil.example/10934/data/a.mrc",
    "{base}/data/a.mrc; touch PWNED",
    "{base}/data/a%1b[2J.mrc",
    "\x1b[2J",
]


def test_a_hostile_list_downloads_nothing_and_says_so(
    archive: Archive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.add_entry(10934, FILES)
    base = _url(archive, "").rstrip("/")
    (tmp_path / "work").mkdir()
    monkeypatch.chdir(tmp_path / "work")
    Path("list.txt").write_text("\n".join(HOSTILE).format(base=base))
    done = _run("download", "--download", "list.txt", "--save_dir", "new")

    assert done.exit_code == 2
    assert done.stderr.count("is refused") == len(HOSTILE)
    assert "\x1b" not in done.output
    assert archive.requests() == []
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["list.txt", "work"]
