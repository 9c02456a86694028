"""What can be taken out of a structure, and the names of files that say what was."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

Reason = Literal["signal_peptides", "water", "hetatoms", "hydrogens"]
"""Why an atom was removed; an atom that several reasons fit counts under the first of them."""


@dataclass(frozen=True, kw_only=True)
class CleanOptions:
    """What to take out of a structure. The default takes out nothing.

    Examples
    --------
    >>> CleanOptions(water=True)
    CleanOptions(signal_peptides=False, hydrogens=False, water=True, hetatoms=False)
    """

    signal_peptides: bool = False  # by UniProt numbering, in the chains of that protein only
    hydrogens: bool = False  # by element, deuterium included
    water: bool = False  # HOH, DOD and WAT
    hetatoms: bool = False  # all else that is no polymer; modified residues of a polymer stay


def suffix(options: CleanOptions, signal_ranges: Iterable[tuple[int, int]]) -> str:
    """End of the published name of a cleaned file.

    Parameters
    ----------
    options
        What was asked for.
    signal_ranges
        Signal peptides as UniProt states them, whether or not the structure contains them.

    Examples
    --------
    >>> suffix(CleanOptions(signal_peptides=True, hydrogens=True), [(1, 25)])
    'nosignal1to25_nohydrogens'
    >>> suffix(CleanOptions(signal_peptides=True, water=True, hetatoms=True), [])
    'nosignalnone_nowater_nohetatm'
    >>> suffix(CleanOptions(), [])
    'unmodified'
    """
    parts = []
    if options.signal_peptides:
        ranges = "_".join(f"{first}to{last}" for first, last in signal_ranges)
        parts.append(f"nosignal{ranges or 'none'}")
    asked = {"nohydrogens": options.hydrogens, "nowater": options.water, "nohetatm": options.hetatoms}
    parts += [name for name, is_asked in asked.items() if is_asked]
    return "_".join(parts) or "unmodified"
