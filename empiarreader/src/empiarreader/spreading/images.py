"""One function over many images, by threads, processes or a dask cluster; what is finished stays finished."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack

from empiarreader.errors import InvalidRequestError, LocalFileError
from empiarreader.network.connections import CONNECTIONS_PER_HOST
from empiarreader.spreading.jobs import Job, jobs_of
from empiarreader.spreading.results import Results, choose_saver
from empiarreader.spreading.running import Function, Saver, Written, compute, compute_and_save, with_share
from empiarreader.spreading.work import spread
from empiarreader.spreading.workers import hire

if TYPE_CHECKING:
    from empiarreader.spreading.jobs import Images

_IN_FLIGHT_A_WORKER = 2


@dataclass(frozen=True, kw_only=True)
class MappedImage:
    """What became of one image.

    Attributes
    ----------
    index : int
        Its place in the source.
    name : str
        Its name there.
    value : object
        What the function returned; None where that was saved.
    path : Path or None
        Where it was saved.
    error : Exception or None
        Why there is nothing; None where all went well.
    was_there : bool
        Whether an earlier run had finished it.
    """

    index: int
    name: str
    value: Any = None
    path: Path | None = None
    error: Exception | None = None
    was_there: bool = False


@dataclass(frozen=True)
class MappedImages:
    """What became of all images, in the order of the source."""

    images: tuple[MappedImage, ...]

    @property
    def values(self) -> tuple[Any, ...]:
        """What the function returned for each; None for those that failed or were saved."""
        return tuple(image.value for image in self.images)

    @property
    def paths(self) -> tuple[Path, ...]:
        """Where the results were saved, without those of images that failed."""
        return tuple(image.path for image in self.images if image.path is not None)

    @property
    def failures(self) -> tuple[MappedImage, ...]:
        """Images that failed."""
        return tuple(image for image in self.images if image.error is not None)

    def raise_for_failures(self) -> None:
        """Raise the first error, if there is any."""
        for image in self.images:
            if image.error is not None:
                raise image.error


class MapOptions(TypedDict, total=False):
    """How a function is called with many images: the options of :func:`iterate_mapped`."""

    directory: str | os.PathLike[str] | None
    save: Literal["mrc", "zarr"] | Saver
    suffix: str | None
    client: Any | None
    workers: int | None
    processes: bool
    in_flight: int | None
    attempts: int
    overwrite: bool


def map_images(
    source: Images,
    function: Function | None = None,
    *,
    progress: Callable[[MappedImage], object] | None = None,
    **options: Unpack[MapOptions],
) -> MappedImages:
    """Call a function with each image of a source, in parallel, and wait for all of them.

    Parameters
    ----------
    source, function, **options
        As for :func:`iterate_mapped`.
    progress
        Called with each image as it is finished.

    Returns
    -------
    MappedImages
        In the order of the source. One image that fails stops no other.

    Examples
    --------
    >>> import mrcfile, numpy, tempfile
    >>> folder = Path(tempfile.mkdtemp())
    >>> mrcfile.write(folder / "a.mrc", numpy.ones((4, 4), "f4"))
    >>> map_images([folder / "a.mrc"], lambda image: float(image.sum())).values
    (16.0,)
    """
    found = {}
    for image in iterate_mapped(source, function, **options):
        found[image.index] = image
        if progress is not None:
            progress(image)
    return MappedImages(tuple(found[index] for index in sorted(found)))


def iterate_mapped(
    source: Images,
    function: Function | None = None,
    *,
    directory: str | os.PathLike[str] | None = None,
    save: Literal["mrc", "zarr"] | Saver = "mrc",
    suffix: str | None = None,
    client: Any | None = None,
    workers: int | None = None,
    processes: bool = False,
    in_flight: int | None = None,
    attempts: int = 3,
    overwrite: bool = False,
) -> Iterator[MappedImage]:
    """Call a function with each image of a source, in parallel, and yield each as it is finished.

    Nothing begins before the first is asked for, and leaving early gives up what is not finished.

    Parameters
    ----------
    source
        An :class:`EmpiarSource` or :class:`MrcSource`, files from :meth:`EmpiarEntry.find`, addresses, paths,
        or any source with the reading protocol.
    function
        Called with one image, lazy and labelled as :func:`open_image` gives it (of other sources with the
        reading protocol, an array in memory). None takes images as they are, to save them in another format.
        It runs elsewhere: what it needs must be able to travel, and what is large is best opened there.
    directory
        Folder to save what the function returns in, under the names of the images; all workers must reach it.
        A result is written beside its place, recorded in ``empiarreader-mapped.jsonl``, and given its name
        then. A rerun does not do again what is finished, unless the file of the image has changed since,
        which takes one small request for each. None returns values, and keeps none.
    save
        ``"mrc"``, ``"zarr"``, or a function that writes what it is given to a path.
    suffix
        How names end; None takes what is usual for the format, and for a function leaves the names.
    client
        A ``distributed.Client``: the workers of its cluster do the work, and share the sixteen connections
        to the archive. None does it on this machine.
    workers
        How many images at a time; None takes one a processor, or one a thread of the cluster.
    processes
        Use processes of this machine, not threads. A script needs ``if __name__ == "__main__":`` for it.
    in_flight
        How many images are given out at a time, at work or waiting; None takes twice the workers.
    attempts
        How often an image is tried whose worker died, or that the archive was too busy for. What else the
        function raises is not tried again.
    overwrite
        Do everything anew, and replace files of unknown origin.

    Raises
    ------
    InvalidRequestError
        If the arguments make no sense, or a result in the folder was made by another function.
    LocalFileError
        If the folder cannot be written, or another process writes into it.
    """
    if attempts < 1 or (in_flight is not None and in_flight < 1):
        raise InvalidRequestError(f"attempts is {attempts} and in_flight {in_flight}; use 1 or more")
    jobs = jobs_of(source)

    def work(run: Callable[[Job], Any], jobs: list[Job]) -> Iterator[tuple[Job, Any, Exception | None]]:
        if jobs:
            hired = hire(client, workers=workers, processes=processes)
            share = max(1, CONNECTIONS_PER_HOST // hired.processes) if hired.processes else None
            run = functools.partial(with_share, run, threads=hired.threads, connections=share)
            many = in_flight or _IN_FLIGHT_A_WORKER * hired.count
            for done in spread(run, jobs, hired, in_flight=many, attempts=attempts):
                yield done.job, done.value, done.error

    if directory is None:
        for job, value, error in work(functools.partial(compute, function), jobs):
            yield MappedImage(index=job.index, name=job.name, value=value, error=error)
        return
    saver, suffix = choose_saver(save, suffix)
    folder = Path(directory).expanduser().absolute()
    with Results(folder, function, saver, suffix=suffix, overwrite=overwrite) as results:
        finished: list[Job] = []
        to_do: list[Job] = []
        for job in results.place(jobs):
            try:
                (finished if results.is_finished(job) else to_do).append(job)
            except LocalFileError as trouble:
                yield MappedImage(index=job.index, name=job.name, error=trouble)
        for job, is_current in zip(finished, results.are_current(finished), strict=True):
            if is_current:
                yield MappedImage(index=job.index, name=job.name, path=job.path, was_there=True)
            else:
                to_do.append(job)
        for job, written, error in work(functools.partial(compute_and_save, function, saver), to_do):
            yield _finished(results, job, written, error)


def _finished(results: Results, job: Job, written: Written, error: Exception | None) -> MappedImage:
    if error is None:
        try:
            results.finish(job, written)
            return MappedImage(index=job.index, name=job.name, path=job.path)
        except LocalFileError as trouble:
            error = trouble
    return MappedImage(index=job.index, name=job.name, error=error)
