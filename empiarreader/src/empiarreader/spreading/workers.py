"""Who does the work: threads of this process, processes of this machine, or the workers of a dask cluster.

Each gives futures of :mod:`concurrent.futures`, so that what waits for them need not know which it is.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from typing import Any

from empiarreader.errors import InvalidRequestError
from empiarreader.threads import Threads

MOST_WORKERS = 256
_LEAST_THREADS = 2  # one piece is on its way while another is worked on


class Workers(ABC):
    """Those who do the work; ``count`` things at a time."""

    count: int
    processes: int = 0  # beside this one, over which they are spread
    threads: int = _LEAST_THREADS  # that each of them has for the pieces of an image

    @abstractmethod
    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        """Have ``function(*arguments)`` called somewhere."""

    def renew(self) -> None:  # noqa: B027  # threads do not die, and a cluster does so for itself
        """Find others in the place of those that died."""

    @abstractmethod
    def dismiss(self) -> None:
        """Begin nothing more, and wait for nothing that is under way."""


def hire(client: Any | None, *, workers: int | None, processes: bool) -> Workers:
    """Return who does the work.

    Parameters
    ----------
    client
        A ``distributed.Client``; None for this machine.
    workers
        How many at a time; None for one a processor, and on a cluster one a thread of it.
    processes
        Whether they are processes and not threads.

    Raises
    ------
    InvalidRequestError
        If that cannot be.
    """
    if workers is not None and not 1 <= workers <= MOST_WORKERS:
        raise InvalidRequestError(f"workers is {workers}; use 1 to {MOST_WORKERS}")
    if client is not None:
        if processes:
            raise InvalidRequestError("give a client, or ask for processes of this machine, not both")
        return _Cluster(client, workers)
    from dask.system import CPU_COUNT  # those of a batch queue's job, not all of the machine

    count = workers or CPU_COUNT
    hired = _Processes(count) if processes else _Threads(count)
    hired.threads = max(_LEAST_THREADS, CPU_COUNT // count)
    return hired


class _Threads(Workers):
    def __init__(self, count: int) -> None:
        self.count = count
        self._pool = Threads(count, "empiarreader-map")

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        return self._pool.submit(function, *arguments)

    def dismiss(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


class _Processes(Workers):
    """Processes that are started, not forked: a fork would take locks along that nobody opens again."""

    def __init__(self, count: int) -> None:
        self.count = self.processes = count
        self._pool = self._start()

    def _start(self) -> Executor:
        self._line = socket.socketpair()
        context = multiprocessing.get_context("spawn")
        return ProcessPoolExecutor(
            self.count, mp_context=context, initializer=_live_as_long_as, initargs=self._line[1:]
        )

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        import cloudpickle

        # Functions of a notebook or a script travel by their content.
        return self._pool.submit(_call, cloudpickle.dumps((function, arguments)))

    def renew(self) -> None:
        self.dismiss()
        self._pool = self._start()

    def dismiss(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._line[0].shutdown(socket.SHUT_RDWR)  # also where a fork has copies of it
        for end in self._line:
            end.close()


class _Cluster(Workers):
    """The workers of a dask cluster, through its client."""

    def __init__(self, client: Any, workers: int | None) -> None:
        if not hasattr(client, "get_executor") or getattr(client, "asynchronous", False):
            raise InvalidRequestError(
                f"{client!r} is no client of dask.distributed that waits for its answers"
            )
        self.processes = max(1, len(client.nthreads()))
        self.count = workers or max(1, sum(client.nthreads().values()))
        self._pool = client.get_executor(pure=False)

    def submit(self, function: Callable[..., Any], *arguments: Any) -> Future[Any]:
        future: Future[Any] = self._pool.submit(function, *arguments)
        return future

    def dismiss(self) -> None:
        self._pool.shutdown(wait=False)


def _live_as_long_as(line: socket.socket) -> None:
    """Have this process end as soon as the other end of a line is closed, whatever it is at.

    That is when it is dismissed, and also when the process that hired it was killed.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal interrupts all; the one that hired it tells it

    def wait_for_the_end() -> None:
        line.recv(1)
        os._exit(0)

    threading.Thread(target=wait_for_the_end, name="empiarreader-line", daemon=True).start()


def _call(pickled: bytes) -> Any:
    function, arguments = pickle.loads(pickled)
    return function(*arguments)
