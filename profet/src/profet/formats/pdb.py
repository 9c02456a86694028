"""PDB format: the columns of its records.

Source: Protein Data Bank contents guide, version 3.30. Slices are of bytes and 0-based; a record may be
shorter than the 80 columns it should have.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

NAME = slice(0, 6)
SERIAL = slice(6, 11)
ATOM_NAME = slice(12, 16)
ALTERNATIVE = slice(16, 17)
RESIDUE_NAME = slice(17, 20)
CHAIN = slice(20, 22)  # the format has one letter, in column 22; see `ResidueColumns` for the one before
RESIDUE = slice(17, 27)
"""Name, chain, number and insertion code of a residue, as they stand in the record of an atom."""
RESIDUE_KEY = slice(20, 27)
"""Chain, number and insertion code."""
COORDINATES = (slice(30, 38), slice(38, 46), slice(46, 54))
"""In Å."""
OCCUPANCY = slice(54, 60)
B_FACTOR = slice(60, 66)
ELEMENT = slice(76, 78)

_STANDARD = frozenset(
    b"ALA ARG ASN ASP CYS GLN GLU GLY HIS ILE LEU LYS MET PHE PRO SER THR TRP TYR VAL HOH"
    b" NAG BMA MAN FUC".split()
)
# What GROMOS calls states of protonation of these.
_FOUR_LETTERS = frozenset(b"LYSH ASPH GLUH HISH HISA HISB HIS1 HIS2 CYSH CYS1 CYS2 ARGN".split())


@dataclass(frozen=True)
class ResidueColumns:
    """How `RESIDUE` is cut: the 21st column of a record belongs to the chain or to the residue's name.

    The format leaves it empty. Large structures have chains of two letters there, as gemmi and Coot write
    them; CHARMM and programs like it have the fourth letter of names (TIP3, POPC). An amino acid, sugar or
    water by its usual name tells that it is the chain's.

    Examples
    --------
    >>> ResidueColumns.of([b"GLY A   1 ", b"POPCL   2 "]).chain(b"POPCL   2 ")
    b' L'
    >>> ResidueColumns.of([b"GLYAA   1 ", b"ATPAB   2 "]).chain(b"ATPAB   2 ")
    b'AB'
    """

    name_ends: int = 3

    @classmethod
    def of(cls, residues: Iterable[bytes]) -> ResidueColumns:
        """Tell by the residues of a file."""
        doubtful = {residue[:5] for residue in residues if residue[3:4].strip()}
        is_of_chain = any(
            b" " in one[:3] or (one[:3] in _STANDARD and one[:4] not in _FOUR_LETTERS) for one in doubtful
        )
        return cls(4 if doubtful and not is_of_chain else 3)

    def name(self, residue: bytes) -> bytes:
        """Name of a residue."""
        return residue[: self.name_ends].strip()

    def chain(self, residue: bytes) -> bytes:
        """Chain of a residue, in two columns."""
        return residue[self.name_ends : 5].rjust(2)


ATOM_RECORDS = (b"ATOM  ", b"HETATM")
DEPENDENT_RECORDS = (b"ANISOU", b"SIGATM", b"SIGUIJ")
"""Records that repeat the identity of the atom in front of them and say more of it."""

CONECT_FIELDS = tuple(slice(start, start + 5) for start in range(6, 31, 5))


# Past 99,999 atoms some programs, as ChimeraX and those of Amber, let the number begin in the name's columns.
_NUMBER_IN_NAME = re.compile(rb"(ATOM|HETAT|ANISO|TER) *[0-9]+")
_WHOLE_NAMES = {b"ATOM": b"ATOM  ", b"HETAT": b"HETATM", b"ANISO": b"ANISOU", b"TER": b"TER   "}


def record_of(line: bytes) -> bytes:
    r"""Name of a record, in six columns.

    Examples
    --------
    >>> record_of(b"END\n"), record_of(b"ATOM 100000  N   MET A   1")
    (b'END   ', b'ATOM  ')
    """
    name = line[NAME]
    if name[-1:].isdigit() and (match := _NUMBER_IN_NAME.fullmatch(name)):
        return _WHOLE_NAMES[match[1]]
    return name.rstrip(b"\r\n").ljust(6)


def end_of_line(line: bytes) -> bytes:
    r"""Return how the line ends: ``\n``, ``\r\n`` or, at the end of a file, nothing.

    Examples
    --------
    >>> end_of_line(b"END   \r\n")
    b'\r\n'
    """
    return line[len(line.rstrip(b"\r\n")) :]
