"""An entry's metadata from its XML file, in the shape of the API's record.

Each entry keeps ``<number>.xml`` beside its data. It says nearly all that the API says, in camel case, and it
is there while the API is not.
"""

from __future__ import annotations

import html
from typing import Any
from xml.etree import ElementTree as ET

from empiarreader.errors import DamagedDataError

_NAMESPACE = "{http://pdbe.org/empiar}"
_PERSON = {
    "author_orcid": "authorORCID",
    "first_name": "firstName",
    "middle_name": "middleName",
    "last_name": "lastName",
    "organization": "organization",
    "country": "country",
}
_IMAGESET = {
    "name": "name",
    "directory": "directory",
    "category": "category",
    "header_format": "headerFormat",
    "data_format": "dataFormat",
    "num_images_or_tilt_series": "numImagesOrTiltSeries",
    "frames_per_image": "framesPerImage",
    "frame_range_min": "frameRangeMin",
    "frame_range_max": "frameRangeMax",
    "voxel_type": "voxelType",
    "image_width": "dimensions/imageWidth",
    "image_height": "dimensions/imageHeight",
    "pixel_width": "dimensions/pixelWidth",
    "pixel_height": "dimensions/pixelHeight",
    "details": "details",
    "micrographs_file_pattern": "micrographsFilePattern",
    "picked_particles_file_pattern": "pickedParticlesFilePattern",
    "picked_particles_directory": "pickedParticlesDirectory",
}
_CITATION = {
    "title": "title",
    "journal": "journal",
    "journal_abbreviation": "journalAbbreviation",
    "volume": "volume",
    "issue": "issue",
    "year": "year",
    "language": "language",
    "details": "details",
}
_DATES = ("deposition", "release", "update", "obsolete")
_REFERENCES = {
    "cross_references": "crossReferences/relatedEMDBEntries/emdbEntry",
    "related_pdb_entries": "crossReferences/relatedPDBEntries/pdbEntry",
    "empiar_references": "crossReferences/relatedEMPIAREntries/empiarEntry",
}


def read_entry_xml(content: bytes, *, name: str) -> dict[str, Any]:
    """Return what an entry's XML says, under the names that the API uses.

    Numbers stay texts, and what the XML leaves empty is None: records are read tolerantly anyway.

    Parameters
    ----------
    content
        The file.
    name
        Its address, for messages.

    Raises
    ------
    DamagedDataError
        If it is no XML of an entry, or declares a document type, which EMPIAR's files never do and which
        could make a small file unfold into a huge one.
    """
    try:
        text = content.decode("utf-8-sig")  # no other encoding, in which a declaration could hide
        if "<!DOCTYPE" in text or "<!ENTITY" in text:
            raise DamagedDataError(f"{name} declares a document type, which the XML of an entry does not")
        root = ET.fromstring(text)
    except (ET.ParseError, UnicodeDecodeError) as error:
        raise DamagedDataError(f"{name} is no XML ({error})") from error
    if root.tag != f"{_NAMESPACE}entry":
        raise DamagedDataError(f"{name} is no XML of an EMPIAR entry")
    size = _find(root, "admin/datasetSize")
    return {
        "title": _text(root, "admin/title"),
        "status": _text(root, "admin/currentStatus"),
        **{f"{date}_date": _text(root, f"admin/keyDates/{date}Date") for date in _DATES},
        "dataset_size": None if size is None else f"{(size.text or '').strip()} {size.get('units', '')}",
        "experiment_type": _text(root, "admin/experimentType"),
        "scale": _text(root, "admin/scale"),
        "entry_doi": _text(root, "admin/entryDOI"),
        "authors": [_author(item) for item in _all(root, "admin/authorsList/author")],
        "corresponding_author": next(map(_person, _all(root, "admin/correspondingAuthor")), None),
        "principal_investigator": [_person(item) for item in _all(root, "admin/principalInvestigator")],
        **{
            field: [{"name": _plain(item.text)} for item in _all(root, path)]
            for field, path in _REFERENCES.items()
        },
        "citation": [_citation(item) for item in root.iter(f"{_NAMESPACE}journalCitation")],
        "imagesets": [_fields(item, _IMAGESET) for item in _all(root, "imageSet")],
    }


def _citation(element: ET.Element) -> dict[str, Any]:
    identifiers = {item.get("type"): _plain(item.text) for item in _all(element, "externalReferences")}
    return {
        **_fields(element, _CITATION),
        "authors": [_author(item)["author"] for item in _all(element, "author")],
        "published": element.get("published") == "true",
        "preprint": element.get("preprint") == "true",
        "doi": identifiers.get("doi"),
        "pubmedid": identifiers.get("pubmed"),
    }


def _author(element: ET.Element) -> dict[str, Any]:
    return {"author": {"name": _plain(element.text), "author_orcid": element.get("authorORCID")}}


def _person(element: ET.Element) -> dict[str, Any]:
    return {"author": _fields(element, _PERSON)}


def _fields(element: ET.Element, paths: dict[str, str]) -> dict[str, Any]:
    return {field: _text(element, path) for field, path in paths.items()}


def _find(element: ET.Element, path: str) -> ET.Element | None:
    return next(iter(_all(element, path)), None)


def _all(element: ET.Element, path: str) -> list[ET.Element]:
    return element.findall("/".join(_NAMESPACE + tag for tag in path.split("/")))


def _text(element: ET.Element, path: str) -> str | None:
    found = _find(element, path)
    return None if found is None else _plain(found.text)


def _plain(text: str | None) -> str | None:
    # Ampersands are escaped twice in these files: "&amp;amp;" for a single one.
    return html.unescape(text).strip() or None if text is not None else None
