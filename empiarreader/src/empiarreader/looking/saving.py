"""Writing a small file whole or not at all, and never over another that nobody gave up."""

from __future__ import annotations

import os
import secrets
from abc import ABC, abstractmethod
from pathlib import Path

from empiarreader.errors import LocalFileError


class Drawn(ABC):
    """What can be drawn: it can be saved as a PNG file, and a notebook shows it."""

    @property
    @abstractmethod
    def png(self) -> bytes:
        """The drawing as a PNG file."""

    def save(self, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
        """Write the PNG file, whole or not at all, and return where it is.

        Raises
        ------
        LocalFileError
            If there is a file of that name already and ``overwrite`` does not say that it may go, or if it
            cannot be written.
        MissingExtraError
            If matplotlib is not installed.
        """
        check_free(path, overwrite=overwrite)
        return write_whole(path, self.png, overwrite=overwrite)

    def _repr_png_(self) -> bytes:
        return self.png


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
    if not overwrite and os.path.lexists(target):
        raise LocalFileError(f"{path} is there already; give another name, or --overwrite (overwrite=True)")
    return target


def write_whole(path: str | os.PathLike[str], content: bytes, *, overwrite: bool = False) -> Path:
    """Write a file beside its place and put it there.

    Raises
    ------
    LocalFileError
        If something is there that may not be replaced, or nothing can be written.
    """
    target = check_free(path, overwrite=overwrite)
    beside = target.with_name(f".{target.name[:100]}.{secrets.token_hex(4)}.part")
    try:
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
