"""What is known of an id before any file moves: of one, or of many in few requests."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from profet.access import Access
from profet.databases import ALWAYS_ASKED
from profet.databases.protocol import Target
from profet.errors import InactiveAccessionError, InvalidIdError, ProfetError, StructureNotFoundError
from profet.ids import ModelId, PdbId, UniProtId, parse_id
from profet.uniprot_batch import find_brief_entry, find_entries, keep_whole_entries


def resolve(access: Access, identity: PdbId | UniProtId) -> tuple[Target, str]:
    """Learn what UniProt says of an id, and why it says nothing if it has no such entry.

    A PDB id or the name of a model needs no question.

    Raises
    ------
    InactiveAccessionError
        If UniProt has withdrawn the accession.
    """
    if isinstance(identity, PdbId | ModelId):
        return Target(identity=identity), ""
    try:
        return Target(identity=identity, entry=find_brief_entry(access, identity)), ""
    except InactiveAccessionError:
        raise
    except StructureNotFoundError as error:
        return Target(identity=identity), str(error)


def resolve_many(
    access: Access, identities: Iterable[PdbId | UniProtId]
) -> dict[PdbId | UniProtId, Target | ProfetError]:
    """Learn it of many ids, in as few requests as possible: of accessions UniProt tells a thousand at a time.

    Returns
    -------
    dict
        What `resolve` would tell of each id, or why there can be no structure. Ids that are not in it have to
        be asked for one by one.
    """
    resolved: dict[PdbId | UniProtId, Target | ProfetError] = {}
    proteins: list[UniProtId] = []
    for identity in identities:
        if isinstance(identity, PdbId | ModelId):
            resolved[identity] = Target(identity=identity)
        else:
            proteins.append(identity)
    entries = find_entries(access, proteins)
    for identity in proteins:
        entry = entries.get(identity.text)
        if isinstance(entry, ProfetError):
            resolved[identity] = entry
        elif entry is not None:
            resolved[identity] = Target(identity=identity, entry=entry)
    return resolved


def resolve_typed(access: Access, ids: Iterable[str]) -> dict[str, Target | ProfetError]:
    """Do what `resolve_many` does, for ids as typed. One that is none has its error."""
    parsed: dict[str, PdbId | UniProtId] = {}
    resolved: dict[str, Target | ProfetError] = {}
    for typed in ids:
        try:
            parsed[typed] = parse_id(typed)
        except InvalidIdError as error:
            resolved[typed] = error
    told = resolve_many(access, parsed.values())
    return resolved | {typed: told[identity] for typed, identity in parsed.items() if identity in told}


def expect_cleaning(access: Access, ids: Iterable[str]) -> None:
    """Prepare for taking peptides out of structures of many proteins; see `keep_whole_entries`."""
    known = []
    for typed in ids:
        with contextlib.suppress(InvalidIdError):
            known.append(parse_id(typed))
    keep_whole_entries(access, [item for item in known if isinstance(item, UniProtId)])


def databases_with(target: Target) -> list[str]:
    """Which of the databases that are always asked hold a structure, as far as that is known."""
    if target.pdb_id is not None:
        return ["pdb"]
    if target.entry is None:
        return []
    # UniProt's list of PDB entries is of the canonical sequence and does not tell isoforms apart.
    held = {"pdb": bool(target.entry.pdb_references) and target.is_canonical}
    held["alphafold"] = target.entry.is_in_alphafold
    return [name for name in ALWAYS_ASKED if held[name]]


def note_of_merger(target: Target) -> tuple[str, ...]:
    """Tell that UniProt keeps the protein under another accession now, if so."""
    identity, entry = target.identity, target.entry
    if entry is None or isinstance(identity, PdbId) or identity.is_entry_name:
        return ()
    if identity.accession == entry.accession:
        return ()
    return (f"UniProt has merged {identity.accession} into {entry.accession}",)
