"""Random changes of grey values: gamma, contrast, brightness."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from caked.errors import InvalidOptionError
from caked.randomness import Draws
from caked.transforms.base import RandomTransform, register
from caked.transforms.options import Range, as_range, draw_even_in_log, in_json
from caked.transforms.reduce import centre, column, divisor, extremes, mean_of

__all__ = ["RandomBrightness", "RandomContrast", "RandomGamma"]


@register("random_gamma")
class RandomGamma(RandomTransform):
    """Bend each sample's grey values by a power of its own; the extremes stay.

    Parameters
    ----------
    gamma
        The power, or a pair to draw between, evenly on a logarithmic scale.

    Notes
    -----
    ``y = min + (max - min) ((x - min) / (max - min))**gamma``; a constant sample stays. Source: the gamma
    augmentation of MemBrain-seg and nnU-Net.

    Examples
    --------
    >>> RandomGamma(gamma=2)(torch.tensor([[[0.0, 1.0, 2.0]]])).tolist()
    [[[0.0, 0.5, 2.0]]]
    """

    def __init__(self, *, gamma: Range = (0.5, 2.0)) -> None:
        self_range = as_range(gamma, "A power", low=1e-6)
        super().__init__(gamma=in_json(gamma))
        self.gamma = self_range

    def draw(self, draws: Draws, image: Tensor) -> Tensor:
        """Draw the powers: ``(B,)``."""
        return torch.from_numpy(draw_even_in_log(draws, self.gamma))

    def transform(self, image: Tensor, parameters: Tensor) -> Tensor:
        """Bend the values between their extremes."""
        least, greatest = extremes(image)
        span = greatest - least
        unit = (image - least) / divisor(span)
        # In float64, for the last digit of a power depends on where in memory the number lies.
        power = column(parameters.to(image.device), image)
        above = unit > 0  # at 0 a root has no slope
        bent = torch.where(above, torch.where(above, unit, 1.0).double().pow(power), 0.0).to(image.dtype)
        return bent * span + least


@register("random_contrast")
class RandomContrast(RandomTransform):
    """Stretch each sample's values about their mean by a factor of its own.

    Parameters
    ----------
    factor
        The factor, or a pair to draw between, evenly.

    Notes
    -----
    ``y = mean + factor (x - mean)``. Source: the contrast augmentation of crYOLO and MemBrain-seg, 0.5 to 2.

    Examples
    --------
    >>> RandomContrast(factor=2)(torch.tensor([[[0.0, 1.0, 2.0]]])).tolist()
    [[[-1.0, 1.0, 3.0]]]
    """

    def __init__(self, *, factor: Range = (0.5, 2.0)) -> None:
        self_range = as_range(factor, "A factor", low=0.0)
        super().__init__(factor=in_json(factor))
        self.factor = self_range

    def draw(self, draws: Draws, image: Tensor) -> Tensor:
        """Draw the factors: ``(B,)``."""
        return torch.from_numpy(draws.uniform(*self.factor)[:, 0])

    def transform(self, image: Tensor, parameters: Tensor) -> Tensor:
        """Stretch about the mean."""
        mean = column(mean_of(image), image)
        return (image - mean).mul_(column(parameters.to(image), image)).add_(mean)


@register("random_brightness")
class RandomBrightness(RandomTransform):
    """Add to each sample a level of its own.

    Parameters
    ----------
    deviation
        Standard deviation of the level, in standard deviations of the sample.

    Notes
    -----
    ``y = x + b std(x)``, b normal with mean 0 and this deviation. Source: the brightness augmentation of
    MemBrain-seg, 0.5 on images of deviation 1.

    Examples
    --------
    >>> RandomBrightness()(torch.ones(1, 1, 2)).tolist()
    [[[1.0, 1.0]]]
    """

    def __init__(self, *, deviation: float = 0.5) -> None:
        if not 0 <= deviation < np.inf:
            raise InvalidOptionError(f"A deviation is 0 or more, not {deviation}.")
        super().__init__(deviation=deviation)
        self.deviation = deviation

    def draw(self, draws: Draws, image: Tensor) -> Tensor:
        """Draw the levels: ``(B,)``."""
        return torch.from_numpy(draws.normal((1,))[:, 0]) * self.deviation

    def transform(self, image: Tensor, parameters: Tensor) -> Tensor:
        """Add the level."""
        _, deviation, unit = centre(image)
        return image + deviation * unit * column(parameters.to(image), image)
