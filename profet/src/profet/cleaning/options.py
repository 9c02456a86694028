"""What can be taken out of a structure, and the names of files that say what was."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args
from urllib.parse import quote

from profet.cleaning.selection import Selection
from profet.errors import InvalidChoiceError

Reason = Literal[
    "models",
    "chains",
    "altlocs",
    "signal_peptides",
    "transit_peptides",
    "propeptides",
    "minimum_plddt",
    "water",
    "hetatoms",
    "hydrogens",
]
"""Why an atom was removed; an atom that several reasons fit counts under the first of them."""

REASONS: tuple[Reason, ...] = get_args(Reason)

Peptide = Literal["signal_peptides", "transit_peptides", "propeptides"]
"""A part of the sequence that the cell cuts off."""

PEPTIDES: Mapping[Peptide, str] = {
    "signal_peptides": "Signal",
    "transit_peptides": "Transit peptide",
    "propeptides": "Propeptide",
}
"""UniProt's name of the feature."""

HIGHEST = "highest"
"""Stands for the alternative position of highest occupancy."""


@dataclass(frozen=True, kw_only=True)
class CleanOptions:
    """What to take out of a structure. The default takes out nothing.

    Parameters
    ----------
    signal_peptides, transit_peptides, propeptides
        Residues that UniProt counts as such: by UniProt numbering, in the chains of that protein only.
    hydrogens
        By element, deuterium included.
    water
        HOH, DOD, and the names that programs of molecular dynamics give it: WAT, H2O, OH2, TIP, TIP2 to TIP5;
        SOL, SPC, OPC, TP3 and their like where the file does not describe its entities and no residue of
        that name has carbon.
    hetatoms
        All else that is no polymer, also ions and lipids that programs write as ATOM. Modified residues of a
        polymer, as selenomethionine, stay.
    chains
        Chains to keep, by the name that the authors gave them: ``"A"`` or ``("A", "B")``. With a hyphen in
        front, chains to remove: ``("-C", "-D")``. A chain is all that goes by its name, water and ligands
        included.
    altlocs
        Alternative positions to keep, or with a hyphen in front to remove, alike. A residue that has none
        of those to keep keeps its own of highest occupancy, so that no residue is lost. ``"highest"`` does
        so everywhere: one position of each atom stays, of one alternative a residue as far as that has it.
    models
        Numbers of the models to keep; negative: to remove.
    minimum_plddt
        Residues of a predicted model whose confidence (pLDDT, 0 to 100) is lower go. Refused for any other
        file.

    Raises
    ------
    InvalidChoiceError
        If a selection both keeps and removes, or is empty, or the pLDDT is no number from 0 to 100.

    Examples
    --------
    >>> CleanOptions(water=True, chains=("A", "B")).water
    True
    >>> CleanOptions(chains=("A", "-B"))
    Traceback (most recent call last):
    ...
    profet.errors.InvalidChoiceError: chains 'A', '-B' both keeps and removes; it can do one of the two
    """

    signal_peptides: bool = False
    hydrogens: bool = False
    water: bool = False
    hetatoms: bool = False
    transit_peptides: bool = False
    propeptides: bool = False
    chains: str | Iterable[str] | None = None
    altlocs: str | Iterable[str] | None = None
    models: int | Iterable[int] | None = None
    minimum_plddt: float | None = None

    def __post_init__(self) -> None:
        for name in ("chains", "altlocs", "models"):
            given = getattr(self, name)
            if given is not None:
                single = isinstance(given, str | int)
                object.__setattr__(self, name, given if single else tuple(given))
                Selection.of(name, getattr(self, name))
        if self.minimum_plddt is not None and not 0 <= self.minimum_plddt <= 100:
            raise InvalidChoiceError(
                f"minimum_plddt is {self.minimum_plddt!r}; it has to lie between 0 and 100"
            )

    def selection(self, name: Literal["chains", "altlocs", "models"]) -> Selection | None:
        """Return what is to be kept or removed of chains, alternatives or models; None for all."""
        given = getattr(self, name)
        return None if given is None else Selection.of(name, given)

    def peptides(self) -> list[Peptide]:
        """Parts of the sequence that are to go."""
        return [kind for kind in PEPTIDES if getattr(self, kind)]


def suffix(options: CleanOptions, stated: Mapping[Peptide, Iterable[tuple[int, int]]]) -> str:
    """End of the published name of a cleaned file; what profet 1 could not do follows behind.

    Parameters
    ----------
    options
        What was asked for.
    stated
        Signal peptides and their like as UniProt states them, whether or not the structure contains them.

    Examples
    --------
    >>> suffix(CleanOptions(signal_peptides=True, hydrogens=True), {"signal_peptides": [(1, 25)]})
    'nosignal1to25_nohydrogens'
    >>> suffix(CleanOptions(signal_peptides=True, water=True, hetatoms=True, chains="A"), {})
    'nosignalnone_nowater_nohetatm_chainsA'
    >>> suffix(CleanOptions(), {})
    'unmodified'
    """

    def peptide(kind: Peptide, word: str) -> str:
        ranges = "_".join(f"{first}to{last}" for first, last in stated.get(kind, ()))
        return f"{word}{ranges or 'none'}" if getattr(options, kind) else ""

    parts = [
        peptide("signal_peptides", "nosignal"),
        "nohydrogens" if options.hydrogens else "",
        "nowater" if options.water else "",
        "nohetatm" if options.hetatoms else "",
        peptide("transit_peptides", "notransit"),
        peptide("propeptides", "nopropeptide"),
        *(_selected(name, options) for name in ("chains", "altlocs", "models")),
        "" if options.minimum_plddt is None else f"plddt{options.minimum_plddt:g}",
    ]
    return "_".join(part for part in parts if part) or "unmodified"


def _selected(name: Literal["chains", "altlocs", "models"], options: CleanOptions) -> str:
    selection = options.selection(name)
    if selection is None:
        return ""
    names = "+".join(quote(text, safe="") for text in selection.names)
    return f"{name}{names}" if selection.keeps else f"no{name}{names}"
