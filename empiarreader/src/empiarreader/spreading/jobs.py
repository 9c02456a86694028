"""One image to do something with: where it is, whatever it was given as."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from empiarreader.bytefiles import open_bytes
from empiarreader.images.base import ImageOptions
from empiarreader.metadata.emdb import map_address, parse_emdb_id
from empiarreader.network.ranges import FileVersion
from empiarreader.partitions import ImagePartitions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from empiarreader.listing.tree import ArchiveFile
    from empiarreader.protocol import ReadableSource

    Images = ImagePartitions | ReadableSource | Iterable[str | os.PathLike[str] | ArchiveFile]


_AS_OPENED = ImageOptions(cell_axes=True)  # what open_image takes where nothing else is said


class Opened(NamedTuple):
    """An image, and which version of its file it is; None where only its source knows where it is from."""

    image: Any
    version: FileVersion | None = None


@dataclass(frozen=True, kw_only=True)
class Job:
    """One image; small to send."""

    index: int
    name: str
    location: str
    options: ImageOptions = _AS_OPENED
    source: Any = None  # one that says no locations goes along itself
    path: Path | None = None  # where the result goes

    def open(self) -> Opened:
        """Return the image: lazy and labelled, or an array where only its source can read it."""
        if self.source is not None:
            return Opened(self.source.read(self.index))
        from empiarreader.arrays import with_lengths
        from empiarreader.imagefile import ImageFile

        file = ImageFile(self.location, self.options)
        return Opened(with_lengths(file.partition(0), file.image(0)), file.version(0))

    def version(self) -> FileVersion | None:
        """Return which version of the image's file there is now; a small request where it is far away."""
        return None if self.source is not None else open_bytes(self.location).version()


def jobs_of(source: Images) -> list[Job]:
    """Return a job for each image; lists the directory of a source that has not been listed yet."""
    if isinstance(source, ImagePartitions):
        places = map(_reachable, source.filenames)
        return [
            Job(index=index, name=name, location=place, options=source.options)
            for index, (name, place) in enumerate(zip(source.names, places, strict=True))
        ]
    names = getattr(source, "names", None)
    if names is not None:
        return [
            Job(index=index, name=str(name), location=str(name), source=source)
            for index, name in enumerate(names)
        ]
    from empiarreader.listing.tree import ArchiveFile

    given: list[Any] = [source] if isinstance(source, (str, os.PathLike)) else list(source)  # type: ignore[arg-type]
    return [
        Job(index=index, name=each.path, location=each.url)
        if isinstance(each, ArchiveFile)
        else _located(index, os.fspath(each))
        for index, each in enumerate(given)
    ]


def _located(index: int, location: str) -> Job:
    emdb_id = parse_emdb_id(location)
    if emdb_id is None:
        return Job(index=index, name=location, location=_reachable(location))
    options = replace(_AS_OPENED, volume=True)
    return Job(index=index, name=location, location=map_address(emdb_id), options=options)


def _reachable(location: str) -> str:
    """Return a location that means the same in every process."""
    return location if "://" in location else str(Path(location).expanduser().absolute())
