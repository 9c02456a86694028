"""Parts of samples taken away at random: blocks, and single pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from caked.errors import InvalidOptionError
from caked.randomness import Draws
from caked.transforms.base import RandomTransform, register
from caked.transforms.fields import uniform_fields
from caked.transforms.options import Range, as_range, in_json
from caked.transforms.reduce import column, mean_of

__all__ = ["RandomCutout", "VoxelDropout"]


class _Erasing(RandomTransform):
    """Base: what is drawn is where to erase, ``(B, 1, *spatial)``."""

    fill: str | float

    def _keep(self, fill: str | float) -> None:
        if isinstance(fill, str) and fill != "mean":
            raise InvalidOptionError(f"What is erased becomes a number or the 'mean', not {fill!r}.")
        self.fill = fill

    def transform(self, image: Tensor, parameters: Tensor) -> Tensor:
        """Put the filling where it was drawn."""
        level: Any = column(mean_of(image), image) if self.fill == "mean" else float(self.fill)
        return torch.where(parameters.to(image.device), level, image)


@register("random_cutout")
class RandomCutout(_Erasing):
    """Erase some blocks of each sample.

    Parameters
    ----------
    count
        Greatest number of blocks; from 0 to it are drawn.
    size
        Edges of a block in parts of the image's; a number, or a pair to draw between, for each axis.
    fill
        ``"mean"`` of the sample, or a number.

    Notes
    -----
    A block begins anywhere where it lies within the image. Source: random erasing (Zhong et al. 2020,
    doi:10.1609/aaai.v34i07.7000); the defaults are those of MemBrain-seg.

    Examples
    --------
    >>> RandomCutout(fill=0.0)(torch.ones(1, 1, 8, 8)).unique().numel() <= 2
    True
    """

    def __init__(self, *, count: int = 5, size: Range = (0.1, 1 / 3), fill: float | str = "mean") -> None:
        if count < 1:
            raise InvalidOptionError(f"There is one block at least, not {count}.")
        self_range = as_range(size, "A part of an edge", low=0.0, high=1.0)
        super().__init__(count=count, size=in_json(size), fill=fill)
        self.count, self.size = count, self_range
        self._keep(fill)

    def draw(self, draws: Draws, image: Tensor) -> Tensor:
        """Draw the blocks of each sample."""
        shape = np.array(image.shape[2:])
        erased = np.zeros((len(image), 1, *shape), dtype=bool)
        counts = draws.within("count").integers(0, self.count + 1)[:, 0]
        edges = draws.within("size").uniform(*self.size, count=self.count * len(shape))
        starts = draws.within("start").uniform(count=self.count * len(shape))
        for row, count in enumerate(counts):
            for block in range(count):
                columns = slice(block * len(shape), (block + 1) * len(shape))
                size = np.clip(np.rint(edges[row, columns] * shape), 1, shape).astype(int)
                start = np.floor(starts[row, columns] * (shape - size + 1)).astype(int)
                where = tuple(slice(a, a + n) for a, n in zip(start, size, strict=True))
                erased[row, 0][where] = True
        return torch.from_numpy(erased)


@register("voxel_dropout")
class VoxelDropout(_Erasing):
    """Erase single pixels or voxels of each sample.

    Parameters
    ----------
    fraction
        Of the pixels, each by itself; a number, or a pair to draw between for each sample.
    fill
        A number, or ``"mean"`` of the sample.

    Notes
    -----
    Each pixel is erased where an even number falls below the fraction. Source: TomoTwin's voxel dropout, 5 to
    20 % (Rice et al. 2023, doi:10.1038/s41592-023-01878-z). A GPU draws others than a processor, though the
    same each time.

    Examples
    --------
    >>> VoxelDropout(fraction=1.0)(torch.ones(1, 1, 2)).tolist()
    [[[0.0, 0.0]]]
    """

    def __init__(self, *, fraction: Range = (0.05, 0.2), fill: float | str = 0.0) -> None:
        self_range = as_range(fraction, "A fraction", low=0.0, high=1.0)
        super().__init__(fraction=in_json(fraction), fill=fill)
        self.fraction = self_range
        self._keep(fill)

    def draw(self, draws: Draws, image: Tensor) -> Tensor:
        """Draw the pixels of each sample."""
        fractions = torch.from_numpy(draws.within("fraction").uniform(*self.fraction)[:, 0])
        return uniform_fields(draws.within("pixels"), image) < column(fractions.to(image.device), image)
