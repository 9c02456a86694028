"""What is known of each sample, as a line of JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, TextIO

from torch import Tensor

from caked.keys import IMAGE_KEYS
from caked.transforms.base import Batch

__all__ = ["SAMPLES", "describe", "write_samples"]

SAMPLES = "samples.jsonl"


def write_samples(lines: TextIO, batch: Batch, places: Sequence[str], classes: Sequence[str]) -> None:
    """Write a line for each sample of a batch; ``places`` say where its image lies."""
    for k, place in enumerate(places):
        lines.write(json.dumps({"image": place, **describe(batch, k, classes)}) + "\n")


def describe(batch: Batch, k: int, classes: Sequence[str]) -> dict[str, Any]:
    """Return everything but pixels that is known of sample ``k`` of a batch, ready for JSON."""
    known: dict[str, Any] = {}
    for key, values in batch.items():
        if key not in IMAGE_KEYS and len(values) > k:
            value = values[k]
            known[key] = value.tolist() if isinstance(value, Tensor) else value
    label = known.get("label", -1)
    if classes and label >= 0:
        known["class"] = classes[label]
    return known
