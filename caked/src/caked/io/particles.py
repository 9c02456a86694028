"""Particles in compact columns, whichever program wrote them: some tens of bytes each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from caked.errors import DamagedFileError
from caked.io.poses import matrices_from_euler
from caked.keys import Columns
from caked.names import MadeNames, NameTable, occurrences
from caked.protocol import Array

__all__ = [
    "WHOLE_FILE",
    "ParticleNames",
    "ParticleTable",
    "Places",
    "TextColumn",
    "folder_of_stacks",
    "image_places",
    "packed",
]

WHOLE_FILE = -1

Places = tuple[list[str], Array, Array]
"""Names of the stacks, which of them each particle lies in, and its section there, from 0."""


class PackedColumn:
    """A column of few different values: those values, and a small number for each row."""

    def __init__(self, values: Array, codes: Array) -> None:
        self.values, self.codes = values, codes

    def __getitem__(self, rows: Any) -> Array:
        return np.asarray(self.values[self.codes[rows]])


def packed(values: Array) -> Array | PackedColumn:
    """Return a column in the form that takes less memory; both give rows alike."""
    different, codes = np.unique(values, return_inverse=True)
    for dtype in (np.uint8, np.uint16):
        if len(different) <= np.iinfo(dtype).max + 1 and len(different) * 2 < len(values):
            return PackedColumn(different, codes.astype(dtype))
    return values


class TextColumn:
    """A column of words, each kept once."""

    def __init__(self, words: Sequence[str]) -> None:
        code_of: dict[str, int] = {}
        self.codes = np.array([code_of.setdefault(word, len(code_of)) for word in words], dtype=np.int32)
        self.words = NameTable(code_of)

    def __getitem__(self, rows: Any) -> list[str]:
        return [self.words[int(code)] for code in self.codes[rows]]


def image_places(images: Sequence[str], name: str) -> Places:
    """Split RELION's names of images, ``number@stack`` counted from 1, or a file that is one particle.

    Raises
    ------
    DamagedFileError
        If a name is neither.
    """
    stack_of: dict[str, int] = {}
    codes, sections = np.empty(len(images), np.int32), np.empty(len(images), np.int32)
    for row, image in enumerate(images):
        number, at, stack = image.partition("@")
        if not at:
            number, stack = "0", image
        if not (number.isascii() and number.isdigit() and stack) or (at and int(number) < 1):
            raise DamagedFileError(
                f"Row {row + 1} names the image {image[:80]!r}, which is not number@stack with numbers from "
                f"1: file {name} is corrupted.",
                path=name,
            )
        sections[row] = int(number) - 1 if at else WHOLE_FILE
        codes[row] = stack_of.setdefault(stack, len(stack_of))
    return list(stack_of), codes, sections


@dataclass(frozen=True, kw_only=True, eq=False)
class ParticleTable:
    """What is known of many particles.

    Attributes
    ----------
    stacks
        Name of each stack file, as written.
    stack, section
        Of each particle: its stack, and its section there from 0; -1 where the whole file is the particle.
    pixel_size_angstrom
        Of each particle, or ``None``.
    columns
        Of :mod:`caked.keys`, one number a particle.
    angles_degrees
        RELION's rot, tilt and psi ``(n, 3)``, or ``None``.
    shift_angstrom
        ``(n, 2)`` or ``(n, 3)`` in array order, or ``None``.
    micrographs
        Of each particle, or ``None``.
    coordinates
        Where in its micrograph or tomogram each particle was picked, ``(n, 2)`` or ``(n, 3)`` in array order
        and pixels; ``None`` where that is not known, or was not asked for.
    micrograph_shape
        ``(y, x)`` of the micrograph of each particle ``(n, 2)``, or ``None``.
    kept
        Further columns, as they stand in the file.
    tilt_stacks
        Whether a file that is one particle holds its tilts ``(tilt, y, x)`` instead of a volume.
    visible_tilts
        Of each particle which tilts are to be used, as RELION writes it (``[1,0,1]``), or ``None``.
    """

    stacks: NameTable
    stack: Array
    section: Array
    pixel_size_angstrom: Any = None
    columns: Mapping[str, Any] = field(default_factory=dict)
    angles_degrees: Array | None = None
    shift_angstrom: Array | None = None
    micrographs: TextColumn | None = None
    coordinates: Array | None = None
    micrograph_shape: Array | None = None
    kept: Mapping[str, Any] = field(default_factory=dict)
    tilt_stacks: bool = False
    visible_tilts: TextColumn | None = None

    @classmethod
    def from_columns(
        cls,
        *,
        places: Places,
        pixel_size_angstrom: Array | None,
        columns: Mapping[str, Array],
        angles: Array | None,
        shifts: Array | None,
        micrographs: Sequence[str] | None,
        kept: Mapping[str, Array],
        coordinates: Array | None = None,
        micrograph_shape: Array | None = None,
        tilt_stacks: bool = False,
        visible_tilts: Sequence[str] | None = None,
    ) -> ParticleTable:
        """Pack columns of full length."""
        stacks, stack, section = places
        whole = ("optics_group", "half_set")
        return cls(
            stacks=NameTable(stacks),
            stack=stack,
            section=section,
            pixel_size_angstrom=None if pixel_size_angstrom is None else packed(pixel_size_angstrom),
            columns={
                key: packed(values.astype(np.int64) if key in whole else values)
                for key, values in columns.items()
            },
            angles_degrees=angles,
            shift_angstrom=shifts,
            micrographs=None if micrographs is None else TextColumn(micrographs),
            coordinates=coordinates,
            micrograph_shape=micrograph_shape,
            kept={key: _kept(values) for key, values in kept.items()},
            tilt_stacks=tilt_stacks,
            visible_tilts=None if visible_tilts is None else TextColumn(visible_tilts),
        )

    def __len__(self) -> int:
        return len(self.stack)

    def select(self, rows: Array) -> ParticleTable:
        """Return some of the particles, with all stacks."""

        def some(column: Any) -> Any:
            if column is None:
                return None
            if isinstance(column, PackedColumn):
                return PackedColumn(column.values, column.codes[rows])
            if isinstance(column, TextColumn):
                chosen = TextColumn([])
                chosen.words, chosen.codes = column.words, column.codes[rows]
                return chosen
            return column[rows]

        return ParticleTable(
            stacks=self.stacks,
            stack=self.stack[rows],
            section=self.section[rows],
            pixel_size_angstrom=some(self.pixel_size_angstrom),
            columns={key: some(values) for key, values in self.columns.items()},
            angles_degrees=some(self.angles_degrees),
            shift_angstrom=some(self.shift_angstrom),
            micrographs=some(self.micrographs),
            coordinates=some(self.coordinates),
            micrograph_shape=some(self.micrograph_shape),
            kept={key: some(values) for key, values in self.kept.items()},
            tilt_stacks=self.tilt_stacks,
            visible_tilts=some(self.visible_tilts),
        )

    def batch(self, rows: Array) -> Columns:
        """Return the columns of some particles, poses as matrices."""
        columns: Columns = {key: values[rows] for key, values in self.columns.items()}
        if self.angles_degrees is not None:
            columns["pose"] = matrices_from_euler(self.angles_degrees[rows])
        if self.shift_angstrom is not None:
            columns["shift_angstrom"] = self.shift_angstrom[rows]
        if self.micrographs is not None:
            columns["micrograph"] = self.micrographs[rows]
        if self.tilt_stacks and self.visible_tilts is not None:
            columns["visible_tilts"] = _alike([_flags(text) for text in self.visible_tilts[rows]])
        return columns


def _flags(text: str) -> Array:
    return np.array([int(word) for word in text.strip("[] ").split(",") if word], dtype=np.int64)


def _alike(rows: list[Array]) -> Array | list[Array]:
    return np.stack(rows) if len({len(row) for row in rows}) == 1 else rows


def _kept(values: Array) -> Any:
    return packed(values) if values.dtype.kind in "biuf" else TextColumn([str(value) for value in values])


class ParticleNames(MadeNames):
    """Names made when asked for; those of particles that are listed again tell which time."""

    def __init__(self, table: ParticleTable) -> None:
        self._table = table
        keys = table.stack.astype(np.int64) << 32 | (table.section.astype(np.int64) + 1)
        self._again: Array | None = None
        if len(np.unique(keys)) < len(keys):
            self._again = occurrences(keys)

    def __len__(self) -> int:
        return len(self._table)

    def name(self, i: int) -> str:
        """Return ``stack#section``, or the file."""
        section = int(self._table.section[i])
        name = self._table.stacks[int(self._table.stack[i])] + (
            "" if section == WHOLE_FILE else f"#{section}"
        )
        return name if self._again is None or not self._again[i] else f"{name}~{self._again[i]}"


def folder_of_stacks(table: Path, stacks: Sequence[str]) -> Path:
    """Return the folder, from the table's upwards, in which the first stack is found; else the table's."""
    folder = table.absolute().parent
    first = stacks[0] if len(stacks) else ""
    return next((place for place in (folder, *folder.parents) if (place / first).is_file()), folder)
