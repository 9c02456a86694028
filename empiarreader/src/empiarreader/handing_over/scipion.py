"""From EMPIAR into Scipion: a workflow of import protocols, of files by names that Scipion takes.

The names of protocols and parameters are those of scipion-em 3 (``pwem/protocols/protocol_import``). It takes
files by a directory and a pattern, so that a set of files is found by the pattern that fits just them, or is
linked into a folder of its own.
"""

from __future__ import annotations

import glob
import json
import os
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from empiarreader.byteunits import describe_count
from empiarreader.errors import ArchiveFileNotFoundError, InvalidRequestError, UnsupportedFormatError
from empiarreader.gainfactor import FLIP_NUMBERS, GainOrientation
from empiarreader.handing_over.acquisition import Acquisition
from empiarreader.handing_over.files import (
    HANDED_KINDS,
    LINKS_SUFFIX,
    HandedFile,
    HandedFiles,
    Location,
    gather,
    kinds_of,
)
from empiarreader.handing_over.groups import (
    Chosen,
    ImageGroup,
    choose,
    final_image_note,
    group_images,
    sections_and_size,
)
from empiarreader.handing_over.handed import Handed, HandedSet
from empiarreader.handing_over.links import is_safe, make_links, safe_names
from empiarreader.saving import check_free, write_whole

_MICROSCOPE = ("pixel_size_angstrom", "voltage_kv", "spherical_aberration_mm", "amplitude_contrast")
_PROTOCOLS = {
    "movies": "ProtImportMovies",
    "micrographs": "ProtImportMicrographs",
    "particles": "ProtImportParticles",
    "volumes": "ProtImportVolumes",
}
_IMAGES = {name: name for name in (".mrc", ".mrcs", ".tif", ".tiff", ".eer")}
_PACKED = (".mrc", ".mrcs", ".tif", ".tiff")
_SUFFIXES: dict[str, dict[str, str]] = {
    "movies": {**_IMAGES, **{f"{name}.bz2": f"{name}.bz2" for name in _PACKED}},
    "micrographs": {".mrc": ".mrc", ".tif": ".tif", ".tiff": ".tiff", ".map": ".mrc"},
    # Scipion sees one image in an .mrc.
    "particles": dict.fromkeys((".mrc", ".mrcs", ".st"), ".mrcs"),
    "volumes": {".mrc": ".mrc", ".map": ".map", ".ccp4": ".map", ".rec": ".mrc"},
}


def export_scipion(
    files: HandedFiles,
    workflow: Location,
    *,
    acquisition: Acquisition | None = None,
    kind: str | None = None,
    pattern: str | None = None,
    directory: Location | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
) -> Handed:
    """Write a workflow that imports images into Scipion: movies, micrographs, particles and volumes.

    Each kind of images of each imageset is a protocol of its own. Where one pattern fits its files and no
    others, and Scipion takes their names, they are imported from where they lie. Else they are linked into a
    folder beside the workflow, under names that it takes.

    Parameters
    ----------
    files, kind, pattern, directory, overwrite, dry_run
        As for :func:`export_relion`; without ``kind`` all kinds are taken, and ``"volumes"`` is one of them.
    workflow
        Where to write. The next step makes a project of it, as *Import workflow* does in a project's window.
    acquisition
        What EMPIAR does not hold: see :class:`Acquisition`. Volumes need none of it but a pixel size.

    Returns
    -------
    Handed
        What was written, and what to do next.

    Raises
    ------
    InvalidRequestError
        If something that Scipion needs is not known: it would take a default in silence.
    UnsupportedFormatError
        If Scipion does not read such files as what they are.
    LocalFileError
        If something is in the way.
    ArchiveFileNotFoundError
        If there is nothing to hand over.
    """
    target = Path(workflow).expanduser().absolute()
    check_free(target, overwrite=overwrite or dry_run)
    known = acquisition or Acquisition()
    found = gather(files, directory=directory, pattern=pattern)
    links_folder = (target.parent.resolve() / target.name).with_suffix(LINKS_SUFFIX)
    chosen = {
        one: choose(found, one, _SUFFIXES[one], program="Scipion", told=kind is not None)
        for one in _kinds(found, kind)
    }
    groups = [group for one, files in chosen.items() for group in _groups(files, one, known)]
    links: dict[Path, Path] = {}
    protocols = []
    for number, group in enumerate(groups, 1):
        suffixes = chosen[group.kind].suffixes
        place, needed = _place(group, suffixes, links_folder / f"{number}_{group.kind}")
        gain, linked_gain = _gain(group, links_folder)
        links |= needed | linked_gain
        protocols.append(_protocol(number, group, place, gain))
    notes = [_gain_note(known), *(one.note for one in chosen.values())]
    notes += [note for group in groups for note in (group.note, final_image_note(group.files[0]))]
    text = json.dumps(protocols, indent=4) + "\n"
    if not dry_run:
        make_links(links, overwrite=overwrite, alone=True)
        write_whole(target, text.encode(), overwrite=overwrite, parents=True)
    return Handed(
        path=target,
        text=text,
        sets=tuple(HandedSet.of(group) for group in groups),
        links=links,
        notes=tuple(filter(None, notes)),
        next_steps=(_create_project(target),),
    )


def _kinds(files: Sequence[HandedFile], kind: str | None) -> list[str]:
    kinds = [kind] if kind else list(kinds_of(files))
    if kind and kind not in _PROTOCOLS:
        raise InvalidRequestError(f"Scipion imports no {kind} here; there are {', '.join(_PROTOCOLS)}")
    if not kinds:
        raise InvalidRequestError(
            f"nothing tells what is in {describe_count(len(files), 'files')}; "
            f"say it: --kind {', '.join(HANDED_KINDS)} (kind= in Python)"
        )
    return kinds


def _groups(chosen: Chosen, kind: str, known: Acquisition) -> list[ImageGroup]:
    if kind == "micrographs":
        _check_single(chosen.files)
    needs = _MICROSCOPE[:1] if kind == "volumes" else _MICROSCOPE
    return group_images(chosen.files, kind, known, program="Scipion", needs=needs)


def _check_single(files: Sequence[HandedFile]) -> None:
    """Refuse stacks as micrographs: Scipion looks at the first file alone, this at one of each size."""
    of_size: dict[int, HandedFile] = {}
    for file in files:
        if file.path.exists():
            of_size.setdefault(file.path.stat().st_size, file)
    for file in of_size.values():
        sections = sections_and_size(file.path)[0]
        if sections > 1:
            raise UnsupportedFormatError(
                f"{file.name} holds {sections} images, and Scipion takes micrographs one a file; hand it "
                "over as movies or particles"
            )


def _place(
    group: ImageGroup, suffixes: Mapping[Path, str], links_folder: Path
) -> tuple[tuple[Path, str], dict[Path, Path]]:
    """Return directory and pattern that find the files of a group, and the links that are needed for it."""
    paths = [file.path for file in group.files]
    as_they_are = all(is_safe(path.as_posix()) and path.name.endswith(suffixes[path]) for path in paths)
    place = common_pattern(paths) if as_they_are else None
    if place is not None and _finds_only(place, paths):
        return place, {}
    if not is_safe(links_folder.as_posix()):
        raise InvalidRequestError(
            f"{links_folder.parent} has signs in its name that Scipion cannot take, and files must be "
            "linked there; write the workflow elsewhere, or under another name"
        )
    names = safe_names(group.files, suffixes)
    ends = {suffixes[path] for path in paths}
    pattern = f"*{ends.pop()}" if len(ends) == 1 else "*"
    return (links_folder, pattern), {links_folder / name: path for path, name in names.items()}


def common_pattern(paths: Sequence[Path]) -> tuple[Path, str] | None:
    """Return the directory and pattern of files that lie equally deep; None for others.

    Examples
    --------
    >>> common_pattern([Path("/d/Grid_1/Data/a1.mrc"), Path("/d/Grid_2/Data/a2.mrc")])
    (PosixPath('/d'), 'Grid_*/Data/a*.mrc')
    """
    columns = [sorted(set(column)) for column in zip(*(path.parts for path in paths), strict=False)]
    same_depth = len({len(path.parts) for path in paths}) == 1
    unlike = len({path.stem.lower() for path in paths}) == len(paths)
    if not same_depth or not unlike:
        return None  # Scipion calls images by the names of their files alone, less what they end with
    fixed = next((i for i, names in enumerate(columns) if len(names) > 1), len(columns) - 1)
    pattern = "/".join(_name_pattern(names) for names in columns[fixed:])
    return Path(*(names[0] for names in columns[:fixed])), pattern


def _name_pattern(names: Sequence[str]) -> str:
    if len(names) == 1:
        return names[0]
    first = os.path.commonprefix(names)  # noqa: RUF071  (letters are meant)
    rest = [name[len(first) :][::-1] for name in names]
    return f"{first}*{os.path.commonprefix(rest)[::-1]}"  # noqa: RUF071


def _finds_only(place: tuple[Path, str], paths: Sequence[Path]) -> bool:
    """Return whether a pattern finds no other file, as Scipion looks for them."""
    found = glob.glob(os.fspath(place[0] / place[1]))  # noqa: PTH207  (what Scipion calls)
    return set(found) <= {os.fspath(path) for path in paths}


def _gain(group: ImageGroup, links_folder: Path) -> tuple[Path | None, dict[Path, Path]]:
    """Return by which path Scipion takes the gain reference of movies, and a link where it needs one."""
    gain = group.acquisition.gain
    if gain is None or group.kind != "movies":
        return None, {}
    path = Path(gain).expanduser().resolve()
    if not path.is_file():
        raise ArchiveFileNotFoundError(f"there is no gain reference {path}")
    if is_safe(path.as_posix()):
        return path, {}
    name = safe_names([HandedFile(path=path, name=path.name)], {path: path.suffix.lower()})[path]
    return links_folder / "gain" / name, {links_folder / "gain" / name: path}


def _gain_note(known: Acquisition) -> str:
    """Return what is to be said of a turned gain reference: Scipion's import takes it as it lies."""
    way = known.gain_orientation
    if known.gain is None or way == GainOrientation():
        return ""
    return (
        f"tell the protocol that corrects motion how the gain reference lies: gain rotation "
        f"{way.quarter_turns % 4} and gain flip {FLIP_NUMBERS[way.flip]}; Scipion's import does not ask"
    )


def _protocol(number: int, group: ImageGroup, place: tuple[Path, str], gain: Path | None) -> dict[str, Any]:
    known, first = group.acquisition, group.files[0]
    of_entry = f"EMPIAR-{first.entry_id}" if first.entry_id is not None else ""
    protocol: dict[str, Any] = {
        "object.className": _PROTOCOLS[group.kind],
        "object.id": str(number),
        "object.label": " ".join(filter(None, (f"import {group.kind}", of_entry))),
        "object.comment": group.name,
        "filesPath": os.fspath(place[0]),
        "filesPattern": place[1],
        "samplingRate": known.pixel_size_angstrom,
    }
    if group.kind != "volumes":
        protocol["voltage"] = known.voltage_kv
        protocol["sphericalAberration"] = known.spherical_aberration_mm
        protocol["amplitudeContrast"] = known.amplitude_contrast
    if group.kind == "movies":
        optional: Mapping[str, Any] = {
            "dosePerFrame": known.frame_dose_electrons_per_square_angstrom,
            "gainFile": None if gain is None else os.fspath(gain),
        }
        protocol |= {name: value for name, value in optional.items() if value is not None}
    return protocol


def _create_project(workflow: Path) -> str:
    words = ["scipion3", "python", "-m", "pyworkflow.project.scripts.create", workflow.stem, str(workflow)]
    return shlex.join(words)
