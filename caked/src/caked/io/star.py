"""STAR files as columns of numpy arrays, and particles from those of RELION 3.0, 3.1 and 5."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from caked.errors import DamagedFileError, RefusedFileError
from caked.io.layout import reported
from caked.io.particles import ParticleTable, image_places
from caked.protocol import Array

__all__ = ["Table", "lists_particles", "numbers", "read_particles_star", "read_star"]

Table = dict[str, Array]
"""Columns of one block by their name without the underscore: numbers, or objects that are strings."""

TEXT_COLUMNS = (
    "rlnImageName",
    "rlnMicrographName",
    "rlnMovieName",
    "rlnMicrographMovieName",
    "rlnTomoName",
    "rlnTomoParticleName",
    "rlnTomoVisibleFrames",
    "rlnGroupName",
    "rlnOpticsGroupName",
    "rlnCoordinatesName",
    "rlnMicrographCoordinates",
    "rlnTomoTiltSeriesStarFile",
    "rlnTomoTiltSeriesName",
)
"""Columns that are words even where they look like numbers."""

_CTF = {
    "defocus_u_angstrom": "rlnDefocusU",
    "defocus_v_angstrom": "rlnDefocusV",
    "defocus_angle_degrees": "rlnDefocusAngle",
    "voltage_kilovolts": "rlnVoltage",
    "spherical_aberration_millimetres": "rlnSphericalAberration",
    "amplitude_contrast": "rlnAmplitudeContrast",
    "phase_shift_degrees": "rlnPhaseShift",
    "ctf_bfactor_square_angstrom": "rlnCtfBfactor",
    "ctf_scale": "rlnCtfScalefactor",
}
_GROUPS = ("rlnMicrographName", "rlnTomoName")


def read_star(path: str | os.PathLike[str]) -> dict[str, Table]:
    """Read every block of a STAR file, a block of single values as columns of one row.

    Raises
    ------
    SourceNotFoundError
        If there is no such file.
    DamagedFileError
        If it holds no block, or rows that do not fit their columns.
    """
    import starfile

    name = os.fspath(path)
    with reported(name):
        try:
            blocks = starfile.read(name, always_dict=True, parse_as_string=list(TEXT_COLUMNS))
        except FileNotFoundError:
            raise
        except (ValueError, KeyError, IndexError, TypeError, AttributeError) as error:
            raise _damaged(name, str(error).partition("\n")[0][:120]) from error
    if not blocks:
        raise _damaged(name, "it has no block of data")
    return {str(key): _columns(block) for key, block in blocks.items()}


def lists_particles(path: str | os.PathLike[str]) -> bool:
    """Whether a STAR file lists images of particles, and not only where they are."""
    if not os.fspath(path).lower().endswith(".star"):
        return False
    return any("rlnImageName" in block for block in read_star(path).values())


def _columns(block: Any) -> Table:
    if isinstance(block, Mapping):
        return {key: np.array([value]) for key, value in block.items()}
    return {str(key): block[key].to_numpy() for key in block.columns}


def _damaged(name: str, why: str) -> DamagedFileError:
    return DamagedFileError(f"As a STAR file it makes no sense ({why}): file {name} is corrupted.", path=name)


def numbers(table: Table, column: str, *, name: str) -> Array | None:
    """Return a column as float64; ``None`` where the table has none.

    Raises
    ------
    DamagedFileError
        If a value is no number.
    """
    if column not in table:
        return None
    try:
        values = table[column].astype(np.float64)
    except (ValueError, TypeError) as error:
        raise _damaged(name, f"column {column}: {str(error)[:80]}") from error
    if np.isnan(values).any():
        row = int(np.isnan(values).argmax())
        raise _damaged(name, f"column {column} has no number in row {row + 1}")
    return values


def read_particles_star(
    path: str | os.PathLike[str], *, keep: Sequence[str] = (), coordinates: bool = False
) -> ParticleTable:
    """Read the particles of a STAR file: images, poses, shifts, CTF, optics groups, half-sets, micrographs.

    A table of micrographs with their CTF is read too: each micrograph is one image.

    Parameters
    ----------
    keep
        Further columns of the block of particles to keep as they are.
    coordinates
        Whether to keep where in its micrograph each particle was picked.

    Raises
    ------
    RefusedFileError
        If no block has images (``rlnImageName``) or micrographs, or a column to keep is not there.
    """
    name = os.fspath(path)
    blocks = read_star(name)
    particles, images = _particle_block(blocks, name)
    optics = _optics_rows(particles, blocks.get("optics"), name)
    column = _Finder(particles, blocks.get("optics"), optics, name)
    missing = [key for key in keep if key not in particles]
    if missing:
        raise RefusedFileError(f"{name} has no column {missing[0]}; it has {sorted(particles)}.", path=name)
    pixel_size = _pixel_size(column)
    columns = {key: column(star) for key, star in _CTF.items()}
    columns |= {"optics_group": column("rlnOpticsGroup"), "half_set": column("rlnRandomSubset")}
    groups = [particles[key] for key in _GROUPS if key in particles]
    return ParticleTable.from_columns(
        places=image_places([str(value) for value in particles[images]], name),
        pixel_size_angstrom=pixel_size,
        columns={key: values for key, values in columns.items() if values is not None},
        angles=_stacked(column, ("rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi")),
        shifts=_shifts(column, pixel_size, name),
        micrographs=[str(value) for value in groups[0]] if groups else None,
        kept={key: particles[key] for key in keep},
        coordinates=_coordinates(column) if coordinates else None,
        tilt_stacks=_are_tilt_stacks(blocks, name),
        visible_tilts=_visible_tilts(particles, name),
    )


def _coordinates(column: _Finder) -> Array | None:
    axes = [column(f"rlnCoordinate{axis}") for axis in "ZYX"]
    known = [values for values in axes if values is not None]
    return np.stack(known, axis=1) if axes[1] is not None and axes[2] is not None else None


def _visible_tilts(particles: Table, name: str) -> list[str] | None:
    if "rlnTomoVisibleFrames" not in particles:
        return None
    flags = [str(value) for value in particles["rlnTomoVisibleFrames"]]
    for row, text in enumerate(flags):
        if not re.fullmatch(r"\[[01](,[01])*\]", text):
            raise _damaged(name, f"rlnTomoVisibleFrames of row {row + 1} is {text[:40]!r}")
    return flags


def _are_tilt_stacks(blocks: Mapping[str, Table], name: str) -> bool:
    """Whether particles of a tomogram are stacks of their tilts, as RELION 5 and Warp write it."""
    flag = numbers(blocks.get("general", {}), "rlnTomoSubTomosAre2DStacks", name=name)
    return flag is not None and bool(flag.any())


def _particle_block(blocks: Mapping[str, Table], name: str) -> tuple[Table, str]:
    """Return the block of particles, else that of micrographs, and the column that names the images."""
    for key in ("particles", "images", "", *blocks):
        if "rlnImageName" in blocks.get(key, ()):
            return blocks[key], "rlnImageName"
    for block in blocks.values():
        if "rlnMicrographName" in block and "rlnCoordinateX" not in block:
            return block, "rlnMicrographName"
    raise RefusedFileError(
        f"{name} lists no images: none of its blocks {list(blocks)} has a column rlnImageName, or is of "
        "micrographs.",
        path=name,
    )


def _optics_rows(particles: Table, optics: Table | None, name: str) -> Array | None:
    """Return the row of the optics block for each particle."""
    if optics is None or "rlnOpticsGroup" not in optics:
        return None
    known = numbers(optics, "rlnOpticsGroup", name=name)
    wanted = numbers(particles, "rlnOpticsGroup", name=name)
    if known is None or wanted is None:
        return None
    order = np.argsort(known, kind="stable")
    rows = order[np.searchsorted(known[order], wanted).clip(0, len(known) - 1)]
    strange = known[rows] != wanted
    if strange.any():
        raise _damaged(name, f"its optics block has no group {wanted[strange][0]:g}")
    return np.asarray(rows)


class _Finder:
    """A column of the particles, or else of their optics groups."""

    def __init__(self, particles: Table, optics: Table | None, rows: Array | None, name: str) -> None:
        self.particles, self.optics, self.rows, self.name = particles, optics, rows, name
        self.count = len(next(iter(particles.values())))

    def __call__(self, column: str) -> Array | None:
        own = numbers(self.particles, column, name=self.name)
        if own is not None or self.optics is None or self.rows is None:
            return own
        shared = numbers(self.optics, column, name=self.name)
        return None if shared is None else shared[self.rows]


def _pixel_size(column: _Finder) -> Array | None:
    for key in ("rlnImagePixelSize", "rlnPixelSize", "rlnMicrographPixelSize"):
        sizes = column(key)
        if sizes is not None:
            return sizes
    detector, magnification = column("rlnDetectorPixelSize"), column("rlnMagnification")
    if detector is None or magnification is None or not magnification.all():
        return None
    return np.asarray(detector * 1e4 / magnification)  # μm on the detector


def _stacked(column: _Finder, keys: Sequence[str]) -> Array | None:
    """Return columns side by side; those that are missing are 0, if any is there."""
    found = [column(key) for key in keys]
    if all(values is None for values in found):
        return None
    return np.stack([np.zeros(column.count) if v is None else v for v in found], axis=1)


def _shifts(column: _Finder, pixel_size: Array | None, name: str) -> Array | None:
    """Return the particle's centre from the image's in Å, in array order.

    RELION's origin is what the image has to be moved by to bring the particle to the centre: the opposite.
    """
    angstrom = _stacked(column, ("rlnOriginXAngst", "rlnOriginYAngst", "rlnOriginZAngst"))
    in_pixels = _stacked(column, ("rlnOriginX", "rlnOriginY", "rlnOriginZ"))
    if angstrom is None and in_pixels is not None and pixel_size is not None:
        angstrom = in_pixels * pixel_size[:, None]
    if angstrom is None:
        if in_pixels is not None and in_pixels.any():
            raise RefusedFileError(
                f"{name} gives shifts in pixels and no pixel size; add rlnPixelSize or rlnMagnification and "
                "rlnDetectorPixelSize.",
                path=name,
            )
        return None
    ndim = 3 if column("rlnOriginZAngst") is not None or column("rlnOriginZ") is not None else 2
    return -angstrom[:, :ndim][:, ::-1] + 0.0
