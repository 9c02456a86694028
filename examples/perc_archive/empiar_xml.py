"""EMPIAR entries in XML: the camel-case twin of the API's entry object, written and read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from xml.etree import ElementTree as ET

from perc_archive.empiar_record import complete_record

NAMESPACE = "http://pdbe.org/empiar"


def to_xml(entry_id: int, record: Mapping[str, Any]) -> bytes:
    """The ``{id}.xml`` of an entry: the camel-case twin of its API record."""
    ET.register_namespace("", NAMESPACE)
    root = ET.Element("entry", {"xmlns": NAMESPACE, "accessionCode": f"EMPIAR-{entry_id}", "public": "true"})
    admin = ET.SubElement(root, "admin")
    _add(admin, "currentStatus", record["status"])
    dates = ET.SubElement(admin, "keyDates")
    for name in ("deposition", "release", "update"):
        _add(dates, f"{name}Date", record[f"{name}_date"])
    _add(admin, "title", record["title"])
    authors = ET.SubElement(admin, "authorsList")
    for author in record["authors"]:
        person = author.get("author", author)
        orcid = person.get("author_orcid")
        _add(authors, "author", person.get("name"), {"authorORCID": orcid} if orcid else {})
    size, _, unit = str(record["dataset_size"]).partition(" ")
    _add(admin, "datasetSize", size, {"units": unit})
    _add(admin, "entryDOI", record["entry_doi"])
    _add(admin, "experimentType", record["experiment_type"])
    references = ET.SubElement(ET.SubElement(root, "crossReferences"), "relatedEMDBEntries")
    for reference in record["cross_references"]:
        _add(references, "emdbEntry", reference["name"] if isinstance(reference, Mapping) else reference)
    for imageset in record["imagesets"]:
        root.append(_imageset_xml(imageset))
    ET.indent(root, space="    ")
    text: bytes = ET.tostring(root, encoding="utf-8")
    return text + b"\n"


def _add(parent: ET.Element, tag: str, value: object, attributes: Mapping[str, str] | None = None) -> None:
    ET.SubElement(parent, tag, dict(attributes or {})).text = "" if value is None else str(value)


def _imageset_xml(imageset: Mapping[str, Any]) -> ET.Element:
    element = ET.Element("imageSet")
    _add(element, "name", imageset["name"])
    _add(element, "directory", "/" + str(imageset["directory"]).strip("/"))
    for tag, field in (
        ("category", "category"),
        ("headerFormat", "header_format"),
        ("dataFormat", "data_format"),
        ("numImagesOrTiltSeries", "num_images_or_tilt_series"),
        ("framesPerImage", "frames_per_image"),
        ("voxelType", "voxel_type"),
    ):
        _add(element, tag, imageset[field])
    dimensions = ET.SubElement(element, "dimensions")
    for tag in ("imageWidth", "pixelWidth", "imageHeight", "pixelHeight"):
        _add(dimensions, tag, imageset[tag[:5] + "_" + tag[5:].lower()])
    _add(element, "details", imageset["details"])
    ET.SubElement(element, "segmentationList")
    for tag, field in (
        ("micrographsFilePattern", "micrographs_file_pattern"),
        ("pickedParticlesFilePattern", "picked_particles_file_pattern"),
        ("pickedParticlesDirectory", "picked_particles_directory"),
    ):
        _add(element, tag, imageset[field])
    return element


def from_xml(text: bytes) -> dict[str, Any]:
    """API record of an entry, derived from its XML.

    Values that the XML does not hold get the API's empty ones; ``variable`` sizes become None. The XML
    escapes ampersands twice, and so does the text that comes back.
    """
    root = ET.fromstring(text)
    spaces = {"e": NAMESPACE}

    def find(path: str, parent: ET.Element = root) -> str | None:
        found = parent.find(path, spaces)
        return found.text if found is not None else None

    size = root.find("e:admin/e:datasetSize", spaces)
    authors = root.findall("e:admin/e:authorsList/e:author", spaces)
    given: dict[str, Any] = {
        "title": find("e:admin/e:title"),
        "status": find("e:admin/e:currentStatus"),
        "deposition_date": find("e:admin/e:keyDates/e:depositionDate"),
        "release_date": find("e:admin/e:keyDates/e:releaseDate"),
        "update_date": find("e:admin/e:keyDates/e:updateDate"),
        "dataset_size": f"{size.text} {size.get('units')}" if size is not None else "",
        "entry_doi": find("e:admin/e:entryDOI"),
        "experiment_type": find("e:admin/e:experimentType"),
        "authors": [{"author": {"name": a.text, "author_orcid": a.get("authorORCID")}} for a in authors],
        "corresponding_author": _person(root.find("e:admin/e:correspondingAuthor", spaces)),
        "principal_investigator": [
            _person(person) for person in root.findall("e:admin/e:principalInvestigator", spaces)
        ],
        "cross_references": [
            {"name": reference.text}
            for reference in root.findall("e:crossReferences/e:relatedEMDBEntries/e:emdbEntry", spaces)
        ],
        "citation": [_citation(found) for found in root.iter(f"{{{NAMESPACE}}}journalCitation")],
        "imagesets": [_imageset_of_xml(imageset) for imageset in root.findall("e:imageSet", spaces)],
    }
    number = int(root.get("accessionCode", "EMPIAR-0").removeprefix("EMPIAR-"))
    return complete_record(number, {}, given)


def _person(element: ET.Element | None) -> dict[str, object]:
    def text(tag: str) -> str | None:
        found = element.find(f"{{{NAMESPACE}}}{tag}") if element is not None else None
        return found.text if found is not None else None

    return {
        "author": {
            "author_orcid": text("authorORCID"),
            "first_name": text("firstName"),
            "middle_name": text("middleName"),
            "last_name": text("lastName"),
            "organization": text("organization"),
            "street": text("street"),
            "town_or_city": text("townOrCity"),
            "state_or_province": text("stateOrProvince"),
            "post_or_zip": text("postOrZipCode"),
            "country": text("country"),
        }
    }


def _citation(element: ET.Element) -> dict[str, object]:
    def text(tag: str, kind: str = "") -> str | None:
        attribute = f"[@type='{kind}']" if kind else ""
        found = element.find(f"{{{NAMESPACE}}}{tag}{attribute}")
        return found.text if found is not None else None

    return {
        "authors": [
            {"name": author.text, "author_orcid": author.get("authorORCID")}
            for author in element.findall(f"{{{NAMESPACE}}}author")
        ],
        "published": element.get("published") == "true",
        "preprint": element.get("preprint") == "true",
        "j_or_nj_citation": True,
        "title": text("title"),
        "journal": text("journal"),
        "journal_abbreviation": text("journalAbbreviation"),
        "volume": text("volume"),
        "issue": text("issue"),
        "year": text("year"),
        "language": text("language"),
        "doi": text("externalReferences", "doi"),
        "pubmedid": text("externalReferences", "pubmed"),
        "details": text("details"),
    }


def _imageset_of_xml(element: ET.Element) -> dict[str, Any]:
    def text(path: str) -> str | None:
        found = element.find("/".join(f"{{{NAMESPACE}}}{tag}" for tag in path.split("/")))
        return found.text if found is not None else None

    def number(path: str) -> float | None:
        value = text(path)
        return float(value) if value and value != "variable" else None

    width, height = text("dimensions/imageWidth"), text("dimensions/imageHeight")
    return {
        "name": text("name"),
        "directory": (text("directory") or "").strip("/"),
        "category": text("category"),
        "header_format": text("headerFormat"),
        "data_format": text("dataFormat"),
        "num_images_or_tilt_series": int(text("numImagesOrTiltSeries") or 0),
        "frames_per_image": int(text("framesPerImage") or 1),
        "voxel_type": text("voxelType"),
        "pixel_width": number("dimensions/pixelWidth"),
        "pixel_height": number("dimensions/pixelHeight"),
        "image_width": None if width == "variable" else width,
        "image_height": None if height == "variable" else height,
        "details": text("details") or "",
        "micrographs_file_pattern": text("micrographsFilePattern") or "",
        "picked_particles_file_pattern": text("pickedParticlesFilePattern") or "",
        "picked_particles_directory": text("pickedParticlesDirectory") or "",
    }
