"""Looking after the verified cache: what lies in it, whether it is still whole, and what may go.

Nothing here touches the files that people see (``4v1w.cif``): they are the user's.
"""

from __future__ import annotations

import contextlib
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from profet import settings
from profet.errors import CacheError, DamagedFileError
from profet.provenance import Provenance
from profet.store import (
    ABSENT,
    ABSENT_FOR_SECONDS,
    CLAIMS,
    HIDDEN_FOLDER,
    PACKED,
    SAVED,
    SIDECAR,
    read_verified,
    sidecar,
)
from profet.whole_files import UNFINISHED

_UNFINISHED = re.compile(rf"\..+\.\d+\.[0-9a-f]{{8}}{re.escape(UNFINISHED)}")  # see `whole_files`
_UNFINISHED_FOR_SECONDS = 3600.0  # no file takes so long from its first byte on disk to its name


@dataclass(frozen=True, kw_only=True)
class CacheEntry:
    """A file in the verified cache.

    Attributes
    ----------
    source, name
        Where it is from, and what it is called there: ``pdb``, ``4v1w.cif``.
    path
        The compressed file.
    size_bytes
        What it takes on disk, its sidecar included.
    provenance
        Its origin; None if the sidecar is not there or cannot be read, and the file does not count.
    """

    source: str
    name: str
    path: Path
    size_bytes: int
    provenance: Provenance | None


@dataclass(frozen=True, kw_only=True)
class Removed:
    """What was removed: how many files (leftovers included), and how many bytes they took."""

    files: int
    size_bytes: int


def entries(directory: str | os.PathLike[str] | None = None) -> Iterator[CacheEntry]:
    """List the files of the verified cache, by source and name.

    Parameters
    ----------
    directory
        Folder of the cache; None for the one that the settings name.

    Raises
    ------
    CacheError
        If it cannot be read.
    """
    for folder in _sources(_root(directory)):
        for path in _files(folder):
            if path.name.endswith(PACKED) and not path.name.startswith("."):
                with contextlib.suppress(FileNotFoundError):  # somebody clears it just now
                    yield _entry(path)


def verify(directory: str | os.PathLike[str] | None = None) -> Iterator[tuple[CacheEntry, str | None]]:
    """Read every file of the cache again, and compare it with the sha256 that was recorded.

    Yields
    ------
    tuple
        Each entry, and what is wrong with it: None if nothing is. A damaged one is left where it is; it does
        not count, and will be fetched again when it is asked for.
    """
    for entry in entries(directory):
        problem = None
        try:
            read_verified(entry.path)
        except FileNotFoundError:
            problem = "its sidecar is missing"
        except (DamagedFileError, CacheError) as error:
            problem = str(error)
        yield entry, problem


def prune(
    directory: str | os.PathLike[str] | None = None,
    *,
    older_than_days: float | None = None,
    most_bytes: int | None = None,
    damaged: bool = False,
) -> Removed:
    """Remove leftovers of killed processes, and what is too old or too much.

    Parameters
    ----------
    directory
        Folder of the cache; None for the one that the settings name.
    older_than_days
        Remove also what was neither fetched nor confirmed for so long. None: whatever its age.
    most_bytes
        Remove also what was fetched longest ago, until no more than this is left. None: however much.
    damaged
        Remove also what `verify` finds fault with. Files without a readable sidecar go after an hour.

    Returns
    -------
    Removed
        What has gone.
    """
    gone, kept = list(_leftovers(directory)), []
    for entry, problem in verify(directory) if damaged else ((entry, None) for entry in entries(directory)):
        if problem or _has_expired(entry, older_than_days):
            gone += [entry.path, sidecar(entry.path)]
        elif entry.provenance is not None:
            kept.append((entry.provenance.current_at, entry))
    total = sum(entry.size_bytes for _, entry in kept)
    for _, entry in sorted(kept, key=lambda item: (item[0], item[1].path)):
        if most_bytes is None or total <= most_bytes:
            break
        total -= entry.size_bytes
        gone += [entry.path, sidecar(entry.path)]
    return _remove(gone)


def clear(directory: str | os.PathLike[str] | None = None) -> Removed:
    """Remove all that the verified cache holds. Files under their published names stay where they are."""
    held = [path for folder in _sources(_root(directory)) for path in _files(folder)]
    # What is being written just now is left to who writes it.
    return _remove(
        [path for path in held if not _UNFINISHED.fullmatch(path.name)] + list(_leftovers(directory))
    )


def _root(directory: str | os.PathLike[str] | None) -> Path:
    folder = settings.cache_directory() if directory is None else settings.absolute(directory)
    return folder / HIDDEN_FOLDER


def _sources(root: Path) -> list[Path]:
    return [folder for folder in _folders(root) if folder.name not in (CLAIMS, SAVED)]


def _folders(root: Path) -> list[Path]:
    return sorted(Path(entry.path) for entry in _scan(root) if entry.is_dir(follow_symlinks=False))


def _files(folder: Path) -> list[Path]:
    return sorted(Path(entry.path) for entry in _scan(folder) if entry.is_file(follow_symlinks=False))


def _scan(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise CacheError.of(error, f"cannot read {folder}") from error


def _entry(path: Path) -> CacheEntry:
    provenance, size = None, path.stat().st_size
    with contextlib.suppress(OSError, DamagedFileError):
        text = sidecar(path).read_bytes()
        size += len(text)
        provenance = Provenance.from_json(text)
    return CacheEntry(
        source=path.parent.name,
        name=path.name.removesuffix(PACKED),
        path=path,
        size_bytes=size,
        provenance=provenance,
    )


def _has_expired(entry: CacheEntry, days: float | None) -> bool:
    if entry.provenance is not None:
        return days is not None and entry.provenance.age_seconds > days * 86400
    # It does not count. But a file that is new may get its sidecar this very moment.
    return _age_seconds(entry.path) > _UNFINISHED_FOR_SECONDS


def _age_seconds(path: Path) -> float:
    """Seconds since a file was written; nothing if it is gone."""
    with contextlib.suppress(FileNotFoundError):
        return time.time() - path.stat().st_mtime
    return 0.0


def _leftovers(directory: str | os.PathLike[str] | None) -> Iterator[Path]:
    """Files that nobody will finish, claims of the dead, notes without a file, and what was missing once."""
    root = _root(directory)
    for folder in (root.parent, *_folders(root)):
        for path in _files(folder):
            age = _age_seconds(path)
            if folder == root / CLAIMS or _UNFINISHED.fullmatch(path.name):
                if age > _UNFINISHED_FOR_SECONDS:
                    yield path
            elif folder != root.parent and _is_orphan(path, age):
                yield path


def _is_orphan(path: Path, age: float) -> bool:
    if path.name.endswith(ABSENT):
        return age > ABSENT_FOR_SECONDS
    if path.parent.name == SAVED:
        return not path.parents[2].joinpath(path.name.removesuffix(SIDECAR)).exists()
    if not path.name.endswith(PACKED + SIDECAR):
        return False
    return age > _UNFINISHED_FOR_SECONDS and not path.with_name(path.name.removesuffix(SIDECAR)).exists()


def _remove(paths: list[Path]) -> Removed:
    files, size = 0, 0
    for path in paths:
        try:
            length = path.stat().st_size
            path.unlink()
        except FileNotFoundError:
            continue
        except OSError as error:
            raise CacheError.of(error, f"cannot remove {path}") from error
        files += not path.name.endswith(SIDECAR)
        size += length
    return Removed(files=files, size_bytes=size)
