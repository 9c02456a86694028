"""Alternative positions of atoms: which of them stay."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass

from profet.cleaning.options import HIGHEST
from profet.cleaning.selection import Selection


@dataclass(frozen=True, slots=True)
class Position:
    """One position of an atom that has several, or that is not always there.

    ``component`` is the name of the residue, as one place may hold two kinds of residue (microheterogeneity).
    """

    component: bytes
    atom: bytes
    letter: bytes
    occupancy: float
    is_hydrogen: bool


class Alternatives:
    """Collects all positions with a letter, then tells which go.

    Parameters
    ----------
    selection
        Letters to keep or to remove; the word ``highest`` stands for those of highest occupancy.
    """

    def __init__(self, selection: Selection) -> None:
        self._selection = selection
        self._positions: defaultdict[Hashable, list[Position]] = defaultdict(list)
        self._staying: dict[Hashable, set[tuple[bytes, bytes, bytes]]] = {}

    def see(self, place: Hashable, position: Position) -> None:
        """Take note of a position; `place` is the residue without its name, in one model."""
        self._positions[place].append(position)

    def goes(
        self, place: Hashable, component: bytes, atom: bytes, letter: bytes, *, is_polymer: bool
    ) -> bool:
        """Whether a position with a letter is to go.

        A residue of a polymer that has none of the letters to keep stays, by its own highest occupancy; a
        water or ligand that is not there in those alternatives goes.
        """
        if place not in self._staying:
            self._staying[place] = self._choose(self._positions[place], is_polymer=is_polymer)
        return (component, atom, letter) not in self._staying[place]

    def _choose(self, positions: list[Position], *, is_polymer: bool) -> set[tuple[bytes, bytes, bytes]]:
        letters = dict.fromkeys(one.letter for one in positions)
        if self._selection.names == (HIGHEST,) and self._selection.keeps:
            chosen = {_highest(positions)}
        else:
            chosen = {letter for letter in letters if letter.decode("utf-8", "replace") in self._selection}
            if not chosen and is_polymer and self._selection.keeps:
                chosen = {_highest(positions)}
        staying = {(one.component, one.atom, one.letter) for one in positions if one.letter in chosen}
        return staying | set(_missing(positions, staying)) if self._selection.keeps else staying


def _highest(positions: Iterable[Position]) -> bytes:
    """Letter of highest mean occupancy; of equal ones, the first in the file."""
    occupancies: defaultdict[bytes, list[float]] = defaultdict(list)
    for one in positions:
        occupancies[one.letter].append(one.occupancy)
    return max(occupancies, key=lambda letter: sum(occupancies[letter]) / len(occupancies[letter]))


def _missing(
    positions: Iterable[Position], staying: set[tuple[bytes, bytes, bytes]]
) -> Iterable[tuple[bytes, bytes, bytes]]:
    """Heavy atoms that a residue would lose because only another alternative has them.

    (Hydrogens may rightly be missing: one alternative of a cysteine is bonded, the other has a hydrogen.)
    """
    components = {component for component, _, _ in staying}
    there = {(component, atom) for component, atom, _ in staying}
    others: dict[tuple[bytes, bytes], Position] = {}
    for one in positions:
        key = one.component, one.atom
        if one.component not in components or key in there or one.is_hydrogen:
            continue
        if key not in others or others[key].occupancy < one.occupancy:
            others[key] = one
    return [(one.component, one.atom, one.letter) for one in others.values()]
