"""Whether a folder still holds what was downloaded into it: every file hashed again, several at a time."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from empiarreader.downloading.manifest import FAILED_NAME, MANIFEST_NAME, DownloadedFile, Manifest
from empiarreader.downloading.parts import PART_SUFFIX, file_sha256
from empiarreader.downloading.states import STATE_SUFFIX
from empiarreader.downloading.transfer import seconds_of
from empiarreader.errors import LocalFileError
from empiarreader.threads import Threads

State = Literal["whole", "missing", "changed", "damaged"]
_OUR_OWN = (MANIFEST_NAME, FAILED_NAME)


@dataclass(frozen=True, kw_only=True)
class Verification:
    """What is left of what was downloaded.

    Attributes
    ----------
    directory : Path
        The folder.
    whole : tuple of DownloadedFile
        Files that are what they were.
    missing : tuple of DownloadedFile
        Files that are not there.
    changed : tuple of DownloadedFile
        Files that somebody has written to since.
    damaged : tuple of DownloadedFile
        Files whose bytes are others though nobody has written to them, by their time of change: what disks
        and interrupted copies do.
    extra : tuple of str
        Paths of files that the manifest does not know.
    """

    directory: Path
    whole: tuple[DownloadedFile, ...] = ()
    missing: tuple[DownloadedFile, ...] = ()
    changed: tuple[DownloadedFile, ...] = ()
    damaged: tuple[DownloadedFile, ...] = ()
    extra: tuple[str, ...] = ()

    @property
    def is_fine(self) -> bool:
        """Whether everything that the manifest lists is there and as it was."""
        return not (self.missing or self.changed or self.damaged)


def verify(
    directory: str | os.PathLike[str],
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Verification:
    """Check a folder against the manifest in it.

    Parameters
    ----------
    directory
        Folder that files were downloaded into.
    workers
        How many files to read at once; None takes as many as there are processors.
    progress
        Called with the bytes read and the bytes of all files.

    Raises
    ------
    ArchiveFileNotFoundError
        If the folder has no manifest.
    DamagedDataError
        If its manifest is none.
    LocalFileError
        If a file cannot be read.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "empiarreader-manifest.jsonl").write_text("")
    ...     verify(folder).is_fine
    True
    """
    return verify_manifest(Manifest.read(directory), workers=workers, progress=progress)


def verify_manifest(
    manifest: Manifest,
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Verification:
    """Check the folder of a manifest against it; as :func:`verify`."""
    files, total, read = manifest.files, sum(file.size for file in manifest.files), 0
    states: list[State] = []
    with Threads(workers or os.cpu_count() or 1, "empiarreader-verify") as pool:
        found = pool.map(lambda one: _state(manifest.directory, one), files)
        for file, state in zip(files, found, strict=True):
            states.append(state)
            read += file.size
            if progress is not None:
                progress(read, total)

    def those(wanted: State) -> tuple[DownloadedFile, ...]:
        return tuple(file for file, state in zip(files, states, strict=True) if state == wanted)

    return Verification(
        directory=manifest.directory,
        whole=those("whole"),
        missing=those("missing"),
        changed=those("changed"),
        damaged=those("damaged"),
        extra=_extra(manifest.directory, files),
    )


def _state(folder: Path, file: DownloadedFile) -> State:
    path = folder / file.path
    try:
        if not path.is_file():
            return "missing"
        status = path.stat()
        if status.st_size == file.size and file_sha256(path) == file.sha256:
            return "whole"
    except OSError as error:
        raise LocalFileError(f"cannot read {path}: {error.strerror}") from error
    is_untouched = int(status.st_mtime) == seconds_of(file.last_modified)
    return "damaged" if is_untouched else "changed"


def _extra(folder: Path, files: Sequence[DownloadedFile]) -> tuple[str, ...]:
    known = {file.path for file in files}
    found = []
    for where, _, names in os.walk(folder):
        for name in names:
            path = Path(where, name).relative_to(folder).as_posix()
            is_ours = path in _OUR_OWN or name.endswith((PART_SUFFIX, PART_SUFFIX + STATE_SUFFIX))
            if path not in known and not is_ours:
                found.append(path)
    return tuple(sorted(found))
