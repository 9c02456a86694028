"""Which files lie beside one, wherever it is: on a disk, in the archive, or behind anything fsspec lists."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import unquote

from empiarreader import settings
from empiarreader.errors import ArchiveFileNotFoundError, InvalidRequestError

_SCHEME = "empiar://"


def split_location(location: str) -> tuple[str, str]:
    """Return the folder of a file, without a slash at its end, and the file's name, decoded.

    Examples
    --------
    >>> split_location("empiar://10002/data/a b.mdoc"), split_location("TS_01.mdoc")
    (('empiar://10002/data', 'a b.mdoc'), ('.', 'TS_01.mdoc'))
    """
    if "://" not in location:
        path = Path(location).expanduser()
        return str(path.parent), path.name
    folder, _, name = location.partition("?")[0].rstrip("/").rpartition("/")
    return folder, unquote(name) if _is_web(location) else name


def list_files(folder: str, *, below: bool = False) -> dict[str, str]:
    """Return the files of a folder: where each is, by its path in the folder, sorted.

    Parameters
    ----------
    folder
        Path, ``empiar://`` path, address of a folder of the archive, or anything fsspec lists.
    below
        Whether folders below it are listed, too.

    Raises
    ------
    ArchiveFileNotFoundError
        If there is no such folder.
    InvalidRequestError
        If it is an address outside the archive, whose pages are not understood.
    ServiceError
        If it cannot be listed.
    """
    if "://" not in folder:
        return _list_local(Path(folder).expanduser(), below)
    inside = _inside_archive(folder)
    if inside is None and _is_web(folder):
        raise InvalidRequestError(f"{folder} is not in the archive; what lies there cannot be listed")
    filesystem, path = _open(folder, inside)
    try:
        found = filesystem.find(path, maxdepth=None if below else 1)
    except FileNotFoundError:
        raise ArchiveFileNotFoundError(f"there is no folder {folder}") from None
    locate = filesystem.url if inside is not None else filesystem.unstrip_protocol
    return {name[len(path) :].lstrip("/"): locate(name) for name in sorted(found)}


def is_folder(location: str, suffixes: frozenset[str]) -> bool:
    """Return whether a location is a folder; an address is one unless it ends as such a file does."""
    if "://" not in location:
        return Path(location).expanduser().is_dir()
    return not split_location(location)[1].lower().endswith(tuple(suffixes))


def _list_local(folder: Path, below: bool) -> dict[str, str]:
    if not folder.is_dir():
        raise ArchiveFileNotFoundError(f"there is no folder {folder}")
    there = folder.rglob("*") if below else folder.iterdir()
    found = sorted(path for path in there if path.is_file())
    return {path.relative_to(folder).as_posix(): str(path) for path in found}


def _inside_archive(folder: str) -> str | None:
    """Return the path of a folder in the archive, entry first; None where it is elsewhere."""
    base = settings.archive_url() + "/"
    if folder.startswith(_SCHEME):
        return folder[len(_SCHEME) :]
    return unquote(folder[len(base) :]) if folder.startswith(base) else None


def _open(folder: str, inside: str | None) -> tuple[Any, str]:
    import fsspec

    if inside is not None:
        return fsspec.filesystem("empiar"), inside.rstrip("/")
    filesystem, path = fsspec.core.url_to_fs(folder)
    return filesystem, path.rstrip("/")


def _is_web(location: str) -> bool:
    return location.lower().startswith(("http://", "https://"))
