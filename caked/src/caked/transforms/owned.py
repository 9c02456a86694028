"""Batches that are given away, whose image the next step may write over instead of making another.

A new image for every step costs more than the arithmetic on it: the processor's cache holds a few images of
a batch, and each new one pushes others out. So a pipeline, which alone knows that nobody looks at an image
any more, hands its steps an :class:`OwnedBatch`. Anybody else hands them a plain dictionary or a tensor, and
that stays as it is.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

__all__ = ["OwnedBatch"]


class OwnedBatch(dict[str, Any]):
    """A batch whose holder has let go of it.

    A transform changes the dictionary itself, so that the image before is free as soon as the one after is
    there; and while ``image_is_owned``, it may write over that image as well.

    Parameters
    ----------
    batch
        Keys and values of the batch.
    image_is_owned
        Whether nobody else holds the memory of the image.
    """

    def __init__(self, batch: dict[str, Any], *, image_is_owned: bool) -> None:
        super().__init__(batch)
        self.image_is_owned = image_is_owned

    def release(self) -> Tensor:
        """Return the image and hold it no longer; its place is for the one made from it."""
        image: Tensor = self.pop("image")
        return image
