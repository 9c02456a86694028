"""Tilt series and movies: fewer tilts, and frequencies weighted by the dose they have survived."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caked.errors import InvalidOptionError, ShapeError
from caked.keys import IMAGE_KEYS
from caked.randomness import Draws
from caked.transforms.base import Batch, Transform, register
from caked.transforms.frames import keys_by_frame
from caked.transforms.spectral import filter_samples, frequencies

__all__ = ["DoseWeight", "TiltDrop", "critical_dose"]

DOSE = "dose_electrons_per_square_angstrom"
_SENSITIVITY = {300: 1.0, 200: 0.8, 100: 0.64}


@register("tilt_drop")
class TiltDrop(Transform):
    """Keep some tilts of each series, in their order.

    Parameters
    ----------
    keep
        How many.
    by
        ``"random"``: any, all alike. ``"dose"``: those with the least dose, which the batch has to know.

    Notes
    -----
    Series are ``(B, C, tilts, y, x)``. All that is known of each tilt follows. Tilts that
    ``visible_tilts`` leaves out are kept only where there are too few others. Source: the choice of tilts of
    cryoDRGN-ET and tomoDRGN, and ``rlnTomoVisibleFrames`` of RELION.

    Examples
    --------
    >>> TiltDrop(keep=2)(torch.ones(1, 1, 5, 4, 4)).shape
    torch.Size([1, 1, 2, 4, 4])
    """

    takes_frames = True

    def __init__(self, *, keep: int, by: str = "random") -> None:
        if keep < 1 or by not in ("random", "dose"):
            raise InvalidOptionError(
                f"One tilt at least is kept, by 'random' or 'dose', not {keep} by {by!r}."
            )
        super().__init__(keep=keep, by=by)
        self.keep, self.by = keep, by
        self.is_random = by == "random"

    def batch(self, batch: Batch, draws: Draws) -> Batch:
        """Choose the tilts of each series."""
        image: Tensor = batch["image"]
        if image.ndim != 5 or image.shape[2] < self.keep:
            raise ShapeError(
                f"{self.keep} tilts cannot be kept of an image of shape {tuple(image.shape[2:])}."
            )
        tilts = image.shape[2]
        if self.by == "random":
            ranks = draws.within(self.type_name).uniform(count=tilts)
        else:
            ranks = _doses(batch, tilts)
        visible = batch.get("visible_tilts")
        if isinstance(visible, Tensor) and visible.shape[1:] == (tilts,):
            ranks = np.where(visible.cpu().numpy() > 0, ranks, np.inf)
        kept = torch.from_numpy(np.sort(np.argsort(ranks, axis=1, kind="stable")[:, : self.keep], axis=1))
        for key in keys_by_frame(batch, tilts):
            batch[key] = torch.stack([one[rows] for one, rows in zip(batch[key], kept, strict=True)])
        for key in IMAGE_KEYS:
            if key in batch:
                batch[key] = torch.stack([one[:, rows] for one, rows in zip(batch[key], kept, strict=True)])
        return batch


def _doses(batch: Batch, frames: int) -> NDArray[np.float64]:
    dose = batch.get(DOSE)
    if dose is None or dose.shape[1:] != (frames,):
        raise InvalidOptionError(f"The dose of each of {frames} frames or tilts is not known ({DOSE}).")
    numbers: NDArray[np.float64] = dose.detach().cpu().numpy().astype(np.float64)
    if not np.isfinite(numbers).all() or (numbers < 0).any():
        raise InvalidOptionError(f"Doses are 0 or more, and of some frames ({DOSE}) they are not.")
    return numbers


@register("dose_weight")
class DoseWeight(Transform):
    """Dampen what radiation has destroyed, in each frame of a movie or each tilt of a series.

    Parameters
    ----------
    voltage_kilovolts
        300, 200 or 100.
    total
        ``"frames"``: every frame, or tilt, is weighted and stays. ``"sum"``: weighted frames of a movie are
        summed up, ``(B, C, y, x)``, with noise of one level at all frequencies.
    cosine
        Whether tilts are weighted by the cosine of their angle too, which the batch has to know.

    Notes
    -----
    Images are ``(B, C, frames, y, x)``, and the batch knows the dose of each frame, accumulated, and the
    pixel size. Frames are multiplied by ``q = exp(-N / (2 Ne))`` at frequency k in 1/Å, dose N in e⁻/Å² and
    critical dose ``Ne = 0.245 k**-1.665 + 2.81`` at 300 kV, 0.8 and 0.64 times that at 200 and 100 kV; sums
    are divided by ``sqrt(sum q²)``. Source: Grant & Grigorieff (2015), doi:10.7554/eLife.06980, equations 3
    and 9; the cosine stands for the thickness, as in RELION.

    Examples
    --------
    >>> frames = torch.ones(1, 1, 2, 4, 4)
    >>> batch = {
    ...     "image": frames,
    ...     "pixel_size_angstrom": torch.ones(1, 3),
    ...     "dose_electrons_per_square_angstrom": torch.tensor([[1.0, 2.0]]),
    ... }
    >>> DoseWeight()(batch)["image"].allclose(frames)
    True
    """

    takes_frames = True

    def __init__(self, *, voltage_kilovolts: int = 300, total: str = "frames", cosine: bool = False) -> None:
        if voltage_kilovolts not in _SENSITIVITY:
            raise InvalidOptionError(
                f"Critical doses are known at 300, 200 and 100 kV, not {voltage_kilovolts}."
            )
        if total not in ("frames", "sum"):
            raise InvalidOptionError(f"Weighted 'frames' stay or become a 'sum', not {total!r}.")
        super().__init__(voltage_kilovolts=voltage_kilovolts, total=total, cosine=cosine)
        self.voltage, self.total, self.cosine = voltage_kilovolts, total, cosine

    def batch(self, batch: Batch, draws: Draws) -> Batch:
        """Weight the frames of each sample."""
        image: Tensor = batch["image"]
        sizes = batch.get("pixel_size_angstrom")
        if image.ndim != 5:
            raise ShapeError(f"Doses weight (frames, y, x), not shape {tuple(image.shape[2:])}.")
        if sizes is None or bool((sizes[:, -2:] <= 0).any()):
            raise InvalidOptionError("To weight by dose, the pixel size of every sample has to be known.")
        doses, factors = _doses(batch, image.shape[2]), self._factors(batch, image)
        shape = tuple(image.shape[-2:])

        given = torch.from_numpy(doses).to(image.device)

        def weighted(rows: slice, spectra: Tensor) -> Tensor:
            k = _frequency(shape, sizes[rows, -2:].to(image.device, torch.float64))
            each = torch.exp(-given[rows, :, None, None] / (2 * critical_dose(k[:, None], self.voltage)))
            each = (each * factors[rows, :, None, None])[:, None]  # (b, 1, frames, y, half x)
            if self.total == "sum":  # the same in every frame: the first is taken afterwards
                summed = (spectra * each.to(image)).sum(dim=2, keepdim=True)
                level = each.square().sum(dim=2, keepdim=True).sqrt()
                return (summed / level.to(image)).expand_as(spectra)
            return spectra * each.to(image)

        changed = filter_samples(image, 2, weighted)
        if self.total == "sum":
            return _without_frames({**batch, "image": changed[:, :, 0].contiguous()}, image.shape[2])
        batch["image"] = changed
        return batch

    def _factors(self, batch: Batch, image: Tensor) -> Tensor:
        if not self.cosine:
            return torch.ones(len(image), image.shape[2], dtype=torch.float64, device=image.device)
        angles = batch.get("tilt_angle_degrees")
        if angles is None or angles.shape[1:] != image.shape[2:3]:
            raise InvalidOptionError("To weight by the cosine, the angle of each tilt has to be known.")
        return torch.cos(torch.deg2rad(angles.to(image.device, torch.float64)))


def _frequency(shape: tuple[int, ...], sizes: Tensor) -> Tensor:
    """Return frequencies in 1/Å of images with pixels of these sizes ``(b, 2)``: ``(b, y, half x)``."""
    ky, kx = (
        grid.to(sizes.device) / size[:, None, None]
        for grid, size in zip(frequencies(shape), sizes.T, strict=True)
    )
    k: Tensor = (ky.square() + kx.square()).sqrt()
    return k


def critical_dose(k: Tensor, voltage_kilovolts: int = 300) -> Tensor:
    """Return the dose in e⁻/Å² that leaves a frequency in 1/Å 1/e of its power; see :class:`DoseWeight`.

    Examples
    --------
    >>> [round(dose, 2) for dose in critical_dose(torch.tensor([0.0, 0.1, 0.5])).tolist()]
    [inf, 14.14, 3.59]
    """
    dose: Tensor = _SENSITIVITY[voltage_kilovolts] * (0.245 * k.pow(-1.665) + 2.81)
    return dose


def _without_frames(batch: Batch, frames: int) -> Batch:
    """Leave the axis of frames out of what is known, too."""
    for key in ("pixel_size_angstrom", "origin_angstrom", "shift_angstrom"):
        if key in batch and batch[key].shape[-1] == 3:
            batch[key] = batch[key][:, 1:]
    of_frames = keys_by_frame(batch, frames)
    return {key: value for key, value in batch.items() if key not in of_frames}
