"""Where patches lie: at points, on a grid, or drawn at random under a mask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caked.errors import InvalidOptionError
from caked.io.coordinates import Points
from caked.names import MadeNames
from caked.protocol import Array
from caked.randomness import Draws

__all__ = [
    "BACKGROUND",
    "KINDS",
    "Places",
    "grid_starts",
    "places_at",
    "places_under",
    "random_places",
    "sizes_of",
]

KINDS = ("", "background", "particle")
"""What a patch can be of, where that is known."""
BACKGROUND, PARTICLE = 1, 2

_TRIES = 64  # for a background patch: then the image has no room for one


@dataclass(frozen=True, kw_only=True, eq=False)
class Places:
    """Places of patches of one size.

    Attributes
    ----------
    item
        Which image each patch is of: ``(n,)``.
    start
        First pixel of each, may lie outside the image: ``(n, ndim)``.
    size
        Of every patch.
    kind
        Place in :data:`KINDS` for each.
    offset
        Of the picked point from the patch's central pixel, in pixels: ``(n, ndim)``; ``None`` if none was.
    """

    item: NDArray[np.int32]
    start: NDArray[np.int32]
    size: tuple[int, ...]
    kind: NDArray[np.uint8]
    offset: NDArray[np.float64] | None = None

    @classmethod
    def of(
        cls,
        starts: Sequence[Array],
        size: tuple[int, ...],
        *,
        kind: int = 0,
        offsets: Sequence[Array] | None = None,
    ) -> Places:
        """Put places in each image together."""
        counts = [len(start) for start in starts]
        start = np.concatenate([*starts, np.empty((0, len(size)))]).astype(np.int32)
        return cls(
            item=np.repeat(np.arange(len(starts)), counts).astype(np.int32),
            start=start,
            size=size,
            kind=np.full(len(start), kind, dtype=np.uint8),
            offset=None if offsets is None else np.concatenate([*offsets, np.empty((0, len(size)))]),
        )

    def __len__(self) -> int:
        return len(self.item)

    def select(self, rows: Array) -> Places:
        """Return some of the places."""
        return Places(
            item=self.item[rows],
            start=self.start[rows],
            size=self.size,
            kind=self.kind[rows],
            offset=None if self.offset is None else self.offset[rows],
        )

    def to_dict(self) -> dict[str, Any]:
        """Return them one by one, ready for JSON."""
        return {
            "size": list(self.size),
            "item": self.item.tolist(),
            "start": self.start.tolist(),
            "kind": self.kind.tolist(),
            "offset": None if self.offset is None else self.offset.tolist(),
        }

    @classmethod
    def from_dict(cls, description: Mapping[str, Any]) -> Places:
        """Make the places that :meth:`to_dict` described."""
        size, offset = tuple(description["size"]), description["offset"]
        return cls(
            item=np.array(description["item"], dtype=np.int32),
            start=np.array(description["start"], dtype=np.int32).reshape(-1, len(size)),
            size=size,
            kind=np.array(description["kind"], dtype=np.uint8),
            offset=None if offset is None else np.array(offset, dtype=np.float64).reshape(-1, len(size)),
        )

    def joined(self, other: Places) -> Places:
        """Return these and other places, in the order of the images."""
        item = np.concatenate([self.item, other.item])
        order = np.argsort(item, kind="stable")
        offsets = [
            np.zeros(part.start.shape) if part.offset is None else part.offset for part in (self, other)
        ]
        return Places(
            item=item[order],
            start=np.concatenate([self.start, other.start])[order],
            size=self.size,
            kind=np.concatenate([self.kind, other.kind])[order],
            offset=np.concatenate(offsets)[order],
        )

    def inside(self, shapes: Sequence[tuple[int, ...]]) -> Array:
        """Whether each patch lies wholly within its image."""
        ends = np.array(shapes, dtype=np.int64).reshape(-1, len(self.size))[self.item]
        return np.asarray(((self.start >= 0) & (self.start + self.size <= ends)).all(axis=1))


def sizes_of(size: int | Sequence[int], ndim: int) -> tuple[int, ...]:
    """Return a size for each axis.

    Raises
    ------
    InvalidOptionError
        If there are not as many as axes, or one is no number of pixels.
    """
    sizes = (size,) * ndim if isinstance(size, int) else tuple(size)
    if len(sizes) != ndim or any(edge < 1 for edge in sizes):
        raise InvalidOptionError(f"Patches of images with {ndim} axes have {ndim} sizes from 1, not {size}.")
    return sizes


def grid_starts(shape: tuple[int, ...], size: tuple[int, ...], overlap: tuple[int, ...]) -> Array:
    """Return the first pixels of patches that cover an image: ``(n, ndim)``.

    Neighbours share ``overlap`` pixels, and the last ones more, so that they end where the image does. An
    image that is smaller than a patch has one, in its middle.

    Examples
    --------
    >>> grid_starts((10,), (4,), (1,)).ravel().tolist()
    [0, 3, 6]
    >>> grid_starts((9,), (4,), (0,)).ravel().tolist()
    [0, 4, 5]
    """
    axes = []
    for edge, length, shared in zip(shape, size, overlap, strict=True):
        if not 0 <= shared < length:
            raise InvalidOptionError(
                f"Patches of {length} pixels overlap by 0 to {length - 1}, not {shared}."
            )
        last = edge - length
        starts = [-((length - edge) // 2)] if last < 0 else [*range(0, last, length - shared), last]
        axes.append(starts)
    return np.array(list(product(*axes)), dtype=np.int32).reshape(-1, len(shape))


def places_at(points: Sequence[Points], size: tuple[int, ...]) -> Places:
    """Return a place for each point: the point lies in the patch's central pixel, size // 2."""
    nearest = [np.floor(of_image + 0.5) for of_image in points]
    return Places.of(
        [centre - np.array(size) // 2 for centre in nearest],
        size,
        kind=PARTICLE,
        offsets=[of_image - centre for of_image, centre in zip(points, nearest, strict=True)],
    )


def random_places(
    shapes: Sequence[tuple[int, ...]],
    points: Sequence[Points],
    size: tuple[int, ...],
    counts: Sequence[int],
    *,
    clearance: float,
    seed: int,
) -> Places:
    """Return background: random places whose centres keep clear of all points.

    Parameters
    ----------
    counts
        How many to draw in each image; there are fewer where it has no room.
    clearance
        Least distance from a point, in pixels.
    seed
        The places of an image depend on it and on the number of the image, and on nothing else.
    """
    starts = []
    for item, (shape, of_image, wanted) in enumerate(zip(shapes, points, counts, strict=True)):
        room = np.array(shape) - size
        if wanted == 0 or (room < 0).any():
            starts.append(np.empty((0, len(size)), dtype=np.int32))
            continue
        draws = Draws(seed=seed, samples=[item], operation="background")
        unit = draws.uniform(count=wanted * _TRIES * len(size)).reshape(-1, len(size))
        tried = np.floor(unit * (room + 1)).astype(np.int32)
        starts.append(_clear_of(tried, of_image, size, clearance, wanted))
    return Places.of(starts, size, kind=BACKGROUND)


def _clear_of(tried: Array, points: Points, size: tuple[int, ...], clearance: float, wanted: int) -> Array:
    """Return the first ``wanted`` places that are clear of the points; fewer if there is no room."""
    kept: list[Array] = []
    for start in range(0, len(tried), max(1, wanted)):
        piece = tried[start : start + wanted]
        centres = piece + np.array(size) // 2
        apart = ((centres[:, None] - points[None]) ** 2).sum(axis=2).min(axis=1) >= clearance**2
        kept.extend(piece[apart])
        if len(kept) >= wanted:
            break
    return np.array(kept[:wanted], dtype=np.int32).reshape(-1, len(size))


def places_under(
    masks: Sequence[Array], size: tuple[int, ...], *, count: int, background: float, seed: int
) -> Places:
    """Return random places whose centres lie where a mask is not zero, and some where it is.

    Parameters
    ----------
    masks
        Of each image, of its shape.
    count
        Patches of each image.
    background
        Fraction of them whose centre lies where the mask is zero.
    """
    item, start, kind = [], [], []
    for number, mask in enumerate(masks):
        window = tuple(
            slice(length // 2, max(edge - (length - 1) // 2, length // 2))
            for edge, length in zip(mask.shape, size, strict=True)
        )
        middle = np.asarray(mask[window]) != 0  # centres of patches that lie within the image
        outside = round(count * background)
        for what, wanted, where in (
            (PARTICLE, count - outside, np.flatnonzero(middle)),
            (BACKGROUND, outside, np.flatnonzero(~middle)),
        ):
            if wanted == 0 or len(where) == 0:
                continue
            draws = Draws(seed=seed, samples=[number], operation=f"under a mask/{KINDS[what]}")
            chosen = where[draws.integers(0, len(where), count=wanted)[0]]
            starts = np.stack(np.unravel_index(chosen, middle.shape), axis=1)  # of the window is of the patch
            start.append(starts)
            item.append(np.full(wanted, number))
            kind.append(np.full(wanted, what))
    if not start:
        raise InvalidOptionError("No mask leaves room for a patch.")
    return Places(
        item=np.concatenate(item).astype(np.int32),
        start=np.concatenate(start).astype(np.int32),
        size=size,
        kind=np.concatenate(kind).astype(np.uint8),
    )


class PatchNames(MadeNames):
    """Names made when asked for."""

    def __init__(self, items: Sequence[str], places: Places, again: Array) -> None:
        self._items, self._places, self._again = items, places, again

    def __len__(self) -> int:
        return len(self._places)

    def name(self, i: int) -> str:
        """Return ``item@z,y,x``."""
        start = ",".join(str(edge) for edge in self._places.start[i].tolist())
        name = f"{self._items[int(self._places.item[i])]}@{start}"
        return f"{name}~{self._again[i]}" if self._again[i] else name
