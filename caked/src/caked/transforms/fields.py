"""Random numbers for each pixel, made where the image is.

On a processor they are those of numpy's generators. A GPU makes its own, all samples at a time: other
numbers, but of each sample by itself and the same each time, too.
"""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from caked.randomness import MULTIPLIERS, WEYL, Draws
from caked.transforms.spectral import pieces

__all__ = ["counted_fields", "normal_fields", "uniform_fields", "words_of"]

_MOST_COUNTED = 1e9  # GPUs count in 32 bits
_LOW = 0xFFFFFFFF
_STEP = 2.0**-32
_TIMES = 2


def normal_fields(draws: Draws, image: Tensor) -> Tensor:
    """Return normal numbers of mean 0 and deviation 1 for each pixel of ``(B, C, *spatial)``: float32.

    Source, on a GPU: Box & Muller (1958), doi:10.1214/aoms/1177706645.
    """
    if image.device.type == "cpu":
        return torch.from_numpy(draws.normal(tuple(image.shape[1:])))
    fields = torch.empty(image.shape, device=image.device)
    for rows in pieces(image, times=_TIMES):
        fields[rows] = _normal(draws.select(rows), image[rows])
    return fields


def _normal(draws: Draws, image: Tensor) -> Tensor:
    count = math.prod(image.shape[1:])
    words = words_of(draws, count, image.device)
    parts = []
    for first, second in (words[:2], words[2:]):
        length = (first.float() + 1).mul_(_STEP).log_().mul_(-2).sqrt_()
        angle = second.float().mul_(2 * math.pi * _STEP)
        parts += [length * angle.cos(), length * angle.sin()]
    return torch.cat(parts, dim=1)[:, :count].reshape(image.shape)


def uniform_fields(draws: Draws, image: Tensor) -> Tensor:
    """Return numbers from 0 up to 1 for each pixel, alike for all channels: float32 ``(B, 1, *spatial)``."""
    shape = (1, *image.shape[2:])
    if image.device.type == "cpu":
        rows = [generator.random(shape, dtype=np.float32) for generator in draws.generators()]
        return torch.from_numpy(np.stack(rows))
    count = math.prod(shape)
    fields = torch.empty((len(image), *shape), device=image.device)
    for some in pieces(fields, times=_TIMES):
        words = torch.cat(words_of(draws.select(some), count, image.device), dim=1)[:, :count]
        fields[some] = (words >> 8).float().mul_(2.0**-24).reshape(-1, *shape)
    return fields


def words_of(draws: Draws, count: int, device: torch.device) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return the words of :meth:`caked.Draws.words` on a device, each of four in turn: ``(B, count / 4)``.

    They are numbers from 0 up to 2**32, as int64, in which a product of two wraps round without harm.
    """
    ends = torch.from_numpy(draws.identities().astype(np.int64)).to(device)
    b, c, d = ends[:, :, None].unbind(1)
    a = torch.arange(-(-count // 4), device=device).expand(len(draws), -1)
    first, second = draws.key()
    for _ in range(10):
        left, right = a * MULTIPLIERS[0], c * MULTIPLIERS[1]
        a, b, c, d = (
            (right >> 32 & _LOW) ^ b ^ first,
            right & _LOW,
            (left >> 32 & _LOW) ^ d ^ second,
            left & _LOW,
        )
        first, second = first + WEYL[0] & _LOW, second + WEYL[1] & _LOW
    return a, b, c, d


def counted_fields(draws: Draws, expected: Tensor) -> Tensor:
    """Return how many events are counted where so many are expected, ``(B, ...)``: whole numbers, float64."""
    if expected.device.type == "cpu" or float(expected.max()) > _MOST_COUNTED:
        rows = zip(expected.cpu().numpy(), draws.generators(), strict=True)
        counts = np.stack([generator.poisson(row) for row, generator in rows])
        return torch.from_numpy(counts.astype(np.float64)).to(expected.device)
    rows_there = zip(expected, _generators(draws, expected.device), strict=True)
    return torch.stack([torch.poisson(row, generator=generator) for row, generator in rows_there])


def _generators(draws: Draws, device: torch.device) -> Iterator[torch.Generator]:
    """Yield one generator of the device, set anew for each sample."""
    generator = torch.Generator(device=device)
    for seed in draws.seeds().tolist():
        yield generator.manual_seed(seed)
