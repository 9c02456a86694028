"""Labels by a sample's name: its prefix, a pattern, a function, its folder, a table in memory."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from caked.counting import counted
from caked.errors import InvalidOptionError, SourceNotFoundError
from caked.labels.rules import Labelled, LabelRule, register
from caked.registry import reference_of, resolve_reference

__all__ = [
    "FunctionLabels",
    "MappingLabels",
    "ParentLabels",
    "PrefixLabels",
    "RegexLabels",
    "SequenceLabels",
    "prefix_of",
    "suffix_of",
]


def prefix_of(name: str, separator: str = "_") -> str:
    """Return the class that a file name states: what stands before the first separator.

    A name without a separator is the class up to its ending.

    Examples
    --------
    >>> prefix_of("data/1b23_12-78-36.mrcs"), prefix_of("foo.mrc"), prefix_of("apo_1.mrcs#7")
    ('1b23', 'foo', 'apo')
    """
    last = name.rpartition("/")[2]
    return last.partition(separator)[0] if separator in last else last.partition(".")[0]


def suffix_of(name: str, separator: str = "_") -> str:
    """Return what the naming convention leaves free: what stands between the class and the ending.

    Examples
    --------
    >>> suffix_of("data/1b23_12-78-36.mrcs"), suffix_of("foo.mrc"), suffix_of("apo_1_b.mrc.gz")
    ('12-78-36', '', '1_b')
    """
    last = name.rpartition("/")[2].partition("#")[0]
    return last.partition(separator)[2].partition(".")[0]


@register("prefix")
class PrefixLabels(LabelRule):
    """The naming convention ``<class>_<anything>.<ext>``."""

    def __init__(self, *, separator: str = "_") -> None:
        if not separator:
            raise InvalidOptionError("A separator has one character at least.")
        self.separator = separator

    def label(self, source: Labelled, i: int) -> str:
        """Return what stands before the first separator of the file name."""
        return prefix_of(source.names[i], self.separator)

    def to_dict(self) -> dict[str, Any]:
        """Return the separator."""
        return {"type": self.type_name, "separator": self.separator}


@register("regex")
class RegexLabels(LabelRule):
    """A regular expression searched for in the name; the label is its group.

    Parameters
    ----------
    pattern
        The label is the group called ``label``, else the first group, else the whole match.

    Examples
    --------
    >>> import numpy as np
    >>> from caked.sources import ArraySource
    >>> source = ArraySource(np.zeros((1, 4, 4)), names=["run1/holo-07.mrc"])
    >>> RegexLabels(r"/(?P<label>[a-z]+)-").label(source, 0)
    'holo'
    """

    def __init__(self, pattern: str | re.Pattern[str]) -> None:
        try:
            self.pattern = re.compile(pattern)
        except re.error as error:
            raise InvalidOptionError(f"{pattern!r} is not a regular expression: {error}.") from error

    def label(self, source: Labelled, i: int) -> str:
        """Return the group that matched."""
        name = source.names[i]
        match = self.pattern.search(name)
        found = match and (
            match["label"] if "label" in self.pattern.groupindex else match[self.pattern.groups and 1]
        )
        if found is None:
            raise InvalidOptionError(f"Pattern {self.pattern.pattern!r} finds no label in {name!r}.")
        return found

    def to_dict(self) -> dict[str, Any]:
        """Return the pattern."""
        return {"type": self.type_name, "pattern": self.pattern.pattern}


@register("function")
class FunctionLabels(LabelRule):
    """Any function of the name."""

    def __init__(self, function: Callable[[str], object]) -> None:
        self.function = function

    def label(self, source: Labelled, i: int) -> str:
        """Return what the function makes of the name."""
        return str(self.function(source.names[i]))

    def to_dict(self) -> dict[str, Any]:
        """Return the function by name, where it stands in a module."""
        return {"type": self.type_name, "function": reference_of(self.function)}

    @classmethod
    def from_dict(cls, description: Mapping[str, Any], allow: Sequence[str] = ()) -> FunctionLabels:
        """Find the function again, if ``allow`` lists it."""
        return cls(resolve_reference(description["function"], allow=allow))


@register("mapping")
class MappingLabels(LabelRule):
    """A table from name to label.

    Parameters
    ----------
    labels
        Label of each name.
    default
        Label of the names that are not listed; without one they are an error.
    """

    def __init__(self, labels: Mapping[str, object], *, default: str | None = None) -> None:
        self.labels = {name: str(label) for name, label in labels.items()}
        self.default = default

    def label(self, source: Labelled, i: int) -> str:
        """Look the name up."""
        label = self.labels.get(source.names[i], self.default)
        if label is None:
            raise SourceNotFoundError(f"The table of labels has no entry for {source.names[i]!r}.")
        return label

    def to_dict(self) -> dict[str, Any]:
        """Return the table."""
        return {"type": self.type_name, "labels": self.labels, "default": self.default}


@register("sequence")
class SequenceLabels(LabelRule):
    """A label for each sample, in the order of the source."""

    def __init__(self, labels: Sequence[object]) -> None:
        self.labels = [str(label) for label in labels]

    def label(self, source: Labelled, i: int) -> str:
        """Return the label at that place."""
        if len(self.labels) != len(source.names):
            raise InvalidOptionError(
                f"Labels and samples do not fit: "
                f"{counted(len(self.labels), 'labels')} for {counted(len(source.names), 'samples')}."
            )
        return self.labels[i]

    def to_dict(self) -> dict[str, Any]:
        """Return the labels."""
        return {"type": self.type_name, "labels": self.labels}


@register("parent")
class ParentLabels(LabelRule):
    """The folder that a sample's file lies in."""

    def label(self, source: Labelled, i: int) -> str:
        """Return the last folder of the name."""
        folder = source.names[i].rpartition("/")[0].rpartition("/")[2]
        if not folder:
            raise InvalidOptionError(f"Sample {source.names[i]!r} lies in no folder that could be its label.")
        return folder
