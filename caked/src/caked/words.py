"""The transformations of the published loader: four words, and what each of them does."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

from torch import Tensor

from caked.errors import InvalidOptionError
from caked.transforms import Compose, FourierCrop, GaussianBlur, MinMax, RandomFlip, RandomRot90, Standardise
from caked.transforms.base import Transform

__all__ = ["AUGMENTATIONS", "BLUR_SIGMA", "PUBLISHED_ORDER", "TRANSFORM_OPTIONS", "Rescale", "parse_words"]

TRANSFORM_OPTIONS = ["normalise", "gaussianblur", "shiftmin"]
"""The words; beside them ``rescale=N``."""

PUBLISHED_ORDER = ("rescale", "shiftmin", "gaussianblur", "normalise")
"""The order in which a :class:`~caked.dataloader.DiskDataset` that is made by its flags applies them."""

BLUR_SIGMA = 1.0
"""Standard deviation of ``gaussianblur`` in pixels."""

AUGMENTATIONS = {
    "rot90": Compose([RandomRot90()]),
    "flip": Compose([RandomFlip()]),
    "rot90+flip": Compose([RandomRot90(), RandomFlip()]),
}
"""Random changes that :meth:`~caked.dataloader.DiskDataset.augment` offers."""


class Rescale(FourierCrop):
    """Bring every axis to ``size`` pixels, and warn where that changes the aspect."""

    def transform(self, image: Tensor, parameters: tuple[int, ...]) -> Tensor:
        """Rescale every spatial axis."""
        shape = tuple(image.shape[2:])
        if len(set(shape)) > 1:
            warnings.warn(
                f"rescale={self.size} brings images of shape {shape} to {parameters}: their "
                "aspect changes, and with it the pixel size along each axis.",
                stacklevel=2,
            )
        return super().transform(image, parameters)


def transform_of(word: str, size: int) -> Transform:
    """Return what a word stands for; ``size`` is that of a bare ``rescale``."""
    if word.startswith("rescale"):
        return Rescale(size=_size(word) if "=" in word else size)
    if word == "gaussianblur":
        return GaussianBlur(sigma=BLUR_SIGMA)
    return MinMax() if word == "shiftmin" else Standardise()


def parse_words(words: Sequence[str]) -> tuple[tuple[str, ...], int]:
    """Check a list of transformations.

    Returns
    -------
    tuple
        The steps in the order given, and the size of the last rescale (0 for none). That one becomes a bare
        ``"rescale"`` among the steps, since a dataset keeps its size; earlier ones keep their own.

    Raises
    ------
    InvalidOptionError
        If a word is unknown.

    Examples
    --------
    >>> parse_words(["normalise", "rescale=32"])
    (('normalise', 'rescale'), 32)
    """
    if isinstance(words, str):
        words = [word.strip() for word in words.split(",") if word.strip()]
    unknown = [word for word in words if word not in TRANSFORM_OPTIONS and not word.startswith("rescale=")]
    if unknown:
        raise InvalidOptionError(
            f"The following transformations are not supported: {unknown}. There are {TRANSFORM_OPTIONS} and "
            "'rescale=N' with a number of pixels."
        )
    rescales = [place for place, word in enumerate(words) if word.startswith("rescale=")]
    sizes = [_size(words[place]) for place in rescales]
    steps = ["rescale" if rescales and place == rescales[-1] else word for place, word in enumerate(words)]
    return tuple(steps), sizes[-1] if sizes else 0


def _size(word: str) -> int:
    text = word.partition("=")[2]
    try:
        size = int(float(text))
    except (ValueError, OverflowError):
        size = -1
    if size < 0:
        raise InvalidOptionError(f"A rescale is to a number of pixels, such as 'rescale=64', not {word!r}.")
    return size
