"""The beam shift that each image was taken with, as it was noted beside the image.

EPU writes an XML file for each exposure, whose name the movie's begins with; SerialEM an ``.mdoc``. Both give
a pair of numbers in units of their own, which tell images apart and are compared with one another only.

Sources: the ``MicroscopeImage`` of EPU (``microscopeData/optics/BeamShift`` with ``_x`` and ``_y``), as
EPU_group_AFIS reads it; https://bio3d.colorado.edu/SerialEM/hlp/html/about_formats.htm (``ImageShift``).
"""

from __future__ import annotations

import math
import os
from collections.abc import Container, Iterable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from empiarreader.errors import ArchiveFileNotFoundError, DamagedDataError
from empiarreader.tables.content import LARGEST_TEXT, read_content
from empiarreader.tables.mdoc import read_mdoc
from empiarreader.xmltext import parse_xml

Shift = tuple[float, float]

_DRAWS, _STEPS = 10, 200


def read_beam_shifts(images: Iterable[Path]) -> NDArray[np.float64]:
    """Return ``(image, 2)``: the x and y of each beam shift, as noted in a file beside the image.

    Raises
    ------
    ArchiveFileNotFoundError
        If there is no such file beside an image.
    DamagedDataError
        If it does not say the shift.
    """
    beside: dict[Path, frozenset[str]] = {}
    shifts = []
    for image in images:
        if image.parent not in beside:
            files = image.parent.iterdir() if image.parent.is_dir() else ()
            beside[image.parent] = frozenset(file.name for file in files)
        shifts.append(_read(_noted_in(image, beside[image.parent])))
    return np.array(shifts, np.float64).reshape(-1, 2)


def cluster(points: NDArray[np.float64], count: int) -> NDArray[np.intp]:
    """Return the number of the group of each point ``(point, 2)``: ``count`` groups around their means.

    k-means from several starts, the tightest result of which counts: from points as far apart as can be,
    which is right wherever groups are well apart, and from draws of k-means++, which outliers lead astray
    less. The same points give the same groups, which are numbered from 0 in the order of their first points.

    Examples
    --------
    >>> cluster(np.array([[9.0, 9.1], [0, 0], [9, 9], [0, 0.1]]), 2).tolist()
    [0, 1, 0, 1]
    """
    generator = np.random.default_rng(0)
    starts = [_start(points, count, None), *(_start(points, count, generator) for _ in range(_DRAWS))]
    found = [_settle(points, start) for start in starts]
    groups, _ = min(found, key=lambda one: one[1])
    _, first, numbers = np.unique(groups, return_index=True, return_inverse=True)
    rank: NDArray[np.intp] = np.argsort(np.argsort(first))
    return rank[numbers]


def _start(
    points: NDArray[np.float64], count: int, generator: np.random.Generator | None
) -> NDArray[np.float64]:
    """Return centres among the points: each the farthest from those before, or drawn by how far it is."""
    first = 0 if generator is None else int(generator.integers(len(points)))
    chosen = [first]
    far = np.full(len(points), np.inf)
    while len(chosen) < count:
        far = np.minimum(far, _distances(points, points[chosen[-1:]])[:, 0])  # (point,), never all 0
        choice = far.argmax() if generator is None else generator.choice(len(points), p=far / far.sum())
        chosen.append(int(choice))
    return points[chosen]


def _settle(points: NDArray[np.float64], centres: NDArray[np.float64]) -> tuple[NDArray[np.intp], float]:
    """Move centres to the means of the points that are nearest, until they stay; return groups and spread."""
    groups = np.full(len(points), -1)
    for _ in range(_STEPS):
        nearest = _distances(points, centres).argmin(axis=1)
        if np.array_equal(nearest, groups):
            break
        groups = nearest
        sizes = np.bincount(groups, minlength=len(centres))
        sums = [np.bincount(groups, weights=axis, minlength=len(centres)) for axis in points.T]
        there = sizes > 0
        centres[there] = np.stack(sums, axis=1)[there] / sizes[there, np.newaxis]
    return groups, float(((points - centres[groups]) ** 2).sum())


def _distances(points: NDArray[np.float64], centres: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return squared distances ``(point, centre)``."""
    x, y = (np.subtract.outer(points[:, axis], centres[:, axis]) for axis in (0, 1))
    return np.asarray(x * x + y * y)


def _noted_in(image: Path, names: Container[str]) -> Path:
    """Return the file beside an image that notes how it was taken: the longest name that its own begins with.

    Names of movies have words at the end that those of EPU's XML files have not (``_fractions``, ``_EER``).
    """
    stem = image.name
    candidates = [f"{image.name}.mdoc"]
    while stem := max(stem.rpartition(".")[0], stem.rpartition("_")[0], key=len):
        candidates += [f"{stem}.mdoc", f"{stem}.xml"]
    for name in candidates:
        if name in names:
            return image.parent / name
    raise ArchiveFileNotFoundError(
        f"nothing beside {image} notes its beam shift; EPU's XML files, or SerialEM's .mdoc, must lie in the "
        "folder of the images: download them, too"
    )


def _read(path: Path) -> Shift:
    label = os.fspath(path)
    content = read_content(path, at_most=LARGEST_TEXT)
    shift = _of_mdoc(content, label) if path.suffix == ".mdoc" else _of_epu(content, label)
    if len(shift) != 2 or not all(map(math.isfinite, shift)):
        raise DamagedDataError(f"{label} does not say with which beam shift its image was taken")
    return shift[0], shift[1]


def _of_mdoc(content: bytes, label: str) -> tuple[float, ...]:
    noted = read_mdoc(content, label).sections[0].get("ImageShift")
    return noted if isinstance(noted, tuple) else ()


def _of_epu(content: bytes, label: str) -> tuple[float, ...]:
    try:
        root = parse_xml(content)
        shift = next((element for element in root.iter() if _local(element.tag) == "BeamShift"), ())
        noted = {_local(element.tag): element.text or "" for element in shift}
        return tuple(float(noted[axis]) for axis in ("_x", "_y") if axis in noted)
    except ValueError as error:
        raise DamagedDataError(f"{label} is no XML of EPU: {error}") from error


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]
