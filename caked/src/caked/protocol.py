"""The reading protocol: what an object must offer so that caked can take samples from it.

Anything that offers these five can feed a dataset, without inheriting from caked: an archive that is read
over the network, an array store, a simulator. :func:`caked.as_source` puts it behind caked's own face.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = ["Array", "ReadableSource", "Region"]

Array = NDArray[Any]
"""A numpy array of any type."""

Region = tuple[slice, ...]
"""A part of one item: a slice with step 1 for each leading axis, in array order; other axes stay whole."""


@runtime_checkable
class ReadableSource(Protocol):
    """A sequence of arrays that are read when asked for.

    It must survive ``pickle`` (workers of a data loader get a copy) and reading from several threads at once.
    """

    @property
    def names(self) -> Sequence[str]:
        """Name of each item: unique, and the same the next time."""
        ...

    def __len__(self) -> int: ...

    def shape(self, i: int, /) -> tuple[int, ...]:
        """Shape of item ``i``; may read a header."""
        ...

    def dtype(self, i: int, /) -> np.dtype[Any]:
        """Type that ``read(i)`` returns; may read a header."""
        ...

    def read(self, i: int, region: Region | None = None, out: Array | None = None) -> Array:
        """Item ``i``, or the part of it that ``region`` names, written into ``out`` where that is given."""
        ...
