"""Files that appear whole or not at all, also when two jobs write the same one at once."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from profet.errors import CacheError


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BinaryIO]:
    """Open a file that takes its name only when the block ends without an exception.

    What is written goes to a hidden file in the same folder (made if need be), is flushed to the disk, and
    then takes the place of `path` in one step. If the block raises, nothing stays.

    Raises
    ------
    CacheError
        If the folder cannot be written, or the disk is full.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Exclusive, so that no link planted in a shared folder is followed; the umask decides who may read.
        with beside.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        _discard(beside)
        raise CacheError(f"cannot write {path}: {error.strerror or error}") from error
    except BaseException:
        _discard(beside)
        raise


def write_whole(path: Path, data: bytes) -> None:
    """Write `data` to `path`, whole or not at all."""
    with whole_file(path) as file:
        file.write(data)


def _discard(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink()
