"""Opening an image file of any format: its first bytes say which one it is, or else its name."""

from __future__ import annotations

from empiarreader.bytesource import ByteSource, file_name
from empiarreader.formats import MRC, decide_format, format_by_name, refuse_unreadable
from empiarreader.images.base import Beginning, ImageOptions, OpenImage
from empiarreader.images.compressed import compression_by_content, open_compressed


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
        If the file is of a format that is not read; nothing has moved if its name says so.
    DamagedDataError
        If the file is not what its name or its first bytes say.
    ArchiveFileNotFoundError, ServiceError
        If it is not there, or cannot be asked for.
    """
    options = options or ImageOptions()
    name = file_name(file.label)
    refuse_unreadable(name)
    beginning = Beginning(*file.beginning((format_by_name(name) or MRC).first_bytes))
    kind = compression_by_content(beginning.content)
    if kind is not None:
        return open_compressed(file, beginning, kind, options)
    return decide_format(beginning.content, name, label=file.label).open(file, beginning, options)
