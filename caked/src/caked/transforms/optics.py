"""The contrast transfer function, in the sign of RELION, and what it takes to know it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caked.errors import InvalidOptionError
from caked.transforms.base import Batch
from caked.transforms.spectral import frequencies

__all__ = [
    "CTF_KEYS",
    "contrast_transfer",
    "ctf_coefficients",
    "electron_wavelength",
    "optics_of",
    "transfer_on_grid",
]

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
    shape: Sequence[int], pixel_size_angstrom: Sequence[float], optics: Mapping[str, Any]
) -> Tensor:
    """Return the CTF of images on the half grid of ``rfft2``: float64 ``(*numbers, y, x // 2 + 1)``.

    Parameters
    ----------
    shape
        ``(y, x)``.
    pixel_size_angstrom
        Along y and x.
    optics
        A number for each of the keys of :data:`CTF_KEYS`, or an array ``(*numbers)`` for a CTF each; those
        that are missing are as there.

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
    missing = [key for key, default in CTF_KEYS.items() if optics.get(key, default) is None]
    if missing:
        raise InvalidOptionError(f"A CTF needs {missing[0]}.")
    sizes = torch.tensor([float(size) for size in pixel_size_angstrom], dtype=torch.float64)
    return transfer_on_grid(shape, sizes, torch.from_numpy(ctf_coefficients(optics)))


def ctf_coefficients(optics: Mapping[str, Any]) -> NDArray[np.float64]:
    """Return what :func:`transfer_on_grid` multiplies the frequencies by: ``(*numbers, 7)``."""
    known = [np.asarray(optics.get(key, value), dtype=np.float64) for key, value in CTF_KEYS.items()]
    u, v, angle, volts, aberration, w, phase, b, scale = known
    wavelength = electron_wavelength(volts)
    half = -0.5 * np.pi * wavelength
    fourth_power = 0.5 * np.pi * aberration * 1e7 * wavelength**3
    shift = np.deg2rad(phase) + np.arctan2(w, np.sqrt(1 - w * w))
    parts = half * (u + v), half * (u - v), np.deg2rad(angle), fourth_power, shift, -b / 4, -scale
    found: NDArray[np.float64] = np.stack(np.broadcast_arrays(*parts), axis=-1)
    return found


def transfer_on_grid(shape: Sequence[int], sizes: Tensor, coefficients: Tensor) -> Tensor:
    """Return CTFs on the half grid, by pixel sizes ``(..., 2)`` and coefficients ``(..., 7)``."""
    mean, difference, angle, fourth_power, shift, damping, scale = coefficients[..., None, None, :].unbind(-1)
    ky, kx = (
        k.to(sizes.device) / size
        for k, size in zip(frequencies(tuple(shape)), sizes[..., None, None, :].unbind(-1), strict=True)
    )
    square = ky.square() + kx.square()
    direction = torch.atan2(ky.expand_as(square), kx.expand_as(square)) - angle
    gamma = square * (mean + difference * torch.cos(2 * direction) + fourth_power * square) - shift
    return scale * torch.exp(square * damping) * torch.sin(gamma)


def optics_of(batch: Batch, tilts: int | None) -> dict[str, NDArray[np.float64]]:
    """Return what is known of the CTF of each sample, or of each of its tilts: ``(B)`` or ``(B, tilts)``.

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
    shape = (count,) if tilts is None else (count, tilts)
    return {key: values.reshape(shape) for key, values in columns.items()}
