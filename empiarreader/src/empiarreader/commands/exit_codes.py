"""What the command line ends with."""

from __future__ import annotations

from empiarreader.errors import (
    ArchiveFileNotFoundError,
    DamagedDataError,
    EmpiarReaderError,
    EntryNotFoundError,
    InvalidRequestError,
    ServiceError,
)

SOME_FAILED, USAGE, NOT_FOUND, NETWORK, DAMAGED, INTERRUPTED = 1, 2, 3, 4, 5, 130

_CODES: tuple[tuple[type[EmpiarReaderError], int], ...] = (
    (EntryNotFoundError, NOT_FOUND),
    (ArchiveFileNotFoundError, NOT_FOUND),
    (ServiceError, NETWORK),
    (DamagedDataError, DAMAGED),
    (InvalidRequestError, USAGE),
)


def exit_code(error: EmpiarReaderError) -> int:
    """Return the exit code that says what kind of error it was.

    Examples
    --------
    >>> exit_code(EntryNotFoundError("no entry 1"))
    3
    """
    return next((code for kind, code in _CODES if isinstance(error, kind)), SOME_FAILED)
