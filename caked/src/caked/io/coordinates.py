"""Picked coordinates: what pickers and RELION write, to points in array order."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from caked.errors import DamagedFileError, RefusedFileError
from caked.io.layout import reported
from caked.io.star import numbers, read_star

__all__ = ["Points", "grouped", "points_by_image", "read_coordinates"]

Points = NDArray[np.float64]
"""Points ``(n, 2)`` as (y, x), or ``(n, 3)`` as (z, y, x), in pixels; the first pixel's centre is 0."""

_LONGEST = 1 << 28
_COLUMNS = {
    "image": ("image_name", "micrograph", "micrograph_name", "tomogram", "tomo_name", "image", "name"),
    "x": ("x_coord", "x", "x_px", "coordinate_x"),
    "y": ("y_coord", "y", "y_px", "coordinate_y"),
    "z": ("z_coord", "z", "z_px", "coordinate_z"),
}


def read_coordinates(path: str | os.PathLike[str]) -> dict[str, Points]:
    """Read a file of picked coordinates.

    Parameters
    ----------
    path
        RELION's STAR (``rlnCoordinateX`` …), EMAN's ``.box`` (corner and size of each box; the point is its
        centre), or a table with a head of names, separated by tabs, commas or blanks, as Topaz writes it
        (``image_name``, ``x_coord``, ``y_coord``).

    Returns
    -------
    dict
        Points of each image, by its name as the file has it; by ``""`` where the file names none.

    Raises
    ------
    SourceNotFoundError
        If there is no such file.
    DamagedFileError
        If a row is no point.
    RefusedFileError
        If the columns are not those of coordinates.
    """
    name = os.fspath(path)
    kind = Path(name).suffix.lower()
    if kind == ".star":
        return _from_star(name)
    with reported(name):
        size = Path(name).stat().st_size
        if size > _LONGEST:
            raise RefusedFileError(f"File {name} is too long for a list of coordinates.", path=name)
        try:
            text = Path(name).read_text(encoding="utf-8")
        except UnicodeDecodeError as error:
            raise DamagedFileError(f"It is no text: file {name} is corrupted.", path=name) from error
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    return _from_box(lines, name) if kind == ".box" else _from_table(lines, name)


def points_by_image(coordinates: object, names: Sequence[str]) -> list[Points]:
    """Return the points of each image of a source.

    Parameters
    ----------
    coordinates
        A file of coordinates, a folder with one for each image, a mapping from names of images to points, or
        a sequence with the points of each image.
    names
        Of the images. Names match as they are, or without folders and endings, which tables seldom have.

    Raises
    ------
    RefusedFileError
        If the coordinates are of none of the images, or might be of several.
    """
    if isinstance(coordinates, str | os.PathLike):
        place = Path(coordinates)
        coordinates = _from_folder(place) if place.is_dir() else read_coordinates(place)
    if not isinstance(coordinates, Mapping):
        given = [np.asarray(points, dtype=np.float64) for points in coordinates]  # type: ignore[attr-defined]
        if len(given) != len(names):
            raise RefusedFileError(f"There are {len(given)} lists of points for {len(names)} images.")
        return given
    if set(coordinates) == {""} and len(names) == 1:
        return [np.asarray(coordinates[""], dtype=np.float64)]
    if not coordinates:
        raise RefusedFileError("There are no coordinates: the mapping is empty.")
    found = _matched(
        {name: np.asarray(given, dtype=np.float64) for name, given in coordinates.items()}, names
    )
    ndim = next(points.shape[1] for points in found if points is not None)
    return [np.empty((0, ndim)) if points is None else points for points in found]


def _matched(coordinates: Mapping[str, Points], names: Sequence[str]) -> list[Points | None]:
    """Match by whole names where all points have an image of their name, else by names without the rest."""
    if set(coordinates) <= set(names):
        return [coordinates.get(name) for name in names]
    by_stem = {_stem(name): points for name, points in coordinates.items()}
    stems = [_stem(name) for name in names]
    if not set(stems) & set(by_stem):
        raise RefusedFileError(
            f"The coordinates are of {sorted(by_stem)[:3]} and the images are {list(names[:3])}: none fits."
        )
    if len(by_stem) < len(coordinates) or len(set(stems)) < len(stems):
        raise RefusedFileError(
            "Without folders and endings several images have one name, and coordinates fit them all; give "
            "a mapping from the whole names."
        )
    return [by_stem.get(stem) for stem in stems]


def _stem(name: str) -> str:
    """Return a name without folders and endings, and what pickers put behind it."""
    stem = name.rpartition("/")[2].partition("#")[0]
    for ending in (".gz", ".bz2"):
        stem = stem.removesuffix(ending)
    stem = stem.rpartition(".")[0] if "." in stem else stem
    for ending in ("_autopick", "_manualpick", "_topaz_picks", "_extract"):
        stem = stem.removesuffix(ending)
    return stem


def _from_folder(folder: Path) -> dict[str, Points]:
    found: dict[str, Points] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in (".star", ".box", ".txt", ".csv", ".tsv", ".coord", ".coords"):
            points = read_coordinates(path)
            found |= {path.name: points[""]} if set(points) == {""} else points
    return found


def _from_star(name: str) -> dict[str, Points]:
    for block in read_star(name).values():
        axes = [f"rlnCoordinate{axis}" for axis in "ZYX" if f"rlnCoordinate{axis}" in block]
        if {"rlnCoordinateX", "rlnCoordinateY"} <= set(axes):
            columns = [numbers(block, axis, name=name) for axis in axes]
            points = np.stack([column for column in columns if column is not None], axis=1)
            image = next((k for k in ("rlnMicrographName", "rlnTomoName") if k in block), None)
            return grouped([str(v) for v in block[image]] if image else [""] * len(points), points)
    raise RefusedFileError(f"{name} has no columns rlnCoordinateX and rlnCoordinateY.", path=name)


def _from_box(lines: Sequence[str], name: str) -> dict[str, Points]:
    """Source: EMAN's boxes, x and y of a corner, then width and height."""
    boxes = np.array([_floats(line.split()[:4], 4, row, name) for row, line in enumerate(lines)]).reshape(
        -1, 4
    )
    return {"": (boxes[:, :2] + boxes[:, 2:] / 2)[:, ::-1]}


def _from_table(lines: Sequence[str], name: str) -> dict[str, Points]:
    separator = next((mark for mark in "\t," if lines and mark in lines[0]), None)
    rows = list(csv.reader(lines, delimiter=separator)) if separator else [line.split() for line in lines]
    head = [word.strip().lower() for word in rows[0]] if rows else []
    place = {
        key: next((head.index(word) for word in words if word in head), None)
        for key, words in _COLUMNS.items()
    }
    axes = [at for at in (place["z"], place["y"], place["x"]) if at is not None]
    if place["x"] is None or place["y"] is None:
        raise RefusedFileError(
            f"{name} has no columns x and y; its first line is {rows[:1]!r:.80}.", path=name
        )
    at = place["image"]
    points = [
        _floats([row[axis] for axis in axes if axis < len(row)], len(axes), number + 1, name)
        for number, row in enumerate(rows[1:])
    ]
    images = ["" if at is None else row[at] for row in rows[1:]]
    return grouped(images, np.array(points, dtype=np.float64).reshape(-1, len(axes)))


def _floats(words: Sequence[str], count: int, row: int, name: str) -> list[float]:
    try:
        values = [float(word) for word in words]
    except ValueError:
        values = []
    if len(values) != count or not np.isfinite(values).all():
        raise DamagedFileError(f"Its row {row + 1} is no point: file {name} is corrupted.", path=name)
    return values


def grouped(images: Iterable[str], points: Points) -> dict[str, Points]:
    """Return the points of each image; ``images`` names that of each point."""
    rows: dict[str, list[int]] = {}
    for row, image in enumerate(images):
        rows.setdefault(image, []).append(row)
    return {image: points[chosen] for image, chosen in rows.items()}
