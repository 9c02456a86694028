"""Threads that nobody waits for after an interrupt: a silent server would keep the program for long."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import Empty, SimpleQueue
from types import TracebackType
from typing import NamedTuple, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class _Task(NamedTuple):
    future: Future[object]
    function: Callable[[], object]


class Threads(Executor):
    """Calls functions in up to ``count`` threads, as :class:`concurrent.futures.ThreadPoolExecutor` does.

    Two things differ. Where a ``with`` block ends by an error or an interrupt, what has not begun is
    cancelled and what is under way is not waited for. Neither is it when Python ends, which waits for all
    threads of that other class. What such a thread leaves behind is what a killed process leaves behind.

    Examples
    --------
    >>> with Threads(4, "squares") as threads:
    ...     list(threads.map(lambda x: x * x, range(5)))
    [0, 1, 4, 9, 16]
    """

    def __init__(self, count: int, name: str) -> None:
        self._count, self._name = count, name
        self._tasks: SimpleQueue[_Task | None] = SimpleQueue()
        self._idle = threading.Semaphore(0)  # threads that wait for a task
        self._threads: list[threading.Thread] = []
        self._is_closed = False
        self._lock = threading.Lock()

    def submit(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Have a function called."""
        future: Future[T] = Future()
        with self._lock:
            if self._is_closed:
                raise RuntimeError("these threads have been dismissed")
            self._tasks.put(_Task(future, lambda: function(*args, **kwargs)))  # type: ignore[arg-type]
            if not self._idle.acquire(blocking=False) and len(self._threads) < self._count:
                name = f"{self._name}-{len(self._threads)}"
                thread = threading.Thread(
                    target=_work, args=(self._tasks, self._idle), name=name, daemon=True
                )
                self._threads.append(thread)
                thread.start()
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Begin nothing more after what has been submitted, or nothing at all."""
        with self._lock:
            self._is_closed = True
            while cancel_futures and (task := self._next()) is not None:
                task.future.cancel()
            for _ in self._threads:
                self._tasks.put(None)
        for thread in self._threads if wait else ():
            thread.join()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.shutdown(wait=kind is None, cancel_futures=kind is not None)

    def _next(self) -> _Task | None:
        try:
            return self._tasks.get_nowait()
        except Empty:
            return None


def _work(tasks: SimpleQueue[_Task | None], idle: threading.Semaphore) -> None:
    """Do one task after another. Knows nothing of the pool, so that nothing of a task is kept behind it."""
    while True:
        try:
            task = tasks.get_nowait()
        except Empty:
            idle.release()
            task = tasks.get()
        if task is None:
            return
        _do(task)
        del task


def _do(task: _Task) -> None:
    if not task.future.set_running_or_notify_cancel():
        return
    try:
        result = task.function()
    except BaseException as error:
        task.future.set_exception(error)
        del task  # which the error leads to
    else:
        task.future.set_result(result)
