"""The file types that structures come in."""

from __future__ import annotations

from enum import StrEnum

from profet.errors import InvalidChoiceError


class FileType(StrEnum):
    """Format of a structure file; equal to its file name extension as text.

    Examples
    --------
    >>> FileType("cif") == "cif", FileType.cif.other
    (True, <FileType.pdb: 'pdb'>)
    """

    pdb = "pdb"
    cif = "cif"

    @property
    def other(self) -> FileType:
        """The file type to try when this one does not exist."""
        return FileType.cif if self is FileType.pdb else FileType.pdb

    @classmethod
    def _missing_(cls, value: object) -> FileType:
        raise InvalidChoiceError(f"there is no file type {value!a}; profet knows 'cif' and 'pdb'")
