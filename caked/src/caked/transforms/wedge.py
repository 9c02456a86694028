"""The missing wedge of a tilt series, cut out of volumes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caked.errors import InvalidOptionError, ShapeError
from caked.randomness import Draws
from caked.transforms.base import Batch, Transform, register
from caked.transforms.moving import WEDGE
from caked.transforms.options import Range, as_range, in_json
from caked.transforms.spectral import each_of, filter_samples

__all__ = ["MissingWedge", "measured_part"]

_CUBE = (1.0, 1.0, 1.0)
_ROUNDING = 1e-3  # of what headers say of the edges of cubes


@register("missing_wedge")
class MissingWedge(Transform):
    """Leave of each volume what a tilt series measures: the planes between the outermost tilts.

    Parameters
    ----------
    tilt_degrees
        Greatest tilt to both sides; or the first and the last, such as ``(-40, 60)``.
    axis
        Axis of the tilt, ``"y"`` or ``"x"``; the beam runs along z.
    keep
        Whether the batch gets what was measured as ``"wedge"``, ``(B, 1, *spatial)``: 1 where it was and 0
        where not, zero frequency at n // 2. Rotations and flips that follow turn it with the volume.

    Notes
    -----
    A plane tilted by θ about y is ``kz = kx tan θ``; kept is what lies between the planes of the outermost
    tilts, which for ±T is ``|kz| <= |kx| tan T``, and k = 0. Tilts are right-handed: z towards x about y, y
    towards z about x. Where voxels are no cubes, by the pixel sizes that the batch knows, k is in 1/Å; where
    it does not know them they are taken for cubes. Source: the wedge of DeepDeWedge (Wiedemann & Heckel 2024,
    doi:10.1038/s41467-024-51438-y) and IsoNet.

    Where the batch has a wedge already, what both have measured is left of it.

    Examples
    --------
    >>> volume = torch.ones(1, 1, 4, 4, 4)
    >>> MissingWedge(tilt_degrees=60)(volume).allclose(volume)
    True
    """

    def __init__(self, *, tilt_degrees: Range = 60.0, axis: str = "y", keep: bool = False) -> None:
        first, last = as_range(tilt_degrees, "A tilt in degrees", low=-90, high=90, mirrored=True)
        if first == last:
            raise InvalidOptionError(f"Tilts go from one to another, not {tilt_degrees}.")
        if axis not in ("x", "y"):
            raise InvalidOptionError(f"A tilt axis is 'y' or 'x', not {axis!r}.")
        super().__init__(tilt_degrees=in_json(tilt_degrees), axis=axis, keep=keep)
        self.tilts, self.axis, self.keep = (first, last), axis, keep

    def batch(self, batch: Batch, draws: Draws) -> Batch:
        """Cut the wedge out of each volume."""
        image: Tensor = batch["image"]
        if image.ndim != 5:
            raise ShapeError(
                f"A missing wedge is cut out of volumes, not of shape {tuple(image.shape[2:])}; where a "
                "pixel size says 0 along z alone, slices are frames of a series."
            )
        shape = tuple(image.shape[2:])
        edges = _voxel_edges(batch)
        parts = {
            edge: torch.from_numpy(measured_part(shape, self.tilts, axis=self.axis, voxel=edge)).to(image)
            for edge in set(edges)
        }
        half = shape[-1] // 2 + 1
        halves = {edge: part[..., :half] for edge, part in parts.items()}
        batch["image"] = filter_samples(
            image, 3, lambda rows, spectra: spectra * each_of(halves, edges[rows])
        )
        if self.keep:
            measured = torch.stack([torch.fft.fftshift(parts[edge]) for edge in edges])[:, None]
            batch[WEDGE] = batch[WEDGE] * measured if WEDGE in batch else measured
        return batch


def _voxel_edges(batch: Batch) -> list[tuple[float, ...]]:
    """Return the edges of each sample's voxels, of the longest; 1 where they are cubes or are not known."""
    sizes = batch.get("pixel_size_angstrom")
    if sizes is None or sizes.shape[-1] != 3:
        return [_CUBE] * len(batch["image"])
    edges = []
    for size in sizes.tolist():
        nearly_alike = max(size) - min(size) <= _ROUNDING * max(size)
        edges.append(_CUBE if nearly_alike or min(size) <= 0 else tuple(edge / max(size) for edge in size))
    return edges


def measured_part(
    shape: Sequence[int],
    tilt_degrees: tuple[float, float],
    *,
    axis: str = "y",
    voxel: Sequence[float] = (1.0, 1.0, 1.0),
) -> NDArray[np.float64]:
    """Return 1 for each frequency between the outermost tilts, and 0 for others, on the grid of ``fftn``.

    The edges of a voxel are along z, y and x, in any unit. Where an even number of pixels has its highest
    frequency once for both signs, it is the mean of the two.

    Examples
    --------
    >>> measured_part((4, 1, 4), (-45.0, 45.0))[:2, 0].tolist()
    [[1.0, 1.0, 1.0, 1.0], [0.0, 1.0, 1.0, 1.0]]
    """
    kz, ky, kx = (
        np.fft.fftfreq(n).reshape([-1 if k == j else 1 for k in range(3)]) / voxel[j]
        for j, n in enumerate(shape)
    )
    along, beam = (kx, kz) if axis == "y" else (ky, -kz)
    side = np.where(along < 0, -1.0, 1.0)  # a plane is the same seen from behind
    forward, upward = np.broadcast_arrays(along * side, beam * side)
    angle, slack = np.degrees(np.arctan2(upward, forward)), 1e-9  # a plane's own frequencies are measured
    inside = (angle >= tilt_degrees[0] - slack) & (angle <= tilt_degrees[1] + slack)
    upright = (forward == 0) & (upward != 0)  # the plane of a tilt by 90 degrees, to either side
    inside = np.where(upright, -90 in tilt_degrees or 90 in tilt_degrees, inside)
    inside = inside | ((forward == 0) & (upward == 0))
    part = np.broadcast_to(inside, tuple(shape)).astype(np.float64)
    mirrored = np.roll(part[::-1, ::-1, ::-1], 1, axis=(0, 1, 2))  # -k in place of k
    return np.asarray(0.5 * (part + mirrored))
