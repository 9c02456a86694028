"""The folder of results: which are there already, where the others go."""

from __future__ import annotations

import functools
import hashlib
import inspect
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

from empiarreader.errors import InvalidRequestError, LocalFileError
from empiarreader.spreading.jobs import Job
from empiarreader.spreading.journal import Journal
from empiarreader.spreading.names import targets_of
from empiarreader.spreading.running import Function, Saver
from empiarreader.spreading.saving import to_mrc, to_zarr

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

    def finish(self, job: Job, part: Path) -> None:
        """Record what a worker has written, and give it its name.

        Raises
        ------
        LocalFileError
            If that cannot be.
        """
        try:
            self._journal.finish(part, self._target(job), job.location, self._step)
        except OSError as error:
            raise LocalFileError(f"cannot write {job.path}: {error.strerror or error}") from error

    def _target(self, job: Job) -> str:
        assert job.path is not None
        return job.path.relative_to(self._folder).as_posix()


def describe(function: Callable[..., Any] | None) -> str:
    """Return what tells a function from others, the same in every run: its name, arguments and text.

    Examples
    --------
    >>> from empiarreader import bin_image
    >>> describe(functools.partial(bin_image, factor=4)), describe(None)
    ('bin_image(factor=4)', 'as they are')
    """
    if function is None:
        return "as they are"
    if isinstance(function, functools.partial):
        named = (f"{name}={value!r}" for name, value in function.keywords.items())
        return f"{describe(function.func)}({', '.join([*map(repr, function.args), *named])})"
    name = getattr(function, "__qualname__", type(function).__qualname__)
    if str(getattr(function, "__module__", "")).startswith("empiarreader."):
        return str(name)
    try:
        text = inspect.getsource(function)
    except (OSError, TypeError):
        return str(name)
    return f"{name} {hashlib.sha256(text.encode()).hexdigest()[:12]}"
