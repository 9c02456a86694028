"""Into which pieces a file is cut, so that they can be fetched side by side."""

from __future__ import annotations

MIB = 1024 * 1024
PIECE = 8 * MIB
SMALLEST_PIECE = MIB
_LARGEST_PIECE = 16 * MIB
_SHARE_OF_A_ROUND = 0.6


def cut_rest(rest: int, connections: int | None) -> list[int]:
    """Return the lengths of the pieces for what follows the beginning of a file.

    Parameters
    ----------
    rest
        How many bytes that is.
    connections
        How many connections fetch this file alone; None where there are other files for them. Their pieces
        become smaller towards the end, so that all are done at about the same time, and little is left to be
        hashed then; a round of requests takes more than half of what is left.

    Examples
    --------
    >>> [length // MIB for length in cut_rest(21 * MIB, None)]
    [7, 7, 7]
    >>> [length // MIB for length in cut_rest(128 * MIB, 4)]
    [16, 16, 16, 16, 9, 9, 9, 9, 6, 6, 6, 6]
    """
    if connections is None:
        return _lengths(rest, -(-rest // PIECE))
    lengths: list[int] = []
    while rest:
        length = min(_LARGEST_PIECE, round(rest / connections * _SHARE_OF_A_ROUND))
        if length < PIECE:
            return [*lengths, *_lengths(rest, max(1, min(connections, rest // SMALLEST_PIECE)))]
        lengths += [length] * connections
        rest -= length * connections
    return lengths


def _lengths(total: int, count: int) -> list[int]:
    """Return the lengths of so many pieces of about equal size."""
    return [total * (k + 1) // count - total * k // count for k in range(count)]
