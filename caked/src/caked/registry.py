"""Names for types that a recipe can mention, and a way for other packages to add theirs."""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from importlib.metadata import entry_points
from typing import Any, Generic, TypeVar

from caked.errors import RecipeError

__all__ = ["Registry", "reference_of", "resolve_reference"]

T = TypeVar("T")


class Registry(Generic[T]):
    """Types by name: those of caked, those registered by hand, then those that installed packages announce.

    Parameters
    ----------
    kind
        What they are, for messages.
    entry_points
        Group of entry points that is looked through for names not known otherwise.
    """

    def __init__(self, kind: str, *, entry_points: str) -> None:
        self.kind = kind
        self.group = entry_points
        self._types: dict[str, T] = {}

    def add(self, name: str, value: T) -> None:
        """Register a type; a name is taken once."""
        if self._types.setdefault(name, value) is not value:
            raise RecipeError(f"There is a {self.kind} of the name {name!r} already.")

    def get(self, name: str) -> T:
        """Return the type of that name.

        Raises
        ------
        RecipeError
            If no part of caked and no installed package knows it.
        """
        if name not in self._types:
            for entry in entry_points(group=self.group, name=name):
                self._types[name] = entry.load()
        if name not in self._types:
            raise RecipeError(
                f"There is no {self.kind} of the name {name!r}; known are {', '.join(sorted(self._types))}."
            )
        return self._types[name]


def reference_of(value: Any) -> str:
    """Return ``"module:name"`` of a function or class that can be found again by it.

    Raises
    ------
    RecipeError
        If it cannot: a lambda, a function inside another, a method of an object.
    """
    module, name = getattr(value, "__module__", None), getattr(value, "__qualname__", "")
    if not module or not name or "<" in name or module == "__main__":
        raise RecipeError(
            f"{value!r} cannot be written into a recipe: give a function that stands in a module by name."
        )
    return f"{module}:{name}"


def resolve_reference(reference: str, *, allow: Sequence[str]) -> Any:
    """Return the function or class that ``"module:name"`` names, where the caller allows it.

    A recipe is a file that may come from anywhere, and calling what it names is running its code: only what
    ``allow`` lists, as a module or as ``"module:name"``, is imported.

    Raises
    ------
    RecipeError
        If it is not allowed, or not there.

    Examples
    --------
    >>> resolve_reference("math:sqrt", allow=["math"])(9.0)
    3.0
    """
    module, _, name = reference.partition(":")
    if reference not in allow and module not in allow:
        raise RecipeError(
            f"The recipe asks to call {reference!r}. If you trust it, load it with allow=[{reference!r}]."
        )
    try:
        found = importlib.import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError, ValueError) as error:
        raise RecipeError(f"The recipe asks to call {reference!r}, which is not there: {error}.") from error
    return found
