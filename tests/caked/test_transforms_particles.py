"""What is done to particles: background, masks, contrast, and parts taken away."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from caked import Draws
from caked.errors import InvalidOptionError, ShapeError
from caked.transforms import (
    AutoInvert,
    NormaliseBackground,
    OnKeys,
    RandomBrightness,
    RandomContrast,
    RandomCutout,
    RandomFlip,
    RandomGamma,
    SphericalMask,
    Standardise,
    VoxelDropout,
)

IMAGES = np.random.default_rng(0).normal(3, 2, size=(4, 1, 40, 40)).astype(np.float32)


def _as_relion(image: np.ndarray, radius: float, *, ramp: bool) -> np.ndarray:
    """RELION's ``normalise()`` without dust, in plain numpy: the ramp by least squares on the points."""
    image = image.astype(np.float64)
    grids = np.meshgrid(*(np.arange(n) - n // 2 for n in image.shape), indexing="ij")
    outside = sum(g**2 for g in grids) > radius**2
    if ramp:
        design = np.stack([*(g[outside] for g in grids), np.ones(outside.sum())], axis=1)
        *slopes, level = np.linalg.lstsq(design, image[outside], rcond=None)[0]
        image = image - sum(s * g for s, g in zip(slopes, grids, strict=True)) - level
    mean, square = image[outside].mean(), (image[outside] ** 2).mean()
    return np.asarray((image - mean) / np.sqrt(square - mean**2))


@pytest.mark.parametrize("shape", [(40, 40), (33, 40), (16, 18, 20)])
@pytest.mark.parametrize("ramp", [False, True])
def test_the_background_is_normalised_as_in_relion(shape: tuple[int, ...], ramp: bool) -> None:
    generator = np.random.default_rng(1)
    images = generator.normal(5, 3, size=(3, 1, *shape)).astype(np.float32)
    images += np.arange(shape[-1], dtype=np.float32) * 0.4 - np.arange(shape[-2])[:, None] * 0.1
    radius = 0.35 * min(shape)
    found = NormaliseBackground(radius_pixels=radius, ramp=ramp)(torch.from_numpy(images)).numpy()
    for image, result in zip(images[:, 0], found[:, 0], strict=True):
        np.testing.assert_allclose(result, _as_relion(image, radius, ramp=ramp), atol=1e-5)


def test_the_background_has_mean_zero_and_deviation_one_and_no_slope() -> None:
    slope = np.arange(40, dtype=np.float32) * 0.5
    found = NormaliseBackground()(torch.from_numpy(IMAGES + slope))[:, 0].numpy()
    y, x = np.mgrid[-20:20, -20:20]
    outside = x**2 + y**2 > 15**2
    for image in found:
        assert image[outside].mean() == pytest.approx(0, abs=1e-6)
        assert image[outside].std() == pytest.approx(1, abs=1e-6)
        assert np.corrcoef(image[outside], x[outside])[0, 1] == pytest.approx(0, abs=1e-6)


def test_dust_becomes_noise_of_the_background() -> None:
    dusty = torch.from_numpy(IMAGES.copy())
    dusty[:, 0, 20, 20], dusty[:, 0, 0, 0], dusty[:, 0, 30, 5] = 500.0, -300.0, 90.0
    found = NormaliseBackground(white_dust=5, black_dust=5, ramp=False)(dusty)
    again = NormaliseBackground(white_dust=5, black_dust=5, ramp=False)(
        dusty, Draws(epoch=9, samples=np.arange(4))
    )
    clean_of = NormaliseBackground(ramp=False)
    clean = clean_of(torch.from_numpy(IMAGES))

    # The deviation of a background with dust in it is five times as wide here, and so are the numbers drawn.
    assert float(found.abs().max()) < 5 * 5
    assert float(clean_of(dusty).abs().max()) > 25
    assert torch.equal(found, again)  # of no epoch: it can be cached
    kept = torch.ones(40, 40, dtype=torch.bool)
    kept[20, 20] = kept[0, 0] = kept[30, 5] = False
    # Two such numbers among 900 widen the deviation by up to 3 %.
    assert float((found - clean)[:, 0, kept].abs().max()) < 0.03 * float(clean.abs().max())
    white_only = NormaliseBackground(white_dust=5, ramp=False)(dusty)
    assert bool((white_only[:, 0, 0, 0] < -10).all())
    assert len(set(found[:, 0, 20, 20].tolist())) == 4


@pytest.mark.parametrize("value", [0.0, 1.0, -1e6, 1e-20])
def test_a_constant_background_divides_by_nothing(value: float) -> None:
    image = torch.full((1, 1, 16, 16), value)
    found = NormaliseBackground()(image)
    assert bool(torch.isfinite(found).all())
    assert float(found.abs().max()) <= 1e-9 * abs(value)
    image[0, 0, 8, 8] += 1 + abs(value)
    assert bool(torch.isfinite(NormaliseBackground()(image)).all())


def test_a_radius_beyond_the_image_is_refused() -> None:
    with pytest.raises(ShapeError, match="does not fit"):
        NormaliseBackground(radius_pixels=21)(torch.from_numpy(IMAGES))
    with pytest.raises(InvalidOptionError, match="positive"):
        NormaliseBackground(white_dust=-1)


@pytest.mark.parametrize("shape", [(32, 32), (31, 40), (16, 20, 18)])
@pytest.mark.parametrize("profile", ["cosine", "linear"])
def test_a_mask_is_its_formula(shape: tuple[int, ...], profile: str) -> None:
    found = SphericalMask(inner=0.5, outer=0.9, profile=profile)(torch.ones(1, 1, *shape))[0, 0].numpy()
    half = min(shape) / 2
    for place in np.ndindex(*shape):
        r = np.sqrt(sum((p - n // 2) ** 2 for p, n in zip(place, shape, strict=True))) / half
        t = min(1.0, max(0.0, (r - 0.5) / 0.4))
        expected = 1 - t if profile == "linear" else (1 + np.cos(np.pi * t)) / 2
        assert found[place] == pytest.approx(expected, abs=1e-6)


def test_a_mask_fades_into_what_it_is_told() -> None:
    images = torch.from_numpy(IMAGES)
    found = SphericalMask(fill="mean")(images)
    mask = SphericalMask()(torch.ones(1, 1, 40, 40))
    level = ((1 - mask) * images).sum(dim=(1, 2, 3)) / (1 - mask).sum()
    torch.testing.assert_close(found[:, 0, 0, 0], level, atol=1e-5, rtol=0)
    assert SphericalMask(fill=7.0)(images)[:, 0, 0, 0].tolist() == [7.0] * 4
    assert bool((SphericalMask()(images)[:, 0, 20, 20] == images[:, 0, 20, 20]).all())


def test_dark_particles_become_bright_ones() -> None:
    y, x = np.mgrid[-20:20, -20:20]
    particle = torch.from_numpy((x**2 + y**2 < 100).astype(np.float32))
    bright, dark = (sign * particle[None, None] + torch.from_numpy(IMAGES) * 0.05 for sign in (1, -1))
    both = torch.cat([bright[:2], dark[:2]])
    found = AutoInvert()(both)
    assert torch.equal(found[:2], both[:2])
    assert torch.equal(found[2:], -both[2:])
    decided = AutoInvert.of(dark)
    assert decided.to_dict() == {"type": "auto_invert", "invert": True}
    assert torch.equal(decided(both), -both)
    assert torch.equal(AutoInvert.of(bright)(both), both)
    with pytest.raises(ShapeError, match="middle and border"):
        AutoInvert()(torch.zeros(1, 1, 1, 1))


def test_grey_values_are_bent_between_their_extremes() -> None:
    images = torch.from_numpy(IMAGES)
    found = RandomGamma(gamma=(0.5, 2.0))(images)
    for before, after in zip(images, found, strict=True):
        unit = (before - before.min()) / (before.max() - before.min())
        bent = (after - after.min()) / (after.max() - after.min())
        inner = (unit > 0.1) & (unit < 0.9)
        gammas = bent[inner].log() / unit[inner].log()
        assert float(gammas.std()) < 1e-3
        assert 0.5 <= float(gammas.mean()) <= 2
        torch.testing.assert_close(after.max(), before.max())
        torch.testing.assert_close(after.min(), before.min())


def test_contrast_and_brightness_are_drawn_for_each_sample() -> None:
    same = torch.from_numpy(IMAGES[:1]).repeat(300, 1, 1, 1)
    contrast = RandomContrast(factor=(0.5, 2.0))(same)
    factors = contrast.std(dim=(1, 2, 3)) / same.std(dim=(1, 2, 3))
    torch.testing.assert_close(contrast.mean(dim=(1, 2, 3)), same.mean(dim=(1, 2, 3)), atol=1e-4, rtol=0)
    assert 0.5 <= float(factors.min()) < 0.52 < 1.98 < float(factors.max()) <= 2.0001
    levels = (RandomBrightness(deviation=0.5)(same) - same).mean(dim=(1, 2, 3)) / IMAGES[0].std()
    # 300 draws know their deviation to 4 %, and their mean to 0.03.
    assert float(levels.std()) == pytest.approx(0.5, rel=0.2)
    assert float(levels.mean()) == pytest.approx(0, abs=0.15)


def test_blocks_are_erased_and_nothing_else() -> None:
    images = torch.from_numpy(np.random.default_rng(0).normal(size=(200, 1, 30, 30)).astype(np.float32))
    found = RandomCutout(count=1, size=(0.2, 0.4), fill=9.0)(images)
    erased = found == 9.0
    assert torch.equal(found[~erased], images[~erased])
    sizes, hits = set(), 0
    for one in erased[:, 0].numpy():
        if one.any():
            hits += 1
            rows, columns = np.flatnonzero(one.any(axis=1)), np.flatnonzero(one.any(axis=0))
            assert one[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].all()  # one whole block
            assert one.sum() == len(rows) * len(columns)
            sizes |= {len(rows), len(columns)}
    assert 60 < hits < 140  # none or one, alike often: 100 expected, deviation 7
    assert sizes == set(range(6, 13))
    filled = RandomCutout(count=5)(images)
    changed = (filled != images).flatten(1).any(dim=1)
    assert bool(changed.any())
    row = int(changed.nonzero()[0])
    torch.testing.assert_close(filled[row][filled[row] != images[row]].mean(), images[row].mean())


@pytest.mark.parametrize("shape", [(64, 64), (16, 16, 16)])
def test_single_pixels_are_erased_in_the_share_that_was_drawn(shape: tuple[int, ...]) -> None:
    images = torch.ones(50, 1, *shape)
    share = 1 - VoxelDropout(fraction=(0.05, 0.2))(images).mean(dim=tuple(range(1, images.ndim)))
    assert 0.03 < float(share.min()) < 0.1
    assert 0.15 < float(share.max()) < 0.22
    exact = 1 - VoxelDropout(fraction=0.1)(images).mean()
    assert float(exact) == pytest.approx(0.1, abs=5 * np.sqrt(0.09 / images.numel()))


def test_a_target_is_transformed_with_the_same_numbers() -> None:
    pair = {"image": torch.from_numpy(IMAGES), "target": torch.from_numpy(IMAGES) * 2}
    both = OnKeys(["image", "target"], RandomContrast())(pair)
    torch.testing.assert_close(both["target"], both["image"] * 2)
    flipped = RandomFlip()(pair)
    assert torch.equal(flipped["target"], flipped["image"] * 2)
    scaled = OnKeys(["target"], Standardise())(pair)
    assert torch.equal(scaled["image"], pair["image"])
    with pytest.raises(InvalidOptionError, match="no mask"):
        OnKeys(["mask"], Standardise())(pair)
    with pytest.raises(InvalidOptionError, match="images of a sample"):
        OnKeys(["name"], Standardise())


@pytest.mark.parametrize(
    "make",
    [
        lambda: SphericalMask(inner=0.9, outer=0.5),
        lambda: SphericalMask(profile="sharp"),
        lambda: SphericalMask(fill="median"),
        lambda: RandomGamma(gamma=0),
        lambda: RandomContrast(factor=-1),
        lambda: RandomBrightness(deviation=-1),
        lambda: RandomCutout(count=0),
        lambda: RandomCutout(size=(0.5, 2)),
        lambda: RandomCutout(fill="median"),
        lambda: VoxelDropout(fraction=1.5),
        lambda: VoxelDropout(fraction=float("nan")),
    ],
)
def test_options_that_make_no_sense_are_refused(make: type) -> None:
    with pytest.raises(InvalidOptionError):
        make()
