"""What tells the optics groups of an imageset apart: a part of the names, or the beam shift."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from empiarreader.byteunits import describe_count
from empiarreader.errors import InvalidRequestError
from empiarreader.handing_over.beamshifts import cluster, read_beam_shifts
from empiarreader.handing_over.files import HandedFile

Tell = Callable[[HandedFile], str]

_CLEARLY_APART = (
    3.0  # distance of centres over the largest distance from one, where a number of groups is right
)


def by_name(pattern: str) -> Tell:
    """Return what finds, in the path of a file, the part that tells its group.

    Raises
    ------
    InvalidRequestError
        If it is no regular expression; later, if it fits no part of a path.
    """
    try:
        wanted = re.compile(pattern)
    except re.error as error:
        raise InvalidRequestError(f"{pattern!r} is no regular expression: {error}") from None

    def find(file: HandedFile) -> str:
        found = wanted.search(file.name)
        if found is None:
            raise InvalidRequestError(f"{pattern!r} fits no part of {file.name}, which tells its group")
        return "_".join(filter(None, found.groups() or (found[0],)))

    return find


def by_beam_shift(files: Sequence[HandedFile], count: int) -> tuple[Tell, str]:
    """Return what tells the group of each file, so many in each imageset, and how well they are apart.

    Raises
    ------
    InvalidRequestError
        If an imageset has fewer different shifts.
    ArchiveFileNotFoundError, DamagedDataError
        If the shift of an image was not noted beside it.
    """
    sets: dict[object, list[HandedFile]] = {}
    for file in files:
        sets.setdefault(file.belongs_to, []).append(file)
    numbers: dict[Path, str] = {}
    notes = []
    for members in sets.values():
        shifts = read_beam_shifts([file.path for file in members])
        different = len(np.unique(shifts, axis=0))
        if not 0 < count <= different:
            raise InvalidRequestError(
                f"{describe_count(count, 'groups')} of beam shift asked for; "
                f"{describe_count(len(members), 'images')} around {members[0].name}: "
                f"{describe_count(different, 'different shifts')}"
            )
        groups = cluster(shifts, count)
        numbers |= {file.path: f"shift{group + 1}" for file, group in zip(members, groups, strict=True)}
        notes.append(_how_far_apart(shifts, groups))
    return (lambda file: numbers[file.path]), "; ".join(notes)


def _how_far_apart(shifts: NDArray[np.float64], groups: NDArray[np.intp]) -> str:
    sizes = np.bincount(groups)
    centres = np.array([shifts[groups == number].mean(axis=0) for number in range(len(sizes))])
    widest = float(np.linalg.norm(shifts - centres[groups], axis=1).max())
    told = f"{describe_count(len(sizes), 'groups')} of beam shift, of {sizes.min()} to {sizes.max()} images"
    if len(sizes) == 1:
        return told
    between = np.linalg.norm(centres[:, np.newaxis] - centres, axis=-1)
    nearest = float(between[~np.eye(len(sizes), dtype=bool)].min())
    told += f", at most {widest:.3g} from their centres, which are at least {nearest:.3g} apart"
    is_clear = _CLEARLY_APART * widest < nearest
    return told + ("" if is_clear else "; they are not clearly apart: try another number of groups")
