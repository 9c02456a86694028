"""Which residues are bonded into a chain, told by their coordinates where a file does not say it.

Files that programs write often describe no entities (mmCIF) or state no sequence (PDB format). A residue
written as HETATM is then selenomethionine in the middle of a chain, or a free amino acid, or ATP: it belongs
to the chain if its backbone is bonded to that of another residue.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Hashable
from operator import itemgetter

Position = tuple[float, float, float]

# Where one residue ends, where the next one begins, and how far apart they are at most, in Å: half as much
# again as the bond (1.33 Å of a peptide, 1.6 Å of a nucleotide), for models that are not refined yet.
_BONDS = ((b"C", b"N", 2.0), (b"O3'", b"P", 2.4), (b"O3*", b"P", 2.4))

ENDS = frozenset(name for end, begin, _ in _BONDS for name in (end, begin))
"""Names of the atoms that matter."""


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

    def see(self, residue: Hashable, atom: bytes, position: Position) -> None:
        """Take note of an atom of `ENDS`; of several positions (alternatives, models) the first counts."""
        self._ends[atom].setdefault(residue, position)

    def bonded(self) -> frozenset[Hashable]:
        """Residues that are bonded to another one."""
        found: set[Hashable] = set()
        for end, begin, longest in _BONDS:
            starts = sorted(self._ends[begin].items(), key=itemgetter(1))  # along x, before all else
            along_x = [there[0] for _, there in starts]
            for residue, here in self._ends[end].items():
                low, high = bisect_left(along_x, here[0] - longest), bisect_right(along_x, here[0] + longest)
                for other, there in starts[low:high]:
                    if other != residue and math.dist(here, there) <= longest:
                        found |= {residue, other}
        return frozenset(found)
