"""What can go wrong, as one tree.

::

    ProfetError
    ├── InvalidIdError            ValueError, RuntimeError   no id of any kind; nothing was asked
    ├── InvalidChoiceError        ValueError, RuntimeError   no such database, file type or setting
    ├── StructureNotFoundError    LookupError, RuntimeError  every source that was asked answered "no"
    │   ├── InactiveAccessionError                           UniProt has withdrawn the accession
    │   └── NotFetchedError                                  no file of that id lies in the folder yet
    ├── ServiceError              ConnectionError            a service could not be asked; worth a retry
    │   └── OfflineError                                     offline mode, and the cache does not hold it
    ├── DamagedFileError          ValueError                 what came, or what lies there, is not whole
    ├── RefusedError              ValueError                 cleaning could not be done rightly, so was not
    ├── MissingFileError          FileNotFoundError          there is no such file to clean
    └── CacheError                OSError                    the cache or folder cannot be read or written

Each leaf is also the builtin that people catch (``RuntimeError`` where profet 1.0.6 raised one). One
message is enough to build any of them, so that they cross process borders; the keywords hold the facts.
"""

from __future__ import annotations

import errno
from typing import Self

_OF_THE_FOLDER = (
    errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM, errno.ENOTDIR,
)  # fmt: skip


class ProfetError(Exception):
    """Everything profet reports on purpose."""


class InvalidIdError(ProfetError, ValueError, RuntimeError):
    """The text is no id of any kind profet knows. Nothing was asked of any service."""


class InvalidChoiceError(ProfetError, ValueError, RuntimeError):
    """There is no such database or file type, or a setting cannot be understood."""


class StructureNotFoundError(ProfetError, LookupError, RuntimeError):
    """Every source that was asked answered, and none holds the structure.

    Parameters
    ----------
    message
        The sentence for the user.
    accession
        What was asked for.
    asked
        The sources that answered.
    """

    def __init__(self, message: str, *, accession: str = "", asked: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.accession, self.asked = accession, asked


class InactiveAccessionError(StructureNotFoundError):
    """UniProt has withdrawn the accession; ``replaced_by`` names its successors, if it has any."""

    def __init__(self, message: str, *, accession: str = "", replaced_by: tuple[str, ...] = ()) -> None:
        super().__init__(message, accession=accession, asked=("uniprot",))
        self.replaced_by = replaced_by


class NotFetchedError(StructureNotFoundError):
    """No file of that id lies in the folder; fetch it first."""


class ServiceError(ProfetError, ConnectionError):
    """A service could not be asked, or did not answer the question. Asking again later may help.

    Parameters
    ----------
    message
        The sentence for the user.
    url
        What was asked.
    status
        HTTP status of the answer; None when there was no answer.
    """

    def __init__(self, message: str, *, url: str = "", status: int | None = None) -> None:
        super().__init__(message)
        self.url, self.status = url, status


class OfflineError(ServiceError):
    """Offline mode is on, and the cache does not hold what was asked for."""


class DamagedFileError(ProfetError, ValueError):
    """What a service sent, or what lies on disk, is not the whole file that it should be."""

    def __init__(self, message: str, *, origin: str = "") -> None:
        super().__init__(message)
        self.origin = origin


class RefusedError(ProfetError, ValueError):
    """The structure cannot be cleaned rightly as asked, so nothing was written; the message says why."""


class MissingFileError(ProfetError, FileNotFoundError):
    """There is no file at the path that was given."""


class CacheError(ProfetError, OSError):
    """The cache, or the folder to save into, cannot be read or written.

    Parameters
    ----------
    message
        The sentence for the user.
    code
        What the operating system said, as in `errno`; None if it was not asked.
    """

    def __init__(self, message: str, *, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code

    @classmethod
    def of(cls, cause: OSError, what: str) -> Self:
        """Make one of what the operating system said."""
        return cls(f"{what}: {cause.strerror or cause}", code=cause.errno)

    @property
    def is_of_the_folder(self) -> bool:
        """Whether every other file would fail likewise: the disk is full, or may not be written."""
        return self.code in _OF_THE_FOLDER
