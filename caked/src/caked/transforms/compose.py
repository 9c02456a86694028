"""Transforms made of transforms: one after the other, or only for some samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from caked.errors import InvalidOptionError, ShapeError
from caked.randomness import Draws
from caked.transforms.base import Batch, Transform, register, transform_from_dict
from caked.transforms.foreign import Foreign

__all__ = ["Compose", "RandomApply", "as_transform", "without_random"]


@register("compose")
class Compose(Transform):
    """Apply transforms in the order given.

    Parameters
    ----------
    transforms
        caked's transforms, or any other module or function that maps one sample ``(C, *spatial)`` onto
        another, such as those of ``torchvision.transforms.v2``; those are drawn for each sample by itself.

    Examples
    --------
    >>> from caked.transforms import Invert, MinMax
    >>> Compose([Invert(), MinMax()])(torch.tensor([[[1.0, 2.0, 3.0]]])).tolist()
    [[[1.0, 0.5, 0.0]]]
    """

    def __init__(self, transforms: Iterable[Any]) -> None:
        super().__init__()
        self.steps = torch.nn.ModuleList(as_transform(step) for step in transforms)

    def __len__(self) -> int:
        return len(self.steps)

    @property
    def transforms(self) -> tuple[Transform, ...]:
        """The transforms, in order."""
        return tuple(step for step in self.steps if isinstance(step, Transform))

    @property
    def is_random(self) -> bool:  # type: ignore[override]
        """Whether any step draws random numbers."""
        return any(step.is_random for step in self.transforms)

    def batch(self, batch: Batch, draws: Draws) -> Batch:
        """Apply each step; its numbers are its own, by its place."""
        for place, step in enumerate(self.transforms):
            batch = step(batch, draws.within(str(place)))
        return batch

    def deterministic(self) -> Compose:
        """Return the steps that draw nothing, in order: what evaluation uses."""
        kept = [step.deterministic() if isinstance(step, Compose) else step for step in self.transforms]
        return Compose([step for step in kept if not step.is_random])

    def deterministic_prefix(self) -> tuple[Compose, int]:
        """Return the steps before the first random one, and how many they are: what can be cached."""
        steps = self.transforms
        count = next((place for place, step in enumerate(steps) if step.is_random), len(steps))
        return Compose(steps[:count]), count

    def to_dict(self) -> dict[str, Any]:
        """Return the description of each step."""
        return {"type": self.type_name, "transforms": [step.to_dict() for step in self.transforms]}

    @classmethod
    def from_dict(cls, description: Mapping[str, Any], allow: Sequence[str] = ()) -> Compose:
        """Make the steps that :meth:`to_dict` described."""
        return cls([transform_from_dict(step, allow=allow) for step in description["transforms"]])


@register("random_apply")
class RandomApply(Transform):
    """Apply a transform to some samples, each chosen by itself with a probability.

    Parameters
    ----------
    transform
        One that keeps the shape.
    probability
        Of being applied.

    Examples
    --------
    >>> from caked.transforms import Invert
    >>> RandomApply(Invert(), probability=0.0)(torch.ones(1, 1, 2)).tolist()
    [[[1.0, 1.0]]]
    """

    is_random = True

    def __init__(self, transform: Any, *, probability: float = 0.5) -> None:
        if not 0 <= probability <= 1:
            raise InvalidOptionError(f"A probability lies between 0 and 1, and {probability} does not.")
        super().__init__()
        self.inner = as_transform(transform)
        self.probability = probability

    def batch(self, batch: Batch, draws: Draws) -> Batch:
        """Choose the samples, then transform their images."""
        draws = draws.within(self.type_name)
        rows = torch.from_numpy((draws.within("choice").uniform()[:, 0] < self.probability).nonzero()[0])
        if not len(rows):
            return batch
        image: Tensor = batch["image"]
        changed = self.inner(image[rows], draws.within("inner").select(rows.numpy()))
        if changed.shape[1:] != image.shape[1:]:
            raise ShapeError(
                f"A transform for some samples has to keep the shape, and {type(self.inner).__name__} makes "
                f"{tuple(changed.shape[1:])} of {tuple(image.shape[1:])}."
            )
        batch["image"] = image.index_copy(0, rows.to(image.device), changed)
        return batch

    def to_dict(self) -> dict[str, Any]:
        """Return the description of the inner transform, and the probability."""
        return {
            "type": self.type_name,
            "transform": self.inner.to_dict(),
            "probability": self.probability,
        }

    @classmethod
    def from_dict(cls, description: Mapping[str, Any], allow: Sequence[str] = ()) -> RandomApply:
        """Make the transform that :meth:`to_dict` described."""
        inner = transform_from_dict(description["transform"], allow=allow)
        return cls(inner, probability=description["probability"])


def without_random(transform: Transform) -> Compose:
    """Return the steps of a transform that draw nothing."""
    if isinstance(transform, Compose):
        return transform.deterministic()
    return Compose([] if transform.is_random else [transform])


def as_transform(value: Any) -> Transform:
    """Return ``value`` as one of caked's transforms: a list becomes a :class:`Compose`.

    Raises
    ------
    InvalidOptionError
        If it cannot be called.
    """
    if value is None:
        return Compose([])
    if isinstance(value, Transform):
        return value
    if isinstance(value, list | tuple):
        return Compose(value)
    if callable(value):
        return Foreign(value)
    raise InvalidOptionError(f"A transform is a module or a function, not {value!r}.")
