"""Whether there is room on the disk for what is to come."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from empiarreader.byteunits import describe_bytes
from empiarreader.errors import LocalFileError


def free_bytes(folder: Path) -> int:
    """Return how many bytes may still be written to the disk that a folder is on."""
    status = os.statvfs(folder)
    return status.f_bavail * status.f_frsize


def check_room_for(to_come: int, folder: Path, url: str) -> None:
    """Raise where the rest of all files that have begun does not fit, of which one has begun just now."""
    free = free_bytes(folder)
    if to_come > free:
        raise disk_full(
            f"there is no room for {url}: {describe_bytes(to_come)} are still to come of the "
            f"files that have begun, and {folder} has {describe_bytes(free)} left"
        )


def disk_full(message: str) -> LocalFileError:
    """Return the error for a disk without room, by which other files need not be tried either."""
    error = LocalFileError(message)
    error.errno = errno.ENOSPC
    return error
