"""An entry's metadata as typed values, from records where any field may be missing, null or of another shape.

Only what a field plainly says is taken; where it says nothing, the value is None or empty. The whole record
stays at hand in ``record``. Source of the fields: EMPIAR's API and the depositor's schema
(https://github.com/emdb-empiar/empiar-depositor).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from empiarreader.addresses import normalise_path
from empiarreader.emdb import parse_emdb_id
from empiarreader.errors import InvalidRequestError

_SIZE = re.compile(r"([0-9]+(?:\.[0-9]+)?)\s*([KMGTP]?)B", re.IGNORECASE)
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12, "P": 10**15}


@dataclass(frozen=True, kw_only=True)
class Imageset:
    """One set of images of an entry, as its depositors described it.

    Attributes
    ----------
    name, directory, category, data_format, header_format, voxel_type, details : str
        As deposited; ``""`` where nothing was. ``directory`` is decoded, without slashes at its ends.
    count : int or None
        Images or tilt series said to be there; the number of files may differ.
    frames_per_image : int or None
        Frames of each.
    image_width, image_height : int or None
        In pixels; None where the sizes vary or were not given.
    pixel_width_angstrom, pixel_height_angstrom : float or None
        Å a pixel. EMPIAR states no unit; values are in Å by all evidence.
    record : Mapping
        Everything that the API says about it.
    """

    name: str
    directory: str
    category: str = ""
    data_format: str = ""
    header_format: str = ""
    voxel_type: str = ""
    details: str = ""
    count: int | None = None
    frames_per_image: int | None = None
    image_width: int | None = None
    image_height: int | None = None
    pixel_width_angstrom: float | None = None
    pixel_height_angstrom: float | None = None
    record: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, kw_only=True)
class Citation:
    """A paper about an entry; empty or None where the record does not say."""

    title: str = ""
    journal: str = ""
    year: int | None = None
    doi: str = ""
    pubmed_id: str = ""
    authors: tuple[str, ...] = ()


def read_imagesets(record: Mapping[str, Any]) -> tuple[Imageset, ...]:
    """Return the imagesets of an entry's record, in its order."""
    return tuple(_read_imageset(item) for item in _mappings(record.get("imagesets")))


def read_citations(record: Mapping[str, Any]) -> tuple[Citation, ...]:
    """Return the papers that an entry's record names, in its order."""
    return tuple(
        Citation(
            title=as_text(item.get("title")),
            journal=as_text(item.get("journal")),
            year=as_integer(item.get("year")),
            doi=as_text(item.get("doi")),
            pubmed_id=as_text(item.get("pubmedid")),
            authors=read_people(item.get("authors")),
        )
        for item in _mappings(record.get("citation"))
    )


def read_people(value: Any) -> tuple[str, ...]:
    """Return names of people, whether each is a text, ``{"name": …}`` or ``{"author": {"name": …}}``."""
    names = []
    for item in value if isinstance(value, list) else []:
        if isinstance(item, Mapping):
            inner = item.get("author", item)
            item = inner.get("name") if isinstance(inner, Mapping) else inner
        if text := as_text(item):
            names.append(text)
    return tuple(names)


def read_references(value: Any) -> tuple[str, ...]:
    """Return references to other archives, whether each is a text or ``{"name": …}``.

    Examples
    --------
    >>> read_references(["EMD-2275", {"name": "EMD-3233"}, None])
    ('EMD-2275', 'EMD-3233')
    """
    found = []
    for item in value if isinstance(value, list) else []:
        if isinstance(item, Mapping):
            item = next((item[key] for key in ("name", "id", "accession", "pdb_id") if item.get(key)), None)
        if text := as_text(item):
            found.append(text)
    return tuple(found)


def emdb_references(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the EMDB entries that a record refers to, in EMDB's own spelling."""
    found = (parse_emdb_id(text) for text in read_references(record.get("cross_references")))
    return tuple(emdb_id for emdb_id in found if emdb_id is not None)


def parse_dataset_size(text: Any) -> int | None:
    """Return the bytes that a text such as ``"305.5 GB"`` stands for, about; decimal units.

    Examples
    --------
    >>> parse_dataset_size("305.5 GB")
    305500000000
    """
    match = _SIZE.fullmatch(as_text(text))
    return round(float(match[1]) * _UNITS[match[2].upper()]) if match else None


def as_text(value: Any) -> str:
    """Return a text or number as text without surrounding space, ``""`` for all else."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return ""
    return str(value).strip()


def as_integer(value: Any) -> int | None:
    """Return a whole number, also where it was written as text; None for all else."""
    number = as_number(value)
    return int(number) if number is not None and number == int(number) else None


def as_number(value: Any) -> float | None:
    """Return a finite number, also where it was written as text; None for all else."""
    if isinstance(value, bool) or not isinstance(value, (str, int, float)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


def _read_imageset(item: Mapping[str, Any]) -> Imageset:
    return Imageset(
        name=as_text(item.get("name")),
        directory=_directory(item.get("directory")),
        category=as_text(item.get("category")),
        data_format=as_text(item.get("data_format")),
        header_format=as_text(item.get("header_format")),
        voxel_type=as_text(item.get("voxel_type")),
        details=as_text(item.get("details")),
        count=as_integer(item.get("num_images_or_tilt_series")),
        frames_per_image=as_integer(item.get("frames_per_image")),
        image_width=as_integer(item.get("image_width")),
        image_height=as_integer(item.get("image_height")),
        pixel_width_angstrom=as_number(item.get("pixel_width")),
        pixel_height_angstrom=as_number(item.get("pixel_height")),
        record=dict(item),
    )


def _directory(value: Any) -> str:
    text = as_text(value)
    try:
        return normalise_path(text)
    except InvalidRequestError:
        return text  # climbs out of the entry: kept to be seen, refused when it is used


def _mappings(value: Any) -> Iterable[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
