"""Several sources one after the other, as one."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from caked.counting import counted
from caked.errors import InvalidOptionError
from caked.keys import Columns, common_columns
from caked.names import NameTable, locate
from caked.protocol import Array, Region
from caked.sources.base import Source, register, source_from_dict
from caked.sources.coercion import as_source

__all__ = ["ConcatSource"]


@register("concat")
class ConcatSource(Source):
    """Sources one after the other.

    Parameters
    ----------
    sources
        Sources, arrays, or anything with the reading protocol.
    keys
        A word for each, put before its names and groups as ``key/name`` and kept as ``meta(i)["source"]``,
        which can be the label: ``caked.MetaLabels("source")``. Without keys, names have to differ by
        themselves, and groups of one name are one group.
    """

    def __init__(self, sources: Sequence[Any], *, keys: Sequence[str] | None = None) -> None:
        if not sources:
            raise InvalidOptionError("There is nothing to put together: the list of sources is empty.")
        if keys is not None and (len(keys) != len(sources) or len(set(keys)) < len(keys)):
            raise InvalidOptionError(
                f"For {counted(len(sources), 'sources')}, give as many keys, all different."
            )
        self.sources = [as_source(source) for source in sources]
        self.keys = None if keys is None else [str(key) for key in keys]
        self._keys_of_all: set[str] | None = None
        self._ends = np.cumsum([len(source) for source in self.sources], dtype=np.int64)
        names = [self._keyed(k, name) for k, source in enumerate(self.sources) for name in source.names]
        if len(set(names)) < len(names):
            twice = next(
                name
                for name, next_name in zip(sorted(names), sorted(names)[1:], strict=False)
                if name == next_name
            )
            raise InvalidOptionError(
                f"Two sources have a sample {twice!r}; give keys=[…] to tell them apart."
            )
        self._names = NameTable(names)

    def _keyed(self, k: int, name: str) -> str:
        return name if self.keys is None else f"{self.keys[k]}/{name}"

    def locate(self, i: int) -> tuple[Source, int]:
        """Return the source that sample ``i`` is of, and its index there."""
        k, inner = locate(self._ends, range(len(self))[i])
        return self.sources[k], inner

    @property
    def names(self) -> Sequence[str]:
        """Names of all, with their key."""
        return self._names

    def shape(self, i: int) -> tuple[int, ...]:
        """Ask the source."""
        source, inner = self.locate(i)
        return source.shape(inner)

    def dtype(self, i: int) -> np.dtype[Any]:
        """Ask the source."""
        source, inner = self.locate(i)
        return source.dtype(inner)

    def read(self, i: int, region: Region | None = None, out: Array | None = None) -> Array:
        """Read from the source."""
        source, inner = self.locate(i)
        return source.read(inner, region, out)

    def read_batch(self, indices: Sequence[int], out: Array | None = None) -> Array:
        """Read several samples, those of a source together."""
        if out is None:
            out = self.empty_batch(indices)
        places = sorted((*locate(self._ends, i), k) for k, i in enumerate(indices))
        for source, group in groupby(places, key=lambda place: place[0]):
            _, inner, rows = (list(column) for column in zip(*group, strict=True))
            if rows == list(range(rows[0], rows[0] + len(rows))):
                self.sources[source].read_batch(inner, out[rows[0] : rows[0] + len(rows)])
            else:
                out[rows] = self.sources[source].read_batch(inner)
        return out

    def meta(self, i: int) -> dict[str, Any]:
        """Return what the source knows of the sample, and which source it is."""
        k, inner = locate(self._ends, range(len(self))[i])
        return {**self.sources[k].meta(inner), "source": str(k) if self.keys is None else self.keys[k]}

    def columns(self, indices: Sequence[int]) -> Columns:
        """Return what every source knows of its samples; keys that one of them lacks are left out."""
        places = sorted((*locate(self._ends, i), k) for k, i in enumerate(indices))
        parts, rows = [], []
        for source, group in groupby(places, key=lambda place: place[0]):
            _, inner, row = (list(column) for column in zip(*group, strict=True))
            parts.append(self.sources[source].columns(inner))
            rows.append(row)
        shared = self._shared_keys()
        return {key: values for key, values in common_columns(parts, rows).items() if key in shared}

    def _shared_keys(self) -> set[str]:
        """Return the keys that all sources know, so that batches of any of them have the same."""
        if self._keys_of_all is None:
            known = [set(source.columns([0])) for source in self.sources if len(source)]
            self._keys_of_all = set.intersection(*known) if known else set()
        return self._keys_of_all

    @property
    def companions(self) -> Mapping[str, Source]:
        """Further images, of the kinds that every source has."""
        kinds = set.intersection(*(set(source.companions) for source in self.sources))
        return {
            kind: ConcatSource([source.companions[kind] for source in self.sources], keys=self._part_keys())
            for kind in sorted(kinds)
        }

    def _part_keys(self) -> list[str]:
        return self.keys or [str(k) for k in range(len(self.sources))]

    def origin(self, i: int) -> tuple[float, ...]:
        """Ask the source."""
        source, inner = self.locate(i)
        return source.origin(inner)

    def pixel_size(self, i: int) -> tuple[float, ...]:
        """Ask the source."""
        source, inner = self.locate(i)
        return source.pixel_size(inner)

    def group(self, i: int) -> str | None:
        """Return the group in its source, with the key."""
        k, inner = locate(self._ends, range(len(self))[i])
        group = self.sources[k].group(inner)
        return None if group is None else self._keyed(k, group)

    def digest(self, *, content: bool | None = None) -> str:
        """Return a sha256 of the sources' digests."""
        parts = [source.digest(content=content) for source in self.sources]
        return hashlib.sha256("\n".join([*parts, *(self.keys or [])]).encode()).hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return the description of each source, and the keys."""
        return {
            "type": self.type_name,
            "sources": [source.to_dict() for source in self.sources],
            "keys": self.keys,
        }

    @classmethod
    def from_dict(
        cls, description: Mapping[str, Any], *, base: Path, allow: Sequence[str] = ()
    ) -> ConcatSource:
        """Make the sources again."""
        sources = [source_from_dict(inner, base=base, allow=allow) for inner in description["sources"]]
        return cls(sources, keys=description["keys"])

    def __repr__(self) -> str:
        return f"ConcatSource({self.sources!r})"
