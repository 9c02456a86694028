"""The pictures that the examples leave behind."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from perc_learning import Result

__all__ = [
    "draw_batch",
    "draw_confusion",
    "draw_micrograph",
    "draw_overview",
    "draw_panels",
    "draw_training",
    "power_spectrum",
]

Image = NDArray[Any]


def power_spectrum(micrograph: Image) -> NDArray[np.float64]:
    """Logarithm of the power spectrum ``(ky, kx)``, origin in the middle, averaged over 512-pixel tiles.

    Averaging over tiles (Welch's method, doi:10.1109/TAU.1967.1161901) is what makes Thon rings stand out.
    """
    size = min(512, *micrograph.shape)
    window = np.hanning(size)[:, None] * np.hanning(size)[None, :]
    starts = [
        np.unique(np.linspace(0, n - size, max(1, 2 * n // size - 1)).astype(int)) for n in micrograph.shape
    ]
    total = np.zeros((size, size))
    for y in starts[0]:
        for x in starts[1]:
            tile = micrograph[y : y + size, x : x + size].astype(np.float64)
            total += np.abs(np.fft.fft2((tile - tile.mean()) * window)) ** 2
    return np.asarray(np.fft.fftshift(np.log(total + np.finfo(np.float64).tiny)))


def _gray(axes: Axes, image: Image, *, title: str = "", percent: float = 1.0) -> None:
    """Draw an image with its contrast stretched between two percentiles."""
    low, high = np.percentile(image, [percent, 100 - percent])
    axes.imshow(image, cmap="gray", vmin=low, vmax=high if high > low else low + 1)
    axes.set_title(title, fontsize=9)
    axes.set_axis_off()


def _save(figure: Figure, path: Path) -> Path:
    figure.savefig(path, dpi=110, bbox_inches="tight")
    plt.close(figure)
    return path


def draw_micrograph(micrograph: Image, *, pixel_size_angstrom: float, title: str, path: Path) -> Path:
    """Micrograph ``(y, x)`` with a scale bar of 50 nm, beside its power spectrum."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 5.5))
    _gray(left, micrograph, title=title)
    bar = 500 / pixel_size_angstrom
    edge, foot = 0.04 * micrograph.shape[1], 0.95 * micrograph.shape[0]
    left.plot([edge, edge + bar], [foot, foot], color="white", linewidth=4, solid_capstyle="butt")
    left.text(edge, foot - 0.015 * micrograph.shape[0], "50 nm", color="white", fontsize=9, va="bottom")
    spectrum = power_spectrum(micrograph)
    middle, half = spectrum.shape[0] // 2, spectrum.shape[0] // 4
    inner = spectrum[middle - half : middle + half, middle - half : middle + half]
    _gray(right, inner, title=f"power spectrum, to {4 * pixel_size_angstrom:.1f} Å", percent=2)
    return _save(figure, path)


def draw_batch(before: Image, after: Image, labels: Sequence[str], *, path: Path) -> Path:
    """First images ``(n, y, x)`` of a batch as read, and the same after the transforms, with their labels."""
    count = min(8, len(labels))
    figure, axes = plt.subplots(2, count, figsize=(1.6 * count, 3.6), layout="compressed")
    for column in range(count):
        _gray(axes[0, column], before[column], title=labels[column])
        _gray(axes[1, column], after[column])
    for place, words in zip(axes[:, 0], ("as read", "transformed"), strict=True):
        place.text(-0.08, 0.5, words, transform=place.transAxes, rotation=90, ha="right", va="center")
    return _save(figure, path)


def draw_panels(images: Sequence[tuple[str, Image]], *, path: Path, columns: int = 6) -> Path:
    """Titled images ``(y, x)`` in rows."""
    rows = -(-len(images) // columns)
    figure, axes = plt.subplots(rows, columns, figsize=(2.2 * columns, 2.4 * rows), squeeze=False)
    for place in axes.flat:
        place.set_axis_off()
    for place, (title, image) in zip(axes.flat, images, strict=False):
        _gray(place, image, title=title)
    return _save(figure, path)


def draw_overview(rows: Sequence[Sequence[Path]], *, path: Path, width: int = 860) -> Path:
    """Pictures that were drawn before, side by side in rows of one width: the whole story at a glance."""
    from PIL import Image as Picture

    strips = []
    for row in rows:
        pictures = [Picture.open(part).convert("RGB") for part in row]
        # At one height h the widths add up: width = h * sum of the aspects.
        height = round(width / sum(picture.width / picture.height for picture in pictures))
        strip = Picture.new("RGB", (width, height), "white")
        left = 0
        for picture in pictures:
            scaled = picture.resize((round(height * picture.width / picture.height), height))
            strip.paste(scaled, (left, 0))
            left += scaled.width
        strips.append(strip)
    page = Picture.new("RGB", (width, sum(strip.height for strip in strips)), "white")
    top = 0
    for strip in strips:
        page.paste(strip, (0, top))
        top += strip.height
    page.quantize(40, method=Picture.Quantize.MAXCOVERAGE).save(path, optimize=True)
    return path


def draw_training(result: Result, *, baseline: float, path: Path) -> Path:
    """Loss and accuracy over the epochs, with the majority-class baseline."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6))
    epochs = np.arange(1, len(result.loss) + 1)
    left.plot(epochs, result.loss, color="tab:gray")
    left.set(xlabel="epoch", ylabel="cross entropy", title="training loss", ylim=(0, None))
    right.plot(epochs, result.train_accuracy, color="tab:gray", label="training")
    right.plot(epochs, result.validation_accuracy, color="tab:blue", label="validation")
    right.axhline(baseline, color="tab:red", linestyle=":", label="always the commonest class")
    right.set(xlabel="epoch", ylabel="accuracy", title="accuracy", ylim=(0, 1))
    right.legend(fontsize=8, loc="lower right")
    return _save(figure, path)


def draw_confusion(result: Result, classes: Sequence[str], *, path: Path) -> Path:
    """Confusion matrix of the held-out images."""
    figure, axes = plt.subplots(figsize=(4.6, 4.2))
    axes.imshow(result.confusion, cmap="Blues")
    for i, row in enumerate(result.confusion):
        for j, count in enumerate(row):
            dark = count > result.confusion.max() / 2
            axes.text(j, i, str(count), ha="center", va="center", color="white" if dark else "black")
    axes.set_xticks(range(len(classes)), classes, rotation=30, ha="right")
    axes.set_yticks(range(len(classes)), classes)
    axes.set(xlabel="said", ylabel="true", title=f"held-out images: {result.accuracy:.2f} right")
    return _save(figure, path)
