"""Many ids at once: in threads, results in the order of the ids, and an end as soon as it is wanted."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import islice

from profet.errors import CacheError
from profet.result import FetchResult

_PATIENCE_SECONDS = 1.0


def fetch_all(
    fetch_one: Callable[[str], FetchResult],
    ids: Iterable[str],
    *,
    workers: int,
    progress: Callable[[FetchResult], object] | None = None,
) -> list[FetchResult]:
    """Fetch each id once, in threads.

    Parameters
    ----------
    fetch_one
        Gets one; what it raises ends the batch.
    ids
        One that occurs twice is fetched once.
    workers
        How many to fetch at a time.
    progress
        Called in this thread with each result, as it comes.

    Returns
    -------
    list of FetchResult
        In the order of `ids`. When the disk is full, or may not be written, the ids that are left are not
        tried: their results have the same error.
    """
    wanted = list(ids)
    different = list(dict.fromkeys(wanted))
    results: dict[str, FetchResult] = {}
    for result in _as_they_come(fetch_one, different, max(1, min(workers, len(different)))):
        results[result.id] = result
        if progress is not None:
            progress(result)
    return [results[item] for item in wanted]


def _as_they_come(
    fetch_one: Callable[[str], FetchResult], ids: list[str], workers: int
) -> Iterator[FetchResult]:
    left = iter(ids)
    lock, stop = threading.Lock(), threading.Event()
    done: queue.SimpleQueue[FetchResult | BaseException] = queue.SimpleQueue()
    hopeless: list[CacheError] = []

    def work() -> None:
        while not stop.is_set():
            with lock:
                some = list(islice(left, 1))
            if not some:
                return
            (item,) = some
            try:
                result = FetchResult(id=item, error=hopeless[0]) if hopeless else fetch_one(item)
            except BaseException as error:
                done.put(error)
                return
            if isinstance(result.error, CacheError) and result.error.is_of_the_folder:
                hopeless.append(result.error)
                result = FetchResult(id=item, error=hopeless[0])  # one reason for all, not one a thread
            done.put(result)

    # Daemons: a program that is interrupted ends at once, whatever a service keeps a thread waiting for. What
    # such a thread leaves behind is what a killed process leaves behind, and does no harm.
    threads = [threading.Thread(target=work, name=f"profet-{n}", daemon=True) for n in range(workers)]
    for thread in threads:
        thread.start()
    try:
        for _ in ids:
            result = done.get()
            if isinstance(result, BaseException):
                raise result
            yield result
    finally:
        stop.set()
        _wait_for(threads)


def _wait_for(threads: list[threading.Thread]) -> None:
    """Let threads finish what they are at, if that is soon."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
