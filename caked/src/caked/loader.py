"""Batches in a random order that can be told, repeated, shared out and taken up again in the middle."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from caked.batches import SampleBatch, TupleBatch
from caked.dataset import Dataset, TupleDataset
from caked.errors import InvalidOptionError, SplitError
from caked.feeding import ahead
from caked.order import BatchOrder
from caked.transforms.foreign import Foreign
from caked.workers import Beginning

__all__ = ["Loader", "collate"]


class Loader(torch.utils.data.DataLoader[Any]):
    """A torch DataLoader whose batches depend on the dataset, the seed and the epoch, and on nothing else.

    Parameters
    ----------
    dataset
        A :class:`caked.Dataset`, or its tuple view.
    batch_size
        Samples in a batch (of each rank).
    shuffle
        Whether each epoch has an order of its own.
    balanced
        Whether every class comes equally often in an epoch, which then shows some samples several times and
        others not; the epoch has as many samples as ever. Needs labels, and shuffles. A sample that comes
        again is augmented otherwise than before.
    seed
        Of the order; ``None`` for the dataset's.
    drop_last
        Whether to leave out samples that do not fill a last batch.
    num_workers
        Processes that read ahead; 0 reads in this one. They change no bit of what comes out.
    prefetch
        Batches that a thread of this process makes ready while one is used; 0 makes each when it is asked
        for. A thread starts at once and copies nothing, unlike a process. Not with transforms that are not
        caked's: those draw from generators that the training may use at the same time.
    fixed_draws
        Whether random transforms draw the same in every epoch; ``None``: where the order is fixed too, as it
        is for validation.
    rank, world_size
        Which share of every epoch this process takes, of how many; ``None`` for those of
        ``torch.distributed``, where a process group has been set up, else for all of it.
    **options
        ``pin_memory``, ``multiprocessing_context``, ``persistent_workers``, ``prefetch_factor``, ``timeout``,
        ``worker_init_fn`` of :class:`torch.utils.data.DataLoader`.

    Raises
    ------
    SplitError
        If there would be no batch at all.

    Notes
    -----
    Each pass through the loader is an epoch: 0, 1, 2 and so on, unless :meth:`set_epoch` says otherwise. A
    pass that is broken off is begun again by the next, unless :meth:`load_state_dict` says where to go on.

    Examples
    --------
    >>> import numpy as np
    >>> loader = Loader(Dataset(np.zeros((10, 4, 4))), batch_size=4)
    >>> [len(batch["index"]) for batch in loader]
    [4, 4, 2]
    """

    def __init__(
        self,
        dataset: Dataset | TupleDataset,
        *,
        batch_size: int,
        shuffle: bool = False,
        balanced: bool = False,
        seed: int | None = None,
        drop_last: bool = False,
        num_workers: int = 0,
        prefetch: int = 0,
        fixed_draws: bool | None = None,
        rank: int | None = None,
        world_size: int | None = None,
        **options: Any,
    ) -> None:
        rank, world_size = _share(rank, world_size)
        if batch_size < 1 or not 0 <= rank < world_size:
            raise InvalidOptionError(
                "A batch has one sample at least, and a rank lies below the world size: not "
                f"batch_size={batch_size}, rank={rank}, world_size={world_size}."
            )
        inner = dataset.dataset if isinstance(dataset, TupleDataset) else dataset
        _check_prefetch(prefetch, num_workers, inner)
        seed = inner.seed if seed is None else seed
        shuffle = shuffle or balanced
        self.batches = BatchOrder(
            len(dataset),
            batch_size=batch_size,
            shuffle=shuffle,
            seed=seed,
            drop_last=drop_last,
            fixed_draws=not shuffle if fixed_draws is None else fixed_draws,
            codes=inner.own_labels().codes if balanced else None,
            rank=rank,
            world_size=world_size,
        )
        if not len(self.batches):
            raise SplitError(
                f"The sets must be larger than {len(dataset)} samples to make a batch of {batch_size} for "
                f"each of {world_size} processes{', when the last one is dropped' if drop_last else ''}."
            )
        self._delivered = 0  # samples of the order, over all ranks, that this epoch has handed out
        self._resumes = False
        self._prefetch = prefetch
        super().__init__(
            dataset,
            batch_sampler=self.batches,
            num_workers=num_workers,
            collate_fn=collate,
            generator=torch.Generator().manual_seed(seed & (2**63 - 1)),  # torch draws a worker seed from it
            **{**options, "worker_init_fn": Beginning(options.get("worker_init_fn"))},
        )

    @property
    def epoch(self) -> int:
        """The pass through the data that is under way, or was the last."""
        return self.batches.epoch

    def set_epoch(self, epoch: int) -> None:
        """Choose the next pass: its order, and what random transforms draw in it."""
        self.batches.epoch, self.batches.position = epoch, 0
        self._delivered, self._resumes = 0, False

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]
        """Go through the next epoch, or on from where a state that was loaded left off."""
        start = self._delivered if self._resumes else 0
        if self._delivered and not self.batches.batches_after(self._delivered):  # that epoch is done
            self.batches.epoch, start = self.batches.epoch + 1, 0
        self.batches.position, self._delivered, self._resumes = start, start, False
        iterator: Iterator[Any] = super().__iter__() if self._has_help() else self._read()
        self.batches.position = 0
        return self._counted(ahead(iterator, self._prefetch) if self._prefetch else iterator)

    def _has_help(self) -> bool:
        """Whether processes read, or a thread pins memory, for which torch's own way is taken."""
        return bool(self.num_workers or self.pin_memory)

    def _read(self) -> Iterator[Any]:
        """Read one batch after the other: what torch's own way comes to here, in less time."""
        dataset: Any = self.dataset
        return map(collate, map(dataset.__getitems__, iter(self.batches)))

    def _counted(self, iterator: Iterator[Any]) -> Iterator[Any]:
        for batch in iterator:
            self._delivered = min(self._delivered + self.batches.step, self.batches.length)
            yield batch

    def state_dict(self) -> dict[str, Any]:
        """Return where in which epoch the loader is, as plain numbers.

        The position counts samples over all ranks, so that a run can go on with another batch size, number of
        workers or of ranks.
        """
        return {
            "epoch": self.batches.epoch,
            "position": self._delivered,
            "seed": self.batches.seed,
            "shuffle": self.batches.shuffle,
            "balanced": self.batches.balanced,
            "length": self.batches.length,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from where :meth:`state_dict` was taken.

        Raises
        ------
        InvalidOptionError
            If the state is of other data or another order.
        """
        for key in ("seed", "shuffle", "balanced", "length"):
            mine = getattr(self.batches, key)
            if state.get(key) != mine:
                raise InvalidOptionError(
                    f"The state is of a loader with {key}={state.get(key)}, and this one has {mine}."
                )
        self.batches.epoch = int(state["epoch"])
        self._delivered, self._resumes = int(state["position"]), True
        self.batches.position = self._delivered  # so that len() tells what is left


def _check_prefetch(prefetch: int, num_workers: int, dataset: Dataset) -> None:
    if prefetch < 0 or (prefetch and num_workers):
        raise InvalidOptionError(
            f"A thread makes some batches ahead, or processes do: not prefetch={prefetch} with "
            f"num_workers={num_workers}."
        )
    if prefetch and any(isinstance(step, Foreign) for step in dataset.transform.modules()):
        raise InvalidOptionError(
            "Transforms that are not caked's draw from global generators, which a thread would share with "
            "the training: leave prefetch at 0, or let processes read with num_workers."
        )


def _share(rank: int | None, world_size: int | None) -> tuple[int, int]:
    if (rank is None) != (world_size is None):
        raise InvalidOptionError("A share of an epoch is a rank and a world size: give both, or neither.")
    if rank is not None and world_size is not None:
        return rank, world_size
    distributed = torch.distributed
    if distributed.is_available() and distributed.is_initialized():
        return distributed.get_rank(), distributed.get_world_size()
    return 0, 1


def collate(samples: Sequence[Any]) -> Any:
    """Make a batch of samples; one that is a batch already is taken as it is."""
    if isinstance(samples, SampleBatch | TupleBatch):
        return samples.batch
    return torch.utils.data.default_collate(list(samples))
