"""Image files that are compressed as a whole: streamed once, unpacked into the cache, read from there.

What an MRC file holds is told from the first unpacked bytes, for which at most a mebibyte moves; other
formats are unpacked when they are opened, because what describes them may lie anywhere in the file. Pixels
need the whole file in any case, and the attribute ``must_fetch_bytes`` says how much that is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from empiarreader.bytefiles import LocalFile
from empiarreader.bytesource import ByteSource, file_name
from empiarreader.cache.copies import find_copy
from empiarreader.errors import DamagedDataError
from empiarreader.formats import MRC, decide_format
from empiarreader.images.base import Array, Beginning, ImageOptions, OpenImage
from empiarreader.images.mrc import MrcImage
from empiarreader.network.ranges import FileVersion, Spans
from empiarreader.regions import Bounds
from empiarreader.voxels import VoxelSize

_MAGIC = {"gzip": b"\x1f\x8b\x08", "bzip2": b"BZh", "xz": b"\xfd7zXZ\0"}
_LARGEST_RATIO = 1100  # as the unpacking itself allows; deflate reaches 1,032
_ALWAYS_PLAUSIBLE_BYTES = 256 * 1024 * 1024
_SLACK_BYTES = 1024 * 1024  # what may follow the pixels


class UnpackedFile(ByteSource):
    """The content of a compressed file, unpacked into the cache when its bytes are first asked for.

    Its version is its length alone, so that it is the same on another machine, which unpacks for itself; that
    the compressed file is still the same is checked before it is read.
    """

    def __init__(
        self, packed: ByteSource, kind: str, version: FileVersion, limit_bytes: int | None = None
    ) -> None:
        self.packed, self.kind, self.packed_version = packed, kind, version
        self.limit_bytes = limit_bytes
        self.label = packed.label

    def beginning(self, length: int) -> tuple[FileVersion, bytes]:
        """Return the length of the content and its first bytes."""
        path = self.local_copy()
        return _length_only(path), LocalFile(path).beginning(length)[1]

    def spans(self, spans: Spans, view: memoryview, *, version: FileVersion) -> None:
        """Fill ``view`` from the unpacked file."""
        path = self.local_copy()
        LocalFile(path).spans(spans, view, version=_length_only(path))

    def local_copy(self, version: FileVersion | None = None) -> Path:
        """Return where the content lies; fetched and unpacked the first time."""
        return self.packed.unpacked_copy(self.kind, self.packed_version, limit_bytes=self.limit_bytes)


@dataclass(frozen=True, kw_only=True)
class CompressedImage:
    """An image in a compressed file: described already, unpacked when pixels are asked for."""

    inner: OpenImage
    kind: str
    version: FileVersion
    limit_bytes: int | None

    @property
    def format(self) -> str:
        """Name of the format in it."""
        return self.inner.format

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes."""
        return self.inner.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type that values are read as."""
        return self.inner.dtype

    @property
    def dims(self) -> tuple[str, ...]:
        """Names of the axes."""
        return self.inner.dims

    @property
    def chunks(self) -> tuple[int, ...]:
        """Shape of the piece that is best read at once."""
        return self.inner.chunks

    @property
    def voxel_size(self) -> VoxelSize:
        """Å along z, y and x."""
        return self.inner.voxel_size

    @property
    def attrs(self) -> Mapping[str, Any]:
        """Those of the format, how it is compressed, and how many bytes any pixel needs the first time."""
        return {**self.inner.attrs, "compression": self.kind, "must_fetch_bytes": self.version.size}

    def read_into(self, file: ByteSource, bounds: Bounds, out: Array) -> None:
        """Fill ``out``; the first time, the whole file moves and is unpacked."""
        self.inner.read_into(self._unpacked(file), bounds, out)

    def metadata(self, file: ByteSource) -> dict[str, Any]:
        """Return what else the file says; unpacks it."""
        return self.inner.metadata(self._unpacked(file))

    def _unpacked(self, file: ByteSource) -> UnpackedFile:
        return UnpackedFile(file, self.kind, self.version, self.limit_bytes)


def compression_by_content(content: bytes) -> str | None:
    r"""Return how a file with these first bytes is compressed, None where it is not.

    Examples
    --------
    >>> compression_by_content(b"BZh91AY&SY"), compression_by_content(b"II*\0")
    ('bzip2', None)
    """
    return next((kind for kind, magic in _MAGIC.items() if content.startswith(magic)), None)


def open_compressed(
    file: ByteSource, beginning: Beginning, kind: str, options: ImageOptions
) -> CompressedImage:
    """Return the image in a compressed file.

    Raises
    ------
    DamagedDataError
        If it is damaged, or unpacks to something that is no image.
    """
    version, content = _first_content(file, beginning.version, kind)
    found = decide_format(content, file_name(file.label), label=file.label)
    if found is not MRC and found.magic and not found.begins(content):
        raise DamagedDataError(f"{file.label} unpacks to something that is no {found.name} file")
    if found is not MRC:
        unpacked = UnpackedFile(file, kind, version)
        beginning = Beginning(*unpacked.beginning(found.first_bytes))
        inner = found.open(unpacked, beginning, options)
        return CompressedImage(inner=inner, kind=kind, version=version, limit_bytes=None)
    plausible = FileVersion(size=max(_ALWAYS_PLAUSIBLE_BYTES, version.size * _LARGEST_RATIO))
    image: OpenImage = found.open(file, Beginning(plausible, content), options)
    assert isinstance(image, MrcImage)
    limit = image.header.pixels.end + _SLACK_BYTES
    return CompressedImage(inner=image, kind=kind, version=version, limit_bytes=limit)


def _first_content(file: ByteSource, version: FileVersion, kind: str) -> tuple[FileVersion, bytes]:
    """Return the version of a compressed file and its first unpacked bytes, from the cache if it is there."""
    kept = find_copy(file.label, version, kind=kind)
    if kept is not None:
        return kept.version, LocalFile(kept.path).beginning(MRC.first_bytes)[1]
    return file.unpacked_beginning(kind, MRC.first_bytes)


def _length_only(path: Path) -> FileVersion:
    return FileVersion(size=path.stat().st_size)
