"""Names of residues and atoms: what is water, what is hydrogen, which letter stands for which residue."""

from __future__ import annotations

import re

WATERS = frozenset({b"HOH", b"DOD", b"WAT", b"H2O"})
COMMON_ELEMENTS = frozenset({b"C", b"N", b"O", b"S", b"P"})

_HYDROGENS = frozenset({b"H", b"D"})
_UNSTATED = frozenset({b"", b".", b"?"})
# The amino acids that genes code for, and the modified ones that sequences in the PDB show most, under the
# letter of their parent. All others are X, which fits any letter and vouches for none.
_CODED = "ALA ARG ASN ASP CYS GLN GLU GLY HIS ILE LEU LYS MET PHE PRO SER THR TRP TYR VAL SEC PYL"
_MODIFIED = "MSE SEP TPO PTR CSO CSD CME OCS HYP MLY M3L KCX LLP PCA CGU"
_LETTERS = dict(zip(f"{_CODED} {_MODIFIED}".split(), "ARNDCQEGHILKMFPSTWYVUOMSTYCCCCPKKKKQE", strict=True))
MODIFIED = frozenset(_MODIFIED.encode().split())
"""Amino acids that are found in chains only, however they are written."""

# Symbols of elements that begin like hydrogen or deuterium, as the names of their ions begin.
_METALS = frozenset({b"HG", b"HO", b"HF", b"HE", b"HS", b"DY", b"DB", b"DS"})
_HYDROGEN_NAME = re.compile(rb"[0-9]*[HD]")


def letter_of(residue: str) -> str:
    """One-letter code of an amino acid.

    Examples
    --------
    >>> letter_of("MSE"), letter_of("BP5")
    ('M', 'X')
    """
    return _LETTERS.get(residue, "X")


def is_hydrogen(element: bytes, atom: bytes, residue: bytes) -> bool:
    """Tell hydrogen and deuterium by their element; by the name only where the file states no element.

    Parameters
    ----------
    element
        Symbol in capitals; empty, ``.`` or ``?`` where it is not stated.
    atom
        Name of the atom, with the blanks around it: PDB format sets the names of two-letter elements one
        column further to the left. Of a format without columns, put a blank in front.
    residue
        Name of the residue; an ion is called like its element.

    Examples
    --------
    >>> is_hydrogen(b"D", b"DA", b"SER"), is_hydrogen(b"HG", b"HG", b"HG")
    (True, False)
    >>> is_hydrogen(b"", b" HG ", b"SER"), is_hydrogen(b"", b"1HB ", b"ALA")
    (True, True)
    >>> is_hydrogen(b"", b"HG  ", b"EMC")
    False
    """
    if element not in _UNSTATED:
        return element in _HYDROGENS
    name = atom.strip()
    if name in _METALS:
        # Beside a residue that is neither, only the column tells mercury from the hydrogen called HG.
        return name != residue and (atom.startswith(b" ") or _is_amino_acid_or_water(residue))
    return _HYDROGEN_NAME.match(name) is not None


def _is_amino_acid_or_water(residue: bytes) -> bool:
    return residue in WATERS or residue.decode("ascii", "replace") in _LETTERS
