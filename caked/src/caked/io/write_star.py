"""Particles as STAR files of RELION 3.0, 3.1 and 5.

Field names and units are RELION's (https://relion.readthedocs.io, "Conventions"): angles in degrees, origins
in Å from 3.1 on and in pixels before, defocus in Å, voltage in kV, Cs in mm. What is said of an optics group
stands in a block of its own from 3.1 on, and with every particle before.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from caked.errors import InvalidOptionError
from caked.io.particles import WHOLE_FILE, ParticleTable
from caked.io.write import replacing
from caked.protocol import Array

if TYPE_CHECKING:
    pass

__all__ = ["StarVersion", "particle_blocks", "write_particles_star"]

StarVersion = Literal["3.0", "3.1", "5"]

_DIGITS = "%.9g"
_MAGNIFICATION = 10_000.0  # with it, the pixel of the detector in μm is the pixel size in Å
_OPTICS = {
    "voltage_kilovolts": "rlnVoltage",
    "spherical_aberration_millimetres": "rlnSphericalAberration",
    "amplitude_contrast": "rlnAmplitudeContrast",
}
_PARTICLE = {
    "defocus_u_angstrom": "rlnDefocusU",
    "defocus_v_angstrom": "rlnDefocusV",
    "defocus_angle_degrees": "rlnDefocusAngle",
    "phase_shift_degrees": "rlnPhaseShift",
    "ctf_bfactor_square_angstrom": "rlnCtfBfactor",
    "ctf_scale": "rlnCtfScalefactor",
}
_COMMENTS = {"3.0": "", "3.1": "# version 30001\n", "5": "# version 50001\n"}


def write_particles_star(
    path: str | os.PathLike[str],
    table: ParticleTable,
    *,
    version: StarVersion = "3.1",
    image_size: int | None = None,
) -> Path:
    """Write particles as a STAR file, whole or not at all.

    Parameters
    ----------
    version
        ``"3.0"``, ``"3.1"`` or ``"5"``.
    image_size
        Side of the images in pixels, for the block of optics groups; RELION asks for it from 3.1 on.

    Raises
    ------
    InvalidOptionError
        If the version is none of these, or 3.0 is asked for shifts without a pixel size.
    """
    import starfile

    blocks = particle_blocks(table, version=version, image_size=image_size)
    text: str = starfile.to_string(blocks, float_format=_DIGITS)
    marked = text.replace("\ndata_", f"\n{_COMMENTS[version]}data_")
    with replacing(path) as part:
        part.write_text(marked, encoding="utf-8", errors="surrogateescape")
    return Path(path)


def particle_blocks(
    table: ParticleTable, *, version: StarVersion = "3.1", image_size: int | None = None
) -> dict[str, Any]:
    """Return the blocks of a STAR file, as frames and mappings."""
    import pandas as pd

    if version not in get_args(StarVersion):
        raise InvalidOptionError(
            f"STAR files are of RELION {', '.join(get_args(StarVersion))}, not {version!r}."
        )
    rows = np.arange(len(table))
    known: dict[str, Array] = {key: np.asarray(values[rows]) for key, values in table.columns.items()}
    size = None if table.pixel_size_angstrom is None else np.asarray(table.pixel_size_angstrom[rows])
    columns = _particles(table, known, rows)
    if version == "3.0":
        columns |= _shifts_in_pixels(table, size)
        columns |= {star: known[key] for key, star in _OPTICS.items() if key in known}
        if size is not None:
            columns |= {"rlnDetectorPixelSize": size, "rlnMagnification": np.full(len(rows), _MAGNIFICATION)}
        return {"": pd.DataFrame(columns)}
    columns |= _shifts(table, "Angst", 1.0)
    groups, optics = _optics_groups(
        known, size, image_size, is_volume=bool((table.section == WHOLE_FILE).all())
    )
    columns["rlnOpticsGroup"] = groups
    general = {"general": {"rlnTomoSubTomosAre2DStacks": 1}} if table.tilt_stacks else {}
    return {**general, "optics": pd.DataFrame(optics), "particles": pd.DataFrame(columns)}


def _particles(table: ParticleTable, known: Mapping[str, Array], rows: Array) -> dict[str, Any]:
    stacks = [table.stacks[k] for k in range(len(table.stacks))]
    columns: dict[str, Any] = {
        "rlnImageName": [
            stacks[stack] if section == WHOLE_FILE else f"{section + 1:06d}@{stacks[stack]}"
            for stack, section in zip(table.stack.tolist(), table.section.tolist(), strict=True)
        ]
    }
    if table.micrographs is not None:
        of_tomograms = table.coordinates is not None and table.coordinates.shape[1] == 3
        columns["rlnTomoName" if of_tomograms else "rlnMicrographName"] = table.micrographs[rows]
    if table.coordinates is not None:
        along = zip("XYZ", table.coordinates[:, ::-1].T, strict=False)
        columns |= {f"rlnCoordinate{axis}": values for axis, values in along}
    if table.visible_tilts is not None:
        columns["rlnTomoVisibleFrames"] = table.visible_tilts[rows]
    if table.angles_degrees is not None:
        rot, tilt, psi = np.asarray(table.angles_degrees, dtype=np.float64).T
        columns |= {"rlnAngleRot": rot, "rlnAngleTilt": tilt, "rlnAnglePsi": psi}
    columns |= {star: known[key] for key, star in _PARTICLE.items() if key in known}
    if "half_set" in known and (known["half_set"] > 0).all():
        columns["rlnRandomSubset"] = known["half_set"]
    return columns


def _shifts(table: ParticleTable, unit: str, scale: Any) -> dict[str, Array]:
    """Return RELION's origins: what brings the particle's centre to the image's, along x, y and z."""
    if table.shift_angstrom is None:
        return {}
    origins = -np.asarray(table.shift_angstrom)[:, ::-1] / scale + 0.0
    return {f"rlnOrigin{axis}{unit}": origin for axis, origin in zip("XYZ", origins.T, strict=False)}


def _shifts_in_pixels(table: ParticleTable, size: Array | None) -> dict[str, Array]:
    if table.shift_angstrom is not None and size is None:
        raise InvalidOptionError("RELION 3.0 keeps shifts in pixels, and the pixel size is not known.")
    return {} if size is None else _shifts(table, "", size[:, None])


def _optics_groups(
    known: Mapping[str, Array], size: Array | None, image_size: int | None, *, is_volume: bool
) -> tuple[Array, dict[str, Any]]:
    """Return the optics group of each particle, from 1, and a row for each group.

    Groups stay as they are, unless particles of one group differ in what belongs to a group.
    """
    count = len(next(iter(known.values()), size if size is not None else np.empty(0)))
    shared = {star: known[key] for key, star in _OPTICS.items() if key in known}
    if size is not None:
        shared["rlnImagePixelSize"] = size
    old = known.get("optics_group", np.ones(count, dtype=np.int64))
    keys = np.stack(
        [old.astype(np.float64), *(values.astype(np.float64) for values in shared.values())], axis=1
    )
    _, first, code = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    code = code.reshape(-1)
    keeps = len(first) == len(np.unique(old)) and (old > 0).all()
    numbers = old[first] if keeps else np.arange(1, len(first) + 1)
    rows: dict[str, Any] = {
        "rlnOpticsGroupName": [f"opticsGroup{number}" for number in numbers],
        "rlnOpticsGroup": numbers,
        **{star: values[first] for star, values in shared.items()},
    }
    if image_size is not None:
        rows["rlnImageSize"] = np.full(len(first), image_size)
    rows["rlnImageDimensionality"] = np.full(len(first), 3 if is_volume else 2)
    return numbers[code], rows
