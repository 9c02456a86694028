"""Rescaling in Fourier space: what the smaller grid cannot hold is cut off, not folded back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor

from caked.errors import InvalidOptionError, ShapeError
from caked.randomness import Draws
from caked.transforms.base import Batch, Transform, register, spatial_axes

__all__ = ["FourierCrop", "fourier_resample", "one_thread"]


@register("fourier_crop")
class FourierCrop(Transform):
    """Bring images to another number of pixels by cropping (or padding) their Fourier transform.

    The field of view stays, so the pixel size of an axis becomes ``pixel_size * N / n``; the mean stays; and
    detail finer than two new pixels is gone instead of showing up as a pattern that is not there.

    Parameters
    ----------
    size
        New number of pixels: one for every axis, or one for each.

    Notes
    -----
    ``y = irfft(crop(rfft(x), n)) * n / N``, one axis after the other. Of an even n the highest frequency is
    its own mirror image: its two halves are added when cropping and shared out when padding, which makes
    this the Fourier method of ``scipy.signal.resample``. Source: Fourier cropping ("binning") as in
    RELION's ``resizeMap``; each axis is taken as periodic.

    Examples
    --------
    >>> wave = torch.cos(torch.arange(8) * torch.pi / 4).reshape(1, 1, 8)
    >>> [round(value, 6) + 0.0 for value in FourierCrop(size=4)(wave)[0, 0].tolist()]
    [1.0, 0.0, -1.0, 0.0]
    """

    def __init__(self, *, size: int | Sequence[int]) -> None:
        sizes = [size] if isinstance(size, int) else list(size)
        if not sizes or any(n < 1 for n in sizes):
            raise InvalidOptionError(f"A size is a positive number of pixels, or one an axis, not {size}.")
        super().__init__(size=size if isinstance(size, int) else sizes)
        self.size = size if isinstance(size, int) else tuple(sizes)

    def batch(self, batch: Batch, draws: Draws) -> Batch:
        """Rescale the image, and the pixel size with it."""
        before = batch["image"].shape[2:]
        batch["image"] = self.image(batch["image"])
        pixel_size = batch.get("pixel_size_angstrom")
        if pixel_size is not None:
            after = batch["image"].shape[2:]
            factors = [n_before / n_after for n_before, n_after in zip(before, after, strict=True)]
            batch["pixel_size_angstrom"] = pixel_size * pixel_size.new_tensor(factors)
        return batch

    def image(self, image: Tensor) -> Tensor:
        """Rescale every spatial axis."""
        return fourier_resample(image, self.sizes_for(image))

    def sizes_for(self, image: Tensor) -> tuple[int, ...]:
        """Return the new length of each spatial axis of ``image``."""
        axes = spatial_axes(image)
        sizes = (self.size,) * len(axes) if isinstance(self.size, int) else self.size
        if len(sizes) != len(axes):
            raise ShapeError(f"There are {len(sizes)} sizes for images of shape {tuple(image.shape[2:])}.")
        return sizes


def fourier_resample(image: Tensor, sizes: Sequence[int]) -> Tensor:
    """Bring the last axes of ``image`` to ``sizes`` in Fourier space; see :class:`FourierCrop`."""
    if image.is_complex():
        raise ShapeError("Fourier cropping takes real images, and these are complex.")
    with one_thread(image):
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
