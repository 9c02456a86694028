"""Smaller images: means of neighbouring pixels."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from empiarreader.errors import InvalidRequestError
from empiarreader.voxels import VoxelSize

if TYPE_CHECKING:
    import xarray


def bin_image(image: xarray.DataArray, factor: int = 2) -> xarray.DataArray:
    """Return an image whose pixels are the means of ``factor`` by ``factor`` pixels; lazy where it is.

    Parameters
    ----------
    image
        ``(…, y, x)``; of a volume, ``(z, y, x)``, z is binned, too, and frames and the like are not.
    factor
        How many pixels of each axis become one. Rows and columns at the end that do not make up a whole one
        are left out.

    Returns
    -------
    xarray.DataArray
        float32, with the means of the coordinates, and a ``voxel_size`` that is ``factor`` times as large.

    Raises
    ------
    InvalidRequestError
        If the factor makes no sense, or leaves nothing.

    Examples
    --------
    >>> import xarray
    >>> bin_image(xarray.DataArray(np.arange(8.0).reshape(2, 4), dims=("y", "x"))).values.tolist()
    [[2.5, 4.5]]
    """
    axes = [name for name in ("z", "y", "x") if name in image.dims]
    if factor < 1 or not axes or any(image.sizes[name] < factor for name in axes):
        raise InvalidRequestError(f"an image of {dict(image.sizes)} cannot be binned by {factor}")
    # Summed as float64: pixels of a movie are small whole numbers, of a summed one large ones.
    wide = image.astype(np.float64)
    binned = wide.coarsen(dict.fromkeys(axes, factor), boundary="trim").mean().astype(np.float32)
    size = image.attrs.get("voxel_size")
    if size is None:
        return binned.assign_attrs(image.attrs)
    z, y, x = size
    larger = VoxelSize(z=z * factor if "z" in axes else z, y=y * factor, x=x * factor)
    return binned.assign_attrs({**image.attrs, "voxel_size": larger})
