"""Images in Fourier space: frequencies, filters, and the mean over shells."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from caked.errors import ShapeError

__all__ = [
    "LinearPlaces",
    "each_of",
    "filter_samples",
    "frequencies",
    "interpolate",
    "one_thread",
    "pieces",
    "radial_power",
    "radius",
    "shells",
]

_PIXELS_AT_ONCE = 1 << 24
_BLOCK = 64


@lru_cache(maxsize=16)
def frequencies(shape: tuple[int, ...]) -> tuple[Tensor, ...]:
    """Return the frequency along each axis of the half grid of ``rfftn``, in cycles per pixel: float64.

    Each has the length of its own axis there, and 1 elsewhere.
    """
    grids = []
    for axis, length in enumerate(shape):
        last = axis == len(shape) - 1
        values = np.fft.rfftfreq(length) if last else np.fft.fftfreq(length)
        grids.append(torch.from_numpy(values).reshape([-1 if k == axis else 1 for k in range(len(shape))]))
    return tuple(grids)


@lru_cache(maxsize=16)
def radius(shape: tuple[int, ...]) -> Tensor:
    """Return the length of the frequency on the half grid of ``rfftn``, in cycles per pixel: float64.

    Examples
    --------
    >>> radius((4, 4))[0].tolist()
    [0.0, 0.25, 0.5]
    """
    total = torch.zeros(1, dtype=torch.float64)
    for grid in frequencies(shape):
        total = total + grid.square()
    return total.sqrt()


@lru_cache(maxsize=16)
def shells(shape: tuple[int, ...]) -> Tensor:
    """Return the shell of each point of the half grid: its radius in steps of 1 / longest axis, rounded."""
    return (radius(shape) * max(shape)).round().to(torch.int64)


def filter_samples(image: Tensor, axes: int, transfer: Callable[[slice, Tensor], Tensor]) -> Tensor:
    """Change each sample in Fourier space.

    Parameters
    ----------
    image
        Real, ``(B, C, *spatial)``.
    axes
        How many of the last axes to transform.
    transfer
        From the rows of some samples and their spectra, ``(b, C, *half grid)`` of ``rfftn``, to new spectra.

    Notes
    -----
    Transforms of several images at once round otherwise than those of one, and on two threads otherwise than
    on one. So on a processor samples go one by one, on one thread.
    """
    if image.is_complex():
        raise ShapeError("Filters in Fourier space take real images, and these are complex.")
    dims, shape = tuple(range(-axes, 0)), image.shape[-axes:]
    result = torch.empty_like(image)
    with one_thread(image):
        for rows in pieces(image):
            # Cloned, since the bits may depend on where in memory an image begins.
            spectra = torch.fft.rfftn(image[rows].clone(), dim=dims)
            result[rows] = torch.fft.irfftn(transfer(rows, spectra), s=shape, dim=dims)
    return result


def pieces(image: Tensor, *, times: int = 1) -> Iterator[slice]:
    """Yield rows to work on together: one on a processor, on other devices what fits some hundred megabytes.

    Parameters
    ----------
    image
        ``(B, C, *spatial)``.
    times
        How many numbers are needed for each pixel.
    """
    pixels = times * math.prod(image.shape[1:])
    step = 1 if image.device.type == "cpu" else max(1, _PIXELS_AT_ONCE // max(1, pixels))
    for start in range(0, len(image), step):
        yield slice(start, start + step)


def each_of(parts: Mapping[Any, Tensor], keys: Sequence[Any]) -> Tensor:
    """Return the part of each key, to go with spectra ``(b, C, ...)``; one for all where it is the same."""
    if len(set(keys)) == 1:
        return parts[keys[0]][None, None]
    return torch.stack([parts[key] for key in keys])[:, None]


def radial_power(spectra: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return the mean of ``|F|**2`` over shells of spectra ``(b, C, *half grid)``: float64 ``(b, shells)``.

    Examples
    --------
    >>> radial_power(torch.ones(1, 1, 4, 3), (4, 4))[0].tolist()
    [1.0, 1.0, 1.0, 1.0]
    """
    power = spectra.abs().double().square().mean(dim=1).flatten(1)
    places, weights, blocks, is_block = _shell_table(shape, power.device)
    sums = (_taken(power, places) * weights).sum(dim=-1)
    means: Tensor = (_taken(sums, blocks) * is_block).sum(dim=-1)
    return means


def _taken(rows: Tensor, places: Tensor) -> Tensor:
    """Return ``rows[:, places]``, in a tenth of the time on a processor."""
    return rows.gather(1, places.flatten().expand(len(rows), -1)).reshape(len(rows), *places.shape)


@lru_cache(maxsize=8)
def _shell_table(shape: tuple[int, ...], device: torch.device) -> tuple[Tensor, ...]:
    """Return how to take the mean of each shell of the half grid, in two sums whose order is always the same.

    Sums by an index come in another order each time on a GPU.

    Returns
    -------
    tuple of Tensor
        Points of the grid, in blocks of one shell each, and their weights in the mean: ``(blocks, points)``;
        and the blocks of each shell, and which of these are any: ``(shells, most)``.
    """
    numbers = shells(shape).flatten().numpy()
    counts = np.bincount(numbers)
    block_counts = -(-counts // _BLOCK)
    first = np.cumsum(block_counts) - block_counts
    order = np.argsort(numbers, kind="stable")
    ranks = np.arange(len(numbers)) - np.repeat(np.cumsum(counts) - counts, counts)
    where = first[numbers[order]] * _BLOCK + ranks
    places = np.zeros(block_counts.sum() * _BLOCK, dtype=np.int64)
    places[where] = order
    multiplicity = _multiplicity(shape).flatten().numpy()
    weights = np.zeros(len(places))
    weights[where] = (multiplicity / np.bincount(numbers, multiplicity)[numbers])[order]
    steps = np.arange(block_counts.max())
    is_block = steps < block_counts[:, None]
    blocks = np.where(is_block, first[:, None] + steps, 0)
    tables = places.reshape(-1, _BLOCK), weights.reshape(-1, _BLOCK), blocks, is_block.astype(np.float64)
    return tuple(torch.from_numpy(table).to(device) for table in tables)


@lru_cache(maxsize=16)
def _multiplicity(shape: tuple[int, ...]) -> Tensor:
    """Return how many points of the full grid each of the half grid stands for."""
    length = shape[-1]
    weights = torch.full((length // 2 + 1,), 2.0, dtype=torch.float64)
    weights[0] = 1
    if length % 2 == 0:
        weights[-1] = 1
    return weights.expand(*shape[:-1], -1)


def interpolate(values: Sequence[float], shape: tuple[int, ...]) -> Tensor:
    """Return a radial curve on the half grid; its values stand for even steps from 0 to 0.5 cycles a pixel.

    Beyond 0.5, in the corners, the last value holds.
    """
    steps = np.linspace(0.0, 0.5, len(values))
    return torch.from_numpy(np.interp(radius(shape).numpy(), steps, np.asarray(values, dtype=np.float64)))


class LinearPlaces(NamedTuple):
    """Where to interpolate rows of values, all of one length: between which two, and how far along."""

    lower: Tensor
    upper: Tensor
    part: Tensor

    @classmethod
    def of(cls, places: Tensor, length: int) -> LinearPlaces:
        """Find places from 0 to ``length - 1`` among the values; beyond the ends, the values there hold."""
        last = length - 1
        places = places.double().clamp(0, last)
        lower = places.floor().clamp(max=max(0, last - 1))
        return cls(lower.long(), (lower + 1).clamp(max=last).long(), places - lower)

    def interpolate(self, values: Tensor) -> Tensor:
        """Interpolate rows of values ``(b, length)``: ``(b, *places)``.

        Examples
        --------
        >>> places = LinearPlaces.of(torch.tensor([0.5, 9.0]), 2)
        >>> places.interpolate(torch.tensor([[1.0, 3.0]], dtype=torch.float64)).tolist()
        [[2.0, 3.0]]
        """
        start = _taken(values, self.lower)
        return start + (_taken(values, self.upper) - start) * self.part


@contextmanager
def one_thread(image: Tensor) -> Iterator[None]:
    """Let torch work on one thread meanwhile.

    Its Fourier transforms round differently on two threads than on one, and workers have one: a sample
    would get other last bits in the main process than in a worker. On other devices nothing is changed.
    """
    threads = torch.get_num_threads()
    if image.device.type != "cpu" or threads == 1:
        yield
        return
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
