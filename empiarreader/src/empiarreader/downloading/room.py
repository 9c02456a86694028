"""Whether there is room on the disk for what is to come."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from empiarreader.errors import LocalFileError


def free_bytes(folder: Path) -> int:
    """Return how many bytes may still be written to the disk that a folder is on."""
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def disk_full(message: str) -> LocalFileError:
    """Return the error for a disk without room, by which other files need not be tried either."""
    error = LocalFileError(message)
    error.errno = errno.ENOSPC
    return error
