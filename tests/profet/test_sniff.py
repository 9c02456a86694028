"""Formats are told by how files begin."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from profet import DamagedFileError, FileType
from profet.formats.sniff import check_file_type, file_type_of


@pytest.mark.parametrize(
    "head",
    [
        b"data_4V1W\n#\n",
        b"DATA_x\n",
        b"# a comment\n\n data_x",
        b"\xef\xbb\xbfdata_x\n",
        b"#\r\n#\r\ndata_1\r\n",
    ],
)
def test_mmcif_begins_with_a_data_block(head: bytes) -> None:
    assert file_type_of(head) is FileType.cif


@pytest.mark.parametrize(
    "head",
    [
        b"HEADER    VIRUS", b"ATOM      1  N   MET A   1", b"\nREMARK 4\n", b"REMARK\n", b"MODEL        1",
        b"HETATM    1", b"CRYST1   1.0", b"TITLE     X", b"SEQRES   1 A", b"USER  MOD reduce",
        b"FORMUL   2  ZN", b"ATOM 100000  N   MET A   1", b"HETAT100000",
    ],
)  # fmt: skip
def test_pdb_format_begins_with_one_of_its_records(head: bytes) -> None:
    assert file_type_of(head) is FileType.pdb


@pytest.mark.parametrize(
    ("head", "message"),
    [
        (b"<html><body>503", "web page"),
        (b"\n <!DOCTYPE html>", "web page"),
        (b"<?xml version='1.0'?>", "web page"),
        (b"", "empty"),
        (b"{}", "neither"),
        (b"data of mine", "neither"),
        (b"data_", "neither"),
        (b"ATOMIC", "neither"),
        (b"\x1b[31m\x00\xff", "neither"),
    ],
)
def test_anything_else_is_named_for_what_it_is(head: bytes, message: str) -> None:
    with pytest.raises(DamagedFileError, match=message) as caught:
        file_type_of(head)

    assert str(caught.value).isprintable()


def test_a_file_in_the_other_format_is_not_what_was_asked_for() -> None:
    with pytest.raises(DamagedFileError, match="asked for pdb"):
        check_file_type(b"data_x\n", FileType.pdb)


@pytest.mark.real_data
def test_every_real_file_is_recognised(real_data: Path) -> None:
    for kind in FileType:
        for path in (real_data / "profet").glob(f"*.{kind}.gz"):
            assert file_type_of(gzip.decompress(path.read_bytes())) is kind
