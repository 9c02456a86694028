"""What may be known of a sample beside its pixels: one key each, with one type and one unit.

A batch has these keys where its source knows them, and not otherwise. Arrays are in array order,
``(z, y, x)`` or ``(y, x)``; the vectors that a pose turns are ``(x, y, z)``, as matrices are written.

======================================  ==========  ========================================================
key                                     shape       meaning
======================================  ==========  ========================================================
``pixel_size_angstrom``                 (B, ndim)   along each axis of the image, 0.0 where not known,
                                                    and across the frames or tilts of a series
``pose``                                (B, 3, 3)   rotation R with v_lab = R v_particle, vectors (x, y, z)
``shift_angstrom``                      (B, ndim)   where the particle's centre is, from the image's centre
``defocus_u_angstrom``, ``…v…``         (B,)        defocus along the two axes, positive under focus
``defocus_angle_degrees``               (B,)        from the x axis to the axis of ``defocus_u``
``voltage_kilovolts``                   (B,)        of the electrons
``spherical_aberration_millimetres``    (B,)        Cs
``amplitude_contrast``                  (B,)        a fraction
``phase_shift_degrees``                 (B,)        of a phase plate
``ctf_bfactor_square_angstrom``         (B,)        envelope exp(-B k² / 4)
``ctf_scale``                           (B,)        factor of the CTF
``optics_group``, ``half_set``          (B,)        int64; -1 where a sample has none
``micrograph``                          list        name of the micrograph or tilt series it was taken from
``tilt_angle_degrees``                  (B, tilts)  of each image of a tilt series
``visible_tilts``                       (B, tilts)  int64; 1 for a tilt that is to be used, 0 for another
``dose_electrons_per_square_angstrom``  (B, n)      before each tilt or frame, accumulated, e⁻/Å²
``origin_angstrom``                     (B, ndim)   where the first pixel's centre lies
``coordinates``                         list        (n, ndim) points in pixels of the image
======================================  ==========  ========================================================

The centre of an image of n pixels is pixel n // 2, as Fourier transforms have it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["COLUMN_KEYS", "IMAGE_KEYS", "Columns", "columns_of", "common_columns"]

Columns = dict[str, Any]
"""What is known of some samples: for each key an array of that length, or a list."""

IMAGE_KEYS = ("image", "target", "weight", "mask")
"""What holds pixels: ``(B, C, *spatial)``."""

_FLOATS = (
    "pixel_size_angstrom",
    "pose",
    "shift_angstrom",
    "defocus_u_angstrom",
    "defocus_v_angstrom",
    "defocus_angle_degrees",
    "voltage_kilovolts",
    "spherical_aberration_millimetres",
    "amplitude_contrast",
    "phase_shift_degrees",
    "ctf_bfactor_square_angstrom",
    "ctf_scale",
    "tilt_angle_degrees",
    "dose_electrons_per_square_angstrom",
    "origin_angstrom",
)
COLUMN_KEYS: dict[str, str] = {
    **dict.fromkeys(_FLOATS, "float"),
    "optics_group": "int",
    "half_set": "int",
    "visible_tilts": "int",
    "micrograph": "text",
    "coordinates": "points",
}
"""Every key, and what kind its values are."""


def columns_of(known: Sequence[Mapping[str, Any]]) -> Columns:
    """Put what is known of each sample into columns: the keys of the table above that all of them have.

    Values of unlike shapes, such as the angles of tilt series of unlike lengths, stay a list.

    Examples
    --------
    >>> columns = columns_of([{"half_set": 1, "path": "a"}, {"half_set": 2, "path": "b"}])
    >>> list(columns), columns["half_set"].tolist()
    (['half_set'], [1, 2])
    """
    columns: Columns = {}
    for key, kind in COLUMN_KEYS.items():
        values = [sample.get(key) for sample in known]
        if not values or any(value is None for value in values):
            continue
        if kind == "text":
            columns[key] = [str(value) for value in values]
            continue
        arrays = [np.asarray(value, dtype=np.int64 if kind == "int" else np.float64) for value in values]
        alike = kind != "points" and len({array.shape for array in arrays}) == 1
        columns[key] = np.stack(arrays) if alike else list(arrays)
    return columns


def common_columns(parts: Sequence[Columns], rows: Sequence[Sequence[int]]) -> Columns:
    """Put columns of several groups of samples together: the keys that all groups have.

    Parameters
    ----------
    rows
        Which rows of the result the samples of each group are.
    """
    count = sum(len(group) for group in rows)
    joined: Columns = {}
    for key in parts[0]:
        if not all(key in part for part in parts):
            continue
        values: list[Any] = [None] * count
        for part, group in zip(parts, rows, strict=True):
            for row, value in zip(group, part[key], strict=True):
                values[row] = value
        arrays = COLUMN_KEYS.get(key) in ("float", "int")
        alike = arrays and len({np.shape(value) for value in values}) == 1
        joined[key] = np.stack([np.asarray(value) for value in values]) if alike else values
    return joined
