"""EMAN's HDF5: one group an image below ``MDF/images``, its header in attributes.

Source: hdfio2 of EMAN2. Attributes begin with ``EMAN.``; pixels that were cut to few bits are stretched
back to lie between ``stored_rendermin`` and ``stored_rendermax``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from empiarreader.bytesource import ByteSource
from empiarreader.errors import DamagedDataError
from empiarreader.images.base import Array, PlainImage
from empiarreader.images.hdf5nodes import dataset_at, node_at, opened, plain_attributes, read_slab
from empiarreader.network.ranges import FileVersion
from empiarreader.regions import Bounds
from empiarreader.voxels import VoxelSize

_IMAGES = "MDF/images"
_MOST_BITS = 16


@dataclass(frozen=True, kw_only=True)
class EmanImage(PlainImage):
    """An EMAN file of one image, one volume, or a stack of images."""

    numbers: tuple[int, ...]
    image_shape: tuple[int, ...]
    dtype: np.dtype[Any]
    version: FileVersion
    voxel_size: VoxelSize
    format: str = "HDF5 (EMAN)"

    @property
    def shape(self) -> tuple[int, ...]:
        """``(y, x)``, ``(z, y, x)`` of a volume, ``(frame, y, x)`` of a stack."""
        return self.image_shape if len(self.numbers) == 1 else (len(self.numbers), *self.image_shape)

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the axes."""
        inner = ("z", "y", "x")[-len(self.image_shape) :]
        outer = "volume" if len(self.image_shape) == 3 else "frame"
        return inner if len(self.numbers) == 1 else (outer, *inner)

    def read_into(self, file: ByteSource, bounds: Bounds, out: Array) -> None:
        """Fill ``out`` from the local copy."""
        with opened(file.local_copy(self.version), file.label) as root:
            if len(self.numbers) == 1:
                out[...] = self._read(root, self.numbers[0], bounds, file.label)
                return
            for place, number in enumerate(self.numbers[slice(*bounds[0])]):
                out[place] = self._read(root, number, bounds[1:], file.label)

    def metadata(self, file: ByteSource) -> dict[str, Any]:
        """Return EMAN's attributes: arrays of one value an image for a stack of images."""
        with opened(file.local_copy(self.version), file.label) as root:
            rows = [_attributes(root, number, file.label) for number in self.numbers]
        if len(rows) == 1:
            return dict(rows[0])
        return {name: np.array([row[name] for row in rows]) for name in rows[0] if _is_in_all(name, rows)}

    def _read(self, root: Any, number: int, bounds: Bounds, label: str) -> Array:
        path = f"{_IMAGES}/{number}/image"
        dataset = dataset_at(root, path, label)
        if dataset is None or dataset.shape != self.image_shape:
            found = dataset.shape if dataset else None
            raise DamagedDataError(
                f"image {number} of {label} has the shape {found}, the first {self.image_shape}"
            )
        values = read_slab(root, path, bounds, label)
        bits, low, high = _rendering(_attributes(root, number, label))
        return values if bits == 0 else values.astype(np.float32) / (2**bits - 1) * (high - low) + low


def describe(root: Any, label: str, version: FileVersion) -> EmanImage | None:
    """Return the image of an EMAN file, None where the file is none."""
    images = node_at(root, _IMAGES, label)
    if images is None:
        return None
    numbers = tuple(sorted(int(name) for name in images if name.isascii() and name.isdigit()))
    first = dataset_at(root, f"{_IMAGES}/{numbers[0]}/image", label) if numbers else None
    if first is None or len(first.shape) > 3:
        raise DamagedDataError(f"{label} is an EMAN file without an image")
    attributes = _attributes(root, numbers[0], label)
    size = [_positive(attributes.get(f"apix_{axis}")) for axis in "zyx"]
    return EmanImage(
        numbers=numbers,
        image_shape=first.shape,
        dtype=np.dtype(np.float32) if _rendering(attributes)[0] else first.dtype,
        version=version,
        voxel_size=VoxelSize(*size),
    )


def _attributes(root: Any, number: int, label: str) -> Mapping[str, Any]:
    return plain_attributes(node_at(root, f"{_IMAGES}/{number}", label), "EMAN.")


def _is_in_all(name: str, rows: list[Mapping[str, Any]]) -> bool:
    return all(isinstance(row.get(name), (int, float, str)) for row in rows)


def _rendering(attributes: Mapping[str, Any]) -> tuple[int, float, float]:
    """Return to how many bits pixels were cut, 0 if they were not, and what the ends stand for."""
    bits = attributes.get("stored_renderbits", 0)
    low, high = attributes.get("stored_rendermin"), attributes.get("stored_rendermax")
    if not isinstance(bits, (int, float)) or not 0 < bits <= _MOST_BITS or low is None or high is None:
        return 0, 0.0, 1.0
    return int(bits), float(low), float(high)


def _positive(value: Any) -> float:
    return float(value) if isinstance(value, (int, float)) and 0 < value < 1e6 else 0.0
