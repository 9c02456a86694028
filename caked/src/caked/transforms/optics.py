"""The contrast transfer function, in the sign of RELION, and what it takes to know it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from caked.errors import InvalidOptionError
from caked.transforms.base import Batch
from caked.transforms.spectral import frequencies

__all__ = ["CTF_KEYS", "contrast_transfer", "electron_wavelength"]

PLANCK, ELECTRON_MASS = 6.62607015e-34, 9.1093837015e-31  # J s, kg: CODATA 2018
CHARGE, LIGHT_SPEED = 1.602176634e-19, 299792458.0  # C, m/s

CTF_KEYS: dict[str, float | None] = {
    "defocus_u_angstrom": None,
    "defocus_v_angstrom": None,
    "defocus_angle_degrees": 0.0,
    "voltage_kilovolts": None,
    "spherical_aberration_millimetres": None,
    "amplitude_contrast": None,
    "phase_shift_degrees": 0.0,
    "ctf_bfactor_square_angstrom": 0.0,
    "ctf_scale": 1.0,
}
"""What a CTF depends on, and what is taken where a batch does not say; ``None``: it has to."""


def electron_wavelength(voltage_kilovolts: Any) -> Any:
    """Return the wavelength of electrons in Å: ``h / sqrt(2 m e V (1 + e V / (2 m c²)))``.

    Examples
    --------
    >>> round(electron_wavelength(300.0), 6)
    0.019687
    """
    volts = voltage_kilovolts * 1e3
    energy = 2 * ELECTRON_MASS * CHARGE * volts
    relativistic = 1 + CHARGE * volts / (2 * ELECTRON_MASS * LIGHT_SPEED**2)
    return 1e10 * PLANCK / (energy * relativistic) ** 0.5


def contrast_transfer(
    shape: Sequence[int], pixel_size_angstrom: Sequence[float], optics: Mapping[str, float]
) -> Tensor:
    """Return the CTF of one image on the half grid of ``rfft2``: float64 ``(y, x // 2 + 1)``.

    Parameters
    ----------
    shape
        ``(y, x)``.
    pixel_size_angstrom
        Along y and x.
    optics
        A number for each of the keys of :data:`CTF_KEYS`; those that are missing are as there.

    Notes
    -----
    With k in 1/Å and φ its angle from the x towards the y axis,

    ``λ = h / sqrt(2 m e V (1 + e V / (2 m c²)))``,
    ``Δ(φ) = ½ (U + V + (U - V) cos 2(φ - φ₀))``, positive under focus,
    ``γ = -π λ Δ(φ) k² + ½ π Cs λ³ k⁴ - p - atan(w / sqrt(1 - w²))``,
    ``CTF = -scale exp(-B k² / 4) sin γ``,

    which is w at k = 0, for amplitude contrast w, phase shift p. Source: RELION's ``ctf.h`` (K1 to K5; its
    wavelength has the constants rounded); cryoDRGN has the other sign. See also Rohou & Grigorieff (2015),
    doi:10.1016/j.jsb.2015.08.008.
    """
    known = {key: optics.get(key, value) for key, value in CTF_KEYS.items()}
    u, v, angle, volts, aberration, w, phase, b, scale = (float(known[key]) for key in CTF_KEYS)  # type: ignore[arg-type]
    ky, kx = (k / size for k, size in zip(frequencies(tuple(shape)), pixel_size_angstrom, strict=True))
    square = ky.square() + kx.square()
    wavelength, cs = electron_wavelength(volts), aberration * 1e7
    direction = torch.atan2(ky.expand_as(square), kx.expand_as(square)) - np.deg2rad(angle)
    defocus = 0.5 * (u + v + (u - v) * torch.cos(2 * direction))
    gamma = square * (-np.pi * wavelength * defocus + 0.5 * np.pi * cs * wavelength**3 * square)
    gamma = gamma - (np.deg2rad(phase) + np.arctan2(w, np.sqrt(1 - w * w)))
    return -scale * torch.exp(square * (-b / 4)) * torch.sin(gamma)


def optics_of(batch: Batch, tilts: int | None) -> list[list[dict[str, float]]]:
    """Return what is known of the CTF of each sample, of each of its tilts.

    Raises
    ------
    InvalidOptionError
        If something is missing, or no number.
    """
    count = len(batch["image"])
    columns: dict[str, np.ndarray] = {}
    for key, default in CTF_KEYS.items():
        value = batch.get(key, default)
        if value is None:
            raise InvalidOptionError(f"A CTF needs {key}, which the samples do not know.")
        numbers = np.asarray(value.detach().cpu() if isinstance(value, Tensor) else value, dtype=np.float64)
        if not np.isfinite(numbers).all():
            raise InvalidOptionError(f"A CTF needs {key}, and of some samples it is not a number.")
        numbers = numbers.reshape(len(numbers) if numbers.ndim else 1, -1)
        columns[key] = np.broadcast_to(numbers, (count, tilts or 1))
    if (np.abs(columns["amplitude_contrast"]) > 1).any():
        raise InvalidOptionError("An amplitude contrast is a fraction from 0 to 1.")
    return [
        [{key: float(values[row, tilt]) for key, values in columns.items()} for tilt in range(tilts or 1)]
        for row in range(count)
    ]
