"""The published base classes, for loaders and datasets of one's own."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

from torch.utils.data import DataLoader, Dataset

__all__ = ["AbstractDataLoader", "AbstractDataset"]

Path = str | os.PathLike[str]


class AbstractDataLoader(ABC):
    """Something that finds data, processes them and hands out torch DataLoaders.

    Parameters
    ----------
    pipeline
        Name of the way in which the data are read.
    classes
        Classes to read; empty for all.
    save_to_disk
        Whether to write what was processed.
    training
        Whether the data are split for training and validation.
    dataset_size
        Greatest number of samples; ``None`` for all.
    """

    def __init__(
        self,
        pipeline: str,
        classes: list[str],
        save_to_disk: bool,
        training: bool,
        dataset_size: int | None = None,
    ) -> None:
        self.pipeline = pipeline
        self.classes = classes
        self.save_to_disk = save_to_disk
        self.training = training
        self.dataset_size = dataset_size

    @abstractmethod
    def load(self, datapath: Path, datatype: str) -> None:
        """Find the data of a type in a folder."""

    @abstractmethod
    def process(self, paths: Sequence[Path], datatype: str) -> Any:
        """Return a dataset of files that applies the transformations."""

    @abstractmethod
    def get_loader(
        self, batch_size: int, split_size: float | None = None
    ) -> DataLoader[Any] | tuple[DataLoader[Any], DataLoader[Any]]:
        """Return a loader, or one for training and one for validation."""


class AbstractDataset(ABC, Dataset[Any]):
    """A torch Dataset that can be augmented."""

    @abstractmethod
    def augment(self, augment: bool, aug_type: str) -> None:
        """Switch augmentation of a type on or off."""
