"""What was done to an image, in words that are the same in every run and tell one function from another."""

from __future__ import annotations

import functools
import hashlib
import inspect
import re
from collections.abc import Callable
from pathlib import PurePath
from typing import Any

_LASTING = (str, bytes, int, float, complex, tuple, frozenset, PurePath, type(None))
_PLACE_IN_MEMORY = re.compile(r" at 0x[0-9a-f]+")


def describe(function: Callable[..., Any] | None) -> str:
    """Return what tells a function from others, the same in every run.

    That is its name and text, its arguments where it is a partial one, and what it has from the function
    around it.

    Examples
    --------
    >>> from empiarreader import bin_image
    >>> describe(functools.partial(bin_image, factor=4)), describe(None)
    ('bin_image(factor=4)', 'as they are')
    """
    if function is None:
        return "as they are"
    if isinstance(function, functools.partial):
        named = (f"{name}={_say(value)}" for name, value in function.keywords.items())
        return f"{describe(function.func)}({', '.join([*map(_say, function.args), *named])})"
    closure = getattr(function, "__closure__", None) or ()
    around = ", ".join(_say_around(cell.cell_contents) for cell in closure)
    return f"{_name_and_text(function)}({around})" if around else _name_and_text(function)


def _name_and_text(function: Callable[..., Any]) -> str:
    name = getattr(function, "__qualname__", type(function).__qualname__)
    if str(getattr(function, "__module__", "")).startswith("empiarreader."):
        return str(name)
    try:
        text = inspect.getsource(function)
    except (OSError, TypeError):
        return str(name)
    return f"{name} {hashlib.sha256(text.encode()).hexdigest()[:12]}"


def _say(value: Any) -> str:
    """Return what tells an argument from others: of an array a fingerprint, else what Python prints."""
    if hasattr(value, "__array__"):
        from dask.base import tokenize

        return f"{type(value).__name__} {tokenize(value)}"
    return describe(value) if callable(value) else _PLACE_IN_MEMORY.sub("", repr(value))


def _say_around(value: Any) -> str:
    """Return what tells a value around a function from others: its type, where the function may change it."""
    if callable(value):
        return _name_and_text(value)  # and not what is around that: it may be the function itself
    return _say(value) if isinstance(value, _LASTING) or hasattr(value, "__array__") else type(value).__name__
