"""Finds where in a chain's sequence its observed residues stand, when a file numbers them in its own way."""

from __future__ import annotations

from collections.abc import Sequence

Label = tuple[int | None, str]
"""The authors' number of a residue, None if it cannot be read, and its insertion code."""


def place_runs(letters: str, labels: Sequence[Label], sequence: str) -> list[int] | None:
    """Place observed residues in the sequence that they are part of.

    If the authors count along the sequence, from whatever number on, one shift places all residues at once.
    Otherwise they are cut into runs wherever the labels jump, and each run is looked for behind the one
    before; where it fits in several places, the one that the jump points at is taken, then the next one.

    Parameters
    ----------
    letters
        Observed residues in order of the chain; X fits anything.
    labels
        The authors' numbers and insertion codes.
    sequence
        The whole sequence; an X in it fits anything.

    Returns
    -------
    list of int or None
        0-based places, or None if the residues are not part of the sequence in this order.

    Examples
    --------
    >>> place_runs("GKAL", [(11, ""), (12, ""), (17, ""), (18, "")], "MGKGSSSALV")
    [1, 2, 7, 8]
    >>> place_runs("GKAL", [(1, "A"), (1, "B"), (1, "G"), (1, "H")], "MGKGSSSALV")
    [1, 2, 7, 8]
    >>> place_runs("GKAL", [(1, ""), (2, ""), (3, ""), (4, "")], "MGKGSSSALV") is None
    True
    """
    return _shift(letters, labels, sequence) or _search(letters, labels, sequence)


def _shift(letters: str, labels: Sequence[Label], sequence: str) -> list[int] | None:
    """Places by one shift for all; None if none fits, or more than one."""
    known = [number for number, insertion in labels if number is not None and not insertion]
    if not known or len(known) < len(letters):
        return None
    found = [
        shift
        for shift in range(-min(known), len(sequence) - max(known))
        if all(_fits(letter, sequence, n + shift) for letter, n in zip(letters, known, strict=True))
    ]
    return [number + found[0] for number in known] if len(found) == 1 else None


def _search(letters: str, labels: Sequence[Label], sequence: str) -> list[int] | None:
    """Places run by run."""
    places: list[int] = []
    for run, jump in _runs(letters, labels):
        end = places[-1] + 1 if places else 0
        fits = [start for start in range(end, len(sequence) - len(run) + 1) if _fits(run, sequence, start)]
        if not fits:
            return None
        expected = end + jump if places else fits[0]
        start = expected if expected in fits else fits[0]
        places += range(start, start + len(run))
    return places


def _runs(letters: str, labels: Sequence[Label]) -> list[tuple[str, int]]:
    """Stretches without a jump, and how many residues the jump in front of each leaves out."""
    runs: list[tuple[str, int]] = []
    begin, jump = 0, 0
    for position in range(1, len(letters)):
        step = _step(labels[position - 1], labels[position])
        if step != 1:
            runs.append((letters[begin:position], jump))
            begin, jump = position, max(0, step - 1)
    return [*runs, (letters[begin:], jump)] if letters else []


def _step(before: Label, here: Label) -> int:
    """How far apart two labels are; 1 if nothing is left out between them."""
    if before[0] is None or here[0] is None:
        return 1
    if before[0] != here[0]:
        return here[0] - before[0]
    letters = [ord(label[1]) if label[1] else ord("A") - 1 for label in (before, here)]  # 1, 1A, 1B
    return letters[1] - letters[0]


def _fits(run: str, sequence: str, start: int) -> bool:
    return all(
        one == other or "X" in (one, other)
        for one, other in zip(run, sequence[start : start + len(run)], strict=True)
    )
