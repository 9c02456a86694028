"""Movies and tilt series: their frames are images one after the other, and no axis of space."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from caked import ArraySource, Dataset, Draws, MovieSource, TiltSeriesSource
from caked.errors import InvalidOptionError, ShapeError
from caked.io.series import Series
from caked.transforms import (
    BandPass,
    CentreCrop,
    CentreParticle,
    Compose,
    FourierCrop,
    GaussianBlur,
    Invert,
    MissingWedge,
    NormaliseBackground,
    OneOf,
    OnKeys,
    RandomApply,
    RandomCrop,
    RandomFlip,
    RandomOrientation,
    RandomRoll,
    RandomRot90,
    RandomRotation,
    RandomShift,
    Resize,
    SphericalMask,
    TiltDrop,
    Transform,
)

COUNT, TILTS = 3, 3  # as many samples as tilts, so that one is easily taken for the other
SHAPE = (12, 12)

BY_IMAGE: list[Transform] = [
    BandPass(low=1 / 30, high=1 / 6, unit="angstrom"),
    CentreCrop(size=9),
    Compose([RandomFlip(), FourierCrop(size=8)]),
    FourierCrop(size=9),
    FourierCrop(pixel_size_angstrom=3.1),
    GaussianBlur(sigma=0.8),
    NormaliseBackground(),
    OnKeys(["target"], GaussianBlur(sigma=0.8)),
    OneOf([RandomRoll(shift=2), RandomRot90()]),
    RandomApply(RandomRot90(plane="any")),
    RandomCrop(size=7),
    RandomFlip(),
    RandomRoll(shift=3),
    RandomRotation(fill=0.0),
    RandomShift(shift=1.5),
    Resize(size=7),
    SphericalMask(),
]


def _series() -> dict[str, Any]:
    """Three series that know a pose, a shift and a defocus of every tilt."""
    generator = np.random.default_rng(5)

    def numbers(low: float, high: float, *shape: int) -> torch.Tensor:
        return torch.from_numpy(generator.uniform(low, high, size=(COUNT, TILTS, *shape)))

    images = torch.from_numpy(generator.normal(size=(COUNT, 1, TILTS, *SHAPE)).astype(np.float32))
    rotations = np.linalg.qr(generator.normal(size=(COUNT, TILTS, 3, 3)))[0]
    rotations *= np.sign(np.linalg.det(rotations))[..., None, None]
    return {
        "image": images,
        "target": images * 2,
        "mask": (images > 0).float(),
        "weight": images.sigmoid(),
        "pixel_size_angstrom": torch.tensor([[0.0, 2.0, 2.0]], dtype=torch.float64).repeat(COUNT, 1),
        "origin_angstrom": torch.tensor([[0.0, 5.0, -7.0]], dtype=torch.float64).repeat(COUNT, 1),
        "pose": torch.from_numpy(rotations),
        "shift_angstrom": numbers(-3, 3, 2),
        "defocus_angle_degrees": numbers(0, 180),
        "tilt_angle_degrees": numbers(-60, 60),
        "coordinates": [points[:, [0, 1, 2]] for points in numbers(0, 11, 3)],
    }


def _image_of(series: dict[str, Any], tilt: int) -> dict[str, Any]:
    """One tilt of each series, as a batch of images."""
    alone = {key: series[key][:, :, tilt] for key in ("image", "target", "mask", "weight")}
    alone |= {key: series[key][:, 1:] for key in ("pixel_size_angstrom", "origin_angstrom")}
    alone |= {key: series[key][:, tilt] for key in ("pose", "shift_angstrom", "defocus_angle_degrees")}
    return {**alone, "coordinates": [points[:, 1:] for points in series["coordinates"]]}


@pytest.mark.parametrize("transform", BY_IMAGE, ids=lambda transform: repr(transform).replace("\n", " "))
def test_a_tilt_of_a_series_comes_out_as_the_image_alone_would(transform: Transform) -> None:
    draws = Draws(seed=4, epoch=1, samples=np.arange(20, 20 + COUNT))
    series = _series()
    changed = transform(series, draws)

    assert changed["image"].shape[2] == TILTS
    assert torch.equal(changed["tilt_angle_degrees"], series["tilt_angle_degrees"])
    assert changed["pixel_size_angstrom"][:, 0].tolist() == [0.0] * COUNT
    for before, after in zip(series["coordinates"], changed["coordinates"], strict=True):
        assert torch.equal(before[:, 0], after[:, 0])
    for tilt in range(TILTS):
        alone = transform(_image_of(series, tilt), draws)
        for key, value in _image_of(changed, tilt).items():
            pairs = (
                [(value, alone[key])]
                if isinstance(value, torch.Tensor)
                else zip(value, alone[key], strict=True)
            )
            for found, expected in pairs:
                torch.testing.assert_close(found, expected, rtol=1e-6, atol=2e-6, msg=f"{key} differs")


@pytest.mark.parametrize("transform", [MissingWedge(), RandomOrientation(), FourierCrop(size=[3, 8, 8])])
def test_what_takes_three_axes_of_space_is_refused(transform: Transform) -> None:
    with pytest.raises(ShapeError, match=r"\(12, 12\)"):
        transform(_series())


def test_a_movie_whose_doses_are_not_known_is_none_the_less_no_volume() -> None:
    frames = np.random.default_rng(1).normal(size=(2, 4, 10, 10)).astype(np.float32)
    movies = MovieSource(ArraySource(frames, pixel_size_angstrom=(1.0, 1.5, 1.5)))
    batch = Dataset(movies, transform=[GaussianBlur(sigma=1.0)]).batch([0, 1])
    alone = GaussianBlur(sigma=1.0)(torch.from_numpy(frames.reshape(8, 1, 10, 10)))

    assert batch["pixel_size_angstrom"].tolist() == [[0.0, 1.5, 1.5]] * 2
    torch.testing.assert_close(batch["image"].flatten(0, 2), alone[:, 0], rtol=0, atol=1e-6)
    volumes = Dataset(
        ArraySource(frames, pixel_size_angstrom=(1.0, 1.5, 1.5)), transform=GaussianBlur(sigma=1.0)
    )
    assert not torch.allclose(volumes.batch([0, 1])["image"], batch["image"], atol=0.01)


def test_volumes_and_series_in_one_batch_are_told_apart_or_refused() -> None:
    batch = {
        "image": torch.zeros(2, 1, 4, 8, 8),
        "pixel_size_angstrom": torch.tensor([[0.0, 1, 1], [1, 1, 1]]),
    }
    with pytest.raises(ShapeError, match="not both"):
        GaussianBlur(sigma=1.0)(batch)
    batch["pixel_size_angstrom"] = torch.zeros(2, 3)  # nothing is known, so they are volumes
    assert FourierCrop(size=6)(batch)["image"].shape == (2, 1, 6, 6, 6)


def test_tilts_of_a_source_are_cropped_and_all_that_is_known_of_them_is_dropped_with_them() -> None:
    images = ArraySource(np.random.default_rng(2).normal(size=(8, 16, 16)), pixel_size_angstrom=(2.0, 2.0))
    series = [
        Series(name=name, members=np.arange(4) + start, angles_degrees=np.array([-30.0, -10, 10, 30]))
        for name, start in (("a", 0), ("b", 4))
    ]
    dataset = Dataset(
        TiltSeriesSource(images, series), transform=[FourierCrop(size=8), TiltDrop(keep=2)], seed=3
    )
    batch = dataset.batch([0, 1])

    assert batch["image"].shape == (2, 1, 2, 8, 8)
    assert batch["pixel_size_angstrom"].tolist() == [[0.0, 4.0, 4.0]] * 2
    assert batch["tilt_angle_degrees"].shape == (2, 2)


def test_poses_and_shifts_are_dropped_with_their_tilts() -> None:
    batch = _series()
    for tilt in range(TILTS):
        for key in ("image", "target", "mask", "weight"):
            batch[key][:, :, tilt] = tilt
        for key in ("pose", "shift_angstrom", "defocus_angle_degrees", "tilt_angle_degrees"):
            batch[key][:, tilt] = tilt
    kept = TiltDrop(keep=2)(batch)

    assert kept["pose"].shape == (COUNT, 2, 3, 3)
    tilts = kept["image"][:, 0, :, 0, 0].double()
    for key in ("pose", "shift_angstrom", "defocus_angle_degrees", "tilt_angle_degrees"):
        value = kept[key].reshape(COUNT, 2, -1)
        assert torch.equal(value, tilts[:, :, None].expand_as(value)), key


def test_one_shift_in_space_follows_no_motion_within_tilts_but_stands_where_the_centre_stays() -> None:
    batch = {**_series(), "shift_angstrom": torch.ones(COUNT, 3, dtype=torch.float64)}
    assert torch.equal(FourierCrop(size=8)(batch)["shift_angstrom"], batch["shift_angstrom"])
    with pytest.raises(ShapeError, match="Shifts along 3 axes"):
        RandomRot90()(batch)


def test_shifts_of_single_tilts_do_not_centre_a_series() -> None:
    with pytest.raises(ShapeError, match="one shift a sample"):
        CentreParticle()(_series())


def test_an_axis_of_astigmatism_turns_by_no_angle_in_pixels_that_are_not_square() -> None:
    batch = {
        "image": torch.zeros(1, 1, 8, 8),
        "pixel_size_angstrom": torch.tensor([[1.0, 2.0]], dtype=torch.float64),
        "defocus_angle_degrees": torch.tensor([10.0], dtype=torch.float64),
    }
    with pytest.raises(InvalidOptionError, match="axis of astigmatism"):
        RandomRotation(degrees=[30, 40])(batch)
    assert RandomFlip(probability=1.0, axes=[-1])(batch)["defocus_angle_degrees"].item() % 180 == 170


def test_somebody_elses_transform_may_ask_for_the_frames() -> None:
    class Shapes(Transform):
        def image(self, image: torch.Tensor) -> torch.Tensor:
            seen.append(tuple(image.shape))
            return image + 0

    class Frames(Shapes):
        takes_frames = True

    seen: list[tuple[int, ...]] = []
    Compose([Invert(), Shapes(), Frames()])(_series())
    assert seen == [(COUNT, TILTS, *SHAPE), (COUNT, 1, TILTS, *SHAPE)]
