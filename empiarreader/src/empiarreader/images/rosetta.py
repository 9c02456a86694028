"""DigitalMicrograph (DM3, DM4) and TIA (SER), through rosettasciio on a local copy.

Both keep their pixels as they are, and rosettasciio maps them into memory: of a long series only the frames
that are asked for are read from the disk.
"""

from __future__ import annotations

import math
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from empiarreader.bytesource import ByteSource
from empiarreader.errors import DamagedDataError, UnsupportedFormatError
from empiarreader.images.base import Array, Beginning, ImageOptions, PlainImage
from empiarreader.missing import import_extra
from empiarreader.network.ranges import FileVersion
from empiarreader.regions import Bounds
from empiarreader.voxels import VoxelSize

_READERS = {"DigitalMicrograph": "rsciio.digitalmicrograph", "TIA": "rsciio.tia"}
_ANGSTROM = {
    "m": 1e10,
    "mm": 1e7,
    "µm": 1e4,
    "μm": 1e4,
    "um": 1e4,
    "nm": 10.0,
    "Å": 1.0,
    "A": 1.0,
    "pm": 0.01,
}
# Version and byte order of DM3 and DM4, byte order and kind of SER.
_BEGINNINGS = {"DigitalMicrograph": (b"\0\0\0\x03", b"\0\0\0\x04"), "TIA": (b"II\x97\x01",)}


_SER_HEADER_BYTES, _SER_IMAGE_HEADER_BYTES = 30, 50
_SER_IMAGES, _SER_WIDE_RELEASE = 0x4122, 0x0220


@dataclass(frozen=True, kw_only=True)
class RosettaImage(PlainImage):
    """An image or a series of images that rosettasciio reads."""

    format: str
    number: int  # of the dataset in the file
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    version: FileVersion
    voxel_size: VoxelSize

    @property
    def dims(self) -> tuple[str, ...]:
        """``(y, x)`` or ``(frame, y, x)``."""
        return ("frame", "y", "x")[-len(self.shape) :]

    def read_into(self, file: ByteSource, bounds: Bounds, out: Array) -> None:
        """Fill ``out`` from the local copy."""
        dataset = _datasets(file.local_copy(self.version), self.format, file.label)[self.number]
        region = dataset["data"][tuple(slice(*part) for part in bounds)]
        with _reported(self.format, file.label):
            out[...] = np.asarray(region)

    def metadata(self, file: ByteSource) -> dict[str, Any]:
        """Return what rosettasciio makes of the file's tags: nested dictionaries."""
        dataset = _datasets(file.local_copy(self.version), self.format, file.label)[self.number]
        return dict(dataset["metadata"])


def open_file(file: ByteSource, beginning: Beginning, options: ImageOptions) -> RosettaImage:
    """Return the largest image or series of a DM3, DM4 or SER file; the whole file moves into the cache.

    Raises
    ------
    DamagedDataError
        If it is no such file by its first bytes, or a damaged one.
    UnsupportedFormatError
        If it holds spectra or colours only.
    MissingExtraError
        If rosettasciio is not installed.
    """
    kinds = [kind for kind, starts in _BEGINNINGS.items() if beginning.content.startswith(starts)]
    if not kinds:
        raise DamagedDataError(f"{file.label} is no DM3, DM4 or SER file by its first bytes")
    if kinds[0] == "TIA":
        _check_series(file, beginning)
    datasets = _datasets(file.local_copy(beginning.version), kinds[0], file.label)
    images = [
        (math.prod(found["data"].shape), number)
        for number, found in enumerate(datasets)
        if found["data"].ndim in {2, 3} and found["data"].dtype.kind in "iufc"
    ]
    if not images:
        raise UnsupportedFormatError(f"{file.label} is a {kinds[0]} file without an image")
    number = max(images, key=lambda image: (image[0], -image[1]))[1]
    data = datasets[number]["data"]
    return RosettaImage(
        format=kinds[0],
        number=number,
        shape=tuple(map(int, data.shape)),
        dtype=data.dtype.newbyteorder("="),
        version=beginning.version,
        voxel_size=_voxel_size(datasets[number]["axes"]),
    )


def _check_series(file: ByteSource, beginning: Beginning) -> None:
    """Raise where a SER file promises more than it holds: rosettasciio sets memory aside for it first.

    Source: https://www.ntu.edu.sg/home/cbb/info/TIAformat/ (Boothroyd's description of the format).
    """
    content, size = beginning.content, beginning.version.size
    if len(content) < _SER_HEADER_BYTES:
        raise DamagedDataError(f"{file.label} is no SER file: it has {size} bytes")
    release, kind, _, total, valid = struct.unpack_from("<H4I", content, 4)
    wide = release >= _SER_WIDE_RELEASE
    (place,) = struct.unpack_from("<Q" if wide else "<I", content, 22)
    pointer_bytes = 8 if wide else 4
    smallest = 1
    if kind == _SER_IMAGES and valid and place + pointer_bytes <= size:
        (first,) = struct.unpack("<Q" if wide else "<I", file.range(place, pointer_bytes, beginning.version))
        if first + _SER_IMAGE_HEADER_BYTES <= size:
            head = file.range(first, _SER_IMAGE_HEADER_BYTES, beginning.version)
            smallest = math.prod(struct.unpack_from("<2I", head, _SER_IMAGE_HEADER_BYTES - 8))
    if valid > total or total * 2 * pointer_bytes > size or valid * smallest > size:
        raise DamagedDataError(f"{file.label} has {size} bytes, but promises {valid} of {total} elements")


def _datasets(path: Path, kind: str, label: str) -> list[dict[str, Any]]:
    reader = import_extra(_READERS[kind], "formats", f"{label} is a {kind} file")
    size = path.stat().st_size
    with _reported(kind, label), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of tags that it leaves out
        datasets: list[dict[str, Any]] = reader.file_reader(path, lazy=True)
        promised = sum(found["data"].nbytes for found in datasets)
    if promised > size:
        raise DamagedDataError(f"{label} has {size} bytes, but promises {promised}")
    return datasets


@contextmanager
def _reported(kind: str, label: str) -> Iterator[None]:
    """Turn what rosettasciio raises about a damaged file, now or when its pixels are read, into our error."""
    try:
        yield
    except Exception as error:  # whatever a reader meets in bytes from elsewhere
        raise DamagedDataError(f"{label} is a damaged {kind} file: {error}") from error


def _voxel_size(axes: list[dict[str, Any]]) -> VoxelSize:
    found = {str(axis.get("name")): axis for axis in axes}
    return VoxelSize(z=0.0, y=_angstrom(found.get("y")), x=_angstrom(found.get("x")))


def _angstrom(axis: dict[str, Any] | None) -> float:
    if axis is None:
        return 0.0
    length = float(axis.get("scale") or 0.0) * _ANGSTROM.get(str(axis.get("units")), 0.0)
    return length if 0 < length < 1e9 else 0.0
