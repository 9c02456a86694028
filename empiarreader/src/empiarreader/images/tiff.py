"""TIFF and BigTIFF files as images: movies, one page a frame, and single images."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from empiarreader.bytesource import ByteSource
from empiarreader.byteunits import describe_count
from empiarreader.errors import DamagedDataError, ShapeMismatchError
from empiarreader.images.base import Array, Beginning, ImageOptions, one_section
from empiarreader.images.fourbits import TITLE, is_half_a_camera, unpack
from empiarreader.images.raw import RawPixels
from empiarreader.images.sparse import BegunFile, SparseFile
from empiarreader.images.tiffchain import PageChain
from empiarreader.images.tiffdirectory import parse_tiff_header
from empiarreader.images.tiffpages import (
    contiguous_pixels,
    fill_page,
    opened,
    page_at,
    page_dims,
    rows_together,
)
from empiarreader.images.tiffsize import page_pixel_size, tag_metadata
from empiarreader.network.ranges import FileVersion
from empiarreader.regions import Bounds
from empiarreader.voxels import VoxelSize

if TYPE_CHECKING:
    from tifffile import TiffPage

_IMAGEJ_FRAMES = re.compile(r"^images=([0-9]{1,9})$", re.MULTILINE)
_PAGES_AT_ONCE = 64
_FIRST_BYTES = 16 * 1024
_LEAST_KEPT = 16


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
    rows_together: int  # of a strip or tile, which can only be had whole
    raw: RawPixels | None = None  # where one directory stands for a stack that follows it
    two_a_byte: bool = False  # pages are half as wide as the image, and each byte holds two of its pixels
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
        if self.raw is not None:
            self.raw.read_into(file, self.version, bounds, out)
            return
        (first, last), plane = (bounds[0], bounds[1:]) if self.is_movie else ((0, 1), bounds)
        known = len(self.chain.offsets)
        offsets = self.chain.follow(file, last)
        if len(offsets) < last:
            raise DamagedDataError(
                f"{file.label} has {describe_count(len(offsets), 'frames')}, but says {self.shape[0]}; "
                "it was cut short"
            )
        if len(offsets) > known:
            self.chain.remember(file.label)
        frames = out if self.is_movie else out[np.newaxis]
        for start in range(first, last, _PAGES_AT_ONCE):
            stop = min(last, start + _PAGES_AT_ONCE)
            self._read_pages(file, offsets[start:stop], plane, frames[start - first : stop - first])

    def metadata(self, file: ByteSource) -> dict[str, Any]:
        """Return the tags of the first page by name; most of them were read when the file was opened."""
        sparse = SparseFile(file, self.version, pieces=self.chain.pieces)
        with opened(sparse) as tiff:
            return tag_metadata(self._page(tiff, self.chain.offsets[0], file.label))

    def _read_pages(self, file: ByteSource, offsets: list[int], plane: Bounds, out: Array) -> None:
        sparse = SparseFile(file, self.version, pieces=self.chain.pieces)
        missing = [offset for offset in offsets if offset != self.chain.offsets[0]]
        if missing:
            sparse.prefetch([self.chain.window(offset) for offset in missing])
        with opened(sparse) as tiff:
            for offset, frame in zip(offsets, out, strict=True):
                page = self._page(tiff, offset, file.label)
                if self.two_a_byte:
                    frame[...] = self._unpacked(page, file, plane)
                else:
                    fill_page(page, file, self.version, plane, frame, label=file.label)
        if self.chain.note_shared(sparse.missed):
            self.chain.remember(file.label)

    def _unpacked(self, page: TiffPage, file: ByteSource, plane: Bounds) -> Array:
        """Return a region of a page of which each byte holds two pixels."""
        rows, (first, last) = plane
        columns = first // 2, (last + 1) // 2
        packed = np.empty((rows[1] - rows[0], columns[1] - columns[0]), np.uint8)
        fill_page(page, file, self.version, (rows, columns), packed, label=file.label)
        return unpack(packed)[:, first % 2 : first % 2 + last - first]

    def _page(self, tiff: Any, offset: int, label: str) -> TiffPage:
        page = page_at(tiff, offset, label=label, file_bytes=self.version.size)
        wanted = self.shape[1:] if self.is_movie else self.shape
        if self.two_a_byte:
            wanted = (*wanted[:-1], wanted[-1] // 2)
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
    layout, first = parse_tiff_header(beginning.content, beginning.version, file.label)
    chain = PageChain(layout, first, beginning.version)
    was_known = chain.recall(file.label)
    offset = chain.follow(begun, 1)[0]
    sparse = SparseFile(file, chain.version, pieces=[(0, beginning.content), *chain.pieces])
    with opened(sparse) as tiff:
        page = page_at(tiff, offset, label=file.label, file_bytes=chain.version.size)
        if not was_known:
            chain.note_first([(0, beginning.content[: _described_bytes(page)]), *sparse.pieces[1:]])
        image = _whole_stack(page, chain, options) or _image(
            page, _frames(page, begun, chain), chain, options
        )
    if not was_known:
        chain.remember(file.label)
    return image


def _frames(page: TiffPage, file: ByteSource, chain: PageChain) -> int:
    """Return how many frames there are: what the first page says, if it does, else by following the chain."""
    stated = None if chain.is_complete else _described_frames(page)
    if (
        stated is not None
        and stated > 1
        and stated * (18 + sum(page.databytecounts) // 1000) <= chain.version.size
    ):
        return stated
    return len(chain.follow(file))


def _image(page: TiffPage, frames: int, chain: PageChain, options: ImageOptions) -> TiffImage:
    from tifffile import COMPRESSION

    is_movie = frames > 1
    two_a_byte = _bytes_hold_two(page)
    shape = (page.shape[0], 2 * page.shape[1]) if two_a_byte else page.shape
    axis = ("z",) if options.volume else ("frame",)
    y, x = page_pixel_size(page)
    return TiffImage(
        version=chain.version,
        shape=(frames, *shape) if is_movie else shape,
        dtype=np.dtype(page.dtype).newbyteorder("="),
        dims=(*axis, *page_dims(page)) if is_movie else page_dims(page),
        voxel_size=VoxelSize(z=0.0, y=y, x=x),
        attrs={"compression": COMPRESSION(page.compression).name.lower()} if page.compression != 1 else {},
        chain=chain,
        rows_together=rows_together(page),
        two_a_byte=two_a_byte,
    )


def _bytes_hold_two(page: TiffPage) -> bool:
    """Return whether SerialEM packed two counts into each byte: by its title, or the size of the camera."""
    if page.dtype != np.uint8 or page.bitspersample != 8 or page.axes != "YX" or page.photometric > 1:
        return False
    is_titled = "SerialEMCCD" in page.description and TITLE in page.description
    return is_titled or is_half_a_camera(*page.shape)


def _whole_stack(page: TiffPage, chain: PageChain, options: ImageOptions) -> TiffImage | None:
    """Return the stack that follows a single directory as it is, as ImageJ writes it; else None."""
    frames = _described_frames(page)
    if not chain.is_complete or len(chain.offsets) > 1 or page.compression != 1 or not frames or frames < 2:
        return None
    raw = contiguous_pixels(page, frames)
    if raw is None or raw.end > chain.version.size:
        return None
    image = _image(page, frames, chain, options)
    if image.two_a_byte:
        raw = replace(raw, shape=image.shape, packing="four bits")
    return replace(image, raw=raw, rows_together=1)


def _described_bytes(page: TiffPage) -> int:
    """Return where the values of a page's tags end, as far as they lie at the beginning of the file."""
    ends = [tag.valueoffset + tag.valuebytecount for tag in page.tags]
    return max([end for end in ends if end <= _FIRST_BYTES], default=_LEAST_KEPT)


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
