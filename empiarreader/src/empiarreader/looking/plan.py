"""Which part of an image is read for a look at it, so that no more moves than may.

Sections that fit are read whole. Of a larger one a band of rows in its middle is read, as high as fits, where
the rows lie in the file as they are. A band and not rows spread over the whole: averaged down, neighbours
give the picture that all of it would give there, whereas single rows far apart turn fine noise into a coarse
one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

from empiarreader.byteunits import describe_bytes
from empiarreader.errors import InvalidRequestError

Kind = Literal["image", "volume", "movie", "particles", "tilts"]
KINDS: tuple[Kind, ...] = get_args(Kind)

MOST_FRAMES = 40
MOST_PARTICLES = 36
_GOOD_BAND = 1024  # rows: what is gained by more frames rather than by more rows
LEAST_BAND = 64


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to read.

    Attributes
    ----------
    leading : tuple of int
        Place along the axes before that of the sections: which volume of a stack of volumes.
    sections : range
        Neighbouring sections, or frames, or particles; ``range(0, 1)`` of an image without such an axis.
    rows : range
        Neighbouring rows in the middle, or all of them.
    """

    leading: tuple[int, ...]
    sections: range
    rows: range


def plan_reading(
    shape: tuple[int, ...],
    dims: tuple[str, ...],
    itemsize: int,
    *,
    kind: Kind,
    limit_bytes: int,
    stored_bytes: int | None = None,
    by_rows: bool = True,
    most_frames: int = MOST_FRAMES,
) -> Plan:
    """Return what to read of an image.

    Parameters
    ----------
    shape, dims, itemsize
        Of the array.
    kind
        A ``"volume"`` shows its middle section, ``"tilts"`` the middle one, a ``"movie"`` the sum of its
        first frames, ``"particles"`` the first ones side by side.
    limit_bytes
        How much may be read.
    stored_bytes
        Length of the file, which says how much a section takes in it where that is less than its pixels.
    by_rows
        Whether some rows can be had without the others.
    most_frames
        Frames or particles that are read at most.

    Raises
    ------
    InvalidRequestError
        If the image has no pixels, or one section is more than may be read.

    Examples
    --------
    >>> plan_reading((4096, 4096), ("y", "x"), 1, kind="image", limit_bytes=2**24).rows
    range(0, 4096)
    >>> plan_reading((4096, 4096), ("y", "x"), 4, kind="image", limit_bytes=2**24).rows
    range(1536, 2560)
    """
    if "y" not in dims or "x" not in dims or 0 in shape:
        raise InvalidRequestError(f"there is no picture in an image of the shape {shape} {dims}")
    before = shape[: dims.index("y")]
    rows = shape[dims.index("y")]
    total = itemsize * math.prod(shape)
    section_bytes = min(total, stored_bytes or total) // max(1, math.prod(before))
    row_bytes = -(-section_bytes // rows)
    leading = tuple(length // 2 for length in before[:-1])
    count = before[-1] if before else 1
    wanted = min(count, {"movie": most_frames, "particles": min(most_frames, MOST_PARTICLES)}.get(kind, 1))
    affordable = min(wanted, limit_bytes // max(1, section_bytes))
    if affordable:
        return Plan(leading=leading, sections=_choose(kind, count, affordable), rows=range(rows))
    most = describe_bytes(limit_bytes)
    if not by_rows:
        raise InvalidRequestError(
            f"one {'frame' if count > 1 else 'image'} is about {describe_bytes(section_bytes)} in this file "
            f"and can only be had whole, and no more than {most} may move; a higher limit reads it"
        )
    frames = min(wanted, max(1, limit_bytes // (min(rows, _GOOD_BAND) * row_bytes)))
    height = limit_bytes // (frames * row_bytes)
    if height < min(rows, LEAST_BAND):
        raise InvalidRequestError(
            f"no more than {most} may move, which is {height} rows of {row_bytes} bytes; "
            "a higher limit makes a picture"
        )
    start = (rows - height) // 2
    return Plan(leading=leading, sections=_choose(kind, count, frames), rows=range(start, start + height))


def _choose(kind: Kind, count: int, wanted: int) -> range:
    """Return the first frames or particles, which are the quickest to find, or the section in the middle."""
    start = 0 if kind in {"movie", "particles"} else count // 2
    return range(start, start + wanted)
