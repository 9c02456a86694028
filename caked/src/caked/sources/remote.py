"""Files at any address that fsspec knows: read by ranges, without a local copy."""

from __future__ import annotations

import bz2
import gzip
import zlib
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from caked.errors import (
    CakedError,
    DamagedFileError,
    InvalidOptionError,
    RefusedFileError,
    SourceNotFoundError,
    UnreachableSourceError,
)
from caked.io.layout import READABLE_SUFFIXES, Layout, parse_layout
from caked.io.listing import has_suffix
from caked.io.read import arranged, deliver, whole_region
from caked.keys import Columns
from caked.names import NameTable
from caked.protocol import Array, Region
from caked.sources.base import Source, register

__all__ = ["UrlSource"]

_START_BYTES = 1 << 14  # more than any header of numpy or MRC takes
_LARGEST_COMPRESSED = 1 << 32


@register("urls")
class UrlSource(Source):
    """Files at addresses such as ``s3://``, ``https://``, ``gs://``, ``zip://…::``; each is one sample.

    Parameters
    ----------
    urls
        One address, with a glob where its file system can list (``"s3://bucket/*.mrc"``), or a list of them.
    storage_options
        Passed on to :func:`fsspec.url_to_fs`: credentials, time-outs, caching. Never written into a recipe.
    threads
        How many files of a batch to ask for at once.

    Raises
    ------
    SourceNotFoundError
        If nothing is there.
    UnreachableSourceError
        If it could not be asked; worth a retry.

    Notes
    -----
    MRC and numpy files are read as from disk: first the beginning of a file, for its header, then the bytes
    of the sample, or of the sections that a region names, as one range. Files compressed with gzip or bzip2
    are fetched whole. To keep what was fetched, put a :class:`~caked.CachedSource` with a ``directory``
    around it; for sections as samples, :class:`~caked.Sections`.
    """

    def __init__(
        self,
        urls: str | Sequence[str],
        *,
        storage_options: Mapping[str, Any] | None = None,
        threads: int = 8,
    ) -> None:
        if threads < 1:
            raise InvalidOptionError(f"It takes one thread at least, not {threads}.")
        self.storage_options = dict(storage_options or {})
        self.threads = threads
        self._names = NameTable(self._listed([urls] if isinstance(urls, str) else list(urls)))
        self._layouts: dict[int, Layout] = {}
        self._packed: set[int] = set()

    def _listed(self, urls: list[str]) -> list[str]:
        found: list[str] = []
        for url in urls:
            if "*" not in url:
                found.append(url)
                continue
            files, path = self._system(url)
            with _reported(url):
                matches = sorted(match for match in files.glob(path) if has_suffix(match, READABLE_SUFFIXES))
            found.extend(files.unstrip_protocol(match) for match in matches)
        if not found:
            raise SourceNotFoundError(f"There is nothing at {urls}.", path=str(urls))
        return found

    def _system(self, url: str) -> tuple[Any, str]:
        """Return file system and path; asked for each time, for a process that is forked takes a new one."""
        import fsspec

        with _reported(url):
            files, path = fsspec.url_to_fs(url, **self.storage_options)
        return files, path

    @property
    def names(self) -> Sequence[str]:
        """The addresses."""
        return self._names

    def _fetch(self, i: int, start: int | None = None, stop: int | None = None) -> bytes:
        url = self._names[i]
        files, path = self._system(url)
        with _reported(url):
            content: bytes = files.cat_file(path, start=start, end=stop)
        return content

    def layout(self, i: int) -> Layout:
        """Return where the pixels lie; fetches the beginning of the file the first time."""
        i = range(len(self))[i]
        if i not in self._layouts:
            url = self._names[i]
            start = self._fetch(i, 0, _START_BYTES)
            if start[:2] in (b"\x1f\x8b", b"BZ"):
                self._packed.add(i)
                content = self._unpacked(i)
                self._layouts[i] = parse_layout(content[:_START_BYTES], len(content), name=url)
            else:
                files, path = self._system(url)
                with _reported(url):
                    size = files.size(path)
                self._layouts[i] = parse_layout(start, len(start) if size is None else int(size), name=url)
        return self._layouts[i]

    def _unpacked(self, i: int) -> bytes:
        url = self._names[i]
        packed = self._fetch(i)
        try:
            if packed.startswith(b"BZ"):
                content = bz2.BZ2Decompressor().decompress(packed, _LARGEST_COMPRESSED)
            elif packed.startswith(b"\x1f\x8b"):
                content = zlib.decompressobj(31).decompress(packed, _LARGEST_COMPRESSED)
            else:
                content = packed
        except (OSError, zlib.error, gzip.BadGzipFile, EOFError) as error:
            raise DamagedFileError(
                f"Its compressed data make no sense ({error}): file {url} is corrupted.", path=url
            ) from error
        return content

    def shape(self, i: int) -> tuple[int, ...]:
        """Return the shape; one section is an image."""
        shape = self.layout(i).shape
        return shape[1:] if len(shape) == 3 and shape[0] == 1 else shape

    def dtype(self, i: int) -> np.dtype[Any]:
        """Return the type."""
        return self.layout(i).dtype

    def read(self, i: int, region: Region | None = None, out: Array | None = None) -> Array:
        """Fetch sample ``i``, or the sections or rows of it that the region's first slice names."""
        layout, shape = self.layout(i), self.shape(i)
        wanted = whole_region(region or (), shape)
        rows = wanted[0] if wanted and layout.is_in_order else None
        item = layout.size_bytes // max(shape[0], 1) if rows is not None else layout.size_bytes
        part = slice(0, 1) if rows is None else rows
        first, last = layout.offset + part.start * item, layout.offset + part.stop * item
        if range(len(self))[i] in self._packed:
            content = self._unpacked(i)[first:last]
        else:
            content = self._fetch(i, first, last) if last > first else b""
        if len(content) != last - first:
            url = self._names[i]
            raise DamagedFileError(f"It ends before its pixels do: file {url} is corrupted.", path=url)
        numbers = np.frombuffer(content, dtype=layout.stored)
        if rows is not None:
            image = numbers.reshape(rows.stop - rows.start, *shape[1:])[(slice(None), *wanted[1:])]
        else:
            image = arranged(numbers, layout).reshape(shape)[wanted]
        whole = np.array(image, dtype=layout.dtype) if out is None else image
        return deliver(whole, out, dtype=layout.dtype)

    def read_batch(self, indices: Sequence[int], out: Array | None = None) -> Array:
        """Fetch several samples, some of them at the same time."""
        with ThreadPoolExecutor(min(self.threads, max(len(indices), 1))) as pool:
            if out is None:
                list(pool.map(self.layout, indices))  # headers together, not one after the other
                out = self.empty_batch(indices)
            batch = out
            list(pool.map(lambda k: self.read(indices[k], out=batch[k]), range(len(indices))))
        return batch

    def pixel_size(self, i: int) -> tuple[float, ...]:
        """Return the pixel size along each axis; 0.0 where the file does not say."""
        ndim = len(self.shape(i))
        return (0.0,) * (ndim - 3) + self.layout(i).voxel_size[-min(ndim, 3) :]

    def origin(self, i: int) -> tuple[float, ...]:
        """Return where the first pixel lies; zeros where the file does not say."""
        ndim = len(self.shape(i))
        return (0.0,) * (ndim - 3) + self.layout(i).origin[-min(ndim, 3) :]

    def columns(self, indices: Sequence[int]) -> Columns:
        """Return the pixel sizes."""
        return {"pixel_size_angstrom": np.array([self.pixel_size(i) for i in indices])}

    def meta(self, i: int) -> dict[str, Any]:
        """Return address and pixel size."""
        return {"url": self._names[i], "pixel_size_angstrom": self.pixel_size(i)}

    def to_dict(self) -> dict[str, Any]:
        """Return the addresses; options, which may be secret, are not written down."""
        return {"type": self.type_name, "urls": list(self._names), "threads": self.threads}

    @classmethod
    def from_dict(cls, description: Mapping[str, Any], *, base: Path, allow: Sequence[str] = ()) -> UrlSource:
        """Read from the same addresses."""
        return cls(description["urls"], threads=description["threads"])


class _reported:  # noqa: N801 (used as a function)
    """Turn what file systems say into caked's errors, without the secrets that addresses may hold."""

    def __init__(self, url: str) -> None:
        self.url = url.partition("?")[0]

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if error is None or isinstance(error, CakedError) or not isinstance(error, Exception):
            return
        why = f"{type(error).__name__}: {str(error).partition(chr(10))[0][:120]}"
        if isinstance(error, FileNotFoundError):
            raise SourceNotFoundError(f"There is no file {self.url}.", path=self.url) from error
        if isinstance(error, ImportError):
            raise InvalidOptionError(
                f"{self.url} cannot be read ({why}); fsspec has extras for what it needs: "
                "pip install './caked[remote]' for http."
            ) from error
        if isinstance(error, ValueError) and not isinstance(error, OSError):
            raise RefusedFileError(f"{self.url} cannot be read ({why}).", path=self.url) from error
        raise UnreachableSourceError(f"{self.url} could not be read ({why}).", path=self.url) from error
