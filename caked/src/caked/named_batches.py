"""Samples of the published dataset on their way into a batch, with the names of their files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor
from torch.utils.data import default_collate

from caked.errors import ShapeError

__all__ = ["NamedSamples", "collate_named"]


class NamedSamples(list[Any]):
    """Samples, the files that they are from, and the tensor of all images where the samples are its rows."""

    def __init__(self, samples: Sequence[Any], paths: Sequence[Any], images: Tensor | None = None) -> None:
        super().__init__(samples)
        self.paths = list(paths)
        self.images = images

    def are_rows(self) -> bool:
        """Whether the samples still are the rows of ``images``, and nobody has put others in their place."""
        if self.images is None or len(self) != len(self.images):
            return False
        rows = zip(self.images, self, strict=True)
        return all(row.data_ptr() == x.data_ptr() and row.shape == x.shape for row, (x, _) in rows)


def collate_named(samples: Sequence[Any]) -> Any:
    """Make a batch as torch does, and name two files where samples of unlike shapes make none.

    Raises
    ------
    ShapeError
        If shapes differ.
    """
    if isinstance(samples, NamedSamples):
        if samples.are_rows():
            return [samples.images, tuple(label for _, label in samples)]
        shapes = [tuple(getattr(sample[0], "shape", ())) for sample in samples]
        other = next((k for k, shape in enumerate(shapes) if shape != shapes[0]), 0)
        if other:
            raise ShapeError(
                f"A batch takes one shape: {samples.paths[0]} has {shapes[0]}, {samples.paths[other]} has "
                f"{shapes[other]}. The transformation 'rescale=N' brings them to one."
            )
    return default_collate(list(samples))
