"""From whatever can be a source to the source: what ``Dataset(…)``, and sources made of others, are given."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from caked.sources.arrays import ArraySource
from caked.sources.base import Source
from caked.sources.lazy import LazyArraySource
from caked.sources.paths import source_of_path
from caked.sources.stream import ProtocolSource

__all__ = ["as_source"]


def as_source(value: Any) -> Source:
    """Return ``value`` as a source: one of caked's, an array, a path, or anything with the reading protocol.

    Arrays may be of numpy, dask, zarr, or any that have a shape, a type, and slices. A path is taken by its
    ending: each image is a sample of a list of particles (``.star``, ``.cs``) and of a stack (``.mrcs``,
    ``.st``), else each file; where that does not fit, make the source itself.
    """
    if isinstance(value, Source):
        return value
    if isinstance(value, np.ndarray):
        return ArraySource(value)
    if isinstance(value, str | os.PathLike):
        return source_of_path(value)
    if hasattr(value, "shape") and hasattr(value, "dtype") and not callable(value.shape):
        return LazyArraySource(value)
    return ProtocolSource(value)
