"""The simulator behind the examples: geometry, molecules, imaging."""

from __future__ import annotations

from pathlib import Path

import gemmi
import mrcfile
import numpy as np
import pytest
import scipy.fft
import starfile
from scipy.spatial.distance import cdist
from scipy.spatial.transform import Rotation
from scipy.stats import kstest

from perc_simulation.content import plain_structure
from perc_simulation.dataset import SimulationOptions, simulate_entries
from perc_simulation.geometry import SHAPES, ideal_helix, place_helices
from perc_simulation.imaging import (
    Microscope,
    Projector,
    contrast_transfer,
    noise_sigma,
    potential,
    random_rotations,
)
from perc_simulation.molecules import MOLECULES, Molecule

SMALL = SimulationOptions(
    images_per_class=6, particles_per_micrograph=2, box=64, pixel_size_angstrom=2.86, micrograph_size=256
)


def _angle(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
    u, v = a - b, c - b
    return float(np.degrees(np.arccos(u @ v / np.linalg.norm(u) / np.linalg.norm(v))))


def test_a_helix_has_ideal_bonds_and_the_alpha_hydrogen_bond() -> None:
    helix = ideal_helix(18)
    n, ca, c, o, cb = helix[7]

    assert np.linalg.norm(ca - n) == pytest.approx(1.458, abs=1e-6)
    assert np.linalg.norm(helix[8, 0] - c) == pytest.approx(1.329, abs=1e-6)
    assert _angle(n, ca, c) == pytest.approx(111.0, abs=1e-4)
    assert _angle(o, c, helix[8, 0]) == pytest.approx(
        122.7, abs=0.1
    )  # 360 - 117.2 - 120.1, as O lies in plane
    assert 2.8 < np.linalg.norm(helix[0, 3] - helix[4, 0]) < 3.1  # O(i) ... N(i + 4)
    assert np.cross(n - ca, c - ca) @ (cb - ca) > 2.0  # L, not D
    turn = np.diff(np.unwrap(np.arctan2(helix[:, 1, 1], helix[:, 1, 0])))
    assert 360 / np.degrees(turn.mean()) == pytest.approx(3.65, abs=0.1)  # residues a turn, right-handed


@pytest.mark.parametrize("shape", SHAPES)
def test_helices_of_a_shape_do_not_clash_and_fit_the_box(shape: str) -> None:
    helices = place_helices(shape).reshape(24, -1, 3)
    nearest = min(cdist(helices[i], helices[j]).min() for i in range(24) for j in range(i))

    assert nearest > 3.4  # Å, van der Waals contact
    assert np.linalg.norm(helices.reshape(-1, 3), axis=1).max() < 0.5 * 128 * 1.43


@pytest.mark.parametrize("molecule", MOLECULES, ids=lambda m: m.label)
def test_both_formats_hold_the_same_atoms(molecule: Molecule) -> None:
    pairs = [molecule.model()] + ([molecule.entry()] if molecule.pdb_id else [])
    for cif, pdb in pairs:
        read = (
            gemmi.make_structure_from_block(gemmi.cif.read_string(cif).sole_block()),
            gemmi.read_pdb_string(pdb),
        )
        atoms = [
            [
                (a.chain.name, str(a.residue.seqid), a.residue.name, a.atom.name, *a.atom.pos.tolist())
                for a in s[0].all()
            ]
            for s in read
        ]

        assert atoms[0] == atoms[1]
        assert "SYNTHETIC" in cif.decode()
        assert "SYNTHETIC" in pdb.decode()


def test_the_classes_weigh_the_same_once_cleaned(tmp_path: Path) -> None:
    masses = set()
    for molecule in MOLECULES:
        model = gemmi.read_structure(str(plain_structure(molecule.label, tmp_path)))[0]
        masses.add((model.count_atom_sites(), round(model.calculate_mass(), 3)))

    assert len(masses) == 1
    assert masses.pop()[0] == 2160


def test_the_sequence_of_a_record_is_that_of_the_residues() -> None:
    for molecule in MOLECULES:
        cif, _ = molecule.model()
        structure = gemmi.make_structure_from_block(gemmi.cif.read_string(cif).sole_block())
        for residue in structure[0][0]:
            assert residue.label_seq is not None
            letter = gemmi.find_tabulated_residue(residue.name).one_letter_code
            assert molecule.sequence[residue.label_seq - 1] == letter


def test_a_projection_equals_that_of_the_rotated_atoms(tmp_path: Path) -> None:
    path = plain_structure("p05067", tmp_path)
    projector = Projector(potential(path, box=128, pixel_size_angstrom=1.43))
    below = np.hypot(scipy.fft.fftfreq(128)[:, None], scipy.fft.rfftfreq(128)[None]) < 0.4
    for rotation in random_rotations(4, generator=np.random.default_rng(3)):
        structure = gemmi.read_structure(str(path))
        turn = gemmi.Transform(gemmi.Mat33(rotation[::-1, ::-1].tolist()), gemmi.Vec3(0, 0, 0))
        structure[0].transform_pos_and_adp(turn)
        structure.make_mmcif_document().write_file(str(tmp_path / "turned.cif"))
        expected = potential(tmp_path / "turned.cif", box=128, pixel_size_angstrom=1.43).sum(axis=0)
        ours = projector.image(projector.project(rotation))
        a, b = (scipy.fft.irfft2(scipy.fft.rfft2(image) * below).ravel() for image in (ours, expected))

        # Linear interpolation in a transform padded twofold is good to some 5 % of the amplitude.
        assert np.corrcoef(a, b)[0, 1] > 0.997
        assert a @ b / (b @ b) == pytest.approx(1.0, abs=0.02)


def test_the_contrast_transfer_function_has_relions_sign_and_its_zeros() -> None:
    microscope = Microscope(voltage_kilovolt=300, spherical_aberration_millimetre=2.7, amplitude_contrast=0.1)
    ctf = contrast_transfer(256, pixel_size_angstrom=1.0, defocus_angstrom=15_000, microscope=microscope)
    k = scipy.fft.rfftfreq(256, 1.0)
    wavelength = 0.019687  # Å at 300 kV: table 2.2 of Reimer & Kohl, Transmission Electron Microscopy
    gamma = 2 * np.pi * (-0.5 * 15_000 * wavelength * k**2 + 0.25 * 2.7e7 * wavelength**3 * k**4)
    expected = -np.sqrt(1 - 0.1**2) * np.sin(gamma) + 0.1 * np.cos(gamma)

    assert microscope.wavelength_angstrom == pytest.approx(wavelength, abs=1e-6)
    assert ctf[0, 0] == pytest.approx(0.1)
    assert ctf[0, 1] > ctf[0, 0]
    np.testing.assert_allclose(ctf[0], expected, atol=2e-2)  # the table's five digits, at 100 turns of gamma


def test_rotations_are_spread_evenly_over_so3() -> None:
    rotations = random_rotations(4000, generator=np.random.default_rng(5))
    angle = Rotation.from_matrix(rotations).magnitude()

    np.testing.assert_allclose(
        rotations @ rotations.transpose(0, 2, 1), np.eye(3)[None].repeat(4000, 0), atol=1e-12
    )
    # The angle of a uniform rotation has the distribution (angle - sin angle) / pi (Miles 1965).
    assert kstest(angle, lambda x: (x - np.sin(x)) / np.pi).pvalue > 1e-3


def test_noise_brings_a_set_to_the_stated_ratio() -> None:
    generator = np.random.default_rng(1)
    images = generator.normal(0, 1, (20, 32, 32)).astype(np.float32) * np.linspace(0.5, 2, 20)[:, None, None]
    sigma = noise_sigma(images.astype(np.float32), 0.05)

    assert images.var(axis=(1, 2)).mean() / sigma**2 == pytest.approx(0.05, rel=1e-5)


def test_entries_are_made_once_and_are_always_the_same(tmp_path: Path) -> None:
    structures = {m.label: plain_structure(m.label, tmp_path) for m in MOLECULES[:2]}
    said: list[str] = []
    first = simulate_entries(structures, options=SMALL, cache=tmp_path / "a", progress=said.append)
    again = simulate_entries(structures, options=SMALL, cache=tmp_path / "a", progress=said.append)
    elsewhere = simulate_entries(structures, options=SMALL, cache=tmp_path / "b")

    assert len(said) == 2
    assert first == again
    assert {e: {n: p.read_bytes() for n, p in f.items()} for e, f in first.items()} == {
        e: {n: p.read_bytes() for n, p in f.items()} for e, f in elsewhere.items()
    }


def test_the_star_file_says_where_each_particle_is_and_how_it_lies(tmp_path: Path) -> None:
    options = SimulationOptions(
        images_per_class=4, particles_per_micrograph=2, box=64, pixel_size_angstrom=2.86, micrograph_size=256,
        signal_to_noise=1e4,
    )  # fmt: skip
    structures = {"p05067": plain_structure("p05067", tmp_path)}
    projector = Projector(potential(structures["p05067"], box=64, pixel_size_angstrom=2.86))
    files = simulate_entries(structures, options=options, cache=tmp_path / "cache")[11924]
    tables = starfile.read(files["data/Particles/particles.star"])
    rows = tables["particles"]

    assert tables["optics"]["rlnImagePixelSize"][0] == pytest.approx(2.86)
    for _, row in rows.iterrows():
        section, name = row["rlnImageName"].split("@")
        image = mrcfile.read(files[f"data/Particles/{name}"])[int(section) - 1].astype(np.float64)
        angles = row[["rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"]].astype(float)
        matrix = Rotation.from_euler("ZYZ", angles, degrees=True).as_matrix().T  # RELION's, (x, y, z)
        ctf = contrast_transfer(
            64, pixel_size_angstrom=2.86, defocus_angstrom=float(row["rlnDefocusU"]), microscope=Microscope()
        )
        shift = np.array([row["rlnOriginYAngst"], row["rlnOriginXAngst"]], float) / 2.86
        ky, kx = scipy.fft.fftfreq(64)[:, None], scipy.fft.rfftfreq(64)[None]
        back = np.exp(-2j * np.pi * (ky * -shift[0] + kx * -shift[1]))
        expected = projector.image(projector.project(matrix[::-1, ::-1]) * ctf * back)

        assert np.corrcoef(image.ravel(), expected.ravel())[0, 1] > 0.999
