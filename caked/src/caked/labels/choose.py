"""The label rule for what a user writes."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from caked.errors import InvalidOptionError
from caked.labels.by_name import (
    FunctionLabels,
    MappingLabels,
    ParentLabels,
    PrefixLabels,
    RegexLabels,
    SequenceLabels,
)
from caked.labels.by_source import GroupLabels
from caked.labels.rules import LabelRule

__all__ = ["as_label_rule"]


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
