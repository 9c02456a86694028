"""Patches of micrographs and tomograms: on a grid, at picked coordinates, or under a mask."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np

from caked.errors import InvalidOptionError, RecipeError, ShapeError, SourceNotFoundError
from caked.io.coordinates import points_by_image
from caked.io.read import deliver, whole_region
from caked.keys import Columns
from caked.names import occurrences
from caked.protocol import Array, Region
from caked.sources.base import Source, register, source_from_dict
from caked.sources.places import (
    KINDS,
    Places,
    grid_starts,
    places_at,
    places_under,
    random_places,
    sizes_of,
)
from caked.sources.stream import as_source

__all__ = ["PatchSource"]

logger = logging.getLogger("caked")

_OF_THE_WHOLE = ("pose", "shift_angstrom", "coordinates", "pixel_size_angstrom", "origin_angstrom")


@register("patches")
class PatchSource(Source):
    """Patches of another source's images, read as regions: made by :meth:`grid`, :meth:`at` or :meth:`under`.

    Parameters
    ----------
    source
        Micrographs ``(y, x)`` or tomograms ``(z, y, x)``; anything that can be a source.
    places
        Where the patches lie.
    fill
        Value of pixels that lie outside the image.

    Notes
    -----
    Names are ``item@z,y,x``, the first pixel of the patch; the group is the item's, else its name, so that a
    split keeps all patches of a micrograph together. A batch has ``origin_angstrom``, what is known of the
    item (its CTF, say), of patches at coordinates ``shift_angstrom``, the part of a pixel by which the point
    lies off the central one, and of patches whose kind is known ``meta(i)["kind"]``, ``"particle"`` or
    ``"background"``, which can be the label: ``caked.MetaLabels("kind")``. Where the source has further
    images (target, weight, mask), patches of those lie at the same places. Of compressed files every patch
    reads the whole file; put a :class:`~caked.CachedSource` between.
    """

    def __init__(self, source: Any, places: Places, *, fill: float = 0.0) -> None:
        self.source: Source = as_source(source)
        self.places = places
        self.fill = fill
        self._made: dict[str, Any] | None = None

    @classmethod
    def grid(
        cls,
        source: Any,
        size: int | Sequence[int],
        *,
        overlap: int | Sequence[int] = 0,
        content: str | None = None,
        minimum_content: float = 0.0,
        fill: float = 0.0,
    ) -> PatchSource:
        """Cover each image with patches, item by item in array order; :func:`caked.stitch` undoes it.

        Parameters
        ----------
        size
            Of a patch in pixels, one number or one for each axis.
        overlap
            Pixels that neighbours share; the last ones of an axis share more, to end where the image does.
        content
            Leave out tiles that are empty: the image to look at, ``"image"``, ``"target"``, ``"weight"`` or
            ``"mask"``.
        minimum_content
            Least fraction of its pixels in a tile that are not zero; at 0.0 one pixel is enough.
        """
        source = as_source(source)
        shapes = _shapes(source)
        sizes = sizes_of(size, len(shapes[0]))
        shared = (overlap,) * len(sizes) if isinstance(overlap, int) else tuple(overlap)
        if len(shared) != len(sizes):
            raise InvalidOptionError(f"An overlap is one number, or one for each axis, not {overlap}.")
        places = Places.of([grid_starts(shape, sizes, shared) for shape in shapes], sizes)
        if content is not None:
            places = places.select(_with_content(source, places, content, minimum_content))
        patches = cls(source, places, fill=fill)
        patches._made = {
            "how": "grid",
            "size": list(sizes),
            "overlap": list(shared),
            "content": content,
            "minimum_content": minimum_content,
            "fill": fill,
        }
        return patches

    @classmethod
    def at(
        cls,
        source: Any,
        coordinates: Any,
        size: int | Sequence[int],
        *,
        background: float = 0.0,
        clearance: float | None = None,
        outside: Literal["drop", "pad"] = "drop",
        scale: float = 1.0,
        seed: int = 0,
        fill: float = 0.0,
    ) -> PatchSource:
        """Cut out patches around picked coordinates, and background that keeps clear of them.

        Parameters
        ----------
        coordinates
            A file of coordinates (STAR, ``.box``, Topaz and other tables), a folder of such, a mapping from
            names of images to points ``(n, ndim)`` in array order and pixels, or a list of points of each
            image.
        background
            Fraction of all patches that are background.
        clearance
            Least distance of a background patch's centre from a point in pixels; ``None`` for the longest
            edge of the patch.
        outside
            What to do about patches that reach beyond the image: ``"drop"`` or ``"pad"`` them.
        scale
            What to multiply coordinates by, where they were picked on a binned image.
        seed
            Of the background.
        """
        if not 0 <= background < 1 or outside not in ("drop", "pad"):
            raise InvalidOptionError(
                "Background is a fraction below 1, and patches outside are 'drop' or 'pad': not "
                f"{background} and {outside!r}."
            )
        source = as_source(source)
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
            places = places.joined(
                random_places(shapes, points, sizes, fraction=background, clearance=apart, seed=seed)
            )
        if not len(places):
            raise SourceNotFoundError("There is no place for a patch: every one reaches outside its image.")
        return cls(source, places, fill=fill)

    @classmethod
    def under(
        cls,
        source: Any,
        size: int | Sequence[int],
        *,
        masks: Any = None,
        count: int = 100,
        background: float = 0.0,
        seed: int = 0,
    ) -> PatchSource:
        """Cut out random patches whose centres lie under a mask, and some whose centres do not.

        Parameters
        ----------
        masks
            A source with a mask for each image; ``None`` for the source's own ``mask``.
        count
            Patches of each image.
        background
            Fraction of them whose centre lies where the mask is zero.
        seed
            Of the places.
        """
        source = as_source(source)
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
        drawn = places_under(_Each(masks), sizes, count=count, background=background, seed=seed)
        return cls(source, drawn)

    @cached_property
    def _again(self) -> Array:
        keys = np.column_stack([self.places.item, self.places.start])
        _, codes = np.unique(keys, axis=0, return_inverse=True)
        return occurrences(codes.ravel())

    @property
    def names(self) -> Sequence[str]:
        """``item@z,y,x`` of each patch."""
        return _PatchNames(self.source.names, self.places, self._again)

    def __len__(self) -> int:
        return len(self.places)

    def shape(self, i: int) -> tuple[int, ...]:
        """Return the size of a patch, the same for all."""
        return self.places.size

    def dtype(self, i: int) -> np.dtype[Any]:
        """Ask the source."""
        return self.source.dtype(int(self.places.item[i]))

    def read(self, i: int, region: Region | None = None, out: Array | None = None) -> Array:
        """Read a patch, or a region of it, and no more of the image."""
        size = self.places.size
        wanted = whole_region(region or (), size)
        item, start = int(self.places.item[i]), self.places.start[i]
        edges = self.source.shape(item)
        first = [int(s) + w.start for s, w in zip(start, wanted, strict=True)]
        last = [int(s) + w.stop for s, w in zip(start, wanted, strict=True)]
        inner = tuple(
            slice(min(max(a, 0), edge), min(max(b, 0), edge))
            for a, b, edge in zip(first, last, edges, strict=True)
        )
        shape = tuple(b - a for a, b in zip(first, last, strict=True))
        if all(part.stop - part.start == length for part, length in zip(inner, shape, strict=True)):
            return self.source.read(item, inner, out)
        patch = np.full(shape, self.fill, dtype=self.dtype(i))
        if all(part.stop > part.start for part in inner):
            within = tuple(slice(part.start - a, part.stop - a) for part, a in zip(inner, first, strict=True))
            patch[within] = self.source.read(item, inner)
        return deliver(patch, out, dtype=patch.dtype)

    def read_batch(self, indices: Sequence[int], out: Array | None = None) -> Array:
        """Read several patches, in the order of ``indices``; images one after the other, from their start."""
        if out is None:
            out = self.empty_batch(indices)
        chosen = np.asarray(indices, dtype=np.int64)
        keys = (*self.places.start[chosen].T[::-1], self.places.item[chosen])
        for k in np.lexsort(keys).tolist():
            self.read(int(chosen[k]), out=out[k])
        return out

    def columns(self, indices: Sequence[int]) -> Columns:
        """Return what is known of the images that the patches are of, and where in them they lie."""
        rows = np.asarray(indices, dtype=np.int64)
        items, inverse = np.unique(self.places.item[rows], return_inverse=True)
        of_items = self.source.columns(items.tolist())
        columns: Columns = {
            key: values[inverse] if isinstance(values, np.ndarray) else [values[k] for k in inverse]
            for key, values in of_items.items()
            if key not in _OF_THE_WHOLE
        }
        if "micrograph" not in columns:
            columns["micrograph"] = [self.source.names[int(items[k])] for k in inverse]
        sizes = np.array([self.source.pixel_size(int(i)) for i in items])[inverse]
        origins = np.array([self.source.origin(int(i)) for i in items])[inverse]
        columns["pixel_size_angstrom"] = sizes
        columns["origin_angstrom"] = origins + self.places.start[rows] * sizes
        if self.places.offset is not None:
            columns["shift_angstrom"] = self.places.offset[rows] * sizes
        return columns

    def meta(self, i: int) -> dict[str, Any]:
        """Return what is known of the image, the patch's first pixel, and its kind."""
        item = int(self.places.item[i])
        known = {key: value for key, value in self.source.meta(item).items() if key not in _OF_THE_WHOLE}
        of_patch = {key: values[0] for key, values in self.columns([i]).items()}
        kind = KINDS[self.places.kind[i]]
        place = {"item": self.source.names[item], "start": tuple(self.places.start[i].tolist())}
        return {**known, **of_patch, **place, **({"kind": kind} if kind else {})}

    def pixel_size(self, i: int) -> tuple[float, ...]:
        """Ask the source."""
        return self.source.pixel_size(int(self.places.item[i]))

    def origin(self, i: int) -> tuple[float, ...]:
        """Return where the patch's first pixel lies."""
        item = int(self.places.item[i])
        steps = zip(self.source.origin(item), self.places.start[i], self.pixel_size(i), strict=True)
        return tuple(origin + int(start) * size for origin, start, size in steps)

    def group(self, i: int) -> str | None:
        """Return the group of the image, else its name."""
        item = int(self.places.item[i])
        return self.source.group(item) or self.source.names[item]

    @cached_property
    def companions(self) -> Mapping[str, Source]:
        """Patches of the source's further images, at the same places."""
        return {
            kind: PatchSource(other, self.places, fill=self.fill)
            for kind, other in self.source.companions.items()
        }

    def digest(self, *, content: bool | None = None) -> str:
        """Return a sha256 of the source's digest and of the places."""
        digest = hashlib.sha256(self.source.digest(content=content).encode())
        for array in (self.places.item, self.places.start, self.places.kind, np.array(self.places.size)):
            digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return the source, and the grid or the places one by one."""
        described = {"type": self.type_name, "source": self.source.to_dict()}
        if self._made is not None:
            return {**described, **self._made}
        if len(self) > 1_000_000:
            raise RecipeError(f"{self!r} is too long to be written place by place.")
        places = self.places
        return {
            **described,
            "how": "places",
            "size": list(places.size),
            "fill": self.fill,
            "item": places.item.tolist(),
            "start": places.start.tolist(),
            "kind": places.kind.tolist(),
            "offset": None if places.offset is None else places.offset.tolist(),
        }

    @classmethod
    def from_dict(
        cls, description: Mapping[str, Any], *, base: Path, allow: Sequence[str] = ()
    ) -> PatchSource:
        """Make the source and the places again."""
        source = source_from_dict(description["source"], base=base, allow=allow)
        made = {key: value for key, value in description.items() if key not in ("type", "source", "how")}
        if description["how"] == "grid":
            return cls.grid(source, **made)
        size = tuple(description["size"])
        offset = description["offset"]
        places = Places(
            item=np.array(description["item"], dtype=np.int32),
            start=np.array(description["start"], dtype=np.int32).reshape(-1, len(size)),
            size=size,
            kind=np.array(description["kind"], dtype=np.uint8),
            offset=None if offset is None else np.array(offset, dtype=np.float64).reshape(-1, len(size)),
        )
        if len(places) and int(places.item.max()) >= len(source):
            raise RecipeError(f"The recipe has patches of more images than the {len(source)} there are.")
        return cls(source, places, fill=description["fill"])

    def __repr__(self) -> str:
        return f"PatchSource({self.source!r}, {len(self)} patches of {self.places.size})"


class _Each(Sequence[Array]):
    """Images of a source, read one after the other."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def __len__(self) -> int:
        return len(self._source)

    def __getitem__(self, i: Any) -> Any:
        return self._source.read(range(len(self))[i])


class _PatchNames(Sequence[str]):
    """Names made when asked for."""

    def __init__(self, items: Sequence[str], places: Places, again: Array) -> None:
        self._items, self._places, self._again = items, places, again

    def __len__(self) -> int:
        return len(self._places)

    @overload
    def __getitem__(self, i: int) -> str: ...

    @overload
    def __getitem__(self, i: slice) -> Sequence[str]: ...

    def __getitem__(self, i: int | slice) -> str | Sequence[str]:
        """Return a name, or a list of them."""
        if isinstance(i, slice):
            return [self[k] for k in range(*i.indices(len(self)))]
        i = range(len(self))[i]
        start = ",".join(str(edge) for edge in self._places.start[i].tolist())
        name = f"{self._items[int(self._places.item[i])]}@{start}"
        return f"{name}~{self._again[i]}" if self._again[i] else name

    def __iter__(self) -> Iterator[str]:
        return (self[i] for i in range(len(self)))


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
