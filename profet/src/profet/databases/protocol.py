"""What profet asks of a database, and what it tells it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from profet.enums import FileType
from profet.hits import StructureHit
from profet.ids import PdbId, UniProtId
from profet.store import Stored
from profet.uniprot import UniProtEntry


@dataclass(frozen=True, kw_only=True)
class Target:
    """What structures are wanted of.

    Attributes
    ----------
    identity
        The id as it was understood: a `PdbId`, a `UniProtId`, or a `ModelId` of AlphaFold DB.
    entry
        What UniProt says of the protein; None for a PDB id, a model, or a protein that UniProt does not know.
    """

    identity: PdbId | UniProtId
    entry: UniProtEntry | None = None

    @property
    def pdb_id(self) -> PdbId | None:
        """The PDB id, if that is what was asked for."""
        return self.identity if isinstance(self.identity, PdbId) else None

    @property
    def accession(self) -> str | None:
        """Accession that holds today, of the isoform if one is meant; None for a PDB id.

        The canonical sequence goes by the accession alone, also where it was asked for by its number.
        """
        if isinstance(self.identity, PdbId):
            return None
        base = self.entry.accession if self.entry else self.identity.accession
        return base if self.is_canonical else f"{base}-{self.identity.isoform}"

    @property
    def is_canonical(self) -> bool:
        """Whether the canonical sequence is meant, and not another isoform."""
        if isinstance(self.identity, PdbId) or self.identity.isoform is None:
            return True
        return self.entry is not None and self.identity.isoform == self.entry.canonical_isoform


@runtime_checkable
class Database(Protocol):
    """A source of structures.

    Files come through the `profet.access.Access` that it was made with, so that they are verified, kept in
    the cache under its name, and asked for politely.

    Attributes
    ----------
    name
        The name it is registered under.
    """

    name: str

    def find(self, target: Target) -> Sequence[StructureHit]:
        """Structures that it holds of a target; none if it goes by other ids.

        It asks as little as it can: what ``target.entry`` tells need not be asked. No file is fetched.
        """
        ...

    def fetch(self, hit: StructureHit, filetype: FileType) -> Stored | None:
        """Get the file of a hit of its own, or None if it does not exist in that file type.

        `filetype` is ``pdb``, ``cif`` or ``bcif``; profet compresses by itself.
        """
        ...
