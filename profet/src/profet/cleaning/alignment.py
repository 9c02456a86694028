"""Places the sequence of a chain on the sequence of a protein."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from profet.errors import RefusedError

_MOST_CELLS = 100_000_000  # of an alignment, a byte each


@lru_cache(maxsize=64)
def align(sequence: str, reference: str) -> tuple[int | None, ...]:
    """Place a sequence on a reference.

    Returns
    -------
    tuple
        For each letter of `sequence` its 1-based number in `reference`, or None.

    Raises
    ------
    RefusedError
        If both are so long that the alignment would not fit in memory.

    Notes
    -----
    Local, and a gap costs as much as five matches: a tag in front of a mature protein must not be spread over
    the signal peptide for the sake of a few equal letters. (Of a tag whose last letter happens to be the one
    that the protein has there, no alignment can tell.)

    Examples
    --------
    >>> align("KVF", "MRSLKVFGR")
    (5, 6, 7)
    """
    start = reference.find(sequence)
    if sequence and start >= 0 and reference.find(sequence, start + 1) < 0:
        return tuple(range(start + 1, start + 1 + len(sequence)))
    if not sequence:
        return ()
    if len(sequence) * len(reference) > _MOST_CELLS:
        raise RefusedError(f"{len(sequence)} and {len(reference)} residues are too many to align")
    from Bio.Align import PairwiseAligner

    aligner: Any = PairwiseAligner(  # type: ignore[no-untyped-call]
        mode="local", match_score=2.0, mismatch_score=-3.0, wildcard="X"
    )
    aligner.open_gap_score = -10.0
    aligner.extend_gap_score = -0.01
    numbers: list[int | None] = [None] * len(sequence)
    found: Any = aligner.align(sequence, reference)
    blocks = found[0].aligned if found.score > 0 else ((), ())
    for (first, last), (reference_first, _) in zip(*blocks, strict=True):
        for step in range(last - first):
            numbers[first + step] = int(reference_first) + step + 1
    return tuple(numbers)
