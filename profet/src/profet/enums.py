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
    >>> FileType("cif.gz").is_compressed, FileType("cif.gz").content
    (True, <FileType.cif: 'cif'>)
    """

    pdb = "pdb"
    cif = "cif"
    bcif = "bcif"
    pdb_gz = "pdb.gz"
    cif_gz = "cif.gz"

    @property
    def is_compressed(self) -> bool:
        """Whether the file is gzipped as a whole."""
        return self.endswith(".gz")

    @property
    def content(self) -> FileType:
        """The file type below gzip."""
        return FileType(self.removesuffix(".gz"))

    @property
    def other(self) -> FileType:
        """The file type to try when this one does not exist; mmCIF where this is BinaryCIF."""
        return _OTHER[self]

    @classmethod
    def _missing_(cls, value: object) -> FileType:
        known = ", ".join(repr(str(kind)) for kind in cls)
        raise InvalidChoiceError(f"there is no file type {value!a}; profet knows {known}")


_OTHER = {
    FileType.pdb: FileType.cif,
    FileType.cif: FileType.pdb,
    FileType.bcif: FileType.cif,
    FileType.pdb_gz: FileType.cif_gz,
    FileType.cif_gz: FileType.pdb_gz,
}
