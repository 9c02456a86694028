"""A structure that was found, with its file."""

from __future__ import annotations

from dataclasses import dataclass

from profet.enums import FileType
from profet.formats import compressed
from profet.hits import StructureHit
from profet.store import Stored


@dataclass(frozen=True, kw_only=True)
class Structure:
    """A structure that was found.

    Attributes
    ----------
    identifier
        What its file is called after: the id as typed, or ``P45523_1Q6U`` for a PDB entry found by accession.
    database, filetype
        Where it came from and as what: the true ones, which need not be those that were asked for.
    hit
        The structure as the database lists it.
    notes
        What was done otherwise than asked for, a sentence each: another database, file type or entry.
    """

    identifier: str
    database: str
    filetype: FileType
    stored: Stored
    hit: StructureHit
    notes: tuple[str, ...] = ()

    @property
    def data(self) -> bytes:
        """The file, compressed if it was asked for like that."""
        return compressed.pack(self.stored.data) if self.filetype.is_compressed else self.stored.data
