"""Images onto a disk, as MRC or zarr, without having all of them in memory."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from empiarreader.errors import InvalidRequestError, MissingExtraError

# Types that MRC2014 has a mode for, and those that fit into one of them without loss.
_MRC_TYPES = {"int8", "int16", "uint16", "float16", "float32", "complex64"}
_WIDER = {"bool": "int8", "uint8": "int16"}


def to_mrc(image: Any, path: str | os.PathLike[str]) -> None:
    """Write an image as MRC; of a lazy one each piece is written as soon as it is there.

    Frames become an image stack, ``z`` a volume. The voxel size is written where it is known. Bytes are
    written as 16 bit integers, other types that MRC does not have as float32. Minimum, maximum, mean and
    standard deviation go into the header; they are marked as unknown of complex values, and where some value
    is not finite.

    Parameters
    ----------
    image
        ``xarray.DataArray`` or array: ``(y, x)``, ``(frame, y, x)`` or ``(z, y, x)``; without names of
        dimensions three axes are those of a stack.
    path
        File to write. One that is there is replaced.

    Raises
    ------
    InvalidRequestError
        If it has another number of axes.
    """
    import mrcfile

    if getattr(image, "ndim", 0) not in {2, 3}:
        raise InvalidRequestError(f"an image of {np.shape(image)} is not written as MRC; give 2 or 3 axes")
    name = np.dtype(image.dtype).name
    dtype = np.dtype(name if name in _MRC_TYPES else _WIDER.get(name, "float32"))
    dims = getattr(image, "dims", ("frame", "y", "x")[-image.ndim :])
    with mrcfile.new_mmap(path, image.shape, mrcfile.utils.mode_from_dtype(dtype), overwrite=True) as file:
        _fill(file.data, image)
        if image.ndim == 3 and dims[0] == "z":
            file.set_volume()
        elif image.ndim == 3:
            file.set_image_stack()
        size = getattr(image, "attrs", {}).get("voxel_size")
        if size is not None and size[-1] > 0:
            file.voxel_size = (size[2], size[1], size[0] if size[0] > 0 else size[2])
        _note_statistics(file)


def _fill(target: np.ndarray[Any, Any], image: Any) -> None:
    from dask.base import is_dask_collection

    if is_dask_collection(image):
        # All in one go: what several sections need, such as the mean of all, is read and worked out once. In
        # this process, as others would write into a copy of the target.
        lazy = getattr(image, "data", image).astype(target.dtype)
        lazy.store(target, lock=False, scheduler="threads")
    else:
        for k in range(len(image)) if image.ndim == 3 else (...,):
            target[k] = np.asarray(image[k], target.dtype)


def _note_statistics(file: Any) -> None:
    """Write what the values are into the header; mrcfile's own would take all of them into memory."""
    file.reset_header_stats()
    sections = file.data if file.data.ndim == 3 else file.data[np.newaxis]
    if np.iscomplexobj(sections):
        return
    # Of sections that are equally large: the variance of all is the mean of theirs and that of their means.
    found = [(s.min(), s.max(), s.mean(dtype=np.float64), s.var(dtype=np.float64)) for s in sections]
    least, most, means, variances = np.array(found, np.float64).T
    if np.isfinite(variances).all():
        header = file.header
        header.dmin, header.dmax, header.dmean = least.min(), most.max(), means.mean()
        header.rms = np.sqrt(variances.mean() + means.var())


def to_zarr(image: Any, path: str | os.PathLike[str]) -> None:
    """Write an image as a zarr store that :func:`xarray.open_zarr` opens: the variable ``image``.

    It may be an ``xarray.DataArray`` or an array. Coordinates go along, and of the attributes those that JSON
    knows. A store that is there is replaced.

    Raises
    ------
    MissingExtraError
        If zarr is not installed.
    """
    import xarray

    try:
        import zarr  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("writing zarr needs zarr: pip install zarr") from error
    array = image if isinstance(image, xarray.DataArray) else xarray.DataArray(image)
    plain = {name: value for name, value in map(_plain, array.attrs.items()) if value is not None}
    dataset = array.drop_attrs(deep=False).assign_attrs(plain).to_dataset(name="image")
    dataset.to_zarr(Path(path), mode="w", consolidated=False)


def _plain(item: tuple[Any, Any]) -> tuple[str, Any]:
    """Return an attribute as JSON has it, None for what it does not know."""
    name, value = item
    if isinstance(value, (np.ndarray, np.generic)):
        value = value.tolist()
    if isinstance(value, tuple):
        value = list(value)
    flat = value if isinstance(value, list) else [value]
    known = all(isinstance(each, (str, bool, int, float)) for each in flat)
    return str(name), value if known else None
