"""Round lengths for scale bars."""

from __future__ import annotations

import math


def bar_length(width_angstrom: float, *, most: float = 0.3) -> float:
    """Return the longest 1, 2 or 5 times a power of ten that is at most that part of a width; in Å.

    Examples
    --------
    >>> bar_length(4096.0)
    1000.0
    """
    wanted = width_angstrom * most
    power = 10.0 ** math.floor(math.log10(wanted))
    return max(factor * power for factor in (1.0, 2.0, 5.0) if factor * power <= wanted * (1 + 1e-9))


def say_length(angstrom: float) -> str:
    """Return a length in Å, nm, µm or mm.

    Examples
    --------
    >>> say_length(5.0), say_length(500.0), say_length(2e4), say_length(1e8)
    ('5 Å', '50 nm', '2 µm', '10 mm')
    """
    for unit, size in (("mm", 1e7), ("µm", 1e4), ("nm", 10.0)):
        if angstrom >= size:
            return f"{angstrom / size:g} {unit}"
    return f"{angstrom:g} Å"
