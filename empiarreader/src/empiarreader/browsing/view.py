"""What the page of an entry shows, as values that JSON can hold: the entry, its directories, its images."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from empiarreader.addresses import join_path, normalise_path
from empiarreader.cache.facts import recall, remember
from empiarreader.entry import EmpiarEntry
from empiarreader.errors import ArchiveFileNotFoundError, EmpiarReaderError
from empiarreader.formats import is_image
from empiarreader.listing.kinds import kind_of
from empiarreader.listing.tree import ArchiveFile
from empiarreader.looking.look import look_at
from empiarreader.looking.plan import MOST_FRAMES
from empiarreader.looking.preview import Preview, preview_subject
from empiarreader.looking.scale import bar_length, say_length
from empiarreader.looking.sheet import square
from empiarreader.looking.spectrum import PowerSpectrum, rings
from empiarreader.looking.targets import target_of
from empiarreader.metadata.records import Imageset
from empiarreader.network.ranges import FileVersion
from empiarreader.notebook import png_address
from empiarreader.thumbnails import encode_png, shrink, to_grey

_THUMBNAIL_SIZE = 160
_THUMBNAIL = f"thumbnail-{_THUMBNAIL_SIZE}"  # in the cache
_THUMBNAIL_BYTES = 2**23
_PICTURES_AT_ONCE, _PREVIEWS_AT_ONCE = 3, 2
_KEPT_PICTURES = 512
_KEPT_PREVIEWS = 32
_MOST_FOUND = 50_000

Value = TypeVar("Value")


class EntryView:
    """One entry as its page shows it; may be asked from several threads.

    Nothing but what the archive lists in this entry can be asked for.
    """

    def __init__(self, entry: EmpiarEntry) -> None:
        self.entry = entry
        self._thumbnails: _Kept[bytes] = _Kept(_KEPT_PICTURES, at_once=_PICTURES_AT_ONCE)
        self._previews: _Kept[dict[str, Any]] = _Kept(_KEPT_PREVIEWS, at_once=_PREVIEWS_AT_ONCE)

    def about(self) -> dict[str, Any]:
        """Return title, facts and imagesets; where EMPIAR cannot be asked for them, why not."""
        found: dict[str, Any] = {"accession": self.entry.accession, "url": self.entry.url}
        try:
            entry = self.entry
            return {
                **found,
                "title": entry.title,
                "doi": entry.doi,
                "size": entry.dataset_size,
                "released": entry.release_date,
                "experiment": entry.experiment_type,
                "authors": list(entry.authors),
                "references": [name for names in entry.references.values() for name in names],
                "citation": entry.citation.title if entry.citation else "",
                "imagesets": [_imageset(item) for item in entry.imagesets],
            }
        except EmpiarReaderError as error:
            return {**found, "title": "", "error": str(error), "imagesets": []}

    def directory(self, path: str) -> dict[str, Any]:
        """Return what one directory holds: names of directories, and rows of files."""
        found = self.entry.list_directory(path)
        return {
            "path": found.path,
            "directories": [below.rpartition("/")[2] for below in found.directories],
            "files": self._rows(found.files, len(join_path(found.path, ""))),
        }

    def find(self, pattern: str, *, regexp: bool, directory: str) -> dict[str, Any]:
        """Return the files below a directory that match, by their path in it."""
        found = self.entry.find(pattern, directory=directory, regexp=regexp)
        top = normalise_path(directory)
        return {
            "path": top,
            "directories": [],
            "files": self._rows(found[:_MOST_FOUND], len(join_path(top, ""))),
            "more": max(0, len(found) - _MOST_FOUND),
        }

    def thumbnail(self, path: str) -> bytes:
        """Return a small PNG of an image, made of at most 8 MiB of it.

        It stays in the cache, and is made anew when the archive lists the file with another size or time.
        """

        def make() -> bytes:
            file = self._file(path)
            listed = FileVersion(size=file.approximate_size_bytes or 0, last_modified=file.modified)
            if (kept := recall(_THUMBNAIL, file.url, listed)) is not None:
                return kept
            subject = target_of(self.entry, file).open(limit_bytes=_THUMBNAIL_BYTES)
            look = look_at(
                subject,
                size=_THUMBNAIL_SIZE,
                limit_bytes=_THUMBNAIL_BYTES,
                most_frames=8,
                spectrum=False,
            )
            png = encode_png(to_grey(shrink(square(look), _THUMBNAIL_SIZE)))
            remember(_THUMBNAIL, file.url, listed, png)
            return png

        return self._thumbnails.get(path, make)

    def preview(self, path: str) -> dict[str, Any]:
        """Return a larger picture of an image, its power spectrum, and where bar and rings go on them."""

        def make() -> dict[str, Any]:
            target = target_of(self.entry, self._file(path))
            seen = preview_subject(target.open, most_frames=MOST_FRAMES)
            return describe_preview(seen)

        return self._previews.get(path, make)

    def addresses(self, files: Iterable[str], directories: Iterable[str]) -> list[str]:
        """Return the addresses of files and of all files below directories, sorted, each once.

        Raises
        ------
        ArchiveFileNotFoundError
            If one of them is not there, or there is none at all.
        """
        found = {file.url for file in self._files(files)}
        for directory in directories:
            found.update(file.url for file in self.entry.files(directory=directory))
        if not found:
            raise ArchiveFileNotFoundError("nothing is ticked, or only directories without files")
        return sorted(found)

    def _rows(self, files: Iterable[ArchiveFile], below: int) -> list[list[Any]]:
        imagesets = self._imagesets()
        return [
            [
                file.path[below:],
                file.approximate_size_bytes,
                file.size_bytes is not None,
                file.modified,
                kind_of(file.path, imagesets),
                is_image(file.path),
            ]
            for file in files
        ]

    def _imagesets(self) -> tuple[Imageset, ...]:
        try:
            return self.entry.imagesets
        except EmpiarReaderError:
            return ()  # told at the top of the page; names say much of it

    def _file(self, path: str) -> ArchiveFile:
        return next(self._files([path]))

    def _files(self, paths: Iterable[str]) -> Iterator[ArchiveFile]:
        """Yield files as their directories list them: what is not listed is not there."""
        by_directory: dict[str, list[str]] = {}
        for path in map(normalise_path, paths):
            by_directory.setdefault(path.rpartition("/")[0], []).append(path)
        for directory, wanted in by_directory.items():
            listed = {file.path: file for file in self.entry.list_directory(directory).files}
            for path in wanted:
                if path not in listed:
                    raise ArchiveFileNotFoundError(f"{self.entry.accession} has no file {path!r}")
                yield listed[path]


class _Kept(Generic[Value]):
    """The answers given last, so many made at once; who asks for one that is being made waits for it."""

    def __init__(self, most: int, *, at_once: int) -> None:
        self._most = most
        self._turns = threading.BoundedSemaphore(at_once)
        self._lock = threading.Lock()
        self._making: dict[str, threading.Lock] = {}
        self._values: OrderedDict[str, Value] = OrderedDict()

    def get(self, key: str, make: Callable[[], Value]) -> Value:
        with self._lock:
            turn = self._making.setdefault(key, threading.Lock())
        with turn:
            with self._lock:
                if key in self._values:
                    self._values.move_to_end(key)
                    return self._values[key]
            with self._turns:
                value = make()
            with self._lock:
                self._values[key] = value
                while len(self._values) > self._most:
                    old, _ = self._values.popitem(last=False)
                    self._making.pop(old, None)
            return value


def describe_preview(seen: Preview) -> dict[str, Any]:
    """Return a preview as values: pictures as addresses that hold them, lengths as parts of their width."""
    look, size = seen.look, seen.pixel_size_angstrom
    return {
        "lines": list(seen.describe()),
        "picture": _picture(look.picture, look.block, size),
        "detail": None if look.detail is None else _picture(look.detail, look.detail_block, size),
        "spectrum": None if seen.spectrum is None else _spectrum(seen.spectrum),
    }


def _picture(
    picture: NDArray[np.float64], block: int, pixel_size: tuple[float, float] | None
) -> dict[str, Any]:
    rows, columns = picture.shape
    width = columns * block * (pixel_size[1] if pixel_size else 1.0)
    length = bar_length(width)
    return {
        "source": png_address(encode_png(to_grey(picture))),
        "width": columns,
        "height": rows * (pixel_size[0] / pixel_size[1] if pixel_size else 1.0),
        "bar": length / width,
        "label": say_length(length) if pixel_size else f"{length:g} px",
    }


def _spectrum(spectrum: PowerSpectrum) -> dict[str, Any]:
    n = len(spectrum.power)
    frequency, power = spectrum.radial()
    first = max(1, len(frequency) // 50)
    logarithm = np.log10(np.maximum(power[first:], 1e-300))
    return {
        "source": png_address(encode_png((spectrum.shown() * 255).astype(np.uint8))),
        "side": n,
        "rings": [[f"{d:g} Å", height / n, width / n, 1 / d] for d, (height, width) in rings(spectrum)],
        "unit": "1/Å" if spectrum.pixel_size_angstrom else "cycles a pixel",
        "frequency": frequency[first:].tolist(),
        "power": logarithm.tolist(),
    }


def _imageset(item: Imageset) -> dict[str, Any]:
    return {
        "name": item.name,
        "directory": item.directory,
        "category": item.category,
        "format": item.data_format,
        "count": item.count,
        "pixel_size_angstrom": item.pixel_width_angstrom,
    }
