"""Which file of which database answers an id, and what to try when it does not exist."""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import threading
from collections.abc import Iterable, Sequence

from profet.access import Access
from profet.databases import ALWAYS_ASKED, check_database, open_database
from profet.databases.alphafold import DOCUMENTS, AlphaFold, Document
from profet.databases.protocol import Database, Target
from profet.databases.rcsb import Rcsb
from profet.enums import FileType
from profet.errors import (
    InvalidChoiceError,
    InvalidIdError,
    ProfetError,
    ServiceError,
    StructureNotFoundError,
)
from profet.hits import ORDER, StructureHit, parse_order, ranked
from profet.ids import ModelId, PdbId, UniProtId, parse_id, shown
from profet.listing import listed
from profet.obsolete import find_withdrawn
from profet.question import Question
from profet.resolving import databases_with, note_of_merger, resolve, resolve_many
from profet.store import Stored
from profet.structure import Structure
from profet.uniprot_batch import find_brief_entry, keep_whole_entries

_logger = logging.getLogger(__name__)

_MOST_ENTRIES_TRIED = 5  # UniProt lags behind the PDB, so its best entry may be gone


class Chooser:
    """Finds structures by id.

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
        self._databases: dict[str, Database] = {}
        self._lock = threading.Lock()
        self._pdb = Rcsb(access)
        self.alphafold = AlphaFold(access)

    def find(
        self,
        wanted: str | StructureHit,
        filetype: FileType,
        database: str,
        *,
        others: bool = True,
        assembly: int | None = None,
        target: Target | None = None,
    ) -> tuple[Structure, list[str]]:
        """Find a structure, and the names of all databases that are known to hold one of that id.

        Parameters
        ----------
        wanted
            The id, or a hit of `hits`.
        filetype
            Wanted; another one is taken if the structure does not exist in it.
        database
            Asked first.
        others
            Whether to ask the PDB and AlphaFold DB too.
        assembly
            Number of the biological assembly; None for the deposited unit.
        target
            What `resolve_many` told of the id; None to ask for it now.

        Raises
        ------
        StructureNotFoundError
            If nobody has it. ``asked`` names who was asked.
        """
        if assembly is not None and assembly < 1:
            raise InvalidChoiceError(f"there is no assembly {assembly}: they are counted from 1")
        if isinstance(wanted, StructureHit):
            return self._of_hit(wanted, filetype, assembly), [wanted.database]
        identity = parse_id(wanted)
        asked = self._asked(identity, database, others=others, with_assemblies=assembly is not None)
        reason = ""
        if target is None:
            target, reason = resolve(self._access, identity)
        question = Question(
            typed=identity.typed,
            target=target,
            filetype=filetype,
            assembly=assembly,
            reason=reason,
            notes=list(note_of_merger(target)),
        )
        found = self._in_databases(question, asked) or self._in_place_of_withdrawn(question, asked)
        if found is None:
            raise question.not_found(asked)
        return question.told(found), list(dict.fromkeys([*databases_with(target), found.database]))

    def resolve_many(self, ids: Iterable[str]) -> dict[str, Target | ProfetError]:
        """Learn what a choice needs of many ids, in as few requests as possible.

        Returns
        -------
        dict
            By the id as typed, what `find` takes as its ``target``, or why there is no structure. Ids that
            are not in it have to be asked for one by one, as `find` does by itself.
        """
        parsed: dict[str, PdbId | UniProtId] = {}
        resolved: dict[str, Target | ProfetError] = {}
        for typed in ids:
            try:
                parsed[typed] = parse_id(typed)
            except InvalidIdError as error:
                resolved[typed] = error
        told = resolve_many(self._access, parsed.values())
        return resolved | {typed: told[identity] for typed, identity in parsed.items() if identity in told}

    def expect_cleaning(self, ids: Iterable[str]) -> None:
        """Prepare for taking peptides out of structures of many proteins; see `keep_whole_entries`."""
        known = []
        for typed in ids:
            with contextlib.suppress(InvalidIdError):
                known.append(parse_id(typed))
        keep_whole_entries(self._access, [item for item in known if isinstance(item, UniProtId)])

    def expect(self, targets: Iterable[Target | ProfetError], filetype: FileType) -> None:
        """Where all is asked for again: prepare for files of many PDB entries; see `Rcsb.expect`."""
        if not self._access.is_refreshing:
            return
        ids = [target.pdb_id for target in targets if isinstance(target, Target)]
        pdb = self.database("pdb")
        if isinstance(pdb, Rcsb):
            pdb.expect((pdb_id for pdb_id in ids if pdb_id is not None), filetype)

    def databases(self, typed: str) -> list[str]:
        """Names of the PDB and AlphaFold DB, if they hold a structure of an id.

        Of an accession UniProt knows; a PDB id is looked up in the PDB, a model in AlphaFold DB.
        """
        identity = parse_id(typed)
        if isinstance(identity, PdbId):
            return ["pdb"] if self._pdb.holds(identity) else []
        try:
            if isinstance(identity, ModelId):
                return ["alphafold"] if self.alphafold.prediction(identity.text) else []
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
            found += listed(self._access, self.database(name), target, observed=observed)
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
        for hit in self.alphafold.find(target):
            stored = self.alphafold.document(hit.accession or "", kind)
            if stored is not None:
                return identity.typed, stored
        raise Question(typed=identity.typed, target=target, reason=reason).not_found(["alphafold"])

    def pdb_id_for(self, typed: str) -> str | None:
        """PDB entry that stands for an id: the id itself, or the best one that UniProt lists."""
        target, _ = resolve(self._access, parse_id(typed))
        best = ranked(self._pdb.find(target), self._order)
        return best[0].id if best else None

    def database(self, name: str) -> Database:
        """The database of a name, made once."""
        with self._lock:
            if name not in self._databases:
                self._databases[name] = open_database(name, self._access)
            return self._databases[name]

    def _asked(
        self, identity: PdbId | UniProtId, database: str, *, others: bool, with_assemblies: bool
    ) -> list[str]:
        if isinstance(identity, ModelId) and others:
            return ["alphafold"]
        names = [database, *(name for name in ALWAYS_ASKED if name != database and others)]
        if not with_assemblies:
            return names
        able = [name for name in names if getattr(self.database(name), "has_assemblies", False)]
        if not able:
            raise InvalidChoiceError(f"{database} has no biological assemblies; the database pdb has")
        return able

    def _in_databases(self, question: Question, asked: Sequence[str]) -> Structure | None:
        for name in asked:
            hits = ranked(self.database(name).find(question.target), self._order, databases=asked)
            found = self._first_there(question, hits[:_MOST_ENTRIES_TRIED])
            if found is not None:
                if name != asked[0]:
                    question.notes.append(f"{question.typed}: not in {asked[0]}, taken from {name}")
                return found
        return None

    def _first_there(self, question: Question, hits: Iterable[StructureHit]) -> Structure | None:
        for hit in hits:
            chosen = dataclasses.replace(hit, assembly=question.assembly)
            identifier = question.name_for(chosen)
            for kind in question.kinds():
                stored = self.database(hit.database).fetch(chosen, kind.content)
                if stored is not None:
                    if kind is not question.filetype:
                        question.notes.append(
                            f"{identifier} does not exist as {question.filetype}; it came as {kind}"
                        )
                    return Structure(
                        identifier=identifier,
                        database=hit.database,
                        filetype=kind,
                        stored=stored,
                        hit=chosen,
                    )
            if question.target.pdb_id is None:
                question.notes.append(f"{hit.database} lists {hit.id} but has no file of it")
        return None

    def _in_place_of_withdrawn(self, question: Question, asked: Sequence[str]) -> Structure | None:
        """What took the place of a PDB entry, if it was withdrawn for one other."""
        pdb_id = question.target.pdb_id
        if pdb_id is None or "pdb" not in asked:
            return None
        try:
            withdrawn = find_withdrawn(self._access, pdb_id)
        except ServiceError as error:
            _logger.warning("whether %s was withdrawn cannot be told: %s", pdb_id.text, error)
            return None
        if withdrawn is None:
            return None
        note = f"the PDB has withdrawn {pdb_id.text} ({withdrawn.date})"
        if len(withdrawn.successors) == 1:
            successor = parse_id(withdrawn.successors[0])
            note += f"; {successor.text} took its place"
            question.notes.append(note)
            followed = dataclasses.replace(question, target=Target(identity=successor))
            found = self._in_databases(followed, asked)
            if found is not None:
                # Named like an entry found by accession, so that nobody takes it for what was asked for.
                label = dataclasses.replace(found.hit, label=successor.text)
                return dataclasses.replace(found, identifier=question.name_for(label))
            note += ", but has no file either"
        elif withdrawn.successors:
            note += f": ask for {' or '.join(withdrawn.successors)}"
        else:
            note += ", and nothing took its place"
        raise StructureNotFoundError(note, accession=pdb_id.text, asked=tuple(asked))

    def _of_hit(self, hit: StructureHit, filetype: FileType, assembly: int | None) -> Structure:
        check_database(hit.database)
        if assembly is not None and not getattr(self.database(hit.database), "has_assemblies", False):
            raise InvalidChoiceError(f"{hit.database} has no biological assemblies; the database pdb has")
        typed = (hit.accession if hit.label or hit.is_predicted else None) or hit.id
        identity = PdbId(typed=typed, text=typed)
        question = Question(
            typed=typed,
            target=Target(identity=identity),
            filetype=filetype,
            assembly=assembly if assembly is not None else hit.assembly,
        )
        found = self._first_there(question, [hit])
        if found is None:
            raise StructureNotFoundError(
                f"{hit.database} has no file of {hit.id}", accession=typed, asked=(hit.database,)
            )
        return question.told(found)
