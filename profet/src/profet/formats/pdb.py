"""PDB format: the columns of its records.

Source: Protein Data Bank contents guide, version 3.30. Slices are of bytes and 0-based; a record may be
shorter than the 80 columns it should have.
"""

from __future__ import annotations

import re

NAME = slice(0, 6)
SERIAL = slice(6, 11)
ATOM_NAME = slice(12, 16)
ALTERNATIVE = slice(16, 17)
RESIDUE_NAME = slice(17, 20)
CHAIN = slice(20, 22)  # the format has one letter, in column 22; programs that need two take the one before
RESIDUE = slice(17, 27)
"""Name, chain, number and insertion code of a residue, as they stand in the record of an atom."""
RESIDUE_KEY = slice(20, 27)
"""Chain, number and insertion code."""
COORDINATES = (slice(30, 38), slice(38, 46), slice(46, 54))
"""In Å."""
OCCUPANCY = slice(54, 60)
B_FACTOR = slice(60, 66)
ELEMENT = slice(76, 78)

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
