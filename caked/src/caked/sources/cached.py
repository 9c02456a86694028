"""What was read once stays in memory: for a source whose bytes come from far away."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from caked.errors import InvalidOptionError
from caked.io.read import deliver
from caked.protocol import Array, Region
from caked.sources.base import Source, register, source_from_dict
from caked.sources.stream import as_source

__all__ = ["CachedSource"]


@register("cached")
class CachedSource(Source):
    """Another source, of which each sample is read once and then kept in memory.

    Parameters
    ----------
    source
        A source, an array, or anything with the reading protocol.
    max_bytes
        Most to keep. Samples that no longer fit are read each time, as without a cache.

    Notes
    -----
    Regions are cut from a sample that is kept, and else read by themselves, without keeping anything. The
    cache belongs to a process: a worker of a data loader that is forked has what was kept before, and one
    that is spawned begins with an empty one.

    Examples
    --------
    >>> source = CachedSource(np.arange(8.0).reshape(2, 4))
    >>> source.read(1).tolist(), source.kept_bytes
    ([4.0, 5.0, 6.0, 7.0], 32)
    """

    def __init__(self, source: Any, *, max_bytes: int = 2 << 30) -> None:
        if max_bytes < 0:
            raise InvalidOptionError(f"A cache holds 0 bytes or more, not {max_bytes}.")
        self.source: Source = as_source(source)
        self.max_bytes = max_bytes
        self._begin()

    def _begin(self) -> None:
        self._kept: dict[int, Array] = {}
        self.kept_bytes = 0
        self._lock = threading.Lock()

    def __getstate__(self) -> dict[str, Any]:
        return {"source": self.source, "max_bytes": self.max_bytes}

    def __setstate__(self, state: Mapping[str, Any]) -> None:
        self.__dict__.update(state)
        self._begin()

    @property
    def names(self) -> Sequence[str]:
        """Names in the source."""
        return self.source.names

    def shape(self, i: int) -> tuple[int, ...]:
        """Ask the source."""
        return self.source.shape(i)

    def dtype(self, i: int) -> np.dtype[Any]:
        """Ask the source."""
        return self.source.dtype(i)

    def read(self, i: int, region: Region | None = None, out: Array | None = None) -> Array:
        """Read sample ``i``, or a region of it, from memory where it is kept."""
        i = range(len(self))[i]
        sample = self._kept.get(i)
        if sample is None:
            if region is not None:
                return self.source.read(i, region, out)
            sample = self.source.read(i)
            self._keep(i, sample)
        part = sample if region is None else sample[region]
        return deliver(part if out is not None else part.copy(), out, dtype=sample.dtype)

    def read_batch(self, indices: Sequence[int], out: Array | None = None) -> Array:
        """Read several samples: those that are not kept together, in one call to the source."""
        if out is None:
            out = self.empty_batch(indices)
        wanted = [range(len(self))[i] for i in indices]
        missing = sorted({i for i in wanted if i not in self._kept})
        read: dict[int, Array] = {}
        if missing:
            samples = self.source.read_batch(missing)
            read = {i: samples[row] for row, i in enumerate(missing)}
            for i, sample in read.items():
                self._keep(i, sample)
        for row, i in enumerate(wanted):
            out[row] = read[i] if i in read else self._kept[i]
        return out

    def _keep(self, i: int, sample: Array) -> None:
        with self._lock:
            if i not in self._kept and self.kept_bytes + sample.nbytes <= self.max_bytes:
                # A copy, so that one row does not keep the whole batch it came with.
                self._kept[i] = sample.copy()
                self.kept_bytes += sample.nbytes

    def meta(self, i: int) -> dict[str, Any]:
        """Ask the source."""
        return self.source.meta(i)

    def pixel_size(self, i: int) -> tuple[float, ...]:
        """Ask the source."""
        return self.source.pixel_size(i)

    def group(self, i: int) -> str | None:
        """Ask the source."""
        return self.source.group(i)

    def digest(self, *, content: bool | None = None) -> str:
        """Return the digest of the source: what is kept changes nothing."""
        return self.source.digest(content=content)

    def to_dict(self) -> dict[str, Any]:
        """Return the description of the source, and the limit."""
        return {"type": self.type_name, "source": self.source.to_dict(), "max_bytes": self.max_bytes}

    @classmethod
    def from_dict(
        cls, description: Mapping[str, Any], *, base: Path, allow: Sequence[str] = ()
    ) -> CachedSource:
        """Make the source again; nothing is kept yet."""
        inner = source_from_dict(description["source"], base=base, allow=allow)
        return cls(inner, max_bytes=description["max_bytes"])

    def __repr__(self) -> str:
        return f"CachedSource({self.source!r})"
