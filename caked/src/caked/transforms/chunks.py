"""Batches in pieces: large samples a few at a time, and pieces put together again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import numpy as np
import torch
from torch import Tensor

from caked.errors import ShapeError
from caked.randomness import Draws
from caked.transforms.base import Batch, Transform

__all__ = [
    "CHUNK_BYTES",
    "check_alike",
    "in_chunks",
    "join_batches",
    "keep_memory",
    "reassemble",
    "take_rows",
    "transform_in_chunks",
]

CHUNK_BYTES = 1 << 21
_KEPT_BYTES = 1 << 24


def transform_in_chunks(transform: Transform, batch: Batch, draws: Draws) -> Batch:
    """Apply a transform to a batch, on a processor in pieces of about two megabytes.

    Every transform works on each sample by itself, so that the pieces change nothing but the time.
    """
    image: Tensor = batch["image"]
    if image.device.type != "cpu":
        return transform(batch, draws)

    def piece(rows: slice) -> Batch:
        some = {key: values[rows] for key, values in batch.items()}
        return transform(some, draws.select(rows))

    return in_chunks(piece, len(image), image[0].numel() * image.element_size())


def in_chunks(make: Callable[[slice], Batch], count: int, sample_bytes: int) -> Batch:
    """Make a batch in pieces of about two megabytes: temporary arrays that fit the cache are quicker."""
    keep_memory()
    step = max(1, CHUNK_BYTES // max(1, sample_bytes))
    if step >= count:
        return make(slice(0, count))
    pieces = [make(slice(start, start + step)) for start in range(0, count, step)]
    check_alike(pieces, "This transform")
    return join_batches(pieces)


@cache
def keep_memory() -> None:
    """Let the C library keep the memory of pieces for the next ones, instead of fetching it anew each time.

    glibc takes blocks larger than it has ever seen freed from the system, page by page, and gives them back
    (mallopt(3), M_MMAP_THRESHOLD). So it is shown one, which is never written to.
    """
    torch.empty(_KEPT_BYTES, dtype=torch.uint8)


def join_batches(parts: list[Batch]) -> Batch:
    """Put batches one after the other."""
    joined: Batch = {}
    for key, first in parts[0].items():
        if isinstance(first, Tensor):
            joined[key] = torch.cat([part[key] for part in parts])
        else:
            joined[key] = [value for part in parts for value in part[key]]
    return joined


def take_rows(batch: Batch, rows: Sequence[int]) -> Batch:
    """Return some of the samples of a batch, as a batch of their own."""
    chosen = torch.as_tensor(rows, dtype=torch.int64)
    return {
        key: values[chosen.to(values.device)] if isinstance(values, Tensor) else [values[k] for k in rows]
        for key, values in batch.items()
    }


def reassemble(parts: list[Batch], rows: Sequence[Sequence[int]], what: str) -> Batch:
    """Put batches of some samples each together again, in the order of the rows that they were taken from.

    Parameters
    ----------
    what
        Names who changed them, for messages.

    Raises
    ------
    ShapeError
        If their images differ in shape now, or one of them has come to know what another does not.
    """
    check_alike(parts, what)
    if len(parts) == 1:
        return parts[0]
    order = np.argsort(np.concatenate([np.asarray(part) for part in rows]), kind="stable").tolist()
    return take_rows(join_batches(parts), order)


def check_alike(parts: Sequence[Batch], what: str) -> None:
    """Check that batches have images of one shape, and know the same."""
    shapes = {tuple(part["image"].shape[1:]) for part in parts}
    if len(shapes) > 1:
        told = " and ".join(str(shape) for shape in sorted(shapes))
        raise ShapeError(f"{what} changes only some samples and has to keep the shape, not make {told}.")
    keys = {frozenset(part) for part in parts}
    if len(keys) > 1:
        told = ", ".join(sorted(frozenset.union(*keys) - frozenset.intersection(*keys)))
        raise ShapeError(f"{what} changes only some samples, and not all would know {told}.")
