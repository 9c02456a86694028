"""What a file of an entry is for, told by its name and by the imageset that it lies in.

Depositors name files as they like, and EMPIAR's category is given by imageset; what is told here is right for
most files of most entries, and a pattern tells it exactly.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Literal, get_args

from empiarreader.errors import InvalidRequestError
from empiarreader.formats import is_image

if TYPE_CHECKING:
    from empiarreader.metadata.records import Imageset

Kind = Literal["movies", "micrographs", "gains", "particles", "coordinates", "tilt_series", "metadata"]
KINDS: tuple[Kind, ...] = get_args(Kind)

_COMPRESSED = frozenset({".gz", ".bz2", ".xz", ".zst"})
# Gain references as the common programs name them: SerialEM's CountRef and SuperRef, EPU's .gain, and "gain".
_GAIN = re.compile(r"gain|countref|superref|flat[-_ ]?field", re.IGNORECASE)
_NO_GAIN = re.compile(r"(no|non|un)[-_ ]?gain|gain[-_ ]?(correct|normali[sz])", re.IGNORECASE)
_GAIN_FOLDER = re.compile(r"gains?([-_ ]?(ref|file)\w*)?", re.IGNORECASE)
_COORDINATES = frozenset({".box", ".cbox", ".coords", ".plt"})
_PICKS = re.compile(r"coord|pick", re.IGNORECASE)
_METADATA = frozenset(
    {
        ".aln", ".com", ".cs", ".csv", ".dat", ".doc", ".docx", ".json", ".log", ".mdoc", ".md", ".pdf",
        ".rawtlt", ".star", ".tlt", ".tsv", ".txt", ".xf", ".xml", ".yaml", ".yml",
    }
)  # fmt: skip
_TABLES = frozenset({".star", ".txt", ".csv", ".tsv", ".json"})
_STACKS_OF_TILTS = frozenset({".st", ".ali", ".preali"})
# Made for the eye; EPU and others leave one beside each exposure, which is no movie, micrograph or tilt.
_PICTURES = frozenset({".jpg", ".jpeg", ".png"})
_PICTURE_FORMATS = frozenset({"JPEG", "PNG"})
_MOVIE_NAME = re.compile(r"fractions|movie|_frames?\b|[-_]frames[-_.]", re.IGNORECASE)
_BY_CATEGORY: tuple[tuple[str, Kind], ...] = (
    ("picked particles", "particles"),
    ("tilt series", "tilt_series"),
    ("multiframe", "movies"),
    ("single frame", "micrographs"),
    ("focal pairs", "micrographs"),
)


def check_kind(kind: str) -> Kind:
    """Return a kind of files that is known.

    Raises
    ------
    InvalidRequestError
        If it is not.
    """
    for known in KINDS:
        if kind == known:
            return known
    raise InvalidRequestError(f"{kind!r} is no kind of files; there are {', '.join(KINDS)}")


def kind_of(path: str, imagesets: Iterable[Imageset] = ()) -> Kind | None:
    """Return what a file is for, None where neither its name nor its imageset tells.

    Parameters
    ----------
    path
        Path in the entry.
    imagesets
        The entry's imagesets. An image is of the kind that the innermost imageset around it is of, unless
        its own name says better.

    Examples
    --------
    >>> kind_of("data/gain/CountRef.mrc"), kind_of("data/a_fractions.tiff"), kind_of("data/readme.txt")
    ('gains', 'movies', 'metadata')
    """
    name = PurePosixPath(path)
    if name.suffix.lower() in _COMPRESSED:
        name = name.with_suffix("")
    suffix = name.suffix.lower()
    if suffix in _COORDINATES or (suffix in _TABLES and _PICKS.search(name.name)):
        return "coordinates"
    if suffix == ".gain" or (is_image(path) and _is_gain(name)):
        return "gains"
    if suffix in _METADATA:
        return "metadata"
    if not is_image(path):
        return None
    return _kind_of_image(path, name, suffix, imagesets)


def _is_gain(name: PurePosixPath) -> bool:
    if _GAIN_FOLDER.fullmatch(name.parent.name):
        return True
    return _GAIN.search(name.name) is not None and _NO_GAIN.search(name.name) is None


def _kind_of_image(path: str, name: PurePosixPath, suffix: str, imagesets: Iterable[Imageset]) -> Kind | None:
    if suffix in _STACKS_OF_TILTS:
        return "tilt_series"
    around = imageset_of(path, imagesets)
    if suffix in _PICTURES and (around is None or around.data_format.upper() not in _PICTURE_FORMATS):
        return None
    kind = _kind_of_imageset(around)
    if kind is not None:
        return kind
    if suffix == ".eer" or _MOVIE_NAME.search(name.name):
        return "movies"
    return "particles" if suffix in {".mrcs", ".img", ".hed"} else None


def imageset_of(path: str, imagesets: Iterable[Imageset]) -> Imageset | None:
    """Return the innermost imageset around a file, None where there is none.

    Examples
    --------
    >>> from empiarreader import Imageset
    >>> outer, inner = Imageset(name="all", directory="data"), Imageset(name="best", directory="data/best")
    >>> imageset_of("data/best/a.mrc", [outer, inner]).name
    'best'
    """
    around = [
        item for item in imagesets if not item.directory or path.startswith(item.directory.rstrip("/") + "/")
    ]
    return max(around, key=lambda item: len(item.directory), default=None)


def _kind_of_imageset(around: Imageset | None) -> Kind | None:
    if around is None:
        return None
    category = around.category.lower()
    return next((kind for words, kind in _BY_CATEGORY if words in category), None)
