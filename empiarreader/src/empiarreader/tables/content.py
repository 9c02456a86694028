"""The whole content of a small file, from wherever it is, within a limit."""

from __future__ import annotations

import bz2
import gzip
import io
import os
import zlib
from collections.abc import Callable
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

from empiarreader.bytefiles import open_bytes
from empiarreader.errors import DamagedDataError, InvalidRequestError

MIB = 1024 * 1024
# Five million particles are 1.3 GB of STAR; what is larger than this is no table, or not one for memory.
LARGEST_TABLE = 4096 * MIB
LARGEST_TEXT = 64 * MIB
_FIRST_BYTES = MIB
_OPENERS: dict[str, Callable[[BinaryIO], Any]] = {".gz": gzip.open, ".bz2": bz2.open}
_PIECE = 4 * MIB
# Text of numbers shrinks to a third, constant columns to a fiftieth; what shrinks further is no table.
_LARGEST_RATIO = 100


def read_content(location: str | os.PathLike[str], *, at_most: int = LARGEST_TABLE) -> bytes:
    """Return all bytes of a file: one request of a mebibyte, and the rest in parallel ranges.

    A file whose name ends in ``.gz`` or ``.bz2`` is decompressed.

    Raises
    ------
    InvalidRequestError
        If the file is larger than ``at_most``; not more than its first mebibyte has moved then.
    DamagedDataError
        If a compressed file is damaged, or grows as no table does.
    ArchiveFileNotFoundError, ServiceError, FileChangedError
        If it is not there, cannot be had, or changes while it is read.
    """
    file = open_bytes(location)
    version, beginning = file.beginning(_FIRST_BYTES)
    if version.size > at_most:
        raise InvalidRequestError(
            f"{file.label} has {version.size} bytes, more than the {at_most} that such a table may have; "
            "download it and read what you need of it: empiarreader.download"
        )
    content = bytearray(version.size)
    content[: len(beginning)] = beginning
    rest = version.size - len(beginning)
    if rest > 0:
        file.spans([(len(beginning), rest)], memoryview(content)[len(beginning) :], version=version)
    opener = _OPENERS.get(compression_of(file.label))
    if opener is None:
        return bytes(content)
    return _decompress(opener(io.BytesIO(content)), len(content), at_most, file.label)


def path_of(label: str) -> str:
    """Return the path in an address, decoded and without a query, or the path that was given.

    Only web addresses need decoding: elsewhere ``#`` and ``%`` stand for themselves.
    """
    parts = urlsplit(label)
    is_encoded = "://" in label and parts.scheme.lower() in {"http", "https", "file"}
    return unquote(parts.path) if is_encoded else label


def compression_of(label: str) -> str:
    """Return the suffix that says how a file is compressed, ``""`` where it is not."""
    path = path_of(label).lower()
    return next((suffix for suffix in _OPENERS if path.endswith(suffix)), "")


def _decompress(stream: BinaryIO, size: int, at_most: int, label: str) -> bytes:
    content = bytearray()
    try:
        while piece := stream.read(_PIECE):
            content += piece
            if len(content) > at_most or len(content) > max(4 * _PIECE, _LARGEST_RATIO * size):
                raise DamagedDataError(
                    f"{label} grows from {size} bytes to more than {len(content)}; it is no table"
                )
    except (OSError, EOFError, zlib.error) as error:
        raise DamagedDataError(f"{label} cannot be decompressed: {error}") from error
    return bytes(content)


def as_text(content: bytes, label: str, kind: str) -> str:
    """Return the text of a table.

    Raises
    ------
    DamagedDataError
        If it holds zero bytes, as no text does, or is a web page.
    """
    if b"\0" in content:
        raise DamagedDataError(f"{label} is no {kind}: it is not text")
    if content.lstrip()[:1] == b"<" and b"<html" in content[:1024].lower():
        raise DamagedDataError(f"{label} is no {kind} but a web page")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("latin-1")  # older programs wrote names in the alphabet of their machine
