"""Many like things done by many: a bounded number at a time, again where a worker died, as they finish."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Future, wait
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from empiarreader.errors import ServiceError, WorkerLostError
from empiarreader.spreading.workers import Workers

J = TypeVar("J")


@dataclass(frozen=True, kw_only=True)
class Finished(Generic[J]):
    """What became of one thing to do: its value, or why there is none."""

    job: J
    value: Any = None
    error: Exception | None = None


@dataclass(frozen=True)
class _Returned:
    value: Any


@dataclass(frozen=True)
class _Raised:
    error: Exception
    is_worth_again: bool = False


def spread(
    function: Callable[[J], Any], jobs: Iterable[J], workers: Workers, *, in_flight: int, attempts: int
) -> Iterator[Finished[J]]:
    """Yield what became of each job, as it is finished.

    Parameters
    ----------
    function
        Called with a job, somewhere. What it raises is what became of that job, and stops no other.
    jobs
        Taken from their iterator as there is room for them.
    in_flight
        How many are with the workers at a time, at work or waiting for one.
    attempts
        How often a job is given out whose worker died, or that could not ask a server.
    """
    waiting: dict[Future[Any], tuple[J, int]] = {}
    to_do = _ToDo(jobs)
    try:
        while to_do.give_out(function, workers, waiting, in_flight):
            for job, attempt, outcome in _collect(waiting, workers):
                if isinstance(outcome, _Returned):
                    yield Finished(job=job, value=outcome.value)
                elif outcome.is_worth_again and attempt < attempts:
                    to_do.again.append((job, attempt + 1))
                else:
                    yield Finished(job=job, error=outcome.error)
    finally:
        workers.dismiss()


class _ToDo(Generic[J]):
    """Jobs that are still to be given out, and those to be given out again."""

    def __init__(self, jobs: Iterable[J]) -> None:
        self._more = iter(jobs)
        self.again: list[tuple[J, int]] = []

    def give_out(
        self,
        function: Callable[[J], Any],
        workers: Workers,
        waiting: dict[Future[Any], tuple[J, int]],
        in_flight: int,
    ) -> bool:
        """Give out as many as there is room for; return whether any is out."""
        while len(waiting) < in_flight and (chosen := self._next()) is not None:
            try:
                waiting[workers.submit(_attempt, function, chosen[0])] = chosen
            except BrokenExecutor:
                self.again.append(chosen)
                if waiting:
                    break  # what is out will tell the same
                workers.renew()
        return bool(waiting)

    def _next(self) -> tuple[J, int] | None:
        if self.again:
            return self.again.pop()
        for job in self._more:
            return job, 1
        return None


def _collect(
    waiting: dict[Future[Any], tuple[J, int]], workers: Workers
) -> list[tuple[J, int, _Returned | _Raised]]:
    """Wait until some jobs are done; return them with what came of each, and keep nothing of their futures.

    A cluster does again what its worker had done when it died, as long as somebody has the future of it.
    """
    done = wait(waiting, return_when=FIRST_COMPLETED).done
    if any(_is_broken(future) for future in done):
        done = set(waiting)  # none of them will be done
        workers.renew()
    return [(*waiting.pop(future), _outcome(future)) for future in done]


def _attempt(function: Callable[[J], Any], job: J) -> _Returned | _Raised:
    """Do it, where the work is done."""
    try:
        return _Returned(function(job))
    except Exception as error:
        return _Raised(_portable(error), isinstance(error, ServiceError) and error.retryable)


def _portable(error: Exception) -> Exception:
    """Return an error as one that can be sent."""
    try:
        pickle.loads(pickle.dumps(error))
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def _is_broken(future: Future[Any]) -> bool:
    return not future.cancelled() and isinstance(future.exception(), BrokenExecutor)


def _outcome(future: Future[Any]) -> _Returned | _Raised:
    try:
        found: _Returned | _Raised = future.result()
    except (BrokenExecutor, CancelledError) as error:
        return _Raised(_lost(error), is_worth_again=True)
    except Exception as error:
        # The cluster's own: it has given the job to several workers, which died of it (KilledWorker).
        return _Raised(_lost(error))
    return found


def _lost(error: BaseException) -> WorkerLostError:
    return WorkerLostError(f"the worker that had it is gone: {type(error).__name__} {error}".rstrip())
