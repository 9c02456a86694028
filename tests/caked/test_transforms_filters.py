"""Filters, spectra and noise, each against a second implementation or what they promise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import scipy.ndimage
import torch
from torch_fourier_filter.bandpass import bandpass_filter

from caked import Draws
from caked.errors import InvalidOptionError, ShapeError
from caked.transforms import (
    BandPass,
    ColouredNoise,
    GaussianNoise,
    PoissonNoise,
    Resize,
    SpectrumMatch,
    Whiten,
    radial_amplitudes,
)

NOISE_2D = torch.from_numpy(np.random.default_rng(0).normal(size=(3, 1, 64, 60)).astype(np.float32))
NOISE_3D = torch.from_numpy(np.random.default_rng(1).normal(size=(2, 1, 20, 24, 22)).astype(np.float32))


def _filtered(image: torch.Tensor, mask: np.ndarray) -> np.ndarray:
    axes = tuple(range(2, image.ndim))
    spectrum = np.fft.rfftn(image.numpy().astype(np.float64), axes=axes)
    return np.asarray(np.fft.irfftn(spectrum * mask, s=image.shape[2:], axes=axes))


@pytest.mark.parametrize("image", [NOISE_2D, NOISE_3D])
@pytest.mark.parametrize(("low", "high", "falloff"), [(0.05, 0.2, 0.03), (0.11, 0.4, 0.1)])
def test_a_band_is_that_of_torch_fourier_filter(
    image: torch.Tensor, low: float, high: float, falloff: float
) -> None:
    shape: Any = tuple(image.shape[2:])
    mask = bandpass_filter(low, high, falloff, shape, rfft=True, fftshift=False).numpy()
    found = BandPass(low=low, high=high, falloff=falloff)(image).numpy()
    np.testing.assert_allclose(found, _filtered(image, mask), atol=3e-6)


def test_one_bound_makes_a_low_or_a_high_pass_filter() -> None:
    low = BandPass(high=0.1, falloff=0.0)(NOISE_2D)
    high = BandPass(low=0.1 + 1e-9, falloff=0.0)(NOISE_2D)
    k = np.hypot(np.fft.fftfreq(64)[:, None], np.fft.rfftfreq(60)[None])
    np.testing.assert_allclose(low, _filtered(NOISE_2D, k <= 0.1), atol=3e-6)
    torch.testing.assert_close(low + high, NOISE_2D, atol=3e-6, rtol=0)
    assert float(high.mean(dim=(1, 2, 3)).abs().max()) < 1e-7


def test_bands_in_angstrom_follow_the_pixel_size_of_each_sample() -> None:
    batch = {
        "image": NOISE_2D,
        "pixel_size_angstrom": torch.tensor([[2.0, 2.0], [4.0, 4.0], [2.0, 2.0]], dtype=torch.float64),
    }
    found = BandPass(high=1 / 20, falloff=1 / 100, unit="angstrom")(batch)["image"]
    fine = BandPass(high=2 / 20, falloff=2 / 100)(NOISE_2D)
    coarse = BandPass(high=4 / 20, falloff=4 / 100)(NOISE_2D)
    torch.testing.assert_close(found, torch.stack([fine[0], coarse[1], fine[2]]), atol=1e-6, rtol=0)
    with pytest.raises(InvalidOptionError, match="pixel size of every sample"):
        BandPass(high=0.1, unit="angstrom")(NOISE_2D)


@pytest.mark.parametrize("image", [NOISE_2D, NOISE_3D])
def test_whitening_leaves_a_flat_spectrum(image: torch.Tensor) -> None:
    coloured = BandPass(high=0.2, falloff=0.9)(image * 7 + 3)  # nowhere zero
    white = Whiten()(coloured)
    shape = image.shape[2:]
    k = np.sqrt(sum(g**2 for g in np.meshgrid(*(np.fft.fftfreq(n) for n in shape), indexing="ij")))
    number = np.rint(k * max(shape)).astype(int)
    for one in white[:, 0].numpy():
        power = np.abs(np.fft.fftn(one)) ** 2 / one.size
        means = scipy.ndimage.mean(power, number, np.arange(1, number.max() + 1))
        np.testing.assert_allclose(means, 1, atol=1e-3)
        assert abs(one.mean()) < 1e-6
        assert one.std() == pytest.approx(1, abs=1e-3)


def test_a_spectrum_is_matched_and_cut_off() -> None:
    target = BandPass(high=0.1, falloff=0.9)(NOISE_2D[:1] * 5)
    wanted = radial_amplitudes(target)
    found = SpectrumMatch(target=wanted)(NOISE_2D[1:2])
    # Both curves are read at 32 steps and interpolated: noise between them is what is left.
    np.testing.assert_allclose(radial_amplitudes(found)[2:-1], wanted[2:-1], rtol=0.15)
    damped = radial_amplitudes(SpectrumMatch(target=wanted, cutoff=0.2)(NOISE_2D[1:2]))
    np.testing.assert_allclose(damped[3:9], wanted[3:9], rtol=0.15)
    assert max(damped[20:]) < 1e-3 * max(wanted)
    shifted = SpectrumMatch(target=wanted)(NOISE_2D[1:2] + 10)
    assert float(shifted.mean()) == pytest.approx(float(NOISE_2D[1:2].mean()) + 10, abs=1e-4)


def test_amplitudes_are_those_of_numpy() -> None:
    image = NOISE_2D[..., :60, :]
    power = np.abs(np.fft.fft2(image[:, 0].numpy())) ** 2
    k = np.hypot(np.fft.fftfreq(60)[:, None], np.fft.fftfreq(60)[None])
    number = np.rint(k * 60).astype(int)
    expected = np.sqrt([scipy.ndimage.mean(power.mean(axis=0), number, n) for n in range(31)])
    np.testing.assert_allclose(radial_amplitudes(image, steps=31)[1:], expected[1:], rtol=1e-5)


@pytest.mark.parametrize("snr", [0.05, 2.0])
@pytest.mark.parametrize("exponent", [1.0, 2.0, -1.0, 0.0])
def test_coloured_noise_has_its_strength_and_its_slope(snr: float, exponent: float) -> None:
    signal = torch.from_numpy(np.random.default_rng(3).normal(2, 3, size=(12, 1, 96, 96)).astype(np.float32))
    noise = ColouredNoise(snr=snr, exponent=exponent)(signal) - signal
    ratio = signal.var(dim=(1, 2, 3)) / noise.var(dim=(1, 2, 3))
    # Brown noise has most of its power in a few waves: its variance differs from draw to draw.
    assert float(ratio.log().mean().exp()) == pytest.approx(snr, rel=0.25 if exponent == 2 else 0.05)
    amplitudes = np.array(radial_amplitudes(noise, steps=33))
    k = np.linspace(0, 0.5, 33)
    slope = np.polyfit(np.log(k[3:]), np.log(amplitudes[3:]), 1)[0]
    assert slope == pytest.approx(-exponent / 2, abs=0.05)


@pytest.mark.parametrize("shape", [(8, 6), (7, 5), (4, 4, 6), (3, 4)])
@pytest.mark.parametrize("spectrum", [{"exponent": 1.0}, {"exponent": -2.0}, {"power": [1.0, 5.0, 2.0]}])
def test_colouring_keeps_the_power_of_white_noise(shape: tuple[int, ...], spectrum: dict[str, Any]) -> None:
    """What becomes of a single pixel holds the mean of the transfer's squares, by Parseval's theorem: 1."""
    pixel = torch.zeros(1, 1, *shape, dtype=torch.float64)
    pixel[(0,) * pixel.ndim] = 1
    coloured = ColouredNoise(snr=1.0, **spectrum).coloured(pixel)
    assert float(coloured.square().sum()) == pytest.approx(1, abs=1e-9)
    assert float(coloured.sum()) == pytest.approx(0, abs=1e-9)


def test_noise_of_a_measured_spectrum_has_it() -> None:
    measured = [a * a for a in radial_amplitudes(BandPass(high=0.15, falloff=0.2)(NOISE_2D))]
    flat = torch.zeros(40, 1, 64, 60)
    flat[..., ::2] = 1
    noise = ColouredNoise(snr=1.0, power=measured)(flat) - flat
    found = np.array(radial_amplitudes(noise)) ** 2
    # The curve is interpolated between 32 steps, and the innermost shells have a few points each.
    np.testing.assert_allclose(found[2:12] / found[5], np.array(measured[2:12]) / measured[5], rtol=0.3)
    assert max(found[26:]) < 1e-6 * max(found)


def test_signal_can_be_measured_within_a_radius() -> None:
    y, x = np.mgrid[-32:32, -32:32]
    particle = torch.zeros(1, 1, 64, 64)
    inside = torch.from_numpy(x**2 + y**2 <= 100)
    particle[0, 0][inside] = torch.from_numpy(np.random.default_rng(0).normal(size=int(inside.sum()))).float()
    noise = GaussianNoise(snr=0.5, signal_radius_pixels=10)(particle) - particle
    # 4096 numbers know their variance to 2 %.
    assert float(noise.var()) == pytest.approx(float(particle[0, 0][inside].var()) / 0.5, rel=0.12)


@pytest.mark.parametrize(("dose", "size"), [(20.0, 1.5), (0.5, 1.0), (100.0, 0.7)])
def test_counted_electrons_have_the_mean_and_the_variance_of_poisson(dose: float, size: float) -> None:
    intensity = torch.full((1, 1, 300, 300), 5.0)
    intensity[..., :150] = 15.0  # in units of the mean: 1.5 and 0.5
    counted = PoissonNoise(dose_electrons_per_square_angstrom=dose, pixel_size_angstrom=size)(intensity)[0, 0]
    electrons = dose * size**2
    for part, expected in ((counted[:, :150], 1.5), (counted[:, 150:], 0.5)):
        deviation = math.sqrt(expected / electrons)
        assert float(part.mean()) == pytest.approx(expected, abs=5 * deviation / math.sqrt(45000))
        assert float(part.var()) == pytest.approx(expected / electrons, rel=0.06)
    whole = (counted * electrons).double()
    torch.testing.assert_close(whole, whole.round(), atol=1e-3, rtol=0)


def test_images_of_any_scale_are_counted_by_their_contrast() -> None:
    image = torch.from_numpy(np.random.default_rng(0).normal(-4, 9, size=(2, 1, 128, 128)).astype(np.float32))
    bright = PoissonNoise(dose_electrons_per_square_angstrom=1e6, pixel_size_angstrom=1, contrast=0.1)
    counted = bright(image)
    assert counted.mean(dim=(1, 2, 3)).tolist() == pytest.approx([1, 1], abs=1e-3)
    assert counted.std(dim=(1, 2, 3)).tolist() == pytest.approx([0.1, 0.1], rel=0.02)
    with pytest.raises(ShapeError, match="give a contrast"):
        PoissonNoise(dose_electrons_per_square_angstrom=1, pixel_size_angstrom=1)(image)
    image[0, 0, 0, 0] = torch.nan
    with pytest.raises(InvalidOptionError, match="NaN"):
        bright(image)
    drawn = PoissonNoise(dose_electrons_per_square_angstrom=(1, 100), pixel_size_angstrom=1)
    levels = drawn(torch.ones(40, 1, 32, 32), Draws(samples=np.arange(40))).var(dim=(1, 2, 3))
    assert float(levels.max() / levels.min()) > 10


def test_electrons_are_counted_over_the_area_of_the_sample_s_own_pixels() -> None:
    counting = PoissonNoise(dose_electrons_per_square_angstrom=4)
    sizes = torch.tensor([[1.0, 1.0], [2.0, 2.0], [1.0, 3.0]], dtype=torch.float64)
    batch = {"image": torch.ones(3, 1, 200, 200), "pixel_size_angstrom": sizes}
    variances = counting(batch)["image"].var(dim=(1, 2, 3)).tolist()
    assert variances == pytest.approx([1 / 4, 1 / 16, 1 / 12], rel=0.05)
    for unknown in ({"image": batch["image"]}, {**batch, "pixel_size_angstrom": torch.zeros(3, 2)}):
        with pytest.raises(InvalidOptionError, match="needs the pixel size"):
            counting(unknown)


@pytest.mark.parametrize(("before", "after"), [(64, 32), (60, 20), (64, 16)])
def test_areas_are_torchs_for_whole_ratios(before: int, after: int) -> None:
    image = NOISE_2D[..., :before, :before]
    expected = torch.nn.functional.interpolate(image, size=(after,) * 2, mode="area")
    if before <= min(image.shape[2:]):
        torch.testing.assert_close(Resize(size=after)(image), expected, atol=1e-6, rtol=0)


@pytest.mark.parametrize("size", [(40, 23), (64, 31), (100, 61), (7, 120)])
def test_linear_rescaling_is_torchs_antialiased_interpolation(size: tuple[int, int]) -> None:
    image = NOISE_2D.double()
    expected = torch.nn.functional.interpolate(image, size=size, mode="bilinear", antialias=True)
    torch.testing.assert_close(Resize(size=size, method="linear")(image), expected, atol=1e-9, rtol=0)


def test_areas_keep_the_mean_for_any_ratio() -> None:
    for size in (5, 17, 33, 60, 97):
        found = Resize(size=size)(NOISE_3D.double())
        torch.testing.assert_close(found.mean(), NOISE_3D.double().mean(), atol=1e-9, rtol=0)


@pytest.mark.parametrize(
    "make",
    [
        lambda: BandPass(),
        lambda: BandPass(low=0.3, high=0.2),
        lambda: BandPass(high=0.2, unit="nm"),
        lambda: BandPass(high=0.2, falloff=-1),
        lambda: SpectrumMatch(target=[1.0]),
        lambda: SpectrumMatch(target=[1.0, -1.0]),
        lambda: SpectrumMatch(target=[1.0, 1.0], cutoff=0),
        lambda: ColouredNoise(snr=1, power=[1]),
        lambda: ColouredNoise(snr=0),
        lambda: ColouredNoise(snr=1, exponent=float("inf")),
        lambda: ColouredNoise(snr=1, exponent=-11),
        lambda: ColouredNoise(snr="loud"),  # type: ignore[arg-type]
        lambda: ColouredNoise(snr=[[1.0, 2.0]]),  # type: ignore[list-item]
        lambda: PoissonNoise(dose_electrons_per_square_angstrom=0),
        lambda: PoissonNoise(dose_electrons_per_square_angstrom=1, pixel_size_angstrom=0),
        lambda: GaussianNoise(snr=1, signal_radius_pixels=0),
        lambda: Resize(size=4, method="cubic"),
        lambda: Resize(size=0),
    ],
)
def test_options_that_make_no_sense_are_refused(make: type) -> None:
    with pytest.raises(InvalidOptionError):
        make()


def test_complex_images_are_refused() -> None:
    with pytest.raises(ShapeError, match="complex"):
        BandPass(high=0.1)(torch.zeros(1, 1, 4, 4, dtype=torch.complex64))
