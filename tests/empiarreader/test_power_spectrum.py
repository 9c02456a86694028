"""Power spectra against closed forms and scipy; scale bars and rings where they belong."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.fft
import scipy.signal.windows
from hypothesis import given
from hypothesis import strategies as st

from empiarreader.looking.scale import bar_length, say_length
from empiarreader.looking.spectrum import cut_tiles, power_spectrum, ring_resolutions, rings


@given(ky=st.integers(-30, 30), kx=st.integers(-30, 30))
def test_a_wave_is_a_peak_at_its_frequency_and_in_its_direction(ky: int, kx: int) -> None:
    if abs(ky) + abs(kx) < 4:  # the window widens a peak by one point, and the mean is taken away
        return
    y, x = np.mgrid[:64, :64]
    found = power_spectrum([np.cos(2 * np.pi * (ky * y + kx * x) / 64)], (1.0, 1.0), largest_tile=64)

    assert found is not None
    place = np.unravel_index(np.argmax(found.power), found.power.shape)
    assert (int(place[0]) - 32, int(place[1]) - 32) in {(ky, kx), (-ky, -kx)}
    # (sum of the window / 2)² / sum of its square: a Hann window sums up to n / 2, its square to 3n / 8.
    assert found.power.max() == pytest.approx((32**2 / 2) ** 2 / 24**2, rel=1e-4)


def test_white_noise_has_its_variance_at_every_frequency() -> None:
    noise = np.random.default_rng(0).normal(5.0, 3.0, (1024, 1024))
    found = power_spectrum([noise], None, largest_tile=128)

    assert found is not None
    frequency, power = found.radial()
    assert found.tiles == 144
    np.testing.assert_allclose(
        power[4:], 9.0, rtol=0.06
    )  # some 70 independent tiles, 30 points and more a ring
    assert frequency[-1] == 0.5


def test_what_is_alike_at_all_frequencies_is_shown_alike() -> None:
    noise = np.random.default_rng(3).normal(5.0, 3.0, (1024, 1024))
    found = power_spectrum([noise], None, largest_tile=128)

    assert found is not None
    y, x = np.mgrid[-64:64, -64:64]
    radius = np.hypot(y, x)
    shown = found.shown()
    inner, outer = (shown[(radius > low) & (radius <= high)].mean() for low, high in ((4, 12), (40, 64)))
    assert inner == pytest.approx(outer, abs=0.1)


def test_the_mean_of_tiles_is_scipys() -> None:
    image = np.random.default_rng(1).normal(size=(96, 160)).astype(np.float32)
    window = scipy.signal.windows.hann(64, sym=False)
    both = np.outer(window, window)
    total = np.zeros((64, 64))
    for y in (0, 32):
        for x in (0, 32, 64, 96):
            tile = image[y : y + 64, x : x + 64].astype(np.float64)
            tile = tile - (tile * both).sum() / both.sum()
            total += np.abs(scipy.fft.fft2(tile * both)) ** 2
    expected = scipy.fft.fftshift(total / 8 / (both**2).sum())
    found = power_spectrum([image], None, largest_tile=64)

    assert found is not None
    np.testing.assert_allclose(found.power, expected, rtol=1e-3, atol=1e-6)  # single precision in between


def test_thon_rings_are_dark_where_the_contrast_transfer_vanishes() -> None:
    n, pixel, defocus, spherical, wavelength = 1024, 1.3, 18_000.0, 2.7e7, 0.0197
    generator = np.random.default_rng(2)
    fy, fx = np.fft.fftfreq(n, pixel)[:, np.newaxis], np.fft.rfftfreq(n, pixel)[np.newaxis]
    squared = fy**2 + fx**2
    phase = np.pi * wavelength * defocus * squared - np.pi / 2 * spherical * wavelength**3 * squared**2
    image = np.fft.irfft2(np.fft.rfft2(generator.normal(size=(n, n))) * np.sin(phase), s=(n, n))
    found = power_spectrum([image], (pixel, pixel), largest_tile=256)

    assert found is not None
    frequency, power = found.radial()
    curve = (
        np.pi * wavelength * defocus * frequency**2 - np.pi / 2 * spherical * wavelength**3 * frequency**4
    ) / np.pi
    step = frequency[1]
    # The first is blurred by the width of the window, the later lie too close together.
    for zero in range(2, 6):
        predicted = float(np.interp(zero, curve, frequency))
        around = slice(int(predicted / step) - 2, int(predicted / step) + 4)
        darkest = frequency[around][np.argmin(power[around])]
        assert abs(darkest - predicted) <= 1.01 * step
        assert power[around].min() < 0.6 * power.mean()  # and dark, between rings ever closer together


@given(st.integers(8, 200), st.integers(8, 200), st.sampled_from([8, 64, 512]))
def test_tiles_are_square_even_and_reach_both_ends(rows: int, columns: int, largest: int) -> None:
    numbered = np.arange(rows * columns).reshape(rows, columns)
    tiles = list(cut_tiles(numbered, largest))
    side = min(rows, columns, largest) // 2 * 2

    assert {tile.shape for tile in tiles} == {(side, side)}
    assert tiles[0][0, 0] == 0
    assert tiles[-1][-1, -1] == rows * columns - 1
    assert len(tiles) <= 144


def test_an_image_too_small_or_broken_makes_no_noise() -> None:
    assert power_spectrum([np.zeros((4, 100))], None) is None
    broken = np.ones((32, 32))
    broken[3, 3] = np.nan
    found = power_spectrum([broken], None)
    assert found is not None
    assert np.isfinite(found.power).all()
    assert np.isfinite(found.shown()).all()
    assert power_spectrum([np.full((32, 32), np.inf)], None) is not None


@given(st.floats(0.2, 800.0), st.floats(0.5, 2.0))
def test_rings_are_round_below_nyquist_and_apart(pixel: float, stretch: float) -> None:
    sizes = (pixel, pixel * stretch)
    found = ring_resolutions(sizes)

    assert found == sorted(found, reverse=True)
    assert all(resolution >= 2 * max(sizes) * (1 - 1e-6) for resolution in found)
    assert {float(f"{resolution:.6e}".partition("e")[0]) for resolution in found} <= {1, 1.5, 2, 3, 4, 5, 7}


def test_a_ring_lies_where_waves_of_its_resolution_peak() -> None:
    pixel = (1.5, 1.0)
    y, x = np.mgrid[:256, :256]
    spectrum = power_spectrum([np.ones((256, 256))], pixel)
    assert spectrum is not None
    drawn = rings(spectrum)
    assert len(drawn) >= 3
    for resolution, (height, width) in drawn:
        for wave, radius, axis in ((y * pixel[0], height, 0), (x * pixel[1], width, 1)):
            found = power_spectrum([np.cos(2 * np.pi * wave / resolution)], pixel)
            assert found is not None
            peak = np.unravel_index(np.argmax(found.power), found.power.shape)
            assert abs(abs(int(peak[axis]) - 128) - radius) <= 1


@given(st.floats(1e-3, 1e9))
def test_a_scale_bar_is_round_and_takes_a_good_part_of_the_width(width: float) -> None:
    length = bar_length(width)

    assert 0.12 * width * (1 - 1e-6) <= length <= 0.3 * width * (1 + 1e-6)
    assert f"{length:.0e}"[0] in "125"


def test_lengths_are_said_in_their_units() -> None:
    assert [say_length(value) for value in (0.5, 20.0, 1000.0, 50_000.0)] == [
        "0.5 Å",
        "2 nm",
        "100 nm",
        "5 µm",
    ]
