"""Small files that promise or unfold to far more than they hold, and the memory that refusing them takes.

``python tests/support/hostile_files.py FOLDER`` reads each file of the folder in a child process of its own,
and prints by how many bytes the most memory that the process ever had grew: what native libraries take is
counted, too.
"""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import resource
import struct
import sys
import zlib
from pathlib import Path

import numpy as np

from eer_files import eer_bytes, random_electrons
from mrc_vectors import mrc_bytes, mrc_header

_NOTES = "<metadata><item name='numberOfFrames'>%d</item></metadata>"


def hostile_files() -> dict[str, bytes]:
    """Return the files by name; none is larger than a few mebibytes."""
    return {**_mrc_files(), **_tiff_files(), **_others()}


def good_files() -> dict[str, bytes]:
    """Return a good file of each kind, so that everything is loaded before memory is measured."""
    pixels = np.zeros((2, 8, 8), np.float32)
    return {
        "good.mrc": mrc_bytes(pixels),
        "good.mrc.gz": gzip.compress(mrc_bytes(pixels)),
        "good.mrc.bz2": bz2.compress(mrc_bytes(pixels)),
        "good.mrc.xz": lzma.compress(mrc_bytes(pixels)),
        "good.tif": _tiff({256: 8, 257: 8, 279: 64, 278: 8}, bytes(64)),
        "good.eer": eer_bytes([random_electrons(np.random.default_rng(0), 64, 9)], 64),
        "good.png": _png(8, 8),
        "good.hdf": _eman(8),
    }


def _mrc_files() -> dict[str, bytes]:
    zeros = bytes(100_000_000)
    small = mrc_bytes(np.zeros((3, 4, 5), np.float32))
    negative = bytearray(small)
    struct.pack_into("<i", negative, 92, -1024)
    endless = bytearray(small)
    struct.pack_into("<i", endless, 92, 2**31 - 1)
    honest = mrc_header((100, 4096, 4096), mode=2)  # 6.7 GB
    return {
        "huge.mrc": mrc_header((2_000_000_000, 2_000_000_000, 2_000_000_000), mode=4) + bytes(5000),
        "many.mrc": mrc_header((2_000_000_000, 1, 1), mode=0) + bytes(5000),
        "negative.mrc": bytes(negative),
        "endless.mrc": bytes(endless),
        "truncated.mrc": mrc_bytes(np.zeros((64, 256, 256), np.float32))[:4_000_000],
        "bomb.mrc.gz": gzip.compress(honest + zeros, 9),
        "bomb.mrc.bz2": bz2.compress(honest + zeros, 9),
        "bomb.mrc.xz": lzma.compress(honest + zeros, preset=1),
        "more.mrc.gz": gzip.compress(small + zeros, 9),
        "more.mrc.bz2": bz2.compress(small + zeros, 9),
        "deep.mrc.gz": gzip.compress(gzip.compress(zeros, 9), 9),
    }


def _tiff(tags: dict[int, int], body: bytes, *, following: int = 0, text: bytes = b"") -> bytes:
    """Return a file of one strip and one directory after it; ``tags`` change or add to the usual ones."""
    values = {256: 16, 257: 16, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 16, 279: len(body), **tags}
    end = 8 + len(body) + len(text)
    fields = [struct.pack("<HHII", tag, 4, 1, value) for tag, value in values.items()]
    if text:
        fields.append(struct.pack("<HHII", 270, 2, len(text), 8 + len(body)))
    fields.sort(key=lambda field: struct.unpack("<H", field[:2]))
    directory = struct.pack("<H", len(fields)) + b"".join(fields) + struct.pack("<I", following)
    return b"II*\0" + struct.pack("<I", end) + body + text + directory


def _tiff_files() -> dict[str, bytes]:
    wide, unpacked = 2**15, zlib.compress(bytes(2**28), 9)  # 256 MiB, in a quarter of one
    shaped = json.dumps({"shape": [10**9, 16, 16]}).encode() + b"\0"
    stack = b"ImageJ=1.53\nimages=999999999\nslices=999999999\n\0"
    return {
        "petapixels.tif": _tiff({256: 2**31, 257: 2**31, 278: 2**31}, bytes(256)),
        "gigapixel.tif": _tiff({256: wide, 257: wide, 278: wide, 259: 8}, bytes(256)),
        "billion.tif": _tiff({}, bytes(256), text=shaped, following=16),
        "imagej.tif": _tiff({}, bytes(200), text=stack),
        "itself.tif": _tiff({}, bytes(256), following=264),
        "circle.tif": _circle(100),
        "bomb.tif.gz": gzip.compress(_tiff({256: wide, 257: wide, 278: wide, 259: 8}, unpacked), 1)[:-9],
        "notes.eer": eer_bytes(
            [random_electrons(np.random.default_rng(0), 64, 90)], 64, metadata=_NOTES % 10**12
        ),
    }


def _circle(pages: int) -> bytes:
    """Return a chain of directories whose last leads back to its second."""
    count, length = 9, 2 + 12 * 9 + 4
    tags = {256: 16, 257: 16, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: 16, 279: 256}
    start = 8 + 256
    found = b"II*\0" + struct.pack("<I", start) + bytes(256)
    for k in range(pages):
        following = start + ((k + 1) if k < pages - 1 else 1) * length
        fields = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
        found += struct.pack("<H", count) + fields + struct.pack("<I", following)
    return found


def _png(height: int, width: int) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    rows = zlib.compress((b"\0" + bytes(width)) * height if height * width < 10**6 else bytes(1000))
    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def _eman(edge: int) -> bytes:
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        group = file.create_group("MDF/images/0")
        group.create_dataset("image", (edge, edge), "f4", chunks=(8, 8))
        if edge < 100:
            group["image"][:] = 0
    return buffer.getvalue()


def _others() -> dict[str, bytes]:
    return {
        "wide.png": _png(2**20, 2**20),
        "empty.hdf": _eman(10**6),
        "series.ser": struct.pack("<HHHIIIII", 0x4949, 0x0197, 0x0210, 0x4122, 0x4152, 2**31 - 1, 1, 30)
        + bytes(2000),
        "tags.dm4": struct.pack(">iqi", 4, 2**40, 1) + bytes(2000),
        "tags.dm3": struct.pack(">iii", 3, 2**30, 1) + b"\xff" * 2000,
    }


def _memory_to_refuse(path: Path) -> int:
    """Return by how much the memory of a child process grew that reads the file; -1 if it was read."""
    from empiarreader import EmpiarReaderError, open_image

    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        # What the parent had counts as the child's only once it is written to: begin from what is there now.
        Path("/proc/self/clear_refs").write_text("5")
        before, grown = _peak(), -1
        try:
            open_image(path).compute()
        except EmpiarReaderError:
            grown = _peak() - before
        os.write(writing, str(grown).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as answer:
        found = answer.read()
    os.waitpid(child, 0)
    return int(found or -1)


def _peak() -> int:
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("VmHWM:")[2].split()[0])


def main(folder: Path) -> int:
    """Read good files, then measure what each hostile one in the folder takes; print the growth for each."""
    names = sorted(path.name for path in folder.iterdir())
    import dask

    from empiarreader import open_image

    dask.config.set(scheduler="synchronous")  # threads do not outlive the fork
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.environ["EMPIARREADER_CACHE_DIR"] = str(folder / "cache")
    for name, content in good_files().items():
        (folder / name).write_bytes(content)
        open_image(folder / name).compute()
    failed = 0
    for name in names:
        grown = _memory_to_refuse(folder / name)
        failed += grown < 0
        sys.stdout.write(f"{name} {grown}\n")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
