"""Files that appear whole or not at all, also when two jobs write the same one at once."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from profet.errors import CacheError

UNFINISHED = ".part"
"""How a file ends that a killed process has left behind; `profet cache prune` removes it."""


@contextlib.contextmanager
def whole_file(path: Path, *, flush: bool = True) -> Iterator[BinaryIO]:
    """Open a file that takes its name only when the block ends without an exception.

    What is written goes to a hidden file in the same folder (made if need be), is flushed to the disk, and
    then takes the place of `path` in one step. If the block raises, nothing stays.

    Parameters
    ----------
    path
        The name it takes, over what may have it.
    flush
        Whether it has to outlive a power cut; not needed where its reader would notice and help himself.

    Raises
    ------
    CacheError
        If the folder cannot be written, or the disk is full.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}{UNFINISHED}")
    try:
        with _created(beside) as file:
            yield file
            if flush:
                file.flush()
                os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        _discard(beside)
        if isinstance(error, CacheError):  # of another file that the block writes
            raise
        raise CacheError.of(error, f"cannot write {path}") from error
    except BaseException:
        _discard(beside)
        raise


def write_whole(path: Path, data: bytes, *, flush: bool = True) -> None:
    """Write `data` to `path`, whole or not at all."""
    with whole_file(path, flush=flush) as file:
        file.write(data)


def _created(path: Path) -> BinaryIO:
    """Create a file, and the folder it is in if need be."""
    # Exclusive, so that no link planted in a shared folder is followed; the umask decides who may read.
    try:
        return path.open("xb")
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("xb")


def _discard(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
