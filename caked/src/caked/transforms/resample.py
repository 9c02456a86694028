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
    (real, size), *others = reversed(changed)
    lines = image.movedim(real, -1).contiguous()
    spectrum = _cut_half(torch.fft.rfft(lines), image.shape[real], size).movedim(-1, real)
    for axis, n in others:
        lines = spectrum.movedim(axis, -1).contiguous()
        spectrum = _cut_whole(torch.fft.fft(lines, norm="forward"), n).movedim(-1, axis)
    for axis, _ in reversed(others):
        lines = spectrum.movedim(axis, -1).contiguous()
        spectrum = torch.fft.ifft(lines, norm="forward").movedim(-1, axis)
    lines = spectrum.movedim(real, -1).contiguous()
    resampled: Tensor = torch.fft.irfft(lines, n=size).mul_(size / image.shape[real])
    return resampled.movedim(-1, real).contiguous()


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
    kept = min(length, size)
    half = kept // 2
    below, above = lines[..., : half + 1], lines[..., length - half :]
    if kept % 2 == 0:  # the highest frequency is its own mirror image, see above
        edge, above = above[..., :1], above[..., 1:]
        if size < length:
            below[..., half:].add_(edge)
        else:
            below = torch.cat([below[..., :half], edge.mul_(0.5)], dim=-1)
            above = torch.cat([edge, above], dim=-1)
    gap = lines.new_zeros((*lines.shape[:-1], size - below.shape[-1] - above.shape[-1]))
    return torch.cat([below, gap, above], dim=-1)
