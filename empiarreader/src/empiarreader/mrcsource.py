"""MRC files by address or path."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from empiarreader.bytefiles import open_bytes
from empiarreader.bytesource import ByteSource
from empiarreader.errors import ArchiveFileNotFoundError, InvalidRequestError
from empiarreader.images.base import ImageOptions
from empiarreader.partitions import ImagePartitions

Location = str | os.PathLike[str]


class MrcSource(ImagePartitions):
    """Image files as partitions of one source: MRC, and every other format that is read.

    Parameters
    ----------
    urlpath
        Address (``https://…``, ``s3://…``) or path of a file, a local glob, or a list of them. Every
        address is read as it stands, so that one with a signature in it works.
    metadata
        Anything to keep with the source.
    signed_bytes
        Whether pixels of mode 0 are signed where the header does not carry IMOD's stamp, which says so. None
        takes them as signed then, as MRC2014 does, unless the header's own maximum is above 127.
    group, super_resolution
        How many recorded frames of an EER movie are summed to one, and by which factor its grid is finer.

    Raises
    ------
    ArchiveFileNotFoundError
        If a local glob matches nothing.

    Examples
    --------
    >>> source = MrcSource(["https://host/a.mrc", "https://host/b.mrc"])
    >>> source.npartitions
    2
    """

    name = "mrc"

    def __init__(
        self,
        urlpath: Location | Iterable[Location],
        metadata: Mapping[str, Any] | None = None,
        *,
        signed_bytes: bool | None = None,
        group: int = 1,
        super_resolution: int = 1,
    ) -> None:
        super().__init__(
            ImageOptions(
                signed_bytes=signed_bytes, volume=False, group=group, super_resolution=super_resolution
            )
        )
        self.metadata = dict(metadata or {})
        self._locations = expand_locations(urlpath)

    def __repr__(self) -> str:
        return f"MrcSource({list(self._locations)!r})"

    @property
    def names(self) -> Sequence[str]:
        """Addresses or paths of the files."""
        return self._locations

    @property
    def filenames(self) -> Sequence[str]:
        """Addresses or paths of the files."""
        return self._locations

    def _bytes(self, i: int) -> ByteSource:
        return open_bytes(self._locations[i])


def expand_locations(urlpath: Location | Iterable[Location]) -> tuple[str, ...]:
    """Return addresses and paths one by one, with local globs resolved and sorted; each only once.

    Raises
    ------
    ArchiveFileNotFoundError
        If a local glob matches nothing.
    InvalidRequestError
        If there is nothing to read at all.
    """
    given = [urlpath] if isinstance(urlpath, (str, os.PathLike)) else list(urlpath)
    found: dict[str, None] = {}
    for location in given:
        text = os.fspath(location)
        found.update(dict.fromkeys(_expand(text)))
    if not found:
        raise InvalidRequestError("there is nothing to read: give an address, a path, or a list of them")
    return tuple(found)


def _expand(text: str) -> list[str]:
    if "://" in text or not glob.has_magic(text) or Path(text).exists():
        return [text]
    # Not Path.glob: the pattern may be absolute, and the user's own spelling of a path stays as it is.
    matches = sorted(glob.glob(str(Path(text).expanduser()), recursive=True))  # noqa: PTH207
    if not matches:
        raise ArchiveFileNotFoundError(f"no local file matches {text!r}")
    return matches
