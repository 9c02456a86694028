"""A tilt series as one lazy array, sorted by angle, whatever program described it."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from empiarreader.byteunits import describe_count
from empiarreader.errors import (
    ArchiveFileNotFoundError,
    DamagedDataError,
    InvalidRequestError,
    UnsupportedFormatError,
)
from empiarreader.listing.folders import is_folder, list_files, split_location
from empiarreader.tables.opening import open_table
from empiarreader.tilts.facts import Tilt, tilts_of_angles, tilts_of_mdoc, tilts_of_relion
from empiarreader.tilts.files import (
    ANGLES,
    DESCRIPTIONS,
    HDF5,
    STACKS,
    Place,
    choose_description,
    description_beside,
    places_of_files,
    places_of_mdoc,
    stack_beside,
)
from empiarreader.tilts.images import TiltImages

if TYPE_CHECKING:
    import pandas
    import xarray

Missing = Literal["raise", "skip"]
Described = tuple[Sequence[Tilt], Sequence[Place | None]]

_AXIS = re.compile(r"tilt axis angle\s*=\s*(-?[0-9.]{1,12})", re.IGNORECASE)
_SHOWN = 3


def open_tilt_series(
    location: str | os.PathLike[str],
    *,
    images: str | os.PathLike[str] | None = None,
    name: str | None = None,
    missing: Missing = "raise",
) -> xarray.DataArray:
    """Open a tilt series as a lazy array ``(tilt, y, x)``, sorted by angle.

    Moves what describes the series, the list of the folder, and the header of the first image; of the pixels
    those that are computed.

    Parameters
    ----------
    location
        What describes the series, by path or address (``empiar://10002/data/TS_01.mdoc``): SerialEM's
        ``.mdoc``; a stack with a ``.mdoc``, ``.tlt`` or ``.rawtlt`` beside it, or with angles in its own
        header; the ``.tlt`` itself; RELION's STAR file of the series, or of all of them with ``name``;
        Parakeet's HDF5; or a folder that holds one of these.
    images
        Where the images are, if not in the folder of the description or below it: a folder, or the stack.
        A stack is preferred to separate images.
    name
        Which series of a file or folder that describes several: its ``rlnTomoName``, or how the name of its
        file begins.
    missing
        What to do where a described image is not there: ``"raise"``, or ``"skip"`` it.

    Returns
    -------
    xarray.DataArray
        Dimensions ``(tilt, y, x)``, one chunk a tilt. Movies are summed over their frames, unaligned.
        Coordinates along ``tilt``: ``tilt_angle`` (degrees), ``dose`` (e/Å² of that image), ``pre_exposure``
        (e/Å² before it; both NaN where nothing tells), ``image`` (the file) and ``section`` (-1 for a file of
        its own). ``y`` and ``x`` in Å where the pixel size is known. Attributes: ``filename`` (of the
        description), ``format``, ``voxel_size``, and ``tilt_axis_angle_degrees`` where it is noted.

    Raises
    ------
    ArchiveFileNotFoundError
        If the description, or with ``missing="raise"`` an image, is not there.
    DamagedDataError
        If the description cannot be understood, or counts other images than there are.
    InvalidRequestError
        If there are several series and ``name`` does not say which.
    UnsupportedFormatError, ServiceError
        As :func:`open_image`. Images of unlike shapes raise :class:`ShapeMismatchError` when computed.
    """
    if missing not in ("raise", "skip"):
        raise InvalidRequestError(f"missing is {missing!r}; it is 'raise' or 'skip'")
    label, elsewhere = os.fspath(location), os.fspath(images) if images is not None else None
    if is_folder(label, DESCRIPTIONS):
        label = choose_description(label, name)
    suffix = _suffix(label)
    if suffix in STACKS and (beside := description_beside(label)) is not None:
        elsewhere, label, suffix = label, beside, _suffix(beside)
    notes: dict[str, Any] = {}
    described: Described
    if suffix == ".mdoc":
        frame = _one_table(label)
        tilts = tilts_of_mdoc(frame, label)
        described = tilts, places_of_mdoc(label, frame.attrs["global"], tilts, elsewhere)
        notes = _axis_angle(frame.attrs["titles"])
    elif suffix in ANGLES:
        described = _by_sections(
            stack_beside(label, elsewhere), tilts_of_angles(_one_table(label).tilt_angle)
        )
    elif suffix == ".star":
        label, tilts = _follow_relion(label, name)
        described = tilts, places_of_files(label, tilts, elsewhere)
    elif suffix in STACKS or suffix in HDF5:
        described = _by_own_header(label)
    else:
        raise UnsupportedFormatError(
            f"{label} describes no tilt series by its name; {', '.join(sorted(DESCRIPTIONS))} do, and folders"
        )
    return _assemble(label, described, missing, notes)


def _suffix(label: str) -> str:
    return PurePosixPath(split_location(label)[1].lower()).suffix


def _one_table(label: str) -> pandas.DataFrame:
    table = open_table(label)
    assert not isinstance(table, dict)  # STAR files alone have several
    return table


def _blocks(label: str) -> dict[str, pandas.DataFrame]:
    blocks = open_table(label)
    assert isinstance(blocks, dict)
    return blocks


def _axis_angle(titles: Iterable[str]) -> dict[str, Any]:
    found = next((found for title in titles if (found := _AXIS.search(title))), None)
    return {"tilt_axis_angle_degrees": float(found[1])} if found else {}


def _by_sections(stack: str, tilts: Sequence[Tilt]) -> Described:
    return tilts, [Place(stack, tilt.section) for tilt in tilts]


def _by_own_header(label: str) -> Described:
    """Return the sections of a file that says their angles itself: an extended header, Parakeet's columns."""
    said = TiltImages([label]).file_metadata(0)
    angles = said.get("tilt_alpha", said.get("tilt_angle_degrees"))
    if angles is None or not np.isfinite(angles).all():
        raise ArchiveFileNotFoundError(
            f"nothing tells the angles of {label}: no .mdoc, .tlt or .rawtlt of that name is beside it, and "
            "its header has none"
        )
    doses = np.asarray(
        said.get("dose", said.get("dose_electrons_per_square_angstrom", [math.nan] * len(angles)))
    )
    # Sections lie in the order they were taken, or were simulated, in.
    before = np.concatenate([[0.0], np.cumsum(doses)[:-1]])
    tilts = [
        Tilt(angle=float(angle), dose=float(dose), pre_exposure=float(seen), section=number)
        for number, (angle, dose, seen) in enumerate(zip(angles, doses, before, strict=True))
    ]
    return _by_sections(label, tilts)


def _follow_relion(label: str, name: str | None) -> tuple[str, list[Tilt]]:
    """Return the STAR file of one series, followed from the one of all where need be, and its images."""
    blocks = _blocks(label)
    series = next((table for table in blocks.values() if "rlnTomoTiltSeriesStarFile" in table), None)
    if series is None:
        return label, tilts_of_relion(max(blocks.values(), key=len), label)
    chosen = series if name is None else series[series.rlnTomoName.astype(str) == name]
    if len(chosen) != 1:
        names = ", ".join(map(str, series.rlnTomoName[:_SHOWN]))
        raise InvalidRequestError(f"{label} describes {len(series)} series ({names} …); say which with name=")
    row = chosen.iloc[0].to_dict()
    own = PurePosixPath(str(row["rlnTomoTiltSeriesStarFile"])).name
    files = list_files(split_location(label)[0], below=True)
    where = next((where for path, where in files.items() if path.rpartition("/")[2] == own), None)
    if where is None:
        raise ArchiveFileNotFoundError(f"{label} refers to {own}, which is not in its folder or below")
    return where, tilts_of_relion(max(_blocks(where).values(), key=len), where, row)


def _assemble(label: str, described: Described, missing: Missing, notes: dict[str, Any]) -> xarray.DataArray:
    """Return the array of the images that are there, sorted by angle."""
    import xarray

    from empiarreader.arrays import with_lengths

    locations = dict.fromkeys(place.location for place in described[1] if place is not None)
    if not locations:
        raise _not_there(label, described[0], described[0])
    source = TiltImages(locations)
    there = _present(label, described, source, missing)
    there.sort(key=lambda pair: pair[0].angle)
    data = source.stack([place for _, place in there])
    tilts = [tilt for tilt, _ in there]
    array = xarray.DataArray(
        data,
        dims=("tilt", "y", "x"),
        coords={
            "tilt_angle": ("tilt", [tilt.angle for tilt in tilts], {"units": "degrees"}),
            "dose": ("tilt", [tilt.dose for tilt in tilts], {"units": "e/Å²"}),
            "pre_exposure": ("tilt", [tilt.pre_exposure for tilt in tilts], {"units": "e/Å²"}),
            "image": ("tilt", [place.location for _, place in there]),
            "section": ("tilt", [-1 if place.section is None else place.section for _, place in there]),
        },
        attrs={"filename": label, **notes},
    )
    return with_lengths(array, source.image(0))


def _present(
    label: str, described: Described, source: TiltImages, missing: Missing
) -> list[tuple[Tilt, Place]]:
    """Return the tilts whose image is there.

    Raises
    ------
    ArchiveFileNotFoundError, DamagedDataError
        If one is not and may not be skipped, or a stack has sections that are not described.
    """
    found, lost = [], []
    for tilt, place in zip(*described, strict=True):
        if place is not None and source.has(place):
            found.append((tilt, place))
        else:
            lost.append(tilt)
    if lost and (missing == "raise" or not found):
        raise _not_there(label, described[0], lost)
    stack = found[0][1]
    sections = source.sections(stack) if stack.section is not None and len(source) == 1 else 0
    if sections > len(found) and missing == "raise":
        raise DamagedDataError(
            f"{label} describes {describe_count(len(found), 'images')}, but {stack.location} has {sections}; "
            "leave the others out with missing='skip'"
        )
    return found


def _not_there(label: str, tilts: Sequence[Tilt], lost: Sequence[Tilt]) -> ArchiveFileNotFoundError:
    names = [tilt.names[0] if tilt.names else f"section {tilt.section}" for tilt in lost[:_SHOWN]]
    return ArchiveFileNotFoundError(
        f"{len(lost)} of the {describe_count(len(tilts), 'images')} that {label} describes cannot be found "
        f"({', '.join(names)}{' …' if len(lost) > _SHOWN else ''}); say where they are with images=, "
        "or leave them out with missing='skip'"
    )
