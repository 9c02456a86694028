"""Files for other programs: whole or not at all, and never over something the user had."""

from __future__ import annotations

import os
from pathlib import Path

from empiarreader.errors import LocalFileError


def check_target_is_free(path: Path, *, overwrite: bool) -> None:
    """Refuse to write where something is already.

    Raises
    ------
    LocalFileError
        If there is something and it may not be replaced.
    """
    if os.path.lexists(path) and not (overwrite and path.is_file()):
        raise LocalFileError(f"{path} is there already; overwrite it, or choose another name")


def write_whole(path: Path, text: str, *, overwrite: bool) -> None:
    """Write a file beside its place, then rename it.

    Raises
    ------
    LocalFileError
        If something is in the way, or the file cannot be written.
    """
    check_target_is_free(path, overwrite=overwrite)
    beside = path.with_name(f".{path.name[:200]}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        raise LocalFileError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        beside.unlink(missing_ok=True)
