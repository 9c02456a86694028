"""Transforms made of transforms: one after the other, or only for some samples."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from caked.errors import InvalidOptionError
from caked.keys import IMAGE_KEYS
from caked.randomness import Draws
from caked.transforms.base import Batch, Transform, register, transform_from_dict
from caked.transforms.chunks import check_alike, reassemble, take_rows
from caked.transforms.foreign import Foreign
from caked.transforms.owned import OwnedBatch

__all__ = ["Compose", "OnKeys", "OneOf", "RandomApply", "as_transform", "without_random"]


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

    takes_frames = True

    def __init__(self, transforms: Iterable[Any]) -> None:
        super().__init__()
        self.steps = torch.nn.ModuleList(as_transform(step) for step in transforms)
        self._first = 0  # place of the first step, which its numbers are drawn by

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

    @property
    def holds_nothing(self) -> bool:  # type: ignore[override]
        """Whether no step keeps a tensor."""
        return all(step.holds_nothing for step in self.transforms)

    def batch(self, batch: Batch, draws: Draws) -> Batch:
        """Apply each step; its numbers are its own, by its place."""
        given_away = isinstance(batch, OwnedBatch)
        inside: Batch = batch if given_away else OwnedBatch(batch, image_is_owned=False)
        for place, step in enumerate(self.transforms, start=self._first):
            inside = step(inside, draws.within(str(place)))
        return inside if given_away else dict(inside)

    def deterministic(self) -> Compose:
        """Return the steps that draw nothing, in order: what evaluation uses."""
        kept = [step.deterministic() if isinstance(step, Compose) else step for step in self.transforms]
        return Compose([step for step in kept if not step.is_random])

    def deterministic_prefix(self) -> tuple[Compose, int]:
        """Return the steps before the first random one, and how many they are: what can be cached."""
        steps = self.transforms
        count = next((place for place, step in enumerate(steps) if step.is_random), len(steps))
        return Compose(steps[:count]), count

    def after(self, count: int) -> Compose:
        """Return the steps behind the first ``count``, which draw the same numbers as here."""
        rest = Compose(self.transforms[count:])
        rest._first = self._first + count
        return rest

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
    takes_frames = True

    def __init__(self, transform: Any, *, probability: float = 0.5) -> None:
        if not 0 <= probability <= 1:
            raise InvalidOptionError(f"A probability lies between 0 and 1, and {probability} does not.")
        super().__init__()
        self.inner = as_transform(transform)
        self.probability = probability

    def batch(self, batch: Batch, draws: Draws) -> Batch:
        """Choose the samples, then transform them, with all that belongs to them."""
        draws = draws.within(self.type_name)
        chosen = draws.within("choice").uniform()[:, 0] < self.probability
        inside = draws.within("inner")
        changed = _by_choice(batch, chosen.astype(np.int64), [None, self.inner], [inside, inside])
        # What only some samples would have is refused also where all of them were chosen, by chance.
        check_alike([batch, changed], type(self.inner).__name__)
        return changed

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


@register("one_of")
class OneOf(Transform):
    """Apply one of several transforms to each sample, drawn for each by itself.

    Parameters
    ----------
    transforms
        To choose from; they keep the shape, or all make the same one.
    weights
        How often each is chosen, in any unit; ``None``: all alike.

    Examples
    --------
    >>> from caked.transforms import Invert, MinMax
    >>> OneOf([Invert(), MinMax()], weights=[1, 0])(torch.tensor([[[1.0, 2.0]]])).tolist()
    [[[-1.0, -2.0]]]
    """

    is_random = True
    takes_frames = True

    def __init__(self, transforms: Iterable[Any], *, weights: Sequence[float] | None = None) -> None:
        super().__init__()
        self.choices = torch.nn.ModuleList(as_transform(choice) for choice in transforms)
        shares = np.ones(len(self.choices)) if weights is None else np.asarray(weights, dtype=np.float64)
        if not len(self.choices) or shares.shape != (len(self.choices),) or not np.isfinite(shares).all():
            raise InvalidOptionError("One is chosen of one transform or more, with a weight for each.")
        if (shares < 0).any() or not shares.sum() > 0:
            raise InvalidOptionError(f"Weights are 0 or more, and not all of them 0: {weights}.")
        self.weights = None if weights is None else [float(weight) for weight in weights]
        self.bounds = np.cumsum(shares) / shares.sum()

    @property
    def transforms(self) -> tuple[Transform, ...]:
        """The transforms, in order."""
        return tuple(choice for choice in self.choices if isinstance(choice, Transform))

    def batch(self, batch: Batch, draws: Draws) -> Batch:
        """Choose for each sample, then transform those that have the same choice together."""
        draws = draws.within(self.type_name)
        number = draws.within("choice").uniform()[:, 0]
        chosen = np.minimum(np.searchsorted(self.bounds, number, side="right"), len(self.choices) - 1)
        inside = [draws.within(str(place)) for place in range(len(self.choices))]
        return _by_choice(batch, chosen, list(self.transforms), inside)

    def to_dict(self) -> dict[str, Any]:
        """Return the description of each transform, and the weights."""
        described = [choice.to_dict() for choice in self.transforms]
        return {"type": self.type_name, "transforms": described, "weights": self.weights}

    @classmethod
    def from_dict(cls, description: Mapping[str, Any], allow: Sequence[str] = ()) -> OneOf:
        """Make the transforms that :meth:`to_dict` described."""
        choices = [transform_from_dict(choice, allow=allow) for choice in description["transforms"]]
        return cls(choices, weights=description.get("weights"))


def _by_choice(
    batch: Batch,
    chosen: NDArray[np.int64],
    transforms: Sequence[Transform | None],
    draws: Sequence[Draws],
) -> Batch:
    """Apply to each sample the transform of its number; ``None`` leaves it."""
    batch = dict(batch)  # of a pipeline's, steps would change itself
    parts, places = [], []
    for number, (transform, own) in enumerate(zip(transforms, draws, strict=True)):
        rows = (chosen == number).nonzero()[0]
        if not len(rows):
            continue
        part = batch if len(rows) == len(chosen) else take_rows(batch, rows.tolist())
        parts.append(part if transform is None else transform(part, own.select(rows)))
        places.append(rows.tolist())
    names = " or ".join(type(transform).__name__ for transform in transforms if transform is not None)
    return reassemble(parts, places, names) if parts else batch


@register("on_keys")
class OnKeys(Transform):
    """Apply a transform to other images of the samples as well, such as the target, with the same numbers.

    Parameters
    ----------
    keys
        Images of the batch, such as ``["image", "target"]``. Each is transformed as if it were the image.
    transform
        One that changes values only. Transforms that move pixels move all images of a sample anyway.

    Examples
    --------
    >>> from caked.transforms import Invert
    >>> pair = {"image": torch.ones(1, 1, 2), "target": torch.zeros(1, 1, 2)}
    >>> OnKeys(["target"], Invert())(pair)["image"].tolist()
    [[[1.0, 1.0]]]
    """

    takes_frames = True

    def __init__(self, keys: Iterable[str], transform: Any) -> None:
        super().__init__()
        self.keys, self.inner = list(keys), as_transform(transform)
        if not self.keys or any(key not in IMAGE_KEYS for key in self.keys):
            raise InvalidOptionError(f"The images of a sample are {', '.join(IMAGE_KEYS)}, not {self.keys}.")
        self.is_random = self.inner.is_random

    def batch(self, batch: Batch, draws: Draws) -> Batch:
        """Transform each of the images."""
        changed = dict(batch)
        for key in self.keys:
            if key not in batch:
                raise InvalidOptionError(f"The samples have no {key}.")
            others = {name: value for name, value in batch.items() if name not in IMAGE_KEYS}
            changed[key] = self.inner({**others, "image": batch[key]}, draws)["image"]
        return changed

    def to_dict(self) -> dict[str, Any]:
        """Return the keys, and the description of the inner transform."""
        return {"type": self.type_name, "keys": self.keys, "transform": self.inner.to_dict()}

    @classmethod
    def from_dict(cls, description: Mapping[str, Any], allow: Sequence[str] = ()) -> OnKeys:
        """Make the transform that :meth:`to_dict` described."""
        return cls(description["keys"], transform_from_dict(description["transform"], allow=allow))


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
