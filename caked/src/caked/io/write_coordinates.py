"""Picked coordinates as STAR, EMAN's .box, or a table: what :mod:`caked.io.coordinates` reads."""

from __future__ import annotations

import csv
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from caked.errors import InvalidOptionError
from caked.io.coordinates import Points
from caked.io.write import replacing

__all__ = ["COORDINATE_SUFFIXES", "write_coordinates"]

_TABLES = {".csv": ",", ".tsv": "\t", ".txt": "\t"}
COORDINATE_SUFFIXES = (".box", *_TABLES)
"""Endings of files that hold coordinates and nothing else."""


def write_coordinates(
    path: str | os.PathLike[str], points: Mapping[str, Points], *, box_size: int | None = None
) -> Path:
    """Write the points of one or more images, whole or not at all.

    Parameters
    ----------
    path
        ``.star`` (``rlnCoordinateX`` …), ``.box`` (EMAN; one image alone), or ``.csv``, ``.tsv`` or ``.txt``
        (``image_name``, ``x_coord``, ``y_coord``, and ``z_coord`` of volumes, as Topaz names them).
    points
        ``(n, ndim)`` of each image, array order, in pixels; the name ``""`` for an image without one.
    box_size
        Side of the boxes in pixels, for ``.box``.

    Raises
    ------
    InvalidOptionError
        If the file cannot hold these points.
    """
    suffix = Path(path).suffix.lower()
    if suffix == ".star":
        text = _star(points)
    elif suffix == ".box":
        text = _box(points, box_size)
    elif suffix in _TABLES:
        return _write_table(Path(path), points, _TABLES[suffix])
    else:
        raise InvalidOptionError(
            f"Coordinates are written to .star, .box, .csv, .tsv or .txt, not to {path}."
        )
    with replacing(path) as part:
        part.write_text(text, encoding="utf-8", errors="surrogateescape")
    return Path(path)


def _rows(points: Mapping[str, Points]) -> tuple[list[str], Points]:
    names = [name for name, one in points.items() for _ in range(len(one))]
    widths = {one.shape[1] for one in points.values() if len(one)}
    if len(widths) > 1:
        raise InvalidOptionError("The points of some images have two coordinates and of others three.")
    width = widths.pop() if widths else 2
    return names, np.concatenate([np.empty((0, width)), *(one.reshape(-1, width) for one in points.values())])


def _star(points: Mapping[str, Points]) -> str:
    import pandas as pd
    import starfile

    names, rows = _rows(points)
    columns = {f"rlnCoordinate{axis}": rows[:, -1 - k] for k, axis in enumerate("XYZ"[: rows.shape[1]])}
    named = {"rlnMicrographName" if rows.shape[1] == 2 else "rlnTomoName": names} if any(names) else {}
    text: str = starfile.to_string({"particles": pd.DataFrame({**columns, **named})}, float_format="%.9g")
    return text


def _box(points: Mapping[str, Points], box_size: int | None) -> str:
    if len(points) != 1 or box_size is None:
        raise InvalidOptionError(
            f"A .box file holds the points of one image as boxes of one size, and there are {len(points)} "
            f"images and {'no' if box_size is None else 'a'} box size."
        )
    (rows,) = points.values()
    if len(rows) and rows.shape[1] != 2:
        raise InvalidOptionError("A .box file holds points of micrographs, and these have three coordinates.")
    corners = rows[:, ::-1] - box_size / 2
    return "".join(f"{x:g}\t{y:g}\t{box_size}\t{box_size}\n" for x, y in corners)


def _write_table(path: Path, points: Mapping[str, Points], separator: str) -> Path:
    names, rows = _rows(points)
    axes = "xyz"[: rows.shape[1]]
    with (
        replacing(path) as part,
        part.open("w", newline="", encoding="utf-8", errors="surrogateescape") as file,
    ):
        writer = csv.writer(file, delimiter=separator, lineterminator="\n")
        writer.writerow(["image_name", *(f"{axis}_coord" for axis in axes)])
        for name, row in zip(names, rows[:, ::-1].tolist(), strict=True):
            writer.writerow([name, *(f"{value:.9g}" for value in row)])
    return path
