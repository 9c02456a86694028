"""Which formats there are, what files of them are called, and what these begin with.

A new format is a line of :data:`FORMATS`; :mod:`empiarreader.images.base` says what its module holds.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath

from empiarreader.errors import UnsupportedFormatError


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
    Format("TIFF", (".tif", ".tiff"), magic=((0, b"II*\0"), (0, b"MM\0*"), *_BIG_TIFF)),
    Format("EER", (".eer",), magic=_BIG_TIFF),
    Format("DigitalMicrograph", (".dm3", ".dm4")),
    Format("EM", (".em",)),
    Format("SPIDER", (".spi",)),
    Format("IMAGIC", (".img", ".hed")),
    Format("HDF5", (".hdf", ".hdf5", ".h5"), magic=_HDF5),
    Format("Velox EMD", (".emd",), magic=_HDF5),
    Format("TIA", (".ser",)),
    Format("TPX3", (".tpx3",)),
    Format("PNG", (".png",), magic=((0, b"\x89PNG\r\n\x1a\n"),)),
    Format("JPEG", (".jpg", ".jpeg"), magic=((0, b"\xff\xd8\xff"),)),
)
_COMPRESSED = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "Zstandard"}


def is_image(path: str) -> bool:
    """Return whether a file is an image by its name, compressed or not, of a format that is read or not.

    Examples
    --------
    >>> is_image("data/a.MRC"), is_image("data/movie.tiff.bz2"), is_image("data/a.mrc.mdoc")
    (True, True, False)
    """
    return format_by_name(path) is not None


def is_star(path: str) -> bool:
    """Return whether a file is a STAR table by its name."""
    return _suffix(path) == ".star"


def format_by_name(path: str) -> Format | None:
    """Return the format that a name promises, compressed or not; None where it promises none."""
    suffix = _suffix(path)
    return next((known for known in FORMATS if suffix in known.suffixes), None)


def format_by_content(content: bytes, named: Format | None = None) -> Format | None:
    """Return the format that a file is surely of by its first bytes, None where they do not tell.

    ``named`` is the format that its name promises, which decides where several begin alike.
    """
    found = [known for known in FORMATS if known.begins(content)]
    return named if named in found else next(iter(found), None)


def refuse_unreadable(path: str) -> None:
    """Raise an :class:`UnsupportedFormatError` where the name says that the file cannot be read as an image.

    A name that says nothing passes: the first bytes of the file will tell.
    """
    compression = _COMPRESSED.get(PurePosixPath(path).suffix.lower())
    named = format_by_name(path)
    unread = named.name if named and not named.module else "STAR" if is_star(path) else None
    if compression or unread:
        kind = unread or (named.name if named else None)
        what = " compressed with ".join(filter(None, (kind, compression))) or compression
        raise UnsupportedFormatError(
            f"{path} is {what}, which is not read as an image; {_what_is_read()} are, uncompressed. "
            "It can be downloaded: empiarreader.download"
        )


def _what_is_read() -> str:
    return ", ".join(f"{known.name} ({', '.join(known.suffixes)})" for known in FORMATS if known.module)


def _suffix(path: str) -> str:
    name = PurePosixPath(path)
    if name.suffix.lower() in _COMPRESSED:
        name = name.with_suffix("")
    return name.suffix.lower()
