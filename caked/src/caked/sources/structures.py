"""Atomic structures as samples: their atoms, or a density simulated from them."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from caked.errors import InvalidOptionError, RecipeError, RefusedFileError
from caked.io.atoms import LONGEST, STRUCTURE_SUFFIXES, Atoms, read_atoms
from caked.io.layout import reported
from caked.io.listing import list_files
from caked.io.read import deliver, whole_region
from caked.keys import Columns
from caked.protocol import Array, Region
from caked.sources.base import Source, register

__all__ = ["StructureSource", "gaussian_density"]


@register("structures")
class StructureSource(Source):
    """Densities simulated from atomic structures: a Gaussian for each atom.

    Parameters
    ----------
    structures
        A folder, files, or a mapping from names to paths or to the bytes of files, as profet gives them.
    voxel_size_angstrom
        Of the density.
    resolution_angstrom
        Sets the width of the Gaussians; ``None`` for three voxels.
    box
        Voxels along each axis of the density, one number or three; ``None`` for the least cube that holds the
        largest structure and its Gaussians, so that all samples have one shape.
    pattern
        Which files of a folder.

    Notes
    -----
    The density is the sum over atoms of Z (2 π s²)^(-3/2) exp(-d² / 2 s²), d being the distance from
    the atom, Z its atomic number and s = resolution / (π √2): at 1/resolution the Fourier transform has
    fallen to 1/e of its height, as in the usual definition of simulated maps. Each Gaussian is cut off at
    4 s, and no solvent is modelled: a simple reference, not a simulation of scattering. The structure's
    centre (its mean by Z) lies in the central voxel, box // 2; ``origin_angstrom`` says where the first voxel
    lies in the structure's coordinates. The integral of the density, its sum times the voxel's volume, is the
    number of electrons.

    Source of the width: the Gaussian whose transform exp(-2 π² s² k²) is 1/e at k = 1/resolution.

    :meth:`atoms` gives the atoms themselves; with :class:`~caked.PairSource` they become ``coordinates``.
    """

    def __init__(
        self,
        structures: Any,
        *,
        voxel_size_angstrom: float = 1.0,
        resolution_angstrom: float | None = None,
        box: int | Sequence[int] | None = None,
        pattern: str = "*",
    ) -> None:
        if not voxel_size_angstrom > 0 or (resolution_angstrom is not None and not resolution_angstrom > 0):
            raise InvalidOptionError("A density has a voxel size and a resolution above 0 Å.")
        self.voxel_size_angstrom = float(voxel_size_angstrom)
        self.resolution_angstrom = float(resolution_angstrom or 3 * voxel_size_angstrom)
        self.pattern = pattern
        self._box = None if box is None else (box,) * 3 if isinstance(box, int) else tuple(box)
        self._content: dict[str, Path | bytes] = _located(structures, pattern)
        self._names = list(self._content)
        self._root = structures if isinstance(structures, str | os.PathLike) else None
        self._shape: tuple[int, ...] | None = self._box

    @property
    def names(self) -> Sequence[str]:
        """Names as given, or of the files."""
        return self._names

    def atoms(self, i: int) -> Atoms:
        """Read the atoms of structure ``i``."""
        name = self._names[i]
        return read_atoms(self._bytes(name), name=name)

    def _bytes(self, name: str) -> bytes:
        content = self._content[name]
        if isinstance(content, bytes):
            return content
        with reported(str(content)):
            if content.stat().st_size > LONGEST:
                raise RefusedFileError(f"File {content} is too long for a structure.", path=str(content))
            return content.read_bytes()

    @property
    def sigma_angstrom(self) -> float:
        """Width of each atom's Gaussian."""
        return self.resolution_angstrom / (math.pi * math.sqrt(2))

    def shape(self, i: int) -> tuple[int, ...]:
        """Return the box; where none was given, every structure is read for it, once."""
        if self._shape is None:
            reach = max(self._reach(self.atoms(k)) for k in range(len(self)))
            margin = 4 * self.sigma_angstrom
            self._shape = (2 * math.ceil((reach + margin) / self.voxel_size_angstrom) + 2,) * 3
        return self._shape

    @staticmethod
    def _reach(atoms: Atoms) -> float:
        return float(np.abs(atoms.positions_angstrom - _centre(atoms)).max())

    def dtype(self, i: int) -> np.dtype[Any]:
        """Densities are float32."""
        return np.dtype(np.float32)

    def read(self, i: int, region: Region | None = None, out: Array | None = None) -> Array:
        """Simulate the density, or a region of it."""
        shape = self.shape(i)
        atoms = self.atoms(i)
        density = gaussian_density(
            (atoms.positions_angstrom - np.array(self._origin(atoms, shape))) / self.voxel_size_angstrom,
            atoms.atomic_numbers / self.voxel_size_angstrom**3,
            shape,
            sigma=self.sigma_angstrom / self.voxel_size_angstrom,
        )
        part = density if region is None else density[whole_region(region, shape)]
        return deliver(part, out, dtype=density.dtype)

    def _origin(self, atoms: Atoms, shape: tuple[int, ...]) -> tuple[float, ...]:
        middle = zip(_centre(atoms), shape, strict=True)
        return tuple(float(centre) - edge // 2 * self.voxel_size_angstrom for centre, edge in middle)

    def origin(self, i: int) -> tuple[float, ...]:
        """Return where the first voxel lies in the structure's coordinates, (z, y, x)."""
        return self._origin(self.atoms(i), self.shape(i))

    def pixel_size(self, i: int) -> tuple[float, ...]:
        """Return the voxel size."""
        return (self.voxel_size_angstrom,) * 3

    def meta(self, i: int) -> dict[str, Any]:
        """Return voxel size and origin."""
        return {"pixel_size_angstrom": self.pixel_size(i), "origin_angstrom": self.origin(i)}

    def columns(self, indices: Sequence[int]) -> Columns:
        """Return voxel sizes, origins, and the atoms' places in voxels."""
        columns: Columns = {"pixel_size_angstrom": np.full((len(indices), 3), self.voxel_size_angstrom)}
        origins, coordinates = [], []
        for i in indices:
            atoms = self.atoms(i)
            origins.append(self._origin(atoms, self.shape(i)))
            coordinates.append((atoms.positions_angstrom - np.array(origins[-1])) / self.voxel_size_angstrom)
        columns["origin_angstrom"] = np.array(origins)
        columns["coordinates"] = coordinates
        return columns

    def digest(self, *, content: bool | None = None) -> str:
        """Return a sha256 of names, options and, unless ``content`` is false, of the files' bytes."""
        digest = hashlib.sha256(f"{self._box} {self.voxel_size_angstrom} {self.resolution_angstrom}".encode())
        for name in self._names:
            digest.update(f"{name}\0".encode("utf-8", "surrogateescape"))
            if content is not False:
                digest.update(hashlib.sha256(self._bytes(name)).digest())
        return digest.hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return folder or file, and options."""
        if self._root is None:
            raise RecipeError("Structures given as bytes or one by one cannot be written into a recipe.")
        return {
            "type": self.type_name,
            "root": str(Path(self._root).absolute()),
            "pattern": self.pattern,
            "voxel_size_angstrom": self.voxel_size_angstrom,
            "resolution_angstrom": self.resolution_angstrom,
            "box": None if self._box is None else list(self._box),
        }

    @classmethod
    def from_dict(
        cls, description: Mapping[str, Any], *, base: Path, allow: Sequence[str] = ()
    ) -> StructureSource:
        """List the structures again."""
        options = {key: value for key, value in description.items() if key not in ("type", "root")}
        return cls(base / description["root"], **options)


def _located(structures: Any, pattern: str) -> dict[str, Path | bytes]:
    if isinstance(structures, Mapping):
        return {
            str(name): value if isinstance(value, bytes) else Path(value)
            for name, value in structures.items()
        }
    folder, names = list_files(structures, pattern=pattern, extensions=STRUCTURE_SUFFIXES)
    return {name: folder / name for name in names}


def _centre(atoms: Atoms) -> Array:
    return np.asarray(np.average(atoms.positions_angstrom, axis=0, weights=atoms.atomic_numbers))


def gaussian_density(places: Array, weights: Array, shape: tuple[int, ...], *, sigma: float) -> Array:
    """Sum Gaussians of one width over a grid; each is the product of three, one for each axis.

    Parameters
    ----------
    places
        ``(n, 3)`` in voxels.
    weights
        Integral of each.
    sigma
        In voxels.

    Returns
    -------
    numpy.ndarray
        float32, of the shape. Each Gaussian is cut off at 4 sigma and scaled so that its sum is its weight.
    """
    reach = max(1, math.ceil(4 * sigma))
    window = np.arange(-reach, reach + 1)
    density = np.zeros(tuple(edge + 2 * reach + 1 for edge in shape), dtype=np.float64)
    nearest = np.floor(places + 0.5).astype(np.int64)
    inside = ((nearest >= -reach) & (nearest < np.array(shape) + reach)).all(axis=1)
    for place, centre, weight in zip(places[inside], nearest[inside], weights[inside], strict=True):
        z, y, x = np.exp(-((window - (place - centre)[:, None]) ** 2) / (2 * sigma**2))
        z *= weight / (z.sum() * y.sum() * x.sum())
        low = np.maximum(centre, 0)  # the part of the window beyond the padding is cut
        first = tuple(slice(max(c, 0), max(c + 2 * reach + 1, 0)) for c in centre)
        own = tuple(slice(int(a - c), 2 * reach + 1) for a, c in zip(low, centre, strict=True))
        target = density[first]
        kernel = (z[:, None, None] * y[:, None] * x)[own]
        target += kernel[tuple(slice(edge) for edge in target.shape)]
    crop = tuple(slice(reach, reach + edge) for edge in shape)
    return density[crop].astype(np.float32)
