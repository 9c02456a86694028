"""Numbers of bytes, files and other things as people write them."""

from __future__ import annotations

import re

_WRITTEN = re.compile(r"\s*([0-9]{1,15}(?:\.[0-9]{1,6})?)\s*([KMGTP]?)(i?)B?\s*", re.IGNORECASE)
_ODD = {"directories": "directory", "entries": "entry", "tilt_series": "tilt_series"}
_PREFIXES = ("", "k", "M", "G", "T", "P")


def parse_bytes(text: str) -> int | None:
    """Return the bytes that a text stands for, None where it is no size.

    ``50 GB`` and ``50g`` count in thousands, ``50 GiB`` in 1024s; a bare number is bytes.

    Examples
    --------
    >>> parse_bytes("1.5 kB"), parse_bytes("2GiB"), parse_bytes("305"), parse_bytes("much")
    (1500, 2147483648, 305, None)
    """
    match = _WRITTEN.fullmatch(text)
    if match is None or (match[3] and not match[2]):
        return None
    factor = 1024 if match[3] else 1000
    return round(float(match[1]) * float(factor) ** " KMGTP".index(match[2].upper() or " "))


def describe_bytes(size: float) -> str:
    """Return a number of bytes to three figures, in thousands.

    Examples
    --------
    >>> [describe_bytes(size) for size in (12, 999.7, 16_780_000, 3.4e15)]
    ['12 B', '1 kB', '16.8 MB', '3.4 PB']
    """
    for prefix in _PREFIXES[:-1]:
        if float(f"{size:.3g}") < 1000:
            return f"{size:.3g} {prefix}B"
        size /= 1000
    return f"{size:.3g} {_PREFIXES[-1]}B"


def describe_files(number: int) -> str:
    """Return a number of files in words.

    Examples
    --------
    >>> describe_files(1), describe_files(12)
    ('1 file', '12 files')
    """
    return describe_count(number, "files")


def describe_count(number: int, things: str) -> str:
    """Return a number of things in words.

    Examples
    --------
    >>> [describe_count(number, "entries") for number in (0, 1, 2)], describe_count(1, "tilt_series")
    (['0 entries', '1 entry', '2 entries'], '1 tilt_series')
    """
    return f"{number} {one_of(things) if number == 1 else things}"


def one_of(things: str) -> str:
    """Return the singular of a plural, as far as this library needs it.

    Examples
    --------
    >>> one_of("directories"), one_of("movies"), one_of("metadata")
    ('directory', 'movie', 'metadata')
    """
    return _ODD.get(things) or things.removesuffix("s")
