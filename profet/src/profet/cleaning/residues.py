"""Names of residues and atoms: what is water, what is hydrogen, which letter stands for which residue."""

from __future__ import annotations

import re

# Names of water: HOH and DOD by the wwPDB, WAT by it of old and by Amber, TIP3 and its like by CHARMM and
# NAMD (TIP in the three columns of PDB format). The wwPDB gives none of them to another molecule. Sources:
# Chemical Component Dictionary; the keyword "water" of VMD and of MDTraj.
WATERS = frozenset({b"HOH", b"DOD", b"WAT", b"H2O", b"OH2", b"TIP", b"TIP2", b"TIP3", b"TIP4", b"TIP5"})
# Programs call water by these, too (GROMACS SOL; Amber TP3, OPC; Desmond T3P, SPC; VMD knows HHO and OHH); in
# the Chemical Component Dictionary each is another molecule (SOL is a sugar), and has carbon.
ALSO_MOLECULES = frozenset(b"SOL SPC OPC TP3 TP4 TP5 T3P T4P T5P HHO OHH".split())
COMMON_ELEMENTS = frozenset({b"C", b"N", b"O", b"S", b"P"})

_HYDROGENS = frozenset({b"H", b"D"})
# The amino acids that genes code for, and the modified ones that sequences in the PDB show most, under the
# letter of their parent. All others are X, which fits any letter and vouches for none.
_CODED = "ALA ARG ASN ASP CYS GLN GLU GLY HIS ILE LEU LYS MET PHE PRO SER THR TRP TYR VAL SEC PYL"
_MODIFIED = "MSE SEP TPO PTR CSO CSD CME OCS HYP MLY M3L KCX LLP PCA CGU"
_LETTERS = dict(zip(f"{_CODED} {_MODIFIED}".split(), "ARNDCQEGHILKMFPSTWYVUOMSTYCCCCPKKKKQE", strict=True))
MODIFIED = frozenset(_MODIFIED.encode().split())
"""Amino acids that are found in chains only, however they are written."""
OF_CHAINS = MODIFIED.union(_CODED.encode().split(), b"UNK ASX GLX A C G U I T DA DC DG DT DU DI N DN".split())
"""Residues that are part of a chain wherever they are written as ATOM."""

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


class WaterNames:
    """Collects what tells, of a file that does not say what is water, by which names water goes in it.

    Examples
    --------
    >>> names = WaterNames()
    >>> names.see(b"SOL", b"OW"), names.see(b"OPC", b"C12")
    (None, None)
    >>> b"SOL" in names.found(), b"OPC" in names.found()
    (True, False)
    """

    def __init__(self) -> None:
        self._molecules: set[bytes] = set()

    def see(self, residue: bytes, atom: bytes) -> None:
        """Take note of an atom."""
        if residue in ALSO_MOLECULES and atom.startswith(b"C"):
            self._molecules.add(residue)

    def found(self) -> frozenset[bytes]:
        """Names by which water goes."""
        return WATERS | (ALSO_MOLECULES - self._molecules)


def is_hydrogen(element: bytes, atom: bytes, residue: bytes) -> bool:
    """Tell hydrogen and deuterium by their element; by the name only where the file states no element.

    Parameters
    ----------
    element
        Symbol in capitals. What is no word states none: empty, ``.``, ``?``, or a number, as PDB files from
        before 1996 have in those columns.
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
    if element.isalpha():
        return element in _HYDROGENS
    name = atom.strip()
    if name in _METALS:
        # Beside a residue that is neither, only the column tells mercury from the hydrogen called HG.
        return name != residue and (atom.startswith(b" ") or _is_amino_acid_or_water(residue))
    return _HYDROGEN_NAME.match(name) is not None


def _is_amino_acid_or_water(residue: bytes) -> bool:
    return residue in WATERS or residue.decode("ascii", "replace") in _LETTERS
