"""Transforms of other libraries, torchvision's above all, with a draw for every sample.

torchvision draws its parameters once a call, from torch's global generator. Called on a batch it would flip
all of it or none; called in a data loader's worker it would depend on which worker. Here it is called on one
sample at a time, with the global generators set to that sample's numbers and put back afterwards.
"""

from __future__ import annotations

import importlib
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor

from caked.errors import InvalidOptionError, RecipeError
from caked.randomness import Draws
from caked.registry import reference_of, resolve_reference
from caked.transforms.base import Batch, Transform, register

__all__ = ["Foreign", "Torchvision"]

_DRAWLESS = {"CenterCrop", "Grayscale", "Identity", "Normalize", "Pad", "Resize", "ToDtype"}


@register("foreign")
class Foreign(Transform):
    """Apply a function or module of another library to each sample ``(C, *spatial)``.

    Parameters
    ----------
    function
        Takes a tensor and returns one. It may draw from the global generators of torch, numpy or ``random``,
        and is taken to do so unless it is one of torchvision's that do not.

    Notes
    -----
    While it runs, the global generators of this process hold the sample's numbers: other threads that draw
    from them at that moment see it. Afterwards they are as before. A function by name can stand in a
    recipe; of a torchvision transform use :class:`Torchvision`.
    """

    takes_frames = True

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function
        self.is_random = type(function).__name__ not in _DRAWLESS

    def batch(self, batch: Batch, draws: Draws) -> Batch:
        """Call the function once a sample."""
        image: Tensor = batch["image"]
        seeds = draws.within(self.type_name).seeds().tolist()
        with borrowed_generators(image.device):
            results = [self._call(sample, seed) for sample, seed in zip(image, seeds, strict=True)]
        batch["image"] = torch.stack(results)
        return batch

    def _call(self, sample: Tensor, seed: int) -> Tensor:
        seed_generators(seed, sample.device)
        result = self.function(sample)
        if not isinstance(result, Tensor):
            raise InvalidOptionError(f"{self.function!r} made a {type(result).__name__} of a tensor.")
        return result

    def to_dict(self) -> dict[str, Any]:
        """Return the function's name, where it has one that can be found again."""
        if isinstance(self.function, torch.nn.Module):
            raise RecipeError(
                f"{type(self.function).__name__} does not tell its options: for a recipe, write "
                f"caked.transforms.Torchvision({type(self.function).__name__!r}, …) with them."
            )
        return {"type": self.type_name, "function": reference_of(self.function)}

    @classmethod
    def from_dict(cls, description: Mapping[str, Any], allow: Sequence[str] = ()) -> Foreign:
        """Find the function again, if ``allow`` lists it."""
        return cls(resolve_reference(description["function"], allow=allow))

    def extra_repr(self) -> str:
        """Show the function in ``repr``."""
        return repr(self.function)


@register("torchvision")
class Torchvision(Foreign):
    """Apply a transform of ``torchvision.transforms.v2``, drawn for each sample, that a recipe can name.

    Parameters
    ----------
    name
        Of the class, such as ``"RandomAffine"``.
    **arguments
        Its arguments; numbers, strings, and lists of them.
    """

    def __init__(self, name: str, **arguments: Any) -> None:
        library = importlib.import_module("torchvision.transforms.v2")
        made = getattr(library, name, None)
        if not (isinstance(made, type) and issubclass(made, torch.nn.Module)):
            raise InvalidOptionError(f"torchvision.transforms.v2 has no transform {name!r}.")
        super().__init__(made(**arguments))
        self.name, self.arguments = name, arguments

    def to_dict(self) -> dict[str, Any]:
        """Return the class's name and its arguments."""
        return {"type": self.type_name, "name": self.name, "arguments": self.arguments}

    @classmethod
    def from_dict(cls, description: Mapping[str, Any], allow: Sequence[str] = ()) -> Torchvision:
        """Make the transform that :meth:`to_dict` described."""
        return cls(description["name"], **description["arguments"])


@contextmanager
def borrowed_generators(device: torch.device) -> Iterator[None]:
    """Put the global generators of torch, numpy and ``random`` back as they were afterwards."""
    python, legacy = random.getstate(), np.random.get_state()
    devices = [] if device.type == "cpu" else [device]
    try:
        with torch.random.fork_rng(devices, device_type=device.type if devices else "cuda"):
            yield
    finally:
        random.setstate(python)
        np.random.set_state(legacy)


def seed_generators(seed: int, device: torch.device) -> None:
    """Set the global generators; only inside :func:`borrowed_generators`."""
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
    random.seed(seed)
    np.random.seed(seed & 0xFFFFFFFF)
