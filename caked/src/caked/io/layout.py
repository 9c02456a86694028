"""Where the pixels of a file lie: format, type, shape, offset. Found once, then read by position."""

from __future__ import annotations

import bz2
import gzip
import os
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np

from caked.errors import (
    CakedError,
    DamagedFileError,
    RefusedFileError,
    SourceNotFoundError,
    UnreachableSourceError,
)
from caked.io.mrc import HEADER_BYTES, parse_mrc_header
from caked.io.tiff import TIFF_MAGIC, tiff_facts

__all__ = [
    "MRC_SUFFIXES",
    "NPY_SUFFIXES",
    "READABLE_SUFFIXES",
    "TIFF_SUFFIXES",
    "Layout",
    "open_decompressed",
    "parse_layout",
    "read_layout",
    "reported",
]

COMPRESSED_SUFFIXES = (".gz", ".bz2")
_MRC_PLAIN = (".mrc", ".mrcs", ".map", ".ccp4", ".rec", ".st", ".ali")
MRC_SUFFIXES = _MRC_PLAIN + tuple(a + b for a in _MRC_PLAIN for b in COMPRESSED_SUFFIXES)
NPY_SUFFIXES = (".npy",)
TIFF_SUFFIXES = (".tif", ".tiff")
READABLE_SUFFIXES = MRC_SUFFIXES + NPY_SUFFIXES + TIFF_SUFFIXES

_LISTS = (".star", ".cs", ".mdoc", ".box")

_NPY_MAGIC = b"\x93NUMPY"
_NPY_LONGEST_HEADER = 12 + 10_000  # numpy itself refuses longer ones
_COMPRESSED: dict[bytes, Literal["gzip", "bz2"]] = {b"\x1f\x8b": "gzip", b"BZ": "bz2"}


@dataclass(frozen=True, slots=True)
class Layout:
    """How to get at the pixels of one file.

    Attributes
    ----------
    format
        ``"mrc"``, ``"npy"`` or ``"tiff"``, by content and not by name.
    shape, dtype
        Of the array as read, in array order and native byte order. Volumes that are stored in another
        order of axes come out as ``(z, y, x)``.
    stored
        Type of the numbers in the file, byte order included.
    packing
        ``"plain"``: one number a value; ``"pairs"``: two make a complex value; ``"nibbles"``: two values
        a byte, rows padded to whole bytes; ``"fortran"``: one number a value, first axis fastest;
        ``"tiff"``: pages, which tifffile decodes.
    offset, size_bytes
        Where the pixels begin (after decompression, if any) and how many bytes they take.
    voxel_size
        ``(dz, dy, dx)`` in Å, 0.0 where not stated.
    compression
        ``None``, ``"gzip"`` or ``"bz2"``, by content.
    origin
        ``(z, y, x)`` of the first voxel in Å, zeros where not stated.
    turn
        Which axis of the file each axis of the array is; ``None`` where they are the same.
    """

    format: Literal["mrc", "npy", "tiff"]
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    stored: np.dtype[Any]
    packing: Literal["plain", "pairs", "nibbles", "fortran", "tiff"]
    offset: int
    size_bytes: int
    voxel_size: tuple[float, float, float]
    compression: Literal["gzip", "bz2"] | None
    origin: tuple[float, float, float] = (0.0, 0.0, 0.0)
    turn: tuple[int, ...] | None = None

    @property
    def is_plain(self) -> bool:
        """Whether the bytes of the file are the bytes of the array."""
        return self.is_in_order and self.compression is None

    @property
    def is_in_order(self) -> bool:
        """Whether the bytes are those of the array once what is compressed is decompressed."""
        return self.packing == "plain" and self.turn is None

    @property
    def stored_shape(self) -> tuple[int, ...]:
        """Shape as the file has it, before its axes are turned."""
        if self.turn is None:
            return self.shape
        return tuple(self.shape[self.turn.index(axis)] for axis in range(len(self.shape)))


def read_layout(path: str | os.PathLike[str]) -> Layout:
    """Read a file's header, and check the size it promises against the file's.

    A compressed file's size shows only when its pixels are read, so there the check waits until then.

    Raises
    ------
    SourceNotFoundError
        If there is no such file.
    UnreachableSourceError
        If the file system refuses.
    DamagedFileError
        If the header makes no sense or promises more than the file holds.
    RefusedFileError
        If it is a numpy file of Python objects or records.
    """
    name = os.fspath(path)
    with reported(name):
        start, size = _beginning(name)
        if start[:4] in TIFF_MAGIC:
            return _tiff_layout(name)
    compression = _COMPRESSED.get(start[:2])
    if compression is None:
        return parse_layout(start, size, name=name)
    with open_decompressed(name, compression) as stream:
        return _parse(stream.read(HEADER_BYTES), stream, name, compression)


def _beginning(name: str) -> tuple[bytes, int]:
    """Return what holds a plain file's header, and the file's size; by position, which is quick."""
    descriptor = os.open(name, os.O_RDONLY)
    try:
        start = os.pread(descriptor, HEADER_BYTES, 0)
        if start.startswith(_NPY_MAGIC):
            start = os.pread(descriptor, _NPY_LONGEST_HEADER, 0)
        return start, os.fstat(descriptor).st_size
    finally:
        os.close(descriptor)


def parse_layout(start: bytes, size: int, *, name: str) -> Layout:
    """Parse the beginning of a plain file, whose header it holds, and check it against the file's size."""
    stream = BytesIO(start)
    layout = _parse(stream.read(HEADER_BYTES), stream, name, None)
    _check_size(layout, size, name)
    return layout


def _tiff_layout(name: str) -> Layout:
    shape, dtype = tiff_facts(name)
    return Layout(
        format="tiff",
        shape=shape,
        dtype=dtype.newbyteorder("="),
        stored=dtype,
        packing="tiff",
        offset=0,
        size_bytes=int(np.prod(shape, dtype=object)) * dtype.itemsize,
        voxel_size=(0.0, 0.0, 0.0),
        compression=None,
    )


def _parse(start: bytes, rest: IO[bytes], name: str, compression: Literal["gzip", "bz2"] | None) -> Layout:
    if start.startswith(_NPY_MAGIC):
        return _parse_npy(start + rest.read(_NPY_LONGEST_HEADER - len(start)), name, compression)
    if Path(name).suffix.lower() in _LISTS:
        raise RefusedFileError(
            f"File {name} lists images instead of holding them; caked.ParticleSource, caked.PatchSource or "
            "caked.TiltSeriesSource reads it.",
            path=name,
        )
    header = parse_mrc_header(start, name=name)
    turn = header.turn or tuple(range(len(header.shape)))
    first = len(turn) - 3
    along = [axis - first for axis in turn[-3:]] if header.turn else [0, 1, 2]
    return Layout(
        format="mrc",
        shape=tuple(header.shape[axis] for axis in turn),
        dtype=header.dtype,
        stored=header.stored,
        packing="pairs" if header.mode == 3 else "nibbles" if header.mode == 101 else "plain",
        offset=header.offset,
        size_bytes=header.size_bytes,
        voxel_size=_picked(header.voxel_size, along),
        compression=compression,
        origin=_picked(header.origin, along),
        turn=header.turn,
    )


def _picked(values: tuple[float, float, float], order: list[int]) -> tuple[float, float, float]:
    first, second, third = order
    return values[first], values[second], values[third]


def _parse_npy(start: bytes, name: str, compression: Literal["gzip", "bz2"] | None) -> Layout:
    stream = BytesIO(start)
    try:
        version = np.lib.format.read_magic(stream)
        if version == (1, 0):
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
        else:
            shape, fortran, dtype = np.lib.format.read_array_header_2_0(stream)
    except (ValueError, TypeError, SyntaxError) as error:
        raise DamagedFileError(
            f"Its numpy header makes no sense ({_first_line(error)}): file {name} is corrupted.", path=name
        ) from error
    if dtype.names is not None and not dtype.hasobject:
        raise RefusedFileError(
            f"File {name} holds records with the columns {_some(dtype.names)}, and no image; particles of "
            "cryoSPARC are read with caked.ParticleSource.",
            path=name,
        )
    if dtype.hasobject or dtype.kind not in "biufc":
        raise RefusedFileError(
            f"File {name} holds {dtype}, and only numbers are read: objects would have to be unpickled, "
            "which runs whatever code they name. Save it again as a plain numeric array.",
            path=name,
        )
    if any(edge < 0 for edge in shape):
        raise DamagedFileError(f"Its shape is {shape}: file {name} is corrupted.", path=name)
    return Layout(
        format="npy",
        shape=tuple(int(edge) for edge in shape),
        dtype=dtype.newbyteorder("="),
        stored=dtype,
        packing="fortran" if fortran and len(shape) > 1 else "plain",
        offset=stream.tell(),
        size_bytes=int(np.prod(shape, dtype=object)) * dtype.itemsize if shape else dtype.itemsize,
        voxel_size=(0.0, 0.0, 0.0),
        compression=compression,
    )


def _some(words: tuple[str, ...], most: int = 3) -> str:
    return ", ".join(words[:most]) + (" …" if len(words) > most else "")


def _check_size(layout: Layout, size: int, name: str) -> None:
    promised = layout.offset + layout.size_bytes
    if size < promised:
        raise DamagedFileError(
            f"Its header promises {promised} bytes and there are {size}: file {name} is corrupted.", path=name
        )


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:120]


@contextmanager
def open_decompressed(name: str, compression: Literal["gzip", "bz2"]) -> Iterator[IO[bytes]]:
    """Open a compressed file; what breaks while it is read is reported as damage."""
    with reported(name):
        try:
            opener: Any = gzip.open if compression == "gzip" else bz2.open
            with opener(name, "rb") as stream:
                yield stream
        except (EOFError, OSError, zlib.error) as error:
            if isinstance(error, OSError) and error.errno is not None:
                raise
            raise DamagedFileError(
                f"Its compressed data make no sense ({_first_line(error)}): file {name} is corrupted.",
                path=name,
            ) from error


@contextmanager
def reported(name: str) -> Iterator[None]:
    """Turn what the file system says about a file into caked's errors."""
    try:
        yield
    except CakedError:
        raise
    except FileNotFoundError as error:
        raise SourceNotFoundError(f"There is no file {name}.", path=name) from error
    except OSError as error:
        raise UnreachableSourceError(
            f"File {name} could not be read: {error.strerror or error}.", path=name
        ) from error
