"""Pose, shift, pixel size and coordinates follow the image: project again under them, and compare."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.ndimage
import torch
from scipy.spatial.transform import Rotation

from caked import Draws
from caked.errors import InvalidOptionError, ShapeError
from caked.transforms import (
    CentreCrop,
    CentreParticle,
    Compose,
    FourierCrop,
    Geometric,
    OneOf,
    RandomApply,
    RandomCrop,
    RandomFlip,
    RandomOrientation,
    RandomRoll,
    RandomRot90,
    RandomRotation,
    RandomShift,
    Resize,
)
from caked.transforms.shift import fourier_shift

POINTS = np.random.default_rng(0).normal(0, 9.0, size=(7, 3))  # x, y, z in Å about the particle's centre
POINTS[0] = 0
HEIGHTS = np.array([1.0, 0.8, 1.3, 0.6, 1.1, 0.9, 0.7])
SIGMA = 5.0  # Å


def _places(batch: dict[str, Any], shape: tuple[int, ...]) -> np.ndarray:
    """Where the atoms are, in pixels and array order: ``(B, atoms, ndim)``; images are projected along z."""
    ndim = len(shape)
    turned = np.einsum("bij,aj->bai", batch["pose"].numpy(), POINTS)[:, :, :ndim][:, :, ::-1]
    moved = turned + batch["shift_angstrom"].numpy()[:, None, :]
    centre = np.array([n // 2 for n in shape])
    return np.asarray(moved / batch["pixel_size_angstrom"].numpy()[:, None, :] + centre)


def _projected(batch: dict[str, Any], shape: tuple[int, ...]) -> torch.Tensor:
    """What the density looks like under pose, shift and pixel size of each sample, in closed form."""
    images = []
    for places, size in zip(_places(batch, shape), batch["pixel_size_angstrom"].numpy(), strict=True):
        image = np.zeros(shape)
        for place, height in zip(places, HEIGHTS, strict=True):
            distance = [(np.arange(n) - p) * s for n, p, s in zip(shape, place, size, strict=True)]
            grids = np.meshgrid(*distance, indexing="ij", sparse=True)
            image = image + height * np.exp(-sum(g**2 for g in grids) / (2 * SIGMA**2))
        images.append(image)
    return torch.from_numpy(np.stack(images))[:, None].float()


def _batch(ndim: int, edge: int = 48, count: int = 6) -> dict[str, Any]:
    generator = np.random.default_rng(ndim)
    shape = (edge,) * ndim
    batch: dict[str, Any] = {
        "pose": torch.from_numpy(Rotation.random(count, random_state=1).as_matrix()),
        "shift_angstrom": torch.from_numpy(generator.uniform(-4, 4, size=(count, ndim))),
        "pixel_size_angstrom": torch.full((count, ndim), 2.5, dtype=torch.float64),
        "origin_angstrom": torch.zeros(count, ndim, dtype=torch.float64),
        "defocus_angle_degrees": torch.from_numpy(generator.uniform(0, 180, size=count)),
        "name": [str(k) for k in range(count)],
    }
    batch["image"] = _projected(batch, shape)
    batch["coordinates"] = [torch.from_numpy(places) for places in _places(batch, shape)]
    return batch


def linear(step: float, axes: int) -> float:
    """Greatest error of linear interpolation, in parts of the peak: step² / 8 times the second derivative."""
    return axes * step**2 / (8 * SIGMA**2)


# Transform, axes, and the greatest difference allowed, in parts of the peak. Exact motions are exact; where
# an image is continued round its edges, it has a step of 1e-4 there, which Fourier space rings from.
CASES: list[tuple[Geometric, int, float]] = [
    (RandomRot90(), 2, 1e-6),
    (RandomFlip(), 2, 1e-6),
    (RandomRoll(shift=5), 2, 1e-4),
    (RandomShift(shift=3), 2, 1e-3),
    (RandomRotation(fill=0.0), 2, linear(1.25, 2)),
    (RandomRotation(degrees=[20, 30], fill=0.0, oversampling=4), 2, linear(0.625, 2)),
    (FourierCrop(size=32), 2, 1e-3),
    (FourierCrop(size=[27, 64]), 2, 1e-3),
    (FourierCrop(pixel_size_angstrom=4.0), 2, 1e-3),
    (Resize(size=64, method="linear"), 2, linear(2.5, 2)),
    (Resize(size=24), 2, linear(5.0, 2) / 3),  # the mean over a pixel instead of between two
    (CentreCrop(size=39), 2, 1e-6),
    (CentreCrop(size=[39, 60]), 2, 1e-4),
    (RandomCrop(size=[30, 41]), 2, 1e-6),
    (CentreParticle(), 2, 1e-3),
    (RandomRot90(plane="any"), 3, 1e-6),
    (RandomRoll(shift=5), 3, 1e-4),
    (RandomShift(shift=2), 3, 1e-3),
    (RandomRotation(axis="y", fill=0.0), 3, linear(1.25, 3)),
    (RandomRotation(axis="x", fill=0.0), 3, linear(1.25, 3)),
    (RandomRotation(axis="z", fill=0.0), 3, linear(1.25, 3)),
    (RandomOrientation(fill=0.0), 3, linear(1.25, 3)),
    (FourierCrop(size=[32, 33, 24]), 3, 1e-3),
    (RandomCrop(size=33), 3, 1e-6),
    (CentreCrop(size=33), 3, 1e-6),
    (CentreParticle(), 3, 1e-3),
]


@pytest.mark.parametrize(("transform", "ndim", "tolerance"), CASES, ids=lambda value: repr(value)[:40])
@pytest.mark.parametrize("edge", [48, 45])
def test_projecting_again_under_the_new_pose_gives_the_transformed_image(
    transform: Geometric, ndim: int, tolerance: float, edge: int
) -> None:
    if ndim == 3:
        edge -= 8
    before = _batch(ndim, edge)
    after = transform(before, Draws(seed=3, samples=np.arange(6)))
    shape = tuple(after["image"].shape[2:])

    # A band of three pixels along the border is left out: there, images that are cut off differ.
    inside = (slice(None), slice(None), *(slice(3, n - 3) for n in shape))
    expected = _projected(after, shape)
    difference = float((after["image"] - expected)[inside].abs().max())
    assert difference < tolerance * float(expected.max())
    wraps = isinstance(transform, RandomRoll | RandomShift | CentreParticle)
    for points, places in zip(after["coordinates"], _places(after, shape), strict=True):
        distance = points.numpy() - places
        if wraps:
            distance = distance - np.rint(distance / np.array(shape)) * np.array(shape)
        np.testing.assert_allclose(distance, 0, atol=1e-9)
    determinants = torch.linalg.det(after["pose"])
    torch.testing.assert_close(determinants, torch.ones_like(determinants))
    assert before["image"].shape[2:] == (edge,) * ndim


@pytest.mark.parametrize("transform", [RandomRoll(shift=5), RandomShift(shift=5)])
def test_points_that_leave_on_one_side_come_back_on_the_other(transform: Geometric) -> None:
    corners = torch.tensor([[0.0, 0.0], [47.0, 47.0]], dtype=torch.float64)
    batch = {"image": torch.zeros(40, 1, 48, 48), "coordinates": [corners] * 40}
    moved = torch.stack(transform(batch, Draws(samples=np.arange(40)))["coordinates"])
    assert float(moved.min()) >= 0
    assert float(moved.max()) < 48


@pytest.mark.parametrize("shape", [(8, 6), (7, 6), (6, 4, 8)])
def test_a_shift_is_that_of_one_axis_after_the_other_up_to_the_highest_frequency(
    shape: tuple[int, ...],
) -> None:
    generator = np.random.default_rng(5)
    image, shifts = generator.normal(size=(2, 1, *shape)), generator.uniform(-3, 3, size=(2, len(shape)))
    expected = image.copy()
    for row, axis in np.ndindex(2, len(shape)):
        length, shift = shape[axis], shifts[row, axis]
        factor = np.exp(-2j * np.pi * np.fft.fftfreq(length) * shift)
        if length % 2 == 0:
            factor[length // 2] = np.cos(np.pi * shift)
        lines = np.moveaxis(expected[row, 0], axis, -1)
        shifted = np.fft.ifft(np.fft.fft(lines) * factor).real
        expected[row, 0] = np.moveaxis(shifted, -1, axis)
    found = fourier_shift(torch.from_numpy(image), shifts)
    np.testing.assert_allclose(found.numpy(), expected, atol=1e-12)


def test_a_mask_is_shifted_by_the_nearest_whole_number_of_pixels() -> None:
    mask = torch.zeros(2, 1, 6, 6)
    mask[..., 3, 3] = 1
    batch = {
        "image": torch.zeros(2, 1, 6, 6),
        "mask": mask,
        "pixel_size_angstrom": torch.full((2, 2), 2.0),
        "shift_angstrom": torch.tensor([[1.4, -1.4], [0.6, 2.6]]),  # 0.7, -0.7, 0.3 and 1.3 pixels
    }
    moved = CentreParticle()(batch)["mask"]
    assert [tuple(place) for place in moved[:, 0].nonzero().tolist()] == [(0, 2, 4), (1, 3, 2)]


def test_a_pose_that_is_left_behind_does_not_fit() -> None:
    """The comparison above can fail: with the old pose it does."""
    before = _batch(2)
    after = RandomRotation(degrees=[40, 50])(before)
    left_behind = {**after, "pose": before["pose"]}
    assert float((after["image"] - _projected(left_behind, (48, 48))).abs().max()) > 0.3


@pytest.mark.parametrize("transform", [RandomRot90(), RandomFlip(), RandomRotation(oversampling=1)])
def test_the_axis_of_astigmatism_turns_with_the_image(transform: Geometric) -> None:
    """An image that is long in the direction of the angle stays so."""
    angles = np.linspace(5, 175, 12)
    y, x = np.mgrid[-32:33, -32:33]
    images = []
    for angle in np.deg2rad(angles):
        along, across = x * np.cos(angle) + y * np.sin(angle), -x * np.sin(angle) + y * np.cos(angle)
        images.append(np.exp(-(along**2) / 200 - across**2 / 30))
    batch = {
        "image": torch.from_numpy(np.stack(images))[:, None].float(),
        "defocus_angle_degrees": torch.from_numpy(angles),
    }
    after = transform(batch, Draws(seed=1, samples=np.arange(12)))
    for image, angle in zip(
        after["image"][:, 0].numpy(), after["defocus_angle_degrees"].tolist(), strict=True
    ):
        moments = [[(image * a * b).sum() for b in (x, y)] for a in (x, y)]
        direction = np.linalg.eigh(moments)[1][:, 1]
        found = np.rad2deg(np.arctan2(direction[1], direction[0]))
        assert abs((found - angle + 90) % 180 - 90) < 1.0


def test_a_rotation_is_scipys() -> None:
    noise = np.random.default_rng(0).normal(size=(1, 1, 41, 41))
    image = scipy.ndimage.gaussian_filter(noise, (0, 0, 3, 3), mode="wrap")
    found = RandomRotation(degrees=[33, 33], fill=0.0, oversampling=4)(torch.from_numpy(image))[0, 0]
    # scipy turns from y towards x, and about the middle, which is pixel n // 2 of an odd number.
    expected = scipy.ndimage.rotate(image[0, 0], -33, reshape=False, order=3)
    middle = slice(9, 32)
    np.testing.assert_allclose(
        found[middle, middle], expected[middle, middle], atol=0.01 * np.abs(image).max()
    )


def test_masks_keep_their_values_and_weights_stay_within_theirs() -> None:
    generator = np.random.default_rng(2)
    classes = torch.from_numpy(generator.integers(0, 4, size=(4, 1, 24, 24)).astype(np.float32))
    weights = torch.from_numpy((generator.random(size=(4, 1, 24, 24)) > 0.5).astype(np.float32))
    for transform in (
        RandomRotation(),
        RandomShift(shift=2),
        FourierCrop(size=17),
        FourierCrop(size=31),
        Resize(size=31),
        Resize(size=11, method="linear"),
        RandomCrop(size=9),
        CentreCrop(size=30),
        RandomRot90(),
    ):
        batch = {"image": classes.clone(), "target": classes.clone(), "mask": classes, "weight": weights}
        after = transform(batch)
        assert set(after["mask"].unique().tolist()) <= {0.0, 1.0, 2.0, 3.0}
        assert float(after["weight"].min()) >= 0
        assert float(after["weight"].max()) <= 1
        assert torch.equal(after["target"], after["image"])
        assert after["mask"].shape == after["image"].shape == after["weight"].shape


def test_a_mask_lies_over_the_image_after_every_motion() -> None:
    y, x = np.mgrid[0:48, 0:48]
    disk = ((y - 20) ** 2 + (x - 29) ** 2 < 64).astype(np.float32)
    batch = {
        key: torch.from_numpy(disk)[None, None].repeat(5, 1, 1, 1) for key in ("image", "mask", "weight")
    }
    for transform in (
        RandomRotation(),
        RandomShift(shift=4),
        FourierCrop(size=32),
        FourierCrop(size=96),
        Resize(size=31),
        Resize(size=96, method="linear"),
        RandomRoll(shift=9),
    ):
        after = transform(batch, Draws(samples=np.arange(5)))
        overlap = (after["image"] > 0.5) == (after["mask"] > 0.5)
        # Pixels on the rim may fall to either side: about the circle's length in pixels, of its area.
        assert float(overlap.float().mean()) > 0.97
        assert float(((after["weight"] > 0.5) == (after["mask"] > 0.5)).float().mean()) > 0.97


def test_origins_follow_where_axes_keep_their_directions() -> None:
    batch = {
        "image": torch.zeros(2, 1, 20, 30),
        "pixel_size_angstrom": torch.tensor([[2.0, 2.0], [1.0, 4.0]], dtype=torch.float64),
        "origin_angstrom": torch.tensor([[100.0, 0.0], [0.0, -8.0]], dtype=torch.float64),
    }
    assert CentreCrop(size=10)(batch)["origin_angstrom"].tolist() == [[110.0, 20.0], [5.0, 32.0]]
    assert FourierCrop(size=10)(batch)["origin_angstrom"].tolist() == batch["origin_angstrom"].tolist()
    # The first pixel of two becomes one, half a pixel farther in; of three one, a whole pixel.
    assert Resize(size=10)(batch)["origin_angstrom"].tolist() == [[101.0, 2.0], [0.5, -4.0]]


def test_a_mirrored_volume_has_no_pose() -> None:
    batch = {"image": torch.zeros(2, 1, 4, 4, 4), "pose": torch.eye(3).double().repeat(2, 1, 1)}
    with pytest.raises(InvalidOptionError, match="other hand"):
        RandomFlip(probability=1.0)(batch)
    twice = RandomFlip(probability=1.0, axes=[-1, -2])(batch)
    assert twice["pose"][0].tolist() == [[-1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 1.0]]


def test_a_pose_in_pixels_that_are_not_square_turns_by_no_angle() -> None:
    batch = {
        "image": torch.zeros(1, 1, 8, 8),
        "pixel_size_angstrom": torch.tensor([[1.0, 2.0]], dtype=torch.float64),
        "pose": torch.eye(3, dtype=torch.float64)[None],
    }
    with pytest.raises(InvalidOptionError, match="as long along all axes"):
        RandomRotation(degrees=[30, 40])(batch)
    turned = RandomRot90()(batch, Draws(samples=[0]))
    assert torch.linalg.det(turned["pose"][0]) == pytest.approx(1)


def test_shifts_without_a_pixel_size_are_refused_where_they_would_be_wrong() -> None:
    batch = {
        "image": torch.zeros(1, 1, 5, 5),
        "pixel_size_angstrom": torch.zeros(1, 2).double(),
        "shift_angstrom": torch.ones(1, 2).double(),
    }
    turned = RandomFlip(probability=1.0)(batch)  # about the middle pixel: no pixel size is needed
    assert turned["shift_angstrom"].tolist() == [[-1.0, -1.0]]
    with pytest.raises(InvalidOptionError, match="pixel size is known"):
        RandomFlip(probability=1.0)({**batch, "image": torch.zeros(1, 1, 4, 4)})
    with pytest.raises(InvalidOptionError, match="have to be known"):
        CentreParticle()(batch)
    with pytest.raises(ShapeError, match="do not fit"):
        RandomFlip()({**batch, "shift_angstrom": torch.ones(1, 3)})
    with pytest.raises(InvalidOptionError, match="have to know theirs"):
        FourierCrop(pixel_size_angstrom=2.0)(batch)


def test_some_samples_only_are_moved_with_all_that_belongs_to_them() -> None:
    before = _batch(2)
    draws = Draws(seed=4, samples=np.arange(6))
    for transform in (
        RandomApply(RandomRot90(), probability=0.5),
        OneOf([RandomFlip(probability=1.0), RandomRoll(shift=4), Compose([])], weights=[2, 2, 1]),
    ):
        after = transform(before, draws)
        changed = [not torch.equal(a, b) for a, b in zip(after["image"], before["image"], strict=True)]
        assert 0 < sum(changed) < 6
        assert float((after["image"] - _projected(after, (48, 48)))[..., 3:-3, 3:-3].abs().max()) < 1e-4
        assert after["name"] == before["name"]
        for row, was_changed in enumerate(changed):
            if not was_changed:
                assert torch.equal(after["pose"][row], before["pose"][row])


def test_what_does_not_fit_the_image_is_refused() -> None:
    with pytest.raises(ShapeError, match="mask moves with the image"):
        RandomFlip()({"image": torch.zeros(1, 1, 4, 4), "mask": torch.zeros(1, 1, 8, 8)})
    with pytest.raises(ShapeError, match="cannot be cut out"):
        RandomCrop(size=5)(torch.zeros(1, 1, 4, 4))
    with pytest.raises(ShapeError, match="about 'z'"):
        RandomRotation(axis="y")(torch.zeros(1, 1, 4, 4))
    with pytest.raises(ShapeError, match="along 3 axes"):
        RandomOrientation()(torch.zeros(1, 1, 4, 4))


def test_parts_lie_anywhere_in_the_image() -> None:
    image = torch.arange(36.0).reshape(1, 1, 6, 6).repeat(600, 1, 1, 1)
    parts = RandomCrop(size=4)(image, Draws(samples=np.arange(600)))
    corners = parts[:, 0, 0, 0].tolist()
    counts = {corner: corners.count(corner) for corner in set(corners)}
    expected = {6.0 * y + x for y in range(3) for x in range(3)}
    assert set(counts) == expected
    # 67 expected of each of nine; the deviation of a count is 7.7.
    assert all(abs(count - 600 / 9) < 5 * 7.7 for count in counts.values())
    for part in parts[:20, 0]:
        assert torch.equal(part - part[0, 0], image[0, 0, :4, :4])


@pytest.mark.parametrize(("before", "after"), [(8, 5), (9, 5), (8, 6), (5, 8), (5, 9), (6, 8)])
def test_the_middle_stays_the_middle(before: int, after: int) -> None:
    image = torch.zeros(1, 1, before, before)
    image[0, 0, before // 2, before // 2] = 1
    found = CentreCrop(size=after)(image)
    assert found[0, 0, after // 2, after // 2] == 1
    assert found.sum() == 1
    filled = CentreCrop(size=after, fill="mean")(torch.full((1, 1, before, before), 3.5))
    assert set(filled.flatten().tolist()) == {3.5}
