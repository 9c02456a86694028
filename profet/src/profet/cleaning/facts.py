"""What is read of a file before the first atom is judged."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass, field

from profet.cleaning.alternatives import Alternatives
from profet.cleaning.numbering import Chain
from profet.cleaning.residues import WATERS
from profet.errors import InvalidIdError
from profet.ids import PdbId, parse_id


@dataclass(kw_only=True)
class Facts:
    """The part that both formats have.

    Attributes
    ----------
    pdb_id
        Entry that the file says it is; None if it is not from the PDB.
    chains
        Polymer chains; empty unless peptides are to be looked for.
    plddt
        Confidence by residue, 0 to 100; None if the file does not say that it is a predicted model.
    alternatives
        Alternative positions, if they are to be chosen from.
    water_names
        Names of residues that are water.
    """

    pdb_id: str | None = None
    chains: list[Chain] = field(default_factory=list)
    plddt: dict[Hashable, float] | None = None
    alternatives: Alternatives | None = None
    water_names: frozenset[bytes] = WATERS


def pdb_id_of(text: str) -> str | None:
    """Return the id of an entry of the PDB, or None if the text is none.

    Examples
    --------
    >>> pdb_id_of("1aki"), pdb_id_of("AF-P05067-F1"), pdb_id_of("XXXX")
    ('1AKI', None, None)
    """
    try:
        identity = parse_id(text)
    except InvalidIdError:
        return None
    return identity.text if isinstance(identity, PdbId) else None


def as_number(text: str, *, otherwise: float) -> float:
    """Read a number; what is none counts as something else."""
    try:
        value = float(text)
    except ValueError:
        return otherwise
    return value if math.isfinite(value) else otherwise
