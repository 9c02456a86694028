"""Size of a voxel, in an order that cannot be mistaken."""

from __future__ import annotations

from typing import NamedTuple


class VoxelSize(NamedTuple):
    """Length of a voxel edge along z, y and x, in Å; 0.0 where the file does not say.

    As a tuple it goes in array order, ``(z, y, x)``, like the arrays it belongs to; by name it is as in
    mrcfile and in empiarreader 0.0.17, whose record was stored x first: ``voxel_size.x`` is right in both.

    Examples
    --------
    >>> size = VoxelSize(z=2.0, y=1.05, x=1.05)
    >>> size.x, size[0], tuple(size)
    (1.05, 2.0, (2.0, 1.05, 1.05))
    """

    z: float
    y: float
    x: float
