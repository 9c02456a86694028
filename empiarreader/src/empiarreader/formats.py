"""Which format a file is of, by its name, and which formats are read."""

from __future__ import annotations

from pathlib import PurePosixPath

from empiarreader.errors import UnsupportedFormatError

_MRC = frozenset({".mrc", ".mrcs", ".map", ".ccp4", ".st", ".ali", ".preali", ".rec"})
_STAR = frozenset({".star"})
_LATER = {
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".eer": "EER",
    ".dm3": "DigitalMicrograph",
    ".dm4": "DigitalMicrograph",
    ".em": "EM",
    ".spi": "SPIDER",
    ".img": "IMAGIC",
    ".hed": "IMAGIC",
    ".hdf": "HDF5",
    ".hdf5": "HDF5",
    ".h5": "HDF5",
    ".ser": "TIA",
    ".tpx3": "TPX3",
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
}
_COMPRESSED = {".gz": "gzip", ".bz2": "bzip2", ".xz": "xz", ".zst": "Zstandard"}
READ = "MRC (.mrc, .mrcs, .map, .ccp4, .st, .ali, .preali, .rec) and STAR (.star)"


def is_image(path: str) -> bool:
    """Return whether a file is an image by its name, compressed or not, of a format that is read or not.

    Examples
    --------
    >>> is_image("data/a.MRC"), is_image("data/movie.tiff.bz2"), is_image("data/a.mrc.mdoc")
    (True, True, False)
    """
    suffix = _suffix(path)
    return suffix in _MRC or suffix in _LATER


def is_star(path: str) -> bool:
    """Return whether a file is a STAR table by its name."""
    return _suffix(path) in _STAR


def refuse_unreadable(path: str) -> None:
    """Raise an :class:`UnsupportedFormatError` where the name says that the file cannot be read as MRC.

    A name that says nothing passes: whether it is an MRC file, its header will tell.
    """
    compression = _COMPRESSED.get(PurePosixPath(path).suffix.lower())
    kind = _LATER.get(_suffix(path)) or ("STAR" if is_star(path) else None)
    if compression or kind:
        what = " compressed with ".join(filter(None, (kind, compression))) or compression
        raise UnsupportedFormatError(
            f"{path} is {what}, which is not read as an image; {READ} are, uncompressed. "
            "It can be downloaded: empiarreader.download"
        )


def _suffix(path: str) -> str:
    name = PurePosixPath(path)
    if name.suffix.lower() in _COMPRESSED:
        name = name.with_suffix("")
    return name.suffix.lower()
