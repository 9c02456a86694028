"""Writing a small file whole or not at all, and never over another that nobody gave up."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from empiarreader.errors import LocalFileError


def check_free(path: str | os.PathLike[str], *, overwrite: bool) -> Path:
    """Return where a file may be written; best asked before the work that makes it.

    Raises
    ------
    LocalFileError
        If something is there that may not be replaced.
    """
    target = Path(path).expanduser()
    if target.is_dir():
        raise LocalFileError(f"{path} is a folder; give the name of a file")
    if os.path.lexists(target) and not (overwrite and target.is_file()):
        raise LocalFileError(f"{path} is there already; give another name, or --overwrite (overwrite=True)")
    return target


def write_whole(
    path: str | os.PathLike[str], content: bytes, *, overwrite: bool = False, parents: bool = False
) -> Path:
    """Write a file beside its place and put it there, with ``parents`` also into folders that are not yet.

    Raises
    ------
    LocalFileError
        If something is there that may not be replaced, or nothing can be written.
    """
    target = check_free(path, overwrite=overwrite)
    beside = target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}.part")
    try:
        if parents:
            target.parent.mkdir(parents=True, exist_ok=True)
        try:
            beside.write_bytes(content)
            _put(beside, target, overwrite=overwrite)
        finally:
            beside.unlink(missing_ok=True)
    except FileExistsError:
        raise LocalFileError(f"{path} came to be there meanwhile, and stays as it is") from None
    except OSError as error:
        raise LocalFileError(f"cannot write {path}: {error.strerror}") from error
    return target


def _put(beside: Path, target: Path, *, overwrite: bool) -> None:
    if overwrite:
        beside.replace(target)
        return
    try:
        os.link(beside, target)  # unlike a rename, fails where something is there
    except FileExistsError:
        raise
    except OSError:  # a file system without links
        with target.open("xb") as file:
            file.write(beside.read_bytes())
