"""EER movies: electrons equal to the list that the file was made from, and which bytes move."""

from __future__ import annotations

import contextlib
import pickle
import struct
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

from eer_files import LAYOUTS, METADATA, Electrons, eer_bytes, encode_frame, random_electrons
from empiarreader import (
    DamagedDataError,
    EmpiarReaderError,
    InvalidRequestError,
    UnsupportedFormatError,
    apply_gain,
    open_gain,
    open_image,
    read_metadata,
    traffic,
)
from empiarreader.images.eercodec import EerLayout, add_electrons
from empiarreader.images.eernotes import parse_notes, pixel_size
from perc_archive import Archive

HOST = "ftp.ebi.ac.uk"
PIXELS = 64


def _frames(count: int = 7, electrons: int = 300, pixels: int = PIXELS) -> list[Electrons]:
    generator = np.random.default_rng(11)
    return [random_electrons(generator, pixels, electrons) for _ in range(count)]


def _sums(frames: list[Electrons], group: int, factor: int) -> np.ndarray[Any, Any]:
    images = [frame.image(PIXELS, factor) for frame in frames]
    return np.stack([sum(images[k : k + group]) for k in range(0, len(frames) - group + 1, group)])


def _write(folder: Path, body: bytes, name: str = "a.eer") -> Path:
    path = folder / name
    path.write_bytes(body)
    return path


@pytest.mark.parametrize("final_image", [False, True], ids=["plain", "final image"])
@pytest.mark.parametrize("strips", [1, 4])
@pytest.mark.parametrize("compression", LAYOUTS)
@pytest.mark.parametrize("factor", [1, 2, 4])
def test_electrons_equal_the_list_they_were_made_from(
    tmp_path: Path, compression: int, strips: int, final_image: bool, factor: int
) -> None:
    frames = _frames()
    body = eer_bytes(frames, PIXELS, compression=compression, strips=strips, final_image=final_image)
    path = _write(tmp_path, body)
    if factor == 4 and compression == 65002:
        with pytest.raises(InvalidRequestError, match="one of 1, 2"):
            open_image(path, super_resolution=4)
        return
    for group in (1, 3):
        movie = open_image(path, super_resolution=factor, group=group)
        np.testing.assert_array_equal(movie.values, _sums(frames, group, factor))
    np.testing.assert_array_equal(movie[1, 5:40, 9:20].values, _sums(frames, 3, factor)[1, 5:40, 9:20])


def test_a_single_strip_is_as_tifffile_reads_it(tmp_path: Path) -> None:
    for compression in LAYOUTS:
        path = _write(tmp_path, eer_bytes(_frames(), PIXELS, compression=compression))
        for factor in (1, 2):
            with tifffile.TiffFile(path, superres=factor // 2) as tiff:
                expected = np.stack([page.asarray() for page in tiff.pages])
            np.testing.assert_array_equal(open_image(path, super_resolution=factor).values, expected)


def test_the_first_cameras_wrote_long_runs_with_a_place(tmp_path: Path) -> None:
    frames = _frames(30, electrons=12)  # far between, so that there are such runs
    path = _write(tmp_path, eer_bytes(frames, PIXELS, compression=65000, waste=True, strips=4))
    for factor in (1, 2, 4):
        found = open_image(path, super_resolution=factor).values
        np.testing.assert_array_equal(found, _sums(frames, 1, factor))


@settings(max_examples=60)
@given(
    st.sampled_from(sorted(LAYOUTS)),
    st.lists(st.tuples(st.integers(0, 1023), st.integers(0, 15)), max_size=40, unique_by=lambda e: e[0]),
)
def test_any_list_of_electrons_survives(compression: int, places: list[tuple[int, int]]) -> None:
    pixel, place = (np.array([part[k] for part in places], np.int64) for k in (0, 1))
    frame = Electrons(x=pixel % 32 * 4 + place % 4, y=pixel // 32 * 4 + place // 4)
    run, x, y = LAYOUTS[compression]
    layout = EerLayout(compression=compression, run_bits=run, x_bits=x, y_bits=y)
    bits = encode_frame(frame, 32, LAYOUTS[compression])
    for factor in (1, 2):
        counts = np.zeros((32 * factor, 32 * factor), np.uint16)
        add_electrons(bits, layout, factor, counts, "a.eer")
        np.testing.assert_array_equal(counts, frame.image(32, factor))


def test_a_movie_says_its_dose_time_and_pixel_size(tmp_path: Path) -> None:
    path = _write(tmp_path, eer_bytes(_frames(8), PIXELS, final_image=True))
    movie = open_image(path, group=3, super_resolution=2)

    assert movie.dims == ("frame", "y", "x")
    assert movie.shape == (2, 128, 128)
    assert movie.dtype == np.uint8
    assert (movie.attrs["recorded_frames"], movie.attrs["left_over"]) == (8, 2)
    assert movie.attrs["dose_per_frame"] == pytest.approx(32 / 0.8**2 * 3 / 8)
    assert movie.attrs["exposure_per_frame"] == pytest.approx(2.5 * 3 / 8)
    assert movie.voxel_size.x == pytest.approx(0.4)
    assert read_metadata(path)["cameraName"] == "Falcon"
    assert read_metadata(path)["totalDose.unit"] == "e/pixel"
    bare = open_image(_write(tmp_path, eer_bytes(_frames(8), PIXELS, metadata=None), "b.eer"))
    assert "dose_per_frame" not in bare.attrs
    assert bare.voxel_size.x == 0.0
    assert bare.shape[0] == 8


def test_pixels_that_are_not_square_keep_y_and_x_apart(tmp_path: Path) -> None:
    notes = METADATA.replace('height" unit="m">8e-11', 'height" unit="nm">0.16')
    movie = open_image(_write(tmp_path, eer_bytes(_frames(8), PIXELS, metadata=notes)), super_resolution=2)

    assert tuple(movie.voxel_size) == pytest.approx((0.0, 0.8, 0.4))
    assert movie.attrs["dose_per_frame"] == pytest.approx(32 / (1.6 * 0.8) / 8)


def test_a_frame_whose_codes_are_not_those_of_the_first_is_damage(tmp_path: Path) -> None:
    body = bytearray(eer_bytes(_frames(3), PIXELS, compression=65002))
    run_bits = LAYOUTS[65002][0]
    entry = struct.pack("<HHQH", 65007, 3, 1, run_bits)
    second = body.index(entry, body.index(entry) + 1)
    body[second : second + len(entry)] = struct.pack("<HHQH", 65007, 3, 1, run_bits - 1)
    movie = open_image(_write(tmp_path, bytes(body)))

    np.testing.assert_array_equal(movie[0].values, _frames(3)[0].image(PIXELS, 1))
    with pytest.raises(DamagedDataError, match="a frame that is not like its first"):
        movie[1].compute()


@pytest.mark.parametrize(("x_bits", "y_bits"), [(2, 1), (1, 2)])
def test_a_grid_is_no_finer_than_places_are_kept_along_both_axes(x_bits: int, y_bits: int) -> None:
    layout = EerLayout(compression=65002, run_bits=8, x_bits=x_bits, y_bits=y_bits)

    layout.check_factor(2)
    with pytest.raises(InvalidRequestError, match=r"one of 1, 2$"):
        layout.check_factor(4)


@pytest.mark.parametrize(("group", "dtype"), [(255, np.uint8), (256, np.uint16), (300, np.uint16)])
def test_so_many_frames_as_eight_bits_cannot_count_are_counted_in_sixteen(
    tmp_path: Path, group: int, dtype: type[np.integer[Any]]
) -> None:
    frame = _frames(1, electrons=20)[0]
    movie = open_image(_write(tmp_path, eer_bytes([frame] * group, PIXELS)), group=group)

    assert movie.dtype == dtype
    np.testing.assert_array_equal(movie[0].values, group * frame.image(PIXELS, 1).astype(np.int64))


@pytest.mark.parametrize("group", [0, -1, 8, 10**6])
def test_groups_that_do_not_fit_are_refused(tmp_path: Path, group: int) -> None:
    path = _write(tmp_path, eer_bytes(_frames(), PIXELS))

    with pytest.raises(InvalidRequestError, match="group is"):
        open_image(path, group=group)
    with pytest.raises(InvalidRequestError, match="super_resolution is 3"):
        open_image(path, super_resolution=3)


def test_opening_moves_little_and_a_frame_moves_itself(archive: Archive) -> None:
    frames = _frames(40, electrons=12_000, pixels=512)
    body = eer_bytes(frames, 512)
    one = len(encode_frame(frames[0], 512, LAYOUTS[65001]))
    archive.add_file(HOST, "pub/a.eer", body)
    before = traffic()
    movie = open_image(archive.url(HOST, "pub/a.eer"))
    opened = (traffic() - before).bytes_received
    np.testing.assert_array_equal(movie[0].values, frames[0].image(512, 1))
    read = (traffic() - before).bytes_received - opened

    assert opened < 16 * 1024
    assert one <= read < 1.2 * one + 8 * 1024
    everything = pickle.loads(pickle.dumps(movie)).sum("frame").values
    np.testing.assert_array_equal(everything, sum(frame.image(512, 1) for frame in frames))
    assert (traffic() - before).bytes_received < 1.5 * len(body)


def test_a_late_frame_fetches_the_file_whole_rather_than_walk(archive: Archive) -> None:
    frames = _frames(200, electrons=30)
    body = eer_bytes(frames, PIXELS)
    archive.add_file(HOST, "pub/a.eer", body)
    movie = open_image(archive.url(HOST, "pub/a.eer"))
    before = traffic()
    np.testing.assert_array_equal(movie[199].values, frames[199].image(PIXELS, 1))

    assert (traffic() - before).requests < 15
    assert (traffic() - before).bytes_received < 1.3 * len(body)


def test_the_count_of_frames_is_checked_when_they_are_read(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    promised = METADATA.replace("{frames}", "9")
    movie = open_image(_write(tmp_path, eer_bytes(_frames(7), PIXELS, metadata=promised)))
    assert movie.shape[0] == 9
    np.testing.assert_array_equal(movie[6].values, _frames(7)[6].image(PIXELS, 1))
    with pytest.raises(DamagedDataError, match="has 7 frames, but promises 9"):
        movie[8].compute()
    stated = open_image(_write(tmp_path, eer_bytes(_frames(7), PIXELS, metadata=None), "b.eer"), frames=5)
    stated[4].compute()
    assert "has more than the 5 frames" in caplog.text


def test_files_cut_short_never_give_electrons(tmp_path: Path) -> None:
    body = eer_bytes(_frames(), PIXELS)
    for part in (0.2, 0.5, 0.9, 0.999):
        path = _write(tmp_path, body[: int(len(body) * part)])
        with pytest.raises(DamagedDataError):
            open_image(path).compute()
    run, x, y = LAYOUTS[65001]
    layout = EerLayout(compression=65001, run_bits=run, x_bits=x, y_bits=y)
    bits = encode_frame(_frames(1)[0], 256, LAYOUTS[65001])
    with pytest.raises(DamagedDataError, match="damaged"):
        add_electrons(bits, layout, 1, np.zeros((64, 64), np.uint8), "a.eer")


def test_a_tiff_file_that_is_no_eer_is_refused(tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "a.eer", np.zeros((9, 9), np.uint8), bigtiff=True)
    with pytest.raises(UnsupportedFormatError, match="not EER"):
        open_image(tmp_path / "a.eer")


BOMB = (
    '<?xml version="1.0"?><!DOCTYPE m [<!ENTITY a "aaaaaaaaaa">'
    + "".join(f'<!ENTITY {b} "{f"&{a};" * 10}">' for a, b in zip("abcdefgh", "bcdefghi", strict=True))
    + ']><metadata><item name="x">&i;</item></metadata>'
)


@pytest.mark.parametrize(
    "notes",
    [BOMB.encode(), BOMB.encode("utf-16"), b"<metadata>", b"<a/>" + b" " * 2_000_000 + b"x", b"\xff\xfe<"],
    ids=["entities", "entities in UTF-16", "open", "long", "odd bytes"],
)
def test_notes_that_are_a_trap_are_refused(notes: bytes) -> None:
    tracemalloc.start()
    with pytest.raises(DamagedDataError, match="notes"):
        parse_notes(notes, "a.eer")
    assert tracemalloc.get_traced_memory()[1] < 16 * 1024 * 1024
    tracemalloc.stop()


def test_pixel_sizes_of_the_detector_are_no_pixel_sizes() -> None:
    notes = parse_notes(b'<m><item name="sensorPixelSize.width" unit="m">1.4e-5</item></m>', "a")

    assert pixel_size(notes) == (0.0, 0.0)


def test_absurd_promises_are_refused_early(archive: Archive) -> None:
    body = eer_bytes(_frames(), PIXELS, metadata=METADATA.replace("{frames}", "1000000000000"))
    wide = bytearray(eer_bytes(_frames(), PIXELS))
    for tag in (256, 257):
        entry = struct.pack("<HHQ", tag, 3, 1)
        place = wide.index(entry)
        wide[place : place + 20] = struct.pack("<HHQQ", tag, 4, 1, 60_000)
    for name, content in (("frames", body), ("pixels", bytes(wide))):
        archive.add_file(HOST, f"pub/{name}.eer", content)
        before = traffic()
        tracemalloc.start()
        with pytest.raises(DamagedDataError, match=f"{name}.eer"):
            open_image(archive.url(HOST, f"pub/{name}.eer"))
        assert tracemalloc.get_traced_memory()[1] < 64 * 1024 * 1024
        tracemalloc.stop()
        assert (traffic() - before).bytes_received < 1024 * 1024


@settings(max_examples=80)
@given(st.integers(0, 3000), st.binary(min_size=1, max_size=24), st.booleans())
def test_any_bytes_are_a_movie_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, place: int, noise: bytes, cut: bool
) -> None:
    base = eer_bytes(_frames(3), PIXELS, strips=4)
    body = base[:place] + noise + (b"" if cut else base[place + len(noise) :])
    path = _write(tmp_path_factory.mktemp("any"), body)
    with contextlib.suppress(EmpiarReaderError):
        movie = open_image(path)
        if movie.size < 10**6:
            movie.compute()


def test_an_epu_gain_evens_out_an_eer_movie(tmp_path: Path) -> None:
    frames = _frames(4)
    movie = open_image(_write(tmp_path, eer_bytes(frames, PIXELS)), group=4, super_resolution=2)
    gain = np.random.default_rng(2).uniform(50, 150, (PIXELS, PIXELS)).astype(np.float32)
    tifffile.imwrite(tmp_path / "20240101_EER_GainReference.gain", gain)
    corrected = apply_gain(movie, open_gain(tmp_path / "20240101_EER_GainReference.gain"))

    expected = _sums(frames, 4, 2)[0] * np.kron(gain / gain.mean(), np.ones((2, 2)))
    np.testing.assert_allclose(corrected[0].values, expected, rtol=1e-5)


@pytest.mark.parametrize(("unit", "angstrom"), [("m", 1e10), ("nm", 10.0), ("pm", 0.01), ("Angstrom", 1.0)])
def test_the_size_of_a_pixel_is_in_angstrom_whatever_its_unit(unit: str, angstrom: float) -> None:
    notes = {
        "sensorPixelSize.height": str(0.8 / angstrom),
        "sensorPixelSize.height.unit": unit,
        "sensorPixelSize.width": str(0.7 / angstrom),
        "sensorPixelSize.width.unit": unit,
    }
    assert pixel_size(notes) == pytest.approx((0.8, 0.7))
