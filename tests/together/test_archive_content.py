"""Folders of content: what is written, what is refused, and which layer wins."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import pytest
import requests

from perc_archive import Archive, ContentFolder
from perc_simulation.content import TUTORIAL_SQUARE, add_tutorial_entries

HOST = "ftp.ebi.ac.uk"


def get(archive: Archive, host: str, path: str) -> requests.Response:
    return requests.get(archive.url(host, path), headers={"Accept-Encoding": "identity"}, timeout=10)


def test_a_file_that_is_gone_takes_no_other_out_of_the_listing(archive: Archive, tmp_path: Path) -> None:
    given = tmp_path / "b.mrc"
    given.write_bytes(b"x")
    archive.add_entry(10943, {"data/b.mrc": given, **{f"data/{name}.mrc": b"x" for name in "acdefgh"}})
    given.unlink()

    page = get(archive, HOST, "empiar/world_availability/10943/data/").text
    assert [name for name in "abcdefgh" if f'"{name}.mrc"' in page] == list("acdefgh")


def test_the_tutorial_entries_of_an_archive_are_whole(archive: Archive) -> None:
    add_tutorial_entries(archive)

    page = get(archive, HOST, f"empiar/world_availability/10943/{TUTORIAL_SQUARE}/").text
    assert (page.count("_EER.mrc</a>"), page.count("_EER.star</a>")) == (12, 12)


def test_a_folder_is_laid_out_as_documented(tmp_path: Path) -> None:
    content = ContentFolder(tmp_path)
    content.add_entry(10943, {"data/a.mrc": b"x"})
    content.add_structure("1abc", cif=b"data_1ABC", accessions=["P40202"])
    content.add_uniprot("P40202", {"sequence": "MK"})
    content.add_alphafold("P40202", cif=b"data_AF")
    content.add_file(HOST, "pub/x", b"", headers={"ETag": '"1"'})
    found = sorted(str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file())
    assert [name for name in found if not name.startswith("_records/headers/")] == [
        "_gzip/alphafold.ebi.ac.uk/files/AF-P40202-F1-model_v6.cif",
        "_records/alphafold/P40202.json",
        "_records/empiar/10943.json",
        "_records/rcsb/1ABC.json",
        "_records/uniprot/P40202.json",
        "files.rcsb.org/download/1ABC.cif",
        "ftp.ebi.ac.uk/empiar/world_availability/10943/10943.xml",
        "ftp.ebi.ac.uk/empiar/world_availability/10943/data/a.mrc",
        "ftp.ebi.ac.uk/pub/x",
    ]
    assert (
        json.loads((tmp_path / "_records/rcsb/1ABC.json").read_text())["entities"][0]["accession"] == "P40202"
    )


def test_writing_twice_gives_the_same_bytes(tmp_path: Path) -> None:
    trees = []
    for name in ("one", "two"):
        content = ContentFolder(tmp_path / name)
        content.add_entry(10943, {"data/a.mrc": b"x"})
        content.add_alphafold("P40202", cif=b"data_AF", sequence="MK")
        trees.append(
            {
                p.relative_to(tmp_path / name): p.read_bytes()
                for p in (tmp_path / name).rglob("*")
                if p.is_file()
            }
        )
    assert trees[0] == trees[1]


def test_an_archive_serves_a_folder_and_keeps_it_when_cleared(tmp_path: Path) -> None:
    ContentFolder(tmp_path).add_entry(10943, {"data/a.mrc": b"given"})
    with Archive(content=tmp_path, ftp=False) as archive:
        path = "empiar/world_availability/10943/data/a.mrc"
        archive.add_entry(10943, {"data/b.mrc": b"by hand"})
        listing = get(archive, HOST, "empiar/world_availability/10943/data/").text
        assert ('"a.mrc"' in listing, '"b.mrc"' in listing) == (True, True)
        archive.add_file(HOST, path, b"by hand")
        assert get(archive, HOST, path).content == b"by hand"
        archive.clear()
        assert get(archive, HOST, path).content == b"given"
        assert get(archive, HOST, path.replace("a.mrc", "b.mrc")).status_code == 404


def test_a_folder_may_grow_while_it_is_served(tmp_path: Path) -> None:
    content = ContentFolder(tmp_path)
    with Archive(content=tmp_path, ftp=False) as archive:
        assert get(archive, "www.ebi.ac.uk", "empiar/api/entry/10943/").status_code == 404
        content.add_entry(10943, {})
        assert get(archive, "www.ebi.ac.uk", "empiar/api/entry/10943/").status_code == 200


def test_a_body_given_as_a_path_is_copied_into_a_folder_and_linked_by_an_archive(
    archive: Archive, tmp_path: Path
) -> None:
    source = tmp_path / "source.mrc"
    source.write_bytes(b"x")
    copied = ContentFolder(tmp_path / "content").add_file(HOST, "a.mrc", source)
    archive.add_file(HOST, "a.mrc", source)
    assert not copied.is_symlink()
    assert (archive.folder / HOST / "a.mrc").is_symlink()
    source.write_bytes(b"longer")
    assert (copied.read_bytes(), get(archive, HOST, "a.mrc").content) == (b"x", b"longer")


def test_a_source_that_is_missing_leaves_nothing_behind(archive: Archive, tmp_path: Path) -> None:
    content = ContentFolder(tmp_path / "content")
    for add in (content.add_file, archive.add_file):
        with pytest.raises(FileNotFoundError):
            add(HOST, "pub/a.mrc", tmp_path / "missing")
    assert [path for path in (tmp_path / "content").rglob("*") if path.is_file()] == []
    assert get(archive, HOST, "pub/").text.count("<tr>") == 4  # two heads, one foot, the parent


@pytest.mark.parametrize(
    ("host", "path"),
    [
        (HOST, "../x"),
        (HOST, "a/../../x"),
        (HOST, "a/./x"),
        (HOST, "a\0b"),
        (HOST, ""),
        (HOST, "a/"),
        ("..", "x"),
        ("a/b", "x"),
        ("", "x"),
        ("_records", "x"),
    ],
)
def test_places_that_would_lead_astray_are_refused(tmp_path: Path, host: str, path: str) -> None:
    with pytest.raises(ValueError, match=r"cannot hold|names no file|no host name"):
        ContentFolder(tmp_path / "content").add_file(host, path, b"x")
    assert not (tmp_path / "content").exists()


def test_the_gzip_form_follows_its_file(archive: Archive) -> None:
    archive.add_structure("1ABC", cif=b"old")
    assert gzip.decompress(get(archive, "files.rcsb.org", "download/1ABC.cif.gz").content) == b"old"
    archive.add_structure("1ABC", cif=b"new!")
    assert gzip.decompress(get(archive, "files.rcsb.org", "download/1ABC.cif.gz").content) == b"new!"


def test_a_sequence_given_as_text_is_wrapped_with_its_checksums(tmp_path: Path) -> None:
    written = ContentFolder(tmp_path).add_record("uniprot", "x", {})
    ContentFolder(tmp_path).add_uniprot("P00001", {"sequence": "MKV"})
    record = json.loads((written.parent / "P00001.json").read_text())
    assert record["sequence"]["value"] == "MKV"
    assert record["sequence"]["md5"] == hashlib.md5(b"MKV").hexdigest().upper()
    assert record["entryType"] == "UniProtKB reviewed (Swiss-Prot)"
