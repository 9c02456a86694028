"""Where the examples read images from: what a recipe names to make its streamed sources again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

import empiarreader

__all__ = ["Patches", "open_entry", "open_patches"]


def open_entry(*, entry: int, directory: str, filename: str) -> empiarreader.EmpiarSource:
    """Files of an EMPIAR entry, streamed: nothing is stored on the way."""
    return empiarreader.EmpiarSource(entry, directory=directory, filename=filename)


def open_patches(*, entry: int, files: Sequence[str], size: int, limit: int) -> Patches:
    """Square patches of some MRC files of an EMPIAR entry, given by their paths within it."""
    addresses = [f"{empiarreader.EmpiarEntry(entry).url}/{name}" for name in files]
    return Patches(empiarreader.MrcSource(addresses), files, size=size, limit=limit)


class Patches:
    """Square patches of large images: a source of one's own, by nothing but the reading protocol.

    Parameters
    ----------
    images
        A source of images ``(y, x)`` or stacks ``(section, y, x)``; every section of a stack is an image.
    files
        A name for each of its items.
    size
        Length of a patch in pixels.
    limit
        Most patches to take from one item; they are spread over it evenly.
    """

    def __init__(self, images: Any, files: Sequence[str], *, size: int, limit: int) -> None:
        self.images, self.files, self.size = images, tuple(files), size
        self._places = [(i, corner) for i in range(len(files)) for corner in self._corners(i, limit)]

    def _corners(self, item: int, limit: int) -> list[tuple[int, ...]]:
        """Where the patches of an item begin, in array order."""
        shape = self.images.shape(item)
        starts = [range(n) for n in shape[:-2]]
        starts += [range(0, n - self.size + 1, self.size) for n in shape[-2:]]
        grid = np.stack(np.meshgrid(*starts, indexing="ij"), axis=-1).reshape(-1, len(shape))
        chosen = np.unique(np.linspace(0, len(grid) - 1, min(limit, len(grid))).astype(int))
        return [tuple(int(n) for n in grid[k]) for k in chosen]

    @property
    def names(self) -> list[str]:
        """One a patch: ``file@section,y,x``."""
        return [f"{self.files[item]}@{','.join(map(str, corner))}" for item, corner in self._places]

    def group(self, i: int) -> str:
        """Return the file that a patch was cut from."""
        return self.files[self._places[i][0]]

    def __len__(self) -> int:
        return len(self._places)

    def shape(self, i: int) -> tuple[int, ...]:
        """Return the shape of a patch, ``(y, x)``."""
        return self.size, self.size

    def dtype(self, i: int) -> np.dtype[Any]:
        """Return the type of its pixels."""
        dtype: np.dtype[Any] = self.images.dtype(self._places[i][0])
        return dtype

    def read(
        self, i: int, region: tuple[slice, ...] | None = None, out: NDArray[Any] | None = None
    ) -> NDArray[Any]:
        """Read the pixels of a patch; only the rows that it spans move."""
        item, corner = self._places[i]
        edges = [1] * (len(corner) - 2) + [self.size] * 2
        window = tuple(slice(n, n + edge) for n, edge in zip(corner, edges, strict=True))
        patch = self.images.read(item, window).reshape(self.size, self.size)[region or ...]
        if out is None:
            return np.asarray(patch)
        out[...] = patch
        return out
