"""Volumes and tilt series: orientations, the missing wedge, tilts and doses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.spatial
import scipy.stats
import torch
from torch_fourier_filter.dose_weight import dose_weight_2d

from caked import Draws
from caked.errors import InvalidOptionError, ShapeError
from caked.transforms import (
    DoseWeight,
    FourierCrop,
    MissingWedge,
    RandomCrop,
    RandomFlip,
    RandomOrientation,
    RandomRoll,
    RandomRot90,
    RandomRotation,
    TiltDrop,
)
from caked.transforms.rotation import axis_rotations, quaternion_matrices
from caked.transforms.wedge import measured_part

VOLUME = torch.zeros(1, 1, 2, 2, 2)


def _uniformity(matrices: np.ndarray) -> float:
    """Smallest p-value of three tests of even orientations, times three."""
    angle = np.arccos(np.clip((np.trace(matrices, axis1=1, axis2=2) - 1) / 2, -1, 1))
    heading = np.arctan2(matrices[:, 1, 2], matrices[:, 0, 2])
    tests = [
        scipy.stats.kstest(angle, lambda t: (t - np.sin(t)) / np.pi),  # the angle of a random rotation
        scipy.stats.kstest(matrices[:, 2, 2], scipy.stats.uniform(-1, 2).cdf),  # Archimedes: even in z
        scipy.stats.kstest(heading, scipy.stats.uniform(-np.pi, 2 * np.pi).cdf),
    ]
    return 3 * min(float(test.pvalue) for test in tests)


def test_orientations_are_even_over_all_rotations() -> None:
    """4,000 orientations: even ones pass, and those by even Euler angles fail with a p-value below 1e-30."""
    draws = Draws(seed=5, samples=np.arange(4000)).within("x")
    matrices = RandomOrientation().draw(draws, VOLUME.expand(4000, -1, -1, -1, -1))
    np.testing.assert_allclose(matrices @ matrices.mT, np.broadcast_to(np.eye(3), matrices.shape), atol=1e-12)
    np.testing.assert_allclose(np.linalg.det(matrices), 1)
    assert _uniformity(matrices) > 0.01

    a, b, c = 360 * draws.uniform(count=3).T
    euler = axis_rotations(a, "z") @ axis_rotations(b / 2, "y") @ axis_rotations(c, "z")
    assert _uniformity(euler) < 1e-30


def test_the_power_of_the_test_of_evenness() -> None:
    """One orientation in five drawn wrongly, by even Euler angles, is found in 20,000: ten times of ten."""
    for seed in range(10):
        draws = Draws(seed=seed, samples=np.arange(20_000)).within("x")
        matrices = RandomOrientation().draw(draws, VOLUME.expand(20_000, -1, -1, -1, -1))
        assert _uniformity(matrices) > 0.001
        a, b, c = 360 * draws.within("wrong").uniform(count=3)[:4000].T
        matrices[:4000] = axis_rotations(a, "z") @ axis_rotations(b / 2, "y") @ axis_rotations(c, "z")
        assert _uniformity(matrices) < 0.001


def test_quaternions_are_scipys() -> None:
    quaternions = np.random.default_rng(0).normal(size=(50, 4))
    quaternions /= np.linalg.norm(quaternions, axis=1, keepdims=True)
    expected = scipy.spatial.transform.Rotation.from_quat(quaternions, scalar_first=True).as_matrix()
    np.testing.assert_allclose(quaternion_matrices(quaternions), expected, atol=1e-12)
    for axis in "xyz":
        expected = scipy.spatial.transform.Rotation.from_euler(axis, [[10], [70]], degrees=True).as_matrix()
        np.testing.assert_allclose(axis_rotations(np.array([10.0, 70.0]), axis), expected, atol=1e-12)


@pytest.mark.parametrize("shape", [(16, 16, 16), (15, 15, 15), (12, 16, 14), (9, 12, 11)])
@pytest.mark.parametrize("tilts", [60.0, 45.0, (-40.0, 60.0), (-70.0, -10.0), 90.0])
@pytest.mark.parametrize("axis", ["y", "x"])
def test_the_wedge_of_a_point_is_what_was_measured(shape: tuple[int, ...], tilts: Any, axis: str) -> None:
    """A point has all frequencies alike: what is left of them is the measured part itself."""
    volume = torch.zeros(1, 1, *shape)
    volume[(0, 0, *(n // 2 for n in shape))] = 1
    cut = MissingWedge(tilt_degrees=tilts, axis=axis, keep=True)({"image": volume})
    spectrum = np.fft.fftshift(np.fft.fftn(np.fft.ifftshift(cut["image"][0, 0].numpy())))

    np.testing.assert_allclose(spectrum.imag, 0, atol=1e-5)
    np.testing.assert_allclose(spectrum.real, cut["wedge"][0, 0].numpy(), atol=1e-5)
    first, last = (-tilts, tilts) if isinstance(tilts, float) else tilts
    kz, ky, kx = np.meshgrid(*(np.fft.fftshift(np.fft.fftfreq(n)) for n in shape), indexing="ij")
    # Right-handed tilts: the plane of tilt t about y is kz = kx tan t, about x it is kz = -ky tan t.
    slope = np.degrees(np.arctan2(kz, kx) if axis == "y" else np.arctan2(-kz, ky)) % 180
    slope = np.where(slope > 90, slope - 180, slope)
    clear = (np.abs(slope - first) > 1e-6) & (np.abs(slope - last) > 1e-6) & (np.abs(slope) < 89.9)
    clear &= ~np.any([np.abs(k) == 0.5 for k in (kz, ky, kx)], axis=0)
    expected = (slope > first) & (slope < last)
    line = (kz == 0) & ((kx if axis == "y" else ky) == 0)
    clear &= ~line
    assert clear.sum() > 0.4 * clear.size
    np.testing.assert_allclose(spectrum.real[clear], expected[clear], atol=1e-5)
    assert (spectrum.real[line] > 0.99).all()
    if first == -last and first != -90:
        measured = np.abs(kz) <= np.abs(kx if axis == "y" else ky) * np.tan(np.radians(last)) + 1e-9
        np.testing.assert_allclose(spectrum.real, measured, atol=1e-5)
    if first == -90:
        np.testing.assert_allclose(spectrum.real, 1, atol=1e-5)


@pytest.mark.parametrize("axis", ["y", "x"])
def test_the_wedge_of_voxels_that_are_no_cubes_is_cut_in_space(axis: str) -> None:
    """Planes are tilted in Å: with voxels that are longer along z, the same part of space is measured."""
    fine = MissingWedge(tilt_degrees=(-40, 60), axis=axis, keep=True)
    batch = {"image": torch.zeros(2, 1, 32, 16, 16), "pixel_size_angstrom": torch.full((2, 3), 2.0).double()}
    cubes = fine(batch)["wedge"][0, 0]
    coarse = {
        "image": torch.zeros(2, 1, 16, 16, 16),
        "pixel_size_angstrom": torch.tensor([[4.0, 2.0, 2.0], [0.0, 0.0, 0.0]], dtype=torch.float64),
    }
    found = fine(coarse)["wedge"][:, 0]
    inner = np.s_[1:, 1:, 1:]  # without the frequencies that stand for both signs
    assert torch.equal(found[0][inner], cubes[8:24][inner])
    unknown = fine({"image": torch.zeros(1, 1, 16, 16, 16)})["wedge"][0, 0]
    assert torch.equal(found[1], unknown)
    rounded = {
        "image": torch.zeros(1, 1, 16, 16, 16),
        "pixel_size_angstrom": torch.tensor([[2.0, 2.001, 2.0]]),
    }
    assert torch.equal(fine(rounded)["wedge"][0, 0], unknown)


def test_a_projection_along_a_tilt_survives_and_one_across_does_not() -> None:
    """The planes kept are those of the projections: what varies along z only is lost."""
    z, _, x = np.meshgrid(*(np.arange(16),) * 3, indexing="ij")
    for wave, share in ((np.cos(2 * np.pi * 3 * x / 16), 1.0), (np.cos(2 * np.pi * 3 * z / 16), 0.0)):
        cut = MissingWedge(tilt_degrees=60)(torch.from_numpy(wave)[None, None].float())
        assert float((cut**2).sum() / (wave**2).sum()) == pytest.approx(share, abs=1e-5)
    diagonal = np.cos(2 * np.pi * 2 * (x + z) / 16)  # kz = kx: of tilt +45
    for tilts, share in (((-60, 40), 0.0), ((-40, 60), 1.0)):
        cut = MissingWedge(tilt_degrees=tilts)(torch.from_numpy(diagonal)[None, None].float())
        assert float((cut**2).sum() / (diagonal**2).sum()) == pytest.approx(share, abs=1e-5)


@pytest.mark.parametrize("edge", [16, 15])
@pytest.mark.parametrize("turn", [RandomRot90(plane="any"), RandomFlip()])
def test_a_wedge_turns_with_its_volume(edge: int, turn: Any) -> None:
    """Cut and then turned has the spectrum where the turned wedge says, and none elsewhere."""
    volume = torch.randn(8, 1, edge, edge, edge, generator=torch.Generator().manual_seed(0))
    cut = MissingWedge(tilt_degrees=(-50, 30), keep=True)({"image": volume})
    turned = turn(cut, Draws(seed=3, samples=np.arange(8)))
    for image, wedge in zip(turned["image"][:, 0], turned["wedge"][:, 0], strict=True):
        power = torch.fft.fftshift(torch.fft.fftn(image).abs())
        assert float(power[wedge == 0].max()) < 1e-3
        assert float(power[wedge == 1].median()) > 10
    assert not torch.equal(turned["wedge"], cut["wedge"])


def test_the_wedge_of_an_oblong_volume_turns_in_frequencies_and_not_in_pixels() -> None:
    """By 37 degrees about y from z towards x, what was measured to 50 degrees is measured from -87 to 13."""
    shape = (45, 33, 21)
    cut = MissingWedge(tilt_degrees=50, keep=True)({"image": torch.zeros(1, 1, *shape)})
    turned = RandomRotation(axis="y", degrees=[37, 37])(cut)["wedge"][0, 0].numpy()
    kz, _, kx = np.meshgrid(*(np.fft.fftshift(np.fft.fftfreq(n)) for n in shape), indexing="ij")
    tilt = np.degrees(np.arctan2(kz, kx)) + 37  # z towards x lowers the tilt of a plane
    tilt = (tilt + 90) % 180 - 90
    clear = (np.hypot(kz, kx) > 0.15) & (np.hypot(kz, kx) < 0.35) & (np.abs(np.abs(tilt) - 50) > 20)
    assert clear.sum() > 1000
    np.testing.assert_allclose(turned[clear], np.abs(tilt[clear]) < 50, atol=1e-6)


def test_of_two_wedges_what_both_have_measured_is_left() -> None:
    one, other = MissingWedge(tilt_degrees=50, keep=True), MissingWedge(tilt_degrees=40, axis="x", keep=True)
    volume = {"image": torch.zeros(1, 1, 9, 9, 9)}
    assert torch.equal(other(one(volume))["wedge"], one(volume)["wedge"] * other(volume)["wedge"])


def test_a_wedge_turns_by_any_angle() -> None:
    volume = torch.zeros(4, 1, 33, 33, 33)
    volume[:, 0, 16, 16, 16] = 1
    cut = MissingWedge(tilt_degrees=50, keep=True)({"image": volume})
    for turn in (RandomOrientation(fill=0.0), RandomRotation(axis="y", fill=0.0)):
        turned = turn(cut, Draws(seed=1, samples=np.arange(4)))
        for image, wedge in zip(turned["image"][:, 0], turned["wedge"][:, 0], strict=True):
            power = torch.fft.fftshift(torch.fft.fftn(image).abs())
            grid = torch.arange(33) - 16
            ball = (grid[:, None, None] ** 2 + grid[:, None] ** 2 + grid**2) < 12**2
            kept, lost = power[ball & (wedge > 0.99)], power[ball & (wedge < 0.01)]
            assert float(kept.mean()) > 5 * float(lost.mean())
        everything = turn({"image": volume, "wedge": torch.ones_like(volume)})["wedge"]
        torch.testing.assert_close(everything, torch.ones_like(volume))
    shifted = RandomRoll(shift=3)(cut)
    assert torch.equal(shifted["wedge"], cut["wedge"])
    cropped = FourierCrop(size=21)(cut)
    expected = np.fft.fftshift(measured_part((21,) * 3, (-50.0, 50.0)))
    np.testing.assert_allclose(cropped["wedge"][0, 0].numpy(), expected)
    even = MissingWedge(tilt_degrees=50, keep=True)({"image": torch.zeros(1, 1, 32, 32, 32)})
    np.testing.assert_allclose(FourierCrop(size=21)(even)["wedge"][0, 0].numpy(), expected)
    padded = FourierCrop(size=41)(cut)["wedge"]
    assert torch.equal(padded[..., 4:37, 4:37, 4:37], cut["wedge"])
    assert float(padded.sum()) == float(cut["wedge"].sum())
    with pytest.raises(ShapeError, match="cut the missing wedge afterwards"):
        RandomCrop(size=20)(cut)


def test_wedges_that_make_no_sense_are_refused() -> None:
    bad: list[dict[str, Any]] = [
        {"tilt_degrees": 0},
        {"tilt_degrees": 95},
        {"tilt_degrees": (3, 2)},
        {"axis": "z"},
    ]
    for options in (*bad, {"tilt_degrees": (1, 2, 3)}):
        with pytest.raises(InvalidOptionError):
            MissingWedge(**options)
    with pytest.raises(ShapeError, match="volumes"):
        MissingWedge()(torch.zeros(1, 1, 4, 4))


def _series(count: int = 3, tilts: int = 7) -> dict[str, Any]:
    generator = np.random.default_rng(0)
    image = torch.from_numpy(generator.normal(size=(count, 1, tilts, 12, 16)).astype(np.float32))
    return {
        "image": image,
        "mask": (image > 0).float(),
        "tilt_angle_degrees": torch.from_numpy(np.tile(np.linspace(-45, 45, tilts), (count, 1))),
        "dose_electrons_per_square_angstrom": torch.from_numpy(
            generator.permuted(np.tile(np.arange(1.0, tilts + 1) * 3, (count, 1)), axis=1)
        ),
        "pixel_size_angstrom": torch.tensor([[1.0, 1.5, 1.5]] * count, dtype=torch.float64),
        "voltage_kilovolts": torch.full((count,), 300.0, dtype=torch.float64),
        "defocus_u_angstrom": torch.from_numpy(generator.uniform(1e4, 2e4, size=(count, tilts))),
    }


def test_tilts_with_the_least_dose_stay_in_their_order() -> None:
    series = _series()
    kept = TiltDrop(keep=3, by="dose")(series)
    assert kept["dose_electrons_per_square_angstrom"].max() <= 9
    for row in range(3):
        places = (series["dose_electrons_per_square_angstrom"][row] <= 9).nonzero()[:, 0]
        for key in ("image", "mask"):
            assert torch.equal(kept[key][row, 0], series[key][row, 0, places])
        for key in ("tilt_angle_degrees", "defocus_u_angstrom"):
            assert torch.equal(kept[key][row], series[key][row, places])
    assert torch.equal(kept["voltage_kilovolts"], series["voltage_kilovolts"])


@pytest.mark.parametrize("by", ["random", "dose"])
def test_tilts_that_are_not_to_be_used_are_dropped_first(by: str) -> None:
    series = _series(20)
    tilts = series["image"].shape[2]
    flags = torch.ones(20, tilts, dtype=torch.int64)
    flags[:, [0, 3]] = 0
    flags[5, 1:] = 0
    kept = TiltDrop(keep=3, by=by)({**series, "visible_tilts": flags})
    used = kept["visible_tilts"].sum(dim=1).tolist()
    assert (
        used == [3] * 5 + [0] + [3] * 14
    )  # of the sixth none is to be used, and three are kept all the same
    angles = series["tilt_angle_degrees"][0, [0, 3]]
    assert not torch.isin(kept["tilt_angle_degrees"][torch.arange(20) != 5], angles).any()


def test_random_tilts_are_any_and_angles_follow() -> None:
    series = _series(200)
    kept = TiltDrop(keep=4)(series)
    assert TiltDrop(keep=4).is_random
    assert not TiltDrop(keep=4, by="dose").is_random
    angles = kept["tilt_angle_degrees"]
    assert bool((angles.diff(dim=1) > 0).all())
    counts = torch.stack([(angles == angle).sum() for angle in series["tilt_angle_degrees"][0]])
    # 200 * 4 / 7 = 114 expected of each, with a deviation of 7.
    assert float((counts - 114.3).abs().max()) < 35
    for row in range(10):
        places = [series["tilt_angle_degrees"][row].tolist().index(angle) for angle in angles[row].tolist()]
        assert torch.equal(kept["image"][row, 0], series["image"][row, 0, places])


@pytest.mark.parametrize("voltage", [300, 200, 100])
def test_doses_weigh_as_in_torch_fourier_filter(voltage: int) -> None:
    series = _series()
    doses = series["dose_electrons_per_square_angstrom"]
    summed = DoseWeight(voltage_kilovolts=voltage, total="sum")(series)
    single = DoseWeight(voltage_kilovolts=voltage)(series)["image"]
    for row in range(3):
        spectrum = torch.fft.rfft2(series["image"][row, 0])
        frames = [
            dose_weight_2d(spectrum[k][None], (12, 16), 1.5, doses[row, k : k + 1].float(), float(voltage))
            for k in range(7)
        ]
        # Theirs is divided by the root of the squared weights of all frames, here of one: it is 1 again.
        whole = dose_weight_2d(spectrum, (12, 16), 1.5, doses[row].float(), float(voltage)).sum(dim=0)
        expected = torch.fft.irfft2(whole, s=(12, 16))
        torch.testing.assert_close(summed["image"][row, 0], expected, atol=5e-6, rtol=0)
        for k in range(7):
            torch.testing.assert_close(frames[k][0].abs(), spectrum[k].abs(), atol=1e-4, rtol=1e-4)
    k = np.hypot(np.fft.fftfreq(12)[:, None], np.fft.rfftfreq(16)[None]) / 1.5
    with np.errstate(divide="ignore"):
        critical = (0.245 * k**-1.665 + 2.81) * {300: 1.0, 200: 0.8, 100: 0.64}[voltage]
    expected = np.fft.irfft2(
        np.fft.rfft2(series["image"][:, 0].numpy())
        * np.exp(-doses.numpy()[..., None, None] / (2 * critical)),
        s=(12, 16),
    )
    np.testing.assert_allclose(single[:, 0], expected, atol=2e-6)
    assert summed["image"].shape == (3, 1, 12, 16)
    assert summed["pixel_size_angstrom"].tolist() == [[1.5, 1.5]] * 3
    assert "dose_electrons_per_square_angstrom" not in summed


def test_noise_stays_level_in_a_sum_and_the_cosine_counts() -> None:
    noise = {
        **_series(1, 7),
        "image": torch.randn(1, 1, 7, 128, 128, generator=torch.Generator().manual_seed(0)),
    }
    total = DoseWeight(total="sum")(noise)["image"]
    assert float(total.std()) == pytest.approx(1, abs=0.03)
    plain, tilted = DoseWeight()(noise)["image"], DoseWeight(cosine=True)(noise)["image"]
    factors = torch.cos(torch.deg2rad(noise["tilt_angle_degrees"][0])).float()
    torch.testing.assert_close(tilted[0, 0], plain[0, 0] * factors[:, None, None], atol=1e-5, rtol=0)


def test_what_is_not_known_of_tilts_is_asked_for() -> None:
    series = _series()
    del series["dose_electrons_per_square_angstrom"]
    for transform in (TiltDrop(keep=2, by="dose"), DoseWeight()):
        with pytest.raises(InvalidOptionError, match="dose of each of 7"):
            transform(series)
    with pytest.raises(InvalidOptionError, match="angle of each tilt"):
        DoseWeight(cosine=True)({**_series(), "tilt_angle_degrees": torch.zeros(3, 2)})
    with pytest.raises(InvalidOptionError, match="0 or more"):
        DoseWeight()({**_series(), "dose_electrons_per_square_angstrom": torch.full((3, 7), torch.nan)})
    with pytest.raises(ShapeError, match="8 tilts"):
        TiltDrop(keep=8)(series)
    bad: list[Any] = [
        lambda: TiltDrop(keep=0),
        lambda: TiltDrop(keep=2, by="angle"),
        lambda: DoseWeight(voltage_kilovolts=120),
        lambda: DoseWeight(total="mean"),
    ]
    for make in bad:
        with pytest.raises(InvalidOptionError):
            make()
