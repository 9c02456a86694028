"""What is looked for, and what is said of how it went."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from profet.databases.protocol import Target
from profet.enums import FileType
from profet.errors import StructureNotFoundError
from profet.hits import StructureHit
from profet.ids import ModelId, PdbId
from profet.structure import Structure

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Question:
    """What is looked for, and as what.

    Attributes
    ----------
    typed
        The id, as it was typed.
    reason
        Why UniProt does not know it, if so.
    notes
        What was done otherwise than asked for, added as it is done.
    """

    typed: str
    target: Target
    filetype: FileType = FileType.cif
    assembly: int | None = None
    reason: str = ""
    notes: list[str] = field(default_factory=list)

    def kinds(self) -> Iterator[FileType]:
        """File types to try, the one that is wanted first."""
        tried: list[FileType] = []
        kind = self.filetype
        while kind not in tried:
            tried.append(kind)
            yield kind
            kind = kind.other

    def name_for(self, hit: StructureHit) -> str:
        """What the file of a hit is called after."""
        name = f"{self.typed}_{hit.label}" if hit.label else self.typed
        return name if self.assembly is None else f"{name}-assembly{self.assembly}"

    def told(self, found: Structure) -> Structure:
        """Say what was done otherwise than asked for: in the log, and with the structure."""
        for note in self.notes:
            _logger.warning("%s", note)
        return dataclasses.replace(found, notes=tuple(self.notes))

    def not_found(self, asked: Sequence[str]) -> StructureNotFoundError:
        """Make the error that says who was asked and what they had instead."""
        identity = self.target.identity
        what = self.typed if self.assembly is None else f"assembly {self.assembly} of {self.typed}"
        if not isinstance(identity, PdbId):
            reasons = "; ".join([self.reason, *self.notes] if self.reason else self.notes)
            message = f"no structure of {what} in {' or '.join(asked)}" + (f": {reasons}" if reasons else "")
            source = () if isinstance(identity, ModelId) else ("uniprot",)
            return StructureNotFoundError(message, accession=identity.text, asked=(*source, *asked))
        if "pdb" not in asked:
            message = f"{what} is a PDB id; {asked[0]} goes by accession"
        elif self.assembly is None:
            message = f"the PDB has no entry {what}"
        else:
            message = f"the PDB has no {what}"
        return StructureNotFoundError(message, accession=identity.text, asked=tuple(asked))
