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


def say_pixel(size_angstrom: tuple[float, float] | None) -> str:
    """Return a pixel size along y and x in words.

    Examples
    --------
    >>> say_pixel((1.06, 1.06)), say_pixel((2.0, 1.0)), say_pixel(None)
    ('1.06 Å a pixel', '2 x 1 Å a pixel', 'pixel size not known')
    """
    if size_angstrom is None:
        return "pixel size not known"
    y, x = size_angstrom
    return f"{x:.4g} Å a pixel" if abs(y - x) < 1e-3 * x else f"{y:.4g} x {x:.4g} Å a pixel"
