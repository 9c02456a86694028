"""Everything empiarreader raises on purpose.

::

    EmpiarReaderError
    ├── EntryNotFoundError        (LookupError)         the archive has no such entry
    ├── ArchiveFileNotFoundError  (FileNotFoundError)   the entry has no such file, directory or match
    ├── ServiceError              (ConnectionError)     could not ask: no network, stalls, 5xx, odd answers
    ├── DamagedDataError          (ValueError)          what came is not what it should be
    │   └── FileChangedError                            a file changed while it was being read
    ├── LocalFileError            (OSError)             a local file is in the way or cannot be written
    ├── WorkerLostError           (ChildProcessError)   a process that worked on something died of it
    ├── MissingExtraError         (ImportError)         a library that few need is not installed
    └── InvalidRequestError       (ValueError)          the question itself is wrong; nothing was asked
        ├── PatternError                                a malformed pattern
        ├── PartitionIndexError   (IndexError)          no partition of that number
        ├── ReadOnlyArchiveError  (io.UnsupportedOperation)   writing to the archive
        ├── ShapeMismatchError                          files of different shape cannot form one array
        ├── UnsupportedFormatError                      a format that is not read
        └── RefusedAddressError                         an address that leads outside the archive

One message is enough to build each of them, so that they cross process borders whole. Only a
:class:`ServiceError` is worth asking again, and the library has done so several times when it raises one.
"""

from __future__ import annotations

import io

from empiarreader.printable import printable


class EmpiarReaderError(Exception):
    """Everything empiarreader reports on purpose.

    Control characters in the message, which may quote what came over the network, are shown as escapes.
    """

    def __init__(self, message: str = "") -> None:
        super().__init__(printable(message))


class EntryNotFoundError(EmpiarReaderError, LookupError):
    """EMPIAR has no entry of that number, or has not released it."""


class ArchiveFileNotFoundError(EmpiarReaderError, FileNotFoundError):
    """The entry is there, but not the file or directory, or no file matches."""


class ServiceError(EmpiarReaderError, ConnectionError):
    """The archive could not be asked, or did not answer with what was asked for.

    Attributes
    ----------
    status : int or None
        HTTP status of the last answer, None where there was none.
    retryable : bool
        Whether asking again could help.
    retry_after_seconds : float or None
        How long the server asked to be left alone.
    """

    def __init__(
        self,
        message: str = "",
        *,
        status: int | None = None,
        retryable: bool = False,
        retry_after_seconds: float | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.retryable = retryable
        self.retry_after_seconds = retry_after_seconds


class DamagedDataError(EmpiarReaderError, ValueError):
    """What came, or what lies on disk, is not what its format or its size promises."""


class FileChangedError(DamagedDataError):
    """A file in the archive changed between two ranges of it."""


class LocalFileError(EmpiarReaderError, OSError):
    """A local file is in the way and nothing says that it may be replaced, or it cannot be written."""


class WorkerLostError(EmpiarReaderError, ChildProcessError):
    """The process that worked on something died, more often than it was tried again."""


class MissingExtraError(EmpiarReaderError, ImportError):
    """An optional library is not installed; the message says how to install it."""


class InvalidRequestError(EmpiarReaderError, ValueError):
    """What was asked for makes no sense as it stands; nothing was sent."""


class PatternError(InvalidRequestError):
    """A glob or regular expression that cannot be understood."""


class PartitionIndexError(InvalidRequestError, IndexError):
    """A source has no partition of that number."""


class ReadOnlyArchiveError(InvalidRequestError, io.UnsupportedOperation):
    """Something was to be written to the archive, or removed from it."""


class ShapeMismatchError(InvalidRequestError):
    """Files of different shape or pixel type were asked for as one array."""


class UnsupportedFormatError(InvalidRequestError):
    """The file is of a format that this version does not read."""


class RefusedAddressError(InvalidRequestError):
    """An address leads outside the archive, or would lead outside the folder that files are saved in."""
