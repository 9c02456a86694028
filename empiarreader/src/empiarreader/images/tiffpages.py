"""Pages of a TIFF file: what a directory says, which strips or tiles hold a region, and their pixels.

tifffile understands the directories and imagecodecs unpacks the pixels; what they say is checked before
memory is set aside, and which bytes move is decided here.
"""

from __future__ import annotations

import contextlib
import math
import os
import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import IO, TYPE_CHECKING, NamedTuple, cast

import numpy as np

from empiarreader.bytesource import ByteSource
from empiarreader.errors import DamagedDataError, EmpiarReaderError, UnsupportedFormatError
from empiarreader.images.base import Array
from empiarreader.images.raw import RawPixels
from empiarreader.images.sparse import SparseFile
from empiarreader.network.ranges import FileVersion
from empiarreader.regions import Bounds

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage

_DIMENSIONS = {"Y": "y", "X": "x", "S": "channel"}
# No compression makes more of a byte; LZW reaches 1,400 and deflate 1,032, Zstandard more with empty images.
_LARGEST_RATIO = 16_384
_ALWAYS_PLAUSIBLE_BYTES = 64 * 1024 * 1024
_LONGEST_AXIS = 1 << 20
# What is unpacked: none, LZW, JPEG, deflate, PackBits, LZMA, Zstandard; EER pages are unpacked elsewhere.
# Decoders of other kinds would only ever see damaged files, and they run outside Python's protection.
_PACKINGS = frozenset({1, 5, 7, 8, 32773, 32946, 34925, 50000, 65000, 65001, 65002})
_BITS = frozenset({1, 2, 4, 8, 10, 12, 14, 16, 32, 64})
_WORTH_THREADS_BYTES = 4 * 1024 * 1024
_FETCHED_AT_ONCE = 64 * 1024 * 1024


class Segment(NamedTuple):
    """A strip or tile: its number, where its bytes are, and where its first pixel is ``(plane, y, x)``."""

    number: int
    start: int
    length: int
    corner: tuple[int, int, int]


@contextlib.contextmanager
def opened(sparse: SparseFile) -> Iterator[TiffFile]:
    """Open the pieces of a TIFF file with tifffile, whose own errors become ours."""
    import tifffile

    sparse.seek(0)  # tifffile takes the place that a file is at for its beginning
    handle = cast(IO[bytes], sparse)
    # The pages are gone to one by one: tifffile would follow the chain itself.
    with reported(sparse.label), tifffile.TiffFile(handle, size=sparse.size, name="page.tif") as tiff:
        yield tiff


@contextlib.contextmanager
def reported(label: str) -> Iterator[None]:
    """Turn what the libraries raise about a damaged file into a :class:`DamagedDataError`."""
    try:
        yield
    except EmpiarReaderError:
        raise
    except NotImplementedError as error:
        raise UnsupportedFormatError(f"{label} is a TIFF file of a kind that is not read: {error}") from error
    except MemoryError as error:
        raise DamagedDataError(f"{label} needs more memory than there is") from error
    except (
        ArithmeticError,
        LookupError,
        RuntimeError,
        ValueError,
        TypeError,
        struct.error,
        OSError,
    ) as error:
        raise DamagedDataError(f"{label} is a damaged TIFF file: {error}") from error


def page_at(tiff: TiffFile, offset: int, *, label: str, file_bytes: int) -> TiffPage:
    """Return the page whose directory lies at an offset, checked.

    Raises
    ------
    DamagedDataError
        If it cannot be what it says.
    UnsupportedFormatError
        If its pixels are of a type, or packed in a way, that is not read.
    """
    import tifffile

    tiff.filehandle.seek(offset)
    page = tifffile.TiffPage(tiff, 0)
    _check_page(page, label, file_bytes)
    return page


def page_dims(page: TiffPage) -> tuple[str, ...]:
    """Return the names of the axes of one page."""
    return tuple(_DIMENSIONS[axis] for axis in page.axes)


def rows_together(page: TiffPage) -> int:
    """Return how many rows a strip or tile has: none of them can be had without the others."""
    return _segment_size(page)[0]


def contiguous_pixels(page: TiffPage, frames: int) -> RawPixels | None:
    """Return where so many images lie, if they can follow one another from a page's pixels on."""
    ends = [start + length for start, length in zip(page.dataoffsets, page.databytecounts, strict=True)]
    stored = np.dtype(page.dtype).newbyteorder(page.parent.byteorder)
    row_bytes = page.imagewidth * stored.itemsize
    if page.axes != "YX" or page.is_tiled or page.predictor != 1 or page.fillorder != 1:
        return None
    if page.bitspersample != 8 * stored.itemsize or ends[:-1] != list(page.dataoffsets[1:]):
        return None
    return RawPixels(
        shape=(frames, page.imagelength, page.imagewidth),
        stored=stored.str,
        offset=page.dataoffsets[0],
        row_bytes=row_bytes,
        section_bytes=row_bytes * page.imagelength,
    )


def segments_in(page: TiffPage, bounds: Bounds) -> list[Segment]:
    """Return the strips or tiles that hold pixels of a region of a page, given in the page's own axes."""
    planes, rows, columns = _by_axis(page, bounds)
    length, width = _segment_size(page)
    found = []
    across, down = math.ceil(page.imagewidth / width), math.ceil(page.imagelength / length)
    for plane in range(*planes):
        for row in range(rows[0] // length, math.ceil(rows[1] / length)):
            for column in range(columns[0] // width, math.ceil(columns[1] / width)):
                number = (plane * down + row) * across + column
                span = page.dataoffsets[number], page.databytecounts[number]
                found.append(Segment(number, *span, (plane, row * length, column * width)))
    return found


def fill_page(
    page: TiffPage, file: ByteSource, version: FileVersion, bounds: Bounds, out: Array, *, label: str
) -> None:
    """Fill ``out`` with a region of one page: exactly its strips or tiles move, side by side."""
    found = segments_in(page, bounds)
    for group in _in_groups(found):
        contents = file.ranges([(piece.start, piece.length) for piece in group], version)

        def place(piece: Segment, content: memoryview) -> None:
            with reported(label):
                _place(page, piece, content, bounds, out)

        if page.compression == 1 or out.nbytes < _WORTH_THREADS_BYTES or len(group) == 1:
            for piece, content in zip(group, contents, strict=True):
                place(piece, content)
        else:
            # imagecodecs lets other threads run while it unpacks.
            with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as threads:
                list(threads.map(place, group, contents))


def _in_groups(segments: list[Segment]) -> Iterator[list[Segment]]:
    """Yield segments in groups that are fetched together, so that the packed bytes of a page stay bounded."""
    group: list[Segment] = []
    total = 0
    for piece in segments:
        if group and total + piece.length > _FETCHED_AT_ONCE:
            yield group
            group, total = [], 0
        group.append(piece)
        total += piece.length
    if group:
        yield group


def _place(page: TiffPage, piece: Segment, content: memoryview, bounds: Bounds, out: Array) -> None:
    """Unpack one segment and copy what the region has of it."""
    data, _, shape = page.decode(content if piece.length else None, piece.number, jpegtables=page.jpegtables)
    plane, top, left = piece.corner
    starts = {"S": plane if page.planarconfig == 2 else 0, "Y": top, "X": left}
    lengths = {"S": shape[3], "Y": shape[1], "X": shape[2]}
    inside, outside = [], []
    for axis, (start, stop) in zip(page.axes, bounds, strict=True):
        low = max(start, starts[axis])
        high = min(stop, starts[axis] + lengths[axis])
        inside.append(slice(low - starts[axis], high - starts[axis]))
        outside.append(slice(low - start, high - start))
    if data is None:
        out[tuple(outside)] = page.nodata
        return
    order = {"Y": 1, "X": 2, "S": 3}
    pixels = data[0] if page.axes == "YXS" else np.moveaxis(data[0], -1, 0)  # (y, x, s) or (s, y, x)
    if page.axes == "YX":
        pixels = pixels[0]
    assert set(page.axes) <= set(order)
    out[tuple(outside)] = pixels[tuple(inside)]


def _by_axis(page: TiffPage, bounds: Bounds) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Return the bounds along planes that are stored one by one, rows and columns."""
    named = dict(zip(page.axes, bounds, strict=True))
    planes = named.get("S", (0, 1)) if page.planarconfig == 2 else (0, 1)
    return planes, named["Y"], named["X"]


def _segment_size(page: TiffPage) -> tuple[int, int]:
    """Return rows and columns of a strip or tile."""
    if page.is_tiled:
        return page.tilelength, page.tilewidth
    return min(page.rowsperstrip, page.imagelength), page.imagewidth


def _check_page(page: TiffPage, label: str, file_bytes: int) -> None:
    width, height = page.imagewidth, page.imagelength
    if not (0 < width <= _LONGEST_AXIS and 0 < height <= _LONGEST_AXIS) or 0 in page.shape:
        raise DamagedDataError(f"{label} is a damaged TIFF file: a page of {height} x {width} pixels")
    if page.dtype is None or set(page.axes) not in ({"Y", "X"}, {"Y", "X", "S"}):
        raise UnsupportedFormatError(
            f"{label} is a TIFF file of a kind that is not read: axes {page.axes!r}, "
            f"{page.bitspersample} bits a sample, sample format {page.sampleformat}"
        )
    if page.compression not in _PACKINGS or page.bitspersample not in _BITS:
        raise UnsupportedFormatError(
            f"{label} is a TIFF file of a kind that is not read: compression {page.compression}, "
            f"{page.bitspersample} bits a sample"
        )
    rows, columns = _segment_size(page)
    if rows < 1 or columns < 1:
        raise DamagedDataError(f"{label} is a damaged TIFF file: strips or tiles of {rows} x {columns}")
    planes = page.samplesperpixel if page.planarconfig == 2 else 1
    expected = planes * math.ceil(height / rows) * math.ceil(width / columns)
    counts = len(page.dataoffsets), len(page.databytecounts)
    if counts != (expected, expected):
        raise DamagedDataError(f"{label} is a damaged TIFF file: {counts[0]} strips or tiles, not {expected}")
    stored = sum(page.databytecounts)
    for start, length in zip(page.dataoffsets, page.databytecounts, strict=True):
        if start < 0 or length < 0 or start + length > file_bytes:
            raise DamagedDataError(
                f"{label} has {file_bytes} bytes, but pixels up to byte {start + length}; it was cut short"
            )
    if page.nbytes > max(_ALWAYS_PLAUSIBLE_BYTES, stored * _LARGEST_RATIO):
        raise DamagedDataError(
            f"{label} is a damaged TIFF file: {height} x {width} pixels in {stored} bytes cannot be"
        )
    if rows * columns * page.samplesperpixel > 4 * max(width * height * page.samplesperpixel, 1 << 20):
        raise DamagedDataError(f"{label} is a damaged TIFF file: tiles of {rows} x {columns} pixels")
