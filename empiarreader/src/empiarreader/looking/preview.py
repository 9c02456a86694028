"""A look at one image: the picture, its power spectrum and what is known of it, as PNG and in a notebook."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from empiarreader.byteunits import describe_bytes
from empiarreader.errors import InvalidRequestError
from empiarreader.listing.tree import ArchiveFile
from empiarreader.looking.drawn import Drawn
from empiarreader.looking.look import REMOTE_BYTES, Look, look_at
from empiarreader.looking.plan import MOST_FRAMES
from empiarreader.looking.scale import say_pixel
from empiarreader.looking.subject import Subject, subject_of_array, subject_of_file
from empiarreader.network.counters import traffic
from empiarreader.notebook import picture_html

if TYPE_CHECKING:
    import xarray
    from numpy.typing import NDArray

    from empiarreader.looking.spectrum import PowerSpectrum

_PICTURE_SIZE = 512
_LARGEST_PICTURE = 4096


@dataclass(frozen=True, kw_only=True, eq=False)
class Preview(Drawn):
    """What :func:`preview` saw; a notebook shows it as a picture.

    Attributes
    ----------
    name : str
        Address, path or EMDB id.
    kind : str
        ``"image"``, ``"volume"`` (its middle section is shown), ``"movie"`` (the sum of its first frames),
        ``"particles"`` (some of them side by side) or ``"tilts"`` (the middle one).
    shape : tuple of int
        Of the whole image, in array order.
    sections, rows : int
        How many sections, frames or particles it has (1 of a single image), and rows each.
    dtype : str
        Type that its values are read as.
    pixel_size_angstrom : tuple of float, or None
        Along y and x, None where nobody says.
    look : Look
        What was read: ``look.plan`` says which part.
    bytes_moved, requests : int
        What this process moved meanwhile.
    """

    name: str
    kind: str
    shape: tuple[int, ...]
    sections: int
    rows: int
    dtype: str
    pixel_size_angstrom: tuple[float, float] | None
    look: Look
    bytes_moved: int
    requests: int

    @property
    def picture(self) -> NDArray[Any]:
        """The picture, ``(y, x)``, in the image's own values; its first row is the image's first."""
        return self.look.picture

    @property
    def spectrum(self) -> PowerSpectrum | None:
        """The power spectrum, None where the image is too small for one."""
        return self.look.spectrum

    def describe(self) -> tuple[str, ...]:
        """Return what was seen, in lines of text."""
        values = self.look.statistics
        lines = [
            f"{' x '.join(map(str, self.shape))} {self.dtype}, {say_pixel(self.pixel_size_angstrom)}",
            f"shown: {self.shown()}",
        ]
        if values.mean is not None:
            lines.append(
                f"values read: {values.minimum:.4g} to {values.maximum:.4g}, mean {values.mean:.4g}, "
                f"standard deviation {values.standard_deviation:.4g}"
            )
        asked = f"{self.requests} request{'' if self.requests == 1 else 's'}"
        moved = f"{describe_bytes(self.bytes_moved)} in {asked}" if self.requests else "nothing"
        lines.append(f"moved: {moved}")
        return tuple(lines)

    def shown(self) -> str:
        """Return which part of the image the picture and the power spectrum are of."""
        plan = self.look.plan
        first, last, count = plan.sections.start, plan.sections.stop - 1, self.sections
        parts = {
            "image": "the image",
            "volume": f"section {first} of {count}",
            "tilts": f"tilt {first} of {count}",
            "movie": f"the sum of frames {first} to {last} of {count}" if last else f"frame 0 of {count}",
            "particles": f"particles {first} to {last} of {count}",
        }
        text = parts[self.kind]
        if len(plan.rows) < self.rows:
            text += f", rows {plan.rows.start} to {plan.rows.stop - 1} of {self.rows}"
        return text

    def facts(self) -> dict[str, Any]:
        """Return what was seen, as JSON can hold it."""
        plan = self.look.plan
        return {
            "name": self.name,
            "kind": self.kind,
            "shape": list(self.shape),
            "dtype": self.dtype,
            "pixel_size_angstrom": self.pixel_size_angstrom and list(self.pixel_size_angstrom),
            "first_section": plan.sections.start,
            "sections_shown": len(plan.sections),
            "sections": self.sections,
            "first_row": plan.rows.start,
            "rows_shown": len(plan.rows),
            **asdict(self.look.statistics),
            "bytes_moved": self.bytes_moved,
            "requests": self.requests,
        }

    @cached_property
    def png(self) -> bytes:
        """The picture with its scale bar, and the power spectrum with rings of resolution, as a PNG file.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed: ``pip install 'empiarreader[plot]'``.
        """
        from empiarreader.looking.drawing import draw_look

        return draw_look(self.name, self.describe(), self.look, self.pixel_size_angstrom)

    def _repr_html_(self) -> str:
        return picture_html(self.name, self.png, self.describe())


def preview(
    image: str | os.PathLike[str] | ArchiveFile | xarray.DataArray,
    *,
    kind: str | None = None,
    pixel_size_angstrom: float | None = None,
    limit_bytes: int | None = None,
    most_frames: int = MOST_FRAMES,
    size: int = _PICTURE_SIZE,
) -> Preview:
    """Look at an image: its picture and its power spectrum, from a few megabytes of it.

    An image that is larger than what may move is read in part: of files whose rows lie as they are (MRC,
    SPIDER, IMAGIC), or in strips (TIFF), a band of rows in the middle; of movies the first frames; of stacks
    of particles the first ones. What was read, and how much moved, is said.

    Parameters
    ----------
    image
        What :func:`empiarreader.open_image` opens (address, path, ``"EMD-3197"``), a file that an entry
        lists, or an array.
    kind
        What the sections of a stack are, where header and name do not tell it right: ``"movie"``,
        ``"particles"``, ``"tilts"`` or ``"volume"``.
    pixel_size_angstrom
        Where the file gives none or a wrong one.
    limit_bytes
        How many bytes of pixels may be read; None is 16 MiB over a network, 256 MB from a disk.
    most_frames
        How many frames are summed at most.
    size
        Longest side of the picture in pixels, at most.

    Returns
    -------
    Preview
        With ``png`` and ``save()``; a notebook shows it.

    Raises
    ------
    InvalidRequestError
        If the options make no sense, there are no pixels, or the least that can be read is above the limit.
    UnsupportedFormatError, DamagedDataError, ArchiveFileNotFoundError, ServiceError
        As of :func:`empiarreader.open_image`.
    """

    def open_subject() -> Subject:
        if isinstance(image, (str, os.PathLike, ArchiveFile)):
            return subject_of_file(
                image.url if isinstance(image, ArchiveFile) else image,
                kind=kind,
                pixel_size_angstrom=pixel_size_angstrom,
                limit_bytes=limit_bytes or REMOTE_BYTES,
            )
        return subject_of_array(image, kind=kind, pixel_size_angstrom=pixel_size_angstrom)

    return preview_subject(open_subject, limit_bytes=limit_bytes, most_frames=most_frames, size=size)


def preview_subject(
    open_subject: Callable[[], Subject],
    *,
    limit_bytes: int | None = None,
    most_frames: int = MOST_FRAMES,
    size: int = _PICTURE_SIZE,
) -> Preview:
    """Look at what a function opens; its description counts to what was moved."""
    if not 16 <= size <= _LARGEST_PICTURE:
        raise InvalidRequestError(f"a preview has 16 to {_LARGEST_PICTURE} pixels a side, not {size}")
    if most_frames < 1 or (limit_bytes is not None and limit_bytes < 1):
        raise InvalidRequestError("at least one frame, and one byte, has to be read")
    before = traffic()
    subject = open_subject()
    look = look_at(subject, size=size, limit_bytes=limit_bytes, most_frames=most_frames)
    moved = traffic() - before
    return Preview(
        name=subject.name,
        kind=subject.kind,
        shape=subject.shape,
        sections=subject.sections,
        rows=subject.rows,
        dtype=str(subject.dtype),
        pixel_size_angstrom=subject.pixel_size_angstrom,
        look=look,
        bytes_moved=moved.bytes_received,
        requests=moved.requests,
    )
