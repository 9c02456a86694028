"""The words that EMPIAR's fields are filled with, also where a record holds their codes.

The public API says ``TIFF``. The deposition form, and records from before a release, hold ``"('T3', '')"``, a
code, or ``"('OT', 'NEW FORMAT')"``, a word that is not on the list; for kind and scale of the experiment it
holds a number. Source of the codes: EMPIAR's deposition
schema, https://github.com/emdb-empiar/empiar-depositor.
"""

from __future__ import annotations

import re

_CODED = re.compile(r"\(\s*'(OT|T[1-9][0-9]?)'\s*,\s*'([^']*)'\s*\)")
_FORMATS = (
    "MRC", "MRCS", "TIFF", "IMAGIC", "DM3", "DM4", "SPIDER", "XML", "EER", "PNG", "JPEG", "SMV", "EM", "TPX3",
)  # fmt: skip
_WORDS = {
    "category": (
        "micrographs - single frame",
        "micrographs - multiframe",
        "micrographs - focal pairs - unprocessed",
        "micrographs - focal pairs - contrast inverted",
        "picked particles - single frame - unprocessed",
        "picked particles - multiframe - unprocessed",
        "picked particles - single frame - processed",
        "picked particles - multiframe - processed",
        "tilt series",
        "class averages",
        "stitched maps",
        "diffraction images",
        "reconstructed volumes",
        "subtomograms",
    ),
    "header_format": _FORMATS,
    "data_format": tuple("BIG DATA VIEWER HDF5" if word == "XML" else word for word in _FORMATS),
    "voxel_type": (
        "UNSIGNED BYTE",
        "SIGNED BYTE",
        "UNSIGNED 16 BIT INTEGER",
        "SIGNED 16 BIT INTEGER",
        "UNSIGNED 32 BIT INTEGER",
        "SIGNED 32 BIT INTEGER",
        "32 BIT FLOAT",
        "BIT",
        "4 BIT INTEGER",
    ),
}

_NUMBERED = {
    "experiment_type": (
        "SXT", "INSILICO", "EMDB", "SBF-SEM", "FIB-SEM", "IHM", "CLEM", "CLXM", "MicroED", "", "ATUM-SEM",
        "Hard X-ray/X-ray microCT", "ssET",
    ),
    "scale": ("molecule", "virus", "cell", "tissue", "organism"),
}  # fmt: skip


def decode_number(field: str, text: str) -> str:
    """Return the word that a number of the deposition form stands for; another text stands for itself.

    Parameters
    ----------
    field
        ``"experiment_type"`` or ``"scale"``.
    text
        What the record holds.

    Examples
    --------
    >>> decode_number("experiment_type", "3"), decode_number("scale", "virus")
    ('EMDB', 'virus')
    """
    words = dict(enumerate(_NUMBERED[field], start=1))
    return words.get(int(text), "") or text if text.isascii() and text.isdigit() and len(text) < 3 else text


def decode_word(field: str, text: str) -> str:
    """Return the word that a field's text stands for; a text that is no code stands for itself.

    Parameters
    ----------
    field
        ``"category"``, ``"header_format"``, ``"data_format"`` or ``"voxel_type"``.
    text
        What the record holds.

    Examples
    --------
    >>> decode_word("data_format", "('T3', '')"), decode_word("data_format", "TIFF")
    ('TIFF', 'TIFF')
    >>> decode_word("category", "('OT', 'ptychograms')")
    'ptychograms'
    """
    match = _CODED.fullmatch(text)
    if match is None:
        return text
    code, other = match.groups()
    words = _WORDS[field]
    if code == "OT" or int(code[1:]) > len(words):
        return other
    return words[int(code[1:]) - 1]
