"""Images read one partition at a time: what :class:`MrcSource` and :class:`EmpiarSource` have in common.

A partition is one file, of any format that is read. Its description costs what its format needs for it, once
(one request of 1024 bytes for MRC); after that what is asked for moves, as exactly as the format allows.
"""

from __future__ import annotations

import os
import threading
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from empiarreader.bytesource import ByteSource
from empiarreader.errors import InvalidRequestError, PartitionIndexError, ShapeMismatchError
from empiarreader.images.base import Array, ImageOptions, OpenImage, read_region
from empiarreader.images.mrc import MrcImage
from empiarreader.images.opening import open_format
from empiarreader.mrc import MrcHeader
from empiarreader.network.ranges import FileVersion
from empiarreader.regions import Region
from empiarreader.threads import Threads

if TYPE_CHECKING:
    import xarray

_HEADERS_AT_ONCE = 16


class ImagePartitions(ABC):
    """Partitions that are image files, wherever they are.

    Subclasses say what they are called and how their bytes are had.
    """

    def __init__(self, options: ImageOptions) -> None:
        self._options = options
        self._images: dict[int, OpenImage] = {}
        self._locks: dict[tuple[int, int], threading.Lock] = {}

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_images": dict(self._images), "_locks": {}}

    @property
    def options(self) -> ImageOptions:
        """What is known of the files, or wanted of them."""
        return self._options

    @property
    @abstractmethod
    def names(self) -> Sequence[str]:
        """Names of the partitions: unique, and the same each time."""

    @property
    @abstractmethod
    def filenames(self) -> Sequence[str]:
        """Address or path of each partition."""

    @abstractmethod
    def _bytes(self, i: int) -> ByteSource:
        """Return where the bytes of partition ``i`` come from."""

    def __len__(self) -> int:
        return len(self.names)

    @property
    def npartitions(self) -> int:
        """Number of partitions, which is the number of files."""
        return len(self)

    def image(self, i: int) -> OpenImage:
        """Return the description of partition ``i``; moves bytes the first time.

        Raises
        ------
        UnsupportedFormatError
            If it is of a format that is not read.
        DamagedDataError
            If the file is not what its name or its header says.
        """
        i = self._number(i)
        if i not in self._images:
            # Keyed by process too: a child must not wait for a thread that only its parent has.
            with self._locks.setdefault((os.getpid(), i), threading.Lock()):
                if i not in self._images:
                    self._images[i] = open_format(self._bytes(i), options=self._options)
        return self._images[i]

    def header(self, i: int) -> MrcHeader:
        """Return the parsed header of partition ``i``, an MRC file; 1024 bytes move the first time.

        Raises
        ------
        DamagedDataError
            If the file is no MRC file, or is shorter than its header says.
        InvalidRequestError
            If it is an image of another format.
        """
        image = self.image(i)
        if not isinstance(image, MrcImage):
            raise InvalidRequestError(f"{self.filenames[i]} is {image.format} and has no MRC header")
        return image.header

    def version(self, i: int) -> FileVersion:
        """Return size and identity of the file that the description of partition ``i`` was read from."""
        return self.image(i).version

    def shape(self, i: int) -> tuple[int, ...]:
        """Return the shape of partition ``i``: ``(y, x)``, ``(frame, y, x)`` …; reads its header."""
        return self.image(i).shape

    def dtype(self, i: int) -> np.dtype[Any]:
        """Return the type that the values of partition ``i`` are read as; reads its header."""
        return self.image(i).dtype

    def file_metadata(self, i: int) -> dict[str, Any]:
        """Return what else the file of partition ``i`` says, by name; may move bytes.

        What is said of each frame is an array of that length. Extended headers are read now.
        """
        return self.image(i).metadata(self._bytes(self._number(i)))

    @overload
    def read(self) -> xarray.Dataset: ...

    @overload
    def read(self, i: int, region: Region | None = None, out: Array | None = None) -> Array: ...

    def read(
        self, i: int | None = None, region: Region | None = None, out: Array | None = None
    ) -> Array | xarray.Dataset:
        """Read one partition, or a part of it, as a numpy array; without a number, all as a dataset.

        Parameters
        ----------
        i
            Which partition, from 0; negative numbers count from the end. None reads everything into memory:
            the dataset of :meth:`to_dask`, computed.
        region
            Slices in array order with steps of 1; axes left out are whole. Only the rows of the region move.
        out
            Array of the region's shape to fill and return.

        Raises
        ------
        PartitionIndexError
            If there is no such partition.
        InvalidRequestError
            If ``region`` or ``out`` do not fit.
        DamagedDataError, FileChangedError
            If the file is not what its header says, or has changed since the header was read.
        ServiceError
            If the bytes cannot be had.
        """
        if i is None:
            return self.to_dask().load()
        return read_region(self.image(i), self._bytes(self._number(i)), region, out)

    def read_partition(self, i: int) -> xarray.DataArray:
        """Return partition ``i`` in memory.

        Dimensions are ``(y, x)`` or ``(frame, y, x)``. Attributes are ``filename`` (the address or path),
        ``voxel_size``, a :class:`~empiarreader.VoxelSize` in Å, and what the format adds. The
        whole file moves; :meth:`partition` moves what is used of it.
        """
        from empiarreader.arrays import partition_array

        return partition_array(self, self._number(i), lazy=False)

    def partition(self, i: int) -> xarray.DataArray:
        """Return partition ``i`` as :meth:`read_partition` does, but lazy: a dask array, one chunk a section.

        Reads the header now and pixels when they are computed: those of the sections and rows in use.
        """
        from empiarreader.arrays import partition_array

        return partition_array(self, self._number(i), lazy=True)

    def to_dask(self, *, check: bool = False) -> xarray.Dataset:
        """Return all partitions as one lazy dataset.

        The variable ``raster`` has the dimensions ``(partition, y, x)`` or ``(partition, frame, y, x)`` and
        one chunk a section; ``filename`` holds the address of each partition. Shape and type are taken from
        the first header, and a file that differs raises when it is computed.

        Parameters
        ----------
        check
            Read every header now (1024 bytes of an MRC file) and raise at once if any differs.

        Raises
        ------
        ShapeMismatchError
            If ``check`` finds files of different shape or type.
        """
        from empiarreader.arrays import stacked_dataset

        if check:
            self._check_all()
        return stacked_dataset(self)

    def read_like(
        self, i: int, like: tuple[tuple[int, ...], np.dtype[Any]], region: Region, *, out: Array
    ) -> Array:
        """Read a region of a partition that must have the shape and type given, into ``out``.

        Raises
        ------
        ShapeMismatchError
            If it has another.
        """
        self._check_one(i, like)
        return self.read(i, region, out)

    def _check_one(self, i: int, like: tuple[tuple[int, ...], np.dtype[Any]]) -> None:
        found = self.shape(i), self.dtype(i)
        if found != like:
            raise ShapeMismatchError(
                f"{self.filenames[i]} is {found[0]} of {found[1]}, the first file {like[0]} of {like[1]}; "
                "they cannot form one array. Select files of one shape, or read each with partition()"
            )

    def _check_all(self) -> None:
        like = self.shape(0), self.dtype(0)
        with Threads(_HEADERS_AT_ONCE, "empiarreader-headers") as workers:
            for _ in workers.map(lambda i: self._check_one(i, like), range(len(self))):
                pass

    def _number(self, i: int) -> int:
        count = len(self)
        if not -count <= i < count:
            raise PartitionIndexError(f"there is no partition {i}; there are {count}, counted from 0")
        return int(i) % count
