"""Particles as cryoSPARC's .cs files: an array of records, never pickled.

Names and types of the fields are those of files that cryoSPARC writes; what a table does not know is left
out. Real numbers are float32 there, so angles come back to about 1e-5 degrees.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import numpy as np

from caked.errors import InvalidOptionError
from caked.io.particles import WHOLE_FILE, ParticleTable
from caked.io.poses import matrices_from_euler, rotation_vectors_from_matrices
from caked.io.write import replacing
from caked.protocol import Array

__all__ = ["particle_records", "write_particles_cs"]

_CTF = {
    "optics_group": ("ctf/exp_group_id", "<u4", 1.0),
    "voltage_kilovolts": ("ctf/accel_kv", "<f4", 1.0),
    "spherical_aberration_millimetres": ("ctf/cs_mm", "<f4", 1.0),
    "amplitude_contrast": ("ctf/amp_contrast", "<f4", 1.0),
    "defocus_u_angstrom": ("ctf/df1_A", "<f4", 1.0),
    "defocus_v_angstrom": ("ctf/df2_A", "<f4", 1.0),
    "defocus_angle_degrees": ("ctf/df_angle_rad", "<f4", np.pi / 180),
    "phase_shift_degrees": ("ctf/phase_shift_rad", "<f4", np.pi / 180),
    "ctf_scale": ("ctf/scale", "<f4", 1.0),
    "ctf_bfactor_square_angstrom": ("ctf/bfactor", "<f4", 1.0),
}


def write_particles_cs(path: str | os.PathLike[str], table: ParticleTable, *, image_size: int) -> Path:
    """Write particles as a .cs file, whole or not at all.

    Parameters
    ----------
    image_size
        Side of the images in pixels.

    Raises
    ------
    InvalidOptionError
        If particles are whole files instead of sections of stacks, or their pixel size is not known.
    """
    records = particle_records(table, image_size=image_size)
    with replacing(path) as part, part.open("wb") as file:
        np.save(file, records, allow_pickle=False)
    return Path(path)


def particle_records(table: ParticleTable, *, image_size: int) -> Array:
    """Return the records of a .cs file."""
    if (table.section == WHOLE_FILE).any():
        raise InvalidOptionError("A .cs file lists sections of stacks, and these particles are files each.")
    if table.pixel_size_angstrom is None:
        raise InvalidOptionError("A .cs file needs a pixel size, and none is known of these particles.")
    rows = np.arange(len(table))
    size = np.asarray(table.pixel_size_angstrom[rows])
    fields: dict[str, tuple[str, Array]] = {
        "uid": ("<u8", rows + 1),
        "blob/path": _bytes([table.stacks[k] for k in range(len(table.stacks))], table.stack),
        "blob/idx": ("<u4", table.section),
        "blob/shape": ("<u4", np.full((len(rows), 2), image_size)),
        "blob/psize_A": ("<f4", size),
        "blob/sign": ("<f4", _sign(table, rows)),
    }
    for key, (name, dtype, factor) in _CTF.items():
        if key in table.columns:
            fields[name] = (dtype, np.asarray(table.columns[key][rows]) * factor)
    if "ctf/df1_A" in fields:  # readers expect it also of microscopes without a phase plate
        fields.setdefault("ctf/phase_shift_rad", ("<f4", np.zeros(len(rows))))
    fields |= _alignment(table, rows, size)
    if table.micrographs is not None:
        names = [name.encode("utf-8", "surrogateescape") for name in table.micrographs[rows]]
        fields["location/micrograph_path"] = (f"S{max(map(len, names), default=1) or 1}", np.array(names))
    if table.coordinates is not None and table.micrograph_shape is not None:
        shape = table.micrograph_shape[rows]
        y, x = (table.coordinates[rows] / shape).T
        fields["location/micrograph_shape"] = ("<u4", shape)
        fields |= {"location/center_x_frac": ("<f4", x), "location/center_y_frac": ("<f4", y)}
    records = np.zeros(
        len(rows), dtype=[(name, dtype, values.shape[1:]) for name, (dtype, values) in fields.items()]
    )
    for name, (_, values) in fields.items():
        records[name] = values
    return records


def _alignment(table: ParticleTable, rows: Array, size: Array) -> dict[str, tuple[str, Array]]:
    fields: dict[str, tuple[str, Array]] = {}
    if "half_set" in table.columns and (table.columns["half_set"][rows] > 0).all():
        fields["alignments3D/split"] = ("<u4", np.asarray(table.columns["half_set"][rows]) - 1)
    if table.shift_angstrom is not None:
        # In pixels along x and y: what brings the particle's centre to the image's.
        shifts = -np.asarray(table.shift_angstrom)[:, -2:][:, ::-1] / size[:, None]
        fields["alignments3D/shift"] = ("<f4", shifts + 0.0)
    if table.angles_degrees is not None:
        pose = rotation_vectors_from_matrices(matrices_from_euler(table.angles_degrees))
        fields["alignments3D/pose"] = ("<f4", pose)
    return fields | ({"alignments3D/psize_A": ("<f4", size)} if fields else {})


def _sign(table: ParticleTable, rows: Array) -> Array:
    sign: Any = table.kept.get("blob/sign")
    return np.ones(len(rows)) if sign is None else np.asarray(sign[rows])


def _bytes(words: list[str], codes: Array) -> tuple[str, Array]:
    encoded = np.array([word.encode("utf-8", "surrogateescape") for word in words] or [b""])
    return f"S{max(1, encoded.dtype.itemsize)}", encoded[codes]
