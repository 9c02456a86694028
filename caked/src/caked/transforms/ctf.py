"""Images and their contrast transfer function: simulate it, flip phases, multiply, correct."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from caked.errors import InvalidOptionError, ShapeError
from caked.randomness import Draws
from caked.transforms.base import Batch, Transform, register
from caked.transforms.optics import ctf_coefficients, optics_of, transfer_on_grid
from caked.transforms.options import Range, as_range, in_json
from caked.transforms.spectral import filter_samples

__all__ = ["ApplyCTF", "PhaseFlip", "RandomCTF", "WienerFilter"]


class _CTFTransform(Transform):
    """Base: multiply the spectrum of each image by something made of its CTF."""

    takes_frames = True

    def factor(self, ctf: Tensor) -> Tensor:
        """Return what the spectrum is multiplied by."""
        raise NotImplementedError

    def batch(self, batch: Batch, draws: Draws) -> Batch:
        """Change each image by its own CTF."""
        image: Tensor = batch["image"]
        if image.ndim not in (4, 5):
            raise ShapeError(f"A CTF is of images or tilt series, not of shape {tuple(image.shape[2:])}.")
        shape = tuple(image.shape[-2:])
        optics = optics_of(batch, image.shape[2] if image.ndim == 5 else None)
        sizes = batch.get("pixel_size_angstrom")
        if sizes is None or bool((sizes[:, -2:] <= 0).any()):
            raise InvalidOptionError("A CTF needs the pixel size of every sample.")

        coefficients = torch.from_numpy(ctf_coefficients(optics)).to(image.device)
        along = sizes[:, -2:].to(image.device, torch.float64)
        along = along[:, None] if image.ndim == 5 else along

        def changed(rows: slice, spectra: Tensor) -> Tensor:
            ctf = transfer_on_grid(shape, along[rows], coefficients[rows])
            return spectra * self.factor(_of_real_image(ctf, shape))[:, None].to(image)

        batch["image"] = filter_samples(image, 2, changed)
        return batch


@register("apply_ctf")
class ApplyCTF(_CTFTransform):
    """Multiply by the CTF: simulates it on a projection, and pre-multiplies an image from a microscope.

    Notes
    -----
    ``y = ifft(F C)``, C as in :func:`caked.transforms.contrast_transfer`. An image that has its CTF already
    comes out with C², which RELION calls CTF pre-multiplied. Source: RELION's CTF; see that function.

    The CTF of each sample is that of its own defocus, voltage, aberration and amplitude contrast, which the
    batch has to know, with its pixel size. Of a tilt series, ``(B, C, tilts, y, x)``, each tilt is an image,
    with a defocus of its own where the batch knows ``(B, tilts)`` of them.
    """

    def __init__(self) -> None:
        super().__init__()

    def factor(self, ctf: Tensor) -> Tensor:
        """Return the CTF."""
        return ctf


@register("phase_flip")
class PhaseFlip(_CTFTransform):
    """Turn round the frequencies that the CTF has turned round.

    Notes
    -----
    ``y = ifft(F sign(C))``, with sign(0) = 1; the batch has to know what :class:`ApplyCTF` asks for. Source:
    RELION's CTF, see :func:`caked.transforms.contrast_transfer`, and its sign alone.
    """

    def __init__(self) -> None:
        super().__init__()

    def factor(self, ctf: Tensor) -> Tensor:
        """Return the sign of the CTF."""
        return torch.where(ctf < 0, -1.0, 1.0)


@register("wiener_filter")
class WienerFilter(_CTFTransform):
    """Correct amplitudes and phases for the CTF, as far as the noise allows.

    Parameters
    ----------
    snr
        Signal-to-noise ratio of power, the same at all frequencies.

    Notes
    -----
    ``y = ifft(F C / (C² + 1 / SNR))``; the batch has to know what :class:`ApplyCTF` asks for. Source:
    Wiener's filter, as in Frank, Three-Dimensional Electron Microscopy of Macromolecular Assemblies (2006),
    chapter 2.
    """

    def __init__(self, *, snr: float) -> None:
        if not 0 < snr < math.inf:
            raise InvalidOptionError(f"A signal-to-noise ratio is positive, and {snr} is not.")
        super().__init__(snr=snr)
        self.snr = snr

    def factor(self, ctf: Tensor) -> Tensor:
        """Return Wiener's filter."""
        return ctf / (ctf.square() + 1 / self.snr)


@register("random_ctf")
class RandomCTF(ApplyCTF):
    """Draw a CTF for each sample, tell the batch what it is, and multiply by it.

    Parameters
    ----------
    defocus_angstrom
        Mean defocus, or a pair to draw between; positive under focus.
    astigmatism_angstrom
        Greatest difference of the two defoci; a pair to draw between.
    voltage_kilovolts, spherical_aberration_millimetres, amplitude_contrast, phase_shift_degrees
        Of the microscope; ranges to draw between.
    bfactor_square_angstrom
        Envelope ``exp(-B k² / 4)``; a range to draw between.
    pixel_size_angstrom
        Where the batch does not know it; ``None`` to take the batch's.

    Notes
    -----
    Everything is drawn evenly between its bounds, the direction of the astigmatism from 0 to 180 degrees.
    Source of the formula: see :func:`caked.transforms.contrast_transfer`.
    """

    is_random = True

    def __init__(
        self,
        *,
        defocus_angstrom: Range = (5000.0, 25000.0),
        astigmatism_angstrom: Range = 0.0,
        voltage_kilovolts: Range = 300.0,
        spherical_aberration_millimetres: Range = 2.7,
        amplitude_contrast: Range = 0.1,
        phase_shift_degrees: Range = 0.0,
        bfactor_square_angstrom: Range = 0.0,
        pixel_size_angstrom: float | None = None,
    ) -> None:
        options = {
            "defocus_angstrom": defocus_angstrom,
            "astigmatism_angstrom": astigmatism_angstrom,
            "voltage_kilovolts": voltage_kilovolts,
            "spherical_aberration_millimetres": spherical_aberration_millimetres,
            "amplitude_contrast": amplitude_contrast,
            "phase_shift_degrees": phase_shift_degrees,
            "bfactor_square_angstrom": bfactor_square_angstrom,
        }
        least = {"voltage_kilovolts": 1.0, "astigmatism_angstrom": 0.0, "amplitude_contrast": 0.0}
        most = {"amplitude_contrast": 1.0}
        self_ranges = {
            key: as_range(value, key, low=least.get(key, -math.inf), high=most.get(key, math.inf))
            for key, value in options.items()
        }
        if pixel_size_angstrom is not None and not 0 < pixel_size_angstrom < math.inf:
            raise InvalidOptionError(f"A pixel size is positive, and {pixel_size_angstrom} Å is not.")
        super().__init__()
        self.options = {key: in_json(value) for key, value in options.items()}
        self.options["pixel_size_angstrom"] = pixel_size_angstrom
        self.ranges, self.pixel_size_angstrom = self_ranges, pixel_size_angstrom

    def batch(self, batch: Batch, draws: Draws) -> Batch:
        """Draw the CTFs, then multiply by them."""
        image = batch["image"]
        if image.ndim != 4:
            raise ShapeError(f"A random CTF is of images (y, x), not of shape {tuple(image.shape[2:])}.")
        draws = draws.within(self.type_name)
        drawn = {key: draws.within(key).uniform(*bounds)[:, 0] for key, bounds in self.ranges.items()}
        half = 0.5 * drawn["astigmatism_angstrom"]
        columns = {
            "defocus_u_angstrom": drawn["defocus_angstrom"] + half,
            "defocus_v_angstrom": drawn["defocus_angstrom"] - half,
            "defocus_angle_degrees": draws.within("angle").uniform(0, 180)[:, 0],
            "voltage_kilovolts": drawn["voltage_kilovolts"],
            "spherical_aberration_millimetres": drawn["spherical_aberration_millimetres"],
            "amplitude_contrast": drawn["amplitude_contrast"],
            "phase_shift_degrees": drawn["phase_shift_degrees"],
            "ctf_bfactor_square_angstrom": drawn["bfactor_square_angstrom"],
            "ctf_scale": np.ones(len(image)),
        }
        batch.update({key: torch.from_numpy(values).to(image.device) for key, values in columns.items()})
        if self.pixel_size_angstrom is not None:
            batch["pixel_size_angstrom"] = torch.full(
                (len(image), 2), self.pixel_size_angstrom, dtype=torch.float64, device=image.device
            )
        return super().batch(batch, draws)


def _of_real_image(ctf: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Let a real image stay real: the highest of an even number of frequencies stands for both its signs."""
    if shape[-1] % 2:
        return ctf
    mirrored = torch.roll(ctf[..., -1].flip(-1), 1, -1)  # -ky in place of ky
    return torch.cat([ctf[..., :-1], 0.5 * (ctf[..., -1] + mirrored)[..., None]], dim=-1)
