"""Particles and coordinates from one program's files to another's: pose, shift, CTF and units follow."""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from caked.errors import CakedError, InvalidOptionError
from caked.io.coordinates import Points, grouped, read_coordinates
from caked.io.cs import read_particles_cs
from caked.io.layout import read_layout
from caked.io.particles import ParticleTable
from caked.io.star import lists_particles, read_particles_star
from caked.io.write_coordinates import COORDINATE_SUFFIXES, write_coordinates
from caked.io.write_cs import write_particles_cs
from caked.io.write_star import StarVersion, write_particles_star

__all__ = ["Conversion", "convert"]

logger = logging.getLogger(__name__)

_AnyPath = str | os.PathLike[str]


@dataclass(frozen=True, kw_only=True)
class Conversion:
    """What was written: the file, whether it lists ``"particles"`` or ``"coordinates"``, and how many."""

    path: Path
    kind: str
    count: int


def convert(
    source: _AnyPath,
    target: _AnyPath,
    *,
    star_version: StarVersion = "3.1",
    image_size: int | None = None,
    box_size: int | None = None,
    passthrough: Sequence[_AnyPath] = (),
) -> Conversion:
    """Write what a file of particles or coordinates says in the form that another program reads.

    Parameters
    ----------
    source
        RELION's STAR of any version, cryoSPARC's .cs, EMAN's .box, or a table of coordinates.
    target
        ``.star``, ``.cs``, ``.box``, ``.csv``, ``.tsv`` or ``.txt``; its ending says which. Of particles,
        the first two list them again, with where they were picked, and the others only where; coordinates
        become coordinates. No image is copied: the names of stacks stay as they are.
    star_version
        Of RELION, for particles in STAR: ``"3.0"``, ``"3.1"`` or ``"5"``.
    image_size
        Side of the particle images in pixels; ``None`` to look at the first stack, where it is there.
    box_size
        Side of the boxes for ``.box``, in pixels.
    passthrough
        Further .cs files of the same particles, for what ``source`` lacks.

    Raises
    ------
    SourceNotFoundError, DamagedFileError, RefusedFileError
        If the source cannot be read.
    InvalidOptionError
        If the target cannot hold what the source says.
    """
    goal = Path(target).suffix.lower()
    if Path(source).suffix.lower() == ".cs":
        table = read_particles_cs(source, passthrough=passthrough, coordinates=True)
    elif passthrough:
        raise InvalidOptionError(f"Only a .cs file has others beside it, and {source} is none.")
    elif lists_particles(source):
        table = read_particles_star(source, coordinates=True)
    else:
        return _write_points(read_coordinates(source), target, box_size)
    if goal in COORDINATE_SUFFIXES:
        return _write_points(_picks(table, source), target, box_size)
    size = image_size if image_size is not None else _image_size(table, Path(source).parent)
    if goal == ".star":
        _tell_of_sign(table, source)
        written = write_particles_star(target, table, version=star_version, image_size=size)
    elif goal == ".cs":
        if size is None:
            raise InvalidOptionError(
                f"A .cs file states the size of the images, and the stacks of {source} are not there to look "
                "at; give image_size."
            )
        written = write_particles_cs(target, table, image_size=size)
    else:
        raise InvalidOptionError(
            f"Particles are written to .star or .cs, and where they were picked to "
            f"{', '.join(COORDINATE_SUFFIXES)}; {target} is none of these."
        )
    return Conversion(path=written, kind="particles", count=len(table))


def _write_points(points: dict[str, Points], target: _AnyPath, box_size: int | None) -> Conversion:
    written = write_coordinates(target, points, box_size=box_size)
    return Conversion(path=written, kind="coordinates", count=sum(map(len, points.values())))


def _picks(table: ParticleTable, source: _AnyPath) -> dict[str, Points]:
    if table.coordinates is None:
        raise InvalidOptionError(
            f"{source} does not say where in their micrographs the particles were picked; particles are "
            "written to .star or .cs."
        )
    micrographs = table.micrographs[np.arange(len(table))] if table.micrographs else [""] * len(table)
    return grouped(micrographs, table.coordinates)


def _image_size(table: ParticleTable, folder: Path) -> int | None:
    if not len(table.stacks):
        return None
    stack = Path(table.stacks[0])
    for place in (stack, folder / stack, folder / stack.name):
        if place.is_file():
            try:
                return read_layout(place).shape[-1]
            except CakedError as error:
                logger.info("The size of the images cannot be seen: %s", error)
    return None


def _tell_of_sign(table: ParticleTable, source: _AnyPath) -> None:
    sign = table.kept.get("blob/sign")
    if sign is not None and (np.asarray(sign[np.arange(len(table))]) < 0).any():
        logger.warning(
            "%s marks images as of inverted contrast (blob/sign is -1); a STAR file cannot say so.", source
        )
