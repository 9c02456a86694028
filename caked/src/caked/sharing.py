"""How samples are shared out among parts: by fractions, in units that stay together."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction

from caked.errors import InvalidOptionError

__all__ = ["Unit", "assign", "shares_of"]

Unit = list[int]


def shares_of(fractions: Mapping[str, float]) -> dict[str, Fraction]:
    """Return fractions as the decimal numbers that they are written as, after a check that they add up to 1.

    Raises
    ------
    InvalidOptionError
        If they do not, or one is no number.
    """
    try:
        shares = {part: Fraction(str(share)) for part, share in fractions.items()}
    except ValueError as error:  # NaN too
        raise InvalidOptionError(f"Fractions are numbers that add up to 1, not {dict(fractions)}.") from error
    if abs(sum(shares.values(), Fraction(0)) - 1) > Fraction(1, 10**6):
        raise InvalidOptionError(f"Fractions add up to 1, not {dict(fractions)}.")
    return shares


def assign(strata: list[list[Unit]], fractions: Mapping[str, float]) -> dict[str, Unit]:
    """Give every unit to the part that is farthest from its share, stratum after stratum, large units first.

    With units of one sample this is the method of largest remainders (Hamilton's). What a stratum leaves over
    or short is carried on to the next, so that the totals come out right as well.

    Examples
    --------
    >>> assign([[[0], [1], [2, 3]]], {"train": 0.75, "test": 0.25})
    {'train': [2, 3, 0], 'test': [1]}
    """
    shares = shares_of(fractions)
    wanted = dict.fromkeys(shares, Fraction(0))
    parts: dict[str, list[Unit]] = {part: [] for part in shares}
    for units in strata:
        size = sum(len(unit) for unit in units)
        for part, share in shares.items():
            wanted[part] += size * share
        for unit in sorted(units, key=len, reverse=True):  # stable, so equal ones stay in their random order
            part = max(wanted, key=wanted.__getitem__)
            wanted[part] -= len(unit)
            parts[part].append(unit)
    _fill_empty(parts, shares, wanted)
    return {part: [i for unit in units for i in unit] for part, units in parts.items()}


def _fill_empty(
    parts: dict[str, list[Unit]], shares: Mapping[str, Fraction], wanted: dict[str, Fraction]
) -> None:
    """Give a part that came out empty the smallest group of the one that has most beyond its share.

    Groups are coarse: of five groups, a tenth is none. Single samples are left as they fall, for there an
    empty part means that too little was asked for, and is reported.
    """
    grouped = any(len(unit) > 1 for units in parts.values() for unit in units)
    for part, share in shares.items():
        donors = [other for other in parts if len(parts[other]) > 1]
        if share > 0 and not parts[part] and grouped and donors:
            donor = min(donors, key=wanted.__getitem__)
            unit = min(parts[donor], key=len)
            parts[donor].remove(unit)
            parts[part].append(unit)
            wanted[donor] += len(unit)
            wanted[part] -= len(unit)
