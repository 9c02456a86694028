"""EER movies: electrons one by one, in hundreds of short frames that are summed to as many as one likes.

A BigTIFF file with a page a frame. Pages are found as those of any TIFF file are; their pixels are made here,
because a frame may lie in several strips, which are one string of bits.

Source: the published EER File Format (fei-company/EerReaderLib), for layouts and tags.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from empiarreader.bytesource import ByteSource
from empiarreader.byteunits import describe_count
from empiarreader.errors import DamagedDataError, InvalidRequestError, UnsupportedFormatError
from empiarreader.images.base import Array, Beginning, ImageOptions, one_section
from empiarreader.images.eercodec import FIXED_7, FIXED_8, VARIABLE, EerLayout, add_electrons
from empiarreader.images.eernotes import number, parse_notes, pixel_size
from empiarreader.images.sparse import BegunFile, SparseFile
from empiarreader.images.tiffchain import PageChain
from empiarreader.images.tiffdirectory import parse_tiff_header
from empiarreader.images.tiffpages import opened, page_at
from empiarreader.network.ranges import FileVersion
from empiarreader.regions import Bounds
from empiarreader.voxels import VoxelSize

if TYPE_CHECKING:
    from tifffile import TiffPage

_NOTES = 65001
_RUN_BITS, _X_BITS, _Y_BITS = 65007, 65008, 65009
_FETCHED_AT_ONCE = 32
_LONGEST_AXIS = 1 << 16
_SMALLEST_PAGE = 128  # a directory of a dozen entries and no pixels

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class EerImage:
    """An EER file: what its first page says, and where its pages are as far as that is known."""

    chain: PageChain
    layout: EerLayout
    frame_shape: tuple[int, int]
    recorded: int
    group: int
    factor: int
    notes: Mapping[str, str]
    has_sum: bool  # a page before the frames, which is none of them
    format: str = "EER"

    @property
    def version(self) -> FileVersion:
        """State of the file that the description was read from."""
        return self.chain.version

    @property
    def shape(self) -> tuple[int, ...]:
        """``(frame, y, x)``: recorded frames by groups, on the grid that was asked for."""
        y, x = self.frame_shape
        return self.recorded // self.group, y * self.factor, x * self.factor

    @property
    def dtype(self) -> np.dtype[Any]:
        """``uint8``, or ``uint16`` where a group has more frames than that can count."""
        return np.dtype(np.uint8 if self.group <= 255 else np.uint16)

    @property
    def dims(self) -> tuple[str, ...]:
        """``(frame, y, x)``."""
        return "frame", "y", "x"

    @property
    def chunks(self) -> tuple[int, ...]:
        """One group of frames."""
        return one_section(self.shape, self.dims)

    @property
    def voxel_size(self) -> VoxelSize:
        """Å of a pixel of the grid that was asked for."""
        y, x = pixel_size(dict(self.notes))
        return VoxelSize(z=0.0, y=y / self.factor, x=x / self.factor)

    @property
    def attrs(self) -> Mapping[str, Any]:
        """How many frames were recorded, are summed and are left over, and dose and time of a group.

        ``dose_per_frame`` is in e/Å², ``exposure_per_frame`` in s; both are left out where the file does
        not say. ``final_image`` says that the sum of all frames is in the file, too; it is not read.
        """
        found: dict[str, Any] = {
            "recorded_frames": self.recorded,
            "group": self.group,
            "left_over": self.recorded % self.group,
            "super_resolution": self.factor,
        }
        if self.has_sum:
            found["final_image"] = True
        notes, share = dict(self.notes), self.group / self.recorded
        y, x = pixel_size(notes)
        if (dose := number(notes, "totalDose")) and y and x:
            found["dose_per_frame"] = dose / (y * x) * share
        if exposure := number(notes, "exposureTime"):
            found["exposure_per_frame"] = exposure * share
        return found

    def read_into(self, file: ByteSource, bounds: Bounds, out: Array) -> None:
        """Fill ``out``: whole frames move, and the directories on the way to them."""
        (first, last), rows, columns = bounds
        offsets = self._offsets(file, last * self.group)
        plane = slice(*rows), slice(*columns)
        is_whole = (rows[1] - rows[0], columns[1] - columns[0]) == self.shape[1:]
        for place, frame in enumerate(range(first, last)):
            in_place = is_whole and out.dtype == self.dtype and out[place].flags.c_contiguous
            counts = out[place] if in_place else np.empty(self.shape[1:], self.dtype)
            counts[...] = 0
            self._add_frames(file, offsets[frame * self.group : (frame + 1) * self.group], counts)
            if not in_place:
                out[place] = counts[plane]

    def metadata(self, file: ByteSource) -> dict[str, Any]:
        """Return what the camera noted, as text, with units as ``name.unit``; nothing moves."""
        return dict(self.notes)

    def _offsets(self, file: ByteSource, count: int) -> list[int]:
        known = len(self.chain.offsets)
        offsets = self.chain.follow(file, count)
        if len(offsets) < count:
            raise DamagedDataError(
                f"{file.label} has {describe_count(len(offsets), 'frames')}, but promises {self.recorded}; "
                "it was cut short, or its notes are wrong: what comes before can be read"
            )
        if len(offsets) > known:
            self.chain.remember(file.label)
        if count == self.recorded and not self.chain.is_complete and len(offsets) == self.recorded:
            logger.warning("%s has more than the %d frames that were promised", file.label, self.recorded)
        return offsets

    def _add_frames(self, file: ByteSource, offsets: list[int], counts: Array) -> None:
        for start in range(0, len(offsets), _FETCHED_AT_ONCE):
            for bits in self._bits(file, offsets[start : start + _FETCHED_AT_ONCE]):
                add_electrons(bits, self.layout, self.factor, counts, file.label)

    def _bits(self, file: ByteSource, offsets: list[int]) -> list[bytes]:
        """Return the bits of some frames: their directories in one go, and their strips in another."""
        sparse = SparseFile(file, self.version, pieces=self.chain.pieces)
        sparse.prefetch([self.chain.window(offset) for offset in offsets if offset != self.chain.offsets[0]])
        with opened(sparse) as tiff:
            pages = [
                page_at(tiff, offset, label=file.label, file_bytes=self.version.size) for offset in offsets
            ]
            if any((page.shape, _layout(page)) != (self.frame_shape, self.layout) for page in pages):
                raise DamagedDataError(f"{file.label} has a frame that is not like its first")
            strips = [list(zip(page.dataoffsets, page.databytecounts, strict=True)) for page in pages]
        contents = iter(file.ranges([strip for page in strips for strip in page], self.version))
        return [b"".join(bytes(next(contents)) for _ in page) for page in strips]


def open_file(file: ByteSource, beginning: Beginning, options: ImageOptions) -> EerImage:
    """Return the movie that an EER file holds.

    Moves its first directories. How many frames there are is taken from the camera's notes, else from
    ``options.frames``, and is checked when the last of them are read; only where neither says it, all pages
    are looked for now.

    Raises
    ------
    DamagedDataError
        If it is no EER file, or a damaged one.
    UnsupportedFormatError
        If its pages are packed in another way.
    InvalidRequestError
        If the options do not fit the file.
    """
    version = beginning.version
    content = beginning.content
    begun = BegunFile(file, content)
    layout, first = parse_tiff_header(content, version, file.label)
    chain = PageChain(layout, first, version)
    page = _first_page(begun, chain, content)
    notes = _notes(page, file.label)
    has_sum = page.compression not in {FIXED_8, FIXED_7, VARIABLE}  # of all frames; it comes first
    if has_sum:
        if chain.is_complete:
            raise UnsupportedFormatError(f"{file.label} is a TIFF file of one page that is not EER")
        chain = PageChain(layout, chain.following, version)
        page = _first_page(begun, chain, content)
        notes = _notes(page, file.label) or notes
    codes = _layout(page)
    codes.check(file.label)
    codes.check_factor(options.super_resolution)
    if max(page.shape) > _LONGEST_AXIS:
        raise DamagedDataError(f"{file.label} is a damaged EER file: frames of {page.shape}")
    chain.recall(file.label)
    recorded = int(number(notes, "numberOfFrames")) or options.frames or len(chain.follow(begun))
    if recorded * _SMALLEST_PAGE > version.size:
        raise DamagedDataError(
            f"{file.label} has {version.size} bytes, too few for {describe_count(recorded, 'frames')}"
        )
    if not 1 <= options.group <= min(recorded, np.iinfo(np.uint16).max):
        raise InvalidRequestError(
            f"group is {options.group}; {file.label} has {describe_count(recorded, 'frames')}"
        )
    return EerImage(
        chain=chain,
        layout=codes,
        frame_shape=(page.shape[0], page.shape[1]),
        recorded=recorded,
        group=options.group,
        factor=options.super_resolution,
        notes=notes,
        has_sum=has_sum,
    )


def _first_page(file: ByteSource, chain: PageChain, content: bytes) -> TiffPage:
    """Return the page that a chain begins with; the chain keeps how far its description reaches."""
    offset = chain.follow(file, 1)[0]
    sparse = SparseFile(file, chain.version, pieces=[(0, content), *chain.pieces])
    with opened(sparse) as tiff:
        page = page_at(tiff, offset, label=file.label, file_bytes=chain.version.size)
    chain.note_first(sparse.pieces)
    return page


def _layout(page: TiffPage) -> EerLayout:
    bits = {FIXED_8: (8, 2, 2), FIXED_7: (7, 2, 2)}.get(page.compression)
    if bits is None:
        bits = (_tag(page, _RUN_BITS, 7), _tag(page, _X_BITS, 2), _tag(page, _Y_BITS, 2))
    return EerLayout(compression=page.compression, run_bits=bits[0], x_bits=bits[1], y_bits=bits[2])


def _tag(page: TiffPage, code: int, default: int) -> int:
    value = page.tags.valueof(code, default)
    return value if isinstance(value, int) else -1


def _notes(page: TiffPage, label: str) -> dict[str, str]:
    value = page.tags.valueof(_NOTES)
    if isinstance(value, str):
        value = value.encode()
    return parse_notes(value, label) if isinstance(value, bytes) and value.lstrip().startswith(b"<") else {}
