"""Batches on their way: which samples are asked for, and what came back, as a sequence of samples."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, overload

from torch import Tensor

from caked.transforms.base import Batch

__all__ = ["IndexBatch", "Sample", "SampleBatch", "TupleBatch", "index_batch"]

Sample = dict[str, Any]


class IndexBatch(list[int]):
    """Positions of a batch's samples, the epoch they are asked for in, and how often each came before in it.

    Workers get all of it. ``None`` is the dataset's own epoch, and that no sample has come before.
    """

    epoch: int | None = None
    repeats: list[int] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return index_batch, (list(self), self.epoch, self.repeats)


def index_batch(
    positions: Sequence[int], epoch: int | None, repeats: Sequence[int] | None = None
) -> IndexBatch:
    """Make a batch of positions, with what belongs to them."""
    batch = IndexBatch(positions)
    batch.epoch, batch.repeats = epoch, None if repeats is None else list(repeats)
    return batch


class SampleBatch(Sequence[Sample]):
    """A batch as a sequence of samples, which are views of it; the batch itself is ``.batch``."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch

    def __len__(self) -> int:
        return len(self.batch["index"])

    @overload
    def __getitem__(self, k: int) -> Sample: ...

    @overload
    def __getitem__(self, k: slice) -> list[Sample]: ...

    def __getitem__(self, k: int | slice) -> Sample | list[Sample]:
        """Return one sample, or a list of them."""
        if isinstance(k, slice):
            return [self[j] for j in range(*k.indices(len(self)))]
        place = range(len(self))[k]
        return {key: values[place] for key, values in self.batch.items()}


class TupleBatch(Sequence[tuple[Tensor, Tensor]]):
    """A batch as a sequence of pairs, which are views of it; the batch itself is ``.batch``."""

    def __init__(self, batch: list[Any]) -> None:
        self.batch = batch

    def __len__(self) -> int:
        return len(self.batch[1])

    @overload
    def __getitem__(self, k: int) -> tuple[Tensor, Tensor]: ...

    @overload
    def __getitem__(self, k: slice) -> list[tuple[Tensor, Tensor]]: ...

    def __getitem__(self, k: int | slice) -> tuple[Tensor, Tensor] | list[tuple[Tensor, Tensor]]:
        """Return one pair, or a list of them."""
        if isinstance(k, slice):
            return [self[j] for j in range(*k.indices(len(self)))]
        place = range(len(self))[k]
        return self.batch[0][place], self.batch[1][place]
