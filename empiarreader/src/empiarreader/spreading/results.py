"""The folder of results: which are there already, where the others go."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

from empiarreader.errors import (
    ArchiveFileNotFoundError,
    EmpiarReaderError,
    InvalidRequestError,
    LocalFileError,
)
from empiarreader.network.connections import CONNECTIONS_PER_HOST
from empiarreader.spreading.jobs import Job
from empiarreader.spreading.journal import Journal
from empiarreader.spreading.names import targets_of
from empiarreader.spreading.running import Function, Saver, Written
from empiarreader.spreading.saving import to_mrc, to_zarr
from empiarreader.spreading.steps import describe
from empiarreader.threads import Threads

_logger = logging.getLogger(__name__)

_SAVERS: dict[str, tuple[Saver, str]] = {"mrc": (to_mrc, ".mrc"), "zarr": (to_zarr, ".zarr")}


def choose_saver(save: str | Saver, suffix: str | None) -> tuple[Saver, str | None]:
    """Return what writes a result, and how names of results end.

    Raises
    ------
    InvalidRequestError
        If there is no such format.
    """
    if callable(save):
        return save, suffix
    if save not in _SAVERS:
        raise InvalidRequestError(f"{save!r} is no way to save; there are 'mrc', 'zarr' and functions")
    saver, usual = _SAVERS[save]
    return saver, usual if suffix is None else suffix


class Results:
    """Results of a function in a folder; a context manager that nobody else can open meanwhile."""

    def __init__(
        self, folder: Path, function: Function | None, saver: Saver, *, suffix: str | None, overwrite: bool
    ) -> None:
        self._folder, self._suffix, self._overwrite = folder, suffix, overwrite
        self._step = f"{describe(function)}, {describe(saver)}"
        self._journal = Journal(folder)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._journal.close()

    def place(self, jobs: Iterable[Job]) -> list[Job]:
        """Return the jobs with the paths of their results."""
        jobs = list(jobs)
        targets = targets_of([job.name for job in jobs], suffix=self._suffix)
        return [replace(job, path=self._folder / target) for job, target in zip(jobs, targets, strict=True)]

    def is_finished(self, job: Job) -> bool:
        """Return whether an earlier run has finished a job.

        Raises
        ------
        InvalidRequestError
            If the result that is there was made in another way.
        LocalFileError
            If something of unknown origin is there.
        """
        if self._overwrite:
            return False
        target = self._target(job)
        if self._journal.is_foreign(target):
            raise LocalFileError(
                f"{job.path} is there already, and nothing says where it is from; move it away, or overwrite"
            )
        return self._journal.is_finished(target, job.location, self._step)

    def are_current(self, jobs: Sequence[Job]) -> Iterator[bool]:
        """Yield of finished jobs whether the files of their images are still what they were.

        Sixteen are asked at a time. The result of a file that has gone stays. Where one cannot be asked, its
        result stays, and so do those after it without a question; a warning says so.
        """
        trouble: list[Exception] = []

        def is_current(job: Job) -> bool:
            was = self._journal.version(self._target(job))
            if was is None or trouble:
                return True
            try:
                now = job.version()
            except ArchiveFileNotFoundError:
                return True
            except (EmpiarReaderError, OSError) as error:
                trouble.append(error)
                return True
            return now is None or not now.differs_from(was)

        with Threads(CONNECTIONS_PER_HOST, "empiarreader-versions") as threads:
            yield from threads.map(is_current, jobs)
        if trouble:
            _logger.warning("whether all images are what they were is not known: %s", trouble[0])

    def finish(self, job: Job, written: Written) -> None:
        """Record what a worker has written, and give it its name.

        Raises
        ------
        LocalFileError
            If that cannot be.
        """
        if not written.part.exists():
            raise LocalFileError(
                f"{written.part} was written, but cannot be seen here; all workers must reach the same folder"
            )
        try:
            self._journal.finish(written.part, self._target(job), job.location, self._step, written.version)
        except OSError as error:
            raise LocalFileError(f"cannot write {job.path}: {error.strerror or error}") from error

    def _target(self, job: Job) -> str:
        assert job.path is not None
        return job.path.relative_to(self._folder).as_posix()
