"""From a path to the source that fits it: what ``Dataset("folder")`` and the command line open."""

from __future__ import annotations

import os
from pathlib import Path

from caked.errors import SourceNotFoundError
from caked.sources.base import Source
from caked.sources.files import FileSource
from caked.sources.particles import ParticleSource
from caked.sources.remote import UrlSource
from caked.sources.stacks import StackSource

__all__ = ["source_of_path"]

_LISTS = (".star", ".cs")
_STACKS = (".mrcs", ".st")


def source_of_path(path: str | os.PathLike[str], *, pattern: str = "*") -> Source:
    """Return the source of a path, by its ending.

    Parameters
    ----------
    path
        A list of particles (``.star``, ``.cs``), a stack (``.mrcs``, ``.st``), any other file as one sample,
        a folder of files as a sample each, or an address that fsspec opens.
    pattern
        Which files of a folder.

    Raises
    ------
    SourceNotFoundError
        If there is nothing.
    """
    name = os.fspath(path)
    if "://" in name:
        return UrlSource([name])
    place = Path(name)
    if not place.exists():
        raise SourceNotFoundError(f"There is no file or folder {name}.", path=name)
    suffix = place.suffix.lower()
    if place.is_file() and suffix in _LISTS:
        return ParticleSource(place)
    if place.is_file() and suffix in _STACKS:
        return StackSource(place)
    return FileSource(place, pattern=pattern)
