"""Everything caked reports on purpose.

::

    CakedError
    ├── SourceNotFoundError       also FileNotFoundError   nothing is there: no such file, folder, sample
    ├── UnreachableSourceError    also OSError             it could not be asked: no permission, an I/O error
    ├── DamagedFileError          also ValueError          what is there is not what it says it is
    ├── RefusedFileError          also ValueError          well formed, but not something caked reads
    ├── ShapeError                also ValueError          shapes that do not fit one another or the operation
    ├── NonFiniteImageError       also ValueError          an image holds NaN or infinity
    ├── InvalidOptionError        also ValueError, RuntimeError
    ├── ClassesNotFoundError      also LookupError, RuntimeError
    ├── SplitError                also ValueError, RuntimeError
    └── RecipeError               also ValueError          a recipe that cannot be written, read or trusted

``RuntimeError`` is among the bases where caked 0.1.7 raised it. Each error is built from one message, so
that it crosses the border between a data loader's worker and its parent; the facts are in attributes.
"""

from __future__ import annotations

__all__ = [
    "CakedError",
    "ClassesNotFoundError",
    "DamagedFileError",
    "InvalidOptionError",
    "NonFiniteImageError",
    "RecipeError",
    "RefusedFileError",
    "ShapeError",
    "SourceNotFoundError",
    "SplitError",
    "UnreachableSourceError",
]


class CakedError(Exception):
    """Everything caked reports on purpose."""


class SourceNotFoundError(CakedError, FileNotFoundError):
    """Nothing is there: no such file or folder, no file that matches, no sample of that name."""

    def __init__(self, message: str, *, path: str = "") -> None:
        super().__init__(message)
        self.path = path


class UnreachableSourceError(CakedError, OSError):
    """It may be there, but could not be asked: no permission, or the file system failed. Worth a retry."""

    def __init__(self, message: str, *, path: str = "") -> None:
        super().__init__(message)
        self.path = path


class DamagedFileError(CakedError, ValueError):
    """What is there is not what it says it is; the message ends with "corrupted."."""

    def __init__(self, message: str, *, path: str = "") -> None:
        super().__init__(message)
        self.path = path


class RefusedFileError(CakedError, ValueError):
    """The file may be well formed, but caked does not read it: pickled objects, an unknown format."""

    def __init__(self, message: str, *, path: str = "") -> None:
        super().__init__(message)
        self.path = path


class ShapeError(CakedError, ValueError):
    """Shapes do not fit one another, or not the operation."""


class NonFiniteImageError(CakedError, ValueError):
    """An image holds NaN or infinity."""

    def __init__(self, message: str, *, name: str = "") -> None:
        super().__init__(message)
        self.name = name


class InvalidOptionError(CakedError, ValueError, RuntimeError):
    """An argument is not one that the function takes."""


class ClassesNotFoundError(CakedError, LookupError, RuntimeError):
    """Classes were asked for that no sample has."""

    def __init__(self, message: str, *, missing: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.missing = missing


class SplitError(CakedError, ValueError, RuntimeError):
    """A part of a split, or a loader, would be left without samples."""


class RecipeError(CakedError, ValueError):
    """A recipe cannot be written, read or trusted, or its inputs are no longer the same."""
