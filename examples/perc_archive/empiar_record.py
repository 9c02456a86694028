"""EMPIAR entries: the API's entry object with everything in it."""

from __future__ import annotations

import struct
from collections import Counter
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

_FORMATS = {
    ".mrc": "MRC", ".mrcs": "MRCS", ".map": "MRC", ".st": "MRC", ".rec": "MRC", ".tif": "TIFF",
    ".tiff": "TIFF", ".eer": "EER", ".dm3": "DM3", ".dm4": "DM4", ".spi": "SPIDER", ".png": "PNG",
    ".jpg": "JPEG",
}  # fmt: skip
_VOXELS = {
    0: "SIGNED BYTE", 1: "SIGNED 16 BIT INTEGER", 2: "32 BIT FLOAT", 6: "UNSIGNED 16 BIT INTEGER",
    12: "16 BIT FLOAT", 101: "4 BIT INTEGER",
}  # fmt: skip


def complete_record(
    entry_id: int, files: Mapping[str, bytes | Path], record: Mapping[str, object]
) -> dict[str, Any]:
    """Entry object with every field of the public API, from what is given and from the files.

    ``image_width`` and ``image_height`` are text or null and ``dataset_size`` is text, as in the real
    answers.
    """
    given: dict[str, Any] = dict(record)
    imagesets = given.pop("imagesets", None)
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
    if imagesets is not None:
        full["imagesets"] = [_complete_imageset(imageset, _below(imageset, files)) for imageset in imagesets]
    else:
        full["imagesets"] = [
            _complete_imageset({"name": f"Images in {folder}", "directory": folder}, inside)
            for folder, inside in _folders(files).items()
        ]
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


def _folders(files: Mapping[str, bytes | Path]) -> dict[str, dict[str, bytes | Path]]:
    """Images of ``data`` itself, and of all that lies under each folder just below it."""
    found: dict[str, dict[str, bytes | Path]] = {}
    for name, body in files.items():
        if _format_of(name) is not None:
            found.setdefault("/".join(PurePosixPath(name).parts[:-1][:2]), {})[name] = body
    return found


def _below(imageset: Mapping[str, Any], files: Mapping[str, bytes | Path]) -> dict[str, bytes | Path]:
    folder = str(imageset.get("directory", "data")).strip("/") + "/"
    return {name: body for name, body in files.items() if name.startswith(folder)}


def _complete_imageset(given: Mapping[str, Any], inside: Mapping[str, bytes | Path]) -> dict[str, Any]:
    images = [name for name in inside if _format_of(name) is not None]
    data_format = Counter(_format_of(name) for name in images).most_common(1)[0][0] if images else "MRC"
    first = inside[min(images)] if images else b""
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
