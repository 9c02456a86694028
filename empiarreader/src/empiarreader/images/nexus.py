"""NeXus HDF5 as Parakeet writes it: images in ``entry/data/data``, a column an image beside them.

Source: https://rosalindfranklininstitute.github.io/parakeet/ (the names of its metadata columns; angles in
degrees, pixel sizes in Å, dose in e/Å²).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from empiarreader.bytesource import ByteSource
from empiarreader.images.base import Array, PlainImage
from empiarreader.images.hdf5nodes import dataset_at, node_at, opened, read_slab
from empiarreader.network.ranges import FileVersion
from empiarreader.regions import Bounds
from empiarreader.voxels import VoxelSize

_GROUP = "entry/data"
_MOST_COLUMNS = 1000


@dataclass(frozen=True, kw_only=True)
class NexusImage(PlainImage):
    """Images of a NeXus file."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    version: FileVersion
    voxel_size: VoxelSize
    columns: tuple[str, ...]
    format: str = "HDF5 (NeXus)"

    @property
    def dims(self) -> tuple[str, ...]:
        """``(frame, y, x)``, or ``(y, x)`` of one image."""
        return ("frame", "y", "x")[-len(self.shape) :]

    def read_into(self, file: ByteSource, bounds: Bounds, out: Array) -> None:
        """Fill ``out`` from the local copy."""
        with opened(file.local_copy(self.version), file.label) as root:
            out[...] = read_slab(root, f"{_GROUP}/data", bounds, file.label)

    def metadata(self, file: ByteSource) -> dict[str, Any]:
        """Return the columns by name, one value an image: ``tilt_alpha``, ``dose`` and others."""
        with opened(file.local_copy(self.version), file.label) as root:
            return {name: _column(root, name, file.label) for name in self.columns}


def describe(root: Any, label: str, version: FileVersion) -> NexusImage | None:
    """Return the images of a NeXus file that is laid out as Parakeet does, None where the file is none."""
    data = dataset_at(root, f"{_GROUP}/data", label)
    if data is None or len(data.shape) > 3:
        return None
    group = node_at(root, _GROUP, label)
    images = data.shape[0] if len(data.shape) == 3 else 1
    names = [name for name in sorted(group) if name != "data"][:_MOST_COLUMNS]
    columns = tuple(name for name in names if _has_length(root, name, images, label))
    y, x = (_first(root, f"pixel_size_{axis}", columns, label) for axis in "yx")
    return NexusImage(
        shape=data.shape,
        dtype=data.dtype,
        version=version,
        voxel_size=VoxelSize(z=0.0, y=y, x=x),
        columns=columns,
    )


def _has_length(root: Any, name: str, images: int, label: str) -> bool:
    node = node_at(root, f"{_GROUP}/{name}", label)
    return getattr(node, "shape", None) == (images,) and node.dtype.kind in "iufbS"


def _column(root: Any, name: str, label: str) -> Array:
    values: Array = node_at(root, f"{_GROUP}/{name}", label)[:]
    return np.char.decode(values, "utf-8", "replace") if values.dtype.kind == "S" else values


def _first(root: Any, name: str, columns: tuple[str, ...], label: str) -> float:
    value = float(_column(root, name, label)[0]) if name in columns else 0.0
    return value if 0 < value < 1e6 else 0.0
