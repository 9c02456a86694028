"""Finds where in a chain's sequence its observed residues stand, when a file numbers them in its own way."""

from __future__ import annotations

from collections.abc import Sequence


def place_runs(letters: str, numbers: Sequence[int | None], sequence: str) -> list[int] | None:
    """Place observed residues in the sequence that they are part of.

    If the authors count along the sequence, from whatever number on, one shift places all residues at once.
    Otherwise they are cut into runs wherever the numbers jump, and each run is looked for behind the one
    before; where it fits in several places, the one that the jump points at is taken, then the next one.

    Parameters
    ----------
    letters
        Observed residues in order of the chain; X fits anything.
    numbers
        The authors' numbers; residues that differ by insertion code only have the same one.
    sequence
        The whole sequence; an X in it fits anything.

    Returns
    -------
    list of int or None
        0-based places, or None if the residues are not part of the sequence in this order.

    Examples
    --------
    >>> place_runs("GKAL", [11, 12, 17, 18], "MGKGSSSALV")
    [1, 2, 7, 8]
    >>> place_runs("GKAL", [16, 17, 35, 36], "MGKGSSSALV")
    [1, 2, 7, 8]
    >>> place_runs("GKAL", [1, 2, 3, 4], "MGKGSSSALV") is None
    True
    """
    return _shift(letters, numbers, sequence) or _search(letters, numbers, sequence)


def _shift(letters: str, numbers: Sequence[int | None], sequence: str) -> list[int] | None:
    """Places by one shift for all; None if none fits, or more than one."""
    known = [number for number in numbers if number is not None]
    if not known or len(known) < len(letters) or len(set(known)) < len(known):
        return None
    found = [
        shift
        for shift in range(-min(known), len(sequence) - max(known))
        if all(_fits(letter, sequence, n + shift) for letter, n in zip(letters, known, strict=True))
    ]
    return [number + found[0] for number in known] if len(found) == 1 else None


def _search(letters: str, numbers: Sequence[int | None], sequence: str) -> list[int] | None:
    """Places run by run."""
    places: list[int] = []
    for run, jump in _runs(letters, numbers):
        end = places[-1] + 1 if places else 0
        fits = [start for start in range(end, len(sequence) - len(run) + 1) if _fits(run, sequence, start)]
        if not fits:
            return None
        expected = end + jump if places else fits[0]
        start = expected if expected in fits else fits[0]
        places += range(start, start + len(run))
    return places


def _runs(letters: str, numbers: Sequence[int | None]) -> list[tuple[str, int]]:
    """Stretches without a jump, and how many residues the jump in front of each leaves out."""
    runs: list[tuple[str, int]] = []
    begin, jump = 0, 0
    for position in range(1, len(letters)):
        before, here = numbers[position - 1], numbers[position]
        step = here - before if before is not None and here is not None else 1
        if step not in (0, 1):
            runs.append((letters[begin:position], jump))
            begin, jump = position, max(0, step - 1)
    return [*runs, (letters[begin:], jump)] if letters else []


def _fits(run: str, sequence: str, start: int) -> bool:
    return all(
        one == other or "X" in (one, other)
        for one, other in zip(run, sequence[start : start + len(run)], strict=True)
    )
