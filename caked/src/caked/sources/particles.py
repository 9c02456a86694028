"""Particles from the tables of RELION and cryoSPARC: image, pose, shift, CTF, and where they came from."""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Literal

import numpy as np

from caked.counting import counted
from caked.errors import DamagedFileError, InvalidOptionError, SourceNotFoundError
from caked.io.cs import read_particles_cs
from caked.io.layout import reported
from caked.io.particles import WHOLE_FILE, ParticleNames, ParticleTable, folder_of_stacks
from caked.io.read import deliver, read_array, read_sections
from caked.io.star import read_particles_star
from caked.keys import Columns
from caked.labels import LabelRule, as_label_rule, label_rule_from_dict
from caked.protocol import Array, Region
from caked.sources.base import Source, register
from caked.sources.files import FileTable

__all__ = ["ParticleSource"]

logger = logging.getLogger("caked")

Missing = Literal["raise", "drop", "keep"]


@register("particles")
class ParticleSource(Source):
    """The particles of a STAR file (RELION 3.0, 3.1 and 5, Warp) or of a cryoSPARC .cs file.

    Parameters
    ----------
    path
        The table.
    images
        Folder that the names of stacks start from; ``None`` looks for the first stack beside the table and in
        the folders above it, for RELION and cryoSPARC name stacks from the folder of the project.
    missing
        What to do about particles whose stack is not there: ``"raise"``, ``"drop"`` them, or ``"keep"`` them,
        to look at poses and CTF alone; reading such an image is an error.
    passthrough
        Further .cs files of the same particles, joined by ``uid``.
    pixel_size_angstrom
        In place of what the table says.
    apply_sign
        Whether to multiply images by ``blob/sign`` of a .cs file, which makes particles bright in all of
        them. The values are as stored otherwise, and the sign is in ``meta(i)``.
    keep
        Further columns of the table to have in ``meta(i)``, such as ``["rlnClassNumber"]``, to label by.
    group
        What a particle belongs to, so that a split keeps it together: a rule as for labels; ``None`` for its
        micrograph or tomogram, else its stack.

    Raises
    ------
    SourceNotFoundError
        If the table, or a stack, is not there.
    DamagedFileError
        If the table makes no sense, or names an image that its stack does not have.
    RefusedFileError
        If it is no table of particles.

    Notes
    -----
    Names are ``stack#section``, counted from 0; of a particle that is listed again ``stack#section~1`` and so
    on. A name without ``@`` is one particle a file: a subtomogram, or its stack of tilts. A table of
    micrographs (``micrographs_ctf.star``) gives micrographs with their CTF, which patches of them keep.

    A batch has the keys that the table knows, see :mod:`caked.keys`: ``pose`` is R with v_lab = R v_particle,
    ``shift_angstrom`` is where the particle's centre lies from the image's centre, (y, x), the opposite of
    RELION's origin and of cryoSPARC's shift, both of which say how to move the image. The pixel size is that
    of the table where it states one, else that of the stack's header. Headers are read when first needed and
    once; the images of a batch are read in the order in which they lie on disk.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        images: str | os.PathLike[str] | None = None,
        missing: Missing = "raise",
        passthrough: Sequence[str | os.PathLike[str]] = (),
        pixel_size_angstrom: float | None = None,
        apply_sign: bool = False,
        keep: Sequence[str] = (),
        group: Any = None,
    ) -> None:
        if missing not in ("raise", "drop", "keep"):
            raise InvalidOptionError(f"Of missing stacks one can 'raise', 'drop' or 'keep', not {missing!r}.")
        self.path = Path(path)
        self.missing: Missing = missing
        self.passthrough = [Path(other) for other in passthrough]
        self.apply_sign = apply_sign
        self._pixel_size = pixel_size_angstrom
        self._keep = tuple(keep)
        self._group: LabelRule | None = None if group is None else as_label_rule(group)
        self.table = self._read_table()
        self.images = Path(images) if images is not None else folder_of_stacks(self.path, self.table.stacks)
        # What is named with a section is a stack; what is not, a whole file: a volume, tilts, or one image.
        self._stacks = FileTable(self.images, self.table.stacks, squeeze=True)
        self._treat_missing()
        self._names = ParticleNames(self.table)

    def _read_table(self) -> ParticleTable:
        if self.path.suffix.lower() == ".cs":
            return read_particles_cs(self.path, passthrough=self.passthrough, keep=self._keep)
        if self.passthrough or self.apply_sign:
            raise InvalidOptionError(
                f"passthrough and apply_sign are for .cs files, and not for {self.path}."
            )
        return read_particles_star(self.path, keep=self._keep)

    def _treat_missing(self) -> None:
        if self.missing == "keep":
            return
        paths = [self._stacks.path(k) for k in range(len(self.table.stacks))]
        there = np.array([Path(path).is_file() for path in paths], dtype=bool)
        gone = [path for path, is_there in zip(paths, there, strict=True) if not is_there]
        if gone and (self.missing == "raise" or not there.any()):
            raise SourceNotFoundError(
                f"{len(gone)} of {counted(len(there), 'stacks')} of {self.path} cannot be found, such as "
                f"{gone[0]}. Say where they are with images=…, or leave such particles out with "
                "missing='drop'.",
                path=gone[0],
            )
        if gone:
            rows = np.flatnonzero(there[self.table.stack])
            left_out = len(self.table) - len(rows)
            logger.info("%s: %d of %d particles are left out.", self.path, left_out, len(self.table))
            self.table = self.table.select(rows)

    @property
    def names(self) -> Sequence[str]:
        """``stack#section`` of each particle."""
        return self._names

    def __len__(self) -> int:
        return len(self.table)

    def _section(self, i: int) -> tuple[int, int]:
        """Return the stack and the section of a particle, after a check that the stack has it."""
        stack, section = int(self.table.stack[i]), int(self.table.section[i])
        if section != WHOLE_FILE:
            layout = self._stacks.layout(stack)
            count = layout.shape[0] if len(layout.shape) == 3 else 1
            if section >= count:
                raise DamagedFileError(
                    f"Particle {range(len(self))[i] + 1} is image {section + 1} of "
                    f"{self._stacks.path(stack)}, which has {count}: file {self.path} is corrupted, or the "
                    "stack is another.",
                    path=str(self.path),
                )
        return stack, section

    def shape(self, i: int) -> tuple[int, ...]:
        """Return the shape of a particle; reads the header of its stack the first time."""
        stack, section = self._section(i)
        return self._stacks.shape(stack) if section == WHOLE_FILE else self._stacks.layout(stack).shape[-2:]

    def dtype(self, i: int) -> np.dtype[Any]:
        """Return the type of a particle's numbers."""
        dtype = self._stacks.layout(int(self.table.stack[i])).dtype
        return np.result_type(dtype, np.float32) if self._signs(i) is not None else dtype

    def read(self, i: int, region: Region | None = None, out: Array | None = None) -> Array:
        """Read a particle, or a region of it."""
        stack, section = self._section(i)
        layout = self._stacks.layout(stack)
        if section == WHOLE_FILE or len(layout.shape) == 2:
            image = self._stacks.read(stack, region, None)
        else:
            part = (slice(section, section + 1), *(region or ()))
            image = read_array(self._stacks.path(stack), layout, part)[0]
        sign = self._signs(i)
        return deliver(image if sign is None else image * np.float32(sign), out, dtype=self.dtype(i))

    def read_batch(self, indices: Sequence[int], out: Array | None = None) -> Array:
        """Read several particles, in the order of ``indices``."""
        if out is None:
            out = self.empty_batch(indices)
        places = sorted((*self._section(i), k) for k, i in enumerate(indices))
        for stack, group in groupby(places, key=lambda place: place[0]):
            _, sections, rows = zip(*group, strict=True)
            layout = self._stacks.layout(stack)
            if sections[0] == WHOLE_FILE or len(layout.shape) == 2:
                for row in rows:
                    self._stacks.read(stack, None, out[row])
            else:
                read_sections(self._stacks.path(stack), layout, sections, [out[row] for row in rows])
        signs = self._signs(list(indices))
        if signs is not None:
            out *= np.asarray(signs, dtype=out.dtype).reshape(-1, *(1,) * (out.ndim - 1))
        return out

    def _signs(self, rows: Any) -> Array | None:
        if not self.apply_sign or "blob/sign" not in self.table.kept:
            return None
        return np.asarray(self.table.kept["blob/sign"][rows])

    def pixel_size(self, i: int) -> tuple[float, ...]:
        """Return the pixel size along each axis; 0.0 where not known, and across the tilts of a stack."""
        there = self.missing != "keep" or Path(self._stacks.path(int(self.table.stack[i]))).is_file()
        ndim = len(self.shape(i)) if there else 2
        known = self._known_pixel_sizes([i])
        if known is None:
            sizes = self._stacks.pixel_size(int(self.table.stack[i])) if there else ()
            return sizes[-ndim:] or (0.0,) * ndim
        sizes = (float(known[0]),) * ndim
        return (0.0, *sizes[1:]) if ndim == 3 and self.table.tilt_stacks else sizes

    def _known_pixel_sizes(self, rows: Any) -> Array | None:
        if self._pixel_size is not None:
            return np.full(len(rows), float(self._pixel_size))
        known = self.table.pixel_size_angstrom
        return None if known is None else np.asarray(known[rows])

    def columns(self, indices: Sequence[int]) -> Columns:
        """Return pose, shift, CTF and groups of some particles."""
        rows = np.asarray(indices, dtype=np.int64)
        columns = self.table.batch(rows)
        known = self._known_pixel_sizes(rows)
        if known is not None and (self.table.section[rows] != WHOLE_FILE).all():
            columns["pixel_size_angstrom"] = np.repeat(known[:, None], 2, axis=1)
        else:
            columns["pixel_size_angstrom"] = np.array([self.pixel_size(i) for i in rows.tolist()])
        return columns

    def meta(self, i: int) -> dict[str, Any]:
        """Return all that is known of a particle."""
        known: dict[str, Any] = {key: values[0] for key, values in self.columns([i]).items()}
        kept = {key.replace("blob/sign", "sign"): values[[i]][0] for key, values in self.table.kept.items()}
        stack, section = int(self.table.stack[i]), int(self.table.section[i])
        return {**known, **kept, "path": self._stacks.path(stack), "section": max(section, 0)}

    def group(self, i: int) -> str | None:
        """Return the particle's micrograph or tomogram, else its stack, or what the rule says."""
        if self._group is not None:
            return self._group.label(self, i)
        if self.table.micrographs is not None:
            return self.table.micrographs[[i]][0]
        return self.table.stacks[int(self.table.stack[i])]

    def digest(self, *, content: bool | None = None) -> str:
        """Return a sha256 of the table and of the stacks that are there."""
        digest = hashlib.sha256(b"signs" if self.apply_sign else b"")
        for path in (self.path, *self.passthrough):
            with reported(str(path)):
                digest.update(hashlib.sha256(path.read_bytes()).digest())
        if self.missing == "keep":
            there = [Path(self._stacks.path(k)).is_file() for k in range(len(self.table.stacks))]
            if not all(there):
                return digest.hexdigest()
        digest.update(self._used_stacks().digest(content=content is not False).encode())
        return digest.hexdigest()

    def _used_stacks(self) -> FileTable:
        used = [self.table.stacks[int(k)] for k in np.unique(self.table.stack)]
        return FileTable(self.images, used, squeeze=False)

    def to_dict(self) -> dict[str, Any]:
        """Return where table and images are, and the options."""
        return {
            "type": self.type_name,
            "root": str(self.path.parent.absolute()),
            "name": self.path.name,
            "images": {"root": str(self.images.absolute())},
            "missing": self.missing,
            "passthrough": [
                {"root": str(path.parent.absolute()), "name": path.name} for path in self.passthrough
            ],
            "pixel_size_angstrom": self._pixel_size,
            "apply_sign": self.apply_sign,
            "keep": list(self._keep),
            "group": None if self._group is None else self._group.to_dict(),
        }

    @classmethod
    def from_dict(
        cls, description: Mapping[str, Any], *, base: Path, allow: Sequence[str] = ()
    ) -> ParticleSource:
        """Read the table again."""
        group = description["group"]
        return cls(
            base / description["root"] / description["name"],
            images=base / description["images"]["root"],
            missing=description["missing"],
            passthrough=[base / other["root"] / other["name"] for other in description["passthrough"]],
            pixel_size_angstrom=description["pixel_size_angstrom"],
            apply_sign=description["apply_sign"],
            keep=description["keep"],
            group=None if group is None else label_rule_from_dict(group, allow=allow),
        )

    def __repr__(self) -> str:
        return f"ParticleSource({str(self.path)!r}, {counted(len(self), 'particles')})"
