"""One door to all tables: the reader is chosen by the name of the file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from empiarreader.errors import UnsupportedFormatError
from empiarreader.tables.content import LARGEST_TABLE, LARGEST_TEXT, compression_of, path_of, read_content
from empiarreader.tables.coordinates import parse_box, parse_text
from empiarreader.tables.cryosparc import parse_cs
from empiarreader.tables.imod import parse_tlt, parse_xf
from empiarreader.tables.mdoc import parse_mdoc
from empiarreader.tables.star import parse_star

if TYPE_CHECKING:
    import pandas

Parser = Callable[[bytes, str], Any]

_READERS: dict[str, tuple[Parser, int]] = {
    "star": (parse_star, LARGEST_TABLE),
    "cbox": (parse_star, LARGEST_TABLE),
    "cs": (parse_cs, LARGEST_TABLE),
    "mdoc": (parse_mdoc, LARGEST_TEXT),
    "tlt": (parse_tlt, LARGEST_TEXT),
    "rawtlt": (parse_tlt, LARGEST_TEXT),
    "xf": (parse_xf, LARGEST_TEXT),
    "box": (parse_box, LARGEST_TEXT),
    **dict.fromkeys(("txt", "csv", "tsv", "coords", "coord", "pts"), (parse_text, LARGEST_TABLE)),
}


def open_table(
    location: str | os.PathLike[str], *, kind: str | None = None
) -> pandas.DataFrame | dict[str, pandas.DataFrame]:
    r"""Read a table into memory: particles, coordinates, tilt angles, what the microscope noted.

    Parameters
    ----------
    location
        Path or address (``https://``, ``empiar://10943/data/a.star`` …). The whole file moves.
    kind
        What to read it as, where its name does not tell: ``"star"``, ``"cbox"``, ``"cs"``, ``"mdoc"``,
        ``"tlt"``, ``"rawtlt"``, ``"xf"``, ``"box"``, ``"coords"``, ``"txt"``, ``"csv"``, ``"tsv"``.

    Returns
    -------
    pandas.DataFrame or dict of pandas.DataFrame
        STAR files (``.star``, ``.cbox``) have several tables: a dictionary of them by the name of the block,
        also where there is one. All others are one table. Columns and their units are in the reference,
        *Tables*. No value is converted but from text to numbers.

    Raises
    ------
    UnsupportedFormatError
        If the name tells no kind, or of one that is not read.
    DamagedDataError
        If it is not what its name says. Nothing is ever unpickled.
    InvalidRequestError
        If it is too large for a table.
    ArchiveFileNotFoundError, ServiceError
        If it is not there, or cannot be had.

    Examples
    --------
    >>> import fsspec
    >>> fsspec.filesystem("memory").pipe_file("/TS_01.tlt", b"-3.0\n0.0\n3.0\n")
    >>> list(open_table("memory://TS_01.tlt").tilt_angle)
    [-3.0, 0.0, 3.0]
    """
    label = os.fspath(location)
    parse, at_most = _reader(label, kind)
    return parse(read_content(location, at_most=at_most), label)


def _reader(label: str, kind: str | None) -> tuple[Parser, int]:
    path = path_of(label)
    path = path[: len(path) - len(compression_of(label))]
    found = (kind or PurePosixPath(path).suffix).lower().lstrip(".")
    if found not in _READERS:
        raise UnsupportedFormatError(
            f"{label} is no table that is read by its name; say what it is with kind=, one of "
            f"{', '.join(_READERS)}"
        )
    return _READERS[found]
