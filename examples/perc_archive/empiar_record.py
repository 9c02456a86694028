"""EMPIAR entries: the API's entry object with everything in it, and its twin in XML."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath
from typing import Any
from xml.etree import ElementTree as ET

NAMESPACE = "http://pdbe.org/empiar"
_FORMATS = {
    ".mrc": "MRC", ".mrcs": "MRCS", ".map": "MRC", ".st": "MRC", ".rec": "MRC", ".tif": "TIFF", ".tiff": "TIFF",
    ".eer": "EER", ".dm3": "DM3", ".dm4": "DM4", ".spi": "SPIDER", ".png": "PNG", ".jpg": "JPEG",
}  # fmt: skip
_VOXELS = {
    0: "SIGNED BYTE", 1: "SIGNED 16 BIT INTEGER", 2: "32 BIT FLOAT", 6: "UNSIGNED 16 BIT INTEGER",
    12: "16 BIT FLOAT", 101: "4 BIT INTEGER",
}  # fmt: skip


def complete_record(
    entry_id: int, files: Mapping[str, bytes | Path], record: Mapping[str, object]
) -> dict[str, Any]:
    """Entry object with every field of the public API, from what is given and from the files.

    ``image_width`` and ``image_height`` are text or null and ``dataset_size`` is text, as in the real answers.
    """
    given: dict[str, Any] = dict(record)
    imagesets = given.pop("imagesets", None)
    if imagesets is None:
        imagesets = _imagesets_of(files)
    person = {"author": {"name": "Perc P", "author_orcid": None}}
    full: dict[str, Any] = {
        "title": f"Synthetic entry {entry_id}",
        "status": "REL",
        "deposition_date": "2024-01-01",
        "release_date": "2024-02-01",
        "obsolete_date": None,
        "update_date": "2024-02-01",
        "dataset_size": _size_text(sum(map(_length, files.values()))),
        "experiment_type": "EMDB",
        "scale": "molecule",
        "entry_doi": f"10.6019/EMPIAR-{entry_id}",
        "authors": [person],
        "corresponding_author": person,
        "principal_investigator": [person],
        "grant_references": [],
        "citation": [],
        "version_history": [],
        "workflow_file": None,
        "cross_references": [],
        "related_pdb_entries": [],
        "biostudies_references": [],
        "idr_references": [],
        "empiar_references": [],
        "workflows": [],
        **given,
    }
    full["imagesets"] = [_complete_imageset(imageset, files) for imageset in imagesets]
    return full


def _length(body: bytes | Path) -> int:
    return len(body) if isinstance(body, bytes) else body.stat().st_size


def _size_text(size_bytes: int) -> str:
    size = float(size_bytes)
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1000:
            return f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def _format_of(name: str) -> str | None:
    suffixes = [suffix.lower() for suffix in PurePosixPath(name).suffixes]
    if suffixes and suffixes[-1] in (".gz", ".bz2"):
        suffixes.pop()
    return _FORMATS.get(suffixes[-1]) if suffixes else None


def _imagesets_of(files: Iterable[str]) -> list[dict[str, object]]:
    """One imageset for ``data`` itself and for each folder just below, where images lie in or under it."""
    folders = dict.fromkeys(
        "/".join(PurePosixPath(name).parts[:-1][:2]) for name in files if _format_of(name) is not None
    )
    return [{"name": f"Images in {folder}", "directory": folder} for folder in folders]


def _complete_imageset(given: Mapping[str, Any], files: Mapping[str, bytes | Path]) -> dict[str, Any]:
    directory = str(given.get("directory", "data")).strip("/")
    inside = [name for name in files if name.startswith(f"{directory}/")]
    images = [name for name in inside if _format_of(name) is not None]
    data_format = Counter(_format_of(name) for name in images).most_common(1)[0][0] if images else "MRC"
    first = files[min(images)] if images else b""
    frames = 1
    about = _mrc_facts(first) if data_format in ("MRC", "MRCS") else {}
    if about:
        frames = int(about.pop("frames"))
    category = "micrographs - single frame" if frames == 1 else "micrographs - multiframe"
    return {
        "name": "Images",
        "directory": "data",
        "category": category,
        "header_format": data_format,
        "data_format": data_format,
        "num_images_or_tilt_series": len(images),
        "frames_per_image": frames,
        "frame_range_min": None,
        "frame_range_max": None,
        "voxel_type": "32 BIT FLOAT",
        "pixel_width": None,
        "pixel_height": None,
        "details": "",
        "image_width": None,
        "image_height": None,
        "micrographs_file_pattern": "",
        "picked_particles_file_pattern": "",
        "picked_particles_directory": "",
        "segmentations": [],
        **about,
        **given,
    }


def _mrc_facts(body: bytes | Path) -> dict[str, Any]:
    """Size, voxel type and pixel size that a little-endian MRC header states; nothing where it is none."""
    if isinstance(body, Path):
        with body.open("rb") as file:
            head = file.read(1024)
    else:
        head = body[:1024]
    if len(head) < 1024 or head[208:211] != b"MAP":
        return {}
    nx, ny, nz, mode, _, _, _, mx, my, _ = struct.unpack("<10i", head[:40])
    cell_x, cell_y = struct.unpack("<2f", head[40:48])
    return {
        "frames": nz,
        "image_width": str(nx),
        "image_height": str(ny),
        "voxel_type": _VOXELS.get(mode, "32 BIT FLOAT"),
        "pixel_width": round(cell_x / mx, 6) if mx > 0 and cell_x > 0 else None,
        "pixel_height": round(cell_y / my, 6) if my > 0 and cell_y > 0 else None,
    }


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
    return ET.tostring(root, encoding="utf-8") + b"\n"


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

    Values that the XML does not hold get the API's empty ones; ``variable`` sizes become None. The XML escapes
    ampersands twice, and so does the text that comes back.
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
