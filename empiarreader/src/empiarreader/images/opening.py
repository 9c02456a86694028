"""Opening an image file of any format: its first bytes say which one it is, or else its name."""

from __future__ import annotations

from importlib import import_module
from pathlib import PurePosixPath
from urllib.parse import unquote, urlsplit

from empiarreader.bytesource import ByteSource
from empiarreader.errors import DamagedDataError, UnsupportedFormatError
from empiarreader.formats import MRC, Format, format_by_content, format_by_name, refuse_unreadable
from empiarreader.images.base import Beginning, ImageOptions, OpenImage


def open_format(file: ByteSource, *, options: ImageOptions | None = None) -> OpenImage:
    """Return the opened image of a file: its description now, its pixels on request.

    Moves what the format needs for a description: 1024 bytes of an MRC file, one request.

    Parameters
    ----------
    file
        Where the bytes are.
    options
        What the caller knows or wants.

    Raises
    ------
    UnsupportedFormatError
        If the name says that the file is of a format that is not read; nothing has moved then.
    DamagedDataError
        If the file is not what its name or its first bytes say.
    ArchiveFileNotFoundError, ServiceError
        If it is not there, or cannot be asked for.
    """
    name = file_name(file.label)
    refuse_unreadable(name)
    named = format_by_name(name)
    beginning = Beginning(*file.beginning((named or MRC).first_bytes))
    found = _decide(named, beginning, file.label)
    opener = import_module(found.module)
    image: OpenImage = opener.open_file(file, beginning, options or ImageOptions())
    return image


def file_name(location: str) -> str:
    """Return the last part of a path or of an address, decoded and without its query.

    Examples
    --------
    >>> file_name("https://host/a%20b.mrc?signature=x/y.tif"), file_name("/data/100%.mrc")
    ('a b.mrc', '100%.mrc')
    """
    path = unquote(urlsplit(location).path) if "://" in location else location
    return PurePosixPath(path).name


def _decide(named: Format | None, beginning: Beginning, label: str) -> Format:
    if beginning.content.lstrip()[:1] == b"<":
        raise DamagedDataError(f"{label} is no image file but a web page or XML")
    # A name and a beginning that say nothing pass: the header will tell whether it is an MRC file.
    found = format_by_content(beginning.content, named) or named or MRC
    if not found.module:
        raise UnsupportedFormatError(f"{label} is a file of the format {found.name}, which is not read")
    return found
