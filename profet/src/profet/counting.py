"""Numbers of things in words."""

from __future__ import annotations


def counted(number: int, things: str) -> str:
    """Return a number of things in words.

    Examples
    --------
    >>> counted(1, "atoms"), counted(12, "atoms")
    ('1 atom', '12 atoms')
    """
    return f"{number} {things.removesuffix('s') if number == 1 else things}"
