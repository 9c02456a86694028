"""The images of an EMPIAR entry as a source: found by listing, read by exact ranges."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast, overload

from empiarreader import settings
from empiarreader.addresses import join_path, normalise_path, parse_entry_id
from empiarreader.bytefiles import RemoteFile
from empiarreader.bytesource import ByteSource
from empiarreader.byteunits import describe_bytes, describe_count
from empiarreader.errors import ArchiveFileNotFoundError, InvalidRequestError
from empiarreader.formats import is_star
from empiarreader.images.base import Array, ImageOptions
from empiarreader.listing.counts import ImagesetCount, number_of_images
from empiarreader.listing.selection import Selection
from empiarreader.listing.tree import ArchiveFile, EntryTree
from empiarreader.metadata.api import fetch_entry_record
from empiarreader.metadata.records import as_integer, as_text, read_imagesets
from empiarreader.mrcsource import MrcSource
from empiarreader.notebook import branch_of_paths, source_html
from empiarreader.partitions import ImagePartitions
from empiarreader.regions import Region
from empiarreader.starsource import StarSource
from empiarreader.thumbnails import Thumbnail, make_thumbnail

if TYPE_CHECKING:
    import re

    import xarray

Driver = str | type[MrcSource] | type[StarSource]

_DRIVERS: dict[object, str] = {
    **dict.fromkeys(("mrc", "mrcs", "map", "tif", "tiff", "eer", "image"), "image"),
    "star": "star",
    MrcSource: "image",
    StarSource: "star",
}
_SHOWN = 3

_logger = logging.getLogger(__name__)


class EmpiarSource(ImagePartitions):
    """Images of one directory of an EMPIAR entry, one partition a file, sorted by path.

    Making one asks nothing. The directory is listed once, when the first partition is looked at; from then
    on the source holds the list, also when it is pickled. It may be read from several threads.

    Parameters
    ----------
    empiar_index
        ``10943``, ``"10943"`` or ``"EMPIAR-10943"``.
    directory
        Directory in the entry, decoded, with or without slashes at its ends. It need not be one that the
        entry's metadata names.
    driver
        ``"image"`` (``"mrc"``, ``"tiff"`` … mean the same: the files' first bytes tell their format) or
        ``"star"``; or :class:`MrcSource`, :class:`StarSource`. None decides by the files' names.
    filename
        Which files: a glob or, with ``regexp``, a regular expression, relative to the directory
        (:class:`~empiarreader.listing.selection.Selection` says it exactly, also what patterns of earlier
        versions mean). None takes every image file of the directory and of those below it.
    regexp
        Take ``filename`` as a regular expression. ``regex`` means the same.
    imageset_metadata
        What the API says about this imageset. If its ``voxel_type`` is ``UNSIGNED BYTE``, pixels of mode 0
        are unsigned unless the file itself says otherwise. Its ``frames_per_image`` is believed of EER movies
        that do not say it themselves, until they are read.
    metadata
        Anything to keep with the source.
    storage_options
        Taken and not used, as in earlier versions.
    recursive
        Whether to look below the directory; None leaves it to the pattern.
    signed_bytes
        Whether pixels of mode 0 are signed where a header does not carry IMOD's stamp, which says so.
    group, super_resolution
        How many recorded frames of an EER movie are summed to one, and by which factor its grid is finer.

    Raises
    ------
    InvalidRequestError, PatternError
        If the arguments cannot be understood. Everything else is raised when the archive is first asked:
        :class:`~empiarreader.EntryNotFoundError`, :class:`~empiarreader.ArchiveFileNotFoundError` where the
        directory is not there or nothing in it matches, :class:`~empiarreader.ServiceError`.
    """

    name = "empiar"

    def __init__(
        self,
        empiar_index: int | str,
        directory: str,
        driver: Driver | None = None,
        filename: str | None = None,
        regexp: bool = False,
        imageset_metadata: Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        storage_options: Mapping[str, Any] | None = None,
        *,
        regex: bool | None = None,
        recursive: bool | None = None,
        signed_bytes: bool | None = None,
        group: int = 1,
        super_resolution: int = 1,
    ) -> None:
        if driver is not None and driver not in _DRIVERS:
            raise InvalidRequestError(
                f"the driver {driver!r} is not known; use 'image' or 'star', or leave it out"
            )
        stated = imageset_metadata or {}
        if signed_bytes is None and as_text(stated.get("voxel_type")) == "UNSIGNED BYTE":
            signed_bytes = False
        super().__init__(
            ImageOptions(
                signed_bytes=signed_bytes,
                volume=False,
                frames=as_integer(stated.get("frames_per_image")) or None,
                group=group,
                super_resolution=super_resolution,
            )
        )
        self.empiar_index = parse_entry_id(empiar_index)
        self.directory = normalise_path(directory)
        self.metadata = dict(metadata or {})
        self.storage_options = dict(storage_options or {})
        self._driver = driver
        self._selection = Selection(filename, regexp=regexp or bool(regex), recursive=recursive)
        self._imageset_metadata = dict(imageset_metadata) if imageset_metadata is not None else None
        self._tree = EntryTree(settings.archive_url(), self.empiar_index)
        self._files: tuple[ArchiveFile, ...] | None = None

    def __repr__(self) -> str:
        return f"EmpiarSource({self.empiar_index}, {self.directory!r}, {self._selection.describe()})"

    def _repr_html_(self) -> str:
        facts = {
            "imageset": as_text((self._imageset_metadata or {}).get("name")),
            "directory": self.directory,
            "files": f"{len(self)} ({self._selection.describe()})",
            "size": _describe_size(self.files),
            "address": self.data_directory_url,
        }
        paths = [name.removeprefix(f"{self.directory}/") for name in self.names]
        tree = branch_of_paths(paths, self.directory)
        return source_html(f"EMPIAR-{self.empiar_index}", facts, tree, self.names)

    def thumbnail(self, i: int = 0, *, size: int = 256) -> Thumbnail:
        """Return a small picture of partition ``i``, of a stack or volume its middle section, which moves."""
        return make_thumbnail(self.partition(i), size=size)

    @property
    def data_directory_url(self) -> str:
        """Address of the directory, without a slash at its end."""
        return self._tree.address(self.directory)

    @property
    def image_url_regexp(self) -> re.Pattern[str] | None:
        """The pattern that whole addresses are matched with, None without one."""
        return self._selection.whole_address

    @property
    def imageset_metadata(self) -> dict[str, Any]:
        """What the API says about the imageset of this directory, ``{}`` where it says nothing.

        Asks the API, once, if it was not given.
        """
        if self._imageset_metadata is None:
            imagesets = fetch_entry_record(self.empiar_index).get("imagesets") or []
            self._imageset_metadata = next(
                (dict(item) for item in imagesets if _is_about(item, self.directory)), {}
            )
        return self._imageset_metadata

    @property
    def files(self) -> tuple[ArchiveFile, ...]:
        """The selected files, sorted by path; lists the directory the first time.

        Raises
        ------
        EntryNotFoundError, ArchiveFileNotFoundError, ServiceError
            If the entry or the directory is not there, nothing matches, or the archive cannot be asked.
        """
        if self._files is None:
            with self._locks.setdefault((os.getpid(), -1), threading.Lock()):
                if self._files is None:
                    self._files = self._list_files()
        return self._files

    @property
    def names(self) -> Sequence[str]:
        """Paths of the files, decoded and relative to the entry."""
        return [file.path for file in self.files]

    @property
    def filenames(self) -> Sequence[str]:
        """Addresses of the files."""
        return [file.url for file in self.files]

    def __len__(self) -> int:
        return len(self.files)

    @overload
    def read(self) -> xarray.Dataset: ...

    @overload
    def read(self, i: int, region: Region | None = None, out: Array | None = None) -> Array: ...

    def read(
        self, i: int | None = None, region: Region | None = None, out: Array | None = None
    ) -> Array | xarray.Dataset:
        """Read one partition, or a part of it, as a numpy array; without a number, all as a dataset.

        As :meth:`MrcSource.read`; for STAR files, all tables as :meth:`StarSource.read` gives them.
        """
        if i is None:
            return self._tables().read() if self._is_star() else super().read()
        return super().read(i, region, out)

    def read_partition(self, i: int) -> xarray.DataArray:
        """Return partition ``i`` in memory, as :meth:`MrcSource.read_partition` does.

        The attribute ``filename`` is its address. A STAR file gives the dataset of
        :meth:`StarSource.read_partition` instead.
        """
        if self._is_star():
            # Typed for images, which nearly all partitions are: a union would make every caller narrow it.
            return cast("xarray.DataArray", self._tables().read_partition(i))
        return super().read_partition(i)

    def _bytes(self, i: int) -> ByteSource:
        return RemoteFile(self.files[i].url)

    def _is_star(self) -> bool:
        if self._driver is not None:
            return _DRIVERS[self._driver] == "star"
        return all(is_star(name) for name in self.names)

    def _tables(self) -> StarSource:
        return StarSource(list(self.filenames))

    def _list_files(self) -> tuple[ArchiveFile, ...]:
        below = len(join_path(self.directory, ""))
        listed = self._tree.files(
            self.directory, enter=lambda path: self._selection.looks_below(path[below:])
        )
        chosen = tuple(file for file in listed if self._selection.selects(file.path[below:], file.url))
        if not chosen:
            raise ArchiveFileNotFoundError(
                f"no file in {self.directory!r} of EMPIAR-{self.empiar_index} matches: looked for "
                f"{self._selection.describe()}, found {_summary([file.path[below:] for file in listed])}"
            )
        if self._selection.pattern is None and self._imageset_metadata is not None:
            self._report_difference(chosen)
        return chosen

    def _report_difference(self, files: Sequence[ArchiveFile]) -> None:
        """Tell where the archive lists another number of images than the metadata say."""
        for imageset in read_imagesets({"imagesets": [self._imageset_metadata]}):
            count = ImagesetCount(imageset=imageset, listed=number_of_images(files))
            if not count.agrees:
                _logger.warning("EMPIAR-%d, %s", self.empiar_index, count.describe())


def _summary(paths: list[str]) -> str:
    if not paths:
        return "no files there; directories below it are searched with a pattern such as '**/*.mrc'"
    more = ", …" if len(paths) > _SHOWN else ""
    return f"{describe_count(len(paths), 'files')} ({', '.join(paths[:_SHOWN])}{more})"


def _is_about(imageset: Any, directory: str) -> bool:
    if not isinstance(imageset, Mapping):
        return False
    return as_text(imageset.get("directory")).strip("/") == directory


def _describe_size(files: Sequence[ArchiveFile]) -> str:
    """Return how large files are together: exactly, or as pages show it; nothing where that is not known."""
    exact = [file.size_bytes for file in files if file.size_bytes is not None]
    rounded = [file.approximate_size_bytes for file in files if file.approximate_size_bytes is not None]
    if len(exact) == len(files):
        return describe_bytes(sum(exact))
    return f"about {describe_bytes(sum(rounded))}" if len(rounded) == len(files) else ""
