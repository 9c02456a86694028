"""Files as samples: one file, one sample."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from caked.counting import counted
from caked.errors import SourceNotFoundError
from caked.io.layout import READABLE_SUFFIXES, Layout, read_layout, reported
from caked.io.listing import list_files
from caked.io.read import read_array, read_arrays
from caked.keys import Columns
from caked.labels import LabelRule, as_label_rule, label_rule_from_dict
from caked.names import NameTable
from caked.protocol import Array, Region
from caked.sources.base import Source, register

__all__ = ["FileSource", "FileTable"]


class FileTable:
    """Files under a root, with their headers parsed once and kept in small numbers.

    Parameters
    ----------
    root
        Folder that the names start from.
    names
        Paths relative to it.
    squeeze
        Whether a file of one section is an image, whatever it says of itself.
    """

    def __init__(self, root: Path, names: Sequence[str], *, squeeze: bool) -> None:
        self.root = root
        self.names = NameTable(names)
        self.squeeze = squeeze
        # Most files of a folder are alike, so a number for each says which of the few layouts it has.
        self._codes = np.full(len(self.names), -1, dtype=np.int32)
        self._layouts: list[Layout] = []
        self._code_of: dict[Layout, int] = {}

    def path(self, i: int) -> str:
        """Return where file ``i`` is."""
        return os.path.join(self.root, self.names[i])  # noqa: PTH118 (a string, ten times as quick)

    def layout(self, i: int) -> Layout:
        """Return where the pixels of file ``i`` lie; reads its header the first time."""
        code = int(self._codes[i])
        if code < 0:
            layout = read_layout(self.path(i))
            code = self._code_of.setdefault(layout, len(self._layouts))
            if code == len(self._layouts):
                self._layouts.append(layout)
            self._codes[i] = code
        return self._layouts[code]

    def shape(self, i: int) -> tuple[int, ...]:
        """Return the shape of file ``i`` as a sample."""
        return self._shape_of(self.layout(i))

    def shapes(self, indices: Sequence[int]) -> list[tuple[int, ...]]:
        """Return the shapes of several files as samples."""
        codes = self._layout_codes(indices).tolist()
        shape_of = {code: self._shape_of(self._layouts[code]) for code in set(codes)}
        return [shape_of[code] for code in codes]

    def _shape_of(self, layout: Layout) -> tuple[int, ...]:
        shape = layout.shape
        return shape[1:] if self.squeezes(shape) else shape

    def squeezes(self, shape: tuple[int, ...]) -> bool:
        """Whether a leading axis of one section is dropped."""
        return self.squeeze and len(shape) == 3 and shape[0] == 1

    def read(self, i: int, region: Region | None, out: Array | None) -> Array:
        """Read file ``i``, or a region of it."""
        layout = self.layout(i)
        if not self.squeezes(layout.shape):
            return read_array(self.path(i), layout, region, out)
        region = None if region is None else (slice(None), *region)
        whole: Array = read_array(self.path(i), layout, region, None if out is None else out[None])
        return np.asarray(whole[0])

    def read_batch(self, indices: Sequence[int], out: Array) -> None:
        """Read several files, those of one layout one after the other."""
        codes = self._layout_codes(indices)
        folder = os.path.join(self.root, "")  # noqa: PTH118 (with its separator)
        paths = [folder + name for name in self.names.take(indices)]
        for code in sorted(set(codes.tolist())):
            layout, rows = self._layouts[code], np.flatnonzero(codes == code)
            if len(rows) == len(paths):
                part, some = out, paths
            else:
                part, some = np.empty((len(rows), *out.shape[1:]), out.dtype), [paths[row] for row in rows]
            read_arrays(some, layout, part[:, None] if self.squeezes(layout.shape) else part)
            if part is not out:
                out[rows] = part

    def _layout_codes(self, indices: Sequence[int]) -> Array:
        """Return which of the layouts each file has; reads headers the first time."""
        codes = self._codes[indices]
        if (codes < 0).any():
            for i in indices:
                self.layout(i)
            codes = self._codes[indices]
        return codes

    def pixel_size(self, i: int) -> tuple[float, ...]:
        """Return the pixel size of file ``i`` in Å along each axis, 0.0 where not stated."""
        return self._pixel_size_of(self.layout(i))

    def _pixel_size_of(self, layout: Layout) -> tuple[float, ...]:
        ndim = len(layout.shape) - self.squeezes(layout.shape)
        return (0.0,) * (ndim - 3) + layout.voxel_size[-min(ndim, 3) :] if ndim else ()

    def pixel_sizes(self, indices: Sequence[int]) -> Array | list[Array]:
        """Return the pixel sizes of several files, a row each; a list where they differ in axes."""
        codes = self._layout_codes(indices).tolist()
        size_of = {code: self._pixel_size_of(self._layouts[code]) for code in set(codes)}
        if len({len(size) for size in size_of.values()}) > 1:
            return [np.array(size_of[code]) for code in codes]
        return np.array([size_of[code] for code in codes])

    def origin(self, i: int) -> tuple[float, ...]:
        """Return where the first pixel of file ``i`` lies in Å along each axis, 0.0 where not stated."""
        ndim = len(self.shape(i))
        return (0.0,) * (ndim - 3) + self.layout(i).origin[-min(ndim, 3) :] if ndim else ()

    def digest(self, *, content: bool) -> str:
        """Return a sha256 of names and sizes and, with ``content``, of every byte."""
        digest = hashlib.sha256()
        for i, name in enumerate(self.names):
            path = self.path(i)
            with reported(path):
                digest.update(f"{name}\0{Path(path).stat().st_size}\0".encode("utf-8", "surrogateescape"))
                if content:
                    with Path(path).open("rb") as file:
                        digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()


@register("files")
class FileSource(Source):
    """Files in a folder, or listed by name; each is one sample.

    Nothing but the folder is read until a sample, or its shape, is asked for. MRC files in all their
    variants and numpy files are read, plain or (MRC) compressed with gzip or bzip2.

    Parameters
    ----------
    root
        A folder, a file, or a sequence of files.
    pattern
        Which files of the folder: a glob such as ``"*.mrc"`` or ``"**/*.map"``, matched against the whole
        name. Files whose name begins with a dot are left out.
    extensions
        Endings to take, such as ``[".mrc"]``, compared as a whole and without regard to case; by default
        every one that caked reads.
    group
        What a sample belongs to, so that a split keeps it together: a rule as for labels (``"parent"`` for
        the folder, a pattern or a function of the name), or ``None``.
    squeeze
        Whether a file of one section ``(1, y, x)`` is an image ``(y, x)``. Headers do not tell reliably.

    Raises
    ------
    SourceNotFoundError
        If the folder is not there, or holds no such file.

    Notes
    -----
    Names are paths relative to the folder with ``/`` between parts, sorted; of listed files relative to the
    folder they have in common.
    """

    def __init__(
        self,
        root: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        *,
        pattern: str = "*",
        extensions: Sequence[str] | None = None,
        group: Any = None,
        squeeze: bool = True,
    ) -> None:
        self.pattern = pattern
        self.extensions = None if extensions is None else tuple(extensions)
        self._group: LabelRule | None = None if group is None else as_label_rule(group)
        self._listed = not isinstance(root, str | os.PathLike)
        folder, names = list_files(root, pattern=pattern, extensions=self.extensions or READABLE_SUFFIXES)
        self._files = FileTable(folder, names, squeeze=squeeze)

    @property
    def root(self) -> Path:
        """Folder that the names start from."""
        return self._files.root

    @property
    def names(self) -> Sequence[str]:
        """Path of each file, relative to the root."""
        return self._files.names

    def path(self, i: int) -> Path:
        """Return where sample ``i`` lies."""
        return Path(self._files.path(i))

    def shape(self, i: int) -> tuple[int, ...]:
        """Return the shape of sample ``i``; reads its header the first time."""
        return self._files.shape(i)

    def shapes(self, indices: Sequence[int]) -> list[tuple[int, ...]]:
        """Return the shape of some samples; reads headers the first time."""
        if type(self).shape is not FileSource.shape:  # somebody's own shape holds for batches too
            return super().shapes(indices)
        return self._files.shapes(indices)

    def dtype(self, i: int) -> np.dtype[Any]:
        """Return the type of sample ``i``; reads its header the first time."""
        return self._files.layout(i).dtype

    def layout(self, i: int) -> Layout:
        """Return where the pixels of file ``i`` lie; reads its header the first time."""
        return self._files.layout(i)

    def read(self, i: int, region: Region | None = None, out: Array | None = None) -> Array:
        """Read sample ``i``, or a region of it: only that part of a plain file is touched."""
        return self._files.read(i, region, out)

    def read_batch(self, indices: Sequence[int], out: Array | None = None) -> Array:
        """Read several samples, in the order of ``indices``."""
        if type(self).read is not FileSource.read:  # somebody's own way of reading holds for batches too
            return super().read_batch(indices, out)
        if out is None:
            out = self.empty_batch(indices)
        self._files.read_batch(indices, out)
        return out

    def meta(self, i: int) -> dict[str, Any]:
        """Return path and pixel size of sample ``i``."""
        return {"path": self._files.path(i), "pixel_size_angstrom": self._files.pixel_size(i)}

    def pixel_size(self, i: int) -> tuple[float, ...]:
        """Return the pixel size in Å along each axis of sample ``i``; 0.0 where the file does not say."""
        return self._files.pixel_size(i)

    def origin(self, i: int) -> tuple[float, ...]:
        """Return where the first pixel of sample ``i`` lies in Å; zeros where the file does not say."""
        return self._files.origin(i)

    def columns(self, indices: Sequence[int]) -> Columns:
        """Return the pixel sizes."""
        return {"pixel_size_angstrom": self._files.pixel_sizes(indices)}

    def group(self, i: int) -> str | None:
        """Return the group of sample ``i`` after the rule that was given."""
        return None if self._group is None else self._group.label(self, i)

    def digest(self, *, content: bool | None = None) -> str:
        """Return a sha256 of names and sizes and, unless ``content`` is false, of every byte of the files."""
        return self._files.digest(content=content is not False)

    def to_dict(self) -> dict[str, Any]:
        """Return root, pattern (or names, of listed files) and options."""
        return {
            "type": self.type_name,
            "root": str(self.root.absolute()),
            "pattern": self.pattern,
            "names": list(self.names) if self._listed else None,
            "extensions": None if self.extensions is None else list(self.extensions),
            "group": None if self._group is None else self._group.to_dict(),
            "squeeze": self._files.squeeze,
        }

    @classmethod
    def from_dict(
        cls, description: Mapping[str, Any], *, base: Path, allow: Sequence[str] = ()
    ) -> FileSource:
        """List the files again."""
        root, names, group = base / description["root"], description["names"], description["group"]
        if names is not None and not names:
            raise SourceNotFoundError("The recipe lists no files.")
        return cls(
            root if names is None else [root / name for name in names],
            pattern=description["pattern"],
            extensions=description["extensions"],
            group=None if group is None else label_rule_from_dict(group, allow=allow),
            squeeze=description["squeeze"],
        )

    def __repr__(self) -> str:
        return f"FileSource({str(self.root)!r}, pattern={self.pattern!r}, {counted(len(self), 'samples')})"
