"""Images that belong together: one imageset, one pixel size."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from empiarreader.byteunits import describe_count
from empiarreader.errors import EmpiarReaderError, UnsupportedFormatError
from empiarreader.formats import suffix_of
from empiarreader.handing_over.acquisition import Acquisition, require
from empiarreader.handing_over.files import PACKED_SUFFIXES, HandedFile, of_kind
from empiarreader.handing_over.opticsgroups import Tell

if TYPE_CHECKING:
    from empiarreader.mrcsource import MrcSource

_SAME = 0.01  # relative difference of pixel sizes that are taken for equal


@dataclass(frozen=True, kw_only=True)
class ImageGroup:
    """Images of one kind and one imageset of an entry, or from outside any.

    Attributes
    ----------
    name : str
        Name of the imageset, ``""`` where there is none.
    kind : str
        What the images are for.
    files : tuple of HandedFile
        The images.
    acquisition : Acquisition
        How they were taken, with the pixel size of this imageset.
    note : str
        What a user should know of them, ``""`` where there is nothing.
    """

    name: str
    kind: str
    files: tuple[HandedFile, ...]
    acquisition: Acquisition
    note: str = ""


def group_images(
    files: Sequence[HandedFile],
    kind: str,
    acquisition: Acquisition,
    *,
    program: str,
    needs: tuple[str, ...],
    tell: Tell | None = None,
) -> list[ImageGroup]:
    """Return the imagesets that images are from, each with its pixel size, in the order of their files.

    The pixel size is the one given; else the imageset's; else, of volumes, that of the first file.

    Parameters
    ----------
    tell
        What tells the images of a group from others of their imageset; None makes one group of all.

    Raises
    ------
    InvalidRequestError
        If the program needs a value that nothing says.
    """
    sets: dict[tuple[int | None, str, str, str], list[HandedFile]] = {}
    for file in files:
        sets.setdefault((*file.belongs_to, tell(file) if tell else ""), []).append(file)
    return [
        _group(" ".join(filter(None, names)), kind, members, acquisition, program, needs)
        for (_, _, *names), members in sets.items()
    ]


class Chosen(NamedTuple):
    """The files of one kind, how each must be called, and a note about those left out."""

    files: list[HandedFile]
    suffixes: dict[Path, str]
    note: str


def choose(
    files: Sequence[HandedFile], kind: str, taken: Mapping[str, str], *, program: str, told: bool
) -> Chosen:
    """Return the files of a kind that a program takes; others of no known kind are left out.

    Parameters
    ----------
    taken
        How names of files that the program takes end, in lower case, and how they should.
    told
        Whether the user said that the files are of this kind.

    Raises
    ------
    UnsupportedFormatError
        If files of this kind are not taken, or none is left.
    """
    chosen = of_kind(files, kind, told=told)
    suffixes = {file.path: suffix for file in chosen if (suffix := _suffix(file, taken))}
    left_out = [file for file in chosen if file.path not in suffixes]
    refused = left_out if not suffixes else [file for file in left_out if file.kind is not None]
    if refused:
        name = refused[0].name
        packed = name.lower().endswith(PACKED_SUFFIXES)
        raise UnsupportedFormatError(
            f"{program} does not read {name} as {kind} ({', '.join(taken)}): "
            + ("unpack it first" if packed else "convert it first")
        )
    left_out += [] if told else [file for file in files if file.kind is None]
    note = ""
    if left_out:
        said = describe_count(len(left_out), "files")
        note = f"left out: {said} that may be no {kind}, such as {left_out[0].name}"
    return Chosen([file for file in chosen if file.path in suffixes], suffixes, note)


def _suffix(file: HandedFile, taken: Mapping[str, str]) -> str | None:
    """Return how a file must be called in the end, None where it is not taken."""
    name = file.path.name.lower()
    longest_first = sorted(taken, key=len, reverse=True)
    return next((taken[suffix] for suffix in longest_first if name.endswith(suffix)), None)


def final_image_note(file: HandedFile) -> str:
    """Return what to know of an EER movie that holds the sum of its frames, too; ``""`` of all others."""
    if suffix_of(file.path.name) != ".eer":
        return ""
    try:
        facts = _opened(file.path).image(0).attrs
    except EmpiarReaderError:
        return ""  # it is not there yet, or Scipion will not read it either
    if "final_image" not in facts:
        return ""
    frames = facts["recorded_frames"]
    counted = f"{describe_count(frames + 1, 'frames')} instead of {frames}"
    return f"Scipion counts the final image of {file.name} as one more frame: {counted}"


def sections_and_size(path: Path) -> tuple[int, int, int]:
    """Return the number of images in a file, and their height and width, by its header.

    Raises
    ------
    ArchiveFileNotFoundError
        If the file is not there yet.
    """
    shape = _opened(path).shape(0)
    return (shape[0] if len(shape) > 2 else 1), shape[-2], shape[-1]


def _group(
    name: str,
    kind: str,
    files: list[HandedFile],
    acquisition: Acquisition,
    program: str,
    needs: tuple[str, ...],
) -> ImageGroup:
    of_entry, of_file = _pixel_size_of_entry(files[0]), _pixel_size_of_file(files[0].path)
    pixel_size = acquisition.pixel_size_angstrom or of_entry or (of_file if kind == "volumes" else None)
    known = replace(acquisition, pixel_size_angstrom=pixel_size)
    said = f"the header of {files[0].path.name} says {of_file or 0:g} Å a pixel"
    require(known, needs, program=program, hint=f" ({said})" if of_file and not pixel_size else "")
    note = ""
    if of_file and pixel_size and abs(of_file - pixel_size) > _SAME * pixel_size:
        note = f"{name or kind}: {pixel_size:g} Å a pixel are taken, but {said}; see which is right"
    return ImageGroup(name=name, kind=kind, files=tuple(files), acquisition=known, note=note)


def _pixel_size_of_entry(file: HandedFile) -> float | None:
    imageset = file.imageset
    if imageset is None or imageset.pixel_width_angstrom != imageset.pixel_height_angstrom:
        return None
    return imageset.pixel_width_angstrom


def _pixel_size_of_file(path: Path) -> float | None:
    """Return what the header of a file says, None where it says nothing; many programs fill in 1 Å."""
    if suffix_of(path.name) != path.suffix.lower():
        return None  # packed: it would have to be unpacked first
    try:
        size = _opened(path).image(0).voxel_size  # of lengths in 32 bits
    except EmpiarReaderError:
        return None
    height, width = (round(float(length), 4) for length in size[-2:])
    return width if width == height and width > 0 and width != 1 else None


def _opened(path: Path) -> MrcSource:
    from empiarreader.mrcsource import MrcSource

    return MrcSource([os.fspath(path)])
