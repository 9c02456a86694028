"""A look at a batch: some samples before and after each transform, their power spectra, and the classes."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from caked.dataset import Dataset, TupleDataset
from caked.errors import InvalidOptionError
from caked.io.write import replacing
from caked.protocol import Array
from caked.randomness import Draws
from caked.reading import read_samples
from caked.transforms.base import Batch
from caked.transforms.compose import Compose
from caked.transforms.filters import radial_amplitudes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Preview", "Stage", "preview"]

_SPACINGS = 64
_CLASSES = 16
_INCHES = 1.5


@dataclass(frozen=True, kw_only=True, eq=False)
class Stage:
    """Samples at one stage of processing.

    Attributes
    ----------
    name
        ``"as read"``, or the transform that was applied last.
    images
        ``(n, *spatial)``, the first channel of each sample; of complex values their magnitude.
    power
        Mean power spectrum over shells, at even steps from 0 to 0.5 cycles a pixel.
    pixel_size_angstrom
        Of the first sample along its last axis, 0.0 where not known.
    """

    name: str
    images: Array
    power: Array
    pixel_size_angstrom: float

    def pictures(self) -> list[Array]:
        """Return each sample as ``(y, x)``: of a volume or a stack its middle section."""
        return [image[tuple(length // 2 for length in image.shape[:-2])] for image in self.images]


@dataclass(frozen=True, kw_only=True, eq=False)
class Preview:
    """What :func:`preview` found; a notebook shows it as a picture."""

    names: tuple[str, ...]
    labels: tuple[str, ...]
    stages: tuple[Stage, ...]
    class_counts: Mapping[str, int] = field(default_factory=dict)

    def figure(self) -> Figure:
        """Draw it: a row for each stage, a column for each sample, spectra and class counts below.

        Raises
        ------
        InvalidOptionError
            If matplotlib is not installed.
        """
        try:
            from matplotlib.figure import Figure
        except ImportError as error:
            raise InvalidOptionError(
                "To draw a preview: pip install './caked[plot]' (or matplotlib)."
            ) from error
        rows, columns = len(self.stages), len(self.names)
        figure = Figure(figsize=(max(6.0, _INCHES * columns + 1), _INCHES * rows + 3), layout="constrained")
        parts: Any = figure.subfigures(2, 1, height_ratios=[_INCHES * rows, 3.0])
        above, below = parts
        axes = above.subplots(rows, columns, squeeze=False)
        for row, stage in zip(axes, self.stages, strict=True):
            for place, (panel, picture) in enumerate(zip(row, stage.pictures(), strict=True)):
                _draw_picture(panel, picture, first_of=stage if place == 0 else None)
        for panel, name, label in zip(axes[0], self.names, self.labels, strict=True):
            panel.set_title("\n".join(filter(None, (_short(name), label))), fontsize=7)
        if not self.class_counts:
            _draw_spectra(below.subplots(), self.stages)
            return figure
        spectra, counts = below.subplots(1, 2)
        _draw_spectra(spectra, self.stages)
        _draw_counts(counts, self.class_counts)
        return figure

    def png(self) -> bytes:
        """Return the picture as a PNG file."""
        buffer = io.BytesIO()
        self.figure().savefig(buffer, format="png", dpi=120)
        return buffer.getvalue()

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the picture as a PNG file, whole or not at all."""
        content = self.png()
        with replacing(path) as part:
            part.write_bytes(content)
        return Path(path)

    def _repr_png_(self) -> bytes:
        return self.png()


def preview(
    dataset: Dataset | TupleDataset, *, count: int = 6, positions: Sequence[int] | None = None, epoch: int = 0
) -> Preview:
    """Take some samples through the transforms of a data set one by one.

    Parameters
    ----------
    dataset
        What to look at; a source alone is ``Dataset(source)``.
    count
        How many samples, spread evenly over the data set.
    positions
        Which samples instead. They must have one shape.
    epoch
        That random transforms draw for; a training shows the same in that epoch.

    Raises
    ------
    InvalidOptionError
        If there is no sample to look at.
    ShapeError
        If shapes differ.
    """
    inner = dataset.dataset if isinstance(dataset, TupleDataset) else dataset
    if positions is None:
        positions = np.unique(
            np.linspace(0, len(inner) - 1, max(0, min(count, len(inner)))).astype(int)
        ).tolist()
    if not positions:
        raise InvalidOptionError(f"There is no sample of {inner!r} to look at.")
    indices = inner.indices[[range(len(inner))[k] for k in positions]]
    inner.source.one_shape(indices.tolist())
    draws = Draws(seed=inner.seed, epoch=epoch, samples=indices)
    batch = read_samples(inner.source, indices, non_finite=inner.non_finite)
    stages = [_stage("as read", batch)]
    steps = inner.transform.transforms if isinstance(inner.transform, Compose) else (inner.transform,)
    for place, step in enumerate(steps):
        # Numbers are drawn as Compose has them drawn.
        batch = step(batch, draws.within(str(place)) if isinstance(inner.transform, Compose) else draws)
        stages.append(_stage(type(step).__name__, batch))
    codes = [-1] * len(indices) if inner.labels is None else inner.labels.codes[indices].tolist()
    return Preview(
        names=tuple(inner.source.names[i] for i in indices.tolist()),
        labels=tuple(inner.classes[code] if code >= 0 else "" for code in codes),
        stages=tuple(stages),
        class_counts={} if inner.labels is None else inner.class_counts(),
    )


def _stage(name: str, batch: Batch) -> Stage:
    image = batch["image"].detach()
    real = image.abs() if image.is_complex() else image
    amplitudes = np.array(radial_amplitudes(real.float(), steps=_SPACINGS))
    sizes = batch.get("pixel_size_angstrom")
    return Stage(
        name=name,
        images=real[:, 0].cpu().numpy().copy(),
        power=amplitudes**2,
        pixel_size_angstrom=0.0 if sizes is None or not sizes.numel() else float(sizes[0, -1]),
    )


def _draw_picture(panel: Any, picture: Array, *, first_of: Stage | None) -> None:
    finite = picture[np.isfinite(picture)]
    low, high = np.percentile(finite, [1, 99]) if finite.size else (0.0, 1.0)
    panel.imshow(picture, cmap="gray", vmin=low, vmax=high if high > low else low + 1)
    panel.set_xticks([])
    panel.set_yticks([])
    if first_of is not None:
        size = f"{first_of.pixel_size_angstrom:.3g} Å/px" if first_of.pixel_size_angstrom else ""
        shape = " × ".join(str(length) for length in first_of.images.shape[1:])
        panel.set_ylabel("\n".join(filter(None, (first_of.name, shape, size))), fontsize=7)


def _draw_spectra(panel: Any, stages: Sequence[Stage]) -> None:
    for stage in stages:
        in_angstrom = stage.pixel_size_angstrom or 1.0
        panel.semilogy(
            np.linspace(0, 0.5, len(stage.power))[1:] / in_angstrom,
            np.maximum(stage.power[1:], np.finfo(np.float32).tiny),
            label=stage.name,
        )
    known = all(stage.pixel_size_angstrom for stage in stages)
    panel.set_xlabel("spatial frequency, " + ("1/Å" if known else "1/pixel"), fontsize=7)
    panel.set_ylabel("power", fontsize=7)
    panel.tick_params(labelsize=6)
    panel.legend(fontsize=6)


def _draw_counts(panel: Any, counts: Mapping[str, int]) -> None:
    """Draw a bar for each class; of many, for the largest ones."""
    shown = list(counts)
    if len(shown) > _CLASSES:
        largest = set(sorted(counts, key=counts.__getitem__, reverse=True)[:_CLASSES])
        shown = [name for name in counts if name in largest]
    from matplotlib.ticker import MaxNLocator

    panel.barh(range(len(shown)), [counts[name] for name in shown], height=0.8)
    panel.set_yticks(range(len(shown)), [_short(name) for name in shown])
    panel.set_ylim(max(len(shown), 4) - 0.5, -0.5)
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    left_out = f" (the largest {_CLASSES} of {len(counts)})" if len(shown) < len(counts) else ""
    panel.set_xlabel(f"samples of each class{left_out}", fontsize=7)
    panel.tick_params(labelsize=6)


def _short(name: str, longest: int = 24) -> str:
    # A dollar sign would begin a formula.
    plain = "".join(char if char.isprintable() else "?" for char in name).replace("$", r"\$")
    return plain if len(plain) <= longest else f"…{plain[1 - longest :]}"
