"""What cleaning did, counted while it was done."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from profet.cleaning.options import REASONS, Peptide, Reason
from profet.counting import counted


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
        ``SIFTS`` (numbers in the file, residue by residue), ``PDBe`` (SIFTS as PDBe's service states it),
        ``reference`` (the range that the file states, whose letters agree with UniProt), or ``alignment``
        (of the sequences).
    first, last
        Lowest and highest UniProt number among the residues that have coordinates; None if there is none.
    """

    chain: str
    accession: str
    method: str
    first: int | None
    last: int | None


Ranges = Mapping[str, tuple[tuple[int, int], ...]]
"""By accession: first and last residue of each feature, both included, as UniProt numbers them."""


@dataclass(frozen=True, kw_only=True)
class CleanReport:
    """What was removed from where, and where the result lies. As text, it says so in sentences.

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
    peptides
        By reason and accession, the ranges that UniProt states, whether or not the structure contains them.
    numbering
        The maps by which they were looked for; empty if UniProt states none.
    """

    source: Path
    path: Path
    atoms_before: int
    atoms_removed: Mapping[Reason, Mapping[str, int]]
    residues_removed: Mapping[Reason, Mapping[str, int]]
    peptides: Mapping[Peptide, Ranges]
    numbering: tuple[ChainNumbering, ...]

    @property
    def atoms_after(self) -> int:
        """Atoms in the file written."""
        return self.atoms_before - sum(sum(chains.values()) for chains in self.atoms_removed.values())

    @property
    def signal_peptides(self) -> Ranges:
        """Signal peptides by accession, as UniProt states them."""
        return self.peptides.get("signal_peptides", {})

    def as_dict(self) -> dict[str, Any]:
        """Return the report as plain values, ready for JSON."""
        return {
            **asdict(self),
            "source": str(self.source),
            "path": str(self.path),
            "atoms_after": self.atoms_after,
        }

    def __str__(self) -> str:
        stay = "stays" if self.atoms_after == 1 else "stay"
        atoms = counted(self.atoms_before, "atoms")
        lines = [f"{self.source.name}: {self.atoms_after} of {atoms} {stay}"]
        for reason, chains in self.atoms_removed.items():
            residues = self.residues_removed.get(reason, {})
            lines += [
                f"  {_NAMES[reason]}: {counted(number, 'atoms')} of chain {chain or '(without a name)'} "
                f"removed, whole residues: {residues.get(chain, 0)}"
                for chain, number in chains.items()
            ]
        for kind, proteins in self.peptides.items():
            for accession, ranges in proteins.items():
                lines += self._about_peptide(
                    _NAMES[kind], accession, ranges, self.atoms_removed.get(kind, {})
                )
        return "\n".join(lines)

    def _about_peptide(
        self, name: str, accession: str, ranges: tuple[tuple[int, int], ...], removed: Mapping[str, int]
    ) -> Iterator[str]:
        if not ranges:
            yield f"  UniProt states no {name} of {accession}"
        shown = ", ".join(f"{first}-{last}" for first, last in ranges)
        for chain in self.numbering:
            if ranges and chain.accession == accession:
                seen = "none" if chain.first is None else f"residues {chain.first} to {chain.last}"
                yield (
                    f"  {name} {shown} of {accession}: chain {chain.chain or '(without a name)'} has {seen} "
                    f"of the protein by {chain.method}"
                    + ("" if removed.get(chain.chain) else "; nothing was removed")
                )


_NAMES: Mapping[Reason, str] = {
    "models": "models not wanted",
    "chains": "chains not wanted",
    "altlocs": "alternative positions",
    "signal_peptides": "signal peptide",
    "transit_peptides": "transit peptide",
    "propeptides": "propeptide",
    "minimum_plddt": "low confidence",
    "water": "water",
    "hetatoms": "hetero atoms",
    "hydrogens": "hydrogen and deuterium",
}


Residue = tuple[bytes, ...]
"""What tells one residue of a file from another, whichever model it is in."""


class Tally:
    """Counts atoms as they pass by, residue after residue."""

    def __init__(self) -> None:
        self.atoms = 0
        self.removed: defaultdict[Reason, Counter[str]] = defaultdict(Counter)
        self.gone: dict[Residue, tuple[Reason, str]] = {}
        self.staying: set[Residue] = set()

    def keep(self, residue: Residue, *, atoms: int = 1) -> None:
        """Count atoms of a residue that stay."""
        self.atoms += atoms
        self.staying.add(residue)

    def remove(self, reason: Reason, chain: str, residue: Residue) -> None:
        """Count an atom that goes."""
        self.atoms += 1
        self.removed[reason][chain] += 1
        self.gone.setdefault(residue, (reason, chain))

    @property
    def has_left_something(self) -> bool:
        """Whether any atom stays."""
        return bool(self.staying)

    def atoms_removed(self) -> dict[Reason, dict[str, int]]:
        """Atoms by reason and chain."""
        return _in_order(self.removed)

    def residues_removed(self) -> dict[Reason, dict[str, int]]:
        """Residues of which no atom stays, by reason and chain."""
        counts: defaultdict[Reason, Counter[str]] = defaultdict(Counter)
        for residue, (reason, chain) in self.gone.items():
            if residue not in self.staying:
                counts[reason][chain] += 1
        return _in_order(counts)


def _in_order(counts: Mapping[Reason, Mapping[str, int]]) -> dict[Reason, dict[str, int]]:
    return {reason: dict(counts[reason]) for reason in REASONS if reason in counts}
