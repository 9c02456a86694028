"""TIFF and BigTIFF files as images: movies, one page a frame, and single images."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from empiarreader.bytesource import ByteSource
from empiarreader.errors import DamagedDataError, ShapeMismatchError
from empiarreader.images.base import Array, Beginning, ImageOptions, one_section
from empiarreader.images.sparse import BegunFile, SparseFile
from empiarreader.images.tiffchain import PageChain, parse_tiff_header
from empiarreader.images.tiffpages import fill_page, opened, page_at, page_dims
from empiarreader.images.tiffsize import page_pixel_size, tag_metadata
from empiarreader.ranges import FileVersion
from empiarreader.regions import Bounds
from empiarreader.voxels import VoxelSize

if TYPE_CHECKING:
    from tifffile import TiffPage

_IMAGEJ_FRAMES = re.compile(r"^images=([0-9]{1,9})$", re.MULTILINE)
_PAGES_AT_ONCE = 64


@dataclass(frozen=True, kw_only=True)
class TiffImage:
    """A TIFF file: what its first page says, and where its pages are as far as that is known."""

    version: FileVersion
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    dims: tuple[str, ...]
    voxel_size: VoxelSize
    attrs: Mapping[str, Any]
    chain: PageChain
    format: str = "TIFF"

    @property
    def chunks(self) -> tuple[int, ...]:
        """One frame."""
        return one_section(self.shape, self.dims)

    @property
    def is_movie(self) -> bool:
        """Whether there is an axis of pages."""
        return self.dims[0] in {"frame", "z"}

    def read_into(self, file: ByteSource, bounds: Bounds, out: Array) -> None:
        """Fill ``out``: the strips or tiles of the region move, and the directories on the way to them."""
        (first, last), plane = (bounds[0], bounds[1:]) if self.is_movie else ((0, 1), bounds)
        known = len(self.chain.offsets)
        offsets = self.chain.follow(file, last)
        if len(offsets) < last:
            raise DamagedDataError(
                f"{file.label} has {len(offsets)} frames, but says {self.shape[0]}; it was cut short"
            )
        if len(offsets) > known:
            self.chain.remember(file.label)
        frames = out if self.is_movie else out[np.newaxis]
        for start in range(first, last, _PAGES_AT_ONCE):
            stop = min(last, start + _PAGES_AT_ONCE)
            self._read_pages(file, offsets[start:stop], plane, frames[start - first : stop - first])

    def metadata(self, file: ByteSource) -> dict[str, Any]:
        """Return the tags of the first page by name; most of them were read when the file was opened."""
        sparse = SparseFile(file, self.version, pieces=self.chain.first_pieces)
        with opened(sparse) as tiff:
            return tag_metadata(self._page(tiff, self.chain.offsets[0], file.label))

    def _read_pages(self, file: ByteSource, offsets: list[int], plane: Bounds, out: Array) -> None:
        sparse = SparseFile(file, self.version, pieces=self.chain.first_pieces)
        missing = [offset for offset in offsets if offset != self.chain.offsets[0]]
        if missing:
            sparse.prefetch([self.chain.window(offset) for offset in missing])
        with opened(sparse) as tiff:
            for offset, frame in zip(offsets, out, strict=True):
                page = self._page(tiff, offset, file.label)
                fill_page(page, file, self.version, plane, frame, label=file.label)

    def _page(self, tiff: Any, offset: int, label: str) -> TiffPage:
        page = page_at(tiff, offset, label=label, file_bytes=self.version.size)
        wanted = self.shape[1:] if self.is_movie else self.shape
        if page.shape != wanted or page.dtype != self.dtype:
            raise ShapeMismatchError(
                f"{label} has a page of {page.shape} {page.dtype} among those of {wanted} {self.dtype}"
            )
        return page


def open_file(file: ByteSource, beginning: Beginning, options: ImageOptions) -> TiffImage:
    """Return the image of a TIFF file.

    Reads the first page's directory, and the chain of directories to its end where nothing in the first page
    says how many there are.
    """
    begun = BegunFile(file, beginning.content)
    version = beginning.version
    layout, first = parse_tiff_header(beginning.content, version, file.label)
    chain = PageChain(layout, first, version)
    was_known = chain.recall(file.label)
    offset = chain.follow(begun, 1)[0]
    pieces = chain.first_pieces if was_known else [(0, beginning.content)]
    sparse = SparseFile(file, version, pieces=pieces)
    if not pieces_hold(pieces, offset):
        sparse.prefetch([chain.window(offset)])
    with opened(sparse) as tiff:
        page = page_at(tiff, offset, label=file.label, file_bytes=version.size)
        if not was_known:
            chain.note_first(_trimmed(sparse.pieces, beginning.content, page))
        stated = None if chain.is_complete else _stated_frames(page, version)
        frames = stated or len(chain.follow(begun))
        image = _image(page, frames, chain, options)
    if not was_known or len(chain.offsets) > 1:
        chain.remember(file.label)
    return image


def _image(page: TiffPage, frames: int, chain: PageChain, options: ImageOptions) -> TiffImage:
    from tifffile import COMPRESSION

    is_movie = frames > 1
    axis = ("z",) if options.volume else ("frame",)
    y, x = page_pixel_size(page)
    return TiffImage(
        version=chain.version,
        shape=(frames, *page.shape) if is_movie else page.shape,
        dtype=np.dtype(page.dtype).newbyteorder("="),
        dims=(*axis, *page_dims(page)) if is_movie else page_dims(page),
        voxel_size=VoxelSize(z=0.0, y=y, x=x),
        attrs={"compression": COMPRESSION(page.compression).name.lower()} if page.compression != 1 else {},
        chain=chain,
    )


def pieces_hold(pieces: list[tuple[int, bytes]], offset: int) -> bool:
    """Return whether a directory at an offset probably lies in one of the pieces."""
    return any(start <= offset and offset + 512 <= start + len(data) for start, data in pieces)


def _trimmed(pieces: list[tuple[int, bytes]], content: bytes, page: TiffPage) -> list[tuple[int, bytes]]:
    """Return the pieces that describe the first page, without pixels that came with them."""
    ends = [tag.valueoffset + tag.valuebytecount for tag in page.tags]
    near = max([end for end in ends if end <= len(content)], default=16)
    return [(0, content[: max(near, 1024)]), *pieces[1:]]


def _stated_frames(page: TiffPage, version: FileVersion) -> int | None:
    """Return how many frames the first page says there are, if the file is large enough for them."""
    stated = _described_frames(page)
    if stated is None or stated < 2:
        return None
    smallest = 18 + sum(page.databytecounts) // 1000
    return stated if stated * smallest <= version.size else None


def _described_frames(page: TiffPage) -> int | None:
    text = page.description
    if page.is_imagej:
        found = _IMAGEJ_FRAMES.search(text)
        return int(found[1]) if found else None
    if page.is_shaped and text.startswith("{"):
        try:
            shape = json.loads(text).get("shape")
        except ValueError:
            return None
        if isinstance(shape, list) and tuple(shape[1:]) == page.shape and isinstance(shape[0], int):
            return shape[0]
    return None
