"""Parts of one tomogram for training and validation: slabs of it, without a shared voxel.

Neighbouring patches share structure, and overlapping ones share voxels, so patches of one tomogram that are
split at random leak. Slabs along the tilt axis are the way of cryoCARE (Buchholz et al. 2019,
doi:10.1109/ISBI.2019.8759519).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from fractions import Fraction

from caked.errors import InvalidOptionError, SplitError
from caked.sharing import shares_of
from caked.sources.base import Source
from caked.split import Split

__all__ = ["split_slabs"]

_AXES = ("z", "y", "x")


def split_slabs(source: Source, fractions: Mapping[str, float], *, axis: str = "y") -> Split:
    """Split patches by where they lie: each part is a slab of every image, in the order of the parts.

    Parameters
    ----------
    source
        Patches of images or volumes, such as a :class:`caked.PatchSource`: their ``meta`` says which image
        they are of (``item``) and where they start (``start``).
    fractions
        Share of the image's length for each part, such as ``{"train": 0.9, "validation": 0.1}``; they add up
        to 1.
    axis
        ``"z"``, ``"y"`` (the tilt axis, usually) or ``"x"``: across which the slabs are cut.

    Returns
    -------
    Split
        Patches that reach over a border between two slabs are in no part.

    Raises
    ------
    SplitError
        If a part has no patch.
    InvalidOptionError
        If the samples are no patches, or have no such axis.
    """
    shares = shares_of(fractions)
    if min(shares.values()) <= 0:
        raise InvalidOptionError(f"Fractions are above 0 and add up to 1, not {dict(fractions)}.")
    by_item: dict[str, list[tuple[int, int, int]]] = defaultdict(list)
    for i in range(len(source)):
        item, start, stop = _extent(source, i, axis)
        by_item[item].append((i, start, stop))
    chosen: dict[str, list[int]] = {part: [] for part in shares}
    for patches in by_item.values():
        borders = _borders(patches, shares)
        for i, start, stop in patches:
            for part, (low, high) in borders.items():
                if low <= start and stop <= high:
                    chosen[part].append(i)
    empty = [part for part, rows in chosen.items() if not rows]
    if empty:
        raise SplitError(
            f"No patch lies wholly in the slab of {', '.join(map(repr, empty))}; take smaller patches, less "
            f"overlap or other fractions than {dict(fractions)}."
        )
    return Split({part: tuple(source.names[i] for i in sorted(rows)) for part, rows in chosen.items()})


def _extent(source: Source, i: int, axis: str) -> tuple[str, int, int]:
    known, shape = source.meta(i), source.shape(i)
    if axis not in _AXES[-len(shape) :]:
        raise InvalidOptionError(f"A sample of shape {shape} has no axis {axis!r}.")
    if "start" not in known or "item" not in known:
        raise InvalidOptionError(f"Sample {source.names[i]!r} is no patch: it does not say where it lies.")
    place = _AXES[-len(shape) :].index(axis)
    start = int(known["start"][place])
    return str(known["item"]), start, start + shape[place]


def _borders(
    patches: list[tuple[int, int, int]], shares: Mapping[str, Fraction]
) -> dict[str, tuple[Fraction, Fraction]]:
    low = Fraction(min(start for _, start, _ in patches))
    length = max(stop for _, _, stop in patches) - low
    borders = {}
    for part, share in shares.items():
        borders[part] = low, low + length * share
        low += length * share
    return borders
