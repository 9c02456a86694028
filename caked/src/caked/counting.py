"""Numbers of things in words."""

from __future__ import annotations


def counted(number: int, things: str) -> str:
    """Return a number of things in words.

    Examples
    --------
    >>> counted(1, "patches"), counted(1, "particles"), counted(3, "samples")
    ('1 patch', '1 particle', '3 samples')
    """
    return f"{number} {_one_of(things) if number == 1 else things}"


def _one_of(things: str) -> str:
    if things.endswith("series"):
        return things
    return things[:-2] if things.endswith(("ches", "sses")) else things.removesuffix("s")
