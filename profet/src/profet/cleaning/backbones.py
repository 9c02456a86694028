"""Which residues are bonded into a chain, told by their coordinates where a file does not say it.

Files that programs write often describe no entities (mmCIF) or state no sequence (PDB format). A residue
written as HETATM is then selenomethionine in the middle of a chain, or a free amino acid, or ATP: it belongs
to the chain if its backbone is bonded to that of another residue. The chromophore of a fluorescent protein
calls the atoms of its backbone otherwise (CRO has N1 and C3): it belongs to the chain if it is bonded to the
residue before and to the one behind.

Programs of molecular dynamics write ions, lipids and ligands as ATOM, as if they were part of a chain. Where
the name of a residue does not tell, it is part of a chain if it has a backbone, bonded or not.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator
from operator import itemgetter

Position = tuple[float, float, float]
Ends = Iterable[tuple[Hashable, Position]]

# Where one residue ends, where the next one begins, and how far apart they are at most, in Å: half as much
# again as the bond (1.33 Å of a peptide, 1.6 Å of a nucleotide), for models that are not refined yet.
_PEPTIDE = b"C", b"N", 2.0
_BONDS = (_PEPTIDE, (b"O3'", b"P", 2.4), (b"O3*", b"P", 2.4))

_ENDS = frozenset(name for end, begin, _ in _BONDS for name in (end, begin))
_WHOLE = ((b"N", b"CA", b"C"), (b"P", b"O3'"), (b"P", b"O3*"))
_NAMES = _ENDS.union(*_WHOLE)


def matters(atom: bytes, *, is_hetatm: bool) -> bool:
    """Whether `Backbones` wants to see an atom: by its name or, of a residue like CRO, by its element.

    Examples
    --------
    >>> matters(b"C", is_hetatm=False), matters(b"N1", is_hetatm=False), matters(b"N1", is_hetatm=True)
    (True, False, True)
    """
    return atom in _NAMES or (is_hetatm and atom[:1] in _PEPTIDE[:2])


class Backbones:
    """Collects the ends of residues, then tells which are bonded.

    Examples
    --------
    >>> backbones = Backbones()
    >>> backbones.see("MET 1", b"C", (0.0, 0.0, 0.0))
    >>> backbones.see("MSE 2", b"N", (1.3, 0.0, 0.0))
    >>> backbones.see("GLU 9", b"N", (9.0, 0.0, 0.0))
    >>> sorted(backbones.bonded())
    ['MET 1', 'MSE 2']
    """

    def __init__(self) -> None:
        self._ends: defaultdict[bytes, dict[Hashable, Position]] = defaultdict(dict)
        self._others: defaultdict[bytes, list[tuple[Hashable, Position]]] = defaultdict(list)

    def see(self, residue: Hashable, atom: bytes, position: Position) -> None:
        """Take note of an atom that `matters`; of several positions of an end, the first counts."""
        if atom in _NAMES:
            self._ends[atom].setdefault(residue, position)
        else:
            self._others[atom[:1]].append((residue, position))

    def whole(self) -> frozenset[Hashable]:
        """Residues that have a backbone, as an amino acid or a nucleotide has it."""
        return frozenset().union(
            *(set.intersection(*(set(self._ends[name]) for name in names)) for names in _WHOLE)
        )

    def bonded(self) -> frozenset[Hashable]:
        """Residues that are bonded to another one."""
        bonds = [
            _close(self._ends[end].items(), self._ends[begin].items(), longest)
            for end, begin, longest in _BONDS
        ]
        found = {residue for pairs in bonds for pair in pairs for residue in pair}
        end, begin, longest = _PEPTIDE
        behind = {other for _, other in _close(self._ends[end].items(), self._others[begin], longest)}
        before = {residue for residue, _ in _close(self._others[end], self._ends[begin].items(), longest)}
        return frozenset(found | (behind & before))


def _close(ends: Ends, begins: Ends, longest: float) -> Iterator[tuple[Hashable, Hashable]]:
    """Pairs of different residues, one of whose atoms are no further apart than that."""
    starts = sorted(begins, key=itemgetter(1))  # along x, before all else
    along_x = [there[0] for _, there in starts]
    for residue, here in ends:
        low, high = bisect_left(along_x, here[0] - longest), bisect_right(along_x, here[0] + longest)
        for other, there in starts[low:high]:
            if other != residue and math.dist(here, there) <= longest:
                yield residue, other
