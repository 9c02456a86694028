"""What is done where the work is done: open an image, call the function, save what it returns."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from empiarreader.errors import InvalidRequestError
from empiarreader.network.connections import limit_connections
from empiarreader.network.ranges import FileVersion
from empiarreader.spreading.jobs import Job
from empiarreader.spreading.journal import part_of

Function = Callable[[Any], Any]
Saver = Callable[[Any, Path], object]


class Written(NamedTuple):
    """What was written of a result, and which version of its file the image was."""

    part: Path
    version: FileVersion | None


def with_share(run: Callable[[Job], Any], job: Job, *, threads: int, connections: int | None) -> Any:
    """Do a job with a share of the processors, and in another process of the connections to the archive."""
    if connections is not None:
        limit_connections(connections)
    with _own_threads.at_most(threads):
        return run(job)


def compute(function: Function | None, job: Job) -> Any:
    """Return what the function makes of an image, in memory."""
    image = job.open().image
    value = image if function is None else function(image)
    # What is still lazy would move its bytes where the results are collected.
    return value.compute() if hasattr(value, "__dask_graph__") else value


def compute_and_save(function: Function | None, saver: Saver, job: Job) -> Written:
    """Save what the function makes of an image beside its place, and return where."""
    assert job.path is not None
    part = part_of(job.path)
    part.parent.mkdir(parents=True, exist_ok=True)
    try:
        image, version = job.open()
        saver(image if function is None else function(image), part)
        if not part.exists():
            raise InvalidRequestError(f"nothing was written to the path that was given for {job.name}")
    except BaseException:
        if part.is_dir():
            shutil.rmtree(part)
        part.unlink(missing_ok=True)
        raise
    return Written(part, version)


class _OwnThreads:
    """Dask's setting that lazy arrays are computed in this process; shared by all who are at work in it.

    Within a task of a cluster, dask would give parts of an image to the cluster again. And as images are
    worked on side by side, too many of their pieces would be in memory if each took all processors.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._setting = ExitStack()

    @contextmanager
    def at_most(self, threads: int) -> Iterator[None]:
        import dask

        with self._lock:
            if self._count == 0:
                self._setting.enter_context(dask.config.set(scheduler="threads", num_workers=threads))
            self._count += 1
        try:
            yield
        finally:
            with self._lock:
                self._count -= 1
                if self._count == 0:
                    self._setting.close()


_own_threads = _OwnThreads()
