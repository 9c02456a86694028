"""Power spectra of images: the mean of tiles, its radial average, and the rings that show resolution.

The estimate is Welch's (IEEE Trans. Audio Electroacoust. 15, 70, 1967, doi:10.1109/TAU.1967.1161901) in two
dimensions: tiles that overlap by half are freed of their mean, windowed (Hann), transformed, and their
squared amplitudes averaged. Divided by the sum of the squared window, white noise of variance s² has the
power s² at every frequency.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MOST_TILES = 144
_ROUND = (1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.0)
_TAKEN = 3  # points from the middle that lack power because the mean was taken away
_INNERMOST, _APART = 0.14, 0.08  # of the side of the picture


@dataclass(frozen=True, kw_only=True, eq=False)
class PowerSpectrum:
    """Mean power of tiles.

    Attributes
    ----------
    power : NDArray
        ``(n, n)``, frequency 0 at ``[n // 2, n // 2]``; rows go along y and columns along x as in the image.
    pixel_size_angstrom : tuple of float, or None
        Along y and x.
    tiles : int
        How many were averaged.
    """

    power: NDArray[np.float64]
    pixel_size_angstrom: tuple[float, float] | None
    tiles: int

    def frequencies(self) -> NDArray[np.float64]:
        """Return the spatial frequency of every point: 1/Å, or cycles a pixel without a pixel size."""
        n = len(self.power)
        y, x = (
            np.fft.fftshift(np.fft.fftfreq(n, length)) for length in self.pixel_size_angstrom or (1.0, 1.0)
        )
        return np.hypot(y[:, np.newaxis], x[np.newaxis, :])

    def radial(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return frequencies up to Nyquist's and the mean power in the ring around each."""
        n = len(self.power)
        largest = 0.5 / max(self.pixel_size_angstrom or (1.0, 1.0))
        step = largest / (n // 2)
        ring = np.rint(self.frequencies() / step).astype(int).ravel()
        count = np.bincount(ring)[: n // 2 + 1]
        total = np.bincount(ring, self.power.ravel())[: n // 2 + 1]
        mean: NDArray[np.float64] = total / np.maximum(count, 1)
        return np.arange(n // 2 + 1, dtype=np.float64) * step, mean

    def shown(self) -> NDArray[np.float64]:
        """Return the logarithm of the power, stretched to 0 … 1 by what lies outside the centre.

        Most of the falling background is taken away: what is left shows rings at high resolution without
        losing how the power falls.
        """
        logarithm = np.log10(np.maximum(self.power, np.finfo(np.float64).tiny))
        n = len(self.power)
        y, x = np.ogrid[:n, :n]
        radius = np.hypot(y - n // 2, x - n // 2)
        ring = np.rint(radius).astype(int)
        background = np.bincount(ring.ravel(), logarithm.ravel()) / np.bincount(ring.ravel())
        background[:_TAKEN] = background[_TAKEN : _TAKEN + 1]  # went with the mean of each tile
        flat = logarithm - 0.7 * _smoothed(background, max(5, n // 16 * 2 + 1))[ring]
        outside = flat[(radius > max(2.0, 0.04 * n)) & (radius <= n / 2)]
        low, high = np.percentile(outside if outside.size else flat, [1.0, 99.7])
        return np.asarray(np.clip((flat - low) / ((high - low) or 1.0), 0.0, 1.0))


def power_spectrum(
    images: Iterable[NDArray[Any]],
    pixel_size_angstrom: tuple[float, float] | None,
    *,
    largest_tile: int = 512,
) -> PowerSpectrum | None:
    """Return the mean power spectrum of images ``(y, x)``; None where they are too small for one.

    Pixels that are not finite count as the mean of their tile.
    """
    total: NDArray[np.float64] | None = None
    count = 0
    for tile in (tile for image in images for tile in cut_tiles(image, largest_tile)):
        power = _periodogram(tile)
        total = power if total is None else total + power
        count += 1
    if total is None:
        return None
    return PowerSpectrum(
        power=np.fft.fftshift(total / count), pixel_size_angstrom=pixel_size_angstrom, tiles=count
    )


def cut_tiles(image: NDArray[Any], largest: int = 512) -> Iterator[NDArray[Any]]:
    """Yield square tiles of an even side that overlap by half, evenly spread, no more than 144.

    Examples
    --------
    >>> [tile.shape for tile in cut_tiles(np.zeros((64, 100)), 64)]
    [(64, 64), (64, 64), (64, 64)]
    """
    side = min(largest, *image.shape) // 2 * 2
    if side < 8:
        return
    most = int(_MOST_TILES**0.5)
    places = []
    for length in image.shape:
        number = min(most, 1 + -(-2 * (length - side) // side))
        places.append(np.linspace(0, length - side, number).astype(int))
    for y in places[0]:
        for x in places[1]:
            yield image[y : y + side, x : x + side]


def ring_resolutions(pixel_size_angstrom: tuple[float, float]) -> list[float]:
    """Return round resolutions in Å whose rings lie well apart in a spectrum, coarsest first.

    Examples
    --------
    >>> ring_resolutions((1.0, 1.0))
    [7.0, 4.0, 3.0, 2.0]
    """
    size = max(pixel_size_angstrom)
    found: list[float] = []
    last = 0.0
    exponents = range(int(np.floor(np.log10(size))), int(np.floor(np.log10(size))) + 3)
    for resolution in sorted((value * 10.0**k for k in exponents for value in _ROUND), reverse=True):
        radius = size / resolution  # of the side
        if _INNERMOST <= radius <= 0.5 and radius - last >= _APART:
            found.append(round(resolution, 6))
            last = radius
    return found


def rings(spectrum: PowerSpectrum) -> list[tuple[float, tuple[float, float]]]:
    """Return resolutions in Å with the radii of their rings along y and x, in points of the spectrum.

    Point k from the middle is the frequency k / (n p) of an image with the pixel size p, so that the ring of
    the resolution d lies at n p / d. Without a pixel size there are none.
    """
    if spectrum.pixel_size_angstrom is None:
        return []
    n = len(spectrum.power)
    y, x = spectrum.pixel_size_angstrom
    return [(d, (n * y / d, n * x / d)) for d in ring_resolutions((y, x))]


def _periodogram(tile: NDArray[Any]) -> NDArray[np.float64]:
    values = np.asarray(tile, np.float32)
    finite = np.isfinite(values)
    if not finite.all():
        values = np.where(finite, values, values[finite].mean() if finite.any() else 0.0)
    n = len(values)
    window = np.hanning(n + 1)[:n].astype(np.float32)  # periodic
    window2 = window[:, np.newaxis] * window[np.newaxis, :]
    # Freed of the window's mean, nothing of a bright background leaks into the lowest frequencies.
    values = values - float((values * window2).sum() / window2.sum())
    half = np.fft.rfft2(values * window2)
    power = np.square(half.real, dtype=np.float64) + np.square(half.imag, dtype=np.float64)
    return _mirrored(power, n) / float(np.square(window2, dtype=np.float64).sum())


def _mirrored(half: NDArray[np.float64], n: int) -> NDArray[np.float64]:
    """Return the whole power spectrum of a real image from the half that its transform gives."""
    whole = np.empty((n, n))
    whole[:, : half.shape[1]] = half
    rows = -np.arange(n) % n
    whole[:, half.shape[1] :] = half[rows][:, 1 : n - half.shape[1] + 1][:, ::-1]
    return whole


def _smoothed(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    width = min(width, len(values) // 2 * 2 - 1)
    padded = np.pad(values, width // 2, mode="edge")
    return np.convolve(padded, np.full(width, 1 / width), mode="valid")
