"""What tilt series are made of: SerialEM's mdoc files, RELION's STAR files, Parakeet's NeXus files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from caked.errors import DamagedFileError, InvalidOptionError, RefusedFileError, SourceNotFoundError
from caked.io.containers import open_hdf5_file
from caked.io.layout import read_layout, reported
from caked.io.star import Table, numbers, read_star
from caked.protocol import Array

__all__ = ["Series", "series_of_mdoc", "series_of_nexus", "series_of_star"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Series:
    """One tilt series.

    Attributes
    ----------
    name
        Unlike that of other series.
    members
        Indices of its images, in order: ``(tilts,)``.
    angles_degrees
        Tilt of each, or ``None``.
    dose
        What the specimen had received before each, e⁻/Å², or ``None``.
    pixel_size_angstrom
        0.0 where the description does not say.
    ctf
        Further columns of :mod:`caked.keys`, one number a tilt.
    """

    name: str
    members: Array
    angles_degrees: Array | None = None
    dose: Array | None = None
    pixel_size_angstrom: float = 0.0
    ctf: Mapping[str, Array] | None = None

    def sorted_by(self, order: str) -> Series:
        """Return the series with its tilts in another order."""
        values = {"stored": None, "angle": self.angles_degrees, "dose": self.dose}[order]
        if order != "stored" and values is None:
            raise InvalidOptionError(f"Tilt series {self.name} says nothing of its {order}s to sort by.")
        if values is None:
            return self
        rows = np.argsort(values, kind="stable")
        return replace(
            self,
            members=self.members[rows],
            angles_degrees=None if self.angles_degrees is None else self.angles_degrees[rows],
            dose=None if self.dose is None else self.dose[rows],
            ctf={key: column[rows] for key, column in (self.ctf or {}).items()},
        )

    def columns(self) -> dict[str, Array]:
        """Return what is known of the tilts, by the keys of a batch."""
        known = dict(self.ctf or {})
        if self.angles_degrees is not None:
            known["tilt_angle_degrees"] = self.angles_degrees
        if self.dose is not None:
            known["dose_electrons_per_square_angstrom"] = self.dose
        return known

    def to_dict(self) -> dict[str, Any]:
        """Return all of it, ready for JSON."""
        return {
            "name": self.name,
            "members": self.members.tolist(),
            "angles_degrees": None if self.angles_degrees is None else self.angles_degrees.tolist(),
            "dose": None if self.dose is None else self.dose.tolist(),
            "pixel_size_angstrom": self.pixel_size_angstrom,
            "ctf": {key: column.tolist() for key, column in (self.ctf or {}).items()},
        }

    @classmethod
    def from_dict(cls, description: Mapping[str, Any]) -> Series:
        """Make the series that :meth:`to_dict` described."""
        angles, dose = description["angles_degrees"], description["dose"]
        return cls(
            name=description["name"],
            members=np.array(description["members"], dtype=np.int64),
            angles_degrees=None if angles is None else np.array(angles),
            dose=None if dose is None else np.array(dose),
            pixel_size_angstrom=description["pixel_size_angstrom"],
            ctf={key: np.array(column) for key, column in description["ctf"].items()},
        )


class _Stacks:
    """Numbers images of several stacks one after the other, as :class:`caked.StackSource` does."""

    def __init__(self) -> None:
        self.start: dict[str, int] = {}
        self.count: dict[str, int] = {}
        self.total = 0

    def index(self, path: Path, section: int, *, source: str) -> int:
        """Return the index of a section, after a check that the stack has it."""
        name = str(path)
        if name not in self.start:
            shape = read_layout(path).shape
            self.start[name], self.count[name] = self.total, shape[0] if len(shape) == 3 else 1
            self.total += self.count[name]
        if not 0 <= section < self.count[name]:
            raise DamagedFileError(
                f"It names image {section + 1} of {name}, which has {self.count[name]}: file {source} is "
                "corrupted, or the stack is another.",
                path=source,
            )
        return self.start[name] + section


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
    try:
        import mdocfile
    except ImportError as error:
        raise InvalidOptionError("mdoc files are read with mdocfile: pip install './caked[mdoc]'.") from error
    stacks, found = _Stacks(), []
    for path in paths:
        with reported(path), Path(path).open("rb"):
            pass
        try:
            table = mdocfile.read(path)
            angles = table["TiltAngle"].to_numpy(dtype=np.float64)
            sections = table["ZValue"].to_numpy(dtype=np.int64)
        except (ValueError, KeyError, IndexError, AttributeError, TypeError) as error:
            why = str(error).partition("\n")[0][:100]
            raise DamagedFileError(
                f"As an mdoc file of a tilt series it makes no sense ({why}): file {path} is corrupted.",
                path=path,
            ) from error
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


_TILT_CTF = {
    "defocus_u_angstrom": "rlnDefocusU",
    "defocus_v_angstrom": "rlnDefocusV",
    "defocus_angle_degrees": "rlnDefocusAngle",
    "phase_shift_degrees": "rlnPhaseShift",
    "ctf_scale": "rlnCtfScalefactor",
}
_SHARED_CTF = {
    "voltage_kilovolts": "rlnVoltage",
    "spherical_aberration_millimetres": "rlnSphericalAberration",
    "amplitude_contrast": "rlnAmplitudeContrast",
}


def series_of_star(path: str | os.PathLike[str]) -> tuple[list[Series], list[str]]:
    """Read tilt series from RELION's ``tomograms.star`` (4) or ``tilt_series.star`` (5).

    Returns
    -------
    tuple
        The series, and the files that their images are in.
    """
    name = os.fspath(path)
    blocks = read_star(name)
    overview = next((block for block in blocks.values() if "rlnTomoName" in block), None)
    if overview is None:
        raise RefusedFileError(f"{name} lists no tilt series: it has no column rlnTomoName.", path=name)
    stacks, found = _Stacks(), []
    for row, word in enumerate(overview["rlnTomoName"]):
        tomogram = str(word)
        tilts, where = _tilts(blocks, overview, row, tomogram, name)
        members = _tilt_images(tilts, overview, row, tomogram, where)
        found.append(
            Series(
                name=tomogram,
                members=np.array([stacks.index(file, k, source=where) for file, k in members]),
                angles_degrees=_tilt_angles(tilts, where),
                dose=numbers(tilts, "rlnMicrographPreExposure", name=where),
                pixel_size_angstrom=_first(overview, row, "rlnTomoTiltSeriesPixelSize", name),
                ctf=_tilt_ctf(tilts, overview, row, where),
            )
        )
    return found, list(stacks.start)


def _tilts(
    blocks: Mapping[str, Table], overview: Table, row: int, tomogram: str, name: str
) -> tuple[Table, str]:
    """Return the table of a series' tilts, and the file it is in."""
    if "rlnTomoTiltSeriesStarFile" in overview:
        file = str(_project_file(str(overview["rlnTomoTiltSeriesStarFile"][row]), name))
        return next(iter(read_star(file).values())), file
    if tomogram not in blocks:
        raise DamagedFileError(
            f"It has no block of tilts for {tomogram!r}: file {name} is corrupted.", path=name
        )
    return blocks[tomogram], name


def _tilt_images(tilts: Table, overview: Table, row: int, tomogram: str, name: str) -> list[tuple[Path, int]]:
    """Return file and section of each tilt."""
    if "rlnMicrographName" in tilts:
        pairs = [str(word).rpartition("@") for word in tilts["rlnMicrographName"]]
        return [(_project_file(file, name), int(number or 1) - 1) for number, _, file in pairs]
    if "rlnTomoTiltSeriesName" not in overview:
        raise RefusedFileError(f"{name} does not say where the images of {tomogram} are.", path=name)
    stack = str(overview["rlnTomoTiltSeriesName"][row]).removesuffix(":mrc")
    return [(_project_file(stack, name), k) for k in range(len(next(iter(tilts.values()))))]


def _project_file(file: str, table: str) -> Path:
    """Return a file named from the table's folder, or from one above it, as RELION names them."""
    folder = Path(table).absolute().parent
    for place in (folder, *folder.parents):
        if (place / file).is_file():
            return place / file
    raise SourceNotFoundError(f"{table} names {file}, which is neither there nor above it.", path=file)


def _tilt_angles(tilts: Table, name: str) -> Array | None:
    for column in ("rlnTomoNominalStageTiltAngle", "rlnTomoYTilt"):
        angles = numbers(tilts, column, name=name)
        if angles is not None:
            return angles
    if "rlnTomoProjZ" not in tilts:
        return None
    rows = np.array([_vector(str(word), name) for word in tilts["rlnTomoProjZ"]])
    # The row that makes the laboratory's z of a point: (-sin t, 0, cos t) for a tilt t about y.
    return np.asarray(-np.sign(rows[:, 0]) * np.degrees(np.arccos(np.clip(rows[:, 2], -1.0, 1.0))))


def _vector(word: str, name: str) -> list[float]:
    try:
        values = [float(part) for part in word.strip("[]").split(",")]
    except ValueError:
        values = []
    if len(values) != 4:
        raise DamagedFileError(
            f"{word[:60]!r} is no row of a projection: file {name} is corrupted.", path=name
        )
    return values


def _tilt_ctf(tilts: Table, overview: Table, row: int, name: str) -> dict[str, Array]:
    ctf = {key: numbers(tilts, column, name=name) for key, column in _TILT_CTF.items()}
    known = {key: values for key, values in ctf.items() if values is not None}
    count = len(next(iter(tilts.values())))
    for key, column in _SHARED_CTF.items():
        if column in overview:
            known[key] = np.full(count, _first(overview, row, column, name))
    return known


def _first(overview: Table, row: int, column: str, name: str) -> float:
    values = numbers(overview, column, name=name)
    return 0.0 if values is None else float(values[row])


def series_of_nexus(paths: Sequence[str]) -> list[Series]:
    """Read what Parakeet's NeXus files say of their tilt series: angles, doses, pixel sizes.

    Parakeet writes an NXtomo entry whose group ``data`` holds, beside the images, an array for each fact:
    ``tilt_alpha`` in degrees, ``dose`` of each image in e⁻/Å², ``pixel_size_x`` in Å.
    """
    found, start = [], 0
    for path in paths:
        with open_hdf5_file(path) as file:
            data = file.get("entry/data")
            if data is None or "data" not in data or getattr(data["data"], "ndim", 0) != 3:
                raise RefusedFileError(f"{path} has no tilt series entry/data/data as NXtomo has.", path=path)
            count = int(data["data"].shape[0])
            facts = {
                key: np.asarray(data[key][()], dtype=np.float64)
                for key in ("tilt_alpha", "dose", "pixel_size_x", "energy", "c_30")
                if key in data and data[key].shape == (count,)
            }
        own = facts.get("dose")
        pixel_size = facts.get("pixel_size_x")
        found.append(
            Series(
                name=Path(path).name,
                members=np.arange(start, start + count),
                angles_degrees=facts.get("tilt_alpha"),
                dose=np.cumsum(own) - own if own is not None and own.any() else None,
                pixel_size_angstrom=0.0 if pixel_size is None else float(pixel_size[0]),
            )
        )
        start += count
    return found
