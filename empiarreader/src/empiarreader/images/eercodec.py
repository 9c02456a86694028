"""Electrons of one EER frame: from the bits of a file to counts on a grid.

A frame is a string of codes: how many empty pixels come before an electron, and where in its pixel it struck.
imagecodecs unpacks it, and this module gives it what it expects.

Sources: the published EER File Format (layouts, tags), and RELION's reader for the first cameras' layout.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from empiarreader.errors import DamagedDataError, InvalidRequestError
from empiarreader.images.base import Array

FIXED_8, FIXED_7, VARIABLE = 65000, 65001, 65002
_FACTORS = {1: 0, 2: 1, 4: 2}
_LAST_BYTES = 16  # frames are filled up to whole words of 8 bytes, or two of them


@dataclass(frozen=True, kw_only=True)
class EerLayout:
    """How many bits a code has: for the run of empty pixels, and for the place in a pixel along x and y."""

    compression: int
    run_bits: int
    x_bits: int
    y_bits: int

    def check(self, label: str) -> None:
        """Raise where no camera could write such codes.

        Raises
        ------
        DamagedDataError
            If the numbers of bits make no sense.
        """
        bits = self.run_bits, self.x_bits, self.y_bits
        if not (4 <= bits[0] <= 14 and 1 <= bits[1] <= 4 and 1 <= bits[2] <= 4 and 8 < sum(bits) <= 16):
            raise DamagedDataError(f"{label} is a damaged EER file: codes of {bits} bits")

    def check_factor(self, factor: int) -> None:
        """Raise where a grid cannot be made finer by a factor.

        Raises
        ------
        InvalidRequestError
            If the factor is not 1, 2 or 4, or finer than places in a pixel are kept.
        """
        finest = 2 ** min(self.x_bits, self.y_bits)
        if factor not in _FACTORS or factor > finest:
            raise InvalidRequestError(
                f"super_resolution is {factor}; for this file it is one of "
                f"{', '.join(str(known) for known in _FACTORS if known <= finest)}"
            )


def add_electrons(bits: bytes, layout: EerLayout, factor: int, counts: Array, label: str) -> None:
    """Add the electrons of one frame to ``counts``, uint8 or uint16, on a grid finer by ``factor``.

    Raises
    ------
    DamagedDataError
        If the bits do not describe a frame of that size.
    """
    if layout.compression == FIXED_8 and not _is_exact(bits, layout, counts, factor):
        places = _places_of_whole_words(bits, counts.size // factor**2)
        if places is not None:
            _add_places(*places, factor, counts)
            return
    try:
        _decode(bits, layout, factor, counts)
    except (RuntimeError, ValueError) as error:
        raise DamagedDataError(f"a frame of {label} is damaged: {error}") from error


def _decode(bits: bytes, layout: EerLayout, factor: int, counts: Array) -> None:
    """Add electrons through imagecodecs, which raises where the codes do not end with the last pixel.

    It takes strings of an even length, and looks at the last code only if more follows. The ones that are put
    after them are runs of empty pixels, enough to lead out of the image: what ends too early is noticed.
    """
    import imagecodecs

    runs = counts.size // factor**2 // (2**layout.run_bits - 1)
    ones = b"\xff" * (8 + len(bits) % 2 + 2 * (runs * layout.run_bits // 16))
    imagecodecs.eer_decode(
        bits + ones,
        counts.shape,
        layout.run_bits,
        layout.x_bits,
        layout.y_bits,
        superres=_FACTORS[factor],
        out=counts,
    )


# The first cameras, whose tag is the same, wrote places of no meaning after the longest runs, too, so that
# all their codes have 12 bits. What tells the two kinds is that only the right reading of a frame comes to
# the last pixel with the last code. (A frame of a few electrons may be read both ways, one of a camera not.)


def _is_exact(bits: bytes, layout: EerLayout, counts: Array, factor: int) -> bool:
    """Return whether the codes of a frame lead to its last pixel, and no earlier than at their end."""
    shape = tuple(length // factor for length in counts.shape)

    def ends(part: bytes) -> bool:
        try:
            _decode(part, layout, 1, np.zeros(shape, np.uint16))
        except (RuntimeError, ValueError):
            return False
        return True

    return ends(bits) and not ends(bits[:-_LAST_BYTES])


def _places_of_whole_words(bits: bytes, pixels: int) -> tuple[Array, Array] | None:
    """Return pixel and place of each electron by codes of 12 bits, None where these are no such codes."""
    bits += bytes(-len(bits) % 3)
    whole = np.frombuffer(bits, np.uint8).reshape(-1, 3).astype(np.int64)
    codes = np.stack([whole[:, 0] | (whole[:, 1] & 15) << 8, whole[:, 1] >> 4 | whole[:, 2] << 4], 1).reshape(
        -1
    )
    runs = codes & 255
    is_electron = runs < 255
    reached = np.cumsum(runs + is_electron) - is_electron  # the pixel that each code leads to
    end = int(np.searchsorted(reached, pixels))
    if end == len(reached) or reached[end] != pixels or 12 * (len(codes) - end) > 8 * (_LAST_BYTES + 3):
        return None
    return reached[:end][is_electron[:end]], codes[:end][is_electron[:end]] >> 8


def _add_places(pixels: Array, places: Array, factor: int, counts: Array) -> None:
    columns = counts.shape[1] // factor
    x = (pixels % columns * 4 + ((places & 3) ^ 2)) * factor // 4
    y = (pixels // columns * 4 + ((places >> 2) ^ 2)) * factor // 4
    np.add.at(counts, (y, x), 1)
