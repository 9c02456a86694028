"""Directories of TIFF files: how a file begins, and what one directory says about its page and the next.

Sources: TIFF 6.0 (Adobe, 1992), section 2; BigTIFF, https://www.awaresystems.be/imaging/tiff/bigtiff.html.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import NamedTuple

from empiarreader.errors import DamagedDataError
from empiarreader.network.ranges import FileVersion

MOST_ENTRIES = 4096
# Tags that must agree for two pages to be frames of one movie: size, type, compression, tiling.
_ALIKE = frozenset({256, 257, 258, 259, 277, 284, 317, 322, 323, 339})


@dataclass(frozen=True, kw_only=True)
class TiffLayout:
    """Byte order and word size of a TIFF file."""

    order: str
    is_big: bool

    @property
    def count_format(self) -> str:
        """Format of the number of entries of a directory."""
        return f"{self.order}{'Q' if self.is_big else 'H'}"

    @property
    def offset_format(self) -> str:
        """Format of an offset."""
        return f"{self.order}{'Q' if self.is_big else 'I'}"

    @property
    def entry_bytes(self) -> int:
        """Length of an entry."""
        return 20 if self.is_big else 12


class Directory(NamedTuple):
    """A directory as the chain sees it: what pages must have in common, and where the next one is."""

    alike: tuple[bytes, ...]
    following: int


def parse_tiff_header(content: bytes, version: FileVersion, label: str) -> tuple[TiffLayout, int]:
    """Return the layout of a TIFF file and the offset of its first directory.

    Raises
    ------
    DamagedDataError
        If it is no TIFF file, or the offset leads out of it.
    """
    order = {b"II": "<", b"MM": ">"}.get(content[:2])
    if order is None or len(content) < 16:
        raise DamagedDataError(f"{label} is no TIFF file: it begins with {content[:4]!r}")
    magic, word, _ = struct.unpack_from(f"{order}3H", content, 2)
    if magic not in {42, 43} or (magic == 43 and word != 8):
        raise DamagedDataError(f"{label} is no TIFF file: its version is {magic}")
    layout = TiffLayout(order=order, is_big=magic == 43)
    (first,) = struct.unpack_from(layout.offset_format, content, 8 if layout.is_big else 4)
    check_offset(first, version, label)
    return layout, first


def parse_directory(
    content: bytes, offset: int, layout: TiffLayout, version: FileVersion, label: str
) -> Directory | None:
    """Return what a directory says, None where it is longer than what was read of it.

    Parameters
    ----------
    content, offset
        Bytes of the file from the directory on, and where that is.
    layout, version, label
        Of the file.

    Raises
    ------
    DamagedDataError
        If there is no directory, or the file ends in it.
    """
    head = struct.calcsize(layout.count_format)
    if len(content) < head and offset + head <= version.size:
        return None
    count = struct.unpack_from(layout.count_format, content)[0] if len(content) >= head else 0
    if not 0 < count <= MOST_ENTRIES:
        raise DamagedDataError(f"{label} is damaged: no page directory at byte {offset}")
    end = head + count * layout.entry_bytes
    tail = struct.calcsize(layout.offset_format)
    if offset + end + tail > version.size:
        raise DamagedDataError(f"{label} ends in the page directory at byte {offset}; it was cut short")
    if len(content) < end + tail:
        return None
    entries = [content[k : k + layout.entry_bytes] for k in range(head, end, layout.entry_bytes)]
    (following,) = struct.unpack_from(layout.offset_format, content, end)
    if following:
        check_offset(following, version, label)
    return Directory(
        tuple(_essence(entry, layout) for entry in entries if _tag(entry, layout) in _ALIKE), following
    )


def _tag(entry: bytes, layout: TiffLayout) -> int:
    tag: int = struct.unpack_from(f"{layout.order}H", entry)[0]
    return tag


def _essence(entry: bytes, layout: TiffLayout) -> bytes:
    """Return an entry as far as pages can share it: without the place of values that lie elsewhere."""
    _, kind, count = struct.unpack_from(f"{layout.order}2H{'Q' if layout.is_big else 'I'}", entry)
    width = {1: 1, 2: 1, 3: 2, 4: 4, 16: 8}.get(kind, 8)
    inline = layout.entry_bytes - (12 if layout.is_big else 8)
    return entry if width * count <= inline else entry[:-inline]


def check_offset(offset: int, version: FileVersion, label: str) -> None:
    """Raise where a directory cannot lie at an offset: in the header, or outside the file."""
    if not 8 <= offset < version.size:
        raise DamagedDataError(
            f"{label} has {version.size} bytes, but a page at byte {offset}; it was cut short or is damaged"
        )
