"""Put predictions on patches together again: micrographs and tomograms, with pixel size and origin."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from caked.counting import counted
from caked.errors import InvalidOptionError, ShapeError
from caked.io.write import write_mrc
from caked.protocol import Array
from caked.sources.patches import PatchSource

__all__ = ["Stitched", "stitch"]

Blend = Literal["linear", "centre"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Stitched:
    """What was predicted for one image.

    Attributes
    ----------
    name
        Of the image in its source.
    image
        ``(*spatial)``, or ``(channel, *spatial)`` where predictions have channels; float32, or complex64.
    pixel_size_angstrom, origin_angstrom
        Of the image, along each spatial axis.
    """

    name: str
    image: Array
    pixel_size_angstrom: tuple[float, ...]
    origin_angstrom: tuple[float, ...]

    def save(self, path: str | os.PathLike[str], *, channel: int | None = None) -> Path:
        """Write the image as an MRC file with pixel size and origin, whole or not at all.

        Parameters
        ----------
        channel
            Which one to write, of a prediction with several.
        """
        image = self.image
        if image.ndim > len(self.pixel_size_angstrom):
            if channel is None and len(image) > 1:
                raise InvalidOptionError(f"There are {len(image)} channels; say which with channel=….")
            image = image[channel or 0]
        return write_mrc(
            path, image, voxel_size=self.pixel_size_angstrom, origin_angstrom=self.origin_angstrom
        )


def stitch(predictions: Any, patches: PatchSource, *, blend: Blend = "linear") -> Iterator[Stitched]:
    """Put predictions on patches together, image by image, each given as soon as it is complete.

    Parameters
    ----------
    predictions
        One prediction for each patch, ``(*size)`` or ``(channel, *size)``: an array or tensor of all of them
        in the order of ``patches``; or batches of them in that order, as a loader without shuffling gives
        them; or pairs ``(index, batch)`` in any order, ``index`` being the batch's own.
    patches
        What was predicted for, as :meth:`caked.PatchSource.grid` makes it.
    blend
        ``"linear"``: where patches overlap, each counts the less, the nearer its edge; ``"centre"``: each
        pixel is that of the patch in which it lies deepest, as it was predicted.

    Yields
    ------
    Stitched
        Of each image, cut to its size; pixels that no patch covers are 0.

    Raises
    ------
    ShapeError
        If a prediction has not the size of its patch.
    InvalidOptionError
        If predictions are missing, or there are more than patches.

    Notes
    -----
    Sums are float64, so that overlapping patches of one image give back its float32 values exactly.

    Examples
    --------
    >>> patches = PatchSource.grid(np.arange(64.0).reshape(1, 8, 8), size=4, overlap=2)
    >>> [whole] = stitch(patches.read_batch(range(len(patches))), patches)
    >>> bool((whole.image == patches.source.read(0)).all())
    True
    """
    if blend not in ("linear", "centre"):
        raise InvalidOptionError(f"Patches are blended 'linear' or by 'centre', not {blend!r}.")
    left = np.bincount(patches.places.item, minlength=len(patches.source))
    seen = np.zeros(len(patches), dtype=bool)
    canvases: dict[int, _Canvas] = {}
    for index, prediction in _one_by_one(predictions):
        if not 0 <= index < len(patches) or seen[index]:
            raise InvalidOptionError(
                f"Of {counted(len(patches), 'patches')}, a prediction for {index} is too many."
            )
        seen[index] = True
        item = int(patches.places.item[index])
        if item not in canvases:
            canvases[item] = _Canvas(patches, item, prediction, blend)
        canvases[item].add(prediction, patches.places.start[index], patches.names[index])
        left[item] -= 1
        if left[item] == 0:
            yield _finished(patches, item, canvases.pop(item))
    if not seen.all():
        missing = int((~seen).sum())
        first = patches.names[int((~seen).argmax())]
        raise InvalidOptionError(
            f"Predictions are missing for {missing} of {counted(len(seen), 'patches')}: {first}, …"
        )


def _one_by_one(predictions: Any) -> Iterator[tuple[int, Array]]:
    if hasattr(predictions, "shape"):
        predictions = [predictions]
    position = 0
    for batch in _batches(predictions):
        index, values = batch if isinstance(batch, tuple) else (None, batch)
        array = _as_array(values)
        indices = range(position, position + len(array)) if index is None else _as_array(index).tolist()
        position += len(array)
        yield from zip(indices, array, strict=True)


def _batches(predictions: Any) -> Iterable[Any]:
    if not isinstance(predictions, Iterable):
        raise InvalidOptionError(
            f"Predictions are an array or batches of them, not {type(predictions).__name__}."
        )
    return predictions


def _as_array(values: Any) -> Array:
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)


class _Canvas:
    """Sums of one image."""

    def __init__(self, patches: PatchSource, item: int, first: Array, blend: Blend) -> None:
        size = patches.places.size
        self.size, self.shape = size, patches.source.shape(item)
        self.blend = blend
        self.weight = _weights(size)
        channels = first.shape[: first.ndim - len(size)]
        if len(channels) > 1:
            raise ShapeError(f"A prediction of shape {first.shape} is no patch of {size} with channels.")
        kind = np.complex128 if first.dtype.kind == "c" else np.float64
        self.sum = np.zeros((*channels, *self.shape), dtype=kind)
        self.total = np.zeros(self.shape)

    def add(self, prediction: Array, start: Array, name: str) -> None:
        """Add one patch, without what reaches outside the image."""
        if (
            prediction.shape[prediction.ndim - len(self.size) :] != self.size
            or prediction.ndim != self.sum.ndim
        ):
            raise ShapeError(
                f"The prediction for {name} has shape {prediction.shape}, and the patch {self.size}."
            )
        inside: list[Any] = [...]  # whatever the channels
        own: list[Any] = [...]
        for first, edge, length in zip(start.tolist(), self.shape, self.size, strict=True):
            a, b = max(first, 0), min(first + length, edge)
            inside.append(slice(a, max(a, b)))
            own.append(slice(a - first, max(a, b) - first))
        at = tuple(inside)
        weight, values = self.weight[tuple(own)], prediction[tuple(own)]
        if self.blend == "centre":
            better = weight > self.total[at]
            self.total[at] = np.where(better, weight, self.total[at])
            self.sum[at] = np.where(better, values, self.sum[at])
        else:
            self.total[at] += weight
            self.sum[at] += weight * values

    def image(self) -> Array:
        """Return the weighted mean."""
        if self.blend == "linear":
            self.sum /= np.where(self.total > 0, self.total, 1.0)
        return self.sum.astype(np.complex64 if self.sum.dtype.kind == "c" else np.float32)


def _weights(size: tuple[int, ...]) -> Array:
    """Return how much each pixel of a patch counts: the product of its distances from the nearest edges."""
    axes = [np.minimum(np.arange(1, n + 1), np.arange(n, 0, -1)).astype(np.float64) for n in size]
    return np.asarray(np.prod(np.meshgrid(*axes, indexing="ij"), axis=0))


def _finished(patches: PatchSource, item: int, canvas: _Canvas) -> Stitched:
    source = patches.source
    return Stitched(
        name=source.names[item],
        image=canvas.image(),
        pixel_size_angstrom=source.pixel_size(item),
        origin_angstrom=source.origin(item),
    )
