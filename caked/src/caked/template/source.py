"""A source of one's own, to copy: images in raw files, with one table that says what is known of them.

Change :class:`RawSource` to read what you have. The first four members are all that a source needs; each of
the others makes something better, and can be left out. ``caked.sources.register`` is for a source that lives
in your own program; a package announces its sources to every program instead, with these lines in its
``pyproject.toml``, where the name is that of ``type_name``::

    [project.entry-points."caked.sources"]
    "raw files" = "your_package.source:RawSource"

Then a recipe that names the source finds it, wherever the package is installed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from caked import DamagedFileError, Source, SourceNotFoundError
from caked.io.read import deliver
from caked.protocol import Array, Region

__all__ = ["RawSource"]


class RawSource(Source):
    """Square images of float32 without any header, ``*.raw``, and what ``known.json`` says of them.

    Parameters
    ----------
    folder
        Holds the images, and perhaps ``known.json``: ``{"a.raw": {"defocus_u_angstrom": 12000.0}, …}``.
    edge
        Pixels along each axis.

    Notes
    -----
    A source keeps names and numbers, and never an open file: it is pickled for every worker of a loader.
    """

    type_name = "raw files"

    def __init__(self, folder: str | Path, *, edge: int) -> None:
        self.folder = Path(folder)
        self.edge = edge
        self._names = sorted(path.name for path in self.folder.glob("*.raw"))
        if not self._names:
            raise SourceNotFoundError(f"Folder {folder} holds no raw images.", path=str(folder))
        table = self.folder / "known.json"
        self._known: dict[str, dict[str, Any]] = json.loads(table.read_text()) if table.is_file() else {}

    # What every source needs: names, shape, dtype, and a way to read.

    @property
    def names(self) -> Sequence[str]:
        """Name of each sample: unique, and the same the next time; a saved split goes by them."""
        return self._names

    def shape(self, i: int) -> tuple[int, ...]:
        """Shape in array order; of files with a header, read it once and keep the numbers."""
        return (self.edge, self.edge)

    def dtype(self, i: int) -> np.dtype[Any]:
        """Type of what ``read`` returns."""
        return np.dtype(np.float32)

    def read(self, i: int, region: Region | None = None, out: Array | None = None) -> Array:
        """Read one sample, or a part of it; ``deliver`` hands it over, into ``out`` where that is given."""
        path = self.folder / self._names[i]
        values = np.fromfile(path, dtype="<f4")
        if values.size != self.edge**2:
            raise DamagedFileError(
                f"It holds {values.size} numbers instead of {self.edge}²: file {path} is corrupted.",
                path=str(path),
            )
        image = values.reshape(self.shape(i))
        return deliver(image if region is None else image[region], out, dtype=self.dtype(i))

    # What makes it better: what is known of a sample, what it belongs to, how to make the source again.

    def meta(self, i: int) -> dict[str, Any]:
        """What is known of a sample; keys of ``caked.keys`` come into batches, any can be a label."""
        return self._known.get(self._names[i], {})

    def group(self, i: int) -> str | None:
        """What a sample belongs to: a split keeps it together."""
        return self.meta(i).get("micrograph")

    def to_dict(self) -> dict[str, Any]:
        """For recipes. A path is called ``root``, so that it is written relative to the recipe."""
        return {"type": self.type_name, "root": str(self.folder.absolute()), "edge": self.edge}

    @classmethod
    def from_dict(cls, description: Mapping[str, Any], *, base: Path, allow: Sequence[str] = ()) -> RawSource:
        """Make what ``to_dict`` described; relative paths start from ``base``."""
        return cls(base / description["root"], edge=description["edge"])
