"""Write files whole or not at all: beside the target first, checked, then renamed onto it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from caked.errors import CakedError, ShapeError
from caked.io.layout import read_layout
from caked.protocol import Array

__all__ = ["replacing", "write_mrc", "write_npy"]


@contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a name beside ``path`` to write to; it becomes ``path`` if the block ends well, else it goes.

    Folders on the way are made. Two processes may write the same file at once: each has a name of its own,
    and the last whole file stays.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f".{target.name}.{os.getpid()}-{id(target):x}.part")
    try:
        yield part
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def write_mrc(
    path: str | os.PathLike[str],
    array: Array,
    *,
    voxel_size: tuple[float, ...] = (),
    is_volume: bool | None = None,
    origin_angstrom: tuple[float, ...] = (),
) -> Path:
    """Write an image ``(y, x)``, or a volume or stack ``(z, y, x)``, as an MRC file.

    Parameters
    ----------
    array
        Real numbers; float64 is written as float32, for MRC has no float64.
    voxel_size
        In Å along the array's axes; empty or 0.0 where unknown.
    is_volume
        Whether three axes are a volume (ISPG 1, the default) or a stack of images (ISPG 0).
    origin_angstrom
        Where the first pixel lies along the array's axes; empty for the coordinates' origin.

    Returns
    -------
    pathlib.Path
        The file, complete.
    """
    import mrcfile

    if array.ndim not in (2, 3):
        raise ShapeError(f"MRC files hold images and volumes, and this array has shape {array.shape}.")
    values = array.astype(np.float32) if array.dtype == np.float64 else array
    with replacing(path) as part:
        with mrcfile.new(part) as file:
            file.set_data(np.ascontiguousarray(values))
            if array.ndim == 3 and is_volume is not False:
                file.set_volume()
            elif array.ndim == 3:
                file.set_image_stack()
            if len(voxel_size) == array.ndim and all(voxel_size):
                file.voxel_size = tuple(reversed(voxel_size)) + (0.0,) * (3 - array.ndim)
            if len(origin_angstrom) == array.ndim and any(origin_angstrom):
                file.header.origin = tuple(reversed(origin_angstrom)) + (0.0,) * (3 - array.ndim)
        _check_shape(part, array)
    return Path(path)


def write_npy(path: str | os.PathLike[str], array: Array) -> Path:
    """Write an array of numbers as a numpy file, never pickled."""
    with replacing(path) as part:
        with part.open("wb") as file:
            np.save(file, array, allow_pickle=False)
        _check_shape(part, array)
    return Path(path)


def _check_shape(path: Path, array: Array) -> None:
    written = read_layout(path).shape
    if written != array.shape:
        raise CakedError(f"{path} was written with shape {written} instead of {array.shape}.")
