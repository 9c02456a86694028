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
_ACCESSION = r"[OPQ][0-9][A-Z0-9]{3}[0-9]|[A-NR-Z][0-9](?:[A-Z][A-Z0-9]{2}[0-9]){1,2}"
_UNIPROT = re.compile(rf"({_ACCESSION})(?:-([1-9][0-9]{{0,3}}))?")
# Source: UniProt user manual, "ID line": at most five letters for the protein (for an unreviewed entry its
# accession) and three to five for the species; codes that stand for a group of species begin with a 9.
_ENTRY_NAME = re.compile(rf"(?:[A-Z0-9]{{1,5}}|{_ACCESSION})_(?:[A-Z][A-Z0-9]{{2,4}}|9[A-Z]{{4}})")
_MODEL = re.compile(
    rf"AF-({_ACCESSION})(?:-([1-9][0-9]{{0,3}}))?-F([1-9][0-9]{{0,3}})(?:-MODEL_V([1-9][0-9]{{0,2}}))?"
    r"(?:\.(?:CIF|PDB|BCIF)(?:\.GZ)?)?"
)
# How the RCSB PDB calls the same models, as AF_AFP05067F1.
_MODEL_OF_RCSB = re.compile(rf"AF_AF({_ACCESSION})F([1-9][0-9]{{0,3}})")
_LONGEST_SHOWN = 40

_HINTS: tuple[tuple[str, str], ...] = (
    (r"AF-\d{10,}.*", "it names a complex of AlphaFold DB, and profet fetches models of single proteins"),
    (rf"AF-(?:{_ACCESSION})(?:-\d+)?", "a model of AlphaFold DB ends in its fragment, as AF-P05067-F1"),
    (r"0[A-Z0-9]{3}", "a PDB id begins with a digit from 1 to 9"),
    (r"PDB_?[A-Z0-9]*", "a long PDB id is pdb_ and eight characters, as pdb_00004v1w"),
    (
        r"[1-9][A-Z0-9]{3}[._:][A-Z0-9]{1,4}",
        "leave out the chain, the number or the ending of a file",
    ),
    (rf"(?:{_ACCESSION})\.\d+", "ask for the accession without its version"),
    (rf"(?:{_ACCESSION})-.*", "the number of an isoform counts from 1, as P05067-2"),
    (r"[OPQ][OI][A-Z0-9]{3}[0-9OI]", "a digit seems to be written as a letter"),
    (r"UPI[0-9A-F]{10}", "it is an id of UniParc; ask for an accession of UniProtKB"),
    (r"EMD-?\d+", "it is an entry of EMDB, which holds maps and no structures"),
    (r"(?:SP|TR)\|.*", "ask for the accession between the bars"),
    (r"[A-Z]+://.*", "it is an address; ask for the id in it"),
    (r"[^,;\s]+[,;\s]+\S[\s\S]*", "these are several; name them one by one"),
)


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
    """A protein in UniProt, or one isoform of it.

    Attributes
    ----------
    accession
        Or the name of the entry (``LYSC_CHICK``), which only UniProt can turn into an accession.
    """

    typed: str
    accession: str
    isoform: int | None = None

    @property
    def text(self) -> str:
        """``P05067``, or ``P05067-2`` for an isoform."""
        return self.accession if self.isoform is None else f"{self.accession}-{self.isoform}"

    @property
    def is_entry_name(self) -> bool:
        """Whether it is the name of an entry, as ``LYSC_CHICK``."""
        return "_" in self.accession


@dataclass(frozen=True, kw_only=True)
class ModelId(UniProtId):
    """A model of AlphaFold DB, as ``AF-P05067-2-F1-model_v6``; ``version`` None is the one of today."""

    fragment: int = 1
    version: int | None = None

    @property
    def name(self) -> str:
        """``AF-P05067-2-F1``."""
        return f"AF-{self.text}-F{self.fragment}"


def parse_id(typed: str) -> PdbId | UniProtId:
    """Recognise an id in any case.

    Parameters
    ----------
    typed
        A PDB id of 4 or 12 characters; a UniProt accession, an isoform of one, or the name of an entry; the
        name of a model of AlphaFold DB (which comes as a `ModelId`). Surrounding blanks do not count.

    Raises
    ------
    InvalidIdError
        If it is none of these; the message says what is wrong with it where that can be told.

    Examples
    --------
    >>> parse_id("4v1w").text, parse_id("pdb_00004v1w").text, parse_id("PDB_00011A7Y").text
    ('4V1W', '4V1W', 'pdb_00011a7y')
    >>> parse_id("f4HvG8").text, parse_id("P05067-2").isoform, parse_id("lysc_chick").text
    ('F4HVG8', 2, 'LYSC_CHICK')
    >>> parse_id("AF-P05067-2-F1-model_v6").text, parse_id("AF-P05067-2-F1-model_v6").version
    ('P05067-2', 6)
    """
    text = _text(typed)
    upper = text.upper() if text.isascii() else ""  # "ß" in capitals is "SS"
    if _PDB.fullmatch(upper):
        return PdbId(typed=text, text=upper)
    if match := _EXTENDED_PDB.fullmatch(upper):
        short = match[1][4:] if match[1].startswith("0000") else ""
        return PdbId(typed=text, text=short if _PDB.fullmatch(short) else upper.lower())
    if match := _UNIPROT.fullmatch(upper):
        return UniProtId(typed=text, accession=match[1], isoform=_number(match[2]))
    if _ENTRY_NAME.fullmatch(upper):
        return UniProtId(typed=text, accession=upper)
    if match := _MODEL.fullmatch(upper):
        accession, isoform, fragment, version = match.groups()
        return ModelId(
            typed=text,
            accession=accession,
            isoform=_number(isoform),
            fragment=int(fragment),
            version=_number(version),
        )
    if match := _MODEL_OF_RCSB.fullmatch(upper):
        return ModelId(typed=text, accession=match[1], fragment=int(match[2]))
    raise InvalidIdError(_refusal(typed, upper))


def _number(text: str | None) -> int | None:
    return int(text) if text else None


def _refusal(typed: object, upper: str) -> str:
    hint = next((hint for pattern, hint in _HINTS if re.fullmatch(pattern, upper)), None)
    if hint is not None:
        return f"{shown(typed)} is no id that profet knows: {hint}"
    return (
        f"{shown(typed)} is no id that profet knows: a PDB id has 4 characters (4v1w) or 12 (pdb_00004v1w), "
        "a UniProt accession 6 or 10 (P05067, A0A023FDY8), an isoform a number after it (P05067-2), an entry "
        "of UniProt a name (LYSC_CHICK), a model of AlphaFold DB all of that (AF-P05067-F1)"
    )


def _text(typed: object) -> str:
    return typed.strip() if isinstance(typed, str) else ""


def shown(typed: object) -> str:
    """Return what somebody typed, quoted, short, and without control characters."""
    text = ascii(typed)
    return text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…"
