"""The CTF against torch-ctf and cryoDRGN's formula, and what images go through with it."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from caked import Draws
from caked.errors import InvalidOptionError, ShapeError
from caked.transforms import (
    ApplyCTF,
    PhaseFlip,
    RandomCTF,
    RandomFlip,
    RandomRot90,
    WienerFilter,
    contrast_transfer,
)
from caked.transforms.optics import electron_wavelength

OPTICS = {
    "defocus_u_angstrom": 12000.0,
    "defocus_v_angstrom": 10500.0,
    "defocus_angle_degrees": 30.0,
    "voltage_kilovolts": 300.0,
    "spherical_aberration_millimetres": 2.7,
    "amplitude_contrast": 0.1,
}


def _batch(count: int = 3, shape: tuple[int, ...] = (32, 30), **changes: float) -> dict[str, Any]:
    image = np.random.default_rng(0).normal(size=(count, 1, *shape)).astype(np.float32)
    known = {
        key: torch.full((count,), value, dtype=torch.float64) for key, value in {**OPTICS, **changes}.items()
    }
    return {
        "image": torch.from_numpy(image),
        "pixel_size_angstrom": torch.full((count, len(shape)), 1.7, dtype=torch.float64),
        **known,
    }


def _of_cryodrgn(shape: tuple[int, int], pixel_size: float, o: dict[str, float]) -> np.ndarray:
    """The formula of cryoDRGN's ``compute_ctf``, in plain numpy: the other sign, and rounded constants."""
    ky, kx = np.meshgrid(np.fft.fftfreq(shape[0]), np.fft.rfftfreq(shape[1]), indexing="ij")
    square, direction = (kx**2 + ky**2) / pixel_size**2, np.arctan2(ky, kx)
    volt, cs = o["voltage_kilovolts"] * 1e3, o["spherical_aberration_millimetres"] * 1e7
    wavelength = 12.2639 / np.sqrt(volt + 0.97845e-6 * volt**2)
    u, v, angle = o["defocus_u_angstrom"], o["defocus_v_angstrom"], np.deg2rad(o["defocus_angle_degrees"])
    defocus = 0.5 * (u + v + (u - v) * np.cos(2 * (direction - angle)))
    phase = np.deg2rad(o.get("phase_shift_degrees", 0.0))
    gamma = 2 * np.pi * (-0.5 * defocus * wavelength * square + 0.25 * cs * wavelength**3 * square**2) - phase
    w = o["amplitude_contrast"]
    ctf = np.sqrt(1 - w**2) * np.sin(gamma) - w * np.cos(gamma)
    return np.asarray(ctf * np.exp(-o.get("ctf_bfactor_square_angstrom", 0.0) / 4 * square))


def test_wavelengths_are_those_of_the_tables() -> None:
    # International Tables for Crystallography C, table 4.3.2.1: 0.037014, 0.025079, 0.019687 Å.
    found = [electron_wavelength(volt) for volt in (100.0, 200.0, 300.0)]
    np.testing.assert_allclose(found, [0.037014, 0.025079, 0.019687], rtol=3e-5)


@settings(deadline=None, max_examples=40)
@given(
    st.floats(2000, 40000),
    st.floats(-3000, 3000),
    st.floats(-180, 180),
    st.sampled_from([100.0, 200.0, 300.0]),
    st.floats(0, 3),
    st.floats(0, 0.5),
    st.floats(0, 170),
)
def test_the_ctf_is_that_of_torch_ctf_and_with_the_other_sign_that_of_cryodrgn(
    defocus: float, difference: float, angle: float, volt: float, cs: float, w: float, phase: float
) -> None:
    from torch_ctf import calculate_ctf_2d

    shape, pixel = (32, 30), 2.0
    o = {
        "defocus_u_angstrom": defocus + difference / 2,
        "defocus_v_angstrom": defocus - difference / 2,
        "defocus_angle_degrees": angle,
        "voltage_kilovolts": volt,
        "spherical_aberration_millimetres": cs,
        "amplitude_contrast": w,
        "phase_shift_degrees": phase,
    }
    found = contrast_transfer(shape, (pixel, pixel), o).numpy()

    # Their wavelength is rounded to 3e-5 of itself; the greatest phase is π λ Δ k² with k² = 2 / 4² here.
    greatest = np.pi * electron_wavelength(volt) * (defocus + 1500) / 8 + 1
    np.testing.assert_allclose(found, -_of_cryodrgn(shape, pixel, o), atol=5e-5 * greatest)
    if difference < 0:
        return  # torch-ctf takes the root of a negative number there: see the test below
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        other = calculate_ctf_2d(
            defocus / 1e4,
            difference / 2e4,
            angle,
            volt,
            cs,
            w,
            phase,
            pixel,
            shape,
            rfft=True,
            fftshift=False,
        )
    np.testing.assert_allclose(found, other.numpy(), atol=3e-5 * greatest)  # it computes in float32


def test_the_second_defocus_may_be_the_greater() -> None:
    swapped = {
        **OPTICS,
        "defocus_u_angstrom": OPTICS["defocus_v_angstrom"],
        "defocus_v_angstrom": OPTICS["defocus_u_angstrom"],
        "defocus_angle_degrees": OPTICS["defocus_angle_degrees"] + 90,
    }
    plain = contrast_transfer((64, 64), (1.5, 1.5), OPTICS)
    assert bool(torch.isfinite(plain).all())
    torch.testing.assert_close(contrast_transfer((64, 64), (1.5, 1.5), swapped), plain, atol=1e-10, rtol=0)


def test_a_worked_value() -> None:
    """300 kV, 1 µm under focus, no aberration, w = 0.1, at 1/10 Å: γ = -π 0.019687 100 - asin 0.1."""
    o = {
        "defocus_u_angstrom": 10000.0,
        "defocus_v_angstrom": 10000.0,
        "voltage_kilovolts": 300.0,
        "spherical_aberration_millimetres": 0.0,
        "amplitude_contrast": 0.1,
    }
    ctf = contrast_transfer((10, 10), (1.0, 1.0), o)
    assert float(ctf[0, 0]) == pytest.approx(0.1)
    assert float(ctf[0, 1]) == pytest.approx(np.sin(np.pi * 1.96875 + np.arcsin(0.1)), abs=1e-4)
    assert float(ctf[0, 1]) == pytest.approx(0.0020, abs=2e-4)
    phase_plate = contrast_transfer((10, 10), (1.0, 1.0), {**o, "phase_shift_degrees": 90.0})
    assert float(phase_plate[0, 0]) == pytest.approx(np.sqrt(0.99))
    damped = contrast_transfer(
        (10, 10), (1.0, 1.0), {**o, "ctf_bfactor_square_angstrom": 80.0, "ctf_scale": 0.5}
    )
    assert float(damped[0, 1] / ctf[0, 1]) == pytest.approx(0.5 * np.exp(-80 / 4 / 100))


@pytest.mark.parametrize(
    ("transform", "factor"),
    [
        (ApplyCTF(), lambda c: c),
        (PhaseFlip(), lambda c: np.where(c < 0, -1.0, 1.0)),
        (WienerFilter(snr=0.2), lambda c: c / (c**2 + 5.0)),
    ],
)
def test_images_are_multiplied_by_their_formula(
    transform: Any, factor: Callable[[np.ndarray], np.ndarray]
) -> None:
    batch = _batch()
    batch["defocus_u_angstrom"] = torch.tensor([9000.0, 15000.0, 20000.0]).double()
    found = transform(batch)["image"].numpy()
    for k in range(3):
        o = {**OPTICS, "defocus_u_angstrom": float(batch["defocus_u_angstrom"][k])}
        c = contrast_transfer((32, 30), (1.7, 1.7), o).numpy()
        c[:, -1] = (c[:, -1] + np.roll(c[::-1, -1], 1)) / 2  # the highest frequency has both signs
        expected = np.fft.irfft2(np.fft.rfft2(batch["image"][k, 0].numpy()) * factor(c), s=(32, 30))
        np.testing.assert_allclose(found[k, 0], expected, atol=2e-6)


def test_each_image_has_the_ctf_of_its_own_pixel_size_along_each_axis() -> None:
    batch = _batch()
    batch["pixel_size_angstrom"] = torch.tensor([[1.7, 2.6], [0.8, 0.8], [3.0, 1.1]]).double()
    found = ApplyCTF()(batch)["image"][:, 0].numpy()
    for k, pixel_size in enumerate(batch["pixel_size_angstrom"].tolist()):
        c = contrast_transfer((32, 30), pixel_size, OPTICS).numpy()
        c[:, -1] = (c[:, -1] + np.roll(c[::-1, -1], 1)) / 2  # the highest frequency has both signs
        expected = np.fft.irfft2(np.fft.rfft2(batch["image"][k, 0].numpy()) * c, s=(32, 30))
        np.testing.assert_allclose(found[k], expected, atol=2e-6)


def test_flipping_the_phases_twice_gives_the_image_back() -> None:
    batch = _batch()
    again = PhaseFlip()(PhaseFlip()(batch))
    torch.testing.assert_close(again["image"], batch["image"], atol=5e-6, rtol=0)


def test_flipping_the_phases_keeps_the_mean_where_the_ctf_is_zero() -> None:
    batch = _batch(amplitude_contrast=0.0)
    batch["image"] = batch["image"] + 3
    flipped = PhaseFlip()(batch)["image"]
    torch.testing.assert_close(flipped.mean(dim=(1, 2, 3)), batch["image"].mean(dim=(1, 2, 3)))


def test_wieners_filter_restores_what_the_ctf_let_through() -> None:
    batch = _batch(shape=(64, 64))
    batch["pixel_size_angstrom"] = torch.full((3, 2), 4.0).double()  # few zeros of the CTF
    degraded = ApplyCTF()(batch)
    restored = WienerFilter(snr=1e8)(degraded)["image"]
    before = torch.corrcoef(torch.stack([batch["image"][0].flatten(), degraded["image"][0].flatten()]))[0, 1]
    after = torch.corrcoef(torch.stack([batch["image"][0].flatten(), restored[0].flatten()]))[0, 1]
    assert after > 0.95 > before


def test_tilts_have_a_defocus_of_their_own() -> None:
    batch = _batch(2, (4, 16, 16))
    batch["defocus_u_angstrom"] = torch.arange(8).reshape(2, 4).double() * 1000 + 8000
    batch["defocus_v_angstrom"] = batch["defocus_u_angstrom"]
    found = ApplyCTF()(batch)["image"]
    for sample in range(2):
        for tilt in range(4):
            alone = {key: value[sample : sample + 1] for key, value in batch.items()}
            alone["image"] = batch["image"][sample : sample + 1, :, tilt]
            for key in ("defocus_u_angstrom", "defocus_v_angstrom"):
                alone[key] = batch[key][sample : sample + 1, tilt]
            torch.testing.assert_close(
                ApplyCTF()(alone)["image"][0], found[sample, :, tilt], atol=2e-6, rtol=0
            )


@pytest.mark.parametrize("motion", [RandomRot90(), RandomFlip(axes=[-1, -2])])
def test_an_image_and_its_ctf_turn_together(motion: Any) -> None:
    """Turned and then multiplied is multiplied and then turned, if the axis of astigmatism followed."""
    batch = _batch(12, (33, 33), defocus_v_angstrom=4000.0)
    draws = Draws(seed=2, samples=np.arange(12))
    first = motion(ApplyCTF()(batch), draws)
    second = ApplyCTF()(motion(batch, draws))
    torch.testing.assert_close(first["image"], second["image"], atol=1e-5, rtol=0)
    left_behind = {**second, "image": motion(batch, draws)["image"]}
    left_behind["defocus_angle_degrees"] = batch["defocus_angle_degrees"]
    assert float((ApplyCTF()(left_behind)["image"] - first["image"]).abs().max()) > 0.1


def test_a_random_ctf_is_told_and_applied() -> None:
    image = torch.from_numpy(np.random.default_rng(1).normal(size=(50, 1, 16, 16)).astype(np.float32))
    transform = RandomCTF(
        defocus_angstrom=(8000, 12000),
        astigmatism_angstrom=(0, 500),
        amplitude_contrast=0.07,
        bfactor_square_angstrom=(0, 100),
        pixel_size_angstrom=2.0,
    )
    batch = transform({"image": image}, Draws(seed=1, samples=np.arange(50)))
    again = ApplyCTF()({**batch, "image": image})
    mean = 0.5 * (batch["defocus_u_angstrom"] + batch["defocus_v_angstrom"])

    assert torch.equal(again["image"], batch["image"])
    assert 8000 <= float(mean.min()) < 8800
    assert 11200 < float(mean.max()) <= 12000
    assert 400 < float((batch["defocus_u_angstrom"] - batch["defocus_v_angstrom"]).max()) <= 500
    assert batch["amplitude_contrast"].unique().tolist() == [0.07]
    assert len(batch["defocus_angle_degrees"].unique()) == 50
    assert transform({"image": image})["pixel_size_angstrom"][0].tolist() == [2.0, 2.0]


def test_what_a_ctf_needs_is_asked_for() -> None:
    batch = _batch()
    del batch["voltage_kilovolts"]
    with pytest.raises(InvalidOptionError, match="needs voltage_kilovolts"):
        ApplyCTF()(batch)
    with pytest.raises(InvalidOptionError, match="pixel size"):
        ApplyCTF()({**_batch(), "pixel_size_angstrom": torch.zeros(3, 2)})
    with pytest.raises(InvalidOptionError, match="not a number"):
        ApplyCTF()({**_batch(), "defocus_u_angstrom": torch.full((3,), torch.nan)})
    with pytest.raises(InvalidOptionError, match="fraction"):
        ApplyCTF()(_batch(amplitude_contrast=7.0))
    with pytest.raises(ShapeError, match="images or tilt series"):
        ApplyCTF()({**_batch(), "image": torch.zeros(3, 1, 4)})
    for bad in ({"snr": 0.0}, {"snr": float("nan")}):
        with pytest.raises(InvalidOptionError):
            WienerFilter(**bad)
    for options in (
        {"defocus_angstrom": (2, 1)},
        {"voltage_kilovolts": 0},
        {"amplitude_contrast": 2},
        {"pixel_size_angstrom": -1},
        {"defocus_angstrom": (1, 2, 3)},
    ):
        with pytest.raises(InvalidOptionError):
            RandomCTF(**options)
