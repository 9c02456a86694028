"""A structure that a database holds of a protein, and the order in which several are tried."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from profet.enums import FileType
from profet.errors import InvalidChoiceError
from profet.ids import shown

ORDER = ("database", "coverage", "resolution", "method")
"""Ways to compare structures, the one that counts most first: what is tried first unless told otherwise."""


@dataclass(frozen=True, kw_only=True)
class StructureHit:
    """A structure that a database holds; `Fetcher.get_file` takes one in place of an id.

    Attributes
    ----------
    database
        Name of the database that has the file.
    id
        Its id there: ``8KF4``, ``AF-P05067-F1``.
    chains
        Chains of the protein in it, by the authors' names; empty where that was not asked.
    range
        First and last residue of the protein in it, in UniProt numbering; None where that is not known. It
        is the range of the *construct* unless observed residues were asked for.
    coverage
        Fraction of the protein's sequence that it covers, 0 to 1; None where that is not known.
    resolution
        In Å; None where the method has none, as NMR and prediction.
    method
        ``"X-ray"``, ``"EM"``, ``"NMR"``, ``"predicted"`` … as the database says it.
    accession
        UniProt accession, or isoform, of the protein.
    segments
        ``(chains, first, last)`` of each stretch, in UniProt numbering.
    sequence_identity
        Fraction of residues that are those of the protein, 0 to 1, where the database says it.
    provider
        Who made the model, where the database passes on those of others.
    assembly
        Number of the biological assembly that is meant; None for the deposited unit.
    label
        What the name of its file has after the id that was asked for; empty for a protein's only model.
    file_url, file_type
        Where its one file lies, in a database whose files have addresses that only a search tells.
    reason
        Why it comes before the next one.
    """

    database: str
    id: str
    chains: tuple[str, ...] = ()
    range: tuple[int, int] | None = None
    coverage: float | None = None
    resolution: float | None = None
    method: str = ""
    accession: str | None = None
    segments: tuple[tuple[str, int, int], ...] = ()
    sequence_identity: float | None = None
    provider: str = ""
    assembly: int | None = None
    label: str = ""
    file_url: str = ""
    file_type: FileType | None = None
    reason: str = ""

    @property
    def is_predicted(self) -> bool:
        """Whether no experiment showed it."""
        return self.method == PREDICTED

    def to_record(self) -> dict[str, Any]:
        """Return what JSON can hold of it; what is not known is left out."""
        record = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {name: value for name, value in record.items() if value not in (None, "", ())}


PREDICTED = "predicted"


def fraction(value: Any) -> float | None:
    """Read a fraction, also one that is stated in percent; None for what is none.

    Examples
    --------
    >>> fraction(0.165), fraction("86.0"), fraction(1), fraction(None), fraction(-3)
    (0.165, 0.86, 1.0, None, None)
    """
    number = _number(value)
    if number is None or number < 0:
        return None
    return min(1.0, number / 100 if number > 1 else number)


def angstrom(value: Any) -> float | None:
    """Read a resolution; None for what is none, as that of a method without one."""
    number = _number(value)
    return number if number is not None and number > 0 else None


def _number(value: Any) -> float | None:
    if value is None:
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def extent(segments: Iterable[tuple[str, int, int]]) -> tuple[int, int] | None:
    """First and last residue of some segments, None if there are none."""
    ends = [end for _, first, last in segments for end in (first, last)]
    return (min(ends), max(ends)) if ends else None


def residues_in(segments: Iterable[tuple[str, int, int]]) -> int:
    """How many residues some segments hold, each counted once.

    Examples
    --------
    >>> residues_in([("A", 1, 10), ("B", 5, 12), ("A", 20, 20)])
    13
    """
    covered, reached = 0, 0
    for _, first, last in sorted(segments, key=lambda segment: segment[1:]):
        covered += max(0, last - max(first - 1, reached))
        reached = max(reached, last)
    return covered


def parse_order(order: str | Sequence[str]) -> tuple[str, ...]:
    """Order of comparison, completed by what is not named.

    Raises
    ------
    InvalidChoiceError
        If there is no such way to compare, or one comes twice.

    Examples
    --------
    >>> parse_order("resolution,coverage")
    ('resolution', 'coverage', 'database', 'method')
    """
    words = order.replace(",", " ").split() if isinstance(order, str) else list(order)
    for word in words:
        if word not in ORDER or words.count(word) > 1:
            raise InvalidChoiceError(
                f"cannot order structures by {shown(word)}; profet knows {', '.join(ORDER)}"
            )
    return (*words, *(word for word in ORDER if word not in words))


def ranked(
    hits: Iterable[StructureHit], order: Sequence[str] = ORDER, *, databases: Sequence[str] = ()
) -> list[StructureHit]:
    """Sort structures, the best one first, and say of each why it comes before the next.

    Parameters
    ----------
    hits
        In any order.
    order
        As `parse_order` returns it. What is equal in all of that is sorted by id.
    databases
        In the order in which they are asked; others come behind.
    """
    ranks = _ranks(databases)
    keys = [ranks[word] for word in order]
    best = sorted(hits, key=lambda hit: (*(key(hit) for key in keys), hit.id))
    following = [*best[1:], None]  # one too many for an empty list
    return [
        hit if after is None else dataclasses.replace(hit, reason=_reason(hit, after, order, ranks))
        for hit, after in zip(best, following, strict=False)
    ]


_Rank = Callable[[StructureHit], float]

# What a resolution does not say: in a crystal it is measured, in a map estimated; NMR shows no one structure.
_METHODS = ("x-ray", "neutron", "electron crystallography", "em", "electron microscopy", "nmr")


def _ranks(databases: Sequence[str]) -> dict[str, _Rank]:
    places = {name: place for place, name in enumerate(databases)}
    return {
        "database": lambda hit: places.get(hit.database, len(places)),
        "coverage": lambda hit: -(hit.coverage or 0.0),
        "resolution": lambda hit: hit.resolution or float("inf"),
        "method": _method_rank,
    }


def _method_rank(hit: StructureHit) -> float:
    method = hit.method.lower()
    if hit.is_predicted:
        return len(_METHODS) + 1
    known = (
        place for place, name in enumerate(_METHODS) if method.startswith(name) or name in method.split()
    )
    return next(known, len(_METHODS))


def _reason(hit: StructureHit, after: StructureHit, order: Sequence[str], ranks: dict[str, _Rank]) -> str:
    if (hit.database, hit.id) == (after.database, after.id):
        return ""  # another protein in the same entry
    decisive = next((word for word in order if ranks[word](hit) != ranks[word](after)), None)
    if decisive == "database":
        return f"{hit.database} is asked before {after.database}"
    if decisive == "coverage":
        return f"it covers {hit.coverage:.1%} of the protein, {after.id} {after.coverage or 0:.1%}"
    if decisive == "resolution":
        other = f"{after.resolution:g} Å" if after.resolution else "no resolution"
        return f"it has {hit.resolution:g} Å, {after.id} {other}"
    if decisive == "method":
        return f"its method is {hit.method}, that of {after.id} {after.method or 'not known'}"
    return f"it is equal to {after.id}, and first by id"
