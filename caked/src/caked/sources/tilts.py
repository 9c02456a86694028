"""Tilt series as samples: images of one specimen, with the angle of each and the dose before it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from caked.errors import InvalidOptionError, ShapeError
from caked.io.mdoc import series_of_mdoc
from caked.io.nexus import series_of_nexus
from caked.io.read import deliver, whole_region
from caked.io.series import Series
from caked.io.tomograms import series_of_star
from caked.keys import Columns
from caked.labels import as_label_rule
from caked.protocol import Array, Region
from caked.sources.base import Source, register, source_from_dict
from caked.sources.coercion import as_source
from caked.sources.concat import ConcatSource
from caked.sources.stacks import StackSource
from caked.sources.store import StoreSource

__all__ = ["TiltSeriesSource"]

Order = Literal["stored", "angle", "dose"]

_OF_THE_SERIES = ("pixel_size_angstrom", "optics_group", "half_set", "origin_angstrom")


@register("tilt series")
class TiltSeriesSource(Source):
    """Tilt series ``(tilt, y, x)``, which may differ in their numbers of tilts.

    Made by :meth:`from_mdoc`, :meth:`from_star`, :meth:`from_nexus` or, from images of another source that
    say what they belong to, :meth:`from_images`.

    Parameters
    ----------
    images
        The images of all series, each a sample ``(y, x)``.
    series
        What each series is made of: its name, the indices of its images, angles and doses.
    order
        ``"stored"`` keeps the order of the file, ``"angle"`` sorts from the most negative tilt up, ``"dose"``
        by when they were taken.

    Notes
    -----
    A batch has ``tilt_angle_degrees`` and ``dose_electrons_per_square_angstrom`` ``(B, tilts)`` where they
    are known, the dose being what the specimen had received before the image; what is known of each image
    (pose, defocus) has an axis for the tilts too. Series of unlike lengths in one batch need
    ``Dataset(…, collate="pad")``, ``"list"`` or ``"nested"``.
    """

    def __init__(self, images: Any, series: Sequence[Series], *, order: Order = "stored") -> None:
        if order not in ("stored", "angle", "dose"):
            raise InvalidOptionError(f"Tilts are ordered as 'stored', by 'angle' or 'dose', not {order!r}.")
        if not series:
            raise InvalidOptionError("There are no tilt series.")
        self.images: Source = as_source(images)
        self.series = [one.sorted_by(order) for one in series]

    @classmethod
    def from_mdoc(
        cls,
        paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
        *,
        images: str | os.PathLike[str] | None = None,
        dose_per_tilt: float | None = None,
        order: Order = "stored",
    ) -> TiltSeriesSource:
        """Read tilt series that SerialEM's ``.mdoc`` files describe; needs ``pip install './caked[mdoc]'``.

        Parameters
        ----------
        paths
            One file or several; each is a series.
        images
            Folder of the stacks; ``None`` for that of the ``.mdoc``.
        dose_per_tilt
            In e⁻/Å², for files that state none (``ExposureDose`` of 0); tilts are counted in the order in
            which they were taken.
        """
        found, stacks = series_of_mdoc(_listed(paths), images=images, dose_per_tilt=dose_per_tilt)
        return cls(StackSource(stacks), found, order=order)

    @classmethod
    def from_star(cls, path: str | os.PathLike[str], *, order: Order = "stored") -> TiltSeriesSource:
        """Read the tilt series of RELION's ``tomograms.star`` (4) or ``tilt_series.star`` (5)."""
        found, stacks = series_of_star(path)
        return cls(StackSource(stacks), found, order=order)

    @classmethod
    def from_nexus(
        cls, paths: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], *, order: Order = "stored"
    ) -> TiltSeriesSource:
        """Read tilt series that Parakeet simulated, as NeXus (NXtomo) HDF5 files; each file is a series."""
        listed = _listed(paths)
        found = series_of_nexus(listed)
        stores = [
            StoreSource(path, "entry/data/data", pixel_size_angstrom=(one.pixel_size_angstrom,) * 2)
            for path, one in zip(listed, found, strict=True)
        ]
        return cls(ConcatSource(stores, keys=[one.name for one in found]), found, order=order)

    @classmethod
    def from_images(cls, images: Any, by: Any) -> TiltSeriesSource:
        """Put images of another source together by what they belong to, in their order.

        Parameters
        ----------
        by
            A rule as for labels: :class:`caked.MetaLabels` of ``"rlnGroupName"``, say, for the tilts of
            subtomograms that Warp exported as particles.
        """
        source, rule = as_source(images), as_label_rule(by)
        members: dict[str, list[int]] = {}
        for i in range(len(source)):
            members.setdefault(rule.label(source, i), []).append(i)
        return cls(source, [Series(name=name, members=np.array(rows)) for name, rows in members.items()])

    @property
    def names(self) -> Sequence[str]:
        """Name of each series."""
        return [one.name for one in self.series]

    def shape(self, i: int) -> tuple[int, ...]:
        """Return ``(tilt, y, x)``."""
        one = self.series[i]
        return (len(one.members), *self._image_shape(i))

    def _image_shape(self, i: int) -> tuple[int, ...]:
        members = self.series[i].members
        shape = self.images.shape(int(members[0]))
        for member in members.tolist():
            if self.images.shape(member) != shape:
                raise ShapeError(
                    f"Tilts of one series have one shape: of {self.series[i].name}, "
                    f"{self.images.names[int(members[0])]} has {shape}, {self.images.names[member]} has "
                    f"{self.images.shape(member)}."
                )
        return shape

    def dtype(self, i: int) -> np.dtype[Any]:
        """Return the type of the images."""
        return self.images.dtype(int(self.series[i].members[0]))

    def read(self, i: int, region: Region | None = None, out: Array | None = None) -> Array:
        """Read a series, or a region of it: only the tilts that the region names."""
        tilts, *window = whole_region(region or (), self.shape(i))
        members = self.series[i].members[tilts].tolist()
        if not members:
            empty = np.empty((0, *(part.stop - part.start for part in window)), dtype=self.dtype(i))
            return deliver(empty, out, dtype=empty.dtype)
        if all(part == slice(0, edge) for part, edge in zip(window, self._image_shape(i), strict=True)):
            return self.images.read_batch(members, out)
        stack = np.stack([self.images.read(member, tuple(window)) for member in members])
        return deliver(stack, out, dtype=stack.dtype)

    def columns(self, indices: Sequence[int]) -> Columns:
        """Return angles, doses, and what is known of the images; lists where series differ in length."""
        known = [self._known(i) for i in indices]
        columns: Columns = {}
        for key in known[0]:
            values = [one[key] for one in known if key in one]
            if len(values) == len(known):
                alike = not isinstance(values[0], str) and len({np.shape(value) for value in values}) == 1
                columns[key] = np.stack(values) if alike else values
        return columns

    def _known(self, i: int) -> dict[str, Any]:
        one = self.series[i]
        of_images = self.images.columns(one.members.tolist())
        known: dict[str, Any] = {
            key: np.asarray(values)
            for key, values in of_images.items()
            if key not in _OF_THE_SERIES and isinstance(values, np.ndarray)
        }
        for key in ("half_set", "optics_group"):
            if key in of_images:
                known[key] = np.asarray(of_images[key])[0]
        known |= one.columns()
        known["pixel_size_angstrom"] = np.array(self.pixel_size(i))
        known["micrograph"] = one.name
        return known

    def meta(self, i: int) -> dict[str, Any]:
        """Return what is known of the series."""
        return self._known(i)

    def pixel_size(self, i: int) -> tuple[float, ...]:
        """Return the pixel size along y and x, and 0.0 across tilts."""
        known = self.series[i].pixel_size_angstrom
        size = (known, known) if known else self.images.pixel_size(int(self.series[i].members[0]))[-2:]
        return (0.0, *size)

    def group(self, i: int) -> str | None:
        """Return the group of the images where they all have the same, else the name of the series."""
        groups = {self.images.group(int(member)) for member in self.series[i].members}
        return groups.pop() or self.series[i].name if len(groups) == 1 else self.series[i].name

    def digest(self, *, content: bool | None = None) -> str:
        """Return a sha256 of the images' digest, and of which make up each series."""
        digest = hashlib.sha256(self.images.digest(content=content).encode())
        for one in self.series:
            digest.update(one.name.encode("utf-8", "surrogateescape"))
            for values in (one.members, one.angles_degrees, one.dose):
                digest.update(b"-" if values is None else np.ascontiguousarray(values).tobytes())
        return digest.hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return the images, and what each series is made of."""
        return {
            "type": self.type_name,
            "images": self.images.to_dict(),
            "series": [one.to_dict() for one in self.series],
        }

    @classmethod
    def from_dict(
        cls, description: Mapping[str, Any], *, base: Path, allow: Sequence[str] = ()
    ) -> TiltSeriesSource:
        """Make the images again."""
        images = source_from_dict(description["images"], base=base, allow=allow)
        return cls(images, [Series.from_dict(one) for one in description["series"]])

    def __repr__(self) -> str:
        return f"TiltSeriesSource({self.images!r}, {len(self)} series)"


def _listed(paths: Any) -> list[str]:
    given = [paths] if isinstance(paths, str | os.PathLike) else list(paths)
    if not given:
        raise InvalidOptionError("There are no tilt series: the list of files is empty.")
    return [os.fspath(path) for path in given]
