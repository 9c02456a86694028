"""Whole files on a local disk, bounded, shared by processes and machines.

::

    CACHE/files/3f/3f0c…-9b1e…/{about.json, movie.eer}   one version of a file: address and version hashed
    CACHE/incoming/…                                     being written; renamed into place when it is whole
    CACHE/facts/…                                        see empiarreader.cache.facts
"""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from empiarreader import settings
from empiarreader.cache.items import (
    ABOUT,
    KeptFile,
    checksum,
    is_intact,
    item_name,
    read_item,
    safe_file_name,
    version_name,
    write_about,
)
from empiarreader.errors import InvalidRequestError, LocalFileError
from empiarreader.network.ranges import FileVersion

_STALE_SECONDS = 24 * 3600.0
_USE_NOTED_EVERY_SECONDS = 1.0

logger = logging.getLogger(__name__)


class Store:
    """The kept files in one folder.

    Parameters
    ----------
    root
        The folder; made when the first file comes.
    limit_bytes
        What the files may take together.
    """

    def __init__(self, root: Path, limit_bytes: int) -> None:
        self.root = root
        self.limit_bytes = limit_bytes

    def find(self, kind: str, url: str, version: FileVersion | None = None) -> KeptFile | None:
        """Return a kept file, if it is there, intact, and of that version; None stands for any version."""
        found = [item for folder in self._places(kind, url) if (item := read_item(folder)) is not None]
        same = [item for item in found if item.url == url and item.kind == kind]
        fitting = [item for item in same if version is None or not item.version.differs_from(version)]
        if not fitting:
            return None
        item = max(fitting, key=lambda item: item.stored)
        if not is_intact(item):
            logger.warning("%s in the cache is damaged and will be fetched again", item.path)
            self._remove(item.path.parent)
            return None
        _note_use(item)
        return item

    def put(
        self,
        kind: str,
        url: str,
        version: FileVersion,
        *,
        name: str,
        size_bytes: int,
        write: Callable[[BinaryIO], None],
    ) -> KeptFile:
        """Keep a file that ``write`` fills, and return it.

        Parameters
        ----------
        kind, url, version
            What it is.
        name
            Its name on the disk; made safe.
        size_bytes
            How long it will be, as far as is known: room is made for it first.
        write
            Given the empty file, open for reading and writing. What it raises comes through, and nothing is
            kept.

        Raises
        ------
        InvalidRequestError
            If it is larger than the whole cache may be.
        LocalFileError
            If the cache cannot be written.
        """
        self.make_room(size_bytes, url)
        try:
            folder = self._new_folder()
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            item = self._fill(folder, kind, url, version, safe_file_name(name), write)
            return self._settle(folder, item)
        except OSError as error:
            if error.errno is None:  # one of our own, about the source
                raise
            raise self._unwritable(error) from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def make_room(self, size_bytes: int, url: str) -> None:
        """Remove what was used longest ago until ``size_bytes`` more fit, and what crashed jobs left."""
        if size_bytes > self.limit_bytes:
            raise InvalidRequestError(
                f"{url} takes {size_bytes} bytes in the cache, which may hold {self.limit_bytes}; set "
                "EMPIARREADER_CACHE_SIZE to more, or download the file: empiarreader.download"
            )
        taken = self._remove_stale()
        kept = [(_last_used(folder), _folder_bytes(folder), folder) for folder in self._folders()]
        taken += sum(size for _, size, _ in kept)
        for _, size, folder in sorted(kept):
            if taken + size_bytes <= self.limit_bytes:
                return
            self._remove(folder)
            taken -= size

    def items(self) -> list[KeptFile]:
        """Return what is kept, last used first; nothing is checked."""
        found = [item for folder in self._folders() if (item := read_item(folder)) is not None]
        return sorted(found, key=lambda item: _last_used(item.path.parent), reverse=True)

    def clear(self) -> int:
        """Remove everything, and return how many bytes that freed."""
        freed = 0
        for folder in [*self._folders(), *self._incoming()]:
            freed += _folder_bytes(folder)
            self._remove(folder)
        return freed

    def _group(self, kind: str, url: str) -> Path:
        return self.root / "files" / item_name(kind, url)[:2]

    def _places(self, kind: str, url: str) -> list[Path]:
        """Return the folders of all versions of a file."""
        return list(self._group(kind, url).glob(f"{item_name(kind, url)}-*"))

    def _folders(self) -> Iterator[Path]:
        for group in _subfolders(self.root / "files"):
            yield from _subfolders(group)

    def _incoming(self) -> list[Path]:
        return list(_subfolders(self.root / "incoming"))

    def _new_folder(self) -> Path:
        incoming = self.root / "incoming"
        incoming.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(dir=incoming))

    def _fill(
        self,
        folder: Path,
        kind: str,
        url: str,
        version: FileVersion,
        name: str,
        write: Callable[[BinaryIO], None],
    ) -> KeptFile:
        path = folder / name
        with path.open("x+b", buffering=0) as file:
            write(file)  # unbuffered: every byte written is in the file
            os.fsync(file.fileno())
            file.seek(0)
            sha256 = checksum(file)
        item = KeptFile(
            kind=kind,
            url=url,
            version=version,
            path=path,
            size_bytes=path.stat().st_size,
            sha256=sha256,
            stored=datetime.now(UTC).isoformat(timespec="seconds"),
        )
        write_about(folder, item)
        folder.chmod(0o755)  # mkdtemp makes it private; a shared cache is shared
        return item

    def _settle(self, folder: Path, item: KeptFile) -> KeptFile:
        """Give a folder its name, which stands for one version: whoever has it already has the same.

        Other versions of the file are removed afterwards, as they are no longer in the archive.
        """
        group = self._group(item.kind, item.url)
        group.mkdir(parents=True, exist_ok=True)
        place = group / f"{item_name(item.kind, item.url)}-{version_name(item.version)}"
        for _ in range(100):
            try:
                folder.rename(place)
            except OSError:
                there = read_item(place)
                if there is not None and is_intact(there):
                    return there
                if not folder.exists():
                    raise
                self._remove(place)
            else:
                for other in self._places(item.kind, item.url):
                    if other != place:
                        self._remove(other)
                return replace(item, path=place / item.path.name)
        raise LocalFileError(f"{place} in the cache cannot be replaced")

    def _remove(self, folder: Path) -> None:
        """Take a folder out of sight first, so that nobody finds half of it."""
        aside = folder
        try:
            aside = self._new_folder()
            folder.rename(aside / "removed")
        except OSError:  # another job was quicker, or nothing can be made in the cache
            shutil.rmtree(folder, ignore_errors=True)
        shutil.rmtree(aside, ignore_errors=True)

    def _remove_stale(self) -> int:
        """Remove what crashed jobs left, and return what those at work have written so far."""
        taken = 0
        for folder in self._incoming():
            if time.time() - _newest(folder) > _STALE_SECONDS:
                shutil.rmtree(folder, ignore_errors=True)
            else:
                taken += _folder_bytes(folder)
        return taken

    def _unwritable(self, error: OSError) -> LocalFileError:
        return LocalFileError(
            f"cannot write the cache {self.root}: {error.strerror}; set EMPIARREADER_CACHE_DIR to a folder "
            "with room"
        )


def default_store() -> Store:
    """Return the store of the folder and size that are set."""
    return Store(settings.cache_dir(), settings.cache_size_bytes())


def _note_use(item: KeptFile) -> None:
    about = item.path.with_name(ABOUT)
    with contextlib.suppress(OSError):  # a cache that may only be read is read
        if time.time() - about.stat().st_mtime > _USE_NOTED_EVERY_SECONDS:
            os.utime(about)


def _subfolders(folder: Path) -> Iterator[Path]:
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield Path(entry.path)


def _last_used(folder: Path) -> float:
    try:
        return (folder / ABOUT).stat().st_mtime
    except OSError:
        return 0.0


def _folder_bytes(folder: Path) -> int:
    total = 0
    for parent, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                total += (Path(parent) / name).stat(follow_symlinks=False).st_size
    return total


def _newest(folder: Path) -> float:
    """Return when a folder or a file in it last changed; now, if it has just gone."""
    times = []
    try:
        times = [folder.stat().st_mtime, *(entry.stat().st_mtime for entry in folder.iterdir())]
    except OSError:
        times.append(time.time())
    return max(times)
