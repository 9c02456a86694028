"""Which images of an entry are looked at, and what the entry says of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from empiarreader.entry import EmpiarEntry
from empiarreader.errors import ArchiveFileNotFoundError, InvalidRequestError
from empiarreader.formats import is_image
from empiarreader.listing.kinds import imageset_of, kind_of
from empiarreader.listing.tree import ArchiveFile
from empiarreader.looking.look import REMOTE_BYTES
from empiarreader.looking.subject import Subject, subject_of_file
from empiarreader.metadata.records import Imageset


@dataclass(frozen=True, kw_only=True)
class Target:
    """An image to look at: where it is, what it is called, and what its entry says of it."""

    location: str
    name: str
    imagesets: tuple[Imageset, ...] = ()

    def open(
        self,
        *,
        kind: str | None = None,
        pixel_size_angstrom: float | None = None,
        limit_bytes: int | None = None,
    ) -> Subject:
        """Return the opened image; see :func:`empiarreader.looking.subject.subject_of_file`."""
        return subject_of_file(
            self.location,
            name=self.name,
            imagesets=self.imagesets,
            imageset=imageset_of(self.name, self.imagesets),
            kind=kind,
            pixel_size_angstrom=pixel_size_angstrom,
            limit_bytes=limit_bytes or REMOTE_BYTES,
        )


def entry_targets(
    entry: EmpiarEntry, pattern: str | None = None, *, imageset: str | None = None
) -> list[Target]:
    """Return the images of an entry that match, sorted by path.

    Parameters
    ----------
    pattern
        Glob, relative to the entry or to the imageset's directory; None takes all images but gain
        references.
    imageset
        Name, directory, or number (from 1) of an imageset.

    Raises
    ------
    InvalidRequestError
        If there is no such imageset.
    ArchiveFileNotFoundError
        If there is no such image.
    """
    chosen = choose_imageset(entry, imageset) if imageset is not None else None
    directory = chosen.directory if chosen else ""
    files = entry.find(pattern, directory=directory) if pattern else entry.files(directory=directory)
    images = [file for file in files if is_image(file.path) and (pattern or kind_of(file.path) != "gains")]
    if not images:
        where = f"{directory!r} of {entry.accession}" if directory else entry.accession
        wanted = f"matches {pattern!r}" if pattern else "is there"
        other = "1 other file does" if len(files) == 1 else f"{len(files)} other files do"
        raise ArchiveFileNotFoundError(f"no image {wanted} in {where}; {other}")
    return [target_of(entry, file) for file in images]


def target_of(entry: EmpiarEntry, file: ArchiveFile) -> Target:
    """Return one file of an entry as a target."""
    return Target(location=file.url, name=file.path, imagesets=entry.imagesets)


def choose_imageset(entry: EmpiarEntry, wanted: str) -> Imageset:
    """Return an imageset by its name, its directory, or its number from 1.

    Raises
    ------
    InvalidRequestError
        If there is none.
    """
    text = wanted.strip("/ ")
    for number, imageset in enumerate(entry.imagesets, start=1):
        if text in {str(number), imageset.directory} or text.lower() == imageset.name.strip().lower():
            return imageset
    names = "; ".join(f"{number}: {item.name}" for number, item in enumerate(entry.imagesets, start=1))
    raise InvalidRequestError(f"{entry.accession} has no imageset {wanted!r}; it has {names or 'none'}")


def spread(targets: Sequence[Target], count: int) -> list[Target]:
    """Return so many targets, evenly spread over all of them.

    Examples
    --------
    >>> spread("abcdefghi", 3)
    ['a', 'e', 'i']
    """
    if count >= len(targets):
        return list(targets)
    if count == 1:
        return [targets[len(targets) // 2]]
    return [targets[round(k * (len(targets) - 1) / (count - 1))] for k in range(count)]
