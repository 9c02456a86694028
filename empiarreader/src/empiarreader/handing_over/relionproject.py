"""A RELION project, and by which paths it takes files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from empiarreader.handing_over.files import HandedFile
from empiarreader.handing_over.links import is_safe, safe_names


@dataclass(frozen=True, kw_only=True)
class RelionProject:
    """The folder of a project, from which paths in STAR files begin.

    Files that lie in it are taken by their path, others by links in the folder ``links`` of the project.
    """

    folder: Path
    links: Path

    def name_all(self, suffixes: Mapping[Path, str], files: Sequence[HandedFile]) -> dict[Path, Path]:
        """Return by which path RELION takes each file; a path in the folder of links where it needs one."""
        roots = Counter(_root(file.path) for file in files)
        apart = [
            file
            for file in files
            if roots[_root(file.path)] > 1 or not self._takes(file.path, suffixes[file.path])
        ]
        linked = safe_names(apart, suffixes)
        return {
            file.path: self.links / linked[file.path] if file.path in linked else file.path for file in files
        }

    def relative(self, path: Path) -> str:
        """Return a path as it is written into the STAR file."""
        return path.relative_to(self.folder).as_posix()

    def _takes(self, path: Path, suffix: str) -> bool:
        inside = path.is_relative_to(self.folder)
        return inside and path.name.endswith(suffix) and is_safe(self.relative(path))


def _root(path: Path) -> str:
    """Return what RELION calls the results of a file by: no suffix, and underscores for dots."""
    return path.with_suffix("").as_posix().replace(".", "_").lower()
