"""Particles from cryoSPARC's .cs files: numpy arrays of records, never unpickled."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from caked.errors import DamagedFileError, RefusedFileError
from caked.io.layout import reported
from caked.io.particles import ParticleTable, Places
from caked.io.poses import euler_from_matrices, matrices_from_rotation_vectors
from caked.protocol import Array

__all__ = ["read_cs", "read_particles_cs"]

_CTF = {
    "defocus_u_angstrom": "ctf/df1_A",
    "defocus_v_angstrom": "ctf/df2_A",
    "defocus_angle_degrees": "ctf/df_angle_rad",
    "voltage_kilovolts": "ctf/accel_kv",
    "spherical_aberration_millimetres": "ctf/cs_mm",
    "amplitude_contrast": "ctf/amp_contrast",
    "phase_shift_degrees": "ctf/phase_shift_rad",
    "ctf_bfactor_square_angstrom": "ctf/bfactor",
    "ctf_scale": "ctf/scale",
    "optics_group": "ctf/exp_group_id",
}
_IN_RADIANS = ("defocus_angle_degrees", "phase_shift_degrees")
_ALIGNMENTS = ("alignments3D", "alignments_class_0", "alignments2D")


def read_cs(path: str | os.PathLike[str]) -> Array:
    """Read the records of a .cs file.

    Raises
    ------
    SourceNotFoundError
        If there is no such file.
    DamagedFileError
        If it is no numpy file, or ends before its records do.
    RefusedFileError
        If it holds Python objects, which would have to be unpickled, or no named columns.
    """
    name = os.fspath(path)
    with reported(name), Path(name).open("rb") as file:
        try:
            version = np.lib.format.read_magic(file)
            read_header: Any = (
                np.lib.format.read_array_header_1_0
                if version == (1, 0)
                else np.lib.format.read_array_header_2_0
            )
            shape, _, dtype = read_header(file)
        except (ValueError, TypeError, SyntaxError) as error:
            why = str(error).partition("\n")[0][:100]
            raise DamagedFileError(
                f"It is no .cs file of records ({why}): file {name} is corrupted.", path=name
            ) from error
        if dtype.hasobject:
            raise RefusedFileError(
                f"File {name} holds Python objects in columns {_object_columns(dtype)}: to unpickle them "
                "would run whatever code they name. Save the columns as numbers or fixed strings.",
                path=name,
            )
        if dtype.names is None or len(shape) != 1:
            raise RefusedFileError(
                f"File {name} is a numpy array of {dtype}, not of named columns.", path=name
            )
        promised = file.tell() + shape[0] * dtype.itemsize
        size = os.fstat(file.fileno()).st_size
        if size < promised:
            raise DamagedFileError(
                f"Its header promises {promised} bytes and there are {size}: file {name} is corrupted.",
                path=name,
            )
        return np.fromfile(file, dtype=dtype, count=shape[0])


def _object_columns(dtype: np.dtype[Any]) -> list[str]:
    return [key for key in dtype.names or () if dtype[key].hasobject]


def read_particles_cs(
    path: str | os.PathLike[str],
    *,
    passthrough: Sequence[str | os.PathLike[str]] = (),
    keep: Sequence[str] = (),
    coordinates: bool = False,
) -> ParticleTable:
    """Read the particles of a .cs file.

    Parameters
    ----------
    passthrough
        Further .cs files of the same particles, joined by ``uid``, for columns that ``path`` lacks.
    keep
        Further columns to keep as they are.
    coordinates
        Whether to keep where in its micrograph each particle was picked.

    Raises
    ------
    RefusedFileError
        If there are no images (``blob/path`` and ``blob/idx``), or a column to keep is not there.
    """
    name = os.fspath(path)
    columns = _Columns(name)
    for other in passthrough:
        columns.add(os.fspath(other))
    if "blob/path" not in columns or "blob/idx" not in columns:
        raise RefusedFileError(
            f"{name} has no images (blob/path, blob/idx): give the file that has them as passthrough.",
            path=name,
        )
    missing = [key for key in keep if key not in columns]
    if missing:
        raise RefusedFileError(f"{name} has no column {missing[0]}.", path=name)
    alignment = next((word for word in _ALIGNMENTS if f"{word}/pose" in columns), None)
    micrographs = columns.text("location/micrograph_path")
    points, shape = _locations(columns) if coordinates else (None, None)
    return ParticleTable.from_columns(
        places=_places(columns),
        pixel_size_angstrom=columns.get("blob/psize_A"),
        columns=_numbers(columns, alignment),
        angles=None if alignment is None else _angles(columns[f"{alignment}/pose"]),
        shifts=None if alignment is None else _shifts(columns, alignment),
        micrographs=None if micrographs is None else [_plain(word) for word in micrographs],
        kept={key: columns[key] for key in ("blob/sign", *keep) if key in columns},
        coordinates=points,
        micrograph_shape=shape,
    )


def _locations(columns: _Columns) -> tuple[Array | None, Array | None]:
    """Return where particles were picked, which stands there as fractions, and the micrographs' shapes."""
    y, x = (columns.get(f"location/center_{axis}_frac") for axis in "yx")
    shape = columns.get("location/micrograph_shape")
    if y is None or x is None or shape is None:
        return None, None
    return np.stack([y, x], axis=1) * shape, shape.astype(np.int64)


class _Columns:
    """Columns of several files, in the order of the particles of the first."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.parts: list[tuple[Array, Array | None]] = [(read_cs(name), None)]

    def add(self, name: str) -> None:
        main, other = self.parts[0][0], read_cs(name)
        if "uid" not in (main.dtype.names or ()) or "uid" not in (other.dtype.names or ()):
            raise RefusedFileError(f"{self.name} and {name} are joined by uid, and one has none.", path=name)
        order = np.argsort(other["uid"], kind="stable")
        rows = order[np.searchsorted(other["uid"][order], main["uid"]).clip(0, max(len(order) - 1, 0))]
        if not len(other) or (other["uid"][rows] != main["uid"]).any():
            raise RefusedFileError(f"{name} lacks particles of {self.name}.", path=name)
        self.parts.append((other, rows))

    def __contains__(self, key: str) -> bool:
        return any(key in (part.dtype.names or ()) for part, _ in self.parts)

    def __getitem__(self, key: str) -> Array:
        for part, rows in self.parts:
            if key in (part.dtype.names or ()):
                values: Array = part[key] if rows is None else part[key][rows]
                return values.astype(np.float64) if values.dtype.kind == "f" else values
        raise KeyError(key)

    def get(self, key: str) -> Array | None:
        try:
            return self[key]
        except KeyError:
            return None

    def text(self, key: str) -> list[str] | None:
        return [_word(value) for value in self[key]] if key in self else None


def _word(value: Any) -> str:
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)


def _plain(word: str) -> str:
    """Drop the sign that marks a path within the project."""
    return word.removeprefix(">")


def _places(columns: _Columns) -> Places:
    paths, codes = np.unique(columns["blob/path"], return_inverse=True)
    return (
        [_plain(_word(path)) for path in paths],
        codes.astype(np.int32),
        columns["blob/idx"].astype(np.int32),
    )


def _numbers(columns: _Columns, alignment: str | None) -> dict[str, Array]:
    found = {key: columns[name] for key, name in _CTF.items() if name in columns}
    for key in _IN_RADIANS:
        if key in found:
            found[key] = np.degrees(found[key])
    split = columns.get(f"{alignment}/split")
    if split is not None:
        found["half_set"] = split.astype(np.int64) + (0 if (split == 2).any() else 1)  # it counts 0, 1
    return found


def _angles(pose: Array) -> Array:
    """Return RELION's angles of rotation vectors, or of angles in the plane of two-dimensional classes."""
    if pose.ndim == 1:
        return np.stack([np.zeros_like(pose), np.zeros_like(pose), np.degrees(pose)], axis=1)
    return euler_from_matrices(matrices_from_rotation_vectors(pose))


def _shifts(columns: _Columns, alignment: str) -> Array | None:
    """Return the particle's centre from the image's in Å, in array order; the file has what undoes it."""
    shift = columns.get(f"{alignment}/shift")
    size = columns.get(f"{alignment}/psize_A")
    size = columns.get("blob/psize_A") if size is None else size
    if shift is None or size is None:
        return None
    return np.asarray(-(shift * size[:, None])[:, ::-1] + 0.0)
