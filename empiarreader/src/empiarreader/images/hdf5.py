"""HDF5 files: whose they are, EMAN's, Parakeet's (NeXus) or Velox's, and how much moves to tell."""

from __future__ import annotations

from pathlib import Path

from empiarreader.bytefiles import LocalFile
from empiarreader.bytesource import ByteSource
from empiarreader.errors import DamagedDataError, UnsupportedFormatError
from empiarreader.images import eman, emd, nexus
from empiarreader.images.base import Beginning, ImageOptions, OpenImage
from empiarreader.images.hdf5nodes import opened
from empiarreader.images.sparse import SparseFile
from empiarreader.network.ranges import FileVersion

_MAGIC = b"\x89HDF\r\n\x1a\n"
# A small read costs a round trip; after sixty of them the whole file is the quicker way for most.
_FIRST_BYTES = 64 * 1024
_PEEKED_BYTES = 256 * 1024


def open_file(file: ByteSource, beginning: Beginning, options: ImageOptions) -> OpenImage:
    """Return the image that an HDF5 file holds: EMAN's, Parakeet's (NeXus) or Velox's.

    What HDF5 has to say is spread over the file. It is looked for in small reads; where many are needed, as
    for stacks of EMAN, and for pixels in any case, the whole file moves into the cache, once.

    Raises
    ------
    DamagedDataError
        If it is no HDF5 file, or a damaged one.
    UnsupportedFormatError
        If none of its arrays is where these programs put images.
    """
    version = beginning.version
    if not beginning.content.startswith(_MAGIC):
        raise DamagedDataError(f"{file.label} is no HDF5 file by its first bytes")
    if not isinstance(file, LocalFile):
        peeked = SparseFile(file, version, limit_bytes=_PEEKED_BYTES, fetches_later=True)
        peeked.prefetch([(0, min(_FIRST_BYTES, version.size))])
        try:
            return _describe_in_parts(peeked, file.label, version)
        except (DamagedDataError, UnsupportedFormatError):
            if sum(len(data) for _, data in peeked.missed) < _PEEKED_BYTES - _FIRST_BYTES:
                raise
    return _describe(file.local_copy(version), file.label, version)


def _describe_in_parts(peeked: SparseFile, label: str, version: FileVersion) -> OpenImage:
    """Describe, and begin again with what was missing until nothing is: h5py holds its lock as it reads."""
    while True:
        try:
            image = _describe(peeked, label, version)
        except (DamagedDataError, UnsupportedFormatError):
            if not peeked.supply():
                raise
        else:
            if not peeked.supply():  # h5py takes some of what it cannot read for absent
                return image


def _describe(content: Path | SparseFile, label: str, version: FileVersion) -> OpenImage:
    with opened(content, label) as root:
        for kind in (eman, nexus, emd):
            image: OpenImage | None = kind.describe(root, label, version)
            if image is not None:
                return image
    raise UnsupportedFormatError(
        f"{label} is an HDF5 file, but not laid out as EMAN, Parakeet (NeXus) or Velox do; "
        "download it and read it with h5py"
    )
