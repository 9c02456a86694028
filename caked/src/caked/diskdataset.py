"""The published dataset: files of one kind, each a sample, processed by what is switched on."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor

from caked.base import AbstractDataset
from caked.errors import InvalidOptionError, SourceNotFoundError
from caked.io.layout import Layout, read_layout
from caked.io.listing import has_suffix
from caked.io.read import read_array, read_arrays
from caked.io.write import write_mrc, write_npy
from caked.labels import prefix_of
from caked.named_batches import NamedSamples
from caked.protocol import Array
from caked.randomness import Draws
from caked.transforms import Compose
from caked.transforms.chunks import CHUNK_BYTES, keep_memory
from caked.transforms.owned import OwnedBatch
from caked.words import AUGMENTATIONS, PUBLISHED_ORDER, transform_of

__all__ = ["SEED", "DiskDataset", "files_in", "suffixes_of"]

SEED = 42
SUFFIXES = {
    "mrc": (".mrc", ".mrcs", ".mrc.gz", ".mrcs.gz", ".mrc.bz2", ".mrcs.bz2"),
    "npy": (".npy",),
}
_AnyPath = str | os.PathLike[str]
_OWN_WAY = ("__getitem__", "read", "transformation", "augmented", "steps")


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
        _tell_non_finite(data, [filename])
        x = self.augmented(self.transformation(data), item)
        return x, prefix_of(Path(filename).name)

    def __getitems__(self, items: Sequence[int]) -> list[Any]:
        """Return several samples, those of one shape processed together: how torch asks for a batch."""
        if any(getattr(type(self), name) is not getattr(DiskDataset, name) for name in _OWN_WAY):
            # Somebody's own way of reading a sample holds for batches too.
            return NamedSamples([self[item] for item in items], [self.paths[item] for item in items])
        layouts = [_layout_of(self.paths[item]) for item in items]
        samples: list[Any] = [None] * len(items)
        pieces = list(_alike(layouts))
        tensors: Any = []
        for places in pieces:
            paths = [self.paths[items[place]] for place in places]
            tensors = self._processed(paths, [layouts[place] for place in places])
            for place, path, x in zip(places, paths, tensors, strict=True):
                samples[place] = (self.augmented(x, items[place]), prefix_of(Path(path).name))
        whole = len(pieces) == 1 and self.augmentation is None and isinstance(tensors, Tensor)
        return NamedSamples(samples, [self.paths[item] for item in items], images=tensors if whole else None)

    def _processed(self, paths: Sequence[Any], layouts: Sequence[Layout]) -> Tensor | list[Tensor]:
        """Read and process files of one shape as one batch; each comes out as it would alone."""
        suffixes_of(self.datatype)
        keep_memory()
        kind = torch.complex64 if layouts[0].dtype.kind == "c" else torch.float32
        images = torch.empty((len(paths), 1, *layouts[0].shape), dtype=kind)
        if all(layout == layouts[0] for layout in layouts):
            read_arrays([os.fspath(path) for path in paths], layouts[0], images.numpy()[:, 0])
        else:
            for image, path, layout in zip(images.numpy(), paths, layouts, strict=True):
                read_array(path, layout, out=image[0])
        _tell_non_finite(images.numpy(), paths)
        batch = OwnedBatch({"image": images}, image_is_owned=True)
        del images
        results: Tensor = self.steps()(batch)["image"]
        return [self.transform(x) for x in results] if self.transform else results

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
        suffixes_of(self.datatype)
        return read_array(filename, read_layout(filename))

    def transformation(self, x: Any) -> Tensor:
        """Make a float32 tensor ``(1, *spatial)`` of an array; apply what is on, then the input transform."""
        array = np.asarray(x)
        kind = np.complex64 if array.dtype.kind == "c" else np.float32
        image = torch.from_numpy(np.array(array, dtype=kind))[None]
        result: Tensor = self.steps()(image[None])[0]
        return cast("Tensor", self.transform(result)) if self.transform else result

    def steps(self) -> Compose:
        """Return the transforms that are switched on, in order; they are shared with datasets alike."""
        active = {
            "rescale": bool(self.rescale),
            "shiftmin": self.shiftmin,
            "gaussianblur": self.gaussianblur,
            "normalise": self.normalise,
        }
        return _steps_of(tuple(word for word in self.order if active[word.partition("=")[0]]), self.rescale)

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
        """Choose the epoch to augment for; training loaders of :class:`DiskDataLoader` do so themselves."""
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
        layout = read_layout(path)
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


@lru_cache(maxsize=64)
def _steps_of(words: tuple[str, ...], size: int) -> Compose:
    """Make the transforms of some words once: that takes as long as reading several small images."""
    return Compose([transform_of(word, size) for word in words])


def suffixes_of(datatype: str) -> tuple[str, ...]:
    """Return the endings of a datatype, or say that there is none of that name."""
    if datatype not in SUFFIXES:
        raise InvalidOptionError(f"A datatype is 'mrc' or 'npy', not {datatype!r}; only those are supported.")
    return SUFFIXES[datatype]


def files_in(folder: Path, suffixes: Sequence[str]) -> list[str]:
    """Return the names of a folder's files with one of the endings, sorted."""
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
    return [place / name for name in files_in(place, suffixes_of(datatype))] if place.is_dir() else [place]


def _layout_of(path: _AnyPath) -> Layout:
    """Read where the pixels of a file lie; its header only where the file is new, or another than it was."""
    try:
        about = os.stat(path)  # noqa: PTH116 (of a string or a path)
    except OSError:
        return read_layout(path)  # which says what is wrong
    return _layout_as_of(os.fspath(path), about.st_dev, about.st_ino, about.st_mtime_ns, about.st_size)


@lru_cache(maxsize=1 << 16)
def _layout_as_of(path: str, *version: int) -> Layout:
    """Read a header that holds as long as what the system says of the file does."""
    return read_layout(path)


def _alike(layouts: Sequence[Layout]) -> Iterator[list[int]]:
    """Yield the places of files of one shape, as many at once as make some megabytes."""
    groups: dict[tuple[Any, ...], list[int]] = {}
    for place, layout in enumerate(layouts):
        groups.setdefault((layout.shape, layout.dtype.kind == "c"), []).append(place)
    for (shape, _), places in groups.items():
        count = max(1, CHUNK_BYTES // max(1, 4 * math.prod(shape)))
        for start in range(0, len(places), count):
            yield places[start : start + count]


def _tell_non_finite(data: Array, filenames: Sequence[Any]) -> None:
    # A sum is finite only if all of it is, and is quicker than looking at every value.
    if data.dtype.kind not in "fc" or np.isfinite(data.sum(dtype=data.dtype)):
        return
    rows = data.reshape(len(filenames), -1)
    for filename, row in zip(filenames, rows, strict=True):
        if not np.isfinite(row).all():
            warnings.warn(f"Image {filename} holds NaN or infinity.", stacklevel=3)
