"""What cleaning did, counted while it was done."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from pathlib import Path

from profet.cleaning.options import Reason


@dataclass(frozen=True, kw_only=True)
class ChainNumbering:
    """How the residues of one chain were given their UniProt numbers.

    Attributes
    ----------
    chain
        Name that the authors gave the chain.
    accession
        The protein.
    method
        ``SIFTS`` (numbers in the file, atom by atom), ``reference`` (the range that the file states, whose
        letters agree with UniProt), or ``alignment`` (of the sequences).
    first, last
        Lowest and highest UniProt number among the residues that have coordinates; None if there is none.
    """

    chain: str
    accession: str
    method: str
    first: int | None
    last: int | None


@dataclass(frozen=True, kw_only=True)
class CleanReport:
    """What was removed from where, and where the result lies.

    Attributes
    ----------
    source, path
        The file read and the file written.
    atoms_before
        Atoms in the file read, in all models.
    atoms_removed
        By reason and chain; only what is not zero is listed.
    residues_removed
        Likewise, residues of which nothing is left. A residue that several models have counts once.
    signal_peptides
        By accession, the ranges that UniProt states, whether or not the structure contains them.
    numbering
        The maps by which signal peptides were looked for; empty if UniProt states none.
    """

    source: Path
    path: Path
    atoms_before: int
    atoms_removed: Mapping[Reason, Mapping[str, int]]
    residues_removed: Mapping[Reason, Mapping[str, int]]
    signal_peptides: Mapping[str, tuple[tuple[int, int], ...]]
    numbering: tuple[ChainNumbering, ...]

    @property
    def atoms_after(self) -> int:
        """Atoms in the file written."""
        return self.atoms_before - sum(sum(chains.values()) for chains in self.atoms_removed.values())


class Tally:
    """Counts atoms as they pass by, residue after residue."""

    def __init__(self) -> None:
        self.atoms = 0
        self.removed: defaultdict[Reason, Counter[str]] = defaultdict(Counter)
        self._gone: dict[Hashable, tuple[Reason, str]] = {}
        self._staying: set[Hashable] = set()

    def keep(self, residue: Hashable) -> None:
        """Count an atom that stays."""
        self.atoms += 1
        self._staying.add(residue)

    def remove(self, reason: Reason, chain: str, residue: Hashable) -> None:
        """Count an atom that goes."""
        self.atoms += 1
        self.removed[reason][chain] += 1
        self._gone.setdefault(residue, (reason, chain))

    @property
    def has_left_something(self) -> bool:
        """Whether any atom stays."""
        return bool(self._staying)

    def atoms_removed(self) -> dict[Reason, dict[str, int]]:
        """Atoms by reason and chain."""
        return {reason: dict(chains) for reason, chains in self.removed.items()}

    def residues_removed(self) -> dict[Reason, dict[str, int]]:
        """Residues of which no atom stays, by reason and chain."""
        counts: defaultdict[Reason, Counter[str]] = defaultdict(Counter)
        for residue, (reason, chain) in self._gone.items():
            if residue not in self._staying:
                counts[reason][chain] += 1
        return {reason: dict(chains) for reason, chains in counts.items()}
