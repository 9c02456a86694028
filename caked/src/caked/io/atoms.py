"""Atoms of PDB and mmCIF files, read by gemmi."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from caked.errors import DamagedFileError, InvalidOptionError

__all__ = ["LONGEST", "STRUCTURE_SUFFIXES", "Atoms", "read_atoms"]

STRUCTURE_SUFFIXES = (".pdb", ".ent", ".cif", ".mmcif", ".pdb.gz", ".ent.gz", ".cif.gz")
LONGEST = 1 << 30
"""Most bytes of a structure, packed or unpacked."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Atoms:
    """The atoms of a structure's first model.

    Attributes
    ----------
    positions_angstrom
        ``(n, 3)`` as (z, y, x), array order.
    atomic_numbers
        ``(n,)``; 6, carbon, for elements that are not known.
    """

    positions_angstrom: NDArray[np.float64]
    atomic_numbers: NDArray[np.int64]


def read_atoms(content: bytes, *, name: str) -> Atoms:
    """Read the atoms of a PDB or mmCIF file: of its first model, and of alternatives the first.

    Parameters
    ----------
    content
        The file's bytes; gzip is undone.
    name
        What to call it in messages.

    Raises
    ------
    DamagedFileError
        If there is no atom, or one without a place.
    InvalidOptionError
        If gemmi, which reads them, is not installed.
    """
    try:
        import gemmi
    except ImportError as error:
        raise InvalidOptionError(
            "Structures are read with gemmi: pip install './caked[structures]' (or gemmi)."
        ) from error
    text = _unpacked(content, name).decode("utf-8", "replace")
    try:
        if "_atom_site." in text:
            structure = gemmi.make_structure_from_block(gemmi.cif.read_string(text).sole_block())
        else:
            structure = gemmi.read_pdb_string(text)
    except (ValueError, RuntimeError, IndexError) as error:
        why = str(error).partition("\n")[0][:120]
        raise DamagedFileError(f"It is no structure ({why}): file {name} is corrupted.", path=name) from error
    found = list(_first_atoms(structure[0])) if len(structure) else []
    positions = np.array([(atom.pos.z, atom.pos.y, atom.pos.x) for atom in found]).reshape(-1, 3)
    if not len(positions) or not np.isfinite(positions).all():
        raise DamagedFileError(f"It holds no atoms with finite places: file {name} is corrupted.", path=name)
    numbers = np.array([atom.element.atomic_number or 6 for atom in found], dtype=np.int64)
    return Atoms(positions_angstrom=positions, atomic_numbers=numbers)


def _unpacked(content: bytes, name: str) -> bytes:
    if not content.startswith(b"\x1f\x8b"):
        return content
    try:
        return zlib.decompressobj(31).decompress(content, LONGEST)
    except zlib.error as error:
        raise DamagedFileError(
            f"It cannot be unpacked ({error}): file {name} is corrupted.", path=name
        ) from error


def _first_atoms(model: Any) -> Iterator[Any]:
    """Go through the atoms of a model, of each that has alternatives the first one."""
    for chain in model:
        for residue in chain:
            seen = set()
            for atom in residue:
                if not atom.has_altloc() or atom.name not in seen:
                    yield atom
                seen.add(atom.name)
