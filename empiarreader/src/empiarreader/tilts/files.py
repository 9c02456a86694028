"""Where the images of a tilt series are: in the stack that its description belongs to, or each in a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, NamedTuple

from empiarreader.errors import ArchiveFileNotFoundError, InvalidRequestError
from empiarreader.formats import is_image
from empiarreader.listing.folders import is_folder, list_files, split_location
from empiarreader.tilts.facts import Tilt

STACKS = (".st", ".mrc", ".mrcs", ".ali", ".preali")  # and not .rec, which are tomograms
ANGLES = (".tlt", ".rawtlt")
HDF5 = (".h5", ".hdf5", ".nxs", ".nx", ".nexus")
DESCRIPTIONS = frozenset({".mdoc", ".star", *ANGLES, *STACKS, *HDF5})
_PACKED = (".bz2", ".gz")
_SHOWN = 3


class Place(NamedTuple):
    """Where an image is: a file, and the section of it; None for a file, or a movie, of its own."""

    location: str
    section: int | None


def choose_description(folder: str, name: str | None) -> str:
    """Return the file of a folder that describes a series: the only one, or the one whose name begins so.

    Raises
    ------
    ArchiveFileNotFoundError
        If there is none.
    InvalidRequestError
        If there are several.
    """
    files = list_files(folder)
    for suffixes in ((".mdoc",), (".tlt",), (".rawtlt",), (".star",), HDF5, STACKS):
        found = [
            where
            for path, where in files.items()
            if path.lower().endswith(suffixes) and path.startswith(name or "")
        ]
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(split_location(where)[1] for where in found[:_SHOWN])
            raise InvalidRequestError(
                f"{folder} describes {len(found)} series ({names} …); say which with name=, or give the file"
            )
    raise ArchiveFileNotFoundError(
        f"{folder} holds no .mdoc, .tlt, .star, HDF5 file or stack of a tilt series"
    )


def places_of_mdoc(
    label: str, general: dict[str, Any], tilts: Sequence[Tilt], images: str | None
) -> list[Place | None]:
    """Return where each image is: in the stack that the mdoc is named for or names, or in its own file."""
    folder, own = split_location(label)
    if images is not None and not is_folder(images, DESCRIPTIONS):
        return [Place(images, tilt.section) for tilt in tilts]
    files = list_files(images or folder)
    stem = own[: -len(".mdoc")]
    bare = stem.rpartition(".")[0] if stem.lower().endswith(STACKS) else stem
    stated = PurePosixPath(str(general.get("ImageFile", "")).replace("\\", "/")).name
    for name in (stem, stated, *(bare + suffix for suffix in STACKS)):
        if name in files and is_image(name) and all(tilt.section is not None for tilt in tilts):
            return [Place(files[name], tilt.section) for tilt in tilts]
    return places_of_files(label, [replace(tilt, section=None) for tilt in tilts], images)


def places_of_files(label: str, tilts: Sequence[Tilt], images: str | None) -> list[Place | None]:
    """Return where the files that tilts name are, None where they are not; looks below the folder if need be.

    Names are compared with their folders, then without, then without what tells the format: movies are often
    converted or packed before they are deposited.
    """
    found: list[Place | None] = []
    for below in (False, True):
        files = list_files(images or split_location(label)[0], below=below)
        by_name = {path.rpartition("/")[2]: where for path, where in reversed(files.items())}
        by_stem = {_stem(name): where for name, where in by_name.items() if is_image(name)}
        found = [_place(tilt, (files, by_name, by_stem)) for tilt in tilts]
        if None not in found:
            break
    return found


def stack_beside(label: str, images: str | None) -> str:
    """Return the stack that a list of angles belongs to: of the same name, in the same folder.

    Raises
    ------
    ArchiveFileNotFoundError
        If there is none.
    """
    if images is not None and not is_folder(images, DESCRIPTIONS):
        return images
    folder, own = split_location(label)
    files, stem = list_files(images or folder), own.rpartition(".")[0]
    for suffix in STACKS:
        if stem + suffix in files:
            return files[stem + suffix]
    raise ArchiveFileNotFoundError(
        f"there is no stack for {label}: looked for {stem} with {', '.join(STACKS)} in {images or folder}"
    )


def description_beside(label: str) -> str | None:
    """Return what describes a stack: the mdoc or list of angles of its name; None where there is neither."""
    folder, own = split_location(label)
    files, stem = list_files(folder), own.rpartition(".")[0]
    for name in (f"{own}.mdoc", f"{stem}.mdoc", *(stem + suffix for suffix in ANGLES)):
        if name in files:
            return files[name]
    return None


def _place(tilt: Tilt, known: Sequence[dict[str, str]]) -> Place | None:
    for name in tilt.names:
        base = PurePosixPath(name).name
        for table, key in zip(known, (name, base, _stem(base)), strict=True):
            if key in table:
                return Place(table[key], tilt.section)
    return None


def _stem(name: str) -> str:
    for suffix in _PACKED:
        name = name.removesuffix(suffix)
    return name.rpartition(".")[0] or name
