"""Filters of frequencies: pass bands, whitening, and the spectrum of another image."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from caked.errors import InvalidOptionError
from caked.randomness import Draws
from caked.transforms.base import Batch, Transform, register
from caked.transforms.reduce import column, root
from caked.transforms.spectral import (
    LinearPlaces,
    each_of,
    filter_samples,
    frequencies,
    interpolate,
    radial_power,
    radius,
    shells,
)

__all__ = ["BandPass", "SpectrumMatch", "Whiten", "radial_amplitudes"]


@register("band_pass")
class BandPass(Transform):
    """Keep the frequencies of a band, with soft edges.

    Parameters
    ----------
    low, high
        Bounds of what is kept, in cycles per unit; ``None`` for no bound. ``low`` alone makes a high-pass
        filter (the mean goes, too), ``high`` alone a low-pass filter.
    falloff
        Width of the soft edges outside the band, in cycles per unit; 0 for sharp ones.
    unit
        ``"pixel"``, or ``"angstrom"``, for which samples have to know their pixel size: ``high=1 / 20`` then
        keeps what is coarser than 20 Å.

    Notes
    -----
    ``y = ifft(M(|k|) fft(x))`` with M = 1 inside the band and ``cos(π d / (2 falloff))`` at a distance d up
    to ``falloff`` from it. Source: the raised edge of teamtomo's ``torch_fourier_filter.bandpass``.

    Examples
    --------
    >>> BandPass(low=0.1)(torch.ones(1, 1, 8, 8)).abs().max().item() < 1e-6
    True
    """

    def __init__(
        self,
        *,
        low: float | None = None,
        high: float | None = None,
        falloff: float = 0.02,
        unit: str = "pixel",
    ) -> None:
        if low is None and high is None:
            raise InvalidOptionError("A band has a bound at least: give low, high or both.")
        least, greatest = 0.0 if low is None else low, math.inf if high is None else high
        if not (0 <= least < greatest and falloff >= 0 and math.isfinite(least + falloff)):
            raise InvalidOptionError(f"A band goes from 0 or more to more, not {low} to {high} ± {falloff}.")
        if unit not in ("pixel", "angstrom"):
            raise InvalidOptionError(f"Frequencies are cycles per 'pixel' or 'angstrom', not {unit!r}.")
        super().__init__(low=low, high=high, falloff=falloff, unit=unit)
        self.low, self.high, self.falloff, self.unit = least, greatest, falloff, unit

    def batch(self, batch: Batch, draws: Draws) -> Batch:
        """Filter each image."""
        image: Tensor = batch["image"]
        shape = tuple(image.shape[2:])
        sizes = self._pixel_sizes(batch, len(shape))
        masks = {size: self._mask(shape, size).to(image) for size in set(sizes)}

        def masked(rows: slice, spectra: Tensor) -> Tensor:
            return spectra * each_of(masks, sizes[rows])

        batch["image"] = filter_samples(image, len(shape), masked)
        return batch

    def _pixel_sizes(self, batch: Batch, ndim: int) -> list[tuple[float, ...]]:
        """Return the length of a pixel along each axis, in units, for each sample."""
        if self.unit == "pixel":
            return [(1.0,) * ndim] * len(batch["image"])
        known = batch.get("pixel_size_angstrom")
        if known is None or bool((known <= 0).any()):
            raise InvalidOptionError("A band in cycles per Å needs the pixel size of every sample.")
        return [tuple(size) for size in known.tolist()]

    def _mask(self, shape: tuple[int, ...], pixel_size: tuple[float, ...]) -> Tensor:
        total = torch.zeros(1, dtype=torch.float64)
        for grid, size in zip(frequencies(shape), pixel_size, strict=True):
            total = total + (grid / size).square()
        k = total.sqrt()
        distance = torch.maximum(self.low - k, k - self.high).clamp(min=0)
        if self.falloff == 0:
            return (distance == 0).double()
        # The edge comes down to 0 at its end, and stays there.
        return torch.where(distance < self.falloff, torch.cos(distance * (math.pi / 2 / self.falloff)), 0.0)


@register("whiten")
class Whiten(Transform):
    """Give each sample a flat spectrum: all frequencies have one power, the mean is 0, the deviation near 1.

    Notes
    -----
    ``y = ifft(F / sqrt(P(|k|)))`` with P the mean of ``|F|**2`` over the shell of width 1 / N around ``|k|``,
    F = fft(x) divided by the square root of the number of pixels, and 0 at k = 0. A shell without power stays
    so. Source: whitening filters of template matching, as in Sigworth (2004), doi:10.1016/j.jsb.2003.10.001,
    and cisTEM.

    Examples
    --------
    >>> Whiten()(torch.ones(1, 1, 8, 8)).abs().max().item()
    0.0
    """

    def __init__(self) -> None:
        super().__init__()

    def image(self, image: Tensor) -> Tensor:
        """Divide each spectrum by its own radial amplitude."""
        shape = tuple(image.shape[2:])
        numbers, scale = shells(shape).to(image.device), math.sqrt(math.prod(shape))

        def white(rows: slice, spectra: Tensor) -> Tensor:
            amplitude = root(radial_power(spectra, shape)) / scale
            # Less than a millionth of the strongest shell is what rounding leaves.
            present = amplitude > 1e-6 * amplitude.amax(dim=1, keepdim=True)
            present[:, 0] = False
            factor = torch.where(present, 1 / torch.where(present, amplitude, 1.0), 0.0)
            return spectra * factor[:, None, numbers].to(image.dtype)

        return filter_samples(image, len(shape), white)


@register("spectrum_match")
class SpectrumMatch(Transform):
    """Give each sample the radial amplitudes of another image.

    Parameters
    ----------
    target
        Amplitudes at even steps from 0 to 0.5 cycles a pixel, as :func:`radial_amplitudes` measures them.
    cutoff
        Frequency in cycles a pixel beyond which the sample is damped instead; ``None`` for none.
    width
        Width of the edge at the cutoff, in cycles a pixel.

    Notes
    -----
    ``y = ifft(F T(|k|) / A(|k|) s(|k|))``, A and T the amplitudes of sample and target (root mean square over
    shells), interpolated linearly, and ``s = 1 / (1 + exp((|k| - cutoff) / width))``. The mean, k = 0, is
    kept. Source: the amplitude spectrum matching of MemBrain-seg (Lamm et al. 2024,
    doi:10.1101/2024.01.05.574336).

    Examples
    --------
    >>> image = torch.randn(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    >>> same = SpectrumMatch(target=radial_amplitudes(image))(image)
    >>> bool((same - image).abs().max() < 0.5)
    True
    """

    def __init__(self, *, target: Sequence[float], cutoff: float | None = None, width: float = 0.01) -> None:
        values = [float(value) for value in target]
        if len(values) < 2 or not np.isfinite(values).all() or min(values) < 0:
            raise InvalidOptionError("A target is two amplitudes or more, none of them negative.")
        if (cutoff is not None and not cutoff > 0) or not width > 0:
            raise InvalidOptionError(f"A cutoff and its width are positive, not {cutoff} and {width}.")
        super().__init__(target=values, cutoff=cutoff, width=width)
        self.target, self.cutoff, self.width = values, cutoff, width

    def image(self, image: Tensor) -> Tensor:
        """Scale each shell of each sample."""
        shape = tuple(image.shape[2:])
        wanted = interpolate(self.target, shape)
        if self.cutoff is not None:
            wanted = wanted * torch.sigmoid((self.cutoff - radius(shape)) / self.width)
        wanted = wanted.to(image.device)
        count = len(self.target)
        places = LinearPlaces.of((radius(shape) * (2 * (count - 1))).to(image.device), count)
        is_mean = torch.zeros_like(places.part, dtype=torch.bool)
        is_mean[(0,) * len(shape)] = True

        def matched(rows: slice, spectra: Tensor) -> Tensor:
            curves = _curves(spectra, shape, count)
            own = places.interpolate(curves)
            present = own > column(1e-6 * curves.amax(dim=1), own)
            factor = torch.where(present, wanted / torch.where(present, own, 1.0), 0.0)
            factor = torch.where(is_mean, 1.0, factor)
            return spectra * factor[:, None].to(image.dtype)

        return filter_samples(image, len(shape), matched)


def radial_amplitudes(image: Tensor, *, steps: int = 32) -> list[float]:
    """Measure the radial amplitudes of images, at even steps from 0 to 0.5 cycles a pixel.

    Parameters
    ----------
    image
        ``(B, C, *spatial)``; all of them together.

    Returns
    -------
    list of float
        Root mean square of ``|fft(x)|`` over shells, the target of :class:`SpectrumMatch` and, squared, the
        power spectrum of :class:`~caked.transforms.ColouredNoise`.
    """
    shape = tuple(image.shape[2:])
    spectrum = torch.fft.rfftn(image.flatten(0, 1), dim=tuple(range(1, len(shape) + 1)))
    found: list[float] = _curves(spectrum[None], shape, steps)[0].tolist()
    return found


def _curves(spectra: Tensor, shape: tuple[int, ...], steps: int) -> Tensor:
    """Return radial amplitudes at even steps, interpolated between shells: ``(b, steps)``."""
    amplitudes = root(radial_power(spectra, shape))
    if amplitudes.shape[1] > 1:  # what the mean is says nothing of the slope there
        amplitudes = torch.cat([amplitudes[:, 1:2], amplitudes[:, 1:]], dim=1)
    places = torch.linspace(0, 0.5, steps, dtype=torch.float64, device=spectra.device) * max(shape)
    return LinearPlaces.of(places, amplitudes.shape[1]).interpolate(amplitudes)
