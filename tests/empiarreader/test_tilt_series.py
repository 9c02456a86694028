"""Tilt series as one array sorted by angle, whatever describes them and wherever they are."""

from __future__ import annotations

import contextlib
import math
import pickle
from pathlib import Path
from typing import Any

import h5py
import mrcfile
import numpy as np
import pandas
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from eer_files import eer_bytes, random_electrons
from empiarreader import (
    ArchiveFileNotFoundError,
    DamagedDataError,
    EmpiarReaderError,
    InvalidRequestError,
    ShapeMismatchError,
    UnsupportedFormatError,
    open_tilt_series,
    traffic,
)
from empiarreader.tilts.facts import tilts_of_mdoc, tilts_of_relion
from mrc_vectors import mrc_bytes
from perc_archive import Archive

ENTRY, HOST = 10091, "ftp.ebi.ac.uk"
ANGLES = [0.01, 3.0, -3.0, -6.0, 6.0]  # as they are taken: outwards, to both sides
ORDER = np.argsort(ANGLES)
RNG = np.random.default_rng(4)
STACK = RNG.normal(size=(5, 12, 10)).astype(np.float32)


def _mdoc(
    *, dose: float = 2.5, prior: bool = True, minutes: list[int] | None = None, frames: str = ""
) -> str:
    text = "PixelSpacing = 1.5\nImageFile = TS_01.mrc\n\n[T =     Tilt axis angle = 85.3, binning = 4]\n"
    for number, angle in enumerate(ANGLES):
        text += f"\n[ZValue = {number}]\nTiltAngle = {angle}\nExposureDose = {dose}\n"
        text += f"SubFramePath = D:\\DATA\\frames\\TS_01_{number:03d}_{angle}.tif\n"
        text += f"PriorRecordDose = {dose * number}\n" if prior else ""
        text += f"DateTime = 30-Nov-15  15:{minutes[number]:02d}:00\n" if minutes else ""
        text += frames
    return text


def _mrc(path: Path, data: np.ndarray[Any, Any], size: float = 1.5) -> Path:
    with mrcfile.new(path, data) as mrc:
        mrc.voxel_size = size
    return path


def test_an_mdoc_and_its_stack_are_sorted_by_angle(tmp_path: Path) -> None:
    _mrc(tmp_path / "TS_01.mrc", STACK)
    (tmp_path / "TS_01.mrc.mdoc").write_text(_mdoc())
    for location in (tmp_path / "TS_01.mrc.mdoc", tmp_path / "TS_01.mrc", tmp_path):
        series = open_tilt_series(location)
        assert series.dims == ("tilt", "y", "x")
        assert series.chunks == ((1,) * 5, (12,), (10,))
        np.testing.assert_array_equal(series.tilt_angle, sorted(ANGLES))
        np.testing.assert_array_equal(series.values, STACK[ORDER])
        np.testing.assert_array_equal(series[1, 3:7, 2:5].values, STACK[ORDER][1, 3:7, 2:5])
        np.testing.assert_allclose(series.pre_exposure, 2.5 * ORDER)
        np.testing.assert_array_equal(series.dose, 2.5)
        np.testing.assert_array_equal(series.section, ORDER)
        assert series.attrs["tilt_axis_angle_degrees"] == 85.3
        assert series.voxel_size.x == 1.5
        assert series.y[2] == 3.0
        assert series.sel(tilt=series.tilt_angle.argmax("tilt").item()).tilt_angle == 6.0


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"prior": False}, [0, 2.5, 5, 7.5, 10]),
        ({"prior": False, "minutes": [9, 8, 7, 6, 5]}, [10, 7.5, 5, 2.5, 0]),
        ({"dose": 0, "prior": False}, [math.nan] * 5),
        ({"dose": 0, "prior": False, "frames": "FrameDosesAndNumber = 0.25 4 0.5 1\n"}, [0, 1.5, 3, 4.5, 6]),
    ],
)
def test_what_came_before_is_summed_in_the_order_of_time(
    tmp_path: Path, options: dict[str, Any], expected: list[float]
) -> None:
    _mrc(tmp_path / "TS_01.mrc", STACK)
    (tmp_path / "TS_01.mdoc").write_text(_mdoc(**options))
    series = open_tilt_series(tmp_path / "TS_01.mdoc")

    found = series.pre_exposure.values[np.argsort(ORDER)]
    np.testing.assert_allclose(found[1:], np.array(expected)[1:])


@pytest.mark.parametrize("suffix", [".tlt", ".rawtlt"])
def test_a_stack_and_its_list_of_angles(tmp_path: Path, suffix: str) -> None:
    _mrc(tmp_path / "TS_01.st", STACK)
    (tmp_path / f"TS_01{suffix}").write_text("".join(f"{angle}\n" for angle in ANGLES))
    for location in (tmp_path / "TS_01.st", tmp_path / f"TS_01{suffix}", tmp_path):
        series = open_tilt_series(location)
        np.testing.assert_array_equal(series.values, STACK[ORDER])
        assert np.isnan(series.dose).all()
    (tmp_path / f"TS_01{suffix}").write_text("1\n2\n3\n")
    with pytest.raises(DamagedDataError, match=r"describes 3 images, but .* has 5"):
        open_tilt_series(tmp_path / "TS_01.st")
    (tmp_path / f"TS_01{suffix}").write_text("1\n2\n3\n4\n5\n6\n")
    with pytest.raises(ArchiveFileNotFoundError, match=r"1 of the 6 images .*section 5"):
        open_tilt_series(tmp_path / "TS_01.st")
    assert open_tilt_series(tmp_path / "TS_01.st", missing="skip").sizes["tilt"] == 5


def _frames(folder: Path, *, below: str = "frames", frames: int = 4) -> np.ndarray[Any, Any]:
    """Write a movie a tilt and return their sums."""
    (folder / below).mkdir(exist_ok=True)
    sums = []
    for number, angle in enumerate(ANGLES):
        movie = RNG.integers(0, 200, (frames, 12, 10), dtype=np.uint8)
        name = folder / below / f"TS_01_{number:03d}_{angle}.tif"
        with tifffile.TiffWriter(name) as writer:
            for frame in movie:
                writer.write(frame, metadata=None, contiguous=False, photometric="minisblack")
        sums.append(movie.sum(axis=0, dtype=int))
    return np.stack(sums)


@pytest.mark.parametrize("below", ["", "frames"])
def test_movies_that_the_mdoc_names_are_found_and_summed(tmp_path: Path, below: str) -> None:
    sums = _frames(tmp_path, below=below)
    (tmp_path / "TS_01.mdoc").write_text(_mdoc())
    series = open_tilt_series(tmp_path)

    assert series.dtype == np.uint32
    np.testing.assert_array_equal(series.values, sums[ORDER])
    np.testing.assert_array_equal(series[2, 1:3, 4:].values, sums[ORDER][2, 1:3, 4:])
    assert str(series.image[0].item()).endswith("TS_01_003_-6.0.tif")
    assert (series.section == -1).all()


def test_a_tomogram_is_not_taken_for_the_stack(tmp_path: Path) -> None:
    sums = _frames(tmp_path)
    _mrc(tmp_path / "TS_01.rec", STACK)
    (tmp_path / "TS_01.mdoc").write_text(_mdoc())

    np.testing.assert_array_equal(open_tilt_series(tmp_path).values, sums[ORDER])


def test_frames_that_were_converted_are_found_by_the_rest_of_their_names(tmp_path: Path) -> None:
    for number, angle in enumerate(ANGLES):
        _mrc(tmp_path / f"TS_01_{number:03d}_{angle}.mrc", STACK[number])
    (tmp_path / "TS_01.mdoc").write_text(_mdoc())
    series = open_tilt_series(tmp_path / "TS_01.mdoc")

    np.testing.assert_array_equal(series.values, STACK[ORDER])


def test_eer_movies_of_unlike_lengths_are_summed(tmp_path: Path) -> None:
    expected = []
    for number, angle in enumerate(ANGLES):
        frames = [random_electrons(RNG, 64, 200) for _ in range(3 + number)]
        (tmp_path / f"TS_01_{number:03d}_{angle}.eer").write_bytes(eer_bytes(frames, 64))
        expected.append(sum(frame.image(64, 1) for frame in frames))
    (tmp_path / "TS_01.mdoc").write_text(_mdoc().replace(".tif", ".eer"))
    series = open_tilt_series(tmp_path / "TS_01.mdoc")

    np.testing.assert_array_equal(series.values, np.stack(expected)[ORDER])


def test_a_tilt_that_is_missing_is_named_or_skipped(tmp_path: Path) -> None:
    sums = _frames(tmp_path)
    (tmp_path / "frames" / "TS_01_002_-3.0.tif").unlink()
    (tmp_path / "TS_01.mdoc").write_text(_mdoc())
    with pytest.raises(ArchiveFileNotFoundError, match=r"1 of the 5 images .*TS_01_002_-3.0.tif"):
        open_tilt_series(tmp_path)
    series = open_tilt_series(tmp_path, missing="skip")

    np.testing.assert_array_equal(series.tilt_angle, [-6, 0.01, 3, 6])
    np.testing.assert_array_equal(series.values, sums[[3, 0, 1, 4]])
    with pytest.raises(InvalidRequestError, match="missing is"):
        open_tilt_series(tmp_path, missing="ignore")  # type: ignore[arg-type]


def test_an_image_of_another_shape_is_refused_when_it_is_read(tmp_path: Path) -> None:
    _frames(tmp_path)
    tifffile.imwrite(tmp_path / "frames" / "TS_01_004_6.0.tif", np.zeros((8, 8), np.uint8))
    (tmp_path / "TS_01.mdoc").write_text(_mdoc())
    series = open_tilt_series(tmp_path)

    series[0].compute()
    with pytest.raises(ShapeMismatchError, match=r"TS_01_004_6\.0"):
        series[4].compute()


def test_images_elsewhere_are_read_from_there(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    here.mkdir()
    there.mkdir()
    sums = _frames(there, below="")
    _mrc(there / "other.mrc", STACK)
    (here / "TS_01.mdoc").write_text(_mdoc())

    np.testing.assert_array_equal(open_tilt_series(here, images=there).values, sums[ORDER])
    np.testing.assert_array_equal(open_tilt_series(here, images=there / "other.mrc").values, STACK[ORDER])


RELION = """data_global

loop_
_rlnTomoName #1
_rlnTomoTiltSeriesStarFile #2
_rlnTomoImportFractionalDose #3
TS_01 Import/job001/tilt_series/TS_01.star 3.1
TS_02 Import/job001/tilt_series/TS_02.star 3.1
"""


def _relion_series(names: list[str]) -> str:
    text = "data_TS_01\n\nloop_\n_rlnMicrographMovieName #1\n_rlnTomoNominalStageTiltAngle #2\n"
    text += "_rlnMicrographPreExposure #3\n"
    for number, angle in enumerate(ANGLES):
        text += f"{names[number]} {angle} {2.0 * number}\n"
    return text


def test_relions_star_files_of_a_series_and_of_all(tmp_path: Path) -> None:
    sums = _frames(tmp_path)
    (tmp_path / "tilt_series").mkdir()
    names = [f"frames/TS_01_{number:03d}_{angle}.tif" for number, angle in enumerate(ANGLES)]
    (tmp_path / "tilt_series" / "TS_01.star").write_text(_relion_series(names))
    (tmp_path / "tilt_series.star").write_text(RELION)
    alone = open_tilt_series(tmp_path / "tilt_series" / "TS_01.star", images=tmp_path)
    one = open_tilt_series(tmp_path / "tilt_series.star", name="TS_01", images=tmp_path)

    np.testing.assert_array_equal(alone.values, sums[ORDER])
    np.testing.assert_array_equal(one.values, sums[ORDER])
    np.testing.assert_allclose(one.pre_exposure, 2.0 * ORDER)
    np.testing.assert_allclose(alone.dose, 2.0)
    np.testing.assert_allclose(one.dose, 3.1)
    with pytest.raises(InvalidRequestError, match=r"TS_01, TS_02"):
        open_tilt_series(tmp_path / "tilt_series.star")
    with pytest.raises(ArchiveFileNotFoundError, match=r"TS_02\.star"):
        open_tilt_series(tmp_path / "tilt_series.star", name="TS_02")


def test_relions_names_within_a_stack(tmp_path: Path) -> None:
    _mrc(tmp_path / "TS_01.st", STACK)
    (tmp_path / "TS_01.star").write_text(_relion_series([f"{k + 1:06d}@old/TS_01.st" for k in range(5)]))

    np.testing.assert_array_equal(open_tilt_series(tmp_path / "TS_01.star").values, STACK[ORDER])


def test_parakeets_series_come_with_angles_and_doses(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_group("entry/data")
        data["data"], data["tilt_alpha"], data["dose"] = STACK, np.array(ANGLES), np.full(5, 3.0)
        data["pixel_size_x"] = data["pixel_size_y"] = np.full(5, 2.0)
    series = open_tilt_series(tmp_path)

    np.testing.assert_array_equal(series.values, STACK[ORDER])
    np.testing.assert_allclose(series.pre_exposure, 3.0 * ORDER)
    assert series.voxel_size.x == 2.0


def test_angles_in_the_header_of_a_stack_will_do(tmp_path: Path) -> None:
    records = np.zeros(5, mrcfile.dtypes.get_ext_header_dtype(b"FEI1"))
    records["Metadata size"] = records.dtype.itemsize
    records["Bitmask 1"] = 0xFFFFFFFF
    records["Alpha tilt"] = ANGLES
    with mrcfile.new(tmp_path / "a.mrc", STACK) as mrc:
        mrc.set_extended_header(records)
        mrc.header.exttyp = b"FEI1"

    np.testing.assert_array_equal(open_tilt_series(tmp_path / "a.mrc").values, STACK[ORDER])
    _mrc(tmp_path / "b.mrc", STACK)
    with pytest.raises(ArchiveFileNotFoundError, match="nothing tells the angles"):
        open_tilt_series(tmp_path / "b.mrc")


def test_what_describes_nothing_or_several_says_so(tmp_path: Path) -> None:
    with pytest.raises(ArchiveFileNotFoundError, match=r"no \.mdoc"):
        open_tilt_series(tmp_path)
    with pytest.raises(UnsupportedFormatError, match=r"\.mdoc"):
        open_tilt_series(tmp_path / "a.pdf")
    for name in ("TS_01", "TS_02"):
        (tmp_path / f"{name}.mdoc").write_text(_mdoc())
    with pytest.raises(InvalidRequestError, match="2 series"):
        open_tilt_series(tmp_path)
    _mrc(tmp_path / "TS_02.mrc", STACK)
    assert open_tilt_series(tmp_path, name="TS_02").sizes["tilt"] == 5
    (tmp_path / "bad.mdoc").write_text("[ZValue = 0]\nTiltAngle = up\n")
    with pytest.raises(DamagedDataError, match="tilt angle"):
        open_tilt_series(tmp_path / "bad.mdoc")
    with pytest.raises(ArchiveFileNotFoundError):
        open_tilt_series(tmp_path / "TS_01.mdoc", images=tmp_path / "TS_09")


def test_a_series_of_the_archive_moves_what_is_used_of_it(archive: Archive) -> None:
    stack = RNG.normal(size=(5, 256, 256)).astype(np.float32)
    files = {"data/TS 01.mrc": mrc_bytes(stack), "data/TS 01.mrc.mdoc": _mdoc().encode()}
    archive.add_entry(ENTRY, files)
    base = f"{archive.settings()['EMPIARREADER_ARCHIVE_URL']}/{ENTRY}"
    for location in (
        f"empiar://{ENTRY}/data",
        f"empiar://{ENTRY}/data/TS 01.mrc.mdoc",
        f"{base}/data/TS%2001.mrc.mdoc",
        f"{base}/data/TS%2001.mrc",
        f"{base}/data/",
    ):
        series = open_tilt_series(location)
        before = traffic()
        np.testing.assert_array_equal(series[4].values, stack[ORDER[4]])
        assert (traffic() - before).bytes_received == 256 * 256 * 4
        before = traffic()
        np.testing.assert_array_equal(series[:, 10:20].values, stack[ORDER][:, 10:20])
        assert (traffic() - before).bytes_received == 5 * 10 * 256 * 4
    again = pickle.loads(pickle.dumps(series))
    np.testing.assert_array_equal(again.values, stack[ORDER])


def test_an_address_outside_the_archive_cannot_be_listed(archive: Archive) -> None:
    archive.add_file(HOST, "pub/a.mdoc", _mdoc().encode())
    with pytest.raises(InvalidRequestError, match="cannot be listed"):
        open_tilt_series(archive.url(HOST, "pub/a.mdoc"))


VALUES = st.one_of(
    st.none(),
    st.floats(),
    st.integers(-(10**20), 10**20),
    st.text(max_size=12),
    st.tuples(st.floats(), st.integers()),
    st.sampled_from(["30-Nov-15  15:21:38", "2021-02-30 25:61:61", "3@a.st", "D:\\x\\..\\y.tif"]),
)
COLUMNS = [
    "TiltAngle",
    "ZValue",
    "ExposureDose",
    "PriorRecordDose",
    "DateTime",
    "SubFramePath",
    "FrameDosesAndNumber",
    "rlnTomoNominalStageTiltAngle",
    "rlnMicrographPreExposure",
    "rlnMicrographMovieName",
]


@settings(max_examples=150)
@given(
    st.lists(
        st.fixed_dictionaries({}, optional=dict.fromkeys(COLUMNS, VALUES)), min_size=1, max_size=4
    ).filter(any)  # pandas 2 has no rows where there are no columns
)
def test_any_notes_are_tilts_or_an_error(rows: list[dict[str, Any]]) -> None:
    frame = pandas.DataFrame(rows)
    for parse in (tilts_of_mdoc, tilts_of_relion):
        with contextlib.suppress(EmpiarReaderError):
            tilts = parse(frame, "x")
            assert len(tilts) == len(rows)
            assert all(math.isfinite(tilt.angle) for tilt in tilts)


@pytest.mark.real_data
def test_a_real_mdoc_orders_its_series(real_data: Path, tmp_path: Path) -> None:
    text = (real_data / "empiar" / "meta" / "tilt_series.mdoc").read_text()
    stack = RNG.integers(0, 99, (41, 8, 6)).astype(np.int16)
    (tmp_path / "tilt_series.mdoc").write_text(text)
    _mrc(tmp_path / "TS_01.mrc", stack, 5.4)
    series = open_tilt_series(tmp_path)

    assert series.sizes["tilt"] == 41
    assert (np.diff(series.tilt_angle) > 0).all()
    np.testing.assert_array_equal(series.values, stack[series.section.values])
    assert series.attrs["tilt_axis_angle_degrees"] == 85.3
