"""Velox EMD: HDF5 with images in ``Data/Image/<id>/Data``, frames along the last axis, and JSON about each.

Source: the layout as rosettasciio documents and reads it, which the tests compare with.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from empiarreader.bytesource import ByteSource
from empiarreader.images.base import Array, PlainImage
from empiarreader.images.hdf5nodes import dataset_at, node_at, opened, read_slab
from empiarreader.network.ranges import FileVersion
from empiarreader.regions import Bounds
from empiarreader.voxels import VoxelSize

_IMAGES = "Data/Image"
_ANGSTROM = {"m": 1e10}
_LONGEST_JSON = 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class VeloxImage(PlainImage):
    """The first image or series of a Velox file."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    version: FileVersion
    voxel_size: VoxelSize
    detector: str
    images: tuple[str, ...]
    format: str = "Velox EMD"

    @property
    def dims(self) -> tuple[str, ...]:
        """``(frame, y, x)``, or ``(y, x)`` where there is one frame."""
        return ("frame", "y", "x")[-len(self.shape) :]

    @property
    def attrs(self) -> Mapping[str, Any]:
        """``detector``, and ``images``: names of all images of the file, of which the first is read."""
        return {"detector": self.detector, "images": list(self.images)}

    def read_into(self, file: ByteSource, bounds: Bounds, out: Array) -> None:
        """Fill ``out`` from the local copy."""
        frames = bounds[0] if len(self.shape) == 3 else (0, 1)
        with opened(file.local_copy(self.version), file.label) as root:
            stored = read_slab(root, f"{_IMAGES}/{self.name}/Data", (*bounds[-2:], frames), file.label)
        out[...] = np.moveaxis(stored, -1, 0).reshape(out.shape)

    def metadata(self, file: ByteSource) -> dict[str, Any]:
        """Return what the microscope noted of the first frame, as nested dictionaries of texts."""
        with opened(file.local_copy(self.version), file.label) as root:
            return _notes(root, self.name, file.label)


def describe(root: Any, label: str, version: FileVersion) -> VeloxImage | None:
    """Return the first image of a Velox file, None where the file is none."""
    group = node_at(root, _IMAGES, label)
    names = sorted(group) if group is not None else []
    found = {name: dataset_at(root, f"{_IMAGES}/{name}/Data", label) for name in names}
    images = tuple(name for name, data in found.items() if data is not None and len(data.shape) == 3)
    data = found[images[0]] if images else None
    if data is None:
        return None
    rows, columns, frames = data.shape
    notes = _notes(root, images[0], label)
    result = notes.get("BinaryResult", {})
    return VeloxImage(
        name=images[0],
        shape=(frames, rows, columns) if frames > 1 else (rows, columns),
        dtype=data.dtype,
        version=version,
        voxel_size=_voxel_size(result),
        detector=str(result.get("Detector", "")),
        images=images,
    )


def _notes(root: Any, name: str, label: str) -> dict[str, Any]:
    node = node_at(root, f"{_IMAGES}/{name}/Metadata", label)
    if node is None or getattr(node, "ndim", 0) != 2 or node.shape[0] > _LONGEST_JSON:
        return {}
    text = bytes(np.asarray(node[:, 0], np.uint8)).partition(b"\0")[0]
    try:
        notes = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return notes if isinstance(notes, dict) else {}


def _voxel_size(result: Any) -> VoxelSize:
    size = result.get("PixelSize") if isinstance(result, dict) else None
    if not isinstance(size, dict):
        return VoxelSize(z=0.0, y=0.0, x=0.0)
    y = _angstrom(size.get("height"), result.get("PixelUnitY"))
    x = _angstrom(size.get("width"), result.get("PixelUnitX"))
    return VoxelSize(z=0.0, y=y, x=x)


def _angstrom(value: Any, unit: Any) -> float:
    try:
        length = float(value) * _ANGSTROM.get(str(unit), 0.0)
    except (TypeError, ValueError):
        return 0.0
    return length if 0 < length < 1e6 else 0.0
