"""Which formats there are, what files of them are called, and what these begin with.

A new format is a line of :data:`FORMATS`; :mod:`empiarreader.images.base` says what its module holds.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib import import_module
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from empiarreader.errors import DamagedDataError, UnsupportedFormatError

if TYPE_CHECKING:
    from empiarreader.bytesource import ByteSource
    from empiarreader.images.base import Beginning, ImageOptions, OpenImage


@dataclass(frozen=True)
class Format:
    """An image format.

    Attributes
    ----------
    name : str
        What it is called in messages.
    suffixes : tuple of str
        How names of its files end, in lower case.
    module : str
        The module whose ``open_file`` opens it; ``""`` for a format that is known and not read.
    magic : tuple of (int, bytes)
        Bytes at a place of the file that tell the format: any one of them does.
    first_bytes : int
        How many bytes to ask for first.
    """

    name: str
    suffixes: tuple[str, ...]
    module: str = ""
    magic: tuple[tuple[int, bytes], ...] = ()
    first_bytes: int = 1024

    def begins(self, content: bytes) -> bool:
        """Return whether a file with these first bytes is surely of this format."""
        return any(content.startswith(magic, place) for place, magic in self.magic)

    def open(self, file: ByteSource, beginning: Beginning, options: ImageOptions) -> OpenImage:
        """Return the opened image of a file of this format; loads the module that reads it."""
        image: OpenImage = import_module(self.module).open_file(file, beginning, options)
        return image


_HDF5 = ((0, b"\x89HDF\r\n\x1a\n"),)
_BIG_TIFF = ((0, b"II+\0"), (0, b"MM\0+"))

MRC = Format(
    "MRC",
    (".mrc", ".mrcs", ".map", ".ccp4", ".st", ".ali", ".preali", ".rec"),
    "empiarreader.images.mrc",
    ((208, b"MAP "),),
)
# Where several have the same first bytes, the name decides between them, and the first is taken without one.
FORMATS = (
    MRC,
    Format(
        "TIFF",
        (".tif", ".tiff"),
        "empiarreader.images.tiff",
        ((0, b"II*\0"), (0, b"MM\0*"), *_BIG_TIFF),
        first_bytes=16 * 1024,
    ),
    Format("EER", (".eer",), "empiarreader.images.eer", (*_BIG_TIFF, (0, b"II*\0"))),
    Format("DigitalMicrograph", (".dm3", ".dm4"), "empiarreader.images.rosetta"),
    Format("EM", (".em",)),
    Format("SPIDER", (".spi",), "empiarreader.images.spider"),
    Format("IMAGIC", (".img", ".hed"), "empiarreader.images.imagic"),
    Format("SMV", (), magic=((0, b"{\nHEADER_BYTES"),)),
    Format(
        "HDF5", (".hdf", ".hdf5", ".h5", ".nxs", ".nx", ".nexus", ".emd"), "empiarreader.images.hdf5", _HDF5
    ),
    Format("TIA", (".ser",), "empiarreader.images.rosetta", ((0, b"II\x97\x01"),)),
    Format("TPX3", (".tpx3",)),
    Format("PNG", (".png",), "empiarreader.images.raster", ((0, b"\x89PNG\r\n\x1a\n"),)),
    Format("JPEG", (".jpg", ".jpeg"), "empiarreader.images.raster", ((0, b"\xff\xd8\xff"),)),
)
_MARKUP = re.compile(rb"\s*<[A-Za-z!?/]")  # "<" alone begins MRC files that are 60 or 316 columns wide
_COMPRESSED = frozenset({".gz", ".bz2", ".xz"})
_NOT_UNPACKED = {".zst": "Zstandard", ".zip": "ZIP", ".lz4": "LZ4", ".z": "compress"}


def is_image(path: str) -> bool:
    """Return whether a file is an image by its name, compressed or not, of a format that is read or not.

    IMAGIC's headers (``.hed``) are none: the images are those of the ``.img`` beside each.

    Examples
    --------
    >>> is_image("data/a.MRC"), is_image("data/movie.tiff.bz2"), is_image("data/a.mrc.mdoc")
    (True, True, False)
    """
    return format_by_name(path) is not None and suffix_of(path) != ".hed"


def is_star(path: str) -> bool:
    """Return whether a file is a STAR table by its name."""
    return suffix_of(path) == ".star"


def suffix_of(path: str) -> str:
    """Return how a name ends, in lower case and without the suffix of a compression.

    Examples
    --------
    >>> suffix_of("data/a.MRC"), suffix_of("movie.tiff.bz2")
    ('.mrc', '.tiff')
    """
    stem, suffix = _split(path.rstrip("/").rpartition("/")[2])
    if suffix in _COMPRESSED or suffix in _NOT_UNPACKED:
        return _split(stem)[1]
    return suffix


def _split(name: str) -> tuple[str, str]:
    """Return a name's stem and suffix as pathlib has them, ten times as fast."""
    dot = name.rfind(".")
    return (name[:dot], name[dot:].lower()) if 0 < dot < len(name) - 1 else (name, "")


def format_by_name(path: str) -> Format | None:
    """Return the format that a name promises, compressed or not; None where it promises none."""
    suffix = suffix_of(path)
    return next((known for known in FORMATS if suffix in known.suffixes), None)


def decide_format(content: bytes, name: str, *, label: str) -> Format:
    """Return the format of a file by its first bytes, and by its name where they leave it open.

    Raises
    ------
    DamagedDataError
        If it is a web page.
    UnsupportedFormatError
        If it is of a format that is not read.
    """
    named = format_by_name(name)
    sure = [known for known in FORMATS if known.begins(content)]
    if not sure and _MARKUP.match(content):
        raise DamagedDataError(f"{label} is no image file but a web page or XML")
    # A name and a beginning that say nothing pass: the header will tell whether it is an MRC file.
    found = named if named is not None and named in sure else next(iter(sure), named or MRC)
    if not found.module:
        raise UnsupportedFormatError(f"{label} is {found.name}, which is not read as an image")
    return found


def refuse_unreadable(path: str) -> None:
    """Raise an :class:`UnsupportedFormatError` where the name says that the file cannot be read as an image.

    A name that says nothing passes: the first bytes of the file will tell.
    """
    packed = _NOT_UNPACKED.get(PurePosixPath(path).suffix.lower())
    named = format_by_name(path)
    unread = named.name if named and not named.module else "STAR" if is_star(path) else None
    if packed or unread:
        kind = unread or (named.name if named else None)
        what = " compressed with ".join(filter(None, (kind, packed))) or packed
        raise UnsupportedFormatError(
            f"{path} is {what}, which is not read as an image; {_what_is_read()} are, also when compressed "
            "with gzip, bzip2 or xz. It can be downloaded: empiarreader.download"
        )


def _what_is_read() -> str:
    return ", ".join(f"{known.name} ({', '.join(known.suffixes)})" for known in FORMATS if known.module)
