"""Where to cut patches out of a source's images (a grid over each, its picks, or its mask), and the cut."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np

from caked.errors import InvalidOptionError, ShapeError, SourceNotFoundError
from caked.io.coordinates import points_by_image
from caked.io.read import deliver
from caked.protocol import Array
from caked.sources.base import Source
from caked.sources.coercion import as_source
from caked.sources.places import Places, grid_starts, places_at, places_under, random_places, sizes_of

__all__ = ["grid_places", "masked_places", "picked_places", "read_padded"]

logger = logging.getLogger("caked")

Size = int | Sequence[int]


def grid_places(
    source: Source, size: Size, overlap: Size, *, content: str | None, minimum_content: float
) -> Places:
    """Return the places of :meth:`caked.PatchSource.grid`."""
    shapes = _shapes(source)
    sizes = sizes_of(size, len(shapes[0]))
    shared = (overlap,) * len(sizes) if isinstance(overlap, int) else tuple(overlap)
    if len(shared) != len(sizes):
        raise InvalidOptionError(f"An overlap is one number, or one for each axis, not {overlap}.")
    places = Places.of([grid_starts(shape, sizes, shared) for shape in shapes], sizes)
    if content is not None:
        places = places.select(_with_content(source, places, content, minimum_content))
    return places


def picked_places(
    source: Source,
    coordinates: Any,
    size: Size,
    *,
    background: float,
    clearance: float | None,
    outside: str,
    scale: float,
    seed: int,
) -> Places:
    """Return the places of :meth:`caked.PatchSource.at`."""
    if not 0 <= background < 1 or outside not in ("drop", "pad"):
        raise InvalidOptionError(
            "Background is a fraction below 1, and patches outside are 'drop' or 'pad': not "
            f"{background} and {outside!r}."
        )
    shapes = _shapes(source)
    sizes = sizes_of(size, len(shapes[0]))
    points = [scale * of_image for of_image in points_by_image(coordinates, source.names)]
    if any(of_image.ndim != 2 or of_image.shape[1] != len(sizes) for of_image in points):
        raise ShapeError(f"Points in images with {len(sizes)} axes have {len(sizes)} coordinates.")
    places = places_at(points, sizes)
    if outside == "drop":
        inside = places.inside(shapes)
        if not inside.all():
            logger.info("%d of %d patches reach outside and are left out.", (~inside).sum(), len(inside))
        places = places.select(inside)
    if background:
        apart = float(max(sizes)) if clearance is None else clearance
        picked = np.bincount(places.item, minlength=len(shapes))
        counts = [round(count * background / (1 - background)) for count in picked.tolist()]
        places = places.joined(random_places(shapes, points, sizes, counts, clearance=apart, seed=seed))
    if not len(places):
        raise SourceNotFoundError("There is no place for a patch: every one reaches outside its image.")
    return places


def masked_places(
    source: Source, size: Size, *, masks: Any, count: int, background: float, seed: int
) -> Places:
    """Return the places of :meth:`caked.PatchSource.under`."""
    masks = source.companions.get("mask") if masks is None else as_source(masks)
    if masks is None or len(masks) != len(source):
        raise InvalidOptionError("Patches under a mask take as many masks as there are images.")
    if count < 1 or not 0 <= background <= 1:
        raise InvalidOptionError(f"Not {count} patches of each image with {background} of background.")
    shapes = _shapes(source)
    for i, shape in enumerate(shapes):
        if masks.shape(i) != shape:
            raise ShapeError(f"{source.names[i]} has shape {shape} and its mask {masks.shape(i)}.")
    sizes = sizes_of(size, len(shapes[0]))
    return places_under(_Each(masks), sizes, count=count, background=background, seed=seed)


class _Each(Sequence[Array]):
    """Images of a source, read one after the other."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, i: Any) -> Any:
        return self._source.read(range(len(self))[i])


def _shapes(source: Source) -> list[tuple[int, ...]]:
    shapes = [source.shape(i) for i in range(len(source))]
    if not shapes:
        raise SourceNotFoundError("There are no images to take patches of.")
    for i, shape in enumerate(shapes):
        if len(shape) != len(shapes[0]):
            raise ShapeError(
                f"Patches are of images or of volumes: {source.names[0]} has shape {shapes[0]}, "
                f"{source.names[i]} has {shape}."
            )
    return shapes


def _with_content(source: Source, places: Places, content: str, least: float) -> Array:
    """Return the places whose tile is not empty, reading each image once."""
    images = {"image": source, **source.companions}
    if content not in images:
        raise InvalidOptionError(f"The source has {sorted(images)} and no {content!r} to look at.")
    kept = []
    for item in range(len(source)):
        whole = images[content].read(item) != 0
        for row in np.flatnonzero(places.item == item):
            tile = whole[
                tuple(
                    slice(max(int(first), 0), int(first) + edge)
                    for first, edge in zip(places.start[row], places.size, strict=True)
                )
            ]
            if tile.any() and tile.mean() >= least:
                kept.append(row)
    if not kept:
        raise SourceNotFoundError(f"Every tile is empty in {content!r}.")
    return np.array(kept)


def read_padded(
    source: Source, item: int, first: Sequence[int], last: Sequence[int], *, fill: float, out: Array | None
) -> Array:
    """Read the part of an image from ``first`` up to ``last``; what lies beyond its edges is ``fill``."""
    inner = tuple(
        slice(min(max(a, 0), edge), min(max(b, 0), edge))
        for a, b, edge in zip(first, last, source.shape(item), strict=True)
    )
    shape = tuple(b - a for a, b in zip(first, last, strict=True))
    if all(part.stop - part.start == length for part, length in zip(inner, shape, strict=True)):
        return source.read(item, inner, out)
    patch = np.full(shape, fill, dtype=source.dtype(item))
    if all(part.stop > part.start for part in inner):
        within = tuple(slice(part.start - a, part.stop - a) for part, a in zip(inner, first, strict=True))
        patch[within] = source.read(item, inner)
    return deliver(patch, out, dtype=patch.dtype)
