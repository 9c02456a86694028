"""Noise of a stated strength: white, coloured, or of counted electrons."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caked.errors import InvalidOptionError, ShapeError
from caked.randomness import Draws
from caked.transforms.base import Batch, RandomTransform, Transform, register
from caked.transforms.fields import counted_fields, normal_fields
from caked.transforms.options import Range, as_range, draw_even_in_log, in_json
from caked.transforms.reduce import centre, column, divisor, extremes, mean_of
from caked.transforms.shells import centre_distance
from caked.transforms.spectral import filter_samples, interpolate, radius

__all__ = ["ColouredNoise", "GaussianNoise", "PoissonNoise"]

_STEEPEST = 10


Floats = NDArray[np.float64]


class _Noise(NamedTuple):
    snr: Tensor
    field: Tensor


class _AddedNoise(RandomTransform):
    """Base: noise of mean 0 and deviation 1, scaled to each sample's signal, is added."""

    low: float
    high: float
    signal_radius_pixels: float | None

    def _keep(self, snr: Range, signal_radius_pixels: float | None) -> None:
        self.low, self.high = as_range(snr, "A signal-to-noise ratio", low=1e-12)
        if signal_radius_pixels is not None and not 0 < signal_radius_pixels < math.inf:
            raise InvalidOptionError(f"A radius is positive or None, not {signal_radius_pixels}.")
        self.signal_radius_pixels = signal_radius_pixels

    def draw(self, draws: Draws, image: Tensor) -> _Noise:
        """Draw the ratio and the noise itself, mean 0 and deviation 1, for each sample."""
        ratios = draw_even_in_log(draws.within("snr"), (self.low, self.high))
        field = normal_fields(draws.within("field"), image)
        return _Noise(torch.from_numpy(ratios), self.coloured(field.to(image.dtype)))

    def coloured(self, field: Tensor) -> Tensor:
        """Make noise of the colour wanted of white noise."""
        return field

    def transform(self, image: Tensor, parameters: _Noise) -> Tensor:
        """Add the noise, scaled to each sample's signal."""
        sigma = self._signal(image) / column(parameters.snr.to(image), image).sqrt()
        return image + parameters.field * sigma

    def _signal(self, image: Tensor) -> Tensor:
        """Return the deviation of each sample, within the radius where there is one."""
        if self.signal_radius_pixels is None:
            _, deviation, unit = centre(image)
            return deviation * unit
        inside = centre_distance(tuple(image.shape[2:])) <= self.signal_radius_pixels
        where = torch.from_numpy(np.flatnonzero(inside)).to(image.device)
        part = image.flatten(2).index_select(2, where)
        _, deviation, unit = centre(part)
        return column((deviation * unit).flatten(), image)


@register("gaussian_noise")
class GaussianNoise(_AddedNoise):
    """Add white Gaussian noise at a signal-to-noise ratio of power.

    Parameters
    ----------
    snr
        Variance of the image over variance of the noise; a pair of numbers draws one for each sample,
        evenly on a logarithmic scale.
    signal_radius_pixels
        Measure the image within this distance of its centre; ``None`` for all of it.

    Notes
    -----
    ``sigma = std(image) / sqrt(snr)``, the deviation taken over the whole sample before noise. A constant
    image has no signal and gets no noise. Source: Frank & Al-Ali (1975), doi:10.1038/256376a0, for the ratio;
    the simulations of CryoBench use it so.

    A GPU draws other numbers for the pixels than a processor, though the same each time.

    Examples
    --------
    >>> noisy = GaussianNoise(snr=1.0)(torch.ones(1, 1, 4, 4))
    >>> bool((noisy == 1).all())
    True
    """

    def __init__(self, *, snr: Range, signal_radius_pixels: float | None = None) -> None:
        super().__init__(snr=in_json(snr), signal_radius_pixels=signal_radius_pixels)
        self._keep(snr, signal_radius_pixels)


@register("coloured_noise")
class ColouredNoise(_AddedNoise):
    """Add Gaussian noise of a spectrum at a signal-to-noise ratio of power.

    Parameters
    ----------
    snr
        As of :class:`GaussianNoise`.
    exponent
        Power falls as ``1 / |k|**exponent``: 1 is pink, 2 brown, 0 white, -1 blue.
    power
        Instead of an exponent: the power spectrum at even steps from 0 to 0.5 cycles a pixel, such as the
        squares of what :func:`~caked.transforms.radial_amplitudes` measures.
    signal_radius_pixels
        As of :class:`GaussianNoise`.

    Notes
    -----
    ``noise = sigma ifft(fft(white) sqrt(S(|k|) / mean S))``, with S(0) = 0, so that sigma, as of
    :class:`GaussianNoise`, is its expected deviation. Source: the power-law and custom noise of ASPIRE
    (``PinkNoiseAdder``, ``CustomNoiseAdder``). A GPU draws as of :class:`GaussianNoise`.

    Examples
    --------
    >>> ColouredNoise(snr=1.0)(torch.ones(1, 1, 4, 4)).unique().tolist()
    [1.0]
    """

    def __init__(
        self,
        *,
        snr: Range,
        exponent: float = 1.0,
        power: Sequence[float] | None = None,
        signal_radius_pixels: float | None = None,
    ) -> None:
        values = None if power is None else [float(value) for value in power]
        bad = values is not None and (len(values) < 2 or not np.isfinite(values).all() or min(values) < 0)
        if bad or not abs(exponent) <= _STEEPEST:
            raise InvalidOptionError(
                f"A spectrum is two powers or more, none negative, or an exponent up to {_STEEPEST}."
            )
        super().__init__(
            snr=in_json(snr), exponent=exponent, power=values, signal_radius_pixels=signal_radius_pixels
        )
        self.exponent, self.power = exponent, values
        self._keep(snr, signal_radius_pixels)

    def coloured(self, field: Tensor) -> Tensor:
        """Colour white noise."""
        shape = tuple(field.shape[2:])
        transfer = self._amplitudes(shape).to(field)
        return filter_samples(field, len(shape), lambda rows, spectra: spectra * transfer)

    def _amplitudes(self, shape: tuple[int, ...]) -> Tensor:
        k = radius(shape)
        if self.power is not None:
            power = interpolate(self.power, shape).clone()
        else:
            power = torch.where(k > 0, k, 1.0) ** -self.exponent
        power[(0,) * power.ndim] = 0.0
        # The mean over the full grid, of which the half grid has most points once instead of twice.
        last = shape[-1]
        twice = torch.full((last // 2 + 1,), 2.0, dtype=torch.float64)
        twice[0] = 1.0
        if last % 2 == 0:
            twice[-1] = 1.0
        mean = float((power * twice).sum()) / math.prod(shape)
        return (power / mean).sqrt() if mean > 0 else power


@register("poisson_noise")
class PoissonNoise(Transform):
    """Count electrons: replace each value by the number that hits the pixel, over the number expected.

    Parameters
    ----------
    dose_electrons_per_square_angstrom
        Of the exposure; a pair of numbers draws one for each sample, evenly on a logarithmic scale.
    pixel_size_angstrom
        Edge of a pixel; ``None`` for what the batch knows of each sample, across y and x.
    contrast
        Deviation of the intensity about its mean, for images of any scale; ``None`` for images that are
        intensities, with no value below 0.

    Notes
    -----
    ``y = Poisson(d s² I) / (d s²)`` for dose d and pixel size s, I the intensity in units of its mean:
    ``x / mean(x)``, or ``max(0, 1 + contrast (x - mean(x)) / std(x))``. So y has the expectation I and the
    variance ``I / (d s²)``. Source: the counting statistics of independent electrons.

    No gradient goes through what is counted. A GPU counts otherwise than a processor, though the same each
    time on GPUs of one kind.

    Examples
    --------
    >>> counted = PoissonNoise(dose_electrons_per_square_angstrom=4, pixel_size_angstrom=0.5)
    >>> counted(torch.ones(1, 1, 64, 64)).unique()[:3].tolist()
    [0.0, 1.0, 2.0]
    """

    is_random = True

    def __init__(
        self,
        *,
        dose_electrons_per_square_angstrom: Range,
        pixel_size_angstrom: float | None = None,
        contrast: float | None = None,
    ) -> None:
        bad_size = pixel_size_angstrom is not None and not 0 < pixel_size_angstrom < math.inf
        if bad_size or (contrast is not None and not 0 <= contrast < math.inf):
            raise InvalidOptionError("A pixel size is positive, and a contrast 0 or more, or None.")
        super().__init__(
            dose_electrons_per_square_angstrom=in_json(dose_electrons_per_square_angstrom),
            pixel_size_angstrom=pixel_size_angstrom,
            contrast=contrast,
        )
        self.dose = as_range(dose_electrons_per_square_angstrom, "A dose", low=1e-12, high=1e12)
        self.pixel_size_angstrom, self.contrast = pixel_size_angstrom, contrast

    def batch(self, batch: Batch, draws: Draws) -> Batch:
        """Count the electrons, and divide by the number expected."""
        image: Tensor = batch["image"]
        draws = draws.within(self.type_name)
        intensity = self._intensity(image.detach()).double()
        if not bool(torch.isfinite(intensity).all()):
            raise InvalidOptionError("Electrons cannot be counted of an image that holds NaN or infinity.")
        drawn = draw_even_in_log(draws.within("dose"), self.dose) * self._areas(batch)
        expected = column(torch.from_numpy(drawn).to(image.device), image)
        counted = counted_fields(draws.within("counts"), intensity * expected)
        batch["image"] = (counted / expected).to(torch.float32).to(image.dtype)
        return batch

    def _areas(self, batch: Batch) -> Floats:
        """Return the area of a pixel of each sample in Å²."""
        if self.pixel_size_angstrom is not None:
            return np.full(len(batch["image"]), self.pixel_size_angstrom**2)
        sizes = batch.get("pixel_size_angstrom")
        if sizes is None or sizes.shape[-1] < 2 or bool((sizes[:, -2:] <= 0).any()):
            raise InvalidOptionError(
                "A dose an Å² needs the pixel size of every sample: give pixel_size_angstrom."
            )
        areas: Floats = sizes[:, -2:].double().prod(dim=1).cpu().numpy()
        return areas

    def _intensity(self, image: Tensor) -> Tensor:
        if self.contrast is not None:
            centred, deviation, _ = centre(image)
            scaled = centred * (self.contrast / divisor(deviation))
            return (1 + scaled).clamp_(min=0)
        least, greatest = extremes(image)
        if bool((least < 0).any()):
            raise ShapeError("Intensities are not negative: give a contrast for images of any scale.")
        mean = column(mean_of(image), image)
        return torch.where(greatest > 0, image / torch.where(mean > 0, mean, 1.0), 0.0)
