"""The order of an epoch: which samples stand in which batch, of which process, and from where on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from caked.balance import balanced_order, repeats_in
from caked.batches import IndexBatch, index_batch
from caked.randomness import permutation

__all__ = ["BatchOrder"]


class BatchOrder(torch.utils.data.Sampler[list[int]]):
    """Which samples stand in which batch.

    Parameters
    ----------
    length
        Number of samples.
    batch_size
        Samples in a batch, of each rank.
    shuffle
        Whether their order is a permutation keyed by (seed, epoch), or their own.
    codes
        Class of each sample, to show every class equally often; ``None`` to show every sample once.
    drop_last
        Whether to leave out samples that do not fill a batch (of every rank).
    fixed_draws
        Whether batches are asked for as of epoch 0 in every epoch.
    rank, world_size
        Which share of the samples, of how many. All ranks have as many batches as one another; where the
        samples do not go round, the last batch takes some from the beginning of the order again.

    Attributes
    ----------
    epoch
        The pass through the data.
    position
        Samples of the order, over all ranks, that are left out because they have been seen.
    """

    def __init__(
        self,
        length: int,
        *,
        batch_size: int,
        shuffle: bool,
        seed: int,
        drop_last: bool,
        fixed_draws: bool,
        codes: NDArray[np.int64] | None = None,
        rank: int = 0,
        world_size: int = 1,
    ) -> None:
        self.codes = codes
        self.length, self.batch_size = length, batch_size
        self.shuffle, self.seed, self.drop_last, self.fixed_draws = shuffle, seed, drop_last, fixed_draws
        self.rank, self.world_size = rank, world_size
        self.epoch = 0
        self.position = 0

    @property
    def balanced(self) -> bool:
        """Whether every class comes equally often."""
        return self.codes is not None

    @property
    def step(self) -> int:
        """Samples of one batch over all ranks."""
        return self.batch_size * self.world_size

    def order(self) -> NDArray[np.int64]:
        """Return the positions of the samples in this epoch's order."""
        if self.codes is not None:
            return balanced_order(self.codes, seed=self.seed, epoch=self.epoch)
        if self.shuffle:
            return permutation(self.length, seed=self.seed, epoch=self.epoch)
        return np.arange(self.length, dtype=np.int64)

    def batches_after(self, position: int) -> int:
        """Return how many batches are left from a position on."""
        left = max(0, self.length - position)
        return left // self.step if self.drop_last else -(-left // self.step)

    def __len__(self) -> int:
        return self.batches_after(self.position)

    def __iter__(self) -> Iterator[list[int]]:
        # The order is settled now, not when the first batch is asked for: the state may change in between.
        order = self.order()
        repeats = repeats_in(order) if self.balanced else None
        return self._batches(order, repeats, self.position, 0 if self.fixed_draws else self.epoch)

    def _batches(
        self, order: NDArray[np.int64], repeats: NDArray[np.int64] | None, position: int, epoch: int
    ) -> Iterator[IndexBatch]:
        for start in range(position, len(order), self.step):
            places = np.arange(start, min(start + self.step, len(order)))
            if self.drop_last and len(places) < self.step:
                return
            short = -len(places) % self.world_size
            if short:  # from the beginning of the order, also of a pass that was taken up in the middle
                places = np.concatenate([places, np.resize(np.arange(len(order)), short)])
            mine = places[self.rank :: self.world_size]
            again = None if repeats is None else repeats[mine].tolist()
            yield index_batch(order[mine].tolist(), epoch, again)
