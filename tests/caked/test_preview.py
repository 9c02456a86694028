"""A preview shows what training sees: stages, spectra and counts are those of the data set itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from matplotlib.patches import Rectangle

from caked import Dataset, FileSource, preview
from caked.errors import InvalidOptionError, ShapeError
from caked.transforms import FourierCrop, GaussianBlur, RandomFlip, Standardise

GENERATOR = np.random.default_rng(3)
IMAGES = GENERATOR.normal(size=(20, 32, 32)).astype(np.float32)
LABELS = ["apo"] * 14 + ["holo"] * 6


def test_the_last_stage_is_what_training_gets_and_the_first_what_was_read() -> None:
    dataset = Dataset(IMAGES, labels=LABELS, transform=[FourierCrop(size=16), RandomFlip(), Standardise()])
    dataset.set_epoch(4)
    shown = preview(dataset, positions=[0, 7, 19], epoch=4)

    assert [stage.name for stage in shown.stages] == ["as read", "FourierCrop", "RandomFlip", "Standardise"]
    np.testing.assert_array_equal(shown.stages[0].images, IMAGES[[0, 7, 19]])
    np.testing.assert_array_equal(shown.stages[-1].images, dataset.batch([0, 7, 19])["image"][:, 0].numpy())
    assert shown.labels == ("apo", "apo", "holo")
    assert shown.class_counts == {"apo": 14, "holo": 6}


def test_power_spectra_are_flat_for_white_noise_and_fall_after_a_blur() -> None:
    shown = preview(Dataset(IMAGES, transform=GaussianBlur(sigma=1.0)), count=20)
    white, blurred = (stage.power for stage in shown.stages)

    # |fft|² of white noise of deviation 1 is the number of pixels; shells hold a few hundred values
    np.testing.assert_allclose(white[8:], 32 * 32, rtol=0.2)
    frequency = np.linspace(0, 0.5, len(white))
    expected = np.exp(-2 * (np.pi * frequency) ** 2) ** 2  # the blur's own transfer function, squared
    # Farther out a shell, one of sixteen, averages over too steep a part of the curve to be compared so.
    np.testing.assert_allclose((blurred / white)[8:20], expected[8:20], rtol=0.1)
    assert (np.diff(blurred / white)[8:] < 0.01).all()


@pytest.mark.parametrize("shape", [(24, 24), (8, 12, 10)])
def test_the_picture_is_a_png_with_something_on_it(tmp_path: Path, shape: tuple[int, ...]) -> None:
    images = GENERATOR.normal(size=(5, *shape)).astype(np.float32)
    shown = preview(Dataset(images, labels=list("aabbc"), transform=[Standardise()]), count=4)
    path = shown.save(tmp_path / "preview.png")

    pixels = matplotlib.image.imread(path)
    assert pixels.ndim == 3
    assert pixels.shape[0] > 300
    assert pixels[..., :3].std() > 0.1
    assert shown._repr_png_().startswith(b"\x89PNG")
    assert [picture.shape for picture in shown.stages[0].pictures()] == [shape[-2:]] * 4


def test_odd_names_and_constant_images_are_drawn(tmp_path: Path) -> None:
    from caked import ArraySource

    source = ArraySource(np.zeros((2, 8, 8), np.float32), names=["$a_{b}\x1b[31m" * 5, "β"])
    assert len(preview(Dataset(source)).png()) > 1000


def test_without_samples_there_is_nothing_to_see() -> None:
    with pytest.raises(InvalidOptionError, match="no sample"):
        preview(Dataset(IMAGES), positions=[])


def test_of_many_classes_the_largest_are_drawn() -> None:
    labels = [f"class{k % 40:02d}" for k in range(100)]  # those below 20 have three samples, the others two
    images = np.zeros((100, 8, 8), np.float32)
    panel = preview(Dataset(images, labels=labels)).figure().subfigs[1].axes[1]

    assert len(panel.patches) == 16
    assert {bar.get_width() for bar in panel.patches if isinstance(bar, Rectangle)} == {3}
    assert panel.get_yticklabels()[0].get_text() == "class00"
    assert panel.get_xlabel().endswith("(the largest 16 of 40)")
    assert len(preview(Dataset(images)).figure().subfigs[1].axes) == 1  # no classes, so spectra alone


def test_samples_of_two_shapes_are_refused_by_name(make_folder: Callable[..., tuple[Path, object]]) -> None:
    folder, _ = make_folder(["a.mrc"], (8, 8))
    make_folder(["b.mrc"], (6, 6))
    with pytest.raises(ShapeError, match=r"a\.mrc has \(8, 8\), b\.mrc has \(6, 6\)"):
        preview(Dataset(FileSource(folder)))
