"""Why an atom goes, judged alike in both formats."""

from __future__ import annotations

from collections.abc import Hashable, Mapping

from profet.cleaning.alternatives import Alternatives
from profet.cleaning.options import CleanOptions, Reason


class Rules:
    """What `CleanOptions` mean for a residue, and for an atom of a residue that stays.

    Parameters
    ----------
    options
        What to take out.
    cut
        Residues that go for what they are in their chain: peptides, and those of low confidence.
    alternatives
        Needed if alternative positions are to go.
    """

    def __init__(
        self, options: CleanOptions, cut: Mapping[Hashable, Reason], alternatives: Alternatives | None
    ) -> None:
        self._options, self._cut = options, cut
        self._models, self._chains = options.selection("models"), options.selection("chains")
        self.alternatives = alternatives
        self.models_seen: set[str] = set()
        self.chains_seen: set[str] = set()

    @property
    def looks_at_atoms(self) -> bool:
        """Whether atoms of one residue may differ."""
        return self._options.hydrogens or self.alternatives is not None

    def for_model(self, model: str) -> Reason | None:
        """Why all of a model goes; None if it stays."""
        self.models_seen.add(model)
        return "models" if self._models is not None and model not in self._models else None

    def for_kind(self, *, model: str, chain: str, is_water: bool, is_polymer: bool) -> Reason | None:
        """Why residues of a kind go; None if they stay as far as that is concerned.

        Parameters
        ----------
        model, chain
            As the file calls them; the chain by its authors' name.
        is_water, is_polymer
            What the file says they are.
        """
        self.chains_seen.add(chain)
        if (reason := self.for_model(model)) is not None:
            return reason
        if self._chains is not None and chain not in self._chains:
            return "chains"
        if is_water:
            return "water" if self._options.water else None
        return "hetatoms" if self._options.hetatoms and not is_polymer else None

    def for_residue(self, key: Hashable) -> Reason | None:
        """Why one residue of a polymer goes whose kind stays; None if it stays, too."""
        return self._cut.get(key)

    def for_atom(
        self,
        *,
        place: Hashable,
        component: bytes,
        atom: bytes,
        letter: bytes,
        is_polymer: bool,
        is_hydrogen: bool,
    ) -> Reason | None:
        """Why an atom goes whose residue stays; None if it stays, too. `letter` is empty for one position."""
        positions = self.alternatives
        if letter and positions and positions.goes(place, component, atom, letter, is_polymer=is_polymer):
            return "altlocs"
        return "hydrogens" if is_hydrogen and self._options.hydrogens else None

    def not_found(self) -> list[str]:
        """Models and chains that were named and that the file does not have, those to keep first."""
        missing = []
        for selection, seen, what in (
            (self._models, self.models_seen, "model"),
            (self._chains, self.chains_seen, "chain"),
        ):
            if selection is not None:
                there = ", ".join(sorted(seen)) or "none"
                missing += [
                    f"no {what} {name!a} (it has {there})"
                    for name in selection.names
                    if selection.keeps and name not in seen
                ]
        return missing
