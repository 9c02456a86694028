"""What is said of each image of a tilt series: its angle, its dose, and where it is.

Said by SerialEM's mdoc, IMOD's list of angles, RELION's STAR files. Doses are in e/Å².
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath, PureWindowsPath
from typing import TYPE_CHECKING, Any

import numpy as np

from empiarreader.errors import DamagedDataError

if TYPE_CHECKING:
    import pandas

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_WORDY = re.compile(r"(\d{1,2})-([A-Za-z]{3})-(\d{2,4})\s+(\d{1,2}):(\d\d):(\d\d)", re.ASCII)
_PLAIN = re.compile(r"(\d{4})-(\d\d)-(\d\d)\s+(\d{1,2}):(\d\d):(\d\d)", re.ASCII)
_IN_STACK = re.compile(r"0*(\d{1,9})@(.+)", re.ASCII)


@dataclass(frozen=True, kw_only=True)
class Tilt:
    """An image of a tilt series.

    Attributes
    ----------
    angle : float
        Degrees.
    dose : float
        Exposure of this image, NaN where it is not known.
    pre_exposure : float
        What the specimen had seen before, NaN where it is not known.
    names : tuple of str
        Files that hold the image, the preferred first; paths as they were noted, with forward slashes.
    section : int or None
        Which section of the file it is, from 0; None for a file, or movie, of its own.
    """

    angle: float
    dose: float = math.nan
    pre_exposure: float = math.nan
    names: tuple[str, ...] = ()
    section: int | None = None


def tilts_of_mdoc(frame: pandas.DataFrame, label: str) -> list[Tilt]:
    """Return the images that an mdoc describes, in its order; ``names`` are those of separate files.

    Where it does not say what the specimen had seen before, exposures are summed in the order of their time,
    or of the file.

    Raises
    ------
    DamagedDataError
        If it has no angles.
    """
    rows = frame.to_dict("records")
    if any(math.isnan(_number(row.get("TiltAngle"))) for row in rows):
        raise DamagedDataError(f"{label} does not give the tilt angle of every image")
    tilts = [
        Tilt(
            angle=float(row["TiltAngle"]),
            dose=_dose(row),
            pre_exposure=_number(row.get("PriorRecordDose")),
            names=_names([row.get("SubFramePath")]),
            section=_section(row.get("ZValue")),
        )
        for row in rows
    ]
    return _with_pre_exposure(tilts, [_time(row.get("DateTime")) for row in rows])


def tilts_of_angles(angles: Iterable[float]) -> list[Tilt]:
    """Return the sections of a stack by a list of their angles."""
    return [Tilt(angle=float(angle), section=number) for number, angle in enumerate(angles)]


def tilts_of_relion(frame: pandas.DataFrame, label: str, general: dict[str, Any] | None = None) -> list[Tilt]:
    """Return the images of a tilt series by RELION's STAR file of it.

    The exposure of an image is ``rlnTomoImportFractionalDose`` of the series; where that is not given, what
    the next image had seen more.

    Raises
    ------
    DamagedDataError
        If it has no angles.
    """
    column = next((name for name in ("rlnTomoNominalStageTiltAngle", "rlnTomoYTilt") if name in frame), None)
    if column is None:
        raise DamagedDataError(f"{label} is no STAR file of a tilt series: it gives no tilt angles")
    rows = frame.to_dict("records")
    if any(math.isnan(_number(row[column])) for row in rows):
        raise DamagedDataError(f"{label} does not give the tilt angle of every image")
    before = [_number(row.get("rlnMicrographPreExposure")) for row in rows]
    stated = _number((general or {}).get("rlnTomoImportFractionalDose"))
    doses = _differences(before) if math.isnan(stated) else [stated] * len(rows)
    tilts = []
    for row, dose, pre_exposure in zip(rows, doses, before, strict=True):
        names = _names(row.get(name) for name in ("rlnMicrographName", "rlnMicrographMovieName"))
        section, names = _in_stack(names)
        tilts.append(
            Tilt(angle=float(row[column]), dose=dose, pre_exposure=pre_exposure, names=names, section=section)
        )
    return tilts


def _section(noted: Any) -> int | None:
    number = _number(noted)
    return int(number) if number >= 0 else None


def _in_stack(names: tuple[str, ...]) -> tuple[int | None, tuple[str, ...]]:
    """Return the section and the file of a name such as ``000003@series.st``."""
    found = _IN_STACK.fullmatch(names[0]) if names else None
    return (int(found[1]) - 1, (found[2],)) if found and int(found[1]) > 0 else (None, names)


def _names(noted: Iterable[Any]) -> tuple[str, ...]:
    return tuple(
        PureWindowsPath(name).as_posix() if "\\" in name else PurePosixPath(name).as_posix()
        for name in noted
        if isinstance(name, str) and name
    )


def _dose(row: dict[str, Any]) -> float:
    stated = _number(row.get("ExposureDose"))
    if stated > 0:  # 0 where the dose was not calibrated
        return stated
    noted = row.get("FrameDosesAndNumber", row.get("FrameDosesAndNumbers"))
    if isinstance(noted, tuple) and len(noted) % 2 == 0:
        return float(sum(dose * count for dose, count in zip(noted[::2], noted[1::2], strict=True)))
    return math.nan


def _with_pre_exposure(tilts: Sequence[Tilt], times: Sequence[tuple[int, ...] | None]) -> list[Tilt]:
    if not any(math.isnan(tilt.pre_exposure) for tilt in tilts):
        return list(tilts)
    known = [time for time in times if time is not None]
    order = list(range(len(tilts)))
    if len(set(known)) == len(tilts):
        order.sort(key=lambda k: times[k] or ())
    total, before = 0.0, [0.0] * len(tilts)
    for k in order:
        before[k] = total
        total += tilts[k].dose
    return [replace(tilt, pre_exposure=seen) for tilt, seen in zip(tilts, before, strict=True)]


def _differences(before: Sequence[float]) -> list[float]:
    """Return how much more each next image had seen; of the last as much as of the one before it."""
    values = np.asarray(before)
    if len(values) < 2 or np.isnan(values).any():
        return [math.nan] * len(values)
    order = np.argsort(values, kind="stable")
    steps = np.diff(values[order])
    doses = np.empty(len(values))
    doses[order] = [*steps, steps[-1]]
    return [float(dose) for dose in doses]


def _time(noted: Any) -> tuple[int, ...] | None:
    """Return a time as numbers that can be compared, None where it is written in another way."""
    text = noted if isinstance(noted, str) else ""
    if found := _PLAIN.match(text):
        return tuple(map(int, found.groups()))
    found = _WORDY.match(text)
    if found is None or found[2].lower() not in _MONTHS:
        return None
    year = int(found[3]) + (2000 if len(found[3]) == 2 else 0)
    return year, _MONTHS.index(found[2].lower()) + 1, int(found[1]), *map(int, found.groups()[3:])


def _number(value: Any) -> float:
    """Return a number that was noted, NaN where there is none."""
    is_number = isinstance(value, (int, float, np.number)) and math.isfinite(value)
    return float(value) if is_number else math.nan
