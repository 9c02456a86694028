"""Samples as tensors: a source with labels and transforms, for a data loader to take batches from."""

from __future__ import annotations

import copy
import logging
import math
import operator
import os
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from caked.batches import IndexBatch, Sample, SampleBatch, TupleBatch
from caked.collate import Collation, check_collation, join_parts
from caked.counting import counted
from caked.errors import InvalidOptionError
from caked.inputs import digest_of_inputs
from caked.labels import Labels, label_samples
from caked.randomness import Draws
from caked.reading import NonFinite, group_by_shape, read_samples
from caked.sources.base import Source
from caked.sources.coercion import as_source
from caked.split import Split
from caked.transforms.base import Batch, Transform
from caked.transforms.chunks import in_chunks
from caked.transforms.compose import Compose, as_transform, without_random
from caked.transforms.owned import OwnedBatch
from caked.transforms.prefix import PrefixCache, cut_at_random, prefix_key

__all__ = ["Dataset", "IndexBatch", "NonFinite", "SampleBatch", "TupleBatch", "TupleDataset"]

logger = logging.getLogger("caked")


class Dataset(torch.utils.data.Dataset[Sample]):
    """A map-style dataset: ``dataset[k]`` is a dictionary, and a batch of them is read in one go.

    Parameters
    ----------
    source
        Where the samples are: a source, an array, a path, or anything with the reading protocol: see
        :func:`caked.as_source`.
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
    collate
        What becomes of samples that differ in shape after the transforms: ``"stack"`` reports them,
        ``"pad"`` pads with zeros to the largest and says in ``spatial_shape`` what is whose, ``"list"`` makes
        a list of tensors of the images, ``"nested"`` a nested tensor.
    cache
        Where to keep what the steps before the first random one make: ``"memory"`` (of each process, up to
        1 GiB) or a folder, which runs share; ``None`` to make it each time. The key is a digest of those
        steps, the seed and the inputs, for which files are read once.

    Notes
    -----
    A sample has the keys ``image`` (float32, ``(1, *spatial)``; complex64 of a complex file), ``label``
    (int64, -1 without labels), ``index`` (int64, in the source), ``pixel_size_angstrom`` (float64, one for
    each axis, 0.0 where not known), ``name`` and ``group`` (strings, the group empty where there is none),
    where the source has such images ``target``, ``weight`` and ``mask``, and where it knows them those of
    :mod:`caked.keys`, such as ``pose`` and ``defocus_u_angstrom``. A batch has the same keys: tensors with
    one more axis, lists of the strings and of what differs in length.

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
        collate: Collation = "stack",
        cache: str | os.PathLike[str] | None = None,
    ) -> None:
        if non_finite not in ("raise", "warn", "keep"):
            raise InvalidOptionError(f"Of NaN one can 'raise', 'warn' or 'keep' it, not {non_finite!r}.")
        check_collation(collate)
        if classes is not None and labels is None:
            raise InvalidOptionError("To keep some classes, the samples need labels.")
        self.source: Source = as_source(source)
        self.labels: Labels | None = (
            None if labels is None else label_samples(self.source, labels, classes=classes)
        )
        self.transform: Transform = as_transform(transform)
        self.seed = seed
        self.non_finite: NonFinite = non_finite
        self.collate: Collation = collate
        self.cache = None if cache is None else PrefixCache(os.fspath(cache))
        self._digest: str | None = None
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
            If samples still differ in shape after the transforms, and are to be stacked.
        NonFiniteImageError
            If an image holds NaN or infinity, and the dataset is to report it so.
        """
        if not len(positions):
            raise InvalidOptionError("A batch has one sample at least.")
        epoch = getattr(positions, "epoch", None)
        indices = self.indices[[operator.index(k) for k in positions]]
        draws = Draws(
            seed=self.seed,
            epoch=self.epoch if epoch is None else epoch,
            samples=indices,
            repeats=getattr(positions, "repeats", None),
        )
        alike = group_by_shape(self.source, indices)
        parts = [self._part(indices[places], draws.select(places)) for places in alike]
        return join_parts(parts, alike, self.collate)

    def _part(self, indices: NDArray[np.int64], draws: Draws) -> Batch:
        """Read and transform samples of one shape, a few at a time where they are large."""
        if isinstance(self.transform, Compose) and not len(self.transform):
            return self._read(indices)

        def piece(rows: slice) -> Batch:
            if self.cache is not None:
                return self._cached(self.cache, indices[rows], draws.select(rows))
            batch = OwnedBatch(self._read(indices[rows]), image_is_owned=True)
            return dict(self.transform(batch, draws.select(rows)))

        return in_chunks(piece, len(indices), 4 * math.prod(self.source.shape(int(indices[0]))))

    def _cached(self, cache: PrefixCache, indices: NDArray[np.int64], draws: Draws) -> Batch:
        """Take what the deterministic steps make from the cache, and go on from there."""
        prefix, rest = cut_at_random(self.transform)
        key = prefix_key(prefix, inputs=self._inputs(), seed=self.seed)
        batch = cache.batch(
            key, indices.tolist(), lambda places: prefix(self._read(indices[places]), draws.select(places))
        )
        return rest({**batch, "label": self._labels_of(indices)}, draws)

    def _inputs(self) -> str:
        """Return a digest of what the source gives, taken once; what may be NaN is kept apart."""
        if self._digest is None:
            self._digest = f"{digest_of_inputs(self.source)} {self.non_finite}"
        return self._digest

    def _labels_of(self, indices: NDArray[np.int64]) -> Tensor:
        codes = np.full(len(indices), -1) if self.labels is None else self.labels.codes[indices]
        return torch.from_numpy(codes.astype(np.int64))

    def _read(self, indices: NDArray[np.int64]) -> Batch:
        batch = read_samples(self.source, indices, non_finite=self.non_finite)
        batch["label"] = self._labels_of(indices)
        return batch

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
        return f"Dataset({counted(len(self), 'samples')} of {self.source!r})"


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
