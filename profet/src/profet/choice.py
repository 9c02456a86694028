"""Which file of which database answers an id, and what to try when it does not exist."""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Iterable, Sequence

from profet.access import Access
from profet.databases import ALWAYS_ASKED, check_database
from profet.databases.opened import OpenDatabases
from profet.databases.protocol import Target
from profet.databases.rcsb import Rcsb
from profet.enums import FileType
from profet.errors import InvalidChoiceError, ServiceError, StructureNotFoundError
from profet.hits import ORDER, StructureHit, parse_order, ranked
from profet.ids import ModelId, PdbId, UniProtId, parse_id
from profet.obsolete import find_withdrawn
from profet.question import Question
from profet.resolving import databases_with, note_of_merger, resolve
from profet.structure import Structure

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
        self.access = access
        self._order = parse_order(order)
        self._databases = OpenDatabases(access)

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
            The id, or a hit of `profet.Fetcher.find`.
        filetype
            Wanted; another one is taken if the structure does not exist in it.
        database
            Asked first.
        others
            Whether to ask the PDB and AlphaFold DB too.
        assembly
            Number of the biological assembly; None for the deposited unit.
        target
            What `profet.resolving.resolve_many` told of the id; None to ask for it now.

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
            target, reason = resolve(self.access, identity)
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

    def expect(self, pdb_ids: Iterable[PdbId], filetype: FileType) -> None:
        """Where all is asked for again: prepare for files of many PDB entries; see `Rcsb.expect`."""
        pdb = self._databases.get("pdb")
        if self.access.is_refreshing and isinstance(pdb, Rcsb):
            pdb.expect(pdb_ids, filetype)

    def _asked(
        self, identity: PdbId | UniProtId, database: str, *, others: bool, with_assemblies: bool
    ) -> list[str]:
        if isinstance(identity, ModelId) and others:
            return ["alphafold"]
        names = [database, *(name for name in ALWAYS_ASKED if name != database and others)]
        if not with_assemblies:
            return names
        able = [name for name in names if getattr(self._databases.get(name), "has_assemblies", False)]
        if not able:
            raise InvalidChoiceError(f"{database} has no biological assemblies; the database pdb has")
        return able

    def _in_databases(self, question: Question, asked: Sequence[str]) -> Structure | None:
        for name in asked:
            hits = ranked(self._databases.get(name).find(question.target), self._order, databases=asked)
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
                stored = self._databases.get(hit.database).fetch(chosen, kind.content)
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
            withdrawn = find_withdrawn(self.access, pdb_id)
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
        if assembly is not None and not getattr(self._databases.get(hit.database), "has_assemblies", False):
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
