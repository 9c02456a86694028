"""Content made of real files: links to them under the addresses that their services have."""

from __future__ import annotations

from pathlib import Path


def link(source: Path, target: Path) -> Path:
    """Content folder of links to the real files in `source`."""
    target.mkdir()
    return target
