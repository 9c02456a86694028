"""Samples from anything that has the reading protocol, such as an archive read over the network."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from inspect import getattr_static
from pathlib import Path
from typing import Any

import numpy as np

from caked.errors import InvalidOptionError, RecipeError
from caked.labels import LabelRule, as_label_rule, label_rule_from_dict
from caked.names import NameTable
from caked.protocol import Array, ReadableSource, Region
from caked.registry import reference_of, resolve_reference
from caked.sources.base import Source, register

__all__ = ["ProtocolSource", "stream"]

_PROTOCOL = ("__len__", "names", "shape", "dtype", "read")


@register("protocol")
class ProtocolSource(Source):
    """A foreign source behind caked's face; nothing is stored on the way.

    Parameters
    ----------
    source
        Anything with the reading protocol, :class:`caked.ReadableSource`.
    threads
        How many samples of a batch to read at once.
    factory
        What makes the source again, for a recipe: a function or class of a module, or its ``"module:name"``.
    arguments
        What to call it with: JSON by keyword.
    meta
        What is known of every sample of this source, such as ``{"entry": 10943}``. Where the foreign source
        has a ``meta(i)`` of its own, it is added.
    group
        What a sample belongs to: a rule as for labels, or ``None`` to ask the source's own ``group(i)``, if
        any.
    pixel_size_angstrom
        Along each axis; ``None`` to ask the source: its ``pixel_size(i)``, ``header(i).voxel_size`` or
        ``meta(i)["pixel_size_angstrom"]``, in array order.
    """

    def __init__(
        self,
        source: ReadableSource,
        *,
        threads: int = 8,
        factory: Any = None,
        arguments: Mapping[str, Any] | None = None,
        meta: Mapping[str, Any] | None = None,
        group: Any = None,
        pixel_size_angstrom: Sequence[float] | None = None,
    ) -> None:
        _check_protocol(source)
        if threads < 1:
            raise InvalidOptionError(f"It takes one thread at least, not {threads}.")
        self.source = source
        self._names: NameTable | None = None
        self.threads = threads
        self.factory = factory if factory is None or isinstance(factory, str) else reference_of(factory)
        self.arguments = dict(arguments or {})
        self._meta = dict(meta or {})
        self._group: LabelRule | None = None if group is None else as_label_rule(group)
        self._pixel_size = None if pixel_size_angstrom is None else tuple(pixel_size_angstrom)

    @property
    def names(self) -> Sequence[str]:
        """The source's own names, asked for once."""
        if self._names is None:
            self._names = NameTable(self.source.names)
        return self._names

    def __len__(self) -> int:
        return len(self.names)

    def shape(self, i: int) -> tuple[int, ...]:
        """Ask the source."""
        return tuple(self.source.shape(i))

    def dtype(self, i: int) -> np.dtype[Any]:
        """Ask the source."""
        return np.dtype(self.source.dtype(i))

    def read(self, i: int, region: Region | None = None, out: Array | None = None) -> Array:
        """Read from the source."""
        return self.source.read(i, region, out)

    def read_batch(self, indices: Sequence[int], out: Array | None = None) -> Array:
        """Read several samples, some of them at the same time."""
        if self.threads == 1 or len(indices) == 1:
            return super().read_batch(indices, out)
        with ThreadPoolExecutor(min(self.threads, len(indices))) as pool:
            if out is None:
                list(pool.map(self.source.shape, indices))  # headers together, not one after the other
                out = self.empty_batch(indices)
            batch = out
            for _ in pool.map(lambda k: self.read(indices[k], out=batch[k]), range(len(indices))):
                pass
        return batch

    def meta(self, i: int) -> dict[str, Any]:
        """Return what was given for every sample, and what the source knows of this one."""
        ask = getattr(self.source, "meta", None)
        known = ask(i) if callable(ask) else {}
        return {**self._meta, **(known if isinstance(known, Mapping) else {})}

    def pixel_size(self, i: int) -> tuple[float, ...]:
        """Return the pixel size that was given, else what the source knows, else zeros."""
        ndim = len(self.shape(i))
        known = self._pixel_size or self._known_pixel_size(i)
        if isinstance(known, Sequence) and len(known) >= ndim:
            return tuple(float(edge) for edge in known[len(known) - ndim :])
        return (0.0,) * ndim

    def _known_pixel_size(self, i: int) -> Any:
        """Look where sources keep it: a method, what they know of the sample, or the header of its file."""
        for name in ("pixel_size", "header"):
            ask = getattr(self.source, name, None)
            found = ask(i) if callable(ask) else None
            found = getattr(found, "voxel_size", found)
            if isinstance(found, Sequence):
                return found
        return self.meta(i).get("pixel_size_angstrom")

    def group(self, i: int) -> str | None:
        """Return the group after the rule that was given, else the source's own."""
        if self._group is not None:
            return self._group.label(self, i)
        ask = getattr(self.source, "group", None)
        return ask(i) if callable(ask) else None

    def to_dict(self) -> dict[str, Any]:
        """Return factory and arguments, so that the source can be made again."""
        if self.factory is None:
            raise RecipeError(
                f"A recipe cannot name this {type(self.source).__name__} by itself: give "
                "caked.stream(source, factory='module:function', arguments={…}) what makes it again."
            )
        return {
            "type": self.type_name,
            "factory": self.factory,
            "arguments": json.loads(json.dumps(self.arguments)),
            "threads": self.threads,
            "meta": self._meta,
            "group": None if self._group is None else self._group.to_dict(),
            "pixel_size_angstrom": None if self._pixel_size is None else list(self._pixel_size),
        }

    @classmethod
    def from_dict(
        cls, description: Mapping[str, Any], *, base: Path, allow: Sequence[str] = ()
    ) -> ProtocolSource:
        """Call the factory again, if ``allow`` lists it."""
        make = resolve_reference(description["factory"], allow=allow)
        group = description["group"]
        return cls(
            make(**description["arguments"]),
            factory=description["factory"],
            arguments=description["arguments"],
            threads=description["threads"],
            meta=description["meta"],
            group=None if group is None else label_rule_from_dict(group, allow=allow),
            pixel_size_angstrom=description["pixel_size_angstrom"],
        )

    def __repr__(self) -> str:
        return f"ProtocolSource({self.source!r})"


def _check_protocol(source: Any) -> None:
    """Look at the type only: to ask an archive for its names is to list it."""
    missing = [name for name in _PROTOCOL if getattr_static(source, name, None) is None]
    if missing:
        raise InvalidOptionError(
            f"{type(source).__name__} has not the reading protocol; it lacks {', '.join(missing)}."
        )


def stream(source: ReadableSource, **options: Any) -> ProtocolSource:
    """Read samples from a foreign source when they are needed, without local files.

    The options are those of :class:`ProtocolSource`.

    Examples
    --------
    >>> from caked.sources import ArraySource
    >>> len(stream(ArraySource(np.zeros((3, 4, 4))), threads=2))
    3
    """
    return ProtocolSource(source, **options)
