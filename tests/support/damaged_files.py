"""Good files of every image format, damaged by number, and read in a process that may die of it.

``python tests/support/damaged_files.py FIRST COUNT`` reads the damaged files of these numbers, each made
from its number alone, and writes each number before it reads: the last one written is what killed it.
Anything but pixels or an error of the library is an error here.
"""

from __future__ import annotations

import bz2
import contextlib
import faulthandler
import gzip
import io
import os
import random
import resource
import sys
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

import eer_files
from imagic_bytes import imagic_pair
from mrc_vectors import mrc_bytes, mrc_vectors

_MEMORY_BYTES = 2 << 30  # above what the process has when all is imported
_DAMAGING = (b"\0", b"\xff", b"\x7f", b"\x80", b"\x01", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\0\0")
_NOISE = np.random.default_rng(0).integers(0, 99, (2, 40, 56))


def _tiff(dtype: str = "u1", **options: Any) -> bytes:
    import tifffile

    buffer = io.BytesIO()
    with tifffile.TiffWriter(buffer, bigtiff=options.pop("bigtiff", False)) as writer:
        for image in _NOISE.astype(dtype):
            writer.write(image, photometric="minisblack", contiguous=False, metadata=None, **options)
    return buffer.getvalue()


def _picture(kind: str) -> bytes:
    from imagecodecs import jpeg8_encode, png_encode

    image = np.ascontiguousarray(_NOISE[0], np.uint8)
    return bytes(png_encode(image) if kind == "png" else jpeg8_encode(image))


def _hdf5(fill: Callable[[Any], None]) -> bytes:
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        fill(file)
    return buffer.getvalue()


def _eman(file: Any) -> None:
    for k, image in enumerate(_NOISE):
        group = file.create_group(f"MDF/images/{k}")
        group.create_dataset("image", data=image.astype("f4"), chunks=(20, 28), compression="gzip")


def _nexus(file: Any) -> None:
    file.create_dataset("entry/data/data", data=_NOISE.astype("f4"), chunks=(1, 40, 56), compression="gzip")


def _eer() -> bytes:
    generator = np.random.default_rng(1)
    return eer_files.eer_bytes([eer_files.random_electrons(generator, 64, 90) for _ in range(3)], 64)


@cache
def good_files() -> dict[str, bytes]:
    """Return a good file of each kind, by a name that ends as such files do."""
    files = {f"mrc-{k}.mrc": vector.content for k, vector in enumerate(mrc_vectors())}
    for name, codec in {"lzw": "lzw", "deflate": "zlib", "packbits": "packbits", "zstd": "zstd"}.items():
        files[f"{name}.tif"] = _tiff(compression=codec, rowsperstrip=7)
        files[f"{name}-tiles.tif"] = _tiff(
            "u2", compression=codec, tile=(16, 32), predictor=name != "packbits"
        )
    files["jpeg.tif"] = _tiff(compression="jpeg")
    files["big.tif"] = _tiff("f4", bigtiff=True, compression="lzw", predictor=3)
    files["movie.eer"] = _eer()
    files["picture.png"], files["picture.jpg"] = _picture("png"), _picture("jpeg")
    files["eman.hdf"], files["parakeet.nxs"] = _hdf5(_eman), _hdf5(_nexus)
    files["pair.hed"] = imagic_pair(_NOISE.astype(np.float32))[0]
    packed = mrc_bytes(_NOISE.astype(np.float32))
    files["packed.mrc.gz"], files["packed.mrc.bz2"] = gzip.compress(packed, mtime=0), bz2.compress(packed)
    real = Path(os.environ["PERC_REAL_DATA"]) / "empiar" if "PERC_REAL_DATA" in os.environ else None
    for folder in ("other", "tiff"):
        for path in sorted((real / folder).iterdir()) if real is not None else []:
            files[f"real-{path.name}"] = path.read_bytes()
    return files


def damaged(number: int) -> tuple[str, bytes]:
    """Return name and content of a damaged file: bytes changed, cut out, put in, or the end cut off."""
    chance = random.Random(number)
    kind = chance.choice(sorted({Path(name).suffix for name in good_files()}))
    name = chance.choice(sorted(name for name in good_files() if Path(name).suffix == kind))
    content = bytearray(good_files()[name])
    for _ in range(chance.choice((1, 1, 2, 4, 16))):
        # Headers are where small changes do most.
        place = chance.randrange(min(len(content), chance.choice((64, 1024, len(content)))) or 1)
        how = chance.randrange(8)
        if how < 4:
            piece = chance.choice(_DAMAGING) if how < 2 else chance.randbytes(chance.choice((1, 2, 4)))
            content[place : place + len(piece)] = piece
        elif how == 4:
            content[place : place + 1] = (
                bytes([content[place] ^ 1 << chance.randrange(8)]) if content else b""
            )
        elif how == 5:
            del content[place : place + chance.choice((1, 4, 100))]
        elif how == 6:
            content[place:place] = chance.randbytes(chance.choice((1, 4, 100)))
        else:
            del content[max(place, 1) :]
    return name, bytes(content)


def read(path: Path) -> None:
    """Read all that a file has, up to a few megabytes; errors of the library are what damage may lead to."""
    from empiarreader import EmpiarReaderError, open_image, read_metadata

    for ask in (lambda: open_image(path)[..., :512, :512][:2].values, lambda: read_metadata(path)):
        with contextlib.suppress(EmpiarReaderError):
            ask()


def _write(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    if path.suffix == ".hed":
        path.with_suffix(".img").write_bytes(imagic_pair(_NOISE.astype(np.float32))[1])


def main(first: int, count: int) -> None:
    """Read damaged files in turn."""
    faulthandler.enable()
    with tempfile.TemporaryDirectory() as folder:
        for name, content in good_files().items():  # which also imports all there is to import
            _write(Path(folder) / name, content)
            read(Path(folder) / name)
        here = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (here + _MEMORY_BYTES, resource.RLIM_INFINITY))
        for number in range(first, first + count):
            name, content = damaged(number)
            sys.stderr.write(f"{number} {name}\n")
            sys.stderr.flush()
            path = Path(folder) / f"{number}-{name}"
            _write(path, content)
            read(path)
            path.unlink()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
