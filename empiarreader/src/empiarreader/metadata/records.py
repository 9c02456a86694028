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
from empiarreader.byteunits import parse_bytes
from empiarreader.errors import InvalidRequestError
from empiarreader.metadata.emdb import parse_emdb_id
from empiarreader.metadata.vocabularies import decode_word

_PLACE_OF_PAPER = ("journal_abbreviation", "volume", "issue", "first_page", "last_page", "details")
_DEPOSITED_NAME = re.compile(r"\(\s*'([^']*)'\s*,\s*'([^']*)'\s*\)")


@dataclass(frozen=True, kw_only=True)
class Segmentation:
    """A segmentation of images of an imageset: its number, its file, and what its depositors say of it.

    ``original_files`` and ``original_format`` are those from which EMPIAR made the file.
    """

    number: int | None = None
    file: str = ""
    description: str = ""
    original_files: tuple[str, ...] = ()
    original_format: str = ""


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
    frame_range : tuple of int, or None
        First and last frame that were deposited, counted from 1; None unless both were given.
    image_width, image_height : int or None
        In pixels; None where the sizes vary or were not given.
    pixel_width_angstrom, pixel_height_angstrom : float or None
        Å a pixel. EMPIAR states no unit; values are in Å by all evidence.
    micrographs_pattern, particles_pattern, particles_directory : str
        Where the files are by the depositors' account, relative to the entry; ``""`` where they gave none.
    segmentations : tuple of Segmentation
        Segmentations of these images.
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
    frame_range: tuple[int, int] | None = None
    image_width: int | None = None
    image_height: int | None = None
    pixel_width_angstrom: float | None = None
    pixel_height_angstrom: float | None = None
    micrographs_pattern: str = ""
    particles_pattern: str = ""
    particles_directory: str = ""
    segmentations: tuple[Segmentation, ...] = ()
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
    is_preprint: bool = False
    journal_abbreviation: str = ""
    volume: str = ""
    issue: str = ""
    first_page: str = ""
    last_page: str = ""
    details: str = ""


@dataclass(frozen=True, kw_only=True)
class Grant:
    """Who paid: funding body, code of the grant, country; ``""`` where the record does not say."""

    funding_body: str = ""
    code: str = ""
    country: str = ""


@dataclass(frozen=True, kw_only=True)
class Version:
    """A change of an entry: its number, its day ``YYYY-MM-DD``, the status that it gave, and what it was."""

    number: int | None = None
    date: str = ""
    status: str = ""
    details: str = ""


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
            is_preprint=item.get("preprint") is True,
            **{name: as_text(item.get(name)) for name in _PLACE_OF_PAPER},
        )
        for item in _mappings(record.get("citation"))
    )


def read_grants(record: Mapping[str, Any]) -> tuple[Grant, ...]:
    """Return the grants that an entry's record names, in its order."""
    return tuple(
        Grant(
            funding_body=as_text(item.get("funding_body")),
            code=as_text(item.get("code")),
            country=as_text(item.get("country")),
        )
        for item in _mappings(record.get("grant_references"))
    )


def read_versions(record: Mapping[str, Any]) -> tuple[Version, ...]:
    """Return the changes that an entry's record names, in its order."""
    return tuple(
        Version(
            number=as_integer(item.get("version_number")),
            date=as_text(item.get("date")),
            status=as_text(item.get("status_code")),
            details="; ".join(_texts(item.get("details"))),
        )
        for item in _mappings(record.get("version_history"))
    )


def read_workflow_urls(record: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the addresses of the workflows that an entry's record names."""
    found = (as_text(item.get("url")) for item in _mappings(record.get("workflows")))
    return tuple(url for url in found if url)


def read_orcids(record: Mapping[str, Any]) -> dict[str, str]:
    """Return the ORCID iDs of the people of an entry's record by their names."""
    found = {}
    for field_name in ("authors", "principal_investigator"):
        for person in _mappings(record.get(field_name)):
            inner = person.get("author", person)
            orcid = as_text(inner.get("author_orcid")) if isinstance(inner, Mapping) else ""
            if orcid and (name := read_person(person)):
                found[name] = orcid
    return found


def read_people(value: Any) -> tuple[str, ...]:
    """Return names of people, whether each is a text, ``{"name": …}`` or ``{"author": {"name": …}}``."""
    names = map(read_person, value if isinstance(value, list) else [])
    return tuple(name for name in names if name)


def read_person(value: Any) -> str:
    """Return the name of one person, ``""`` where there is none.

    Examples
    --------
    >>> read_person({"author": {"first_name": "Ada", "last_name": "King"}}), read_person("('Smith', 'JW')")
    ('Ada King', 'Smith JW')
    """
    if isinstance(value, Mapping):
        inner = value.get("author", value)
        if not isinstance(inner, Mapping):
            return read_person(inner)
        parts = (as_text(inner.get(f"{which}_name")) for which in ("first", "middle", "last"))
        return read_person(inner.get("name")) or " ".join(filter(None, parts))
    text = as_text(value)
    deposited = _DEPOSITED_NAME.fullmatch(text)  # the shape of the deposition form
    return " ".join(filter(None, deposited.groups())) if deposited else text


def read_references(value: Any) -> tuple[str, ...]:
    """Return references to other archives, whether each is a text or ``{"name": …}``.

    Examples
    --------
    >>> read_references(["EMD-2275", {"name": "EMD-3233"}, None]), read_references({"name": "EMD-3233"})
    (('EMD-2275', 'EMD-3233'), ('EMD-3233',))
    """
    found = []
    for item in value if isinstance(value, list) else [value]:
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
    written = as_text(text)
    return parse_bytes(written) if written.upper().endswith("B") else None


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
        category=_word(item, "category"),
        data_format=_word(item, "data_format"),
        header_format=_word(item, "header_format"),
        voxel_type=_word(item, "voxel_type"),
        details=as_text(item.get("details")),
        count=as_integer(item.get("num_images_or_tilt_series")),
        frames_per_image=as_integer(item.get("frames_per_image")),
        frame_range=_frame_range(item),
        image_width=as_integer(item.get("image_width")),
        image_height=as_integer(item.get("image_height")),
        pixel_width_angstrom=as_number(item.get("pixel_width")),
        pixel_height_angstrom=as_number(item.get("pixel_height")),
        micrographs_pattern=as_text(item.get("micrographs_file_pattern")),
        particles_pattern=as_text(item.get("picked_particles_file_pattern")),
        particles_directory=_directory(item.get("picked_particles_directory")),
        segmentations=tuple(
            Segmentation(
                number=as_integer(segmentation.get("id")),
                file=as_text(segmentation.get("file")),
                description=as_text(segmentation.get("description")),
                original_files=_texts(segmentation.get("original_files")),
                original_format=as_text(segmentation.get("original_format")),
            )
            for segmentation in _mappings(item.get("segmentations"))
        ),
        record=dict(item),
    )


def _word(item: Mapping[str, Any], field: str) -> str:
    return decode_word(field, as_text(item.get(field)))


def _frame_range(item: Mapping[str, Any]) -> tuple[int, int] | None:
    first, last = (as_integer(item.get(f"frame_range_{end}")) for end in ("min", "max"))
    return (first, last) if first is not None and last is not None else None


def _directory(value: Any) -> str:
    text = as_text(value)
    try:
        return normalise_path(text)
    except InvalidRequestError:
        return text  # climbs out of the entry: kept to be seen, refused when it is used


def _texts(value: Any) -> tuple[str, ...]:
    """Return the texts of a list, or the one text that stands in its place."""
    return tuple(filter(None, map(as_text, value if isinstance(value, list) else [value])))


def _mappings(value: Any) -> Iterable[Mapping[str, Any]]:
    return [item for item in value if isinstance(item, Mapping)] if isinstance(value, list) else []
