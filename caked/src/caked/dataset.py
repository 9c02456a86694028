"""Samples as tensors: a source with labels and transforms, for a data loader to take batches from."""

from __future__ import annotations

import copy
import logging
import warnings
from collections.abc import Iterator, Sequence
from typing import Any, Literal, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caked.errors import InvalidOptionError, NonFiniteImageError, ShapeError
from caked.labels import Labels, label_samples
from caked.randomness import Draws
from caked.sources.base import Source
from caked.sources.stream import as_source
from caked.split import Split
from caked.transforms.base import Batch, Transform
from caked.transforms.chunks import join_batches, transform_in_chunks
from caked.transforms.compose import as_transform, without_random

__all__ = ["Dataset", "IndexBatch", "SampleBatch", "TupleBatch", "TupleDataset"]

logger = logging.getLogger("caked")

NonFinite = Literal["raise", "warn", "keep"]
Sample = dict[str, Any]


class IndexBatch(list[int]):
    """Positions of a batch's samples, and the epoch they are asked for in; workers get both."""

    epoch: int | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return _index_batch, (list(self), self.epoch)


def _index_batch(positions: list[int], epoch: int | None) -> IndexBatch:
    batch = IndexBatch(positions)
    batch.epoch = epoch
    return batch


class SampleBatch(Sequence[Sample]):
    """A batch as a sequence of samples, which are views of it; the batch itself is ``.batch``."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch

    def __len__(self) -> int:
        return len(self.batch["image"])

    @overload
    def __getitem__(self, k: int) -> Sample: ...

    @overload
    def __getitem__(self, k: slice) -> list[Sample]: ...

    def __getitem__(self, k: int | slice) -> Sample | list[Sample]:
        """Return one sample, or a list of them."""
        if isinstance(k, slice):
            return [self[j] for j in range(*k.indices(len(self)))]
        place = range(len(self))[k]
        return {key: values[place] for key, values in self.batch.items()}


class TupleBatch(Sequence[tuple[Tensor, Tensor]]):
    """A batch as a sequence of pairs, which are views of it; the batch itself is ``.batch``."""

    def __init__(self, batch: list[Tensor]) -> None:
        self.batch = batch

    def __len__(self) -> int:
        return len(self.batch[0])

    @overload
    def __getitem__(self, k: int) -> tuple[Tensor, Tensor]: ...

    @overload
    def __getitem__(self, k: slice) -> list[tuple[Tensor, Tensor]]: ...

    def __getitem__(self, k: int | slice) -> tuple[Tensor, Tensor] | list[tuple[Tensor, Tensor]]:
        """Return one pair, or a list of them."""
        if isinstance(k, slice):
            return [self[j] for j in range(*k.indices(len(self)))]
        place = range(len(self))[k]
        return self.batch[0][place], self.batch[1][place]


class Dataset(torch.utils.data.Dataset[Sample]):
    """A map-style dataset: ``dataset[k]`` is a dictionary, and a batch of them is read in one go.

    Parameters
    ----------
    source
        Where the samples are: a source, an array, or anything with the reading protocol.
    labels
        How to label them: see :func:`caked.as_label_rule`; ``None`` for no labels.
    classes
        The classes to keep; other samples are left out. ``None`` for all.
    transform
        A transform, or a list of them, for batches ``(B, 1, *spatial)``.
    seed
        Of everything random in the transforms.
    non_finite
        What to do about an image that holds NaN or infinity: ``"raise"``, ``"warn"`` or ``"keep"``.

    Notes
    -----
    A sample has the keys ``image`` (float32, ``(1, *spatial)``; complex64 of a complex file), ``label``
    (int64, -1 without labels), ``index`` (int64, in the source), ``pixel_size_angstrom`` (float64, one for
    each axis, 0.0 where not known), ``name`` and ``group`` (strings, the group empty where there is none).
    A batch has the same keys: tensors of the first four, lists of the last two.

    Examples
    --------
    >>> from caked.transforms import MinMax
    >>> images = np.arange(32.0).reshape(2, 4, 4)
    >>> sample = Dataset(images, labels=["apo", "holo"], transform=MinMax())[1]
    >>> sample["image"].shape, int(sample["label"]), sample["name"]
    (torch.Size([1, 4, 4]), 1, '1')
    """

    def __init__(
        self,
        source: Any,
        *,
        labels: Any = None,
        classes: Sequence[str] | None = None,
        transform: Any = None,
        seed: int = 0,
        non_finite: NonFinite = "raise",
    ) -> None:
        if non_finite not in ("raise", "warn", "keep"):
            raise InvalidOptionError(f"Of NaN one can 'raise', 'warn' or 'keep' it, not {non_finite!r}.")
        if classes is not None and labels is None:
            raise InvalidOptionError("To keep some classes, the samples need labels.")
        self.source: Source = as_source(source)
        self.labels: Labels | None = (
            None if labels is None else label_samples(self.source, labels, classes=classes)
        )
        self.transform: Transform = as_transform(transform)
        self.seed = seed
        self.non_finite: NonFinite = non_finite
        self.epoch = 0
        self.indices: NDArray[np.int64] = np.arange(len(self.source), dtype=np.int64)
        if self.labels is not None and (self.labels.codes < 0).any():
            self.indices = self.indices[self.labels.codes >= 0]
            logger.info("Of %d samples %d are of the classes asked for.", len(self.source), len(self.indices))

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, k: int) -> Sample:
        """Read and transform one sample."""
        return self.__getitems__([k])[0]

    def __getitems__(self, positions: Sequence[int]) -> SampleBatch:
        """Read and transform a batch of samples; torch calls this of itself."""
        return SampleBatch(self.batch(positions))

    def __iter__(self) -> Iterator[Sample]:
        for k in range(len(self)):
            yield self[k]

    def batch(self, positions: Sequence[int]) -> Batch:
        """Read and transform a batch of samples, as a dictionary of tensors and lists.

        Raises
        ------
        ShapeError
            If samples still differ in shape after the transforms.
        NonFiniteImageError
            If an image holds NaN or infinity, and the dataset is to report it so.
        """
        epoch = getattr(positions, "epoch", None)
        rows = np.array([range(len(self))[k] for k in positions], dtype=np.int64)
        indices = self.indices[rows]
        draws = Draws(seed=self.seed, epoch=self.epoch if epoch is None else epoch, samples=indices)
        alike = self._by_shape(indices)
        parts = [
            transform_in_chunks(self.transform, self._read(indices[places]), draws.select(places))
            for places in alike
        ]
        return _joined(parts, alike)

    def _by_shape(self, indices: NDArray[np.int64]) -> list[NDArray[np.int64]]:
        """Return the places in the batch of samples that have one shape, for each shape."""
        places: dict[tuple[int, ...], list[int]] = {}
        for place, i in enumerate(indices.tolist()):
            places.setdefault(self.source.shape(i), []).append(place)
        return [np.array(group, dtype=np.int64) for group in places.values()]

    def _read(self, indices: NDArray[np.int64]) -> Batch:
        chosen = indices.tolist()
        shape = self.source.shape(chosen[0])
        complex_values = self.source.dtype(chosen[0]).kind == "c"
        image = torch.empty(
            (len(chosen), 1, *shape), dtype=torch.complex64 if complex_values else torch.float32
        )
        self.source.read_batch(chosen, image.numpy()[:, 0])
        self._check_finite(image, chosen)
        codes = np.full(len(chosen), -1) if self.labels is None else self.labels.codes[chosen]
        return {
            "image": image,
            "label": torch.from_numpy(codes.astype(np.int64)),
            "index": torch.from_numpy(indices.copy()),
            "pixel_size_angstrom": torch.tensor(
                [self.source.pixel_size(i) for i in chosen], dtype=torch.float64
            ),
            "name": [self.source.names[i] for i in chosen],
            "group": [self.source.group(i) or "" for i in chosen],
        }

    def _check_finite(self, image: Tensor, chosen: Sequence[int]) -> None:
        # A sum is finite only if all of it is, and is quicker than looking at every value.
        if self.non_finite == "keep" or bool(torch.isfinite(image.sum())):
            return
        if bool(torch.isfinite(image).all()):
            return
        finite = torch.isfinite(image).flatten(1).all(dim=1).tolist()
        name = self.source.names[chosen[finite.index(False)]]
        message = f"Image {name} holds NaN or infinity (keep such with non_finite='keep')."
        if self.non_finite == "raise":
            raise NonFiniteImageError(message, name=name)
        warnings.warn(message, stacklevel=5)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that random transforms draw for; a :class:`caked.Loader` does so by itself."""
        self.epoch = epoch

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the classes, sorted; none without labels."""
        return () if self.labels is None else self.labels.classes

    def own_labels(self) -> Labels:
        """Return the labels of the samples of this dataset, in its order.

        Raises
        ------
        InvalidOptionError
            If there are no labels.
        """
        if self.labels is None:
            raise InvalidOptionError("The samples have no labels; give the dataset labels=….")
        return self.labels.select(self.indices)

    def class_counts(self) -> dict[str, int]:
        """Return how many samples of this dataset each class has."""
        return dict(zip(self.classes, self.own_labels().counts().tolist(), strict=True))

    def class_weights(self) -> Tensor:
        """Return a weight for each class that makes them count alike, for a loss function: float32."""
        return torch.from_numpy(self.own_labels().weights()).float()

    def subset(self, indices: Sequence[int] | NDArray[np.int64], *, transform: Any = ...) -> Dataset:
        """Return a dataset of some of the samples, with the same numbers drawn for each.

        Parameters
        ----------
        indices
            Indices in the source, which are what ``sample["index"]`` says.
        transform
            Another transform, if given.
        """
        chosen = np.asarray(indices, dtype=np.int64)
        if not np.isin(chosen, self.indices).all():
            raise InvalidOptionError("A subset is taken of the samples that the dataset has.")
        other = copy.copy(self)
        other.indices = chosen
        if transform is not ...:
            other.transform = as_transform(transform)
        return other

    def split(self, split: Split, *, evaluation_transform: Any = ...) -> dict[str, Dataset]:
        """Return a dataset for each part of a split.

        Parameters
        ----------
        evaluation_transform
            Transform of every part but ``"train"``; by default the same steps without those that are random.
        """
        if evaluation_transform is ...:
            evaluation_transform = without_random(self.transform)
        parts = {}
        for part in split.parts:
            chosen = split.indices(part, self.source)
            other = {} if part == "train" else {"transform": evaluation_transform}
            parts[part] = self.subset(chosen, **other)
        return parts

    def as_tuples(self) -> TupleDataset:
        """Return the same samples as ``(image, label)``."""
        return TupleDataset(self)

    def __repr__(self) -> str:
        return f"Dataset({len(self)} samples of {self.source!r})"


class TupleDataset(torch.utils.data.Dataset[tuple[Tensor, Tensor]]):
    """A dataset's samples as ``(image, label)``, for code that expects pairs."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, k: int) -> tuple[Tensor, Tensor]:
        """Return image and label of one sample."""
        sample = self.dataset[k]
        return sample["image"], sample["label"]

    def __getitems__(self, positions: Sequence[int]) -> TupleBatch:
        """Return images and labels of a batch of samples."""
        batch = self.dataset.batch(positions)
        return TupleBatch([batch["image"], batch["label"]])


def _joined(parts: list[Batch], places: list[NDArray[np.int64]]) -> Batch:
    """Put parts of different shapes together again, in the order of the batch."""
    if len(parts) == 1:
        return parts[0]
    shapes = [tuple(part["image"].shape[1:]) for part in parts]
    if len(set(shapes)) > 1:
        told = "; ".join(f"{part['name'][0]} has {shape}" for part, shape in zip(parts, shapes, strict=True))
        raise ShapeError(
            f"A batch takes one shape, and here {told}. Bring them to one size, as FourierCrop does."
        )
    order = np.argsort(np.concatenate(places))
    joined = join_batches(parts)
    for key, values in joined.items():
        joined[key] = (
            values[torch.from_numpy(order)] if isinstance(values, Tensor) else [values[k] for k in order]
        )
    return joined
