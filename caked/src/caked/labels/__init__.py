"""Which class a sample is of: by its name, its folder, a table, or where it came from."""

from __future__ import annotations

from caked.labels.by_name import (
    FunctionLabels,
    MappingLabels,
    ParentLabels,
    PrefixLabels,
    RegexLabels,
    SequenceLabels,
    prefix_of,
    suffix_of,
)
from caked.labels.by_source import GroupLabels, MetaLabels
from caked.labels.choose import as_label_rule
from caked.labels.classes import Labels, label_samples
from caked.labels.rules import LabelRule, label_rule_from_dict
from caked.labels.tables import TableLabels

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
    "TableLabels",
    "as_label_rule",
    "label_rule_from_dict",
    "label_samples",
    "prefix_of",
    "suffix_of",
]
