"""Shifts by parts of a pixel: at random, or to bring a particle to the middle of its image."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caked.errors import InvalidOptionError, ShapeError
from caked.randomness import Draws
from caked.transforms.base import Batch, register, spatial_axes
from caked.transforms.geometry import roll_samples
from caked.transforms.moving import Geometric, Motion
from caked.transforms.spectral import filter_samples, frequencies

__all__ = ["CentreParticle", "RandomShift", "fourier_shift"]

Floats = NDArray[np.float64]


class _Shift(Geometric):
    """Base of shifts by parts of a pixel, which are the parameters: ``(B, n)``, in array order."""

    def transform(self, image: Tensor, parameters: Floats) -> Tensor:
        """Shift in Fourier space."""
        return fourier_shift(image, parameters)

    def transform_mask(self, mask: Tensor, parameters: Floats) -> Tensor:
        """Shift by the nearest whole number of pixels."""
        return roll_samples(mask, np.rint(parameters).astype(np.int64))

    def transform_weight(self, weight: Tensor, parameters: Floats) -> Tensor:
        """Shift by the nearest whole number of pixels."""
        return self.transform_mask(weight, parameters)

    def motion(self, image: Tensor, parameters: Floats) -> Motion:
        """Return the shift, round the edges."""
        return Motion.shifting(parameters, wraps=True)


@register("random_shift")
class RandomShift(_Shift):
    """Shift each sample by parts of a pixel; what leaves on one side comes back on the other.

    Parameters
    ----------
    shift
        Greatest shift in pixels, along every axis in either direction; drawn evenly.

    Notes
    -----
    ``y = ifft(fft(x) exp(-2πi k·t))``, of the highest frequency of an even number of pixels the real part.
    Source: the shift theorem of the discrete Fourier transform. Shifts in Å, coordinates, masks and weights
    follow, masks and weights by the nearest whole number of pixels. :class:`RandomRoll` shifts by whole
    pixels.

    Examples
    --------
    >>> RandomShift(shift=2)(torch.ones(1, 1, 4, 4)).allclose(torch.tensor(1.0))
    True
    """

    def __init__(self, *, shift: float) -> None:
        if not 0 <= shift < np.inf:
            raise InvalidOptionError(f"The greatest shift is 0 pixels or more, not {shift}.")
        super().__init__(shift=shift)
        self.shift = shift

    def draw(self, draws: Draws, image: Tensor) -> Floats:
        """Draw the shift of each sample along each axis: ``(B, axes)``."""
        return draws.uniform(-self.shift, self.shift, count=len(spatial_axes(image)))


@register("centre_particle")
class CentreParticle(_Shift):
    """Bring each particle to the middle of its image, by the shift that is known of it.

    The batch needs ``shift_angstrom`` and ``pixel_size_angstrom``; the shift is zero afterwards.

    Notes
    -----
    ``F exp(-2πi k·t)`` with t the shift back, in pixels. Source: the shift theorem of Fourier transforms, as
    of :class:`RandomShift`.

    Examples
    --------
    >>> batch = {
    ...     "image": torch.tensor([[[0.0, 0.0, 0.0, 1.0]]]),
    ...     "pixel_size_angstrom": torch.tensor([[2.0]]),
    ...     "shift_angstrom": torch.tensor([[2.0]]),
    ... }
    >>> CentreParticle()(batch)["image"].round().abs().tolist()
    [[[0.0, 0.0, 1.0, 0.0]]]
    """

    is_random = False

    def __init__(self) -> None:
        super().__init__()

    def choose(self, batch: Batch, draws: Draws) -> Any:
        """Return the shifts that are known, the other way round."""
        shift, size = batch.get("shift_angstrom"), batch.get("pixel_size_angstrom")
        if shift is None or size is None or bool((size <= 0).any()):
            raise InvalidOptionError("To centre particles, their shifts and pixel sizes have to be known.")
        if shift.shape != size.shape:
            raise ShapeError(
                "Particles are centred by one shift a sample, along the axes of its image, not by shifts of "
                f"shape {tuple(shift.shape)} in images of {size.shape[-1]} axes."
            )
        return -(shift / size).detach().cpu().numpy().astype(np.float64)


def fourier_shift(image: Tensor, shifts: Floats) -> Tensor:
    """Shift each sample ``(C, *spatial)`` by its row of ``(B, axes)`` pixels, round the edges."""
    axes, shape = image.ndim - 2, tuple(image.shape[2:])
    known = torch.from_numpy(shifts).to(image.device)

    def shifted(rows: slice, spectra: Tensor) -> Tensor:
        for axis, (grid, length) in enumerate(zip(frequencies(shape), shape, strict=True)):
            grid = grid.to(image.device)
            angle = grid * (-2 * np.pi * known[rows, axis]).reshape(-1, *(1,) * (axes + 1))
            phase = torch.polar(torch.ones_like(angle), angle)
            if length % 2 == 0:  # the highest frequency is its own mirror image, and stays real
                phase = torch.where(grid.abs() == 0.5, phase.real.to(phase.dtype), phase)
            spectra = spectra * phase.to(spectra)
        return spectra

    return filter_samples(image, axes, shifted)
