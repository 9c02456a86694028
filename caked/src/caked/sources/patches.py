"""Patches of micrographs and tomograms: on a grid, at picked coordinates, or under a mask."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from caked.counting import counted
from caked.errors import RecipeError
from caked.io.read import whole_region
from caked.keys import Columns
from caked.names import occurrences
from caked.once import once
from caked.protocol import Array, Region
from caked.sources.base import Source, register, source_from_dict
from caked.sources.coercion import as_source
from caked.sources.cutting import grid_places, masked_places, picked_places, read_padded
from caked.sources.places import KINDS, PatchNames, Places

__all__ = ["PatchSource"]

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
    split keeps all patches of a micrograph together.

    A batch has ``origin_angstrom``, what is known of the item (its CTF, say), those of its ``coordinates``
    that lie in the patch, and of patches at coordinates ``shift_angstrom``, the part of a pixel by which the
    point lies off the central one. Where it is known, ``meta(i)["kind"]`` is ``"particle"`` or
    ``"background"``, which can be the label: ``caked.MetaLabels("kind")``. Where the source has further
    images (target, weight, mask), patches of those lie at the same places.

    Of compressed files every patch reads the whole file; put a :class:`~caked.CachedSource` between.
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
        places = grid_places(source, size, overlap, content=content, minimum_content=minimum_content)
        patches = cls(source, places, fill=fill)
        patches._made = {
            "how": "grid",
            "size": list(places.size),
            "overlap": overlap if isinstance(overlap, int) else list(overlap),
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
        source = as_source(source)
        places = picked_places(
            source,
            coordinates,
            size,
            background=background,
            clearance=clearance,
            outside=outside,
            scale=scale,
            seed=seed,
        )
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
        drawn = masked_places(source, size, masks=masks, count=count, background=background, seed=seed)
        return cls(source, drawn)

    @once
    def _again(self) -> Array:
        keys = np.column_stack([self.places.item, self.places.start])
        _, codes = np.unique(keys, axis=0, return_inverse=True)
        return occurrences(codes.ravel())

    @property
    def names(self) -> Sequence[str]:
        """``item@z,y,x`` of each patch."""
        return PatchNames(self.source.names, self.places, self._again)

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
        first = [int(s) + w.start for s, w in zip(start, wanted, strict=True)]
        last = [int(s) + w.stop for s, w in zip(start, wanted, strict=True)]
        return read_padded(self.source, item, first, last, fill=self.fill, out=out)

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
        if "coordinates" in of_items:
            columns["coordinates"] = [
                self._within(of_items["coordinates"][k], int(row))
                for k, row in zip(inverse, rows, strict=True)
            ]
        if self.places.offset is not None:
            columns["shift_angstrom"] = self.places.offset[rows] * sizes
        return columns

    def _within(self, points: Array, i: int) -> Array:
        """Return the points that lie in a patch, from its first pixel."""
        moved = points - self.places.start[i]
        inside = ((moved >= -0.5) & (moved < np.array(self.places.size) - 0.5)).all(axis=1)
        return np.asarray(moved[inside])

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

    @once
    def companions(self) -> Mapping[str, Source]:
        """Patches of the source's further images, at the same places."""
        return {
            kind: PatchSource(other, self.places, fill=self.fill)
            for kind, other in self.source.companions.items()
        }

    def digest(self, *, content: bool | None = None) -> str:
        """Return a sha256 of the source's digest and of the places."""
        digest = hashlib.sha256(f"{self.source.digest(content=content)} {self.fill}".encode())
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
        return {**described, "how": "places", "fill": self.fill, **self.places.to_dict()}

    @classmethod
    def from_dict(
        cls, description: Mapping[str, Any], *, base: Path, allow: Sequence[str] = ()
    ) -> PatchSource:
        """Make the source and the places again."""
        source = source_from_dict(description["source"], base=base, allow=allow)
        made = {key: value for key, value in description.items() if key not in ("type", "source", "how")}
        if description["how"] == "grid":
            return cls.grid(source, **made)
        places = Places.from_dict(description)
        if len(places) and int(places.item.max()) >= len(source):
            raise RecipeError(f"The recipe has patches of more images than the {len(source)} there are.")
        return cls(source, places, fill=description["fill"])

    def __repr__(self) -> str:
        return f"PatchSource({self.source!r}, {counted(len(self), 'patches')} of {self.places.size})"
