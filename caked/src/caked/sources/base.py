"""What every source is: a sequence of named arrays that are read when asked for, alone or many at once."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, TypeVar

import numpy as np

from caked.counting import counted
from caked.errors import InvalidOptionError, RecipeError, ShapeError, SourceNotFoundError
from caked.keys import Columns, columns_of
from caked.protocol import Array, Region
from caked.registry import Registry

__all__ = ["SOURCES", "Source", "register", "source_from_dict"]

SOURCES: Registry[type[Source]] = Registry("source", entry_points="caked.sources")

_T = TypeVar("_T", bound="type[Source]")


class Source(ABC):
    """Base of the sources; has the reading protocol, and more where a source knows more.

    A source holds no open file and no connection. It can be pickled, forked and read from several threads.
    """

    type_name: ClassVar[str] = ""

    @property
    @abstractmethod
    def names(self) -> Sequence[str]:
        """Name of each sample: unique, and the same the next time."""

    @abstractmethod
    def shape(self, i: int) -> tuple[int, ...]:
        """Shape of sample ``i`` in array order; reads a header at most, once."""

    @abstractmethod
    def dtype(self, i: int) -> np.dtype[Any]:
        """Type that ``read(i)`` returns; reads a header at most, once."""

    @abstractmethod
    def read(self, i: int, region: Region | None = None, out: Array | None = None) -> Array:
        """Read sample ``i``, or a region of it.

        Parameters
        ----------
        region
            Slices with step 1 for the leading axes, in array order; ``None`` for the whole.
        out
            Array of that shape to read into; the values are converted to its type.

        Returns
        -------
        numpy.ndarray
            ``out``, or an array of the caller's own.
        """

    def __len__(self) -> int:
        return len(self.names)

    def shapes(self, indices: Sequence[int]) -> list[tuple[int, ...]]:
        """Return the shape of some samples, each as :meth:`shape` does."""
        return [self.shape(i) for i in indices]

    def read_batch(self, indices: Sequence[int], out: Array | None = None) -> Array:
        """Read several samples of one shape: ``(len(indices), *shape)``, in the order of ``indices``.

        Raises
        ------
        ShapeError
            If their shapes differ.
        """
        if out is None:
            out = self.empty_batch(indices)
        for k, i in enumerate(indices):
            self.read(i, out=out[k])
        return out

    def empty_batch(self, indices: Sequence[int]) -> Array:
        """Return an array that the samples fit into, after a check that they have one shape."""
        shape = self.one_shape(indices)
        dtype = np.result_type(*{self.dtype(i) for i in indices})
        return np.empty((len(indices), *shape), dtype=dtype)

    def one_shape(self, indices: Sequence[int]) -> tuple[int, ...]:
        """Return the shape of some samples.

        Raises
        ------
        ShapeError
            If they have several.
        """
        if not len(indices):
            raise InvalidOptionError("A batch of no samples has no shape.")
        first, *others = self.shapes(indices)
        for i, shape in zip(indices[1:], others, strict=True):
            if shape != first:
                raise ShapeError(
                    f"A batch takes one shape: {self.names[indices[0]]} has {first}, {self.names[i]} "
                    f"has {shape}. Bring them to one size with a transform such as FourierCrop."
                )
        return first

    def meta(self, i: int) -> dict[str, Any]:
        """Return what is known of sample ``i`` beside its pixels, such as ``pixel_size_angstrom``."""
        return {}

    def group(self, i: int) -> str | None:
        """Return what sample ``i`` belongs to, such as its micrograph; a split keeps a group together."""
        return None

    def pixel_size(self, i: int) -> tuple[float, ...]:
        """Return the pixel size in Å along each axis of sample ``i``; 0.0 where it is not known."""
        known = self.meta(i).get("pixel_size_angstrom")
        ndim = len(self.shape(i))
        return tuple(known) if known is not None and len(known) == ndim else (0.0,) * ndim

    def origin(self, i: int) -> tuple[float, ...]:
        """Return where the first pixel of sample ``i`` lies, in Å along each axis; zeros where not known."""
        known = self.meta(i).get("origin_angstrom")
        ndim = len(self.shape(i))
        return tuple(known) if known is not None and len(known) == ndim else (0.0,) * ndim

    def columns(self, indices: Sequence[int]) -> Columns:
        """Return what is known of some samples, ready for a batch: the keys of :mod:`caked.keys`.

        The keys are the same whichever samples are asked for. Override this where it can be had quicker
        than from ``meta`` of one after the other.
        """
        columns = columns_of([self.meta(i) for i in indices])
        sizes = [self.pixel_size(i) for i in indices]
        alike = len({len(size) for size in sizes}) == 1
        columns["pixel_size_angstrom"] = (
            np.array(sizes, dtype=np.float64) if alike else [np.array(size) for size in sizes]
        )
        return columns

    @property
    def companions(self) -> Mapping[str, Source]:
        """Further images of each sample, as sources of equal length: ``target``, ``weight``, ``mask``."""
        return {}

    def index(self, name: str) -> int:
        """Return the index of the sample of that name.

        Raises
        ------
        SourceNotFoundError
            If there is none.
        """
        try:
            return self.names.index(name)
        except ValueError:
            raise SourceNotFoundError(
                f"There is no sample {name!r} among the {len(self)} of {self!r}."
            ) from None

    def digest(self, *, content: bool | None = None) -> str:
        """Return a sha256 of what is read from.

        Parameters
        ----------
        content
            Whether to take in every pixel (of files: every byte), or names alone; ``None`` takes what is at
            hand here, and names alone of what would have to be fetched.
        """
        digest = hashlib.sha256()
        for i, name in enumerate(self.names):
            digest.update(f"{name}\0".encode("utf-8", "surrogateescape"))
            if content:
                array = self.read(i)
                digest.update(f"{array.shape} {array.dtype}\0".encode())
                digest.update(np.ascontiguousarray(array).tobytes())
        return digest.hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return what makes this source again, ready for JSON.

        Raises
        ------
        RecipeError
            If the source cannot be written down.
        """
        raise RecipeError(f"{self!r} cannot be written into a recipe.")

    @classmethod
    def from_dict(cls, description: Mapping[str, Any], *, base: Path, allow: Sequence[str] = ()) -> Source:
        """Make the source that :meth:`to_dict` described.

        Parameters
        ----------
        base
            Folder that relative paths in the description start from.
        allow
            Modules, or ``"module:name"``, whose functions may be called on behalf of the description.
        """
        raise RecipeError(f"A {cls.__name__} cannot be made from a recipe.")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({counted(len(self), 'samples')})"


def register(name: str) -> Callable[[_T], _T]:
    """Make a source known to recipes under ``name``."""

    def add(cls: _T) -> _T:
        cls.type_name = name
        SOURCES.add(name, cls)
        return cls

    return add


def source_from_dict(
    description: Mapping[str, Any], *, base: Path | None = None, allow: Sequence[str] = ()
) -> Source:
    """Make the source that a dictionary describes.

    Parameters
    ----------
    description
        What :meth:`Source.to_dict` returned, perhaps by way of JSON.
    base
        Folder that relative paths start from; ``None`` for the current one.
    allow
        Modules, or ``"module:name"``, whose functions may be called on behalf of the description.
    """
    cls = SOURCES.get(str(description.get("type")))
    try:
        return cls.from_dict(description, base=base or Path.cwd(), allow=allow)
    except (KeyError, TypeError) as error:
        raise RecipeError(f"The description of a {cls.type_name!r} source does not fit: {error}.") from error
