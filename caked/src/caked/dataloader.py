"""The published loader: files of one folder, classes by their names, in four words of processing.

What was written for caked 0.1.7 works on unchanged, on results that are right. New code finds more in
:mod:`caked.dataset` and :mod:`caked.loader`.
"""

from __future__ import annotations

import copy
import logging
import math
import os
import warnings
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Sampler, Subset

from caked.base import AbstractDataLoader, AbstractDataset
from caked.errors import ClassesNotFoundError, InvalidOptionError, SourceNotFoundError, SplitError
from caked.io.layout import Layout, read_layout
from caked.io.listing import has_suffix
from caked.io.read import read_array
from caked.io.write import write_mrc, write_npy
from caked.labels import prefix_of
from caked.protocol import Array
from caked.randomness import Draws, permutation
from caked.transforms import Compose
from caked.words import AUGMENTATIONS, PUBLISHED_ORDER, TRANSFORM_OPTIONS, parse_words, transform_of

__all__ = ["TRANSFORM_OPTIONS", "DiskDataLoader", "DiskDataset"]

logger = logging.getLogger("caked")

SEED = 42
SUFFIXES = {
    "mrc": (".mrc", ".mrcs", ".mrc.gz", ".mrcs.gz", ".mrc.bz2", ".mrcs.bz2"),
    "npy": (".npy",),
}
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
        names = _files_in(Path(datapath), _suffixes(datatype))
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
                f"Not all classes in the list are present in the directory. Missing classes: {list(missing)}. "
                f"There are {present}.",
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
            return DataLoader(self.dataset, batch_size=batch_size, generator=generator)
        if split_size is None:
            raise InvalidOptionError("Split size must be provided for training.")
        order = permutation(len(self.dataset), seed=SEED, operation="split").tolist()
        count = _validation_count(len(order), split_size)
        train = Subset(self.dataset, order[: len(order) - count])
        validation = Subset(_unaugmented(self.dataset), order[len(order) - count :])
        return (
            _shuffled(train, batch_size, drop_last=True),
            _shuffled(validation, batch_size, drop_last=not no_val_drop),
        )


class DiskDataset(AbstractDataset):
    """Files as samples ``(tensor, class)``, the tensor float32 of shape ``(1, *spatial)``.

    Parameters
    ----------
    paths
        Files; or a folder, for its files of that type in the order of their names.
    datatype
        ``"mrc"`` or ``"npy"``.
    rescale
        Number of pixels to bring every axis to; 0 to leave them.
    shiftmin
        Whether to map values onto 0 to 1.
    gaussianblur
        Whether to blur along every axis, with a standard deviation of 1 pixel.
    normalise
        Whether to give each sample mean 0 and standard deviation 1.
    input_transform
        A function of the tensor, applied last.

    Attributes
    ----------
    order
        The order in which what is switched on applies: rescale, shiftmin, gaussianblur, normalise, unless
        :class:`DiskDataLoader` was told another.
    """

    def __init__(
        self,
        paths: Any,
        datatype: str = "npy",
        rescale: int = 0,
        shiftmin: bool = False,
        gaussianblur: bool = False,
        normalise: bool = False,
        input_transform: Any = None,
    ) -> None:
        self.datatype = datatype
        self.paths: list[Any] = _paths_of(paths, datatype)
        self.rescale = rescale
        self.shiftmin = shiftmin
        self.gaussianblur = gaussianblur
        self.normalise = normalise
        self.transform = input_transform
        self.order: tuple[str, ...] = PUBLISHED_ORDER
        self.augmentation: Compose | None = None
        self.epoch = 0

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, item: int) -> Any:
        """Return the processed tensor and the class of a file."""
        filename = self.paths[item]
        data = self.read(filename)
        _tell_non_finite(data, filename)
        x = self.augmented(self.transformation(data), item)
        return x, prefix_of(Path(filename).name)

    def __getitems__(self, items: Sequence[int]) -> list[Any]:
        """Return several samples; torch asks a batch in this way."""
        return [self[item] for item in items]

    def dim(self) -> int:
        """Return the number of axes of the first file, by its header."""
        return len(read_layout(self.paths[0]).shape)

    def read(self, filename: _AnyPath) -> Array:
        """Read a file as an array; a three-dimensional one is one volume.

        Raises
        ------
        SourceNotFoundError
            If there is no such file.
        DamagedFileError
            If it is damaged; the message ends with "corrupted.".
        RefusedFileError
            If it is a numpy file of Python objects.
        InvalidOptionError
            If the datatype is neither ``"mrc"`` nor ``"npy"``.
        """
        _suffixes(self.datatype)
        return read_array(filename, self._layout(filename))

    def _layout(self, filename: _AnyPath) -> Layout:
        return read_layout(filename)

    def transformation(self, x: Any) -> Tensor:
        """Make a float32 tensor ``(1, *spatial)`` of an array and apply what is switched on, then the input transform."""
        array = np.asarray(x)
        kind = np.complex64 if array.dtype.kind == "c" else np.float32
        image = torch.from_numpy(np.array(array, dtype=kind))[None]
        result: Tensor = self.steps()(image[None])[0]
        return cast("Tensor", self.transform(result)) if self.transform else result

    def steps(self) -> Compose:
        """Return the transforms that are switched on, in order."""
        active = {
            "rescale": bool(self.rescale),
            "shiftmin": self.shiftmin,
            "gaussianblur": self.gaussianblur,
            "normalise": self.normalise,
        }
        words = [word for word in self.order if active[word.partition("=")[0]]]
        return Compose([transform_of(word, self.rescale) for word in words])

    def augment(self, augment: bool = True, aug_type: str = "rot90") -> None:
        """Switch augmentation on or off: random changes that differ in every epoch, and not between two runs.

        Parameters
        ----------
        augment
            Whether to augment from now on.
        aug_type
            ``"rot90"`` (rotation by a multiple of 90 degrees in the plane of y and x), ``"flip"`` (along
            every axis with a probability of one half) or ``"rot90+flip"``.

        Notes
        -----
        Validation loaders of :class:`DiskDataLoader` do not augment. A dataset that overrides ``__getitem__``
        calls :meth:`augmented` itself.
        """
        if aug_type not in AUGMENTATIONS:
            raise InvalidOptionError(
                f"An augmentation is one of {', '.join(AUGMENTATIONS)}, not {aug_type!r}."
            )
        self.augmentation = AUGMENTATIONS[aug_type] if augment else None

    def augmented(self, x: Tensor, item: int) -> Tensor:
        """Return a tensor ``(1, *spatial)`` as augmented for this item in this epoch, or as it is."""
        if self.augmentation is None:
            return x
        draws = Draws(seed=SEED, epoch=self.epoch, samples=[item % len(self)])
        return self.augmentation(x[None], draws)[0]

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch to augment for; the training loader of :class:`DiskDataLoader` does so by itself."""
        self.epoch = epoch

    def save(self, directory: _AnyPath) -> list[Path]:
        """Write every sample as it is processed, without augmentation, under its own name.

        MRC files keep their voxel size, or the one that rescaling has made of it. A file appears whole or
        not at all.

        Returns
        -------
        list of pathlib.Path
            The files, in the order of the dataset.
        """
        return [self._save_one(Path(path), Path(directory)) for path in self.paths]

    def _save_one(self, path: Path, directory: Path) -> Path:
        layout = self._layout(path)
        batch = self.transformation(self.read(path))[0].numpy()
        name = path.name.removesuffix(".gz").removesuffix(".bz2")
        if directory.resolve() == path.parent.resolve():
            raise InvalidOptionError(f"Processed files would take the place of those in {directory}.")
        if self.datatype == "npy":
            return write_npy(directory / name, batch)
        before = layout.shape if len(layout.shape) == batch.ndim else batch.shape
        sizes = layout.voxel_size[-batch.ndim :]
        voxel = tuple(size * n / m for size, n, m in zip(sizes, before, batch.shape, strict=True))
        return write_mrc(directory / name, batch, voxel_size=voxel)


class _Order(Sampler[int]):
    """A random order, another one for each pass and the same on every run; it tells the dataset which pass it is."""

    def __init__(self, subset: Subset[Any], batch_size: int, *, drop_last: bool) -> None:
        self.subset, self.batch_size, self.drop_last = subset, batch_size, drop_last
        self.passes = 0

    def __len__(self) -> int:
        return len(self.subset)

    def __iter__(self) -> Iterator[int]:
        if self.drop_last and len(self) < self.batch_size:
            raise SplitError(
                f"The sets must be larger than {self.batch_size - 1} samples to fill a batch of {self.batch_size}, and "
                f"this one has {len(self)}: not one batch is left when the last is dropped. Take smaller batches, "
                "or for validation no_val_drop=True."
            )
        epoch, self.passes = self.passes, self.passes + 1
        if isinstance(self.subset.dataset, DiskDataset):
            self.subset.dataset.set_epoch(epoch)
        return iter(permutation(len(self), seed=SEED, epoch=epoch).tolist())


def _shuffled(subset: Subset[Any], batch_size: int, *, drop_last: bool) -> DataLoader[Any]:
    return DataLoader(
        subset,
        batch_size=batch_size,
        sampler=_Order(subset, batch_size, drop_last=drop_last),
        drop_last=drop_last,
        num_workers=0,
        generator=torch.Generator().manual_seed(SEED),  # else torch takes a worker seed from the global one
    )


def _unaugmented(dataset: Any) -> Any:
    if getattr(dataset, "augmentation", None) is None:
        return dataset
    plain = copy.copy(dataset)
    plain.augmentation = None
    return plain


def _validation_count(length: int, split_size: float) -> int:
    share = Fraction(str(split_size)) / (1 if split_size < 1 else 100)
    if not 0 < share < 1:
        raise InvalidOptionError(
            f"A split size is a fraction below 1 or a percentage up to 100, not {split_size}."
        )
    count = math.ceil(length * share)
    if count < 2 or length - count < 2:
        raise SplitError(
            f"Train and validation sets must be larger than 1 sample, train: {length - count}, val: {count}."
        )
    return count


def _suffixes(datatype: str) -> tuple[str, ...]:
    if datatype not in SUFFIXES:
        raise InvalidOptionError(f"A datatype is 'mrc' or 'npy', not {datatype!r}; only those are supported.")
    return SUFFIXES[datatype]


def _files_in(folder: Path, suffixes: Sequence[str]) -> list[str]:
    if not folder.is_dir():
        raise SourceNotFoundError(f"There is no folder {folder}.", path=str(folder))
    entries = (entry.name for entry in folder.iterdir() if entry.is_file() and not entry.name.startswith("."))
    names = sorted(name for name in entries if has_suffix(name, suffixes))
    if not names:
        raise SourceNotFoundError(f"Folder {folder} holds no {suffixes[0]} file.", path=str(folder))
    return names


def _paths_of(paths: Any, datatype: str) -> list[Any]:
    if not isinstance(paths, str | os.PathLike):
        return list(paths)
    place = Path(paths)
    return [place / name for name in _files_in(place, _suffixes(datatype))] if place.is_dir() else [place]


def _tell_non_finite(data: Array, filename: _AnyPath) -> None:
    if data.dtype.kind in "fc" and not np.isfinite(data).all():
        warnings.warn(f"Image {filename} holds NaN or infinity.", stacklevel=3)
