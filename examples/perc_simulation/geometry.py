"""Alpha helices with ideal geometry, and the four shapes that the examples put together from them.

Atoms are placed one after another from bond lengths, bond angles and torsions (the natural extension
reference frame: Parsons et al. 2005, doi:10.1002/jcc.20237). Lengths and angles are those of Engh and Huber
(International Tables F, 2001, chapter 18.3); phi and psi, -63 and -45 degrees, are within two degrees of what
helices of known structures have on average.
Coordinates are in Å, in the order x, y, z of structure files.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

__all__ = ["BACKBONE", "SHAPES", "ideal_helix", "place_helices"]

Coordinates = NDArray[np.float64]

BACKBONE = ("N", "CA", "C", "O", "CB")
"""Atoms of a residue, in the order that :func:`ideal_helix` returns them."""

RESIDUES_PER_HELIX = 18
HELICES = 24

_PHI, _PSI, _OMEGA = -63.0, -45.0, 180.0


def _next_atom(
    a: Coordinates, b: Coordinates, c: Coordinates, bond: float, angle: float, torsion: float
) -> Coordinates:
    """Position of an atom bound to ``c``: b-c-atom is ``angle``, a-b-c-atom is ``torsion`` (degrees)."""
    angle, torsion = math.radians(angle), math.radians(torsion)
    along = (c - b) / np.linalg.norm(c - b)
    normal = np.cross(b - a, along)
    normal /= np.linalg.norm(normal)
    local = (-math.cos(angle), math.sin(angle) * math.cos(torsion), math.sin(angle) * math.sin(torsion))
    frame = np.stack((along, np.cross(normal, along), normal))
    return np.asarray(c + bond * (np.asarray(local) @ frame))


def ideal_helix(residues: int) -> Coordinates:
    """Alpha helix centred on the origin with its axis along z, N-terminus at negative z.

    Parameters
    ----------
    residues
        Number of residues, at least 4.

    Returns
    -------
    numpy.ndarray
        ``(residue, atom, xyz)`` in Å; atoms as in :data:`BACKBONE`.

    Examples
    --------
    The rise of an alpha helix is 1.5 Å a residue:

    >>> helix = ideal_helix(18)
    >>> round(float(helix[-1, 1, 2] - helix[0, 1, 2]) / 17, 1)
    1.5
    """
    n = np.array([0.0, 0.0, 0.0])
    ca = np.array([1.458, 0.0, 0.0])
    c = ca + 1.525 * np.array([-math.cos(math.radians(111.0)), math.sin(math.radians(111.0)), 0.0])
    atoms = np.empty((residues, len(BACKBONE), 3))
    for i in range(residues):
        following = _next_atom(n, ca, c, 1.329, 117.2, _PSI)
        oxygen = _next_atom(n, ca, c, 1.231, 120.1, _PSI + 180.0)
        beta = _next_atom(c, n, ca, 1.530, 110.5, -122.6)  # the chirality of an L amino acid
        atoms[i] = n, ca, c, oxygen, beta
        after = _next_atom(ca, c, following, 1.458, 121.7, _OMEGA)
        n, ca, c = following, after, _next_atom(c, following, after, 1.525, 111.0, _PHI)
    return _aligned_with_z(atoms)


def _aligned_with_z(atoms: Coordinates) -> Coordinates:
    """The same atoms with the long axis of their Cα trace along z."""
    centred = atoms - atoms[:, 1].mean(axis=0)
    *_, axes = np.linalg.svd(centred[:, 1], full_matrices=False)
    axis = axes[0] if axes[0] @ (centred[-1, 1] - centred[0, 1]) > 0 else -axes[0]
    return np.asarray(centred @ _frame_with_z(axis).T)


def _frame_with_z(axis: Coordinates) -> Coordinates:
    """Rotation matrix that turns ``axis`` into z."""
    axis = axis / np.linalg.norm(axis)
    helper = np.eye(3)[int(np.argmin(np.abs(axis)))]
    x = np.cross(helper, axis)
    x /= np.linalg.norm(x)
    return np.stack((x, np.cross(axis, x), axis))


def _cage() -> tuple[Coordinates, Coordinates]:
    """Edges of a cube of 78 Å: two helices in line along each of the twelve."""
    places, axes = [], []
    for axis in range(3):
        along = np.eye(3)[axis]
        for second in (-39.0, 39.0):
            for third in (-39.0, 39.0):
                corner = np.roll([0.0, second, third], axis)
                for step in (-16.5, 16.5):
                    places.append(corner + step * along)
                    axes.append(along)
    return np.array(places), np.array(axes)


def _rod() -> tuple[Coordinates, Coordinates]:
    """Bundle of six helices, four storeys high: 130 Å long."""
    place = [
        (10.0 * (column - 0.5), 10.0 * (row - 1.0), 33.0 * (storey - 1.5))
        for storey in range(4)
        for row in range(3)
        for column in range(2)
    ]
    return np.array(place), np.tile([0.0, 0.0, 1.0], (HELICES, 1))


def _ring() -> tuple[Coordinates, Coordinates]:
    """Ring of 39 Å radius: upright helices side by side, 10 Å apart."""
    turn = 2 * math.pi * np.arange(HELICES) / HELICES
    places = 39.0 * np.stack((np.cos(turn), np.sin(turn), np.zeros(HELICES)), axis=1)
    return places, np.tile([0.0, 0.0, 1.0], (HELICES, 1))


def _star() -> tuple[Coordinates, Coordinates]:
    """Three flat arms, 120 degrees apart: two by two helices, two long, in each."""
    places, axes = [], []
    for arm in range(3):
        turn = 2 * math.pi * arm / 3
        along = np.array([math.cos(turn), math.sin(turn), 0.0])
        aside = np.array([-math.sin(turn), math.cos(turn), 0.0])
        for step in range(2):
            for row in (-0.5, 0.5):
                for level in (-5.0, 5.0):
                    places.append((24.0 + 33.0 * step) * along + 10.0 * row * aside + [0.0, 0.0, level])
                    axes.append(along)
    return np.array(places), np.array(axes)


SHAPES = {"cage": _cage, "rod": _rod, "ring": _ring, "star": _star}
"""Where the 24 helices of each example molecule lie: functions giving centres and axes, ``(helix, xyz)``."""


def place_helices(shape: str) -> Coordinates:
    """The helices of an example molecule: the same atoms in each shape, so all shapes weigh the same.

    Parameters
    ----------
    shape
        A key of :data:`SHAPES`.

    Returns
    -------
    numpy.ndarray
        ``(helix, residue, atom, xyz)`` in Å, centred on the origin.

    Examples
    --------
    >>> place_helices("ring").shape
    (24, 18, 5, 3)
    """
    helix = ideal_helix(RESIDUES_PER_HELIX)
    centres, axes = SHAPES[shape]()
    placed = np.stack(
        [helix @ _frame_with_z(axis) + centre for centre, axis in zip(centres, axes, strict=True)]
    )
    return np.asarray(placed - placed.reshape(-1, 3).mean(axis=0))
