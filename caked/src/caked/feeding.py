"""The way of a batch to the training: made ready by a thread meanwhile, and moved to another device."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from queue import SimpleQueue
from threading import Event, Thread, current_thread
from typing import Any

import torch
from torch import Tensor

__all__ = ["ahead", "to_device"]

_END = object()
_PATIENCE_SECONDS = 1.0


def ahead(batches: Iterator[Any], count: int) -> Iterator[Any]:
    """Yield what ``batches`` yields, while a thread makes up to ``count`` of the next ones.

    An error comes where its batch would have come. Whoever leaves early, by choice or by an interrupt, waits
    for the batch that is being made, but not for long: a server may be silent that its images come from.
    """
    wanted: SimpleQueue[bool] = SimpleQueue()
    made: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()
    stopped = Event()
    thread = Thread(target=_make, args=(batches, wanted, made, stopped), name="caked", daemon=True)
    thread.start()
    try:
        for _ in range(count):
            wanted.put(True)
        while True:
            batch, error = made.get()
            if error is not None:
                raise error
            if batch is _END:
                return
            wanted.put(True)
            yield batch
    finally:
        stopped.set()
        wanted.put(False)
        if thread is not current_thread():  # which may be the one that finds that nobody goes on
            thread.join(_PATIENCE_SECONDS)


def _make(
    batches: Iterator[Any],
    wanted: SimpleQueue[bool],
    made: SimpleQueue[tuple[Any, BaseException | None]],
    stopped: Event,
) -> None:
    while wanted.get() and not stopped.is_set():
        try:
            made.put((next(batches, _END), None))
        except BaseException as error:
            made.put((None, error))
            return


def to_device(batch: Any, device: str | torch.device) -> Any:
    """Move what tensors a batch has to another device, such as ``"cuda"``; all else stays.

    Parameters
    ----------
    batch
        A dictionary, list or tuple of tensors, lists and other values, as loaders give it. From pinned memory
        (``pin_memory=True`` of the loader) the copies go on while the program does.

    Examples
    --------
    >>> to_device({"image": torch.ones(1, 2), "name": ["a"]}, "meta")["image"].device
    device(type='meta')
    """
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, Mapping):
        return {key: to_device(value, device) for key, value in batch.items()}
    if isinstance(batch, list | tuple):
        moved = [to_device(value, device) for value in batch]
        return moved if isinstance(batch, list) else tuple(moved)
    return batch
