"""Formats that few entries have: SPIDER, IMAGIC, PNG, JPEG, HDF5 of three programs, DM3/DM4, SER."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import json
import pickle
import struct
import subprocess
import sys
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import h5py
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from ncempy.io import dm, ser
from PIL import Image

from dm_ser_files import dm_bytes, ser_bytes
from empiarreader import (
    ArchiveFileNotFoundError,
    DamagedDataError,
    EmpiarReaderError,
    EmpiarSource,
    UnsupportedFormatError,
    open_image,
    read_metadata,
    traffic,
)
from imagic_bytes import imagic_pair
from mrc_vectors import mrc_bytes, sample_array
from perc_archive import Archive

HOST = "ftp.ebi.ac.uk"
RNG = np.random.default_rng(5)


def _write(folder: Path, name: str, body: bytes) -> Path:
    path = folder / name
    path.write_bytes(body)
    return path


# SPIDER: words of https://spider-em.github.io/SPIDER/docs/image_doc.html, counted from 1.
def _spider_header(nx: int, ny: int, nz: int, form: int, order: str, **words: float) -> bytes:
    records = -(-1024 // (4 * nx))
    values: dict[int, float] = {1: nz, 2: ny, 5: form, 12: nx, 13: records, 22: records * 4 * nx, 23: 4 * nx}
    values |= {{"stack": 24, "count": 26, "number": 27, "pixel": 38}[name]: v for name, v in words.items()}
    header = np.zeros(records * nx, f"{order}f4")
    for word, value in values.items():
        header[word - 1] = value
    return header.tobytes()


def _spider(images: np.ndarray[Any, Any], *, order: str = "<", volume: bool = False) -> bytes:
    n, ny, nx = images.shape
    stored = images.astype(f"{order}f4")
    if volume or n == 1:
        return _spider_header(nx, ny, n, 3 if volume else 1, order, pixel=1.5) + stored.tobytes()
    body = _spider_header(nx, ny, 1, 1, order, stack=2, count=n)
    for number, image in enumerate(stored):
        body += _spider_header(nx, ny, 1, 1, order, number=number + 1) + image.tobytes()
    return body


def _with_word(body: bytes, word: int, value: float) -> bytes:
    return body[: 4 * (word - 1)] + struct.pack("<f", value) + body[4 * word :]


@pytest.mark.parametrize("count", [1, 3])
def test_spider_images_of_a_negative_number_of_slices_are_images(tmp_path: Path, count: int) -> None:
    """As early versions of SPIDER wrote them, by the description of the header."""
    images = RNG.normal(size=(count, 9, 7)).astype(np.float32)
    found = open_image(_write(tmp_path, "a.spi", _with_word(_spider(images), 1, -1)))

    np.testing.assert_array_equal(found.values, images if count > 1 else images[0])


@pytest.mark.parametrize("order", ["<", ">"])
def test_spider_images_volumes_and_stacks_are_read(tmp_path: Path, order: str) -> None:
    images = RNG.normal(size=(3, 5, 37)).astype(np.float32)
    one = open_image(_write(tmp_path, "a.spi", _spider(images[:1], order=order)))
    volume = open_image(_write(tmp_path, "v.spi", _spider(images, order=order, volume=True)))
    stack = open_image(_write(tmp_path, "s.spi", _spider(images, order=order)))

    assert (one.dims, volume.dims, stack.dims) == (("y", "x"), ("z", "y", "x"), ("frame", "y", "x"))
    np.testing.assert_array_equal(one.values, images[0])
    np.testing.assert_array_equal(volume.values, images)
    np.testing.assert_array_equal(stack.values, images)
    np.testing.assert_array_equal(stack[1:, 2:4, 3:9].values, images[1:, 2:4, 3:9])
    assert one.voxel_size.x == 1.5
    assert stack.voxel_size.x == 0.0
    for frame, expected in zip(_pillow_frames(tmp_path / "s.spi", 3), images, strict=True):
        np.testing.assert_array_equal(frame, expected)


def _pillow_frames(path: Path, count: int = 1) -> list[np.ndarray[Any, Any]]:
    frames = []
    for number in range(count):  # opened anew: after a seek, Pillow takes the file for a single image
        with Image.open(path) as image:
            if number:
                image.seek(number)
            frames.append(np.array(image))
    return frames


def test_a_frame_of_a_remote_spider_stack_moves_its_bytes(archive: Archive) -> None:
    images = RNG.normal(size=(4, 64, 64)).astype(np.float32)
    archive.add_file(HOST, "pub/a.spi", _spider(images))
    lazy = open_image(archive.url(HOST, "pub/a.spi"))
    before = traffic()
    np.testing.assert_array_equal(lazy[2].values, images[2])

    assert (traffic() - before).bytes_received == 64 * 64 * 4


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (_spider_header(8, 8, 1, -11, "<") + bytes(256), UnsupportedFormatError),
        (_spider_header(8, 8, 1, 1, "<", stack=-100) + bytes(2048), UnsupportedFormatError),
        (_spider(np.zeros((1, 8, 8)))[:-4], DamagedDataError),
        (_spider_header(2**20, 2**22, 1, 1, "<"), DamagedDataError),
        (_spider_header(8, 8, 1, 1, "<", stack=2, count=2**23) + bytes(2048), DamagedDataError),
        (_with_word(_spider(np.zeros((1, 8, 8))), 23, 64), DamagedDataError),  # bytes of a row of 16 pixels
        (_with_word(_spider(np.zeros((1, 8, 8))), 22, 1056), DamagedDataError),  # a header of another length
        (bytes(4096), DamagedDataError),
        (b"\xff" * 4096, DamagedDataError),
        (b"short", DamagedDataError),
    ],
)
def test_what_is_no_spider_file_is_refused(tmp_path: Path, body: bytes, error: type[Exception]) -> None:
    with pytest.raises(error, match=r"a\.spi"):
        open_image(_write(tmp_path, "a.spi", body))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("dtype", ["u1", "i2", "i4", "f4", "c8"])
def test_imagic_files_are_as_the_published_table_has_them(
    tmp_path: Path, order: Literal["<", ">"], dtype: str
) -> None:
    images = (RNG.normal(size=(3, 5, 7)) * 50 + 100).astype(dtype)
    head, pixels = imagic_pair(images, order=order, pixel_size=1.25)
    _write(tmp_path, "a.hed", head)
    _write(tmp_path, "a.img", pixels)
    for name in ("a.img", "a.hed"):
        found = open_image(tmp_path / name)
        assert found.dims == ("frame", "y", "x")
        assert found.dtype == np.dtype(dtype)
        assert found.voxel_size.x == 1.25
        assert found.attrs["title"] == "made for a test"
        np.testing.assert_array_equal(found.values, images)
        np.testing.assert_array_equal(found[1, 2:4].values, images[1, 2:4])


def test_imagic_knows_single_images_and_volumes(tmp_path: Path) -> None:
    images = RNG.normal(size=(4, 5, 7)).astype(np.float32)
    for name, part in (("ONE", images[:1]), ("VOL", images)):
        head, pixels = imagic_pair(part, volume=name == "VOL")
        _write(tmp_path, f"{name}.HED", head)
        _write(tmp_path, f"{name}.IMG", pixels)

    assert open_image(tmp_path / "ONE.IMG").shape == (5, 7)
    volume = open_image(tmp_path / "VOL.IMG")
    assert volume.dims == ("z", "y", "x")
    np.testing.assert_array_equal(volume.values, images)


def test_an_imagic_pair_is_read_from_addresses(archive: Archive) -> None:
    images = RNG.normal(size=(3, 32, 32)).astype(np.float32)
    head, pixels = imagic_pair(images)
    archive.add_file(HOST, "pub/a b.hed", head)
    archive.add_file(HOST, "pub/a b.img", pixels)
    lazy = open_image(archive.url(HOST, "pub/a b.img"))
    before = traffic()
    np.testing.assert_array_equal(lazy[1].values, images[1])

    assert (traffic() - before).bytes_received == 32 * 32 * 4
    np.testing.assert_array_equal(open_image(archive.url(HOST, "pub/a b.hed")).values, images)


@pytest.mark.parametrize("packed", [("img", "hed"), ("img",), ("hed",)], ids=" and ".join)
@pytest.mark.parametrize(("suffix", "pack"), [(".gz", gzip.compress), (".bz2", bz2.compress)])
def test_an_imagic_pair_may_be_compressed_in_part_or_whole(
    archive: Archive, packed: tuple[str, ...], suffix: str, pack: Callable[[bytes], bytes]
) -> None:
    images = RNG.normal(size=(3, 32, 32)).astype(np.float32)
    names = {}
    for kind, body in zip(("hed", "img"), imagic_pair(images), strict=True):
        names[kind] = f"pub/a.{kind}{suffix if kind in packed else ''}"
        archive.add_file(HOST, names[kind], pack(body) if kind in packed else body)
    for name in names.values():
        lazy = open_image(archive.url(HOST, name))
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(lazy)).values, images)
        np.testing.assert_array_equal(lazy[1, 4:9].values, images[1, 4:9])


def test_what_is_no_imagic_pair_is_refused(tmp_path: Path) -> None:
    head, pixels = imagic_pair(np.zeros((2, 4, 4), np.float32))
    _write(tmp_path, "alone.img", pixels)
    with pytest.raises(ArchiveFileNotFoundError, match=r"alone\.hed"):
        open_image(tmp_path / "alone.img")
    _write(tmp_path, "short.hed", head)
    _write(tmp_path, "short.img", pixels[:-1])
    with pytest.raises(DamagedDataError, match=r"short\.img has 127 bytes"):
        open_image(tmp_path / "short.img")
    for place, value, error in ((56, b"WHAT", DamagedDataError), (272, b"\0\0\0\1", UnsupportedFormatError)):
        _write(tmp_path, "odd.hed", head[:place] + value + head[place + 4 :])
        _write(tmp_path, "odd.img", pixels)
        with pytest.raises(error):
            open_image(tmp_path / "odd.img")
    deep = head[:240] + struct.pack("<2i", 2, 3) + head[248:]  # three volumes, each two planes deep
    _write(tmp_path, "deep.hed", deep)
    _write(tmp_path, "deep.img", pixels)
    with pytest.raises(UnsupportedFormatError, match="planes of volumes 2 deep"):
        open_image(tmp_path / "deep.img")
    four = head[:4] + struct.pack("<i", 3) + head[8:240] + struct.pack("<2i", 2, 1) + head[248:]
    _write(tmp_path, "four.hed", four)
    _write(tmp_path, "four.img", 2 * pixels)
    with pytest.raises(UnsupportedFormatError, match="4 planes of volumes 2 deep"):
        open_image(tmp_path / "four.img")
    with pytest.raises(UnsupportedFormatError, match="SMV"):
        open_image(_write(tmp_path, "diffraction.img", b"{\nHEADER_BYTES=512;\n}".ljust(2048)))


MODES = {"L": "PNG", "RGB": "PNG", "LA": "PNG", "RGBA": "PNG", "P": "PNG", "I;16": "PNG"}


@pytest.mark.parametrize(("mode", "kind"), [*MODES.items(), ("L", "JPEG"), ("RGB", "JPEG"), ("1", "PNG")])
def test_png_and_jpeg_are_as_pillow_reads_them(tmp_path: Path, mode: str, kind: str) -> None:
    pixels = RNG.integers(0, 65535 if mode == "I;16" else 255, size=(40, 30), dtype=np.uint16)
    made = (
        Image.fromarray(pixels) if mode == "I;16" else Image.fromarray(pixels.astype(np.uint8)).convert(mode)
    )
    path = tmp_path / f"a.{kind.lower()}"
    made.save(path, comment=b"x" * 2000) if kind == "JPEG" else made.save(path)
    with Image.open(path) as image:
        expected = np.array(image.convert({"P": "RGB", "1": "L"}[mode]) if mode in {"P", "1"} else image)
    found = open_image(path)

    assert found.shape == expected.shape
    np.testing.assert_array_equal(found.values, expected)
    np.testing.assert_array_equal(found[3:9, 4:6].values, expected[3:9, 4:6])


def test_a_png_that_cannot_hold_what_it_promises_is_refused(tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(stream, "png")
    body = stream.getvalue()
    bomb = body[:16] + struct.pack(">II", 100_000, 100_000) + body[24:]
    tracemalloc.start()
    with pytest.raises(DamagedDataError, match="more than"):
        open_image(_write(tmp_path, "a.png", bomb))
    with pytest.raises(DamagedDataError, match="decoded"):
        open_image(_write(tmp_path, "b.png", body[:-20])).compute()
    assert tracemalloc.get_traced_memory()[1] < 16 * 1024 * 1024
    tracemalloc.stop()


def _eman(path: Path, images: list[np.ndarray[Any, Any]], **attributes: Any) -> Path:
    with h5py.File(path, "w") as file:
        group = file.create_group("MDF/images")
        group.attrs["imageid_max"] = len(images) - 1
        for number, image in enumerate(images):
            group.create_dataset(f"{number}/image", data=image)
            for name, value in {"apix_x": 1.5, "apix_y": 1.6, "apix_z": 1.7, **attributes}.items():
                group[str(number)].attrs[f"EMAN.{name}"] = value
    return path


def test_eman_images_volumes_and_stacks_are_read(tmp_path: Path, archive: Archive) -> None:
    images = list(RNG.normal(size=(12, 6, 5)).astype(np.float32))
    stack_path = _eman(tmp_path / "s.hdf", images, ptcl_repr=3)
    stack = open_image(stack_path)
    volume = open_image(_eman(tmp_path / "v.hdf", [np.stack(images)]))
    archive.add_file(HOST, "pub/s.hdf", stack_path.read_bytes())

    assert (stack.dims, volume.dims) == (("frame", "y", "x"), ("z", "y", "x"))
    assert volume.voxel_size == (1.7, 1.6, 1.5)
    np.testing.assert_array_equal(stack.values, np.stack(images))
    np.testing.assert_array_equal(stack[10:, 2:4, 1:].values, np.stack(images)[10:, 2:4, 1:])
    np.testing.assert_array_equal(volume.values, np.stack(images))
    np.testing.assert_array_equal(open_image(archive.url(HOST, "pub/s.hdf"))[7].values, images[7])
    assert list(read_metadata(stack_path)["ptcl_repr"]) == [3] * 12
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(stack)).values, np.stack(images))


@pytest.mark.parametrize("other", [(6, 4), (7, 6), (1, 6, 5)], ids=str)
def test_an_eman_image_that_is_not_like_the_first_is_damage(tmp_path: Path, other: tuple[int, ...]) -> None:
    images = [np.ones((6, 5), np.float32), np.ones(other, np.float32)]
    stack = open_image(_eman(tmp_path / "a.hdf", images))

    np.testing.assert_array_equal(stack[0].values, images[0])
    with pytest.raises(DamagedDataError, match=r"image 1 of .*a\.hdf has the shape"):
        stack[1, :1, :1].compute()


def test_eman_pixels_of_few_bits_are_stretched_to_what_they_stand_for(tmp_path: Path) -> None:
    stored = RNG.integers(0, 32, size=(6, 5), dtype=np.uint8)
    path = _eman(
        tmp_path / "a.hdf", [stored], stored_renderbits=5, stored_rendermin=-2.0, stored_rendermax=4.2
    )
    found = open_image(path)

    assert found.dtype == np.float32
    # Ten of 31 steps come to 0, of which 32 bits keep no more than of -2.
    np.testing.assert_allclose(found.values, stored / 31 * 6.2 - 2.0, rtol=1e-6, atol=1e-6)


def test_parakeets_images_come_with_their_columns(tmp_path: Path) -> None:
    images = RNG.normal(size=(5, 8, 9)).astype(np.float32)
    path = tmp_path / "a.h5"
    with h5py.File(path, "w") as file:
        entry = file.create_group("entry")
        entry.attrs["NX_class"] = "NXentry"
        entry["definition"] = "NXtomo"
        detector = entry.create_group("instrument/detector")
        detector.create_dataset("data", data=images, chunks=(1, 8, 9))
        data = entry.create_group("data")
        data["data"] = detector["data"]
        data["tilt_alpha"] = np.arange(-2.0, 3.0)
        data["dose"] = np.full(5, 3.5)
        data["pixel_size_x"], data["pixel_size_y"] = np.full(5, 1.5), np.full(5, 1.25)
        data["application"] = np.array([b"Parakeet"] * 5)
        data["odd"] = np.zeros(3)
    found = open_image(path)
    columns = read_metadata(path)

    np.testing.assert_array_equal(found.values, images)
    np.testing.assert_array_equal(found[2, 1:3].values, images[2, 1:3])
    assert found.voxel_size == (0.0, 1.25, 1.5)
    assert list(columns["tilt_alpha"]) == [-2, -1, 0, 1, 2]
    assert columns["application"][0] == "Parakeet"
    assert "odd" not in columns


def _velox(path: Path, pixels: np.ndarray[Any, Any], *, unit_of_y: str = "m") -> Path:
    notes = {"BinaryResult": {"PixelSize": {"width": "2e-10", "height": "1e-10"}, "Detector": "HAADF"}}
    notes["BinaryResult"] |= {"PixelUnitX": "m", "PixelUnitY": unit_of_y}
    text = json.dumps(notes).encode().ljust(500, b"\0")
    with h5py.File(path, "w") as file:
        group = file.create_group("Data/Image/abc")
        group["Data"] = pixels
        group["Metadata"] = np.repeat(np.frombuffer(text, np.uint8)[:, None], pixels.shape[-1], axis=1)
    return path


def test_a_simulated_series_far_away_opens_in_small_reads(tmp_path: Path, archive: Archive) -> None:
    images = RNG.normal(size=(40, 128, 128)).astype(np.float32)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        detector = file.create_group("entry/instrument/detector")
        detector["data"] = images
        data = file.create_group("entry/data")
        data["data"] = detector["data"]
        for number in range(75):
            data[f"column_{number}"] = np.arange(40.0)
    body = (tmp_path / "a.h5").read_bytes()
    archive.add_file(HOST, "pub/a.h5", body)
    before = traffic()
    lazy = open_image(archive.url(HOST, "pub/a.h5"))
    opened = traffic() - before

    assert lazy.shape == (40, 128, 128)
    assert opened.bytes_received < 512 * 1024
    np.testing.assert_array_equal(lazy[7].values, images[7])
    np.testing.assert_array_equal(lazy[39].values, images[39])
    assert (traffic() - before).bytes_received < len(body) + 600 * 1024


_COLLECTED_WHILE_FETCHED = """
import gc, sys, threading, h5py
from empiarreader import open_image
gc.disable()
kept = h5py.File(sys.argv[1])
def litter(frame, event, argument):
    if event == "call" and frame.f_code.co_name == "readinto":
        ring = [kept["entry"]]
        ring.append(ring)
sys.setprofile(litter)
threading.setprofile(lambda frame, event, argument: event == "call" and gc.collect(0))
print(open_image(sys.argv[2]).shape)
"""


def test_h5py_objects_may_be_collected_by_the_threads_that_fetch(tmp_path: Path, archive: Archive) -> None:
    """To collect one takes the lock that h5py holds while it reads: nothing may be fetched within."""
    images = RNG.normal(size=(4, 128, 128)).astype(np.float32)
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["entry/filling"] = np.zeros(100_000)  # what describes the images lies behind the first bytes
        file["entry/instrument/detector/data"] = images
        file["entry/data/data"] = file["entry/instrument/detector/data"]
    archive.add_file(HOST, "pub/a.h5", tmp_path / "a.h5")
    script = [sys.executable, "-c", _COLLECTED_WHILE_FETCHED]
    words = [str(tmp_path / "a.h5"), archive.url(HOST, "pub/a.h5")]
    ended = subprocess.run([*script, *words], capture_output=True, text=True, timeout=60, check=True)
    assert ended.stdout == "(4, 128, 128)\n"


def test_hdf5_files_that_are_refused_are_not_fetched(tmp_path: Path, archive: Archive) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file["something"] = np.zeros(2**20)
    archive.add_file(HOST, "pub/a.h5", (tmp_path / "a.h5").read_bytes())
    archive.add_file(HOST, "pub/b.h5", b"\x89HDF\r\n\x1a\n" + bytes(8 * 2**20))
    for name, error in (("a", UnsupportedFormatError), ("b", DamagedDataError)):
        before = traffic()
        with pytest.raises(error, match=f"{name}.h5"):
            open_image(archive.url(HOST, f"pub/{name}.h5"))
        assert (traffic() - before).bytes_received < 1024 * 1024


def test_velox_frames_come_first(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 100, size=(6, 5, 3), dtype=np.int16)
    found = open_image(_velox(tmp_path / "a.emd", pixels))
    single = open_image(_velox(tmp_path / "b.emd", pixels[..., :1]))

    assert (found.shape, single.shape) == ((3, 6, 5), (6, 5))
    assert found.voxel_size == (0.0, 1.0, 2.0)
    assert open_image(_velox(tmp_path / "c.emd", pixels, unit_of_y="1/m")).voxel_size == (0.0, 0.0, 2.0)
    assert found.attrs["detector"] == "HAADF"
    np.testing.assert_array_equal(found[1, 2:, :3].values, pixels[2:, :3, 1])
    np.testing.assert_array_equal(single.values, pixels[..., 0])
    assert read_metadata(tmp_path / "a.emd")["BinaryResult"]["Detector"] == "HAADF"


def test_nothing_outside_an_hdf5_file_is_read(tmp_path: Path) -> None:
    secret = _write(tmp_path, "secret", bytes(range(64)) * 16)
    other = _eman(tmp_path / "other.hdf", [np.zeros((4, 4), np.float32)])
    with h5py.File(tmp_path / "external.hdf", "w") as file:
        group = file.create_group("MDF/images/0")
        group.create_dataset("image", (4, 4), "f4", external=[(str(secret), 0, 64)])
    with h5py.File(tmp_path / "link.hdf", "w") as file:
        file["MDF"] = h5py.ExternalLink(str(other), "MDF")
    with h5py.File(tmp_path / "virtual.hdf", "w") as file:
        layout = h5py.VirtualLayout((4, 4), "f4")
        layout[:] = h5py.VirtualSource(str(other), "MDF/images/0/image", (4, 4))
        file.create_group("MDF/images/0").create_virtual_dataset("image", layout)
    for name in ("external", "link", "virtual"):
        with pytest.raises(UnsupportedFormatError, match=f"{name}.hdf"):
            open_image(tmp_path / f"{name}.hdf")


def test_an_hdf5_file_that_stores_next_to_nothing_is_refused(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.hdf", "w") as file:
        file.create_group("MDF/images/0").create_dataset("image", (10**6, 10**6), "f4", chunks=(1024, 1024))
    with pytest.raises(DamagedDataError, match="stores 0 bytes"):
        open_image(tmp_path / "a.hdf")
    with h5py.File(tmp_path / "b.h5", "w") as file:
        file["something"] = np.zeros(3)
    with pytest.raises(UnsupportedFormatError, match="h5py"):
        open_image(tmp_path / "b.h5")
    with pytest.raises(DamagedDataError):
        open_image(_write(tmp_path, "c.h5", b"\x89HDF\r\n\x1a\n" + bytes(3000)))


# Opens files in a process that has no h5py, no rosettasciio and no matplotlib, and says what came of it.
_WITHOUT_EXTRAS = """
import sys


class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"h5py", "rsciio", "matplotlib"}:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)


sys.meta_path.insert(0, Hidden())
import empiarreader

for path in sys.argv[1:]:
    try:
        print(empiarreader.open_image(path).shape)
    except empiarreader.MissingExtraError as error:
        assert isinstance(error, ImportError)
        print(error)
"""


def test_where_a_library_is_not_installed_its_pip_line_is_named_and_all_else_is_read(tmp_path: Path) -> None:
    pixels = RNG.integers(0, 9, size=(4, 5), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    tifffile.imwrite(tmp_path / "a.tif", pixels)
    read = [tmp_path / "a.png", tmp_path / "a.tif"]
    read += [_write(tmp_path, "a.mrc", mrc_bytes(sample_array(2, (2, 4, 5))))]
    read += [_write(tmp_path, "a.spi", _spider(np.zeros((1, 4, 5))))]
    missing = [_eman(tmp_path / "a.hdf", [np.zeros((4, 5), np.float32)])]
    missing += [_velox(tmp_path / "a.emd", np.zeros((4, 5, 1), np.int16))]
    missing += [_write(tmp_path, f"a.dm{k}", bytes([0, 0, 0, k]) + bytes(100)) for k in (3, 4)]
    missing += [_write(tmp_path, "a.ser", _bases()["a.ser"])]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", _WITHOUT_EXTRAS, *map(str, [*read, *missing])],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    said = done.stdout.splitlines()

    assert done.returncode == 0, done.stderr
    assert said[: len(read)] == ["(4, 5)", "(4, 5)", "(2, 4, 5)", "(4, 5)"]
    for path, sentence, library in zip(
        missing, said[len(read) :], ["h5py", "h5py", *["rsciio"] * 3], strict=True
    ):
        assert sentence.startswith(str(path))
        assert sentence.endswith(f"which is read through {library}: pip install 'empiarreader[formats]'")


@settings(max_examples=120)
@given(
    st.sampled_from(["a.spi", "a.img", "a.png", "a.jpg", "a.dm3", "a.dm4", "a.ser"]),
    st.integers(0, 1100),
    st.binary(max_size=40),
    st.booleans(),
)
def test_any_bytes_are_an_image_or_an_error(
    tmp_path_factory: pytest.TempPathFactory, name: str, place: int, noise: bytes, cut: bool
) -> None:
    folder = tmp_path_factory.mktemp("any")
    base = _bases()[name]
    body = base[:place] + noise + (b"" if cut else base[place + len(noise) :])
    if name == "a.img":
        _write(folder, "a.hed", body)
        body = bytes(3 * 5 * 7 * 4)
    path = _write(folder, name, body)
    with contextlib.suppress(EmpiarReaderError):
        image = open_image(path)
        if image.size < 10**6:
            image.compute()


def _bases() -> dict[str, bytes]:
    bases = {
        "a.spi": _spider(np.zeros((3, 5, 7))),
        "a.img": imagic_pair(np.zeros((3, 5, 7), np.float32))[0],
        "a.dm3": struct.pack(">iii", 3, 2000, 1) + bytes(2000),
        "a.dm4": struct.pack(">iqi", 4, 2000, 1) + bytes(2000),
        "a.ser": struct.pack("<HHHIIIII", 0x4949, 0x0197, 0x0210, 0x4122, 0x4152, 1, 1, 30) + bytes(2000),
    }
    for name, kind in (("a.png", "png"), ("a.jpg", "jpeg")):
        stream = io.BytesIO()
        Image.fromarray(np.zeros((20, 30), np.uint8)).save(stream, kind)
        bases[name] = stream.getvalue()
    return bases


@pytest.mark.parametrize("name", ["a.dm3", "a.dm4", "a.ser"])
@pytest.mark.parametrize("dtype", ["int16", "uint16", "float32"])
def test_images_and_pixels_that_are_not_square_keep_y_and_x_apart(
    tmp_path: Path, name: str, dtype: str
) -> None:
    images = RNG.integers(0, 999, size=(3, 5, 7)).astype(dtype)
    if name == "a.ser":
        path = _write(tmp_path, name, ser_bytes(images, (2e-10, 3e-10)))
        theirs = ser.serReader(str(path))
        sizes = [size * 1e10 for size in theirs["pixelSize"]][::-1]  # it names x first
    else:
        path = _write(tmp_path, name, dm_bytes(images, (1.0, 0.2, 0.3), "nm", version=int(name[-1])))
        theirs = dm.dmReader(str(path))
        sizes = [10 * size for size in theirs["pixelSize"]][1:]
    found = open_image(path)

    np.testing.assert_array_equal(found.values, images)
    np.testing.assert_array_equal(theirs["data"], images)
    np.testing.assert_array_equal(found[1, 2:, 3:6].values, images[1, 2:, 3:6])
    assert found.dims == ("frame", "y", "x")
    assert found.dtype == images.dtype
    assert tuple(found.voxel_size) == pytest.approx((0.0, *sizes), rel=1e-6)
    assert tuple(found.voxel_size) == pytest.approx((0.0, 2.0, 3.0), rel=1e-6)


@pytest.mark.real_data
@pytest.mark.parametrize("place", [14, 18, 22, "rows"])
def test_a_series_that_promises_more_than_it_holds_is_refused(
    real_data: Path, tmp_path: Path, place: int | str
) -> None:
    body = bytearray((real_data / "empiar" / "other" / "64x64x5_TEM_preview_1.ser").read_bytes())
    if place == "rows":
        (table,) = struct.unpack_from("<I", body, 22)
        (first,) = struct.unpack_from("<I", body, table)
        struct.pack_into("<II", body, first + 42, 60_000, 60_000)
    else:
        struct.pack_into("<I", body, int(place), 2**31 - 1)
    path = _write(tmp_path, "a.ser", bytes(body))
    tracemalloc.start()
    with pytest.raises(DamagedDataError, match=r"a\.ser"):
        open_image(path)
    assert tracemalloc.get_traced_memory()[1] < 64 * 1024 * 1024
    tracemalloc.stop()


@pytest.mark.real_data
def test_a_series_whose_pixels_do_not_fit_is_damaged_when_they_are_read(
    real_data: Path, tmp_path: Path
) -> None:
    body = bytearray((real_data / "empiar" / "other" / "64x64x5_TEM_preview_1.ser").read_bytes())
    struct.pack_into("<I", body, 30, 1)  # images along its only dimension, where there are five
    image = open_image(_write(tmp_path, "a.ser", bytes(body)))

    with pytest.raises(DamagedDataError, match=r"a\.ser"):
        image.compute()


def test_a_source_counts_an_imagic_pair_once(archive: Archive) -> None:
    images = RNG.normal(size=(3, 8, 8)).astype(np.float32)
    head, pixels = imagic_pair(images)
    archive.add_entry(10091, {"data/a.hed": head, "data/a.img": pixels})
    source = EmpiarSource(10091, "data")

    assert list(source.names) == ["data/a.img"]
    np.testing.assert_array_equal(source.read(0), images)
