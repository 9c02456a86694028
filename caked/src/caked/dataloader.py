"""The published loader: files of one folder, classes by their names, in four words of processing.

What was written for caked 0.1.7 works on unchanged, on results that are right. New code finds more in
:mod:`caked.dataset` and :mod:`caked.loader`.
"""

from __future__ import annotations

import copy
import logging
import math
import os
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader, Sampler, Subset

from caked.base import AbstractDataLoader
from caked.diskdataset import SEED, DiskDataset, files_in, suffixes_of
from caked.errors import ClassesNotFoundError, InvalidOptionError, SplitError
from caked.labels import prefix_of
from caked.named_batches import collate_named
from caked.randomness import permutation
from caked.words import TRANSFORM_OPTIONS, parse_words

__all__ = ["TRANSFORM_OPTIONS", "DiskDataLoader", "DiskDataset"]

logger = logging.getLogger("caked")

_AnyPath = str | os.PathLike[str]


class DiskDataLoader(AbstractDataLoader):
    """Find files whose name begins with their class, and hand out torch DataLoaders.

    A file is called ``<class>_<anything>.<ext>`` and is one sample, an image ``(y, x)`` or a volume ``(z,
    y, x)``.

    Parameters
    ----------
    dataset_size
        Greatest number of samples; ``None`` for all. The same ones every time.
    save_to_disk
        Whether :meth:`load` writes what was processed into ``save_directory``.
    training
        Whether :meth:`get_loader` splits; if not, it keeps the order.
    classes
        Classes to read; ``None`` or empty for every one there is.
    pipeline
        Name of the way in which the data are read; ``"disk"`` is the only one.
    transformations
        Any of ``"shiftmin"`` (values to 0 to 1), ``"gaussianblur"`` (sigma 1 pixel, along every axis),
        ``"normalise"`` (mean 0, deviation 1), ``"rescale=N"`` (every axis to N pixels, without aliasing),
        applied in the order given.

    Attributes
    ----------
    dataset
        The dataset, after :meth:`load`. It can be replaced by one's own.
    debug
        If true, files stay in the order of their names instead of being shuffled.
    save_directory
        Where ``save_to_disk`` writes; ``None`` for a folder ``processed`` in the one that is loaded.
    """

    dataset: Any

    def __init__(
        self,
        dataset_size: int | None = None,
        save_to_disk: bool = False,
        training: bool = True,
        classes: list[str] | None = None,
        pipeline: str = "disk",
        transformations: list[str] | None = None,
    ) -> None:
        if dataset_size is not None and dataset_size < 1:
            raise InvalidOptionError(f"A dataset has one sample at least, not {dataset_size}.")
        super().__init__(
            pipeline, [] if classes is None else list(classes), save_to_disk, training, dataset_size
        )
        self.transformations = transformations
        self.debug = False
        self.save_directory: _AnyPath | None = None
        self._found: list[str] | None = None  # the classes of the last load, where none were asked for

    def load(self, datapath: _AnyPath, datatype: str = "mrc") -> None:
        """Find the files of a folder.

        Parameters
        ----------
        datapath
            The folder; folders in it are not looked into.
        datatype
            ``"mrc"`` (also ``.mrcs``, a volume or an image each, and compressed ones) or ``"npy"``.

        Raises
        ------
        SourceNotFoundError
            If the folder is not there, or holds no such file.
        ClassesNotFoundError
            If no file has a class that was asked for.
        """
        names = files_in(Path(datapath), suffixes_of(datatype))
        present = sorted({prefix_of(name) for name in names})
        asked = [] if self.classes is self._found else sorted(set(self.classes))
        self._check_classes(asked, present)
        if asked:
            self.classes = asked
        else:
            self.classes = self._found = present
        chosen = set(self.classes)
        names = [name for name in names if prefix_of(name) in chosen]
        if not self.debug:
            names = [names[k] for k in permutation(len(names), seed=SEED, operation="files")]
        paths = [Path(datapath) / name for name in names[: self.dataset_size]]
        if self.transformations is None:
            self.dataset = DiskDataset(paths=paths, datatype=datatype)
        else:
            self.dataset = self.process(paths=paths, datatype=datatype)
        if self.save_to_disk:
            self.dataset.save(self.save_directory or Path(datapath) / "processed")

    def _check_classes(self, asked: list[str], present: list[str]) -> None:
        missing = tuple(name for name in asked if name not in present)
        if missing:
            raise ClassesNotFoundError(
                "Not all classes in the list are present in the directory. "
                f"Missing classes: {list(missing)}. There are {present}.",
                missing=missing,
            )
        ignored = [name for name in present if asked and name not in asked]
        if ignored:
            logger.info("Classes %s are in the directory and not in the list; they are left out.", ignored)

    def process(self, paths: Sequence[_AnyPath], datatype: str) -> DiskDataset:
        """Return a dataset of files that applies the transformations.

        Raises
        ------
        InvalidOptionError
            If there are none, or one is unknown.
        """
        if self.transformations is None:
            raise InvalidOptionError("There is nothing to process: no transformations were given.")
        steps, size = parse_words(self.transformations)
        dataset = DiskDataset(
            paths=paths,
            datatype=datatype,
            rescale=size,
            shiftmin="shiftmin" in steps,
            gaussianblur="gaussianblur" in steps,
            normalise="normalise" in steps,
        )
        dataset.order = steps
        return dataset

    def get_loader(self, batch_size: int, split_size: float | None = None, no_val_drop: bool = False) -> Any:
        """Return torch DataLoaders.

        Parameters
        ----------
        batch_size
            Samples in a batch.
        split_size
            Share of the samples for validation, rounded up: below 1 a fraction, from 1 on a percentage.
        no_val_drop
            Whether to keep a last validation batch that is not full. That of training is always dropped.

        Returns
        -------
        DataLoader or tuple of DataLoader
            Training and validation if ``training``, both shuffled, in an order of its own for each pass and
            the same on every run. Else one loader in the order of the dataset.

        Raises
        ------
        InvalidOptionError
            If there is no split size, or no dataset yet.
        SplitError
            If a part would have fewer than two samples. A loader that has no full batch to give, and drops
            the rest, raises it when batches are asked for.
        """
        if not hasattr(self, "dataset"):
            raise InvalidOptionError("There is no dataset yet: call load() first.")
        if batch_size < 1:
            raise InvalidOptionError(f"A batch has one sample at least, not {batch_size}.")
        if not self.training:
            generator = torch.Generator().manual_seed(SEED)
            return DataLoader(
                self.dataset, batch_size=batch_size, generator=generator, collate_fn=collate_named
            )
        if split_size is None:
            raise InvalidOptionError("Split size must be provided for training.")
        order = permutation(len(self.dataset), seed=SEED, operation="split").tolist()
        count = _validation_count(len(order), split_size)
        train = Subset(self.dataset, order[: len(order) - count])
        validation = _Unaugmented(self.dataset, order[len(order) - count :])
        return (
            _shuffled(train, batch_size, drop_last=True),
            _shuffled(validation, batch_size, drop_last=not no_val_drop),
        )


class _Unaugmented(Subset[Any]):
    """A part that is not augmented, also where its dataset is told to only later."""

    def _plain(self) -> Subset[Any]:
        dataset: Any = self.dataset
        if getattr(dataset, "augmentation", None) is not None:
            dataset = copy.copy(dataset)
            dataset.augmentation = None
        return Subset(dataset, self.indices)

    def __getitem__(self, idx: Any) -> Any:
        """Return a sample as it is."""
        return self._plain()[idx]

    def __getitems__(self, indices: list[int]) -> list[Any]:
        """Return several samples as they are."""
        return self._plain().__getitems__(indices)


class _Order(Sampler[int]):
    """A random order: another for each pass, the same on every run. The dataset hears which pass it is."""

    def __init__(self, subset: Subset[Any], batch_size: int, *, drop_last: bool) -> None:
        self.subset, self.batch_size, self.drop_last = subset, batch_size, drop_last
        self.passes = 0

    def __len__(self) -> int:
        return len(self.subset)

    def __iter__(self) -> Iterator[int]:
        if self.drop_last and len(self) < self.batch_size:
            raise SplitError(
                f"The sets must be larger than {self.batch_size - 1} samples to fill a batch of "
                f"{self.batch_size}, and this one has {len(self)}: not one batch is left when the last is "
                "dropped. Take smaller batches, or for validation no_val_drop=True."
            )
        epoch, self.passes = self.passes, self.passes + 1
        if isinstance(self.subset.dataset, DiskDataset) and not isinstance(self.subset, _Unaugmented):
            self.subset.dataset.set_epoch(epoch)
        return iter(permutation(len(self), seed=SEED, epoch=epoch).tolist())


def _shuffled(subset: Subset[Any], batch_size: int, *, drop_last: bool) -> DataLoader[Any]:
    return DataLoader(
        subset,
        batch_size=batch_size,
        sampler=_Order(subset, batch_size, drop_last=drop_last),
        drop_last=drop_last,
        num_workers=0,
        collate_fn=collate_named,
        generator=torch.Generator().manual_seed(SEED),  # else torch takes a worker seed from the global one
    )


def _validation_count(length: int, split_size: float) -> int:
    if not 0 < split_size < 100:
        raise InvalidOptionError(
            f"A split size is a fraction below 1 or a percentage below 100, not {split_size}."
        )
    share = Fraction(str(split_size)) / (1 if split_size < 1 else 100)
    count = math.ceil(length * share)
    if count < 2 or length - count < 2:
        raise SplitError(
            f"Train and validation sets must be larger than 1 sample, train: {length - count}, val: {count}."
        )
    return count
