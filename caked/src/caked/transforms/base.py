"""What every transform is: a module on a batch, with options that can be written down and drawn numbers.

A transform takes a tensor ``(B, C, *spatial)``, or a batch as a dictionary whose ``"image"`` is one, and
gives back the same kind. It works on every sample by itself: a sample comes out the same whatever else is in
the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, TypeVar, overload

import numpy as np
import torch
from torch import Tensor

from caked.errors import InvalidOptionError, ShapeError
from caked.keys import IMAGE_KEYS
from caked.randomness import Draws
from caked.registry import Registry
from caked.transforms.frames import fold_frames, frames_are_known, unfold_frames
from caked.transforms.owned import OwnedBatch

__all__ = ["TRANSFORMS", "Batch", "RandomTransform", "Transform", "spatial_axes", "transform_from_dict"]

Batch = dict[str, Any]
"""A batch: ``"image"`` of shape ``(B, C, *spatial)``, and lists or tensors of length B beside it."""

TRANSFORMS: Registry[Any] = Registry("transform", entry_points="caked.transforms")

_T = TypeVar("_T", bound="type[Transform]")

_HALF = (torch.float16, torch.bfloat16)


class Transform(torch.nn.Module):
    """Base of the transforms. Override :meth:`image`, or :meth:`batch` where more than the image changes.

    Parameters
    ----------
    **options
        The arguments that make this transform again; numbers, strings, and lists of them.
    """

    is_random: bool = False
    type_name: ClassVar[str] = ""
    holds_nothing: bool = False
    """Whether it keeps no tensor of a batch, and gives back the image it got or one in new memory.

    What comes after it may then write over that image. A class says so for itself: it is not inherited.
    """
    takes_frames: ClassVar[bool] = False
    """Whether it is to see the frames of a movie, or the tilts of a series, as they are.

    Otherwise, where a batch says that its images are series, frames come as channels: ``(B, C n, y, x)``.
    """

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        if "holds_nothing" not in vars(cls):
            cls.holds_nothing = False

    def __init__(self, **options: Any) -> None:
        super().__init__()
        self.options = options

    # Typed here, for torch leaves it open; the work is done in ``forward``.
    @overload
    def __call__(self, batch: Tensor, draws: Draws | None = None) -> Tensor: ...

    @overload
    def __call__(self, batch: Batch, draws: Draws | None = None) -> Batch: ...

    def __call__(self, batch: Any, draws: Draws | None = None) -> Any:
        """Transform a batch; see :meth:`forward`."""
        if isinstance(batch, OwnedBatch) and (self._forward_pre_hooks or self._forward_hooks):
            batch = dict(batch)  # they may keep what they are shown
        return super().__call__(batch, draws)

    def forward(self, batch: Any, draws: Draws | None = None) -> Any:
        """Transform a batch.

        Parameters
        ----------
        batch
            Tensor ``(B, C, *spatial)`` or dictionary with one as ``"image"``. It is not changed. Integers
            become float32. Floats of 16 bits are too coarse for sums and places: they are worked on as
            float32, and are of 16 bits again afterwards.
        draws
            Where random parameters come from, a row for each sample. ``None`` draws as for samples 0 to
            B - 1 of epoch 0 with seed 0: the same every time.
        """
        if isinstance(batch, Tensor):
            result: Tensor = self.forward({"image": batch}, draws)["image"]
            return result
        if any(key in batch and batch[key].dtype in _HALF for key in IMAGE_KEYS):
            return self._in_float32(batch, draws)
        image = batch["image"]
        if image.ndim == 5 and not self.takes_frames and frames_are_known(batch):
            return unfold_frames(self.forward(fold_frames(batch), draws), batch)
        if not (image.is_floating_point() or image.is_complex()):
            image = image.to(torch.float32)
            batch = batch if isinstance(batch, OwnedBatch) else dict(batch)
            batch["image"] = image
        if image.ndim < 3:
            raise ShapeError(f"{type(self).__name__} takes (B, C, *spatial), not shape {tuple(image.shape)}.")
        if draws is None:
            draws = Draws(samples=np.arange(len(image)))
        elif len(draws) != len(image):
            raise ShapeError(f"There are draws for {len(draws)} samples and {len(image)} images.")
        if not isinstance(batch, OwnedBatch):
            return self.batch(dict(batch), draws)
        if not self.holds_nothing:
            # It may keep the dictionary that it is shown, or gives back.
            return OwnedBatch(self.batch(dict(batch), draws), image_is_owned=False)
        del image  # now nobody but the batch holds it
        return self._changed(batch, draws)

    def _in_float32(self, batch: Batch, draws: Draws | None) -> Batch:
        """Transform a batch that has images of 16 bits, and round them to as many afterwards."""
        types = {key: batch[key].dtype for key in IMAGE_KEYS if key in batch and batch[key].dtype in _HALF}
        result: Batch = self.forward({**batch, **{key: batch[key].float() for key in types}}, draws)
        return {**result, **{key: result[key].to(dtype) for key, dtype in types.items()}}

    def _changed(self, batch: OwnedBatch, draws: Draws) -> Batch:
        """Transform a batch that was given away, and find out whether its image still is nobody else's."""
        before = id(batch["image"])
        changed = self.batch(batch, draws)
        if isinstance(changed, OwnedBatch):
            after = changed["image"]
            changed.image_is_owned = (
                not after.requires_grad  # its graph may hold it too
                and (changed.image_is_owned or id(after) != before)
            )
        return changed

    def batch(self, batch: Batch, draws: Draws) -> Batch:
        """Transform a batch of the caller's own; by default its image."""
        if self.holds_nothing and isinstance(batch, OwnedBatch):
            change = self.overwrite if batch.image_is_owned else self.image
            batch["image"] = change(batch.release())
        else:
            batch["image"] = self.image(batch["image"])
        return batch

    def image(self, image: Tensor) -> Tensor:
        """Transform images ``(B, C, *spatial)`` into new ones."""
        raise NotImplementedError

    def overwrite(self, image: Tensor) -> Tensor:
        """Transform images that nobody else holds, in their own memory where that can be done.

        Override it beside :meth:`image`, with the same result, in a class that ``holds_nothing``.
        """
        return self.image(image)

    def to_dict(self) -> dict[str, Any]:
        """Return the name and the options that make this transform again."""
        return {"type": self.type_name, **self.options}

    @classmethod
    def from_dict(cls, description: Mapping[str, Any], allow: Sequence[str] = ()) -> Transform:
        """Make the transform that :meth:`to_dict` described."""
        return cls(**{key: value for key, value in description.items() if key != "type"})

    def extra_repr(self) -> str:
        """Show the options in ``repr``."""
        return ", ".join(f"{key}={value!r}" for key, value in self.options.items())


class RandomTransform(Transform):
    """Base of the transforms with random parameters: drawn once a sample, then applied.

    Override :meth:`draw` and :meth:`transform`. What is drawn belongs to the sample, so a mask or a pose that
    travels with an image can be given the same parameters.
    """

    is_random = True

    def draw(self, draws: Draws, image: Tensor) -> Any:
        """Draw the parameters, a row for each sample."""
        raise NotImplementedError

    def transform(self, image: Tensor, parameters: Any) -> Tensor:
        """Transform images with the parameters that were drawn for them."""
        raise NotImplementedError

    def batch(self, batch: Batch, draws: Draws) -> Batch:
        """Draw, then transform the image."""
        image = batch["image"]
        batch["image"] = self.transform(image, self.draw(draws.within(self.type_name), image))
        return batch


def register(name: str) -> Callable[[_T], _T]:
    """Make a transform known to recipes under ``name``."""

    def add(cls: _T) -> _T:
        cls.type_name = name
        TRANSFORMS.add(name, cls)
        return cls

    return add


def transform_from_dict(description: Mapping[str, Any], *, allow: Sequence[str] = ()) -> Transform:
    """Make the transform that a dictionary describes.

    Parameters
    ----------
    description
        What :meth:`Transform.to_dict` returned, perhaps by way of JSON.
    allow
        Modules, or ``"module:name"``, whose functions may be called on behalf of the description.

    Raises
    ------
    InvalidOptionError
        If the type is unknown or the options do not fit it.
    """
    cls = TRANSFORMS.get(str(description.get("type")))
    try:
        made: Transform = cls.from_dict(description, allow)
    except TypeError as error:
        raise InvalidOptionError(f"Options of {description.get('type')!r} do not fit: {error}.") from error
    return made


def spatial_axes(image: Tensor) -> tuple[int, ...]:
    """Return the axes behind batch and channel, counted from the end.

    Examples
    --------
    >>> spatial_axes(torch.zeros(2, 1, 8, 8))
    (-2, -1)
    """
    return tuple(range(2 - image.ndim, 0))
