"""Rescaling in Fourier space: what the smaller grid cannot hold is cut off, not folded back."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from torch import Tensor

from caked.errors import InvalidOptionError, ShapeError
from caked.randomness import Draws
from caked.transforms.base import Batch, register, spatial_axes
from caked.transforms.moving import Geometric, Motion
from caked.transforms.resize import check_size, sizes_for
from caked.transforms.spectral import one_thread
from caked.transforms.taps import apply_taps, linear_taps, nearest_taps

__all__ = ["FourierCrop", "fourier_resample"]

LONGEST_BY_MATRIX = 256
"""Up to this length an axis is resampled by one matrix product, which is quicker than two transforms."""

CACHE_BYTES = 1 << 20
"""About what a processor's core keeps at hand."""

ALIGNMENT = 64
"""Where a new tensor of torch's begins: at a multiple of so many bytes."""


@register("fourier_crop")
class FourierCrop(Geometric):
    """Bring images to another number of pixels by cropping (or padding) their Fourier transform.

    The field of view stays, so the pixel size of an axis becomes ``pixel_size * N / n``; the mean stays; and
    detail finer than two new pixels is gone instead of showing up as a pattern that is not there.

    Parameters
    ----------
    size
        New number of pixels: one for every axis, or one for each.
    pixel_size_angstrom
        Instead of a size: the pixel size to come as near to as an even number of pixels allows. The samples
        of a batch need to know theirs, and have one in common; what it becomes is in the batch.

    Notes
    -----
    ``y = irfft(crop(rfft(x), n)) * n / N``, one axis after the other. Of an even n the highest frequency is
    its own mirror image: its two halves are added when cropping and shared out when padding, which makes
    this the Fourier method of ``scipy.signal.resample``. Source: Fourier cropping ("binning") as in
    RELION's ``resizeMap``; each axis is taken as periodic.

    The first pixel's centre stays, so pixel p of an axis goes to ``p n / N``. Targets are cropped in the
    same way; masks take the nearest pixel, and weights follow linearly, so that they stay between the values
    that they had. A missing wedge is cropped too.

    Examples
    --------
    >>> wave = torch.cos(torch.arange(8) * torch.pi / 4).reshape(1, 1, 8)
    >>> [round(value, 6) + 0.0 for value in FourierCrop(size=4)(wave)[0, 0].tolist()]
    [1.0, 0.0, -1.0, 0.0]
    """

    is_random = False

    def __init__(
        self, *, size: int | Sequence[int] | None = None, pixel_size_angstrom: float | None = None
    ) -> None:
        if (size is None) == (pixel_size_angstrom is None):
            raise InvalidOptionError("A Fourier crop is to a size or to a pixel size in Å: give one of them.")
        if pixel_size_angstrom is not None:
            if not 0 < pixel_size_angstrom < np.inf:
                raise InvalidOptionError(f"A pixel size is positive, and {pixel_size_angstrom} Å is not.")
            super().__init__(pixel_size_angstrom=pixel_size_angstrom)
        else:
            assert size is not None
            super().__init__(size=size if isinstance(size, int) else list(size))
        self.size = None if size is None else check_size(size)
        self.pixel_size_angstrom = pixel_size_angstrom

    def choose(self, batch: Batch, draws: Draws) -> tuple[int, ...]:
        """Return the new length of each axis."""
        if self.size is not None:
            return self.sizes_for(batch["image"])
        known = batch.get("pixel_size_angstrom")
        if known is None or not bool((known > 0).all()) or not bool((known == known[:1]).all()):
            raise InvalidOptionError(
                "To crop to a pixel size, the samples of a batch have to know theirs, and have the same."
            )
        lengths = np.array(batch["image"].shape[2:])
        halves = np.rint(lengths * known[0].cpu().numpy() / self.pixel_size_angstrom / 2)
        return tuple(int(n) for n in 2 * np.maximum(1, halves))

    def image(self, image: Tensor) -> Tensor:
        """Rescale every spatial axis."""
        return self.transform(image, self.sizes_for(image))

    def transform(self, image: Tensor, parameters: tuple[int, ...]) -> Tensor:
        """Rescale every spatial axis."""
        return fourier_resample(image, parameters)

    def transform_mask(self, mask: Tensor, parameters: tuple[int, ...]) -> Tensor:
        """Take the nearest pixel."""
        return _resample(mask, parameters, nearest_taps)

    def transform_weight(self, weight: Tensor, parameters: tuple[int, ...]) -> Tensor:
        """Interpolate linearly."""
        return _resample(weight, parameters, linear_taps)

    def transform_wedge(self, wedge: Tensor, parameters: tuple[int, ...]) -> Tensor:
        """Keep the frequencies that the new grid has; those that it has for the first time are unknown: 0."""
        for axis, size in zip(spatial_axes(wedge), parameters, strict=True):
            start = wedge.shape[axis] // 2 - size // 2
            padded = torch.nn.functional.pad(
                wedge.movedim(axis, -1), (max(0, -start), max(0, size - start - wedge.shape[axis]))
            )
            wedge = padded.narrow(-1, max(0, start), size).movedim(-1, axis)
        return wedge.contiguous()

    def motion(self, image: Tensor, parameters: tuple[int, ...]) -> Motion:
        """Return where pixels go: the first one's centre stays."""
        return Motion.scaling(image.shape[2:], parameters, np.zeros((len(image), len(parameters))))

    def sizes_for(self, image: Tensor) -> tuple[int, ...]:
        """Return the new length of each spatial axis of ``image``."""
        if self.size is None:
            raise InvalidOptionError("A crop to a pixel size takes a batch that knows its own.")
        return sizes_for(self.size, image)


def _resample(image: Tensor, sizes: Sequence[int], taps_of: Any) -> Tensor:
    for axis, size in zip(spatial_axes(image), sizes, strict=True):
        if size != image.shape[axis]:
            image = apply_taps(image, axis, taps_of(image.shape[axis], size, "first"))
    return image


def fourier_resample(image: Tensor, sizes: Sequence[int]) -> Tensor:
    """Bring the last axes of ``image`` to ``sizes`` in Fourier space; see :class:`FourierCrop`."""
    if image.is_complex():
        raise ShapeError("Fourier cropping takes real images, and these are complex.")
    lengths = image.shape[2:]
    if tuple(lengths) == tuple(sizes):
        return image
    with one_thread(image):
        if image.device.type == "cpu" and max(*lengths, *sizes) <= LONGEST_BY_MATRIX:
            return _by_matrices(image, sizes)
        for axis, size in zip(range(-len(sizes), 0), sizes, strict=True):
            if size != image.shape[axis]:
                image = _resample_axis(image, axis, size)
    return image


def _resample_axis(image: Tensor, axis: int, size: int) -> Tensor:
    length = image.shape[axis]
    spectrum = torch.fft.rfft(image, dim=axis)
    kept = min(length, size) // 2 + 1
    spectrum = spectrum.narrow(axis, 0, kept)
    if min(length, size) % 2 == 0:
        spectrum = spectrum.clone()
        spectrum.narrow(axis, kept - 1, 1).mul_(2.0 if size < length else 0.5)
    resampled: Tensor = torch.fft.irfft(spectrum, n=size, dim=axis)
    return resampled.mul_(size / length)


@lru_cache(maxsize=32)
def _matrix(length: int, size: int, dtype: torch.dtype) -> Tensor:
    """Return what resampling does to an axis as a matrix: ``(size, length)``."""
    unit = torch.eye(length, dtype=torch.float64)
    return _resample_axis(unit, 0, size).to(dtype).contiguous()


def _by_matrices(image: Tensor, sizes: Sequence[int]) -> Tensor:
    """Resample by a matrix along each axis, some samples at a time, so that they stay in the cache."""
    flat = image.contiguous().flatten(0, 1)
    result = image.new_empty((len(flat), *sizes))
    step = max(1, CACHE_BYTES // (flat[0].numel() * flat.element_size()))
    for before, after in zip(torch.split(flat, step), torch.split(result, step), strict=True):
        for axis, size in enumerate(sizes, start=1):
            if size != before.shape[axis]:
                before = _along(before, axis, _matrix(before.shape[axis], size, image.dtype))
        after.copy_(before)
    return result.reshape(*image.shape[:2], *sizes)


def _along(images: Tensor, axis: int, matrix: Tensor) -> Tensor:
    """Multiply one axis by a matrix ``(n, N)``.

    One product for each part: products of the same shape, from addresses that are multiples of 64, have the
    same bits. A product of several images at once may round otherwise.
    """
    size, length = matrix.shape
    lead, trail = images.shape[1:axis], images.shape[axis + 1 :]
    last = not trail
    shape = (lead.numel(), length) if last else (length, trail.numel())
    new_shape = (lead.numel(), size) if last else (size, trail.numel())
    parts = images.reshape(-1, *shape)
    if parts.data_ptr() % ALIGNMENT or parts[0].numel() * parts.element_size() % ALIGNMENT:
        parts = _aligned(parts, len(parts), shape).copy_(parts)
    results = _aligned(images, len(parts), new_shape)
    for part, result in zip(parts.unbind(), results.unbind(), strict=True):
        if last:
            torch.mm(part, matrix.T, out=result)
        else:
            torch.mm(matrix, part, out=result)
    return results.reshape(*images.shape[:axis], size, *trail)


def _aligned(like: Tensor, count: int, shape: tuple[int, ...]) -> Tensor:
    """Return an empty tensor ``(count, *shape)`` each part of which begins at a multiple of 64 bytes."""
    unit = ALIGNMENT // like.element_size()
    pitch = -(-math.prod(shape) // unit) * unit
    return like.new_empty(count, pitch)[:, : math.prod(shape)].view(count, *shape)
