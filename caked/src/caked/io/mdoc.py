"""Tilt series that SerialEM's mdoc files describe."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from caked.errors import DamagedFileError, InvalidOptionError, SourceNotFoundError
from caked.io.layout import reported
from caked.io.series import Series, Stacks
from caked.protocol import Array

__all__ = ["read_mdoc", "series_of_mdoc"]


def series_of_mdoc(
    paths: Sequence[str], *, images: str | os.PathLike[str] | None, dose_per_tilt: float | None
) -> tuple[list[Series], list[str]]:
    """Read tilt series from SerialEM's mdoc files.

    The dose before a tilt is ``PriorRecordDose`` where every tilt states one, else the sum of
    ``ExposureDose`` (or ``dose_per_tilt``) of the tilts taken before it, in the order of ``ZValue``.

    Returns
    -------
    tuple
        The series, and the stacks that their images are in.
    """
    stacks, found = Stacks(), []
    for path in paths:
        table, angles, sections = read_mdoc(path)
        folder = Path(path).parent if images is None else Path(images)
        stack = _mdoc_stack(table, folder, path)
        found.append(
            Series(
                name=Path(path).name.removesuffix(".mdoc"),
                members=np.array([stacks.index(stack, k, source=path) for k in sections.tolist()]),
                angles_degrees=angles,
                dose=_mdoc_dose(table, sections, dose_per_tilt),
                pixel_size_angstrom=float(table["PixelSpacing"].iloc[0]) if "PixelSpacing" in table else 0.0,
            )
        )
    return found, list(stacks.start)


def read_mdoc(path: str | os.PathLike[str]) -> tuple[Any, Array, Array]:
    """Read the table of an mdoc file, its tilt angles in degrees, and the sections of the tilts.

    Raises
    ------
    SourceNotFoundError
        If there is no such file.
    DamagedFileError
        If it describes no tilt series.
    """
    try:
        import mdocfile
    except ImportError as error:
        raise InvalidOptionError("mdoc files are read with mdocfile: pip install './caked[mdoc]'.") from error
    name = os.fspath(path)
    with reported(name), Path(name).open("rb"):
        pass
    try:
        table = mdocfile.read(name)
        angles = table["TiltAngle"].to_numpy(dtype=np.float64)
        return table, angles, table["ZValue"].to_numpy(dtype=np.int64)
    except (ValueError, KeyError, IndexError, AttributeError, TypeError) as error:
        why = str(error).partition("\n")[0][:100]
        raise DamagedFileError(
            f"As an mdoc file of a tilt series it makes no sense ({why}): file {name} is corrupted.",
            path=name,
        ) from error


def _mdoc_stack(table: Any, folder: Path, path: str) -> Path:
    named = [str(table["ImageFile"].iloc[0])] if "ImageFile" in table else []
    for name in (*named, Path(path).name.removesuffix(".mdoc")):
        if (folder / Path(name).name).is_file():
            return folder / Path(name).name
    raise SourceNotFoundError(
        f"{path} describes {named or 'a stack'}, which is not in {folder}; say where with images=….",
        path=path,
    )


def _mdoc_dose(table: Any, sections: Array, dose_per_tilt: float | None) -> Array | None:
    if dose_per_tilt is None and "PriorRecordDose" in table and table["PriorRecordDose"].notna().all():
        return np.asarray(table["PriorRecordDose"].to_numpy(dtype=np.float64))
    own = np.full(len(sections), dose_per_tilt or 0.0)
    if dose_per_tilt is None and "ExposureDose" in table:
        own = table["ExposureDose"].fillna(0.0).to_numpy(dtype=np.float64)
    if not own.any():
        return None
    order = np.argsort(sections, kind="stable")
    dose = np.empty(len(sections))
    dose[order] = np.cumsum(own[order]) - own[order]
    return dose
