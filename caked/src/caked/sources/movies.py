"""Movies as samples: their frames, groups of them, or their sum, corrected, with the dose of each."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from caked.counting import counted
from caked.errors import InvalidOptionError, RecipeError, ShapeError
from caked.io.read import deliver, whole_region
from caked.keys import Columns
from caked.protocol import Array, Region
from caked.sources.base import Source, register, source_from_dict
from caked.sources.coercion import as_source
from caked.sources.files import FileSource

__all__ = ["MovieSource"]


@register("movies")
class MovieSource(Source):
    """Movies ``(frame, y, x)`` of another source, with their frames kept, summed in groups, or all summed.

    Parameters
    ----------
    source
        Movies: files (:class:`~caked.FileSource` with ``squeeze=False``), or anything that can be
        a source. A micrograph ``(y, x)`` is a movie of one frame.
    frames
        ``"keep"`` them; ``"sum"`` them all, which makes images ``(y, x)``; or a number: sum each so many, and
        what is left over at the end together.
    gain
        Gain reference ``(y, x)`` that every frame is multiplied by, a path or an array; ``None`` for movies
        that are corrected already.
    first, last
        The first frame to take, and the one to stop before, as in a slice.
    dose_per_frame_electrons_per_square_angstrom
        Gives the key ``dose_electrons_per_square_angstrom``: what the specimen has received before each frame
        (or group), counted from the first frame of the file; ``None`` where not known.

    Notes
    -----
    Frames are read and summed one after the other: a movie is never in memory as a whole to be summed. Sums
    and corrected frames are float32. Files that store the reciprocal of the gain, or turn it, are for the
    caller to bring in order: ``gain`` is multiplied as it is.

    Examples
    --------
    >>> movies = np.arange(24.0).reshape(2, 3, 2, 2)
    >>> source = MovieSource(movies, frames=2, dose_per_frame_electrons_per_square_angstrom=1.5)
    >>> source.shape(0), source.columns([0])["dose_electrons_per_square_angstrom"].tolist()
    ((2, 2, 2), [[0.0, 3.0]])
    """

    def __init__(
        self,
        source: Any,
        *,
        frames: str | int = "keep",
        gain: Any = None,
        first: int = 0,
        last: int | None = None,
        dose_per_frame_electrons_per_square_angstrom: float | None = None,
    ) -> None:
        if frames not in ("keep", "sum") and not (isinstance(frames, int) and frames > 0):
            raise InvalidOptionError(f"Frames are 'keep', 'sum' or a number of them from 1, not {frames!r}.")
        if first < 0 or (last is not None and last <= first):
            raise InvalidOptionError(f"Frames {first} to {last} are none.")
        self.source: Source = as_source(source)
        self.frames = frames
        self.first, self.last = first, last
        self.dose_per_frame = dose_per_frame_electrons_per_square_angstrom
        self._gain_path = None if gain is None or isinstance(gain, np.ndarray) else Path(gain)
        self._gain: Array | None = gain if isinstance(gain, np.ndarray) else None

    @property
    def gain(self) -> Array | None:
        """The gain reference, read when first needed."""
        if self._gain is None and self._gain_path is not None:
            self._gain = np.asarray(FileSource(self._gain_path).read(0), dtype=np.float32)
        return self._gain

    def groups_of(self, i: int) -> list[range]:
        """Return the frames, as numbered in the file, that each frame of the sample is the sum of."""
        shape = self.source.shape(i)
        if len(shape) not in (2, 3):
            raise ShapeError(f"{self.source.names[i]} has shape {shape}, and a movie is (frame, y, x).")
        there = range(shape[0] if len(shape) == 3 else 1)[self.first : self.last]
        if not len(there):
            raise ShapeError(
                f"{self.source.names[i]} has {counted(shape[0], 'frames')}, none from {self.first} on."
            )
        step = len(there) if self.frames == "sum" else 1 if self.frames == "keep" else int(self.frames)
        return [there[start : start + step] for start in range(0, len(there), step)]

    @property
    def names(self) -> Sequence[str]:
        """Names of the movies."""
        return self.source.names

    def shape(self, i: int) -> tuple[int, ...]:
        """Return ``(frame, y, x)``, or ``(y, x)`` of sums."""
        size = self.source.shape(i)[-2:]
        return size if self.frames == "sum" else (len(self.groups_of(i)), *size)

    def dtype(self, i: int) -> np.dtype[Any]:
        """Return the type of the frames; float32 of sums and corrected frames."""
        plain = self.frames == "keep" and self.gain is None
        return self.source.dtype(i) if plain else np.dtype(np.float32)

    def read(self, i: int, region: Region | None = None, out: Array | None = None) -> Array:
        """Read a movie, or a region of it: only the frames and rows that the region needs."""
        wanted = whole_region(region or (), self.shape(i))
        if self.frames == "sum":
            total = self._summed(i, self.groups_of(i)[0], wanted)
            return deliver(total, out, dtype=total.dtype)
        groups = self.groups_of(i)[wanted[0]]
        shape = (len(groups), *(part.stop - part.start for part in wanted[1:]))
        result = np.empty(shape, dtype=self.dtype(i))
        for frame, group in zip(result, groups, strict=True):
            frame[...] = self._summed(i, group, wanted[1:])
        return deliver(result, out, dtype=result.dtype)

    def _summed(self, i: int, frames: range, window: Region) -> Array:
        """Return the sum of some frames, corrected: the gain is the same for all of them."""
        flat = len(self.source.shape(i)) == 2
        total: Array | None = None
        for frame in frames:
            place = window if flat else (slice(frame, frame + 1), *window)
            image = self.source.read(i, place)
            image = image if flat else image[0]
            if self.frames == "keep" and self.gain is None:
                return image
            total = image.astype(np.float32) if total is None else total + image
        assert total is not None
        gain = self.gain
        if gain is None:
            return total
        if gain.shape != self.source.shape(i)[-2:]:
            raise ShapeError(
                f"The gain reference has shape {gain.shape}, frames of {self.source.names[i]} have "
                f"{self.source.shape(i)[-2:]}."
            )
        return total * gain[window].astype(np.float32)

    def columns(self, indices: Sequence[int]) -> Columns:
        """Return what is known of the movies, and the dose before each frame."""
        columns = dict(self.source.columns(indices))
        sizes = [self.pixel_size(i) for i in indices]
        columns["pixel_size_angstrom"] = np.array(sizes)
        if self.dose_per_frame is not None:
            doses = [self._doses(i) for i in indices]
            alike = len({len(dose) for dose in doses}) == 1
            columns["dose_electrons_per_square_angstrom"] = np.stack(doses) if alike else doses
        return columns

    def _doses(self, i: int) -> Array:
        return np.array([group.start for group in self.groups_of(i)]) * float(self.dose_per_frame or 0.0)

    def meta(self, i: int) -> dict[str, Any]:
        """Return what is known of the movie, and the dose before each frame."""
        known = {**self.source.meta(i), "pixel_size_angstrom": self.pixel_size(i)}
        if self.dose_per_frame is not None:
            known["dose_electrons_per_square_angstrom"] = self._doses(i)
        return known

    def pixel_size(self, i: int) -> tuple[float, ...]:
        """Return the pixel size along y and x, and 0.0 across frames."""
        size = self.source.pixel_size(i)[-2:]
        return size if self.frames == "sum" else (0.0, *size)

    def group(self, i: int) -> str | None:
        """Ask the source."""
        return self.source.group(i)

    def digest(self, *, content: bool | None = None) -> str:
        """Return the source's digest with the options and the gain."""
        digest = hashlib.sha256(self.source.digest(content=content).encode())
        digest.update(f"{self.frames} {self.first} {self.last} {self.dose_per_frame}".encode())
        if self.gain is not None:
            digest.update(np.ascontiguousarray(self.gain).tobytes())
        return digest.hexdigest()

    def to_dict(self) -> dict[str, Any]:
        """Return the source, the options, and where the gain is."""
        if self._gain is not None and self._gain_path is None:
            raise RecipeError("A gain in memory cannot be written into a recipe; give its path.")
        gain = None if self._gain_path is None else {"root": str(self._gain_path.absolute())}
        return {
            "type": self.type_name,
            "source": self.source.to_dict(),
            "frames": self.frames,
            "gain": gain,
            "first": self.first,
            "last": self.last,
            "dose_per_frame": self.dose_per_frame,
        }

    @classmethod
    def from_dict(
        cls, description: Mapping[str, Any], *, base: Path, allow: Sequence[str] = ()
    ) -> MovieSource:
        """Make the source again."""
        gain = description["gain"]
        return cls(
            source_from_dict(description["source"], base=base, allow=allow),
            frames=description["frames"],
            gain=None if gain is None else base / gain["root"],
            first=description["first"],
            last=description["last"],
            dose_per_frame_electrons_per_square_angstrom=description["dose_per_frame"],
        )

    def __repr__(self) -> str:
        return f"MovieSource({self.source!r}, frames={self.frames!r})"
