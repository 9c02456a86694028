"""What a worker of a loader does first: see to it that it does not outlive the program that reads from it."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from dataclasses import dataclass
from threading import Thread

__all__ = ["Beginning"]


@dataclass(frozen=True)
class Beginning:
    """Called in each worker when it begins.

    torch's workers look after the process above them. With ``multiprocessing_context="forkserver"`` that is
    the server they are forked from, which they themselves keep alive: of a program that is killed both would
    stay for ever.

    Parameters
    ----------
    then
        The user's own ``worker_init_fn``.
    """

    then: Callable[[int], object] | None = None

    def __call__(self, worker_id: int) -> None:
        """Begin, and do what else was asked for."""
        Thread(target=_end_with_the_program, name="caked-end", daemon=True).start()
        if self.then is not None:
            self.then(worker_id)


def _end_with_the_program() -> None:
    program = multiprocessing.parent_process()
    if program is not None:
        program.join()
        os._exit(1)
