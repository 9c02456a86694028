"""Large samples a few at a time: temporary arrays that fit the processor's cache are far quicker."""

from __future__ import annotations

import torch
from torch import Tensor

from caked.randomness import Draws
from caked.transforms.base import Batch, Transform

__all__ = ["CHUNK_BYTES", "join_batches", "transform_in_chunks"]

CHUNK_BYTES = 4 << 20


def transform_in_chunks(transform: Transform, batch: Batch, draws: Draws) -> Batch:
    """Apply a transform to a batch, on a processor in pieces of some megabytes.

    Every transform works on each sample by itself, so that the pieces change nothing but the time.
    """
    image: Tensor = batch["image"]
    count = max(1, CHUNK_BYTES // max(1, image[0].numel() * image.element_size()))
    if count >= len(image) or image.device.type != "cpu":
        return transform(batch, draws)
    pieces = []
    for start in range(0, len(image), count):
        rows = slice(start, start + count)
        piece = {key: values[rows] for key, values in batch.items()}
        pieces.append(transform(piece, draws.select(rows)))
    return join_batches(pieces)


def join_batches(parts: list[Batch]) -> Batch:
    """Put batches one after the other."""
    joined: Batch = {}
    for key, first in parts[0].items():
        if isinstance(first, Tensor):
            joined[key] = torch.cat([part[key] for part in parts])
        else:
            joined[key] = [value for part in parts for value in part[key]]
    return joined
