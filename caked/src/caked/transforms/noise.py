"""Noise of a stated strength."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from caked.errors import InvalidOptionError
from caked.randomness import Draws
from caked.transforms.base import RandomTransform, register
from caked.transforms.reduce import centre, column

__all__ = ["GaussianNoise"]


class _Noise(NamedTuple):
    snr: Tensor
    field: Tensor


@register("gaussian_noise")
class GaussianNoise(RandomTransform):
    """Add white Gaussian noise at a signal-to-noise ratio of power.

    Parameters
    ----------
    snr
        Variance of the image over variance of the noise; a pair of numbers draws one for each sample,
        evenly on a logarithmic scale.

    Notes
    -----
    ``sigma = std(image) / sqrt(snr)``, the deviation taken over the whole sample before noise, as in the
    simulations of CryoBench (Frank & Al-Ali 1975, doi:10.1038/256376a0, for the definition). A constant image
    has no signal and gets no noise.

    Examples
    --------
    >>> noisy = GaussianNoise(snr=1.0)(torch.ones(1, 1, 4, 4))
    >>> bool((noisy == 1).all())
    True
    """

    def __init__(self, *, snr: float | Sequence[float]) -> None:
        low, high = (snr, snr) if isinstance(snr, int | float) else (snr[0], snr[-1])
        if not 0 < low <= high < np.inf or (not isinstance(snr, int | float) and len(snr) != 2):
            raise InvalidOptionError(f"A signal-to-noise ratio is positive, or a pair low, high, not {snr}.")
        super().__init__(snr=snr if isinstance(snr, int | float) else list(snr))
        self.low, self.high = float(low), float(high)

    def draw(self, draws: Draws, image: Tensor) -> _Noise:
        """Draw the ratio and the noise itself, mean 0 and deviation 1, for each sample."""
        ratios = draws.within("snr").uniform(np.log(self.low), np.log(self.high))[:, 0]
        field = draws.within("field").normal(tuple(image.shape[1:]))
        return _Noise(torch.from_numpy(np.exp(ratios)), torch.from_numpy(field))

    def transform(self, image: Tensor, parameters: _Noise) -> Tensor:
        """Add the noise, scaled to each sample's signal."""
        _, deviation, unit = centre(image)
        sigma = deviation * unit / column(parameters.snr.to(image), image).sqrt()
        return image + parameters.field.to(image).mul_(sigma)
