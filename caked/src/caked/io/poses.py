"""Rotations as other programs write them, to matrices and back.

A pose is a matrix R with v_lab = R v_particle, for column vectors (x, y, z): the laboratory's z axis runs
along the beam, and the image is the projection along it.

RELION writes three angles in degrees, *rot*, *tilt* and *psi*, about z, the new y and the new z; they turn
the coordinate system, so that R = Rz(psi) Ry(tilt) Rz(rot) with rotations of the axes. The last row of R is
the direction of view in the particle: (sin tilt cos rot, sin tilt sin rot, cos tilt). cryoDRGN turns the same
angles into the same matrix.

cryoSPARC writes a rotation vector: the axis times the angle in radians, of the inverse rotation, so that R is
the transpose of its exponential. cryoDRGN transposes it likewise.

Sources: Heymann, Chagoyen & Belnap (2005), doi:10.1016/j.jsb.2005.06.001, for the angles; Rodrigues' formula
for the exponential.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "euler_from_matrices",
    "matrices_from_euler",
    "matrices_from_rotation_vectors",
    "rotation_vectors_from_matrices",
]

Floats = NDArray[np.float64]


def matrices_from_euler(angles_degrees: ArrayLike) -> Floats:
    """Return poses ``(n, 3, 3)`` of RELION's angles ``(n, 3)``: rot, tilt, psi in degrees.

    Examples
    --------
    A particle that RELION finds at psi = 90 has its x axis along -y in the image:

    >>> matrices_from_euler([[0.0, 0.0, 90.0]])[0].round(6).T[0].tolist()
    [0.0, -1.0, 0.0]
    """
    rot, tilt, psi = np.radians(np.asarray(angles_degrees, dtype=np.float64)).T
    ca, sa, cb, sb, cg, sg = np.cos(rot), np.sin(rot), np.cos(tilt), np.sin(tilt), np.cos(psi), np.sin(psi)
    rows = [
        [cg * cb * ca - sg * sa, cg * cb * sa + sg * ca, -cg * sb],
        [-sg * cb * ca - cg * sa, -sg * cb * sa + cg * ca, sg * sb],
        [sb * ca, sb * sa, cb],
    ]
    return np.ascontiguousarray(np.moveaxis(np.array(rows), -1, 0)) + 0.0  # no minus zeros


def euler_from_matrices(poses: ArrayLike) -> Floats:
    """Return RELION's angles ``(n, 3)`` in degrees of poses ``(n, 3, 3)``; tilt from 0 to 180.

    Where tilt is 0 or 180 only the sum or difference of the other two counts, and rot is 0.

    Examples
    --------
    >>> euler_from_matrices(matrices_from_euler([[10.0, 20.0, 30.0]])).round(9).tolist()
    [[10.0, 20.0, 30.0]]
    """
    matrices = np.asarray(poses, dtype=np.float64)
    sine = np.hypot(matrices[:, 2, 0], matrices[:, 2, 1])
    tilt = np.arctan2(sine, matrices[:, 2, 2])
    rot = np.where(sine > 1e-12, np.arctan2(matrices[:, 2, 1], matrices[:, 2, 0]), 0.0)
    # Near the poles rot is ill defined, so psi is what is left once rot and tilt are undone.
    rest = matrices @ np.swapaxes(
        matrices_from_euler(np.degrees(np.stack([rot, tilt, 0 * rot], axis=1))), 1, 2
    )
    psi = np.arctan2(rest[:, 0, 1], rest[:, 0, 0])
    angles: Floats = np.degrees(np.stack([rot, tilt, psi], axis=1))
    return angles


def matrices_from_rotation_vectors(vectors: ArrayLike) -> Floats:
    """Return poses ``(n, 3, 3)`` of cryoSPARC's rotation vectors ``(n, 3)`` in radians.

    Examples
    --------
    >>> matrices_from_rotation_vectors([[0.0, 0.0, np.pi / 2]])[0].round(6).T[0].tolist()
    [0.0, -1.0, 0.0]
    """
    vectors = np.asarray(vectors, dtype=np.float64)
    angle = np.linalg.norm(vectors, axis=1)
    x, y, z = (vectors / np.where(angle > 0, angle, 1.0)[:, None]).T
    zero = np.zeros_like(x)
    cross = np.moveaxis(np.array([[zero, -z, y], [z, zero, -x], [-y, x, zero]]), -1, 0)
    sine, cosine = np.sin(angle)[:, None, None], np.cos(angle)[:, None, None]
    exponential = np.eye(3) + sine * cross + (1 - cosine) * (cross @ cross)
    return np.ascontiguousarray(np.swapaxes(exponential, 1, 2)) + 0.0


def rotation_vectors_from_matrices(poses: ArrayLike) -> Floats:
    """Return cryoSPARC's rotation vectors ``(n, 3)`` in radians, of length 0 to pi, of poses ``(n, 3, 3)``.

    Through the quaternion that fits a matrix best, which holds for half turns, too. Source: Bar-Itzhack
    (2000), doi:10.2514/2.4654.

    Examples
    --------
    >>> pose = matrices_from_rotation_vectors([[0.1, -0.2, 0.3]])
    >>> rotation_vectors_from_matrices(pose).round(9).tolist()
    [[0.1, -0.2, 0.3]]
    """
    m = np.swapaxes(np.asarray(poses, dtype=np.float64), 1, 2)
    (a, b, c), (d, e, f), (g, h, i) = np.moveaxis(m, 0, -1)
    fit = [
        [a - e - i, d + b, g + c, h - f],
        [d + b, e - a - i, h + f, c - g],
        [g + c, h + f, i - a - e, d - b],
        [h - f, c - g, d - b, a + e + i],
    ]
    _, vectors = np.linalg.eigh(np.moveaxis(np.array(fit), -1, 0))
    quaternion = vectors[:, :, -1]  # (x, y, z, w), of the largest eigenvalue
    quaternion = np.where(quaternion[:, 3:] < 0, -quaternion, quaternion)
    sine = np.linalg.norm(quaternion[:, :3], axis=1)
    angle = 2 * np.arctan2(sine, quaternion[:, 3])
    scale = np.where(sine > 0, angle / np.where(sine > 0, sine, 1.0), 0.0)
    rotation: Floats = quaternion[:, :3] * scale[:, None] + 0.0
    return rotation
