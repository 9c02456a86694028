"""Images in Fourier space: frequencies, filters, and the mean over shells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

from caked.errors import ShapeError

__all__ = ["filter_samples", "frequencies", "interpolate", "one_thread", "radial_power", "radius", "shells"]


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


def filter_samples(image: Tensor, axes: int, transfer: Callable[[int, Tensor], Tensor]) -> Tensor:
    """Change each sample in Fourier space.

    Parameters
    ----------
    image
        Real, ``(B, C, *spatial)``.
    axes
        How many of the last axes to transform.
    transfer
        From the number of a sample and its spectrum, the half grid of ``rfftn``, to the new spectrum.

    Notes
    -----
    Transforms of several images at once round otherwise than those of one, and on two threads otherwise than
    on one. So on a processor samples go one by one, on one thread.
    """
    if image.is_complex():
        raise ShapeError("Filters in Fourier space take real images, and these are complex.")
    dims, shape = tuple(range(-axes, 0)), image.shape[-axes:]
    if image.device.type != "cpu":
        return _filter_at_once(image, dims, transfer)
    result = torch.empty_like(image)
    with one_thread(image):
        for row, sample in enumerate(image):
            # Cloned, since the bits may depend on where in memory an image begins.
            spectrum = torch.fft.rfftn(sample.clone(), dim=dims)
            result[row] = torch.fft.irfftn(transfer(row, spectrum), s=shape, dim=dims)
    return result


def _filter_at_once(
    image: Tensor, dims: tuple[int, ...], transfer: Callable[[int, Tensor], Tensor]
) -> Tensor:
    """Transform all samples together, which is quicker on other devices."""
    spectra = torch.fft.rfftn(image, dim=dims)
    changed = torch.stack([transfer(row, spectrum) for row, spectrum in enumerate(spectra)])
    filtered: Tensor = torch.fft.irfftn(changed, s=[image.shape[dim] for dim in dims], dim=dims)
    return filtered


def radial_power(spectrum: Tensor, shape: tuple[int, ...]) -> Tensor:
    """Return the mean of ``|F|**2`` over each shell of a spectrum ``(C, *half grid)``: float64."""
    power = spectrum.abs().double().square().sum(dim=0)
    numbers, weights = shells(shape).to(power.device), _multiplicity(shape).to(power.device)
    count = int(shells(shape).max()) + 1
    total = power.new_zeros(count).index_add_(0, numbers.flatten(), (power * weights).flatten())
    points = power.new_zeros(count).index_add_(0, numbers.flatten(), weights.expand_as(numbers).flatten())
    return total / points.clamp(min=1) / len(spectrum)


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
