"""Labels by what the source knows of a sample beside its name: where it came from, what it belongs to."""

from __future__ import annotations

from typing import Any

from caked.errors import InvalidOptionError, SourceNotFoundError
from caked.labels.rules import Labelled, LabelRule, register

__all__ = ["GroupLabels", "MetaLabels"]


@register("meta")
class MetaLabels(LabelRule):
    """What the source knows of the sample: the archive entry, the source it came from, a column.

    Parameters
    ----------
    key
        Key into ``source.meta(i)``.
    """

    def __init__(self, key: str) -> None:
        self.key = key

    def label(self, source: Labelled, i: int) -> str:
        """Look the key up."""
        known = source.meta(i)
        if known.get(self.key) is None:
            raise SourceNotFoundError(
                f"Of sample {source.names[i]!r} there is no {self.key!r}; known are {sorted(known)}."
            )
        return str(known[self.key])

    def to_dict(self) -> dict[str, Any]:
        """Return the key."""
        return {"type": self.type_name, "key": self.key}


@register("group")
class GroupLabels(LabelRule):
    """The group that a sample belongs to, such as its stack."""

    def label(self, source: Labelled, i: int) -> str:
        """Return the group."""
        group = source.group(i)
        if group is None:
            raise InvalidOptionError(f"Sample {source.names[i]!r} has no group that could be its label.")
        return group
