"""Tables by path and by address: STAR, cbox, cryoSPARC, mdoc, tlt, xf, box, coordinates."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import pickle
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pandas
import pytest
import starfile
from hypothesis import given, settings
from hypothesis import strategies as st

from empiarreader import (
    ArchiveFileNotFoundError,
    DamagedDataError,
    EmpiarReaderError,
    InvalidRequestError,
    UnsupportedFormatError,
    open_table,
    traffic,
)
from empiarreader.tables import content as table_content
from empiarreader.tables import opening
from perc_archive import Archive

HOST = "ftp.ebi.ac.uk"
STAR = b"data_optics\n\nloop_\n_rlnGroup #1\n_rlnVoltage #2\n1 300.0\n\ndata_general\n\n_rlnCount 7\n"
CS = np.array(
    [(7, b"J1/a.mrc", 1.5, (3.0, 4.0)), (8, b"J1/b.mrc", 2.5, (5.0, 6.0))],
    dtype=[("uid", ">u8"), ("blob/path", "S10"), ("ctf/df1_A", "<f4"), ("shift", "<f4", (2,))],
)


def _frame(location: Any, **options: Any) -> pandas.DataFrame:
    frame = open_table(location, **options)
    assert isinstance(frame, pandas.DataFrame)
    return frame


def _blocks(location: Any, **options: Any) -> dict[str, pandas.DataFrame]:
    blocks = open_table(location, **options)
    assert isinstance(blocks, dict)
    return blocks


def _npy(array: np.ndarray[Any, Any]) -> bytes:
    stream = io.BytesIO()
    np.save(stream, array)
    return stream.getvalue()


def _write(folder: Path, name: str, body: bytes) -> Path:
    path = folder / name
    path.write_bytes(body)
    return path


def test_star_blocks_come_by_name_and_as_starfile_reads_them(tmp_path: Path) -> None:
    path = _write(tmp_path, "a.star", STAR)
    blocks = _blocks(path)

    assert list(blocks) == ["optics", "general"]
    pandas.testing.assert_frame_equal(blocks["optics"], starfile.read(path)["optics"])
    assert blocks["general"].to_dict("records") == [{"rlnCount": 7}]


def test_hashes_and_apostrophes_in_names_are_parts_of_the_names(tmp_path: Path) -> None:
    rows = b"data_p\nloop_\n_rlnName #1\n_rlnX #2 # a comment\nhash#1.mrc 1\nthor's.mrc 2 # another\n"
    table = _blocks(_write(tmp_path, "a.star", rows))["p"]

    assert table.to_dict("list") == {"rlnName": ["hash#1.mrc", "thor's.mrc"], "rlnX": [1, 2]}


def test_a_table_is_read_from_addresses_of_all_kinds(archive: Archive, tmp_path: Path) -> None:
    archive.add_file(HOST, "pub/a b.star", STAR)
    archive.add_file(HOST, "pub/a.star.gz", gzip.compress(STAR))
    expected = _blocks(_write(tmp_path, "a.star", STAR))["optics"]
    packed = _write(tmp_path, "a.star.bz2", bz2.compress(STAR))
    for location in (
        archive.url(HOST, "pub/a b.star"),
        archive.url(HOST, "pub/a.star.gz") + "?key=1",
        f"file://{tmp_path}/a.star",
        packed,
    ):
        pandas.testing.assert_frame_equal(_blocks(location)["optics"], expected)


def test_a_table_without_a_telling_name_is_read_as_what_it_is_said_to_be(tmp_path: Path) -> None:
    path = _write(tmp_path, "angles", b"-3 0 3\n")

    with pytest.raises(UnsupportedFormatError, match="kind="):
        open_table(path)
    assert list(_frame(path, kind="tlt").tilt_angle) == [-3.0, 0.0, 3.0]
    with pytest.raises(UnsupportedFormatError):
        open_table(path, kind="xlsx")


def test_what_is_not_there_is_not_found(tmp_path: Path) -> None:
    with pytest.raises(ArchiveFileNotFoundError):
        open_table(tmp_path / "none.star")


def test_fields_of_cryosparc_become_columns(tmp_path: Path) -> None:
    frame = _frame(_write(tmp_path, "a.cs", _npy(CS)))

    assert list(frame.columns) == ["uid", "blob/path", "ctf/df1_A", "shift/0", "shift/1"]
    assert frame.uid.tolist() == [7, 8]
    assert frame["blob/path"].tolist() == ["J1/a.mrc", "J1/b.mrc"]
    assert frame["ctf/df1_A"].dtype == np.float32
    assert frame["shift/1"].tolist() == [4.0, 6.0]
    pandas.testing.assert_frame_equal(pickle.loads(pickle.dumps(frame)), frame)


class _Bomb:
    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("unpickled",))


@pytest.mark.parametrize(
    "body",
    [
        _npy(np.array([(_Bomb(),)], dtype=[("a", object)])),
        _npy(CS)[:-1],
        _npy(CS) + b"x",
        _npy(np.zeros((2, 3))),
        _npy(np.zeros(3)),
        _npy(CS).replace(b"(2,), }", b"(2000000000000,), }"),
        b"\x93NUMPY\x01\x00\x10\x00(((((((((((((((((",
        b"\x93NUMPY\x09\x00",
        b"PK\x03\x04",
        b"",
    ],
    ids=["objects", "short", "long", "grid", "bare", "promises", "nested", "version", "zip", "empty"],
)
def test_no_pickle_and_no_damaged_cs_is_read(tmp_path: Path, body: bytes) -> None:
    with pytest.raises(DamagedDataError, match=r"a\.cs"):
        open_table(_write(tmp_path, "a.cs", body))


def test_the_compressed_form_of_cryosparc_says_how_to_convert_it(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedFormatError, match="cryosparc-tools"):
        open_table(_write(tmp_path, "a.cs", b"\x94CSDAT\x00\x00"))


MDOC = b"""PixelSpacing = 5.4
ImageFile = TS_01.mrc
ImageSize = 924 958
Comment = a = b

[T = SerialEM: Digitized]

[ZValue = 0]
TiltAngle = -3.01
SubFramePath = D:\\DATA\\frames\\001.mrc
FrameDosesAndNumber = 0.5 8
[ZValue = 1]
TiltAngle = 0
Odd = nonsense 3
"""


def test_an_mdoc_has_a_row_an_image_and_what_is_said_of_all(tmp_path: Path) -> None:
    frame = _frame(_write(tmp_path, "a.mdoc", MDOC))

    assert frame.ZValue.tolist() == [0, 1]
    assert frame.TiltAngle.tolist() == [-3.01, 0.0]
    assert frame.SubFramePath[0] == "D:\\DATA\\frames\\001.mrc"
    assert frame.FrameDosesAndNumber[0] == (0.5, 8)
    assert frame.Odd[1] == "nonsense 3"
    assert frame.attrs["titles"] == ["SerialEM: Digitized"]
    assert frame.attrs["global"] == {
        "PixelSpacing": 5.4,
        "ImageFile": "TS_01.mrc",
        "ImageSize": (924, 958),
        "Comment": "a = b",
    }


def test_transforms_have_six_numbers_a_row(tmp_path: Path) -> None:
    frame = _frame(_write(tmp_path, "a.xf", b"1 0 0 1 -27.5 2\n0 -1 1 0 0 0\n"))

    assert frame.iloc[1].tolist() == [0, -1, 1, 0, 0, 0]
    assert frame.dx.tolist() == [-27.5, 0.0]
    with pytest.raises(DamagedDataError, match="six"):
        open_table(_write(tmp_path, "b.xf", b"1 0 0 1 2\n"))


def test_boxes_have_a_centre_and_a_corner(tmp_path: Path) -> None:
    frame = _frame(_write(tmp_path, "a.box", b"14 35 20 10 -3\n26\t57\t20\t10\n"))

    assert frame.to_dict("list") == {
        "x": [24.0, 36.0],
        "y": [40.0, 62.0],
        "x_corner": [14.0, 26.0],
        "y_corner": [35.0, 57.0],
        "width": [20.0, 20.0],
        "height": [10.0, 10.0],
    }


@pytest.mark.parametrize(
    ("name", "body", "columns"),
    [
        ("picks.txt", b"image_name\tx_coord\ty_coord\tscore\nm 1\t7\t9\t0.5\n", ["m 1", 7, 9, 0.5]),
        ("picks.csv", b"# made by\nname, x,y\na#1,7,9\n", ["a#1", 7, 9]),
        ("a.coords", b"10 20 30\n", [10.0, 20.0, 30.0]),
        ("a.pts", b" 1.5,2.5\n", [1.5, 2.5]),
        ("a.txt", b"x y\n1 2\n", [1, 2]),
        ("b.txt", b"1 2 3 4\n", [1, 2, 3, 4]),
    ],
)
def test_coordinates_come_with_or_without_a_heading(
    tmp_path: Path, name: str, body: bytes, columns: list[Any]
) -> None:
    assert _frame(_write(tmp_path, name, body)).iloc[0].tolist() == columns


def test_columns_without_a_heading_have_documented_names(tmp_path: Path) -> None:
    assert list(_frame(_write(tmp_path, "a.txt", b"1 2\n"))) == ["x", "y"]
    assert list(_frame(_write(tmp_path, "b.txt", b"1 2 3\n"))) == ["x", "y", "z"]
    assert list(_frame(_write(tmp_path, "c.txt", b"1 2 3 4\n"))) == ["x", "y", "column_3", "column_4"]


def test_a_table_too_large_is_refused_after_its_first_mebibyte(
    archive: Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive.add_file(HOST, "pub/a.tlt", b"1.0\n" * 600_000)
    monkeypatch.setitem(opening._READERS, "tlt", (opening._READERS["tlt"][0], 1_500_000))
    before = traffic()

    with pytest.raises(InvalidRequestError, match="2400000 bytes"):
        open_table(archive.url(HOST, "pub/a.tlt"))
    assert (traffic() - before).bytes_received <= table_content.MIB


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress], ids=["gz", "bz2"])
def test_a_bomb_is_refused_in_little_memory(tmp_path: Path, pack: Any) -> None:
    suffix = ".gz" if pack is gzip.compress else ".bz2"
    path = _write(tmp_path, f"a.star{suffix}", pack(bytes(64 * 1024 * 1024)))
    tracemalloc.start()
    try:
        with pytest.raises(DamagedDataError, match="grows"):
            open_table(path)
        assert tracemalloc.get_traced_memory()[1] < 48 * 1024 * 1024
    finally:
        tracemalloc.stop()
    with pytest.raises(DamagedDataError, match="cannot be decompressed"):
        open_table(_write(tmp_path, f"b.star{suffix}", pack(STAR)[:-12]))


HEADINGS = [b"", STAR, _npy(CS), MDOC, b"1 2 3 4\n", b"x,y\n1,2\n"]


@settings(max_examples=150)
@given(
    st.sampled_from(["star", "cbox", "cs", "mdoc", "tlt", "xf", "box", "txt", "csv"]),
    st.sampled_from(HEADINGS),
    st.integers(0, 400),
    st.binary(max_size=60),
)
def test_any_bytes_are_a_table_or_an_error_that_says_so(
    kind: str, base: bytes, at: int, noise: bytes
) -> None:
    body = base[:at] + noise + base[at + len(noise) :]
    parse, _ = opening._READERS[kind]
    with contextlib.suppress(EmpiarReaderError):
        assert isinstance(parse(body, "x"), (pandas.DataFrame, dict))


def test_a_table_of_an_entry_is_read_by_its_path_in_the_archive(archive: Archive) -> None:
    archive.add_entry(10091, {"data/a b#1.star": STAR})

    assert _blocks("empiar://10091/data/a b#1.star")["general"].rlnCount[0] == 7
