"""Whether an entry holds as many images as its metadata say.

The archive's pages come from several servers, and one of them has been seen to leave a file out that was
there all the same. Metadata are often wrong, too. So neither is believed over the other: a difference is
reported, and where the listing is short it is asked for a second time first.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from empiarreader.byteunits import describe_count
from empiarreader.errors import ArchiveFileNotFoundError
from empiarreader.formats import is_image
from empiarreader.listing.kinds import kind_of
from empiarreader.listing.tree import ArchiveFile, EntryTree
from empiarreader.metadata.records import Imageset


@dataclass(frozen=True, kw_only=True)
class ImagesetCount:
    """How many images an imageset has by its metadata and by the archive's listing.

    Attributes
    ----------
    imageset : Imageset
        Which one.
    listed : int
        Image files in its directory and below, gain references not counted.
    came_back : tuple of str
        Paths that the first listing left out and a second one showed.
    is_missing : bool
        Whether the archive has no such directory.
    """

    imageset: Imageset
    listed: int
    came_back: tuple[str, ...] = ()
    is_missing: bool = False

    @property
    def agrees(self) -> bool:
        """Whether there are as many files as images, or as frames of all of them; or nothing was stated."""
        stated, frames = self.imageset.count, self.imageset.frames_per_image or 1
        return stated is None or self.listed in {stated, stated * frames}

    def describe(self) -> str:
        """Return the comparison in one sentence."""
        where = f"imageset {self.imageset.name!r} ({self.imageset.directory or 'the entry'})"
        if self.is_missing:
            return f"{where}: the archive has no such directory"
        more = f"; {len(self.came_back)} of them only at the second look" if self.came_back else ""
        stated = "no number" if self.imageset.count is None else str(self.imageset.count)
        verdict = "as stated" if self.agrees and self.imageset.count is not None else f"{stated} stated"
        return f"{where}: {describe_count(self.listed, 'image files')}, {verdict}{more}"


def count_images(tree: EntryTree, imagesets: Iterable[Imageset]) -> tuple[ImagesetCount, ...]:
    """Return for each imageset how many images it has; lists its directory and those below it."""
    return tuple(_count(tree, imageset) for imageset in imagesets)


def number_of_images(files: Iterable[ArchiveFile]) -> int:
    """Return how many of the files are images, gain references not counted."""
    return len(_paths_of_images(files))


def _count(tree: EntryTree, imageset: Imageset) -> ImagesetCount:
    try:
        first = _images(tree, imageset)
    except ArchiveFileNotFoundError:
        return ImagesetCount(imageset=imageset, listed=0, is_missing=True)
    found = ImagesetCount(imageset=imageset, listed=len(first))
    if found.agrees or imageset.count is None or len(first) > imageset.count:
        return found
    second = _images(replace(tree, max_age_seconds=0.0), imageset)
    return ImagesetCount(
        imageset=imageset, listed=len(first | second), came_back=tuple(sorted(second - first))
    )


def _images(tree: EntryTree, imageset: Imageset) -> set[str]:
    return _paths_of_images(tree.files(imageset.directory))


def _paths_of_images(files: Iterable[ArchiveFile]) -> set[str]:
    return {file.path for file in files if is_image(file.path) and kind_of(file.path) != "gains"}
