"""MRC files as images: stacks and volumes, in the order of the file or turned to (z, y, x)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from empiarreader.bytesource import ByteSource
from empiarreader.formats import suffix_of
from empiarreader.images.base import Array, Beginning, ImageOptions
from empiarreader.images.mrcextended import read_extended
from empiarreader.mrc import MrcHeader, parse_mrc_header
from empiarreader.network.ranges import FileVersion
from empiarreader.regions import Bounds
from empiarreader.voxels import VoxelSize

_IN_CELL = ("z", "y", "x")
_STACK_SUFFIXES = frozenset({".mrcs", ".st", ".ali", ".preali"})
_VOLUME_SUFFIXES = frozenset({".map", ".ccp4", ".rec"})


@dataclass(frozen=True, kw_only=True)
class MrcImage:
    """An MRC file: its header, and pixels by exact ranges.

    Attributes
    ----------
    header : MrcHeader
        What the header says, in the order of the file.
    is_volume : bool
        Whether sections are called z, and not frames.
    turn : tuple of int
        Which axis of the file each axis of the array lies along: ``(0, 1, 2)`` unless the axes are permuted
        in the file and are to be turned.
    """

    header: MrcHeader
    version: FileVersion
    is_volume: bool
    turn: tuple[int, ...]
    format: str = "MRC"

    @property
    def shape(self) -> tuple[int, ...]:
        """``(y, x)``, ``(frame, y, x)``, ``(z, y, x)`` or ``(volume, z, y, x)``."""
        return tuple(self.header.shape[axis] for axis in self.turn)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type that values are read as."""
        return np.dtype(self.header.dtype)

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the axes."""
        if len(self.shape) == 3 and not self.is_volume:
            return "frame", "y", "x"
        return ("volume", *_IN_CELL)[-len(self.shape) :]

    @property
    def chunks(self) -> tuple[int, ...]:
        """One section of the file."""
        section = (*(1 for _ in self.shape[:-2]), *self.header.shape[-2:])
        return tuple(section[axis] for axis in self.turn)

    @property
    def voxel_size(self) -> VoxelSize:
        """Å along the cell's z, y and x."""
        return self.header.voxel_size

    @property
    def attrs(self) -> Mapping[str, Any]:
        """Facts for arrays.

        ``axis_order`` says which of the cell's axes the last three array axes lie along. Volumes have an
        ``origin``, (z, y, x) in Å: the header's, or what its first section, row and column make where it has
        none, as ChimeraX takes it.
        """
        if not self.is_volume or len(self.shape) < 3:
            return {"axis_order": self.header.axis_order}
        order = tuple(self.header.axis_order[axis - len(self.shape)] for axis in self.turn[-3:])
        return {"axis_order": order, "origin": self._origin()}

    def read_into(self, file: ByteSource, bounds: Bounds, out: Array) -> None:
        """Fill ``out``: the rows of the region move."""
        back = sorted(range(len(self.turn)), key=self.turn.__getitem__)  # where each axis of the file went
        in_file = tuple(bounds[axis] for axis in back)
        self.header.pixels.read_into(file, self.version, in_file, out.transpose(back))

    def metadata(self, file: ByteSource) -> dict[str, Any]:
        """Return what else header and extended header say: see :mod:`empiarreader.images.mrcextended`.

        Moves them, as far as there are sections.
        """
        return read_extended(file, self.header, self.version)

    def _origin(self) -> tuple[float, float, float]:
        if any(self.header.origin):
            return self.header.origin
        first = dict(zip(self.header.axis_order, self.header.start, strict=True))
        z, y, x = (first[axis] * length for axis, length in zip(_IN_CELL, self.voxel_size, strict=True))
        return z, y, x


def open_file(file: ByteSource, beginning: Beginning, options: ImageOptions) -> MrcImage:
    """Return the image that an MRC file holds; its first 1024 bytes say all."""
    header = parse_mrc_header(
        beginning.content,
        file_bytes=beginning.version.size,
        name=file.label,
        signed_bytes=options.signed_bytes,
    )
    is_volume = options.volume if options.volume is not None else _looks_like_volume(header, file.label)
    return MrcImage(
        header=header,
        version=beginning.version,
        is_volume=is_volume,
        turn=_turn(header, wanted=options.cell_axes and is_volume),
    )


def _looks_like_volume(header: MrcHeader, label: str) -> bool:
    """Tell a volume from a stack by what both the header and the name say.

    The header alone does not do: programs that write stacks of particles and movies call them volumes (space
    group 1), but leave the cell empty or negative along z, or one interval long; programs that write
    micrographs call them volumes of one section; and tomograms are often written as if they were stacks.
    """
    suffix = suffix_of(label)
    if len(header.shape) != 3 or suffix in _STACK_SUFFIXES:
        return len(header.shape) == 4
    if suffix in _VOLUME_SUFFIXES or header.axis_order != _IN_CELL:
        return True
    is_thick = header.shape[0] > 1 and header.intervals[0] != 1
    return header.is_volume and header.voxel_size.z > 0 and is_thick


def _turn(header: MrcHeader, *, wanted: bool) -> tuple[int, ...]:
    axes = tuple(range(len(header.shape)))
    if not wanted or len(axes) < 3:
        return axes
    return (*axes[:-3], *(axes[-3:][header.axis_order.index(name)] for name in _IN_CELL))
