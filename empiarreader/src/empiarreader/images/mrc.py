"""MRC files as images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from empiarreader.bytesource import ByteSource
from empiarreader.images.base import Array, Beginning, ImageOptions, one_section
from empiarreader.images.raw import RawPixels
from empiarreader.mrc import MrcHeader, parse_mrc_header
from empiarreader.ranges import FileVersion
from empiarreader.regions import Bounds
from empiarreader.voxels import VoxelSize

_DIMENSIONS = {2: ("y", "x"), 3: ("frame", "y", "x"), 4: ("volume", "z", "y", "x")}


@dataclass(frozen=True, kw_only=True)
class MrcImage:
    """An MRC file: its header, and pixels by exact ranges."""

    header: MrcHeader
    version: FileVersion
    format: str = "MRC"

    @property
    def raw(self) -> RawPixels:
        """Where the pixels are."""
        return self.header.pixels

    @property
    def shape(self) -> tuple[int, ...]:
        """``(y, x)``, ``(frame, y, x)`` or ``(volume, z, y, x)``."""
        return self.header.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type that values are read as."""
        return np.dtype(self.header.dtype)

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the axes."""
        return _DIMENSIONS[len(self.shape)]

    @property
    def chunks(self) -> tuple[int, ...]:
        """One section."""
        return one_section(self.shape, self.dims)

    @property
    def voxel_size(self) -> VoxelSize:
        """Å along the cell's z, y and x."""
        return self.header.voxel_size

    @property
    def attrs(self) -> Mapping[str, Any]:
        """``axis_order``: which of the cell's axes the last three array axes lie along."""
        return {"axis_order": self.header.axis_order}

    def read_into(self, file: ByteSource, bounds: Bounds, out: Array) -> None:
        """Fill ``out``: the rows of the region move."""
        self.raw.read_into(file, self.version, bounds, out)

    def metadata(self, file: ByteSource) -> dict[str, Any]:
        """Return what else the header says."""
        return {}


def open_file(file: ByteSource, beginning: Beginning, options: ImageOptions) -> MrcImage:
    """Return the image that an MRC file holds; its first 1024 bytes say all."""
    header = parse_mrc_header(
        beginning.content,
        file_bytes=beginning.version.size,
        name=file.label,
        signed_bytes=options.signed_bytes,
    )
    return MrcImage(header=header, version=beginning.version)
