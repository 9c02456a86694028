"""How the sections of items are counted, named and read, wherever the items come from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

from caked.errors import InvalidOptionError, ShapeError
from caked.names import SectionNames, locate
from caked.protocol import Array, Region
from caked.sources.base import Source

__all__ = ["SectionedSource"]

Run = tuple[
    int, int, list[int]
]  # item, its first section, positions in the batch of this one and the next ones


class SectionedSource(Source):
    """Base of the sources whose samples are the sections of another source's items; their group is the item.

    Parameters
    ----------
    source
        Items of shape ``(section, y, x)``, or ``(y, x)``, which are one sample as they are.
    threads
        How many items to ask at once, both for their shapes and for sections of a batch.
    """

    def __init__(self, source: Source, *, threads: int = 8) -> None:
        if threads < 1:
            raise InvalidOptionError(f"It takes one thread at least, not {threads}.")
        self.source = source
        self.threads = threads
        self._names: SectionNames | None = None
        self._ends = np.zeros(0, dtype=np.int64)
        self._flat = np.zeros(0, dtype=bool)

    @property
    def names(self) -> Sequence[str]:
        """Name of each section: ``item#section``."""
        return self._counted()

    def _counted(self) -> SectionNames:
        if self._names is None:
            with ThreadPoolExecutor(self.threads) as pool:
                shapes = list(pool.map(self.source.shape, range(len(self.source))))
            for i, shape in enumerate(shapes):
                if len(shape) not in (2, 3):
                    raise ShapeError(
                        f"{self.source.names[i]} has shape {shape}: neither an image nor a stack of them."
                    )
            self._flat = np.array([len(shape) == 2 for shape in shapes], dtype=bool)
            counts = [1 if len(shape) == 2 else shape[0] for shape in shapes]
            self._ends = np.cumsum(counts, dtype=np.int64)
            self._names = SectionNames(self.source.names, self._ends, self._flat)
        return self._names

    def locate(self, i: int) -> tuple[int, int]:
        """Return the item that sample ``i`` lies in, and its section there."""
        count = len(self._counted())
        return locate(self._ends, range(count)[i])

    def shape(self, i: int) -> tuple[int, ...]:
        """Return ``(y, x)``."""
        return self.source.shape(self.locate(i)[0])[-2:]

    def dtype(self, i: int) -> np.dtype[Any]:
        """Return the type of the item."""
        return self.source.dtype(self.locate(i)[0])

    def read(self, i: int, region: Region | None = None, out: Array | None = None) -> Array:
        """Read one section, or a region of it: nothing else of the item is asked for."""
        item, section = self.locate(i)
        if self._flat[item]:
            return self.source.read(item, region, out)
        inner = (slice(section, section + 1), *(region or ()))
        part = self.source.read(item, inner, None if out is None else out[None])
        return np.asarray(part[0])

    def read_batch(self, indices: Sequence[int], out: Array | None = None) -> Array:
        """Read several sections; neighbours in one piece, different pieces at once."""
        if out is None:
            out = self.empty_batch(indices)
        batch = out
        runs = list(self._runs(indices))
        if self.threads == 1 or len(runs) == 1:
            for run in runs:
                self._read_run(run, indices, batch)
            return batch
        with ThreadPoolExecutor(min(self.threads, len(runs))) as pool:
            for _ in pool.map(lambda run: self._read_run(run, indices, batch), runs):
                pass
        return batch

    def _runs(self, indices: Sequence[int]) -> Iterator[Run]:
        places = sorted((self.locate(i), k) for k, i in enumerate(indices))
        run: Run | None = None
        for (item, section), k in places:
            if run is not None and (item, section) == (run[0], run[1] + len(run[2])) and not self._flat[item]:
                run[2].append(k)
                continue
            if run is not None:
                yield run
            run = (item, section, [k])
        if run is not None:
            yield run

    def _read_run(self, run: Run, indices: Sequence[int], out: Array) -> None:
        item, first, positions = run
        if len(positions) == 1:
            self.read(indices[positions[0]], out=out[positions[0]])
            return
        start, count = positions[0], len(positions)
        region = (slice(first, first + count),)
        if positions == list(range(start, start + count)):
            self.source.read(item, region, out[start : start + count])
        else:
            out[positions] = self.source.read(item, region)

    def meta(self, i: int) -> dict[str, Any]:
        """Return what is known of the item, and the number of the section."""
        item, section = self.locate(i)
        return {**self.source.meta(item), "item": self.source.names[item], "section": section}

    def pixel_size(self, i: int) -> tuple[float, ...]:
        """Return the item's pixel size along y and x."""
        return self.source.pixel_size(self.locate(i)[0])[-2:]

    def group(self, i: int) -> str | None:
        """Return the group of the item, else its name."""
        item = self.locate(i)[0]
        return self.source.group(item) or self.source.names[item]

    def digest(self, *, content: bool | None = None) -> str:
        """Return a sha256 of the source's digest and of how many sections each item has."""
        self._counted()
        whole = f"{self.source.digest(content=content)} {self._ends.tolist()}"
        return hashlib.sha256(whole.encode()).hexdigest()
