"""Images of a molecule as an electron microscope would take them.

Structure file -> electrostatic potential on a grid (gemmi's electron-scattering calculator) -> projections at
given orientations (Fourier slice theorem) -> contrast transfer function -> white noise at a stated
signal-to-noise ratio. Arrays are ``(z, y, x)``; a pose is a rotation matrix R in array order with
v_lab = R v_particle; the beam runs along lab z.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import scipy.fft
import scipy.ndimage
from numpy.typing import NDArray

__all__ = ["Microscope", "Projector", "contrast_transfer", "noise_sigma", "potential", "random_rotations"]

Real = NDArray[np.float32]
Rotations = NDArray[np.float64]

PADDING = 2  # the Fourier transform is sampled this many times finer, as RELION does


@dataclass(frozen=True, kw_only=True)
class Microscope:
    """Acceleration voltage, spherical aberration and amplitude contrast of the simulated microscope."""

    voltage_kilovolt: float = 300.0
    spherical_aberration_millimetre: float = 2.7
    amplitude_contrast: float = 0.1

    @property
    def wavelength_angstrom(self) -> float:
        """Relativistic wavelength of the electron in Å: 12.2639 / sqrt(V + 0.97845e-6 V²), V in volt."""
        volt = 1e3 * self.voltage_kilovolt
        return float(12.2639 / np.sqrt(volt + 0.97845e-6 * volt**2))


def potential(structure_file: Path, *, box: int, pixel_size_angstrom: float) -> Real:
    """Electrostatic potential of the first model of a structure, its centre of mass in the middle of the box.

    Parameters
    ----------
    structure_file
        mmCIF or PDB file, read by gemmi.
    box
        Length of the box in voxels; the molecule has to fit.
    pixel_size_angstrom
        Length of a voxel edge in Å.

    Returns
    -------
    numpy.ndarray
        ``(z, y, x)``, float32, in gemmi's units of electron scattering per Å³; middle at ``box // 2``.

    Notes
    -----
    Electron scattering factors of Peng (1999), doi:10.1107/S0108768198016541, through gemmi's
    ``DensityCalculatorE``.
    """
    import gemmi

    structure = gemmi.read_structure(str(structure_file))
    model = structure[0]
    edge = box * pixel_size_angstrom
    cell = gemmi.UnitCell(edge, edge, edge, 90, 90, 90)
    centre = model.calculate_center_of_mass()
    middle = (box // 2) * pixel_size_angstrom
    offset = gemmi.Position(middle, middle, middle) - centre
    for chain in model:
        for residue in chain:
            for atom in residue:
                atom.pos += offset
                atom.aniso = gemmi.SMat33f(0, 0, 0, 0, 0, 0)
                atom.b_iso = 30.0  # B factors of predicted models hold pLDDT, so all get the same
    structure.cell = cell
    structure.spacegroup_hm = "P 1"
    calculator = gemmi.DensityCalculatorE()
    calculator.d_min = 2 * pixel_size_angstrom
    calculator.rate = 1.0
    calculator.grid.set_unit_cell(cell)
    calculator.grid.set_size(box, box, box)
    calculator.add_model_density_to_grid(model)
    grid = np.array(calculator.grid, copy=True)  # (x, y, z)
    return np.ascontiguousarray(grid.transpose(2, 1, 0), dtype=np.float32)


def random_rotations(count: int, *, generator: np.random.Generator) -> Rotations:
    """Rotation matrices spread evenly over SO(3), ``(count, 3, 3)``: unit quaternions from four normals."""
    w, x, y, z = (q := generator.standard_normal((count, 4))).T / np.linalg.norm(q, axis=1)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        (2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        (2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    )
    return np.moveaxis(np.array(rows), 2, 0)


@dataclass(frozen=True)
class Projector:
    """Projections of one volume by the Fourier slice theorem.

    Parameters
    ----------
    volume
        ``(z, y, x)``, a cube with an even edge; its middle is voxel ``edge // 2``.
    """

    volume: Real

    @cached_property
    def _transform(self) -> NDArray[np.complex64]:
        """Centred transform of the padded volume, ``(kz, ky, kx)``; divided by the interpolation's sinc²."""
        edge = self.volume.shape[0]
        position = (np.arange(edge) - edge // 2) / (PADDING * edge)
        roll_off = np.sinc(position) ** 2
        corrected = self.volume / (
            roll_off[:, None, None] * roll_off[None, :, None] * roll_off[None, None, :]
        )
        padded = np.zeros((PADDING * edge,) * 3, np.float32)
        middle = slice((PADDING - 1) * edge // 2, (PADDING + 1) * edge // 2)
        padded[middle, middle, middle] = corrected
        return np.asarray(scipy.fft.fftshift(scipy.fft.fftn(scipy.fft.ifftshift(padded))), np.complex64)

    def project(self, rotation: Rotations) -> NDArray[np.complex128]:
        """Half transform ``(ky, kx >= 0)`` of the projection along lab z, origin in the image's middle.

        ``rotation`` is R in array order (z, y, x) with v_lab = R v_particle. The value is what
        ``rfft2(ifftshift(image))`` would give.
        """
        edge = self.volume.shape[0]
        ky = scipy.fft.fftfreq(edge, 1 / edge)[:, None]
        kx = np.arange(edge // 2 + 1)[None, :]
        lab = np.stack(np.broadcast_arrays(0.0, ky, kx)).reshape(3, -1)
        particle = PADDING * (rotation.T @ lab) + PADDING * edge // 2
        slices = [
            scipy.ndimage.map_coordinates(part, particle, order=1, mode="constant")
            for part in (self._transform.real, self._transform.imag)
        ]
        half = (slices[0] + 1j * slices[1]).reshape(edge, edge // 2 + 1)
        half[np.hypot(ky, kx) > edge // 2] = 0.0  # corners beyond the inscribed circle are not all sampled
        return np.asarray(half)

    def image(self, half_transform: NDArray[np.complex128]) -> Real:
        """Image ``(y, x)`` of a half transform."""
        edge = self.volume.shape[0]
        return np.asarray(scipy.fft.fftshift(scipy.fft.irfft2(half_transform, s=(edge, edge))), np.float32)


def contrast_transfer(
    edge: int, *, pixel_size_angstrom: float, defocus_angstrom: float, microscope: Microscope
) -> NDArray[np.float64]:
    """Contrast transfer function on the half transform of an image ``(edge, edge)``.

    Parameters
    ----------
    edge
        Length of the image in pixels.
    pixel_size_angstrom
        Length of a pixel edge in Å.
    defocus_angstrom
        In Å, positive under focus; no astigmatism.
    microscope
        Voltage, spherical aberration and amplitude contrast.

    Returns
    -------
    numpy.ndarray
        ``(ky, kx >= 0)``; in RELION's sign: equal to the amplitude contrast at the origin and rising from
        there under focus.

    Notes
    -----
    gamma = pi lambda d k² - pi/2 Cs lambda³ k⁴, CTF = sqrt(1 - w²) sin(gamma) + w cos(gamma):
    Rohou & Grigorieff 2015, doi:10.1016/j.jsb.2015.08.008, with RELION's overall sign.
    """
    k = np.hypot(
        scipy.fft.fftfreq(edge, pixel_size_angstrom)[:, None],
        scipy.fft.rfftfreq(edge, pixel_size_angstrom)[None, :],
    )
    wavelength = microscope.wavelength_angstrom
    aberration = 1e7 * microscope.spherical_aberration_millimetre
    gamma = np.pi * wavelength * defocus_angstrom * k**2 - 0.5 * np.pi * aberration * wavelength**3 * k**4
    weight = microscope.amplitude_contrast
    return np.asarray(np.sqrt(1 - weight**2) * np.sin(gamma) + weight * np.cos(gamma))


def noise_sigma(images: Real, signal_to_noise: float) -> float:
    """Standard deviation of white noise that brings noiseless images to a signal-to-noise ratio.

    SNR = mean over the images of the variance of their pixels, divided by the variance of the noise.
    """
    return float(np.sqrt(images.var(axis=(1, 2), dtype=np.float64).mean() / signal_to_noise))
