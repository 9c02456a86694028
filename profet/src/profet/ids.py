"""Ids of structures and proteins, recognised before anything is asked.

A 4-character PDB id has run out of letters by about 2029; its 12-character successor is ``pdb_`` and eight
characters, of which the old ids are those that begin with four zeros. Both name one entry, so both become
the short form here.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from profet.errors import InvalidIdError

_PDB = re.compile(r"[1-9][A-Z0-9]{3}")
_EXTENDED_PDB = re.compile(r"PDB_([A-Z0-9]{8})")
# Source: UniProt help page "Accession numbers"; the isoform number follows a hyphen.
_UNIPROT = re.compile(
    r"([OPQ][0-9][A-Z0-9]{3}[0-9]|[A-NR-Z][0-9](?:[A-Z][A-Z0-9]{2}[0-9]){1,2})(?:-([1-9][0-9]{0,3}))?"
)
_LONGEST_SHOWN = 40


@dataclass(frozen=True, kw_only=True)
class PdbId:
    """A PDB entry. ``text`` is ``4V1W``, or ``pdb_00011a7y`` where no short form exists."""

    typed: str
    text: str

    @property
    def is_extended(self) -> bool:
        """Whether only the 12-character form exists; such entries have no PDB-format file."""
        return len(self.text) != 4


@dataclass(frozen=True, kw_only=True)
class UniProtId:
    """A protein in UniProt, or one isoform of it."""

    typed: str
    accession: str
    isoform: int | None = None

    @property
    def text(self) -> str:
        """``P05067``, or ``P05067-2`` for an isoform."""
        return self.accession if self.isoform is None else f"{self.accession}-{self.isoform}"


def parse_id(typed: str) -> PdbId | UniProtId:
    """Recognise an id in any case.

    Parameters
    ----------
    typed
        A PDB id of 4 or 12 characters, a UniProt accession, or an isoform of one. Surrounding blanks do not
        count.

    Raises
    ------
    InvalidIdError
        If it is none of these.

    Examples
    --------
    >>> parse_id("4v1w").text, parse_id("pdb_00004v1w").text, parse_id("PDB_00011A7Y").text
    ('4V1W', '4V1W', 'pdb_00011a7y')
    >>> parse_id("f4HvG8").text, parse_id("P05067-2").isoform
    ('F4HVG8', 2)
    """
    text = _text(typed)
    if text.isascii():  # "ß" in capitals is "SS"
        upper = text.upper()
        if _PDB.fullmatch(upper):
            return PdbId(typed=text, text=upper)
        if match := _EXTENDED_PDB.fullmatch(upper):
            short = match[1][4:] if match[1].startswith("0000") else ""
            return PdbId(typed=text, text=short if _PDB.fullmatch(short) else upper.lower())
        if match := _UNIPROT.fullmatch(upper):
            return UniProtId(typed=text, accession=match[1], isoform=int(match[2]) if match[2] else None)
    raise InvalidIdError(
        f"{shown(typed)} is no id that profet knows: a PDB id has 4 characters (4v1w) or 12 (pdb_00004v1w), "
        "a UniProt accession 6 or 10 (P05067, A0A023FDY8), an isoform a number after it (P05067-2)"
    )


def _text(typed: object) -> str:
    return typed.strip() if isinstance(typed, str) else ""


def shown(typed: object) -> str:
    """Return what somebody typed, quoted, short, and without control characters."""
    text = ascii(typed)
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"
