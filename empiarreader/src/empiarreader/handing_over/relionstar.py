"""The tables by which RELION takes images.

Which columns there are is from RELION's ``src/apps/import.cpp`` (movies and micrographs) and
``src/jaz/single_particle/obs_model.cpp`` (what an optics group must say).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from empiarreader.errors import InvalidRequestError, UnsupportedFormatError
from empiarreader.handing_over.files import Location
from empiarreader.handing_over.groups import ImageGroup, sections_and_size
from empiarreader.handing_over.links import is_safe
from empiarreader.handing_over.relionproject import RelionProject
from empiarreader.handing_over.starwriting import Value


def relion_blocks(
    groups: Sequence[ImageGroup], names: Mapping[Path, Path], project: RelionProject, mtf: Location | None
) -> dict[str, dict[str, list[Value]]]:
    """Return the tables of a STAR file by their names: optics groups, and images of one kind.

    Raises
    ------
    UnsupportedFormatError
        If particles of an imageset are not of one size, or not square.
    ArchiveFileNotFoundError
        If stacks of particles, whose images must be counted, are not there yet.
    """
    kind = groups[0].kind
    optics = _optics(groups, project, mtf)
    if kind == "particles":
        return {"optics": optics, "particles": _particles(groups, names, project, optics)}
    column = "rlnMicrographMovieName" if kind == "movies" else "rlnMicrographName"
    files = [(file, number) for number, group in enumerate(groups, 1) for file in group.files]
    return {
        "optics": optics,
        kind: {
            column: [project.relative(names[file.path]) for file, _ in files],
            "rlnOpticsGroup": [number for _, number in files],
        },
    }


def _optics(
    groups: Sequence[ImageGroup], project: RelionProject, mtf: Location | None
) -> dict[str, list[Value]]:
    """Return one row an imageset; the pixel size as that of the images of this kind is called."""
    known = [group.acquisition for group in groups]
    sizes: list[Value] = [_said(one.pixel_size_angstrom) for one in known]
    optics: dict[str, list[Value]] = {
        "rlnOpticsGroupName": list(_group_names(groups)),
        "rlnOpticsGroup": list(range(1, len(groups) + 1)),
    }
    if mtf is not None:
        optics["rlnMtfFileName"] = [_mtf_name(Path(mtf), project)] * len(groups)
    if groups[0].kind != "particles":
        optics["rlnMicrographOriginalPixelSize"] = sizes
    optics["rlnVoltage"] = [_said(one.voltage_kv) for one in known]
    optics["rlnSphericalAberration"] = [_said(one.spherical_aberration_mm) for one in known]
    optics["rlnAmplitudeContrast"] = [_said(one.amplitude_contrast) for one in known]
    if groups[0].kind == "micrographs":
        optics["rlnMicrographPixelSize"] = sizes
    if groups[0].kind == "particles":
        optics["rlnImagePixelSize"] = sizes
    return optics


def _said(value: float | None) -> float:
    assert value is not None  # what nobody said was asked for before
    return float(value)


def _particles(
    groups: Sequence[ImageGroup],
    names: Mapping[Path, Path],
    project: RelionProject,
    optics: dict[str, list[Value]],
) -> dict[str, list[Value]]:
    """Return one row an image of each stack, and add the size of the images to the optics groups."""
    rows: dict[str, list[Value]] = {"rlnImageName": [], "rlnMicrographName": [], "rlnOpticsGroup": []}
    box_sizes: list[Value] = []
    for number, group in enumerate(groups, 1):
        sizes = set()
        for file in group.files:
            count, *size = sections_and_size(file.path)
            sizes.add(tuple(size))
            name = project.relative(names[file.path])
            rows["rlnImageName"] += [f"{index:06d}@{name}" for index in range(1, count + 1)]
            rows["rlnMicrographName"] += [name] * count
            rows["rlnOpticsGroup"] += [number] * count
        if len(sizes) != 1 or len(set(sizes.pop())) != 1:
            raise UnsupportedFormatError(
                f"RELION wants square particles of one size in an optics group; {group.name!r} has others"
            )
        box_sizes.append(size[0])
    optics["rlnImageSize"] = box_sizes
    optics["rlnImageDimensionality"] = [2] * len(groups)
    return rows


def _group_names(groups: Sequence[ImageGroup]) -> list[str]:
    """Return a name for each optics group: a word, and like no other."""
    names: list[str] = []
    for number, group in enumerate(groups, 1):
        word = re.sub(r"[^A-Za-z0-9-]+", "_", group.name).strip("_-")[:40]
        names.append(f"opticsGroup{number}" + (f"_{word}" if word else ""))
    return names


def _mtf_name(mtf: Path, project: RelionProject) -> str:
    path = mtf.expanduser().resolve()
    name = project.relative(path) if path.is_relative_to(project.folder) else path.as_posix()
    if not is_safe(name):
        raise InvalidRequestError(f"{mtf} has signs in its name that RELION cannot take; copy it to another")
    return name
