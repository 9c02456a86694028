"""What a data set takes from its source, in one number: the key of what is kept of it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np

from caked.sources.base import Source

__all__ = ["digest_of_inputs"]

_AT_ONCE = 4096


def digest_of_inputs(source: Source) -> str:
    """Return a sha256 of the source's own digest and of all that it knows of its samples.

    The digest of a source is of what it reads; options such as a pixel size that the caller gives, or a rule
    for groups, show in what it knows.
    """
    digest = hashlib.sha256(source.digest().encode())
    for start in range(0, len(source), _AT_ONCE):
        rows = range(start, min(start + _AT_ONCE, len(source)))
        digest.update(repr([(source.names[i], source.group(i), source.shape(i)) for i in rows]).encode())
        columns = source.columns(rows)
        for key in sorted(columns):
            digest.update(f"\0{key}\0".encode())
            for part in _parts(columns[key]):
                digest.update(part)
    return digest.hexdigest()


def _parts(values: Any) -> Iterator[bytes]:
    if isinstance(values, np.ndarray):
        yield f"{values.shape} {values.dtype}".encode()
        yield np.ascontiguousarray(values).tobytes()
        return
    for value in values:
        yield from _parts(value) if isinstance(value, np.ndarray) else [f"{value!r}\0".encode()]
