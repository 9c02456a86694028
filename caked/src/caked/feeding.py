"""The way of a batch to the training: made ready by a thread meanwhile, and moved to another device."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor

__all__ = ["ahead", "to_device"]

_END = object()


def ahead(batches: Iterator[Any], count: int) -> Iterator[Any]:
    """Yield what ``batches`` yields, while a thread makes up to ``count`` of the next ones.

    An error comes where its batch would have come.
    """
    pool = ThreadPoolExecutor(1, thread_name_prefix="caked")  # one thread, so that they come in order
    try:
        waiting: deque[Future[Any]] = deque(pool.submit(next, batches, _END) for _ in range(count))
        while (batch := waiting.popleft().result()) is not _END:
            waiting.append(pool.submit(next, batches, _END))
            yield batch
    finally:
        pool.shutdown(cancel_futures=True)


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
