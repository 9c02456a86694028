"""PDB entries that were withdrawn, and what took their place."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from profet import settings
from profet.access import Access
from profet.errors import DamagedFileError, InvalidIdError
from profet.ids import PdbId, parse_id
from profet.store import Key

_KEY = Key(source="wwpdb", id="obsolete", extension="dat")
# "OBSLTE    31-JUL-94 116L     216L", without or with several successors.
_LINE = re.compile(r"OBSLTE\s+(\S+)\s+(\S+)((?:\s+\S+)*)\s*")


@dataclass(frozen=True, kw_only=True)
class Withdrawn:
    """An entry that was withdrawn.

    Attributes
    ----------
    date
        As the list has it: ``31-JUL-94``.
    successors
        Entries of today that took its place; often one, at times none or several.
    """

    pdb_id: str
    date: str
    successors: tuple[str, ...]


def find_withdrawn(access: Access, pdb_id: PdbId) -> Withdrawn | None:
    """Look an entry up in the list of the wwPDB, which is asked for once a week; None if it is not in it.

    Source: https://files.wwpdb.org/pub/pdb/data/status/obsolete.dat
    """
    url = f"{settings.service_url('WWPDB')}/pub/pdb/data/status/obsolete.dat"
    text = access.text(_KEY, url, _check)
    return read_list(text or "", pdb_id.text)


def read_list(text: str, pdb_id: str) -> Withdrawn | None:
    r"""Find an entry in the list.

    Where a successor was withdrawn in its turn, what took its place counts.

    Examples
    --------
    >>> read_list("OBSLTE    31-JUL-94 116L     216L\nOBSLTE    03-AUG-11 3AAA\n", "116L")
    Withdrawn(pdb_id='116L', date='31-JUL-94', successors=('216L',))
    """
    listed = {
        _plain(match[2]): Withdrawn(
            pdb_id=_plain(match[2]), date=match[1], successors=tuple(map(_plain, match[3].split()))
        )
        for line in text.splitlines()
        if (match := _LINE.fullmatch(line))
    }
    found = listed.get(pdb_id)
    if found is None:
        return None
    followed, waiting, last = {pdb_id}, list(found.successors), []
    while waiting:
        name = waiting.pop(0)
        if name not in listed:
            last.append(name)
        elif name not in followed:
            followed.add(name)
            waiting[:0] = listed[name].successors
    return replace(found, successors=tuple(dict.fromkeys(last)))


def _plain(name: str) -> str:
    """The id as profet writes it; the list may change to long ids some day."""
    try:
        return parse_id(name).text
    except InvalidIdError:
        return name


def _check(data: bytes) -> str | None:
    if b"OBSLTE" not in data:
        raise DamagedFileError("this is no list of withdrawn entries")
    return None
