"""Transforms of values and the blur, each against a second implementation."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from caked.errors import InvalidOptionError, ShapeError
from caked.transforms import Clip, GaussianBlur, GaussianNoise, Invert, MinMax, Standardise, Transform
from caked.transforms.reduce import centre, fold_sum
from caked.transforms.taps import turned

SHAPES = hnp.array_shapes(min_dims=2, max_dims=3, min_side=1, max_side=12)
VALUES = st.floats(-1e4, 1e4, width=32)
IMAGES = SHAPES.flatmap(lambda shape: hnp.arrays(np.float32, (3, 1, *shape), elements=VALUES))


@given(IMAGES)
def test_min_max_is_its_formula_and_constant_images_become_zero(images: np.ndarray) -> None:
    found = MinMax()(torch.from_numpy(images)).numpy()
    for image, result in zip(images, found, strict=True):
        span = image.max() - image.min()
        expected = (image - image.min()) / span if span > 0 else np.zeros_like(image)
        np.testing.assert_array_equal(result, expected)


@given(IMAGES)
def test_standardise_is_its_formula_and_constant_images_become_zero(images: np.ndarray) -> None:
    found = Standardise()(torch.from_numpy(images)).numpy()
    for image, result in zip(images.astype(np.float64), found, strict=True):
        if image.max() == image.min():
            assert not result.any()
            continue
        # Where the values differ by less than a thousandth of their size, float32 has lost their digits.
        if image.max() - image.min() < 1e-3 * np.abs(image).max():
            assert np.isfinite(result).all()
            continue
        expected = (image - image.mean()) / image.std()
        np.testing.assert_allclose(result, expected, atol=1e-3 * np.abs(expected).max())


@pytest.mark.parametrize("value", [0.0, 1.0, -3.7, 1e6, 1e-30, 16777217.0])
def test_a_constant_image_makes_no_nan_whatever_its_value(value: float) -> None:
    constant = torch.full((2, 1, 33, 17), value)
    for transform in (MinMax(), Standardise(), Clip(), GaussianNoise(snr=0.1)):
        assert bool(torch.isfinite(transform(constant)).all())
    assert not MinMax()(constant).any()
    assert not Standardise()(constant).any()


@pytest.mark.parametrize("scale", [1e-38, 1e-20, 1.0, 1e20, 1e37])
def test_very_small_and_very_large_values_are_standardised_like_others(scale: float) -> None:
    image = torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(Standardise()(image * scale), Standardise()(image), atol=1e-4, rtol=0)


@given(IMAGES, st.floats(0, 49), st.floats(51, 100))
def test_clip_is_numpys_percentile(images: np.ndarray, low: float, high: float) -> None:
    found = Clip(low=low, high=high)(torch.from_numpy(images)).numpy()
    for image, result in zip(images, found, strict=True):
        bounds = np.percentile(image.astype(np.float64), [low, high])
        expected = np.clip(image, *bounds)
        np.testing.assert_allclose(result, expected, atol=1e-5 * (1 + np.abs(image).max()))


def test_invert_changes_the_sign_and_nothing_else() -> None:
    image = torch.randn(2, 1, 5, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(Invert()(image), -image)


@pytest.mark.parametrize("shape", [(24, 31), (1, 9), (12, 15, 10)])
@pytest.mark.parametrize("sigma", [0.4, 1.0, 2.7])
def test_the_blur_is_scipys_along_every_axis(shape: tuple[int, ...], sigma: float) -> None:
    images = np.random.default_rng(0).normal(size=(3, 1, *shape)).astype(np.float32)
    found = GaussianBlur(sigma=sigma)(torch.from_numpy(images)).numpy()
    for image, result in zip(images[:, 0], found[:, 0], strict=True):
        expected = scipy.ndimage.gaussian_filter(image.astype(np.float64), sigma, mode="reflect")
        np.testing.assert_allclose(result, expected, atol=1e-6)


def test_the_blur_of_a_point_in_a_volume_spreads_over_all_three_axes() -> None:
    volume = torch.zeros(1, 1, 9, 9, 9)
    volume[0, 0, 4, 4, 4] = 1
    blurred = GaussianBlur(sigma=1.0)(volume)[0, 0]

    assert blurred[3, 4, 4] == blurred[4, 3, 4] == blurred[4, 4, 3] > 0.02
    assert blurred[3, 4, 4] / blurred[4, 4, 4] == pytest.approx(np.exp(-0.5), rel=1e-5)
    assert float(blurred.sum()) == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("mean", [0.0, 5.0, 40.0, 900.0, 1100.0, -3e4])
def test_values_far_from_zero_are_standardised_to_their_last_digits(mean: float) -> None:
    image = torch.randn(2, 1, 150, 130, generator=torch.Generator().manual_seed(0)) + mean
    exact = image.numpy().astype(np.float64)
    expected = (exact - exact.mean(axis=(2, 3), keepdims=True)) / exact.std(axis=(2, 3), keepdims=True)
    np.testing.assert_allclose(Standardise()(image).numpy(), expected, atol=5e-6, rtol=0)


def test_no_images_are_blurred_to_none() -> None:
    assert GaussianBlur()(torch.zeros(0, 1, 64, 48)).shape == (0, 1, 64, 48)


@given(hnp.array_shapes(min_dims=2, max_dims=5, min_side=1, max_side=20))
def test_the_last_two_axes_are_turned_by_squares(shape: tuple[int, ...]) -> None:
    image = torch.arange(float(np.prod(shape))).reshape(shape)
    assert torch.equal(turned(image), image.mT)
    assert turned(image.mT).is_contiguous()


@pytest.mark.parametrize("snr", [0.05, 1.0, 20.0])
def test_noise_has_the_ratio_that_was_asked_for(snr: float) -> None:
    images = torch.from_numpy(np.random.default_rng(1).normal(3, 2, size=(4, 1, 256, 256)).astype(np.float32))
    noise = GaussianNoise(snr=snr)(images) - images
    measured = images.var(dim=(1, 2, 3)) / noise.var(dim=(1, 2, 3))

    # The variance of 65536 normal numbers is known to 0.55 %; five times that.
    assert measured.tolist() == pytest.approx([snr] * 4, rel=0.03)
    assert not torch.equal(noise[0] / noise[0].std(), noise[1] / noise[1].std())


def test_a_range_of_ratios_is_drawn_for_each_sample_within_its_bounds() -> None:
    images = torch.from_numpy(np.random.default_rng(1).normal(size=(40, 1, 64, 64)).astype(np.float32))
    noise = GaussianNoise(snr=(0.1, 10.0))(images) - images
    measured = (images.var(dim=(1, 2, 3)) / noise.var(dim=(1, 2, 3))).numpy()

    assert measured.min() > 0.09
    assert measured.max() < 11
    assert np.median(np.log10(measured)) == pytest.approx(0.0, abs=0.45)


@given(hnp.arrays(np.float32, hnp.array_shapes(min_dims=2, max_dims=2, max_side=70), elements=VALUES))
def test_the_folded_sum_is_the_sum(rows: np.ndarray) -> None:
    found = fold_sum(torch.from_numpy(rows)).numpy()
    np.testing.assert_allclose(
        found, rows.astype(np.float64).sum(axis=1), atol=1e-5 * (1 + np.abs(rows).sum())
    )


def test_the_mean_is_that_of_numpy() -> None:
    image = np.random.default_rng(2).normal(1e4, 3, size=(2, 1, 50, 60)).astype(np.float32)
    centred, deviation, unit = centre(torch.from_numpy(image))

    np.testing.assert_allclose(centred.mean(dim=(1, 2, 3)).numpy(), 0, atol=1e-6)
    assert (deviation * unit).flatten().tolist() == pytest.approx(
        image.std(axis=(1, 2, 3), dtype=np.float64).tolist(), rel=1e-4
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda: Clip(low=60, high=40),
        lambda: Clip(low=-1),
        lambda: GaussianBlur(sigma=0),
        lambda: GaussianBlur(sigma=float("nan")),
        lambda: GaussianNoise(snr=0),
        lambda: GaussianNoise(snr=(1, 2, 3)),
        lambda: GaussianNoise(snr=(2, 1)),
    ],
)
def test_options_out_of_range_are_refused(make: type[Transform]) -> None:
    with pytest.raises(InvalidOptionError):
        make()


def test_complex_images_are_refused_where_they_have_no_order() -> None:
    with pytest.raises(ShapeError, match="Complex images"):
        MinMax()(torch.zeros(1, 1, 4, 4, dtype=torch.complex64))


def test_images_without_a_batch_axis_are_refused() -> None:
    with pytest.raises(ShapeError, match=r"\(B, C, \*spatial\)"):
        Invert()(torch.zeros(4, 4))


def test_what_is_given_is_not_changed() -> None:
    for transform in (MinMax(), Standardise(), Clip(), Invert(), GaussianBlur(), GaussianNoise(snr=1.0)):
        image = torch.randn(3, 1, 8, 8, generator=torch.Generator().manual_seed(0))
        before = image.clone()
        batch = {"image": image}
        transform(batch)
        assert torch.equal(image, before)
        assert batch["image"] is image
