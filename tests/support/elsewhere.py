"""A device that is not the processor, for machines without one: what would fail on a GPU fails here.

Tensors that are sent there say that they are on ``cuda``; their numbers stay where they are, so that results
can be compared. As on a real device, numpy cannot look at them, and an operation that mixes them with tensors
of the processor is an error, but for tensors without axes and for indices, which torch moves itself.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_flatten, tree_map_only

__all__ = ["Elsewhere", "There", "elsewhere"]

DEVICE = torch.device("cuda:63")  # never that of a real one, of which things may be kept
_MOVES = ("to", "cpu", "cuda", "copy_", "type_as")
_INDEXING = ("__getitem__", "__setitem__")
_LEAVES = ("numpy", "__array__", "data_ptr", "untyped_storage")


class There(Tensor):
    """A tensor that is on the device."""

    @classmethod
    def __torch_function__(cls, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _called(function, args, kwargs or {})


class Elsewhere(TorchFunctionMode):
    """Within it, tensors and generators can be made on the device."""

    def __enter__(self) -> Any:
        self._generator = torch.Generator
        torch.Generator = lambda device: self._generator()  # type: ignore[assignment, misc]
        return super().__enter__()  # type: ignore[no-untyped-call]

    def __exit__(self, *error: object) -> None:
        torch.Generator = self._generator  # type: ignore[misc]
        super().__exit__(*error)  # type: ignore[no-untyped-call]

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return _called(function, args, kwargs or {})


def elsewhere(tensor: Tensor) -> Tensor:
    """Return the tensor, now on the device."""
    return tensor.as_subclass(There)


def _called(function: Any, args: Any, kwargs: dict[str, Any]) -> Any:
    name = _name(function)
    with torch._C.DisableTorchFunctionSubclass():
        tensors = [one for one in tree_flatten((args, kwargs))[0] if isinstance(one, Tensor)]
        is_there = [isinstance(one, There) for one in tensors]
        if name == "device":
            return DEVICE if is_there[0] else torch.device("cpu")
        if is_there and is_there[0] and name in _LEAVES:
            raise TypeError(f"{name} cannot look at a tensor on {DEVICE}; bring it to the processor first.")
        if any(is_there) and name not in _MOVES:
            _check_mixture(name, tensors[:1] if name in _INDEXING else tensors)
        lands_there = _lands_there(name, args, kwargs, is_there)
        args, kwargs = tree_map_only(torch.device, lambda _: torch.device("cpu"), (args, kwargs))
        args, kwargs = tree_map_only(There, lambda one: one.as_subclass(Tensor), (args, kwargs))
        if kwargs.get("device") is not None:
            kwargs["device"] = torch.device("cpu")
        result = function(*args, **kwargs)
        if isinstance(result, torch.Size) or not lands_there:
            return result
        return tree_map_only(Tensor, elsewhere, result)


def _name(function: Any) -> str:
    """Name of a function, a method or a property."""
    name = str(getattr(function, "__name__", function))
    return str(function.__self__.__name__) if name == "__get__" else name


def _lands_there(name: str, args: Any, kwargs: dict[str, Any], is_there: list[bool]) -> bool:
    if name == "cpu":
        return False
    if name in ("to", "type_as") and len(is_there) > 1:
        return is_there[1]
    named = [one for one in args if isinstance(one, torch.device)]
    goal = kwargs.get("device") or (named[0] if named else None)
    if goal is not None:
        return torch.device(goal).type == DEVICE.type
    return is_there[0] if name == "copy_" else any(is_there)


def _check_mixture(name: str, tensors: list[Tensor]) -> None:
    for one in tensors:
        if not isinstance(one, There) and one.ndim:
            raise RuntimeError(f"{name} mixes {DEVICE} with a tensor {tuple(one.shape)} of the processor.")
