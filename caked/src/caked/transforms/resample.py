"""Another number of pixels along some axes, by cropping or padding the Fourier transform of images.

Each axis is cut as soon as it is transformed, so that what is thrown away is not transformed any further:
from N to N / 2 pixels that is half of the work in two dimensions and more in three.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from caked.errors import ShapeError
from caked.transforms.base import spatial_axes
from caked.transforms.spectral import one_thread

__all__ = ["fourier_resample"]


def fourier_resample(image: Tensor, sizes: Sequence[int]) -> Tensor:
    """Bring the last axes of ``image`` to ``sizes`` in Fourier space; see :class:`FourierCrop`."""
    if image.is_complex():
        raise ShapeError("Fourier cropping takes real images, and these are complex.")
    changed = [
        (axis, size)
        for axis, size in zip(spatial_axes(image), sizes, strict=True)
        if size != image.shape[axis]
    ]
    if not changed:
        return image
    with one_thread(image):
        return _by_spectrum(image, changed)


def _by_spectrum(image: Tensor, changed: Sequence[tuple[int, int]]) -> Tensor:
    """Transform one axis after the other, and cut each before the next; back again in the other order.

    Transforms of lines that lie one after the other in memory have the same bits for a line whatever the
    others are, which those along other axes, or of several at once, have not. The mean is kept by dividing
    where there is less to divide: along the real axis at the end, along others on the way there.
    """
    *others, (real, size) = changed
    spectrum = _cut_half(torch.fft.rfft(_turned(image, real)), image.shape[real], size)
    for axis, n in reversed(others):
        spectrum = _cut_whole(torch.fft.fft(_turned(spectrum, axis), norm="forward"), n)
    for axis, _ in others:
        spectrum = _turned(torch.fft.ifft(spectrum, norm="forward"), axis)
    resampled: Tensor = torch.fft.irfft(spectrum.contiguous(), n=size)
    return _turned(resampled.mul_(size / image.shape[real]), real)


def _turned(image: Tensor, axis: int) -> Tensor:
    """Exchange an axis with the last, so that its lines lie one after the other; and back again."""
    return image.transpose(axis, -1).contiguous()


def _cut_half(lines: Tensor, length: int, size: int) -> Tensor:
    """Keep the frequencies of the half grid that both lengths have; ``irfft`` fills up the others.

    The highest of an even length is its own mirror image: it gets the other half, or gives it away.
    """
    kept = min(length, size)
    if kept % 2 == 0:
        lines[..., kept // 2].mul_(2.0 if size < length else 0.5)
    return lines[..., : kept // 2 + 1]


def _cut_whole(lines: Tensor, size: int) -> Tensor:
    """Keep the frequencies of the whole grid that both lengths have, zeros in the place of others."""
    length = lines.shape[-1]
    half, even = min(length, size) // 2, min(length, size) % 2 == 0
    below, above = lines[..., : half + 1], lines[..., length - half + even :]
    if size < length:
        if even:  # the highest frequency is its own mirror image, see above
            below[..., half:].add_(lines[..., length - half, None])
        return torch.cat([below, above], dim=-1)
    gap = lines.new_zeros((*lines.shape[:-1], size - length))
    if even:
        below[..., half:].mul_(0.5)
        gap[..., -1:].copy_(below[..., half:])
    return torch.cat([below, gap, above], dim=-1)
