"""What was read once stays, in memory or on disk: for a source whose bytes come from far away."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from caked.errors import InvalidOptionError, RecipeError
from caked.io.read import deliver
from caked.keys import Columns
from caked.once import once
from caked.protocol import Array, Region
from caked.sources.base import Source, register, source_from_dict
from caked.sources.coercion import as_source
from caked.sources.stores import FolderStore, MemoryStore

__all__ = ["CachedSource"]


@register("cached")
class CachedSource(Source):
    """Another source, of which each sample is read once and then kept.

    Parameters
    ----------
    source
        A source, an array, or anything with the reading protocol.
    max_bytes
        Most to keep. In memory, samples that no longer fit are read each time, as without a cache; on disk,
        those that were not used for longest make room.
    directory
        Folder to keep samples in, for this run and later ones; ``None`` keeps them in memory.

    Notes
    -----
    Regions are cut from a sample that is kept, and else read by themselves, without keeping anything. In
    memory the cache belongs to a process: a worker of a data loader that is forked has what was kept before,
    and one that is spawned begins with an empty one. A folder can be shared by workers, runs and sources:
    samples are told apart by the description of their source and their names. It does not notice when what a
    name stands for changes far away; empty the folder then.

    Examples
    --------
    >>> source = CachedSource(np.arange(8.0).reshape(2, 4))
    >>> source.read(1).tolist(), source.kept_bytes
    ([4.0, 5.0, 6.0, 7.0], 32)
    """

    def __init__(
        self,
        source: Any,
        *,
        max_bytes: int = 2 << 30,
        directory: str | os.PathLike[str] | None = None,
    ) -> None:
        if max_bytes < 0:
            raise InvalidOptionError(f"A cache holds 0 bytes or more, not {max_bytes}.")
        self.source: Source = as_source(source)
        self.max_bytes = max_bytes
        self.directory = None if directory is None else Path(directory)
        self._memory = MemoryStore(max_bytes)

    @property
    def _store(self) -> MemoryStore | FolderStore:
        return self._memory if self.directory is None else self._folder

    @once
    def _folder(self) -> FolderStore:  # when first used, for it asks the source for its names
        assert self.directory is not None
        return FolderStore(self.directory, self.max_bytes, identity=self._identity())

    def _identity(self) -> str:
        try:
            described = json.dumps(self.source.to_dict(), sort_keys=True)
        except RecipeError:
            described = type(self.source).__qualname__
        return f"{described} {self.source.digest(content=False)}"

    @property
    def kept_bytes(self) -> int:
        """What is kept, in bytes."""
        return self._store.kept_bytes

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
        """Read sample ``i``, or a region of it, from the cache where it is kept."""
        i = range(len(self))[i]
        name = self.names[i]
        sample = self._store.get(i, name)
        if sample is None:
            if region is not None:
                return self.source.read(i, region, out)
            sample = self.source.read(i)
            self._store.put(i, name, sample)
        part = sample if region is None else sample[region]
        return deliver(part if out is not None else part.copy(), out, dtype=sample.dtype)

    def read_batch(self, indices: Sequence[int], out: Array | None = None) -> Array:
        """Read several samples: those that are not kept together, in one call to the source."""
        if out is None:
            out = self.empty_batch(indices)
        wanted = [range(len(self))[i] for i in indices]
        names = self.names
        found = {i: self._store.get(i, names[i]) for i in set(wanted)}
        missing = sorted(i for i, sample in found.items() if sample is None)
        if missing:
            samples = self.source.read_batch(missing)
            for row, i in enumerate(missing):
                found[i] = samples[row]
                self._store.put(i, names[i], samples[row])
        for row, i in enumerate(wanted):
            out[row] = found[i]
        return out

    def meta(self, i: int) -> dict[str, Any]:
        """Ask the source."""
        return self.source.meta(i)

    def columns(self, indices: Sequence[int]) -> Columns:
        """Ask the source."""
        return self.source.columns(indices)

    @once
    def companions(self) -> Mapping[str, Source]:
        """Further images of the source, each kept in a cache of its own of the same size."""
        return {
            kind: CachedSource(
                source,
                max_bytes=self.max_bytes,
                directory=None if self.directory is None else self.directory / kind,
            )
            for kind, source in self.source.companions.items()
        }

    def origin(self, i: int) -> tuple[float, ...]:
        """Ask the source."""
        return self.source.origin(i)

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
        """Return the description of the source, the limit, and the folder (as ``root``), if any."""
        described = {"type": self.type_name, "source": self.source.to_dict(), "max_bytes": self.max_bytes}
        return described if self.directory is None else {**described, "root": str(self.directory.absolute())}

    @classmethod
    def from_dict(
        cls, description: Mapping[str, Any], *, base: Path, allow: Sequence[str] = ()
    ) -> CachedSource:
        """Make the source again; in memory, nothing is kept yet."""
        inner = source_from_dict(description["source"], base=base, allow=allow)
        folder = description.get("root")
        return cls(
            inner,
            max_bytes=description["max_bytes"],
            directory=None if folder is None else base / folder,
        )

    def __repr__(self) -> str:
        return f"CachedSource({self.source!r})"
