"""Sections as samples: each image of a stack, each frame or slice of a three-dimensional item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from caked.sources.base import register, source_from_dict
from caked.sources.coercion import as_source
from caked.sources.sectioned import SectionedSource

__all__ = ["Sections"]


@register("sections")
class Sections(SectionedSource):
    """The sections of another source's items, each a two-dimensional sample; their group is the item's name.

    Works on anything with the reading protocol, an archive that is streamed included: neighbouring sections
    of an item are asked for together, as one region. A two-dimensional item is one sample as it is.

    Parameters
    ----------
    source
        Items of shape ``(section, y, x)`` or ``(y, x)``.
    threads
        How many items to ask at once, both for their shapes and for sections of a batch.

    Notes
    -----
    Names are ``item#section``, counted from 0. The shapes of all items are asked for when the number of
    samples is, and once: of an archive, that moves a header each.
    """

    def __init__(self, source: Any, *, threads: int = 8) -> None:
        super().__init__(as_source(source), threads=threads)

    def to_dict(self) -> dict[str, Any]:
        """Return the description of the source, and the number of threads."""
        return {"type": self.type_name, "source": self.source.to_dict(), "threads": self.threads}

    @classmethod
    def from_dict(cls, description: Mapping[str, Any], *, base: Path, allow: Sequence[str] = ()) -> Sections:
        """Make the source again, and its sections."""
        inner = source_from_dict(description["source"], base=base, allow=allow)
        return cls(inner, threads=description["threads"])

    def __repr__(self) -> str:
        return f"Sections({self.source!r})"
