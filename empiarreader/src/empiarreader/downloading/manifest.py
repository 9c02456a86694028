"""What was downloaded, from where, and with which checksum: a file of JSON lines beside the downloads.

A line is written when a file is whole and checked, before it gets its name. A job that is killed at any
moment leaves a manifest that is true, and the next one goes on from it.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from empiarreader.addresses import check_target
from empiarreader.errors import (
    ArchiveFileNotFoundError,
    DamagedDataError,
    EmpiarReaderError,
    InvalidRequestError,
)

if TYPE_CHECKING:
    from empiarreader.downloading.verifying import Verification

MANIFEST_NAME = "empiarreader-manifest.jsonl"
FAILED_NAME = "empiarreader-failed.txt"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class DownloadedFile:
    """One file that is whole and checked."""

    path: str  # relative to the folder, with forward slashes
    url: str
    size: int  # bytes
    sha256: str
    etag: str | None  # what the server called this version of the file
    time: str  # when it was complete, ISO 8601, UTC
    last_modified: str | None = None


@dataclass(frozen=True, kw_only=True)
class DownloadFailure:
    """One address that could not be had, and why."""

    url: str
    error: EmpiarReaderError


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """Outcome of a download.

    Attributes
    ----------
    directory : Path
        Where the files are.
    files : tuple of DownloadedFile
        The files asked for that are there, in the order asked, also those that were there before.
    failures : tuple of DownloadFailure
        The addresses that could not be had, in the order asked.
    """

    directory: Path
    files: tuple[DownloadedFile, ...] = ()
    failures: tuple[DownloadFailure, ...] = ()

    @property
    def paths(self) -> tuple[Path, ...]:
        """Where each of the files is."""
        return tuple(self.directory / file.path for file in self.files)

    def verify(self) -> Verification:
        """Check the folder against this manifest, as :func:`verify` does."""
        from empiarreader.downloading.verifying import verify_manifest

        return verify_manifest(self)

    def raise_for_failures(self) -> None:
        """Raise the first failure, if there is any."""
        if self.failures:
            raise self.failures[0].error

    @classmethod
    def load(cls, directory: str | os.PathLike[str]) -> Manifest:
        """Return what a folder's manifest says about the files that are in it, by their names.

        Raises
        ------
        DamagedDataError
            If the manifest is not one.
        """
        folder = Path(directory)
        known = read_records(folder).values()
        present = [file for file in known if _has_size(folder / file.path, file.size)]
        return cls(directory=folder, files=tuple(sorted(present, key=lambda file: file.path)))

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Manifest:
        """Return all that a manifest says, somebody else's for instance, wherever the files are.

        Parameters
        ----------
        path
            The manifest, or the folder that it is in.

        Raises
        ------
        ArchiveFileNotFoundError
            If there is none.
        DamagedDataError
            If it is not one.
        """
        file = Path(path) / MANIFEST_NAME if Path(path).is_dir() else Path(path)
        if not file.is_file():
            raise ArchiveFileNotFoundError(f"there is no manifest {file}")
        records = parse_records(file.read_bytes(), file).values()
        return cls(directory=file.parent, files=tuple(sorted(records, key=lambda record: record.path)))


def read_records(directory: Path) -> dict[str, DownloadedFile]:
    """Return the last line of a folder's manifest about each path; ``{}`` where there is no manifest.

    A line that was cut because the machine stopped is left out: the file it speaks of had no name yet.

    Raises
    ------
    DamagedDataError
        If the file is something else.
    """
    path = directory / MANIFEST_NAME
    return parse_records(path.read_bytes(), path) if path.exists() else {}


def parse_records(content: bytes, path: Path) -> dict[str, DownloadedFile]:
    """Return the last line about each path in the content of a manifest, or of a part of one.

    Raises
    ------
    DamagedDataError
        If it is something else; ``path`` is for the message.
    """
    lines = [line for line in content.decode("utf-8", "replace").split("\n") if line]
    parsed = [record for line in lines if (record := _parse_line(line, path)) is not None]
    if len(lines) > 1 and not parsed:
        raise DamagedDataError(f"{path} is no manifest of downloads: {lines[0][:80]!r}; move it away")
    last = {record.path: record for record in parsed}
    return {name: record for name, record in last.items() if isinstance(record, DownloadedFile)}


@dataclass(frozen=True)
class Removed:
    """A line that takes a file out of the manifest."""

    path: str


def as_json_line(record: DownloadedFile | Removed) -> str:
    """Return a file, or that it was removed, as the manifest has it, without the end of the line."""
    if isinstance(record, Removed):
        return json.dumps({"path": record.path, "removed": True})
    return json.dumps({name: getattr(record, name) for name in _FIELDS})


def as_json_lines(files: Iterable[DownloadedFile]) -> str:
    """Return files as JSON, one on a line."""
    return "\n".join(map(as_json_line, files))


_FIELDS = tuple(field.name for field in fields(DownloadedFile))


def _parse_line(line: str, path: Path) -> DownloadedFile | Removed | None:
    """Return the record in a line, None where the line was cut."""
    try:
        values: dict[str, Any] = json.loads(line)
    except ValueError:
        _warn_of_cut_line(path, line)
        return None
    try:
        if values.get("removed") is True:
            return Removed(str(values["path"]))
        record = DownloadedFile(**{name: values[name] for name in _FIELDS if name in values})
        check_target(record.path)
    except (TypeError, AttributeError, KeyError, InvalidRequestError) as error:
        raise DamagedDataError(f"{path} is no manifest of downloads: {line[:80]!r}; move it away") from error
    return record


@lru_cache(maxsize=64)
def _warn_of_cut_line(path: Path, line: str) -> None:
    """Say it once, also of a manifest that is read again, as when a folder is fetched by its own."""
    logger.warning("a line of %s is cut short and left out", path)


def _has_size(path: Path, size: int) -> bool:
    return path.is_file() and path.stat().st_size == size
