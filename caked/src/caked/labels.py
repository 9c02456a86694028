"""Which class a sample is of: by its name, its folder, a table, or where it came from."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from caked.errors import ClassesNotFoundError, InvalidOptionError, SourceNotFoundError
from caked.registry import Registry, reference_of, resolve_reference

__all__ = [
    "FunctionLabels",
    "GroupLabels",
    "LabelRule",
    "Labels",
    "MappingLabels",
    "MetaLabels",
    "ParentLabels",
    "PrefixLabels",
    "RegexLabels",
    "SequenceLabels",
    "as_label_rule",
    "label_rule_from_dict",
    "label_samples",
    "prefix_of",
]

LABEL_RULES: Registry[type[LabelRule]] = Registry("label rule", entry_points="caked.labels")

_T = TypeVar("_T", bound="type[LabelRule]")


class Labelled(Protocol):
    """What a rule may look at."""

    @property
    def names(self) -> Sequence[str]:
        """Name of each sample."""
        ...

    def meta(self, i: int) -> dict[str, Any]:
        """What is known of a sample."""
        ...

    def group(self, i: int) -> str | None:
        """What a sample belongs to."""
        ...


class LabelRule(ABC):
    """Says the label of a sample, as a string."""

    type_name: ClassVar[str] = ""

    @abstractmethod
    def label(self, source: Labelled, i: int) -> str:
        """Return the label of sample ``i``."""

    def to_dict(self) -> dict[str, Any]:
        """Return what makes this rule again, ready for JSON."""
        return {"type": self.type_name}

    @classmethod
    def from_dict(cls, description: Mapping[str, Any], allow: Sequence[str] = ()) -> LabelRule:
        """Make the rule that :meth:`to_dict` described."""
        return cls(**{key: value for key, value in description.items() if key != "type"})


def _register(name: str) -> Callable[[_T], _T]:
    def add(cls: _T) -> _T:
        cls.type_name = name
        LABEL_RULES.add(name, cls)
        return cls

    return add


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


@_register("prefix")
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


@_register("regex")
class RegexLabels(LabelRule):
    """A regular expression searched for in the name; the label is its group.

    Parameters
    ----------
    pattern
        The label is the group called ``label``, else the first group, else the whole match.

    Examples
    --------
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


@_register("function")
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


@_register("mapping")
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


@_register("sequence")
class SequenceLabels(LabelRule):
    """A label for each sample, in the order of the source."""

    def __init__(self, labels: Sequence[object]) -> None:
        self.labels = [str(label) for label in labels]

    def label(self, source: Labelled, i: int) -> str:
        """Return the label at that place."""
        if len(self.labels) != len(source.names):
            raise InvalidOptionError(f"There are {len(self.labels)} labels for {len(source.names)} samples.")
        return self.labels[i]

    def to_dict(self) -> dict[str, Any]:
        """Return the labels."""
        return {"type": self.type_name, "labels": self.labels}


@_register("meta")
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


@_register("parent")
class ParentLabels(LabelRule):
    """The folder that a sample's file lies in."""

    def label(self, source: Labelled, i: int) -> str:
        """Return the last folder of the name."""
        folder = source.names[i].rpartition("/")[0].rpartition("/")[2]
        if not folder:
            raise InvalidOptionError(f"Sample {source.names[i]!r} lies in no folder that could be its label.")
        return folder


@_register("group")
class GroupLabels(LabelRule):
    """The group that a sample belongs to, such as its stack."""

    def label(self, source: Labelled, i: int) -> str:
        """Return the group."""
        group = source.group(i)
        if group is None:
            raise InvalidOptionError(f"Sample {source.names[i]!r} has no group that could be its label.")
        return group


def as_label_rule(rule: Any) -> LabelRule:
    """Return a label rule for what a user writes.

    Parameters
    ----------
    rule
        ``"prefix"``, ``"parent"`` or ``"group"``; a compiled regular expression; a function of the name; a
        mapping from name to label; a sequence with a label for each sample; or a rule.

    Examples
    --------
    >>> type(as_label_rule(re.compile("(apo|holo)"))).__name__
    'RegexLabels'
    """
    words: dict[str, type[LabelRule]] = {"prefix": PrefixLabels, "parent": ParentLabels, "group": GroupLabels}
    if isinstance(rule, LabelRule):
        return rule
    if isinstance(rule, str):
        if rule not in words:
            raise InvalidOptionError(f"A label rule is one of {', '.join(words)}, not {rule!r}.")
        return words[rule]()
    if isinstance(rule, re.Pattern):
        return RegexLabels(rule)
    if isinstance(rule, Mapping):
        return MappingLabels(rule)
    if isinstance(rule, Sequence | np.ndarray):
        return SequenceLabels(list(rule))
    if callable(rule):
        return FunctionLabels(rule)
    raise InvalidOptionError(f"{rule!r} does not say how to label a sample.")


def label_rule_from_dict(description: Mapping[str, Any], *, allow: Sequence[str] = ()) -> LabelRule:
    """Make the rule that a dictionary describes; ``allow`` as for :meth:`caked.Recipe.load`."""
    cls = LABEL_RULES.get(str(description.get("type")))
    try:
        return cls.from_dict(description, allow)
    except (KeyError, TypeError) as error:
        raise InvalidOptionError(
            f"The description of {cls.type_name!r} labels does not fit: {error}."
        ) from error


@dataclass(frozen=True, eq=False)
class Labels:
    """Classes, and the class of each sample.

    Attributes
    ----------
    classes
        Names of the classes, sorted.
    codes
        Index into ``classes`` for each sample: int64; -1 where its class is none of them.
    """

    classes: tuple[str, ...]
    codes: NDArray[np.int64]

    def counts(self) -> NDArray[np.int64]:
        """Return how many samples each class has."""
        return np.bincount(self.codes[self.codes >= 0], minlength=len(self.classes)).astype(np.int64)

    def weights(self) -> NDArray[np.float64]:
        """Return a weight for each class that makes them count alike: ``n / (classes * n_class)``.

        The mean over the samples is 1; a class without samples has weight 0. Source: King & Zeng (2001),
        doi:10.1093/oxfordjournals.pan.a004868; the "balanced" weights of scikit-learn.

        Examples
        --------
        >>> Labels(("apo", "holo"), np.array([0, 0, 0, 1])).weights().round(3).tolist()
        [0.667, 2.0]
        """
        counts = self.counts()
        present = counts > 0
        total = counts.sum() / max(1, present.sum())
        return np.where(present, total / np.maximum(counts, 1), 0.0)

    def select(self, rows: NDArray[np.int64]) -> Labels:
        """Return the labels of some of the samples, with all classes."""
        return Labels(self.classes, self.codes[rows])


def label_samples(source: Labelled, rule: Any, *, classes: Sequence[str] | None = None) -> Labels:
    """Label every sample of a source.

    Parameters
    ----------
    rule
        See :func:`as_label_rule`.
    classes
        The classes to keep; samples of others get code -1. ``None`` for every class there is.

    Raises
    ------
    ClassesNotFoundError
        If no sample has one of ``classes``.
    """
    rule = as_label_rule(rule)
    found = [rule.label(source, i) for i in range(len(source.names))]
    present = sorted(set(found))
    wanted = present if classes is None else sorted({str(name) for name in classes})
    missing = tuple(name for name in wanted if name not in set(present))
    if missing:
        raise ClassesNotFoundError(
            f"Not all classes asked for are there. Missing classes: {list(missing)}. There are {present}.",
            missing=missing,
        )
    code_of = {name: code for code, name in enumerate(wanted)}
    codes = np.array([code_of.get(label, -1) for label in found], dtype=np.int64)
    return Labels(tuple(wanted), codes)
