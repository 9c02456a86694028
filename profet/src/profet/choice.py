"""Which file of which database answers an id, and what to try when it does not exist."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, get_args

from profet.access import Access
from profet.databases.alphafold import AlphaFold
from profet.databases.rcsb import Rcsb
from profet.enums import FileType
from profet.errors import InactiveAccessionError, InvalidChoiceError, StructureNotFoundError
from profet.ids import PdbId, UniProtId, parse_id, shown
from profet.store import Stored
from profet.uniprot import UniProtEntry, find_entry

_logger = logging.getLogger(__name__)

Database = Literal["pdb", "alphafold"]
DATABASES: tuple[Database, ...] = get_args(Database)

_MOST_ENTRIES_TRIED = 5  # UniProt lags behind the PDB, so its best entry may be gone


@dataclass(frozen=True, kw_only=True)
class Structure:
    """A structure that was found.

    Attributes
    ----------
    identifier
        What its file is called after: the id as typed, or ``P45523_1Q6U`` for a PDB entry found by accession.
    """

    identifier: str
    database: Database
    filetype: FileType
    stored: Stored


def check_database(name: str) -> Database:
    """Recognise the name of a database.

    Raises
    ------
    InvalidChoiceError
        If there is no such database.
    """
    for database in DATABASES:
        if name == database:
            return database
    raise InvalidChoiceError(f"there is no database {shown(name)}; profet knows {' and '.join(DATABASES)}")


class Chooser:
    """Finds structures by id.

    Parameters
    ----------
    access
        The way to services, through the cache.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._pdb = Rcsb(access)
        self._alphafold = AlphaFold(access)

    def databases(self, typed: str) -> list[Database]:
        """Names of all databases that hold a structure of an id.

        Of an accession UniProt knows; a PDB id is looked up in the PDB.
        """
        identity = parse_id(typed)
        if isinstance(identity, PdbId):
            return ["pdb"] if self._pdb.holds(identity) else []
        try:
            return _held(identity, find_entry(self._access, identity))
        except StructureNotFoundError:
            return []

    def find(
        self, typed: str, filetype: FileType, database: Database, *, others: bool = True
    ) -> tuple[Structure, list[Database]]:
        """Find a structure, and the names of all databases that are known to hold one of that id.

        Parameters
        ----------
        typed
            The id.
        filetype
            Wanted; the other one is taken if the structure does not exist in it.
        database
            Asked first.
        others
            Whether to ask other databases too.

        Raises
        ------
        StructureNotFoundError
            If nobody has it. ``asked`` names who was asked.
        """
        identity = parse_id(typed)
        order: list[Database] = [database, *(name for name in DATABASES if name != database and others)]
        if isinstance(identity, PdbId):
            if "pdb" not in order:
                raise StructureNotFoundError(f"{identity.typed} is a PDB id; {database} goes by accession")
            return self._by_pdb_id(identity, filetype), ["pdb"]
        entry, held, reason = self._ask_uniprot(identity)
        # UniProt lags behind AlphaFold DB at times, so that is asked in the end even if not listed.
        tried = [name for name in order if name in held]
        tried += [name for name in order if name == "alphafold" and name not in held]
        for name in tried:
            found = self._by_accession(identity, entry, filetype, name)
            if found is not None:
                if name != database:
                    _logger.info("%s: not in %s, taken from %s", identity.typed, database, name)
                return found, held if name in held else [*held, name]
        raise StructureNotFoundError(
            f"no structure of {identity.typed} in {' or '.join(order)}" + (f": {reason}" if reason else ""),
            accession=identity.text,
            asked=("uniprot", *tried),
        )

    def pdb_id_for(self, typed: str) -> str | None:
        """PDB entry that stands for an id: the id itself, or the best one that UniProt lists."""
        identity = parse_id(typed)
        if isinstance(identity, PdbId):
            return identity.text
        entry = find_entry(self._access, identity)
        return next(iter(entry.ranked_pdb_ids()), None) if "pdb" in _held(identity, entry) else None

    def _ask_uniprot(self, identity: UniProtId) -> tuple[UniProtEntry | None, list[Database], str]:
        """Entry, databases that hold a structure, and the reason if UniProt has no such entry."""
        try:
            entry = find_entry(self._access, identity)
        except InactiveAccessionError:
            raise
        except StructureNotFoundError as error:
            return None, [], str(error)
        return entry, _held(identity, entry), ""

    def _by_pdb_id(self, identity: PdbId, filetype: FileType) -> Structure:
        for kind in (filetype, filetype.other):
            stored = self._pdb.fetch(identity, kind)
            if stored is not None:
                _tell_type(identity.typed, filetype, kind)
                return Structure(identifier=identity.typed, database="pdb", filetype=kind, stored=stored)
        raise StructureNotFoundError(
            f"the PDB has no entry {identity.typed}", accession=identity.text, asked=("pdb",)
        )

    def _by_accession(
        self, identity: UniProtId, entry: UniProtEntry | None, filetype: FileType, database: Database
    ) -> Structure | None:
        if database == "alphafold":
            candidates = self._models(identity, entry, filetype)
        else:
            candidates = self._entries(identity, entry, filetype)
        for identifier, kind, stored in candidates:
            if stored is not None:
                _tell_type(identifier, filetype, kind)
                return Structure(identifier=identifier, database=database, filetype=kind, stored=stored)
        return None

    def _models(
        self, identity: UniProtId, entry: UniProtEntry | None, filetype: FileType
    ) -> Iterator[_Candidate]:
        accession = entry.accession if entry else identity.accession  # another one if it was merged
        is_canonical = _is_canonical(identity, entry)
        model = accession if is_canonical else f"{accession}-{identity.isoform}"
        for kind in (filetype, filetype.other):
            yield identity.typed, kind, self._alphafold.fetch(model, kind)

    def _entries(
        self, identity: UniProtId, entry: UniProtEntry | None, filetype: FileType
    ) -> Iterator[_Candidate]:
        for pdb_id in entry.ranked_pdb_ids()[:_MOST_ENTRIES_TRIED] if entry else ():
            candidate = parse_id(pdb_id)
            assert isinstance(candidate, PdbId)  # parse_entry let no other pass
            for kind in (filetype, filetype.other):
                yield f"{identity.typed}_{pdb_id}", kind, self._pdb.fetch(candidate, kind)


_Candidate = tuple[str, FileType, Stored | None]
"""What a file would be called after, its type, and the file; each is asked for when its turn comes."""


def _is_canonical(identity: UniProtId, entry: UniProtEntry | None) -> bool:
    return identity.isoform is None or (entry is not None and identity.isoform == entry.canonical_isoform)


def _held(identity: UniProtId, entry: UniProtEntry) -> list[Database]:
    # UniProt's list of PDB entries is of the canonical sequence and does not tell isoforms apart.
    held = {"pdb": bool(entry.pdb_references) and _is_canonical(identity, entry)}
    held["alphafold"] = entry.is_in_alphafold
    return [name for name in DATABASES if held[name]]


def _tell_type(identifier: str, wanted: FileType, found: FileType) -> None:
    if found is not wanted:
        _logger.warning("%s does not exist as %s; it came as %s", identifier, wanted, found)
