"""Tilt series of RELION's tables: ``tomograms.star`` of version 4, ``tilt_series.star`` of version 5."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from caked.errors import DamagedFileError, RefusedFileError, SourceNotFoundError
from caked.io.series import Series, Stacks
from caked.io.star import Table, numbers, read_star
from caked.protocol import Array

__all__ = ["series_of_star"]

_TILT_CTF = {
    "defocus_u_angstrom": "rlnDefocusU",
    "defocus_v_angstrom": "rlnDefocusV",
    "defocus_angle_degrees": "rlnDefocusAngle",
    "phase_shift_degrees": "rlnPhaseShift",
    "ctf_scale": "rlnCtfScalefactor",
}
_SHARED_CTF = {
    "voltage_kilovolts": "rlnVoltage",
    "spherical_aberration_millimetres": "rlnSphericalAberration",
    "amplitude_contrast": "rlnAmplitudeContrast",
}


def series_of_star(path: str | os.PathLike[str]) -> tuple[list[Series], list[str]]:
    """Read tilt series from RELION's ``tomograms.star`` (4) or ``tilt_series.star`` (5).

    Returns
    -------
    tuple
        The series, and the files that their images are in.
    """
    name = os.fspath(path)
    blocks = read_star(name)
    overview = next((block for block in blocks.values() if "rlnTomoName" in block), None)
    if overview is None:
        raise RefusedFileError(f"{name} lists no tilt series: it has no column rlnTomoName.", path=name)
    stacks, found = Stacks(), []
    for row, word in enumerate(overview["rlnTomoName"]):
        tomogram = str(word)
        tilts, where = _tilts(blocks, overview, row, tomogram, name)
        members = _tilt_images(tilts, overview, row, tomogram, where)
        found.append(
            Series(
                name=tomogram,
                members=np.array([stacks.index(file, k, source=where) for file, k in members]),
                angles_degrees=_tilt_angles(tilts, where),
                dose=numbers(tilts, "rlnMicrographPreExposure", name=where),
                pixel_size_angstrom=_first(overview, row, "rlnTomoTiltSeriesPixelSize", name),
                ctf=_tilt_ctf(tilts, overview, row, where),
            )
        )
    return found, list(stacks.start)


def _tilts(
    blocks: Mapping[str, Table], overview: Table, row: int, tomogram: str, name: str
) -> tuple[Table, str]:
    """Return the table of a series' tilts, and the file it is in."""
    if "rlnTomoTiltSeriesStarFile" in overview:
        file = str(_project_file(str(overview["rlnTomoTiltSeriesStarFile"][row]), name))
        return next(iter(read_star(file).values())), file
    if tomogram not in blocks:
        raise DamagedFileError(
            f"It has no block of tilts for {tomogram!r}: file {name} is corrupted.", path=name
        )
    return blocks[tomogram], name


def _tilt_images(tilts: Table, overview: Table, row: int, tomogram: str, name: str) -> list[tuple[Path, int]]:
    """Return file and section of each tilt."""
    if "rlnMicrographName" in tilts:
        pairs = [str(word).rpartition("@") for word in tilts["rlnMicrographName"]]
        return [(_project_file(file, name), int(number or 1) - 1) for number, _, file in pairs]
    if "rlnTomoTiltSeriesName" not in overview:
        raise RefusedFileError(f"{name} does not say where the images of {tomogram} are.", path=name)
    stack = str(overview["rlnTomoTiltSeriesName"][row]).removesuffix(":mrc")
    return [(_project_file(stack, name), k) for k in range(len(next(iter(tilts.values()))))]


def _project_file(file: str, table: str) -> Path:
    """Return a file named from the table's folder, or from one above it, as RELION names them."""
    folder = Path(table).absolute().parent
    for place in (folder, *folder.parents):
        if (place / file).is_file():
            return place / file
    raise SourceNotFoundError(f"{table} names {file}, which is neither there nor above it.", path=file)


def _tilt_angles(tilts: Table, name: str) -> Array | None:
    for column in ("rlnTomoNominalStageTiltAngle", "rlnTomoYTilt"):
        angles = numbers(tilts, column, name=name)
        if angles is not None:
            return angles
    if "rlnTomoProjZ" not in tilts:
        return None
    rows = np.array([_vector(str(word), name) for word in tilts["rlnTomoProjZ"]])
    # The row that makes the laboratory's z of a point: (-sin t, 0, cos t) for a tilt t about y.
    return np.asarray(-np.sign(rows[:, 0]) * np.degrees(np.arccos(np.clip(rows[:, 2], -1.0, 1.0))))


def _vector(word: str, name: str) -> list[float]:
    try:
        values = [float(part) for part in word.strip("[]").split(",")]
    except ValueError:
        values = []
    if len(values) != 4:
        raise DamagedFileError(
            f"{word[:60]!r} is no row of a projection: file {name} is corrupted.", path=name
        )
    return values


def _tilt_ctf(tilts: Table, overview: Table, row: int, name: str) -> dict[str, Array]:
    ctf = {key: numbers(tilts, column, name=name) for key, column in _TILT_CTF.items()}
    known = {key: values for key, values in ctf.items() if values is not None}
    count = len(next(iter(tilts.values())))
    for key, column in _SHARED_CTF.items():
        if column in overview:
            known[key] = np.full(count, _first(overview, row, column, name))
    return known


def _first(overview: Table, row: int, column: str, name: str) -> float:
    values = numbers(overview, column, name=name)
    return 0.0 if values is None else float(values[row])
