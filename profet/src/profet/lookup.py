"""What is known of an id: which databases hold a structure, which structures, how far a model is trusted."""

from __future__ import annotations

from collections.abc import Sequence

from profet.access import Access
from profet.databases import ALWAYS_ASKED, check_database
from profet.databases.alphafold import DOCUMENTS, AlphaFold, Document
from profet.databases.opened import OpenDatabases
from profet.databases.protocol import Target
from profet.databases.rcsb import Rcsb
from profet.errors import InvalidChoiceError, StructureNotFoundError
from profet.hits import ORDER, StructureHit, parse_order, ranked
from profet.ids import ModelId, PdbId, parse_id, shown
from profet.listing import listed
from profet.question import Question
from profet.resolving import databases_with, resolve
from profet.store import Stored
from profet.uniprot_batch import find_brief_entry


class Lookup:
    """Answers questions about ids; no structure file moves.

    Parameters
    ----------
    access
        The way to services, through the cache.
    order
        How structures of one protein are compared; see `profet.hits.parse_order`.
    """

    def __init__(self, access: Access, *, order: str | Sequence[str] = ORDER) -> None:
        self._access = access
        self._order = parse_order(order)
        self._databases = OpenDatabases(access)
        self._pdb, self._alphafold = Rcsb(access), AlphaFold(access)

    def databases(self, typed: str) -> list[str]:
        """Names of the PDB and AlphaFold DB, if they hold a structure of an id.

        Of an accession UniProt knows; a PDB id is looked up in the PDB, a model in AlphaFold DB.
        """
        identity = parse_id(typed)
        if isinstance(identity, PdbId):
            return ["pdb"] if self._pdb.holds(identity) else []
        try:
            if isinstance(identity, ModelId):
                return ["alphafold"] if self._alphafold.prediction(identity.text) else []
            return databases_with(Target(identity=identity, entry=find_brief_entry(self._access, identity)))
        except StructureNotFoundError:
            return []

    def hits(
        self,
        typed: str,
        *,
        databases: Sequence[str] = ALWAYS_ASKED,
        order: str | Sequence[str] | None = None,
        observed: bool = False,
    ) -> list[StructureHit]:
        """List every known structure of an id, the best one first; see `profet.Fetcher.find`."""
        identity = parse_id(typed)
        target, reason = resolve(self._access, identity)
        found: list[StructureHit] = []
        for name in dict.fromkeys(map(check_database, databases)):
            found += listed(self._access, self._databases.get(name), target, observed=observed)
        if not found:
            raise Question(typed=identity.typed, target=target, reason=reason).not_found(databases)
        words = self._order if order is None else parse_order(order)
        return ranked(found, words, databases=databases)

    def document(self, typed: str, kind: Document) -> tuple[str, Stored]:
        """Find a document on the AlphaFold model of an id; see `profet.Fetcher.get_confidence`."""
        if kind not in DOCUMENTS:
            known = ", ".join(DOCUMENTS)
            raise InvalidChoiceError(f"there is no document {shown(kind)}; profet knows {known}")
        identity = parse_id(typed)
        target, reason = resolve(self._access, identity)
        for hit in self._alphafold.find(target):
            stored = self._alphafold.document(hit.accession or "", kind)
            if stored is not None:
                return identity.typed, stored
        raise Question(typed=identity.typed, target=target, reason=reason).not_found(["alphafold"])

    def pdb_id_for(self, typed: str) -> str | None:
        """PDB entry that stands for an id: the id itself, or the best one that UniProt lists."""
        target, _ = resolve(self._access, parse_id(typed))
        best = ranked(self._pdb.find(target), self._order)
        return best[0].id if best else None
