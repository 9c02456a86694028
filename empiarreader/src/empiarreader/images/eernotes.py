"""What a camera noted in an EER file: a small XML text in the first page."""

from __future__ import annotations

import math

from empiarreader.errors import DamagedDataError
from empiarreader.xmltext import parse_xml

# A pixel of the specimen is some Å; files that give the 14 µm of the detector instead say nothing of it.
_LARGEST_PIXEL_ANGSTROM = 1000.0
_ANGSTROM = {"m": 1e10, "nm": 10.0, "pm": 0.01, "angstrom": 1.0, "": 1e10}


def parse_notes(content: bytes, label: str) -> dict[str, str]:
    """Return the items by name, and their units as ``name.unit``.

    Raises
    ------
    DamagedDataError
        If it is no such XML, or declares entities, which could be made to fill any memory.
    """
    try:
        root = parse_xml(content)
    except ValueError as error:
        raise DamagedDataError(f"the notes in {label} are damaged: {error}") from error
    notes: dict[str, str] = {}
    for item in root.iter("item"):
        name = item.get("name")
        if name and item.text is not None:
            notes[name] = item.text.strip()
            if unit := item.get("unit"):
                notes[f"{name}.unit"] = unit
    return notes


def number(notes: dict[str, str], name: str) -> float:
    """Return a number above 0 that was noted, 0.0 where there is none."""
    try:
        value = float(notes.get(name, ""))
    except ValueError:
        return 0.0
    return value if 0 < value < math.inf else 0.0


def pixel_size(notes: dict[str, str]) -> tuple[float, float]:
    """Return the size of a pixel in Å, ``(y, x)``; 0.0 where it was not noted."""
    sizes = []
    for axis in ("height", "width"):
        name = f"sensorPixelSize.{axis}"
        size = number(notes, name) * _ANGSTROM.get(notes.get(f"{name}.unit", "").lower(), 0.0)
        sizes.append(size if size <= _LARGEST_PIXEL_ANGSTROM else 0.0)
    return sizes[0], sizes[1]
