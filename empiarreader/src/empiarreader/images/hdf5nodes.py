"""What is in an HDF5 file, through h5py: groups, arrays and attributes, checked.

Nothing outside the file is followed: external links, virtual datasets and datasets whose pixels lie in other
files are refused, because their names come from whoever wrote the file.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from empiarreader.errors import DamagedDataError, EmpiarReaderError, UnsupportedFormatError
from empiarreader.images.base import Array
from empiarreader.images.sparse import SparseFile
from empiarreader.missing import import_extra

# Pixels that were never written take no room in the file; an array of little else is a trap for memory.
_LARGEST_RATIO = 4096
_SLACK = 16 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """An array in an HDF5 file."""

    path: str
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    chunks: tuple[int, ...] | None


@contextmanager
def opened(content: Path | SparseFile, label: str) -> Iterator[Any]:
    """Yield the root of an HDF5 file; whatever h5py meets in damaged bytes is a :class:`DamagedDataError`."""
    h5py = import_extra("h5py", "formats", f"{label} is an HDF5 file")
    try:
        # Network file systems often cannot lock, and nobody writes to the copy.
        with h5py.File(content, "r", locking=False) as root:
            yield root
    except EmpiarReaderError:
        raise
    except (OSError, RuntimeError, KeyError, ValueError, TypeError, OverflowError) as error:
        raise DamagedDataError(f"{label} is a damaged HDF5 file: {error}") from error


def node_at(root: Any, path: str, label: str) -> Any:
    """Return the group or array at a path within a file, None where there is none.

    Raises
    ------
    UnsupportedFormatError
        If the way there, or the array's pixels, lead out of the file.
    """
    h5py = import_extra("h5py", "formats", f"{label} is an HDF5 file")
    node = root
    for name in path.split("/"):
        link = node.get(name, getlink=True) if isinstance(node, h5py.Group) else None
        if link is None:
            return None
        if not isinstance(link, h5py.HardLink):
            raise UnsupportedFormatError(f"{label} refers to {path!r} by a link, which is not followed")
        node = node[name]
    if isinstance(node, h5py.Dataset) and (node.is_virtual or node.external):
        raise UnsupportedFormatError(f"the pixels of {label} lie in other files, which are not read")
    return node


def dataset_at(root: Any, path: str, label: str) -> Dataset | None:
    """Return the description of an array of numbers, None where there is none at that path.

    Raises
    ------
    DamagedDataError
        If it promises far more than is stored.
    """
    node = node_at(root, path, label)
    if node is None or not hasattr(node, "dtype") or node.dtype.kind not in "iufc" or node.ndim < 2:
        return None
    promised = math.prod(node.shape) * node.dtype.itemsize
    if 0 in node.shape or promised > _LARGEST_RATIO * node.id.get_storage_size() + _SLACK:
        stored = node.id.get_storage_size()
        raise DamagedDataError(f"{label} promises an array {node.shape} and stores {stored} bytes of it")
    return Dataset(path=path, shape=node.shape, dtype=node.dtype.newbyteorder("="), chunks=node.chunks)


def plain_attributes(node: Any, prefix: str = "") -> Mapping[str, Any]:
    """Return the attributes of a group as plain numbers, texts and lists, less a prefix of their names."""
    found: dict[str, Any] = {}
    for name, value in node.attrs.items():
        if isinstance(value, bytes):
            value = value.decode("utf-8", "replace")
        found[name.removeprefix(prefix)] = (
            value.tolist() if isinstance(value, (np.ndarray, np.generic)) else value
        )
    return found


def read_slab(root: Any, dataset: str, bounds: tuple[tuple[int, int], ...], label: str) -> Array:
    """Return a region of an array; only the parts of the file that hold it are read."""
    node = node_at(root, dataset, label)
    if node is None:
        raise DamagedDataError(f"{label} has no array {dataset!r}")
    values: Array = node[tuple(slice(*part) for part in bounds)]
    return values
