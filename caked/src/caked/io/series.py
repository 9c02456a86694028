"""What a tilt series is made of: its images, their angles, and the dose before each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from caked.errors import DamagedFileError, InvalidOptionError
from caked.io.layout import read_layout
from caked.protocol import Array

__all__ = ["Series", "Stacks"]


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


class Stacks:
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
