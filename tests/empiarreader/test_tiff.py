"""TIFF movies: tifffile as the second reader, which bytes move, and files that nobody should believe."""

from __future__ import annotations

import bz2
import gzip
import io
import pickle
import struct
import tempfile
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

import empiarreader
from eer_files import eer_bytes, random_electrons
from empiarreader import (
    DamagedDataError,
    EmpiarCatalog,
    EmpiarReaderError,
    EmpiarSource,
    FileChangedError,
    InvalidRequestError,
    MrcSource,
    UnsupportedFormatError,
)
from empiarreader.bytefiles import LocalFile
from empiarreader.images.opening import open_format
from empiarreader.images.tiffchain import PageChain
from empiarreader.images.tiffdirectory import TiffLayout
from empiarreader.network.ranges import FileVersion, Spans
from mrc_vectors import mrc_bytes
from perc_archive import Archive

HOST = "ftp.ebi.ac.uk"
FRAMES, HEIGHT, WIDTH = 12, 512, 768


def _counts(frames: int = FRAMES, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray[Any, Any]:
    """Electron counts, as a camera saves them: LZW leaves about a third."""
    return np.random.default_rng(7).poisson(0.9, (frames, height, width)).astype(np.uint8)


def _tiff(pixels: np.ndarray[Any, Any], *, one_by_one: bool = True, **options: Any) -> bytes:
    """Return a file as cameras write it, frame after frame; or in one go, which leaves the shape in it."""
    buffer = io.BytesIO()
    options = {"photometric": "minisblack", **options}
    names = {"byteorder": options.pop("byteorder", "<"), "bigtiff": options.pop("bigtiff", False)}
    with tifffile.TiffWriter(buffer, **names) as writer:
        if one_by_one:
            for frame in pixels:
                writer.write(frame, metadata=None, contiguous=False, **options)
        else:
            writer.write(pixels, **options)
    return buffer.getvalue()


@pytest.fixture(scope="module")
def large() -> bytes:
    """Frames of 2.6 MB once compressed: large enough to go to them one by one."""
    pixels = np.random.default_rng(11).integers(0, 2**12, (4, 1000, 1500)).astype(np.uint16)
    return _tiff(pixels, compression="lzw", rowsperstrip=16)


def _strip_bytes(content: bytes, page: int) -> int:
    with tifffile.TiffFile(io.BytesIO(content)) as tiff:
        return sum(tiff.pages[page].databytecounts)


def _moved(archive: Archive) -> int:
    return sum(request.body_bytes_sent for request in archive.requests("*.tif*"))


@pytest.mark.parametrize("byteorder", ["<", ">"])
@pytest.mark.parametrize("bigtiff", [False, True], ids=["classic", "big"])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"compression": "lzw", "rowsperstrip": 1},
        {"compression": "lzw", "predictor": True},
        {"compression": "zlib", "rowsperstrip": 7},
        {"compression": "zstd", "tile": (16, 32)},
        {"compression": "packbits"},
        {"compression": "lzma"},
        {"tile": (32, 16)},
    ],
    ids=str,
)
@pytest.mark.parametrize("dtype", ["u1", "i2", "u2", "f4"])
def test_every_kind_of_movie_reads_as_tifffile_reads_it(
    tmp_path: Path, byteorder: str, bigtiff: bool, options: dict[str, Any], dtype: str
) -> None:
    pixels = np.random.default_rng(1).integers(0, 100, (3, 45, 70)).astype(dtype)
    path = tmp_path / "a.tif"
    path.write_bytes(_tiff(pixels, byteorder=byteorder, bigtiff=bigtiff, **options))
    source = MrcSource(path)

    found = source.read(0)
    np.testing.assert_array_equal(found, tifffile.imread(path))
    assert found.dtype == pixels.dtype
    region = (slice(1, 3), slice(9, 33), slice(20, 55))
    np.testing.assert_array_equal(source.read(0, region), pixels[region])


@pytest.mark.parametrize(
    ("shape", "options", "dims"),
    [
        ((40, 50), {}, ("y", "x")),
        ((40, 50, 3), {"photometric": "rgb"}, ("y", "x", "channel")),
        ((3, 40, 50), {"photometric": "rgb", "planarconfig": "separate"}, ("channel", "y", "x")),
        ((40, 50, 3), {"photometric": "rgb", "compression": "lzw", "tile": (16, 16)}, ("y", "x", "channel")),
        (
            (3, 40, 50),
            {"photometric": "rgb", "planarconfig": "separate", "compression": "zlib", "rowsperstrip": 9},
            ("channel", "y", "x"),
        ),
    ],
    ids=str,
)
def test_single_images_and_colours_keep_their_axes(
    tmp_path: Path, shape: tuple[int, ...], options: dict[str, Any], dims: tuple[str, ...]
) -> None:
    pixels = np.random.default_rng(2).integers(0, 255, shape).astype(np.uint8)
    tifffile.imwrite(tmp_path / "a.tif", pixels, **{"photometric": "minisblack", **options})
    image = empiarreader.open_image(tmp_path / "a.tif")

    assert image.dims == dims
    np.testing.assert_array_equal(image.values, pixels)
    rows = {"y": slice(5, 30), "x": slice(11, 47)}
    np.testing.assert_array_equal(
        image.isel(rows).values, pixels[tuple(rows.get(name, slice(None)) for name in dims)]
    )


@pytest.mark.parametrize("bits", [1, 4, 12])
def test_packed_bits_read_as_tifffile_reads_them(tmp_path: Path, bits: int) -> None:
    pixels = np.random.default_rng(3).integers(0, 1 << bits, (30, 44)).astype("u2" if bits > 8 else "u1")
    stored = pixels.astype(bool) if bits == 1 else pixels
    tifffile.imwrite(tmp_path / "a.tif", stored, bitspersample=bits, photometric="minisblack", rowsperstrip=7)
    found = MrcSource(tmp_path / "a.tif").read(0)

    np.testing.assert_array_equal(found, tifffile.imread(tmp_path / "a.tif"))
    np.testing.assert_array_equal(found.astype(int), pixels)


def _packed(counts: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Return counts of 4 bits as SerialEM packs them, the left of two in the low half of a byte."""
    return np.asarray(counts[..., 0::2] | counts[..., 1::2] << 4)


@pytest.mark.parametrize("layout", [{"rowsperstrip": 7}, {"tile": (16, 16)}, {"one_by_one": False}])
def test_counts_packed_two_a_byte_are_unpacked_where_the_title_says_so(
    tmp_path: Path, layout: dict[str, Any]
) -> None:
    counts = np.random.default_rng(5).integers(0, 16, (3, 20, 26)).astype(np.uint8)
    title = "SerialEMCCD: Dose frac. image, 4 bits packed  r/f 0"
    (tmp_path / "a.tif").write_bytes(_tiff(_packed(counts), description=title, **layout))
    image = empiarreader.open_image(tmp_path / "a.tif")

    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, counts)
    np.testing.assert_array_equal(image[1, 3:17, 5:12], counts[1, 3:17, 5:12])
    np.testing.assert_array_equal(image[2, :, 25], counts[2, :, 25])
    (tmp_path / "b.tif").write_bytes(_tiff(_packed(counts), description="a movie", **layout))
    np.testing.assert_array_equal(empiarreader.open_image(tmp_path / "b.tif"), _packed(counts))


@pytest.mark.parametrize(("height", "width"), [(7420, 3838), (11520, 4092)])
def test_a_page_of_just_half_a_camera_holds_two_counts_a_byte(
    tmp_path: Path, height: int, width: int
) -> None:
    packed = np.zeros((height, width), np.uint8)
    packed[-1, -2:] = 0x21, 0xF0
    tifffile.imwrite(tmp_path / "a.tif", packed, compression="lzw", rowsperstrip=64)
    image = empiarreader.open_image(tmp_path / "a.tif")

    assert image.shape == (height, 2 * width)
    np.testing.assert_array_equal(image[-1, -4:], [1, 2, 0, 15])


def test_an_imagej_stack_of_packed_counts_is_unpacked(tmp_path: Path) -> None:
    packed = np.zeros((2, 7420, 3838), np.uint8)
    packed[1, 5, 7] = 0x43
    tifffile.imwrite(tmp_path / "a.tif", packed, imagej=True)
    image = empiarreader.open_image(tmp_path / "a.tif")

    assert image.shape == (2, 7420, 7676)
    np.testing.assert_array_equal(image[1, 5, 13:17], [0, 3, 4, 0])


@given(
    data=st.data(),
    compression=st.sampled_from([None, "lzw"]),
    tile=st.sampled_from([None, (16, 16), (16, 48)]),
    rows=st.integers(1, 40),
)
@settings(max_examples=40)
def test_any_region_equals_the_slice_of_the_whole(
    data: st.DataObject, compression: str | None, tile: tuple[int, int] | None, rows: int
) -> None:
    pixels = np.arange(4 * 37 * 53, dtype=np.uint16).reshape(4, 37, 53)
    layout: dict[str, Any] = {"tile": tile} if tile else {"rowsperstrip": rows}
    bounds = [data.draw(st.tuples(st.integers(0, n), st.integers(0, n))) for n in pixels.shape]
    region = tuple(slice(min(pair), max(pair)) for pair in bounds)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.tif"
        path.write_bytes(_tiff(pixels, compression=compression, **layout))
        found = MrcSource(path).read(0, region)

    np.testing.assert_array_equal(found, pixels[region])


def test_opening_moves_directories_and_one_frame_moves_its_strips(archive: Archive, large: bytes) -> None:
    archive.add_entry(10028, {"data/movie.tif": large})
    part = EmpiarSource(10028, "data", filename="*.tif").partition(0)

    assert part.shape == (4, 1000, 1500)
    assert part.data.chunks == ((1,) * 4, (1000,), (1500,))
    assert _moved(archive) <= 16 * 1024 + 4 * 4096
    before = _moved(archive)
    frame = part[2].values

    np.testing.assert_array_equal(frame, tifffile.imread(io.BytesIO(large), key=2))
    assert _moved(archive) - before <= 1.01 * _strip_bytes(large, 2)


def test_a_few_rows_move_the_strips_that_hold_them(archive: Archive) -> None:
    content = _tiff(_counts(2), compression="lzw", rowsperstrip=16)
    archive.add_file(HOST, "pub/movie.tif", content)
    image = empiarreader.open_image(archive.url(HOST, "pub/movie.tif"))
    before = _moved(archive)

    np.testing.assert_array_equal(image[1, 40:50, :9].values, _counts(2)[1, 40:50, :9])
    assert _moved(archive) - before < _strip_bytes(content, 1) / 16 + 5 * 1024


def test_to_dask_opens_the_first_file_only(archive: Archive, large: bytes) -> None:
    archive.add_entry(10028, {f"data/movie{k}.tif": large for k in range(5)})
    dataset = EmpiarSource(10028, "data", filename="*.tif").to_dask()

    assert dataset.raster.shape == (5, 4, 1000, 1500)
    assert _moved(archive) <= 16 * 1024 + 4 * 4096
    np.testing.assert_array_equal(dataset.raster[4, 3].values, tifffile.imread(io.BytesIO(large), key=3))


def test_what_was_found_out_is_kept_so_that_a_second_session_needs_three_round_trips(
    archive: Archive, large: bytes
) -> None:
    archive.add_file(HOST, "pub/movie.tif", large)
    url = archive.url(HOST, "pub/movie.tif")
    first = empiarreader.open_image(url)[3].values
    before = archive.requests()
    second = empiarreader.open_image(url)[3].values
    beginning, directory, *strips = archive.requests()[len(before) :]

    np.testing.assert_array_equal(first, second)
    assert beginning.range == "bytes=0-16383"
    assert directory.body_bytes_sent < 8192
    # All strips are asked for together, in parts of about a mebibyte: one round trip.
    assert sum(part.body_bytes_sent for part in strips) == _strip_bytes(large, 3)


def test_what_was_found_out_about_a_replaced_file_is_not_used(archive: Archive) -> None:
    archive.add_file(HOST, "pub/movie.tif", _tiff(_counts(), compression="lzw"))
    url = archive.url(HOST, "pub/movie.tif")
    empiarreader.open_image(url)
    archive.add_file(HOST, "pub/movie.tif", _tiff(_counts()[::-1] // 2, compression="lzw", rowsperstrip=3))

    np.testing.assert_array_equal(empiarreader.open_image(url)[2].values, _counts()[::-1][2] // 2)


def test_a_file_that_changes_after_it_was_opened_is_never_mixed(archive: Archive) -> None:
    archive.add_file(HOST, "pub/movie.tif", _tiff(_counts(3)))
    image = empiarreader.open_image(archive.url(HOST, "pub/movie.tif"))
    archive.add_file(HOST, "pub/movie.tif", _tiff(_counts(3) + 1))

    with pytest.raises(FileChangedError):
        image[1].compute()


class _Counted(LocalFile):
    """A local file that counts how often it is asked: every call would be a round trip."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.calls = 0
        self.copies = 0

    def beginning(self, length: int) -> tuple[FileVersion, bytes]:
        self.calls += 1
        return super().beginning(length)

    def spans(self, spans: Spans, view: memoryview, *, version: FileVersion) -> None:
        self.calls += 1
        super().spans(spans, view, version=version)

    def local_copy(self, version: FileVersion | None = None) -> Path:
        self.copies += 1
        return super().local_copy(version)


def test_pages_at_even_distances_are_asked_for_together(tmp_path: Path) -> None:
    pixels = np.arange(100 * 64 * 4096, dtype=np.uint32).astype(np.uint8).reshape(100, 64, 4096)
    (tmp_path / "a.tif").write_bytes(_tiff(pixels))
    file = _Counted(tmp_path / "a.tif")
    image = open_format(file)

    assert image.shape == (100, 64, 4096)
    assert file.calls <= 5  # the beginning, two hops, and the rest together


@given(
    steps=st.lists(st.integers(3_000_000, 3_000_000), min_size=3, max_size=40)
    | st.lists(st.integers(2_990_000, 3_010_000), min_size=3, max_size=40)
    | st.lists(st.integers(3_000_000, 3_001_000), min_size=3, max_size=40)
    | st.lists(st.sampled_from([700, 5_000, 40_000, 3_000_000, -1]), min_size=3, max_size=40),
    count=st.none() | st.integers(1, 45),
    is_big=st.booleans(),
)
@settings(max_examples=60)
def test_pages_are_found_wherever_they_lie(steps: list[int], count: int | None, is_big: bool) -> None:
    offsets = [100_000]
    for step in steps:
        offsets.append(offsets[-1] + step if step > 0 else max(offsets) + 90_000)
    if -1 in steps:
        offsets = [*offsets[::2], *offsets[1::2]]  # nobody says that pages lie in their order
    offsets = list(dict.fromkeys(offsets))
    layout = TiffLayout(order="<", is_big=is_big)
    width, kind = (20, "Q") if is_big else (12, "I")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.tif"
        with path.open("wb") as file:
            for here, following in zip(offsets, [*offsets[1:], 0], strict=True):
                file.seek(here)
                entries = [struct.pack(f"<HH{kind}{kind}", tag, 4, 1, 64) for tag in (256, 257)]
                assert all(len(entry) == width for entry in entries)
                file.write(struct.pack("<Q" if is_big else "<H", 2) + b"".join(entries))
                file.write(struct.pack(f"<{kind}", following))
            file.truncate(max(offsets) + 5_000)
        local = _Counted(path)
        chain = PageChain(layout, offsets[0], local.beginning(1)[0])
        found = chain.follow(local, count)

        assert found == offsets[:count]
        if len(set(np.diff(offsets))) == 1 and count is None:
            assert local.calls <= 6


def test_a_stated_number_of_frames_spares_the_way_to_the_last(tmp_path: Path) -> None:
    (tmp_path / "a.tif").write_bytes(_tiff(_counts(), one_by_one=False, compression="lzw"))
    file = _Counted(tmp_path / "a.tif")
    image = open_format(file)
    assert image.shape == (FRAMES, HEIGHT, WIDTH)
    assert file.calls == 1
    out = np.empty((1, HEIGHT, WIDTH), np.uint8)
    image.read_into(file, ((3, 4), (0, HEIGHT), (0, WIDTH)), out)

    np.testing.assert_array_equal(out[0], _counts()[3])
    assert file.calls <= 1 + 3 + 3  # the way to page 3, its directory, values it shares, its strips
    calls = file.calls
    image.read_into(file, ((2, 3), (0, HEIGHT), (0, WIDTH)), out)
    assert file.calls - calls == 2


def test_a_wrong_number_of_frames_is_found_out_when_they_are_read(tmp_path: Path) -> None:
    content = _tiff(_counts(), one_by_one=False, compression="lzw")
    (tmp_path / "a.tif").write_bytes(content.replace(b'"shape": [12,', b'"shape": [14,'))
    image = empiarreader.open_image(tmp_path / "a.tif")

    np.testing.assert_array_equal(image[11].values, _counts()[11])
    with pytest.raises(DamagedDataError, match="12 frames, but says 14"):
        image[13].compute()


def test_a_file_of_many_small_pages_is_fetched_whole(archive: Archive) -> None:
    pixels = np.random.default_rng(5).integers(0, 255, (200, 40, 60)).astype(np.uint8)
    content = _tiff(pixels, compression="zlib")
    archive.add_file(HOST, "pub/many.tif", content)
    image = empiarreader.open_image(archive.url(HOST, "pub/many.tif"))

    np.testing.assert_array_equal(image.values, pixels)
    assert len(archive.requests()) < 10
    assert _moved(archive) < 1.2 * len(content)


def test_pages_of_another_shape_are_no_frames(tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "a.tif") as writer:
        for frame in _counts(3):
            writer.write(frame, metadata=None, compression="lzw")
        writer.write(np.zeros((20, 30), np.uint8), metadata=None)
    image = empiarreader.open_image(tmp_path / "a.tif")

    np.testing.assert_array_equal(image.values, tifffile.imread(tmp_path / "a.tif", series=0))


def test_a_directory_after_the_pixels_is_found(archive: Archive) -> None:
    content = _tiff_with_directory_at_the_end(_counts(1)[0])
    archive.add_file(HOST, "pub/a.tif", content)
    image = empiarreader.open_image(archive.url(HOST, "pub/a.tif"))

    assert len(archive.requests()) == 2
    np.testing.assert_array_equal(image.values, tifffile.imread(io.BytesIO(content)))
    np.testing.assert_array_equal(image.values, _counts(1)[0])


def test_images_after_a_single_directory_are_frames(tmp_path: Path) -> None:
    pixels = np.arange(5 * 20 * 30, dtype=">u2").reshape(5, 20, 30)
    tifffile.imwrite(tmp_path / "a.tif", pixels, imagej=True, metadata={"axes": "TYX"})
    content = (tmp_path / "a.tif").read_bytes()
    (tmp_path / "b.tif").write_bytes(_without_following_page(content))
    image = empiarreader.open_image(tmp_path / "b.tif")

    np.testing.assert_array_equal(tifffile.imread(tmp_path / "b.tif"), pixels)
    np.testing.assert_array_equal(image.values, pixels)


def test_a_compressed_movie_is_unpacked_once(archive: Archive) -> None:
    packed = bz2.compress(_tiff(_counts(3), compression="lzw"))
    archive.add_file(HOST, "pub/movie.tif.bz2", packed)
    url = archive.url(HOST, "pub/movie.tif.bz2")
    image = empiarreader.open_image(url)

    np.testing.assert_array_equal(image.values, _counts(3))
    assert image.attrs["must_fetch_bytes"] == len(packed)
    before = _moved(archive)
    np.testing.assert_array_equal(empiarreader.open_image(url)[1].values, _counts(3)[1])
    assert _moved(archive) - before < 3 * 64 * 1024 + 2048


def test_an_open_movie_pickles_and_is_read_by_many_threads(archive: Archive) -> None:
    archive.add_file(HOST, "pub/movie.tif", _tiff(_counts(), one_by_one=False, compression="lzw"))
    image = empiarreader.open_image(archive.url(HOST, "pub/movie.tif"))
    copy = pickle.loads(pickle.dumps(image))
    with ThreadPoolExecutor(8) as threads:
        frames = list(threads.map(lambda k: copy[k].values, range(FRAMES)))

    np.testing.assert_array_equal(np.stack(frames), _counts())


# As the microscopes' programs write them: width and height in metres; along x and y, and the units of both.
FEI_TAGS = [(34680, "s", 0, "[Scan]\r\nPixelWidth=1e-09\r\nPixelHeight=2e-09\r\n", True)]
DIGITAL_MICROGRAPH_TAGS = [
    (65003, "s", 0, "nm", True),
    (65004, "s", 0, "\\u00B5m", True),
    (65009, "d", 1, 0.2, True),
    (65010, "d", 1, 0.003, True),
]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"resolution": (1e8 / 1.06, 1e8 / 1.05), "resolutionunit": "CENTIMETER"}, (1.05, 1.06)),
        ({"resolution": (2.54e8 / 2.5, 2.54e8 / 2.5), "resolutionunit": "INCH"}, (2.5, 2.5)),
        ({"resolution": (72, 72), "resolutionunit": "INCH"}, (0.0, 0.0)),
        ({"resolution": (4000, 4000), "resolutionunit": "INCH"}, (0.0, 0.0)),  # a scan of film, 6.35 µm
        ({"resolution": (1, 1), "resolutionunit": "NONE"}, (0.0, 0.0)),
        ({"imagej": True, "resolution": (10, 5), "metadata": {"unit": "nm"}}, (2.0, 1.0)),
        ({"imagej": True, "resolution": (1, 1), "metadata": {"unit": "um"}}, (1e4, 1e4)),
        ({"metadata": None, "extratags": FEI_TAGS}, (20.0, 10.0)),
        ({"metadata": None, "extratags": DIGITAL_MICROGRAPH_TAGS}, (30.0, 2.0)),
        (
            {
                "ome": True,
                "metadata": {
                    "axes": "YX",
                    "PhysicalSizeX": 0.8,
                    "PhysicalSizeXUnit": "nm",
                    "PhysicalSizeY": 0.0009,
                },
            },
            (9.0, 8.0),
        ),
        ({}, (0.0, 0.0)),
    ],
    ids=str,
)
def test_the_pixel_size_is_what_the_program_wrote(
    tmp_path: Path, options: dict[str, Any], expected: tuple[float, float]
) -> None:
    options = {"photometric": "minisblack", **options}
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((20, 30), np.uint16), **options)
    image = empiarreader.open_image(tmp_path / "a.tif")

    assert (image.voxel_size.y, image.voxel_size.x) == pytest.approx(expected, rel=1e-6)
    if expected[1]:
        assert float(image.x[3]) == pytest.approx(3 * expected[1], rel=1e-6)
        assert image.x.attrs["units"] == "Å"


def test_a_page_whose_description_speaks_of_more_frames_than_the_file_holds_is_one_image(
    tmp_path: Path,
) -> None:
    pixels = np.arange(20, dtype=np.uint16).reshape(4, 5)
    tifffile.imwrite(tmp_path / "a.tif", pixels, description="ImageJ=1.53t\nimages=40\n", metadata=None)

    np.testing.assert_array_equal(empiarreader.open_image(tmp_path / "a.tif").values, pixels)


def test_tags_are_the_metadata(tmp_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.tif", np.zeros((4, 5), "f4"), description="hello", software="camera", metadata=None
    )
    found = empiarreader.read_metadata(tmp_path / "a.tif")

    assert (found["ImageDescription"], found["Software"], found["ImageWidth"]) == ("hello", "camera", 5)
    assert not any("Offsets" in name for name in found)


def _tiff_with_directory_at_the_end(pixels: np.ndarray[Any, Any], order: str = "<") -> bytes:
    body = pixels.tobytes()
    entries = [
        (256, 4, 1, pixels.shape[1]),
        (257, 4, 1, pixels.shape[0]),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
        (273, 4, 1, 8),
        (277, 3, 1, 1),
        (278, 4, 1, pixels.shape[0]),
        (279, 4, 1, len(body)),
    ]
    return _classic(entries, body, order=order)


def _classic(
    entries: list[tuple[int, int, int, int]], body: bytes = b"", *, order: str = "<", following: int = 0
) -> bytes:
    """Return a file of one directory after its pixels; entries are (tag, type, count, value)."""
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, 8 + len(body))
    fields = [struct.pack(f"{order}HHI", *entry[:3]) + _value(entry, order) for entry in entries]
    return (
        head
        + body
        + struct.pack(f"{order}H", len(entries))
        + b"".join(fields)
        + struct.pack(f"{order}I", following)
    )


def _value(entry: tuple[int, int, int, int], order: str) -> bytes:
    return struct.pack(
        f"{order}{'HH' if entry[1] == 3 else 'I'}", *([entry[3], 0] if entry[1] == 3 else [entry[3]])
    )


def _without_following_page(content: bytes) -> bytes:
    """Return the file with its first directory as the last, as ImageJ leaves large stacks."""
    order = "<" if content[:2] == b"II" else ">"
    (first,) = struct.unpack_from(f"{order}I", content, 4)
    (count,) = struct.unpack_from(f"{order}H", content, first)
    end = first + 2 + 12 * count
    return content[:end] + bytes(4) + content[end + 4 :]


PLAIN = [
    (256, 4, 1, 16),
    (257, 4, 1, 16),
    (258, 3, 1, 8),
    (259, 3, 1, 1),
    (262, 3, 1, 1),
    (273, 4, 1, 8),
    (277, 3, 1, 1),
    (278, 4, 1, 16),
    (279, 4, 1, 256),
]


def _plain(**changes: tuple[int, int, int]) -> bytes:
    tags = {f"t{entry[0]}": entry for entry in PLAIN}
    tags.update({name: (int(name[1:]), *values) for name, values in changes.items()})
    return _classic(sorted(tags.values()), bytes(256))


HOSTILE = {
    "no directory": b"II*\0\x10\0\0\0" + bytes(100),
    "directory beyond the end": b"II*\0" + struct.pack("<I", 4_000_000) + bytes(100),
    "version 44": b"II,\0\x08\0\0\0" + bytes(100),
    "header alone": b"II*\0\x08\0\0\0",
    "page leads to itself": _classic(PLAIN, bytes(256), following=264),
    "next page beyond the end": _classic(PLAIN, bytes(256), following=2**31),
    "next page in the header": _classic(PLAIN, bytes(256), following=4),
    "next page among pixels": _classic(PLAIN, bytes(256), following=16),
    "petapixels": _plain(t256=(4, 1, 2**31), t257=(4, 1, 2**31)),
    "a million by a million": _plain(t256=(4, 1, 2**20), t257=(4, 1, 2**20), t278=(4, 1, 2**20)),
    "no pixels": _plain(t256=(4, 1, 0)),
    "strips of no rows": _plain(t278=(4, 1, 0)),
    "strip beyond the end": _plain(t273=(4, 1, 2**30)),
    "strip longer than the file": _plain(t279=(4, 1, 2**30)),
    "a billion strips": _plain(t273=(4, 2**30, 8), t279=(4, 2**30, 8)),
    "a thousand strips of one row": _plain(t278=(4, 1, 1)),
    "huge tiles": _plain(t322=(4, 1, 2**20), t323=(4, 1, 2**20), t324=(4, 1, 8), t325=(4, 1, 256)),
    "samples without end": _plain(t277=(3, 1, 65535)),
    "bomb": _plain(t256=(4, 1, 2**18), t257=(4, 1, 2**18), t278=(4, 1, 2**18), t259=(3, 1, 8)),
    "cut in the directory": _classic(PLAIN, bytes(256))[:-20],
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_what_cannot_be_is_refused_early(archive: Archive, name: str) -> None:
    archive.add_file(HOST, "pub/a.tif", HOSTILE[name])
    tracemalloc.start()
    with pytest.raises((DamagedDataError, UnsupportedFormatError)) as refused:
        empiarreader.open_image(archive.url(HOST, "pub/a.tif")).compute()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert archive.url(HOST, "pub/a.tif") in str(refused.value)
    assert "\n" not in str(refused.value)
    assert _moved(archive) <= 1024 * 1024
    assert peak < 64 * 1024 * 1024


@pytest.mark.parametrize("compression", [2, 3, 6, 32809, 34712, 50001, 12345])
def test_packings_that_no_camera_writes_are_not_read(tmp_path: Path, compression: int) -> None:
    (tmp_path / "a.tif").write_bytes(_plain(t259=(3, 1, compression)))

    with pytest.raises(UnsupportedFormatError, match=rf"a\.tif.*(compression {compression}|not read)"):
        empiarreader.open_image(tmp_path / "a.tif")


def test_a_long_circle_of_pages_is_noticed(tmp_path: Path) -> None:
    content = bytearray(_tiff(_counts(5, 20, 30)))
    with tifffile.TiffFile(io.BytesIO(bytes(content))) as tiff:
        offsets = [page.offset for page in tiff.pages]
    (count,) = struct.unpack_from("<H", content, offsets[4])
    struct.pack_into("<I", content, offsets[4] + 2 + 12 * count, offsets[2])
    (tmp_path / "a.tif").write_bytes(content)

    with pytest.raises(DamagedDataError, match="circle"):
        empiarreader.open_image(tmp_path / "a.tif")


def test_a_movie_cut_short_says_so(tmp_path: Path) -> None:
    content = _tiff(_counts(6), compression="lzw")
    (tmp_path / "a.tif").write_bytes(content[: len(content) // 2])

    with pytest.raises(DamagedDataError, match="cut short"):
        empiarreader.open_image(tmp_path / "a.tif")


def test_strips_that_are_noise_are_damage(tmp_path: Path) -> None:
    content = bytearray(_tiff(_counts(1), compression="zlib"))
    content[-60_000:-50_000] = bytes(10_000)
    (tmp_path / "a.tif").write_bytes(content)

    with pytest.raises(DamagedDataError, match=r"a\.tif is a damaged TIFF file"):
        empiarreader.open_image(tmp_path / "a.tif").compute()


def test_a_name_says_less_than_the_first_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.mrc").write_bytes(_tiff(_counts(2)))
    (tmp_path / "b.tif").write_bytes(b"\0" * 4000)

    assert empiarreader.open_image(tmp_path / "a.mrc").attrs["format"] == "TIFF"
    with pytest.raises(DamagedDataError, match=r"b.tif is no TIFF file"):
        empiarreader.open_image(tmp_path / "b.tif")


SEEDS = [
    _tiff(_counts(3, 12, 10), compression="lzw", rowsperstrip=5),
    _tiff(_counts(2, 40, 40), tile=(16, 16), byteorder=">", bigtiff=True),
    _tiff(_counts(4, 12, 10), one_by_one=False, compression="zlib"),
]


@given(
    seed=st.sampled_from(SEEDS),
    changes=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=6),
    cut=st.integers(0, 10_000),
)
@settings(max_examples=150)
def test_any_damage_gives_pixels_or_one_clear_error(
    seed: bytes, changes: list[tuple[int, int]], cut: int
) -> None:
    content = bytearray(seed[: max(16, len(seed) - cut // 20)])
    for place, value in changes:
        content[place % min(len(content), 1200)] = value
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "a.tif"
        path.write_bytes(content)
        try:
            image = empiarreader.open_image(path)
            if image.nbytes < 10_000_000:
                image.compute()
        except EmpiarReaderError as error:
            said = str(error)
        else:
            said = "a.tif was read"
    assert "a.tif" in said


def test_a_directory_of_several_formats_is_one_source(archive: Archive) -> None:
    frames = [random_electrons(np.random.default_rng(k), 32, 200) for k in range(8)]
    expected = np.stack([frames[k].image(32, 2) + frames[k + 1].image(32, 2) for k in range(0, 8, 2)])
    pixels = _counts(3, 20, 30)
    archive.add_entry(
        10028,
        {
            "data/a.eer": eer_bytes(frames, 32, metadata=None),
            "data/b.tif": _tiff(pixels, compression="lzw"),
            "data/c.mrc": mrc_bytes(pixels.astype("f4")),
            "data/d.tif.gz": gzip.compress(_tiff(pixels)),
        },
        {"imagesets": [{"name": "Movies", "directory": "data", "frames_per_image": 8}]},
    )
    source = EmpiarSource(
        10028, "data", "tiff", imageset_metadata={"frames_per_image": 8}, group=2, super_resolution=2
    )

    assert [source.image(i).format for i in range(4)] == ["EER", "TIFF", "MRC", "TIFF"]
    np.testing.assert_array_equal(source.read(0), expected)
    for i in (1, 2, 3):
        np.testing.assert_array_equal(source.partition(i).values, pixels)
    assert EmpiarCatalog(10028)["Movies"].shape(0) == (8, 32, 32)
    with pytest.raises(InvalidRequestError, match="TIFF and has no MRC header"):
        source.header(1)
