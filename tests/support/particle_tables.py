"""Particles of which everything is known, for what is written, read and converted."""

from __future__ import annotations

import numpy as np
from scipy.spatial.transform import Rotation

from caked.io.particles import ParticleTable

COUNT = 200


def particle_table(*, groups: int = 2) -> ParticleTable:
    """Particles with everything known, poses all over SO(3), half turns among them."""
    generator = np.random.default_rng(7)
    angles = Rotation.random(COUNT, random_state=1).as_euler("ZYZ", degrees=True)
    angles[:3] = [[0, 0, 180], [10, 0, 0], [0, 180, 20]]
    group = np.arange(COUNT) % groups + 1
    return ParticleTable.from_columns(
        places=(["a/one.mrcs", "a/two.mrcs"], np.arange(COUNT) % 2, np.arange(COUNT) // 2),
        pixel_size_angstrom=np.where(group == 1, 1.25, 1.31),
        columns={
            "defocus_u_angstrom": generator.uniform(5_000, 25_000, COUNT),
            "defocus_v_angstrom": generator.uniform(5_000, 25_000, COUNT),
            "defocus_angle_degrees": generator.uniform(-90, 90, COUNT),
            "phase_shift_degrees": generator.uniform(0, 180, COUNT),
            "voltage_kilovolts": np.full(COUNT, 300.0),
            "spherical_aberration_millimetres": np.full(COUNT, 2.7),
            "amplitude_contrast": np.full(COUNT, 0.07),
            "ctf_bfactor_square_angstrom": generator.uniform(0, 100, COUNT),
            "ctf_scale": generator.uniform(0.5, 1, COUNT),
            "optics_group": group,
            "half_set": np.arange(COUNT) % 2 + 1,
        },
        angles=angles,
        shifts=generator.uniform(-20, 20, (COUNT, 2)),
        micrographs=[f"m{k // 10}.mrc" for k in range(COUNT)],
        kept={},
    )
