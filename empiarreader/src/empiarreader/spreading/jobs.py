"""One image to do something with: where it is, whatever it was given as."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from empiarreader.images.base import ImageOptions
from empiarreader.metadata.emdb import parse_emdb_id
from empiarreader.partitions import ImagePartitions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from empiarreader.listing.tree import ArchiveFile
    from empiarreader.protocol import ReadableSource

    Images = ImagePartitions | ReadableSource | Iterable[str | os.PathLike[str] | ArchiveFile]


@dataclass(frozen=True, kw_only=True)
class Job:
    """One image; small to send."""

    index: int
    name: str
    location: str
    options: ImageOptions | None = None
    source: Any = None  # one that says no locations goes along itself
    path: Path | None = None  # where the result goes

    def open(self) -> Any:
        """Return the image: lazy and labelled, or an array where only its source can read it."""
        if self.source is not None:
            return self.source.read(self.index)
        from empiarreader.arrays import with_lengths
        from empiarreader.imagefile import ImageFile, open_image

        if self.options is None:
            return open_image(self.location)
        file = ImageFile(self.location, self.options)
        return with_lengths(file.partition(0), file.image(0))


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
        else Job(index=index, name=os.fspath(each), location=_reachable(os.fspath(each)))
        for index, each in enumerate(given)
    ]


def _reachable(location: str) -> str:
    """Return a location that means the same in every process."""
    if "://" in location or parse_emdb_id(location) is not None:
        return location
    return str(Path(location).expanduser().absolute())
