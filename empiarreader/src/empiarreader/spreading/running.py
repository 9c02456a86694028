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


def with_share(connections: int, run: Callable[[Job], Any], job: Job) -> Any:
    """Do a job in a process that has a share of the connections to the archive."""
    limit_connections(connections)
    return run(job)


def compute(function: Function | None, job: Job) -> Any:
    """Return what the function makes of an image, in memory."""
    with _own_threads():
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
        with _own_threads():
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
    """Dask's setting that lazy arrays are computed in this process; shared by the threads that want it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0
        self._setting = ExitStack()

    def __enter__(self) -> None:
        import dask

        with self._lock:
            if self._count == 0:
                self._setting.enter_context(dask.config.set(scheduler="threads"))
            self._count += 1

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._count -= 1
            if self._count == 0:
                self._setting.close()


_shared = _OwnThreads()


@contextmanager
def _own_threads() -> Iterator[None]:
    """Compute here: within a task of a cluster, dask would give parts of an image to the cluster again."""
    with _shared:
        yield
