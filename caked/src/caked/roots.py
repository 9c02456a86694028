"""Folders in a description: written relative to it, and left out where they do not matter."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

__all__ = ["map_roots", "without_roots"]


def map_roots(value: Any, change: Callable[[str], str]) -> Any:
    """Return a description of sources with every ``"root"`` in it changed."""
    if isinstance(value, dict):
        return {
            key: Path(change(inner)).as_posix()
            if key == "root" and isinstance(inner, str)
            else map_roots(inner, change)
            for key, inner in value.items()
        }
    return [map_roots(inner, change) for inner in value] if isinstance(value, list) else value


def without_roots(value: Any) -> Any:
    """Return a description that is the same wherever its folders lie."""
    return map_roots(value, lambda root: "")
