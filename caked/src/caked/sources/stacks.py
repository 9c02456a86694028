"""Image stacks on disk: each section of a file is a sample."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from caked.io.read import read_sections
from caked.keys import Columns
from caked.protocol import Array
from caked.sources.base import register
from caked.sources.files import FileSource
from caked.sources.sectioned import SectionedSource

__all__ = ["StackSource"]


@register("stacks")
class StackSource(SectionedSource):
    """The images of stack files; the group of an image is its stack.

    Whether a three-dimensional file is a stack or a volume is the caller's word, not the file's: its ending
    and its header are often wrong. As one volume a sample, read it with :class:`~caked.FileSource`.

    Parameters
    ----------
    root
        A folder, a file, or a sequence of files.
    pattern
        Which files of the folder.
    extensions
        Endings to take; by default every one that caked reads.

    Notes
    -----
    Names are ``file#section``, counted from 0. The images of a batch are read in the order in which they
    lie on disk, neighbours in one call, straight into the batch where the types agree.
    """

    def __init__(
        self,
        root: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        *,
        pattern: str = "*.mrcs",
        extensions: Sequence[str] | None = None,
    ) -> None:
        self.files = FileSource(root, pattern=pattern, extensions=extensions, squeeze=False)
        super().__init__(self.files)

    def read_batch(self, indices: Sequence[int], out: Array | None = None) -> Array:
        """Read several images, in the order of ``indices``."""
        if out is None:
            out = self.empty_batch(indices)
        places = sorted((*self.locate(i), k) for k, i in enumerate(indices))
        for item, group in groupby(places, key=lambda place: place[0]):
            _, sections, rows = zip(*group, strict=True)
            if self._flat[item]:
                for row in rows:
                    self.files.read(item, out=out[row])
                continue
            read_sections(
                self.files.path(item), self.files.layout(item), sections, [out[row] for row in rows]
            )
        return out

    def columns(self, indices: Sequence[int]) -> Columns:
        """Return the pixel sizes."""
        sizes = [self.files.pixel_size(self.locate(i)[0])[-2:] for i in indices]
        return {"pixel_size_angstrom": np.array(sizes)}

    def to_dict(self) -> dict[str, Any]:
        """Return the description of the files."""
        files = self.files.to_dict()
        return {
            "type": self.type_name,
            **{key: files[key] for key in ("root", "pattern", "names", "extensions")},
        }

    @classmethod
    def from_dict(
        cls, description: Mapping[str, Any], *, base: Path, allow: Sequence[str] = ()
    ) -> StackSource:
        """List the files again."""
        root, names = base / description["root"], description["names"]
        return cls(
            root if names is None else [root / name for name in names],
            pattern=description["pattern"],
            extensions=description["extensions"],
        )

    def __repr__(self) -> str:
        return f"StackSource({self.files!r})"
