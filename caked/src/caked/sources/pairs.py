"""Several images of one sample: even and odd halves, map and label and weight, map and model."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from caked.counting import counted
from caked.errors import InvalidOptionError, ShapeError
from caked.keys import IMAGE_KEYS, Columns
from caked.protocol import Array, Region
from caked.sources.base import Source, register, source_from_dict
from caked.sources.coercion import as_source
from caked.sources.structures import StructureSource

__all__ = ["PairSource"]


@register("pairs")
class PairSource(Source):
    """A source with further images of each of its samples, or with points in them.

    Parameters
    ----------
    image
        What names, groups and all that is known come from.
    target
        The second image of each sample: the odd half where the first is the even one, a label, a clean map.
    weight, mask
        A third and fourth.
    models
        A :class:`~caked.StructureSource` with a model for each image: a batch then has ``coordinates``, a
        list of the atoms' places in pixels of the image, ``(n, 3)`` as (z, y, x), after origin and voxel size
        of the map.
    match
        ``"order"``: the first of one is with the first of the others; ``"name"``: by name without folders and
        endings, up to the first of ``separators``, and what has no partner is an error.
    separators
        What ends the part of a name that pairs are matched by, such as ``["_even", "_odd"]``.

    Raises
    ------
    InvalidOptionError
        If there are not as many of each, or a name has no partner.

    Notes
    -----
    Images of one sample have one shape, which is checked when they are read. Patches of a pair are pairs of
    patches: ``caked.PatchSource.grid(pairs, 64, content="target")`` leaves out tiles whose label is empty.

    Examples
    --------
    >>> halves = PairSource(np.zeros((4, 8, 8)), target=np.ones((4, 8, 8)))
    >>> sorted(halves.companions), halves.companions["target"].read(0).max()
    (['target'], np.float64(1.0))
    """

    def __init__(
        self,
        image: Any,
        *,
        target: Any = None,
        weight: Any = None,
        mask: Any = None,
        models: StructureSource | None = None,
        match: str = "order",
        separators: Sequence[str] = (),
    ) -> None:
        if match not in ("order", "name"):
            raise InvalidOptionError(f"Pairs are matched by 'order' or by 'name', not {match!r}.")
        self.image: Source = as_source(image)
        given = {"target": target, "weight": weight, "mask": mask}
        self.others: dict[str, Source] = {
            kind: as_source(other) for kind, other in given.items() if other is not None
        }
        self.models = models
        self.match, self.separators = match, tuple(separators)
        if not self.others and models is None:
            raise InvalidOptionError("A pair has a second part: give target, weight, mask or models.")
        self._partners = {kind: self._match(kind, other) for kind, other in self.others.items()}
        self._model_of = None if models is None else self._match("models", models)

    def _match(self, kind: str, other: Source) -> Array:
        """Return the index in ``other`` for each image."""
        if len(other) != len(self.image) and self.match == "order":
            raise InvalidOptionError(
                f"{counted(len(self.image), 'images')} cannot be paired with {len(other)} of {kind}."
            )
        if self.match == "order":
            return np.arange(len(other))
        index_of = {self._stem(name): k for k, name in enumerate(other.names)}
        if len(index_of) < len(other):
            raise InvalidOptionError(f"Names of {kind} are not different before {self.separators}.")
        missing = [name for name in self.image.names if self._stem(name) not in index_of]
        if missing:
            raise InvalidOptionError(
                f"No {kind} for {len(missing)} of {counted(len(self.image), 'images')}, such as {missing[0]}."
            )
        return np.array([index_of[self._stem(name)] for name in self.image.names], dtype=np.int64)

    def _stem(self, name: str) -> str:
        stem = name.rpartition("/")[2]
        for separator in self.separators or (".",):
            stem = stem.partition(separator)[0]
        return stem

    @property
    def names(self) -> Sequence[str]:
        """Names of the first images."""
        return self.image.names

    def shape(self, i: int) -> tuple[int, ...]:
        """Return the shape of the first image."""
        return self.image.shape(i)

    def dtype(self, i: int) -> np.dtype[Any]:
        """Return the type of the first image."""
        return self.image.dtype(i)

    def read(self, i: int, region: Region | None = None, out: Array | None = None) -> Array:
        """Read the first image, or a region of it."""
        return self.image.read(i, region, out)

    def read_batch(self, indices: Sequence[int], out: Array | None = None) -> Array:
        """Read several first images."""
        return self.image.read_batch(indices, out)

    @property
    def companions(self) -> Mapping[str, Source]:
        """The further images, in the order of the first."""
        return {
            **self.image.companions,
            **{k: _Partner(self.image, other, self._partners[k]) for k, other in self.others.items()},
        }

    def columns(self, indices: Sequence[int]) -> Columns:
        """Return what is known of the first images, and where the models' atoms lie in them."""
        columns = self.image.columns(indices)
        if self.models is not None:
            columns["coordinates"] = [self._coordinates(int(i)) for i in indices]
        return columns

    def _coordinates(self, i: int) -> Array:
        assert self.models is not None
        assert self._model_of is not None
        atoms = self.models.atoms(int(self._model_of[i])).positions_angstrom
        size = self.image.pixel_size(i)
        if len(size) != 3 or not all(size):
            raise InvalidOptionError(
                f"{self.image.names[i]} states no voxel size, and without it a model has no place in it."
            )
        return np.asarray((atoms - np.array(self.image.origin(i))) / np.array(size))

    def meta(self, i: int) -> dict[str, Any]:
        """Return what is known of the first image, and the names of the others."""
        partners = {kind: other.names[int(self._partners[kind][i])] for kind, other in self.others.items()}
        return {**self.image.meta(i), **partners}

    def pixel_size(self, i: int) -> tuple[float, ...]:
        """Ask the first source."""
        return self.image.pixel_size(i)

    def origin(self, i: int) -> tuple[float, ...]:
        """Ask the first source."""
        return self.image.origin(i)

    def group(self, i: int) -> str | None:
        """Ask the first source."""
        return self.image.group(i)

    def digest(self, *, content: bool | None = None) -> str:
        """Return a sha256 of the digests of all, and of who goes with whom."""
        digest = hashlib.sha256(f"{self.image.digest(content=content)} {list(self.others)}".encode())
        parts = [*self.others.values(), *([] if self.models is None else [self.models])]
        for part in parts:
            digest.update(part.digest(content=content).encode())
        for partner in self._partners.values():
            digest.update(partner.tobytes())
        return digest.hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return the description of every source, and how they are matched."""
        return {
            "type": self.type_name,
            "image": self.image.to_dict(),
            "others": {kind: other.to_dict() for kind, other in self.others.items()},
            "models": None if self.models is None else self.models.to_dict(),
            "match": self.match,
            "separators": list(self.separators),
        }

    @classmethod
    def from_dict(
        cls, description: Mapping[str, Any], *, base: Path, allow: Sequence[str] = ()
    ) -> PairSource:
        """Make the sources again."""
        models = description["models"]
        structures = None if models is None else source_from_dict(models, base=base, allow=allow)
        assert structures is None or isinstance(structures, StructureSource)
        others = {
            kind: source_from_dict(other, base=base, allow=allow)
            for kind, other in description["others"].items()
            if kind in IMAGE_KEYS
        }
        return cls(
            source_from_dict(description["image"], base=base, allow=allow),
            **others,
            models=structures,
            match=description["match"],
            separators=description["separators"],
        )

    def __repr__(self) -> str:
        return f"PairSource({self.image!r}, {', '.join(self.others)})"


class _Partner(Source):
    """Second images in the order of the first, with a check that they have their shape."""

    def __init__(self, image: Source, other: Source, order: Array) -> None:
        self.image, self.other, self.order = image, other, order

    @property
    def names(self) -> Sequence[str]:
        return [self.other.names[int(k)] for k in self.order]

    def __len__(self) -> int:
        return len(self.order)

    def shape(self, i: int) -> tuple[int, ...]:
        shape = self.other.shape(int(self.order[i]))
        if shape != self.image.shape(i):
            raise ShapeError(
                f"Images of a pair have one shape: {self.image.names[i]} has {self.image.shape(i)}, "
                f"{self.other.names[int(self.order[i])]} has {shape}."
            )
        return shape

    def dtype(self, i: int) -> np.dtype[Any]:
        return self.other.dtype(int(self.order[i]))

    def read(self, i: int, region: Region | None = None, out: Array | None = None) -> Array:
        self.shape(i)
        return self.other.read(int(self.order[i]), region, out)

    def read_batch(self, indices: Sequence[int], out: Array | None = None) -> Array:
        for i in indices:
            self.shape(i)
        return self.other.read_batch([int(self.order[i]) for i in indices], out)

    def pixel_size(self, i: int) -> tuple[float, ...]:
        return self.other.pixel_size(int(self.order[i]))
