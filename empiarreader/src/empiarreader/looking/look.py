"""Reading what a plan says, and making of it a picture and a power spectrum."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from empiarreader.images.base import Array
from empiarreader.looking.plan import Plan, plan_reading
from empiarreader.looking.spectrum import PowerSpectrum, power_spectrum
from empiarreader.looking.subject import Subject
from empiarreader.regions import Region
from empiarreader.thumbnails import shrink

REMOTE_BYTES = 2**24  # one frame of most cameras
LOCAL_BYTES = 256_000_000
_SECTIONS_AT_ONCE = 4
_LEAST_TILE, _LARGEST_TILE = 64, 512
_DETAIL_ASPECT = 11 / 8  # width over height
_GAP = 1 / 32  # between particles, of their side


@dataclass(frozen=True, kw_only=True)
class Statistics:
    """Of the values that were read, of a sum of frames those of the sum; None where no value is finite."""

    minimum: float | None
    maximum: float | None
    mean: float | None
    standard_deviation: float | None


@dataclass(frozen=True, kw_only=True, eq=False)
class Look:
    """What was read of an image.

    Attributes
    ----------
    plan : Plan
        What that was.
    picture : NDArray
        ``(y, x)``, averaged over square blocks of pixels.
    block : int
        How many pixels of the image a pixel of the picture is wide.
    detail, detail_block
        The same of the middle of a band, larger; None where the picture is no band.
    statistics : Statistics
        Of the values read.
    spectrum : PowerSpectrum or None
        None where none was asked for, or the image is too small for one.
    """

    plan: Plan
    picture: NDArray[np.float64]
    block: int
    statistics: Statistics
    spectrum: PowerSpectrum | None
    detail: NDArray[np.float64] | None = None
    detail_block: int = 1


def look_at(
    subject: Subject,
    *,
    size: int,
    limit_bytes: int | None = None,
    most_frames: int,
    spectrum: bool = True,
) -> Look:
    """Read what may move of an image.

    Parameters
    ----------
    subject
        The image.
    size
        Longest side of the picture, at most.
    limit_bytes
        How many bytes of pixels may be read; None is 16 MiB over a network and 256 MB from a disk.
    most_frames
        How many frames are summed, or particles shown, at most.
    spectrum
        Whether to make a power spectrum.
    """
    plan = plan_reading(
        subject.shape,
        subject.dims,
        subject.dtype.itemsize,
        kind=subject.kind,
        limit_bytes=limit_for(subject, limit_bytes),
        stored_bytes=subject.stored_bytes,
        by_rows=subject.by_rows,
        most_frames=most_frames,
    )
    if subject.kind == "particles":
        return _look_at_particles(subject, plan, size, spectrum)
    whole = _sum(_sections(subject, plan))
    picture, block = _shrunk(whole, size)
    height, width = whole.shape
    is_band = len(plan.rows) < subject.rows and 2 * height <= width
    detail, detail_block = _shrunk(_middle(whole), size) if is_band else (None, 1)
    return Look(
        plan=plan,
        picture=picture,
        block=block,
        statistics=statistics(whole),
        spectrum=_spectrum(whole, subject) if spectrum else None,
        detail=detail,
        detail_block=detail_block,
    )


def _spectrum(image: NDArray[Any], subject: Subject) -> PowerSpectrum | None:
    """Return the spectrum of an image from several tiles, also of a small one: a single one is all noise."""
    side = max(_LEAST_TILE, min(_LARGEST_TILE, min(image.shape) // 2))
    return power_spectrum([image], subject.pixel_size_angstrom, largest_tile=side)


def _middle(band: NDArray[Any]) -> NDArray[Any]:
    """Return the middle of a band that is much wider than high, a little wider than high itself."""
    height, width = band.shape
    kept = min(width, round(height * _DETAIL_ASPECT))
    start = (width - kept) // 2
    return band[:, start : start + kept]


def limit_for(subject: Subject, limit_bytes: int | None) -> int:
    """Return how much may be read of an image, where nothing else is said."""
    if limit_bytes is not None:
        return limit_bytes
    return LOCAL_BYTES if subject.is_near else REMOTE_BYTES


def statistics(values: NDArray[Any]) -> Statistics:
    """Return minimum, maximum, mean and standard deviation of what is finite."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return Statistics(minimum=None, maximum=None, mean=None, standard_deviation=None)
    return Statistics(
        minimum=float(finite.min()),
        maximum=float(finite.max()),
        mean=float(finite.mean(dtype=np.float64)),
        standard_deviation=float(finite.std(dtype=np.float64)),
    )


def _look_at_particles(subject: Subject, plan: Plan, size: int, spectrum: bool) -> Look:
    read = list(_sections(subject, plan))
    across = int(np.ceil(len(read) ** 0.5))
    small = [_shrunk(image, max(8, size // across)) for image in read]
    found = power_spectrum(read, subject.pixel_size_angstrom) if spectrum else None
    return Look(
        plan=plan,
        picture=tile([picture for picture, _ in small], across),
        block=small[0][1],
        statistics=statistics(np.stack(read)),
        spectrum=found,
    )


def tile(pictures: list[NDArray[np.float64]], across: int) -> NDArray[np.float64]:
    """Return pictures of one shape side by side, with gaps that are not a number between them."""
    height, width = pictures[0].shape
    gap = max(1, round(_GAP * max(height, width)))
    down = -(-len(pictures) // across)
    sheet = np.full((down * (height + gap) - gap, across * (width + gap) - gap), np.nan)
    for number, picture in enumerate(pictures):
        y, x = number // across * (height + gap), number % across * (width + gap)
        sheet[y : y + height, x : x + width] = picture
    return sheet


def _sections(subject: Subject, plan: Plan) -> Iterator[NDArray[Any]]:
    """Yield the planes of a plan, a few of them on their way at a time."""
    first, last = plan.sections.start, plan.sections.stop
    pieces = [range(k, min(k + _SECTIONS_AT_ONCE, last)) for k in range(first, last, _SECTIONS_AT_ONCE)]
    for piece in pieces:
        yield from _planes(subject, subject.read(_region(subject, plan, piece)))


def _region(subject: Subject, plan: Plan, sections: range) -> Region:
    rows = slice(plan.rows.start, plan.rows.stop)
    if subject.dims[0] == "y":
        return (rows,)
    leading = tuple(slice(k, k + 1) for k in plan.leading)
    return (*leading, slice(sections.start, sections.stop), rows)


def _planes(subject: Subject, read: Array) -> Iterator[NDArray[Any]]:
    """Yield the sections of what was read as real ``(y, x)``; of colours their mean, of waves their size."""
    if np.iscomplexobj(read):
        read = np.log1p(np.abs(read))
    if subject.dims[-1] == "channel":
        read = read.mean(axis=-1, dtype=np.float32)
    yield from read.reshape(-1, *read.shape[-2:])


def _sum(planes: Iterator[NDArray[Any]]) -> NDArray[np.float32]:
    total: NDArray[np.float32] | None = None
    for plane in planes:
        total = plane.astype(np.float32) if total is None else np.add(total, plane, out=total)
    assert total is not None  # a plan has at least one section
    return total


def _shrunk(image: NDArray[Any], size: int) -> tuple[NDArray[np.float64], int]:
    return shrink(image, size), max(1, -(-max(image.shape) // size))
