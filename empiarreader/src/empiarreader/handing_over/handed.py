"""What was handed over to another program, and how to go on there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from empiarreader.handing_over.groups import ImageGroup


@dataclass(frozen=True, kw_only=True)
class HandedSet:
    """Images of one kind and imageset: an optics group of RELION, an import of Scipion."""

    kind: str
    name: str
    files: int
    pixel_size_angstrom: float | None

    @classmethod
    def of(cls, group: ImageGroup) -> HandedSet:
        """Return what there is to say of a group of images."""
        return cls(
            kind=group.kind,
            name=group.name,
            files=len(group.files),
            pixel_size_angstrom=group.acquisition.pixel_size_angstrom,
        )


@dataclass(frozen=True, kw_only=True)
class Handed:
    """What was written for another program.

    Attributes
    ----------
    path : Path
        The file for it.
    text : str
        What is in the file.
    sets : tuple of HandedSet
        The images, by imageset.
    links : Mapping
        Where a link was made (the key) that leads to which file, for names that the program cannot take.
    notes : tuple of str
        What to look at before going on.
    next_steps : tuple of str
        Commands, quoted for a shell, to run next. None of them was run.
    """

    path: Path
    text: str = field(repr=False)
    sets: tuple[HandedSet, ...] = ()
    links: Mapping[Path, Path] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    next_steps: tuple[str, ...] = ()

    @property
    def files(self) -> int:
        """How many files are handed over."""
        return sum(one.files for one in self.sets)
