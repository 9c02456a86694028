"""Rescaling in Fourier space, against scipy and against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import scipy.signal
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from caked.errors import InvalidOptionError, ShapeError
from caked.transforms import FourierCrop


@settings(deadline=None)
@given(
    before=st.lists(st.integers(1, 24), min_size=2, max_size=3),
    data=st.data(),
)
def test_every_size_even_or_odd_up_or_down_is_scipys_resample(before: list[int], data: st.DataObject) -> None:
    after = [data.draw(st.integers(1, 24)) for _ in before]
    image = np.random.default_rng(0).normal(size=(2, 1, *before)).astype(np.float32)
    found = FourierCrop(size=after)(torch.from_numpy(image)).numpy()
    expected = image.astype(np.float64)
    for axis, size in enumerate(after):
        expected = scipy.signal.resample(expected, size, axis=axis + 2)

    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_what_the_small_grid_cannot_hold_is_gone_and_not_folded_back() -> None:
    n, m = 1024, 250
    wave = np.sin(2 * np.pi * 170 * np.arange(n) / n)  # above the new limit of 125 cycles
    image = np.tile(wave, (8, 1)).astype(np.float32)
    cropped = FourierCrop(size=(8, m))(torch.from_numpy(image)[None, None]).numpy()
    zoomed = scipy.ndimage.zoom(image, (1, m / n))

    assert (cropped**2).mean() < 0.01 * (image**2).mean()
    assert (zoomed**2).mean() > 0.5 * (
        image**2
    ).mean()  # the published way keeps it, as a wave that is not there


def test_what_the_small_grid_can_hold_is_kept_exactly() -> None:
    y, x = np.meshgrid(np.arange(96) / 96, np.arange(128) / 128, indexing="ij")
    fine, coarse = (
        np.meshgrid(np.arange(n) / n, np.arange(m) / m, indexing="ij") for n, m in ((96, 128), (36, 40))
    )
    image, expected = (2.5 + np.cos(2 * np.pi * (5 * g[0] + 7 * g[1]) + 0.3) for g in (fine, coarse))
    found = FourierCrop(size=(36, 40))(torch.from_numpy(image.astype(np.float32))[None, None])[0, 0].numpy()

    assert y.shape == x.shape == image.shape
    # 128 products of float32 numbers up to 3.5 are summed: a few units in the last place, 4e-7 each.
    np.testing.assert_allclose(found, expected, atol=4e-6)


@given(st.integers(2, 40), st.integers(2, 40))
def test_the_mean_is_kept(before: int, after: int) -> None:
    image = np.random.default_rng(1).normal(5, 1, size=(1, 1, before, before)).astype(np.float32)
    found = FourierCrop(size=after)(torch.from_numpy(image))
    assert float(found.mean()) == pytest.approx(float(image.mean()), rel=1e-5)


def test_white_noise_keeps_the_share_of_its_variance_that_fits() -> None:
    noise = np.random.default_rng(2).normal(size=(1, 1, 1024, 1024)).astype(np.float32)
    found = FourierCrop(size=250)(torch.from_numpy(noise))
    assert float(found.std()) == pytest.approx(250 / 1024, rel=0.02)


def test_padding_and_cropping_again_gives_back_the_image() -> None:
    image = torch.from_numpy(np.random.default_rng(3).normal(size=(2, 1, 15, 21)).astype(np.float32))
    again = FourierCrop(size=(15, 21))(FourierCrop(size=(40, 33))(image))
    torch.testing.assert_close(again, image, atol=2e-6, rtol=0)


def test_the_pixel_size_follows() -> None:
    batch = {
        "image": torch.zeros(2, 1, 4096, 128),
        "pixel_size_angstrom": torch.tensor([[1.0, 2.0], [0.0, 3.0]], dtype=torch.float64),
    }
    found = FourierCrop(size=(1000, 64))(batch)["pixel_size_angstrom"]
    assert found.tolist() == [[pytest.approx(4.096), 4.0], [0.0, 6.0]]


@pytest.mark.parametrize(
    ("shape", "size"), [((128, 128), 64), ((60, 44), 32), ((6, 9), 5), ((14, 15), 8), ((24, 24, 24), 16)]
)
def test_a_sample_comes_out_with_the_same_bits_in_any_batch_on_any_number_of_threads(
    shape: tuple[int, ...], size: int
) -> None:
    images = torch.from_numpy(np.random.default_rng(4).normal(size=(9, 1, *shape)).astype(np.float32))
    crop, threads = FourierCrop(size=size), torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        alone = torch.cat([crop(image[None]) for image in images])
        for count in (1, 2):
            torch.set_num_threads(count)
            for start, stop in ((0, 9), (0, 2), (3, 8), (8, 9)):
                assert torch.equal(crop(images[start:stop]), alone[start:stop])
            assert torch.get_num_threads() == count
    finally:
        torch.set_num_threads(threads)


def test_sizes_that_fit_no_image_are_refused() -> None:
    with pytest.raises(InvalidOptionError, match="positive number"):
        FourierCrop(size=0)
    with pytest.raises(ShapeError, match="2 sizes"):
        FourierCrop(size=(4, 4))(torch.zeros(1, 1, 8, 8, 8))
    with pytest.raises(ShapeError, match="complex"):
        FourierCrop(size=4)(torch.zeros(1, 1, 8, 8, dtype=torch.complex64))
