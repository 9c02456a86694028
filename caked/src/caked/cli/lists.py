"""What ``caked inspect`` tells of files that list images instead of holding them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from caked.cli.commands import printable
from caked.counting import counted

if TYPE_CHECKING:
    from caked.io.coordinates import Points
    from caked.io.particles import ParticleTable

__all__ = ["LIST_SUFFIXES", "facts_of_list", "line_of_list"]

LIST_SUFFIXES = (".star", ".cs", ".box", ".csv", ".tsv", ".txt", ".mdoc")


def facts_of_list(path: Path) -> dict[str, Any]:
    """Return what a list says, without a look at its images."""
    from caked.io.coordinates import read_coordinates
    from caked.io.cs import read_particles_cs
    from caked.io.mdoc import read_mdoc
    from caked.io.star import lists_particles, read_particles_star

    suffix = path.suffix.lower()
    facts: dict[str, Any] = {"path": str(path), "format": suffix.removeprefix(".")}
    if suffix == ".mdoc":
        _, angles, _ = read_mdoc(path)
        return {**facts, **_of_tilts(angles.tolist())}
    if suffix == ".cs":
        return {**facts, **_of_particles(read_particles_cs(path), path)}
    if suffix == ".star" and lists_particles(path):
        return {**facts, **_of_particles(read_particles_star(path), path)}
    return {**facts, **_of_points(read_coordinates(path))}


def _of_particles(table: ParticleTable, path: Path) -> dict[str, Any]:
    from caked.io.particles import folder_of_stacks

    rows = np.arange(len(table))
    stacks = [table.stacks[k] for k in range(len(table.stacks))]
    folder = folder_of_stacks(path, stacks)
    there = [(folder / stack).is_file() for stack in stacks]
    sizes = None if table.pixel_size_angstrom is None else np.unique(table.pixel_size_angstrom[rows])
    groups = table.columns.get("optics_group")
    return {
        "kind": "particles",
        "count": len(table),
        "stacks": len(stacks),
        "missing_stacks": there.count(False),
        "pixel_size_angstrom": None if sizes is None else [round(float(size), 6) for size in sizes],
        "optics_groups": None if groups is None else len(np.unique(groups[rows])),
        "knows": [
            word
            for word, known in (
                ("pose", table.angles_degrees is not None),
                ("shift", table.shift_angstrom is not None),
                ("CTF", "defocus_u_angstrom" in table.columns),
                ("half-set", "half_set" in table.columns),
                ("micrograph", table.micrographs is not None),
            )
            if known
        ],
    }


def _of_points(points: Mapping[str, Points]) -> dict[str, Any]:
    return {"kind": "coordinates", "count": sum(map(len, points.values())), "images": len(points)}


def _of_tilts(angles: Sequence[float]) -> dict[str, Any]:
    return {"kind": "tilts", "count": len(angles), "from_degrees": min(angles), "to_degrees": max(angles)}


def line_of_list(facts: dict[str, Any]) -> str:
    """Return the facts as a line for people."""
    words = [printable(facts["path"]), counted(facts["count"], facts["kind"])]
    if facts["kind"] == "particles":
        gone = f" ({facts['missing_stacks']} not there)" if facts["missing_stacks"] else ""
        sizes = facts["pixel_size_angstrom"]
        words += [
            f"{counted(facts['stacks'], 'stacks')}{gone}",
            "pixel size not stated" if sizes is None else f"{', '.join(f'{size:g}' for size in sizes)} Å",
            f"with {', '.join(facts['knows'])}" if facts["knows"] else "with nothing but their images",
        ]
    elif facts["kind"] == "coordinates":
        words.append(counted(facts["images"], "images"))
    else:
        words.append(f"{facts['from_degrees']:g} to {facts['to_degrees']:g} degrees")
    return "  ".join(words)
