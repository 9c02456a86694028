"""Rescaling in Fourier space: what the smaller grid cannot hold is cut off, not folded back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from caked.errors import InvalidOptionError
from caked.randomness import Draws
from caked.transforms.base import Batch, register, spatial_axes
from caked.transforms.moving import Geometric, Motion
from caked.transforms.resample import fourier_resample
from caked.transforms.resize import check_size, sizes_for
from caked.transforms.taps import apply_taps, linear_taps, nearest_taps

__all__ = ["FourierCrop"]


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
    holds_nothing = True

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
