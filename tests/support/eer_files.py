"""EER files from lists of electrons, written independently of the reader.

The bits are as in the sources of the camera's makers and of RELION. Codes are packed with the lowest bit
first, each the number of empty pixels before an electron, then its place within the pixel along x and y with
the highest bit turned round. A run of all ones is no electron but that many empty pixels, and carries no
place. A last run counts the pixels after the last electron. Tags are those of the published EER File Format.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

LAYOUTS = {65000: (8, 2, 2), 65001: (7, 2, 2), 65002: (7, 1, 1)}
SHORT, LONG, UNDEFINED, LONG8 = 3, 4, 7, 16
Tag = tuple[int, int, int | list[int] | bytes]
_WIDTH = {SHORT: 2, LONG: 4, UNDEFINED: 1, LONG8: 8}
METADATA = (
    '<metadata><item name="exposureTime" unit="s">2.5</item>'
    '<item name="totalDose" unit="e/pixel">32.0</item>'
    '<item name="numberOfFrames">{frames}</item><item name="sensorPixelSize.width" unit="m">8e-11</item>'
    '<item name="sensorPixelSize.height" unit="m">8e-11</item>'
    '<item name="cameraName">Falcon</item></metadata>'
)


@dataclass(frozen=True)
class Electrons:
    """Electrons of one frame, at most one a pixel, on the finest grid of 4 x 4 places a pixel."""

    x: NDArray[np.int64]
    y: NDArray[np.int64]

    def image(self, pixels: int, factor: int) -> NDArray[np.int64]:
        """Return how many electrons fall on each pixel of a grid finer by ``factor``, by counting them."""
        counts = np.zeros((pixels * factor, pixels * factor), np.int64)
        np.add.at(counts, (self.y * factor // 4, self.x * factor // 4), 1)
        return counts


def random_electrons(generator: np.random.Generator, pixels: int, count: int) -> Electrons:
    """Return electrons at random places, one a pixel at most."""
    chosen = np.sort(generator.choice(pixels * pixels, count, replace=False))
    places = generator.integers(0, 4, (2, count))
    return Electrons(x=chosen % pixels * 4 + places[0], y=chosen // pixels * 4 + places[1])


def encode_frame(
    electrons: Electrons, pixels: int, layout: tuple[int, int, int], *, waste: bool = False
) -> bytes:
    """Return the bits of one frame, filled up with zeros to words of 64 bits.

    ``waste`` writes runs of all ones with the bits of a place, as the first 8-bit cameras did.
    """
    run_bits, x_bits, y_bits = layout
    longest = 2**run_bits - 1
    value = length = 0

    def put(code: int, bits: int) -> None:
        nonlocal value, length
        value |= code << length
        length += bits

    def put_run(empty: int) -> None:
        while empty >= longest:
            put(longest, run_bits)
            if waste:
                put(0, x_bits + y_bits)
            empty -= longest
        put(empty, run_bits)

    order = np.lexsort((electrons.x, electrons.y // 4))
    here = 0
    for x, y in zip(electrons.x[order].tolist(), electrons.y[order].tolist(), strict=True):
        pixel = (y // 4) * pixels + x // 4
        put_run(pixel - here)
        put((x % 4 >> (2 - x_bits)) ^ (1 << (x_bits - 1)), x_bits)
        put((y % 4 >> (2 - y_bits)) ^ (1 << (y_bits - 1)), y_bits)
        here = pixel + 1
    put_run(pixels * pixels - here)
    return value.to_bytes(-(-length // 64) * 8, "little")


def eer_bytes(
    frames: Sequence[Electrons],
    pixels: int,
    *,
    compression: int = 65001,
    strips: int = 1,
    final_image: bool = False,
    metadata: str | None = METADATA,
    big: bool = True,
    waste: bool = False,
) -> bytes:
    """Return an EER file: one page a frame, first of all the sum of them where ``final_image``."""
    layout = LAYOUTS[compression]
    notes = metadata.format(frames=len(frames)).encode() if metadata is not None else None
    pages: list[tuple[list[bytes], list[Tag]]] = []
    if final_image:
        total = sum((frame.image(pixels, 1) for frame in frames), np.zeros((pixels, pixels), np.int64))
        pages.append(([total.astype("<u2").tobytes()], [(258, SHORT, 16), (259, SHORT, 1), (277, SHORT, 1)]))
    for frame in frames:
        body = encode_frame(frame, pixels, layout, waste=waste)
        cuts = [len(body) * k // strips for k in range(strips + 1)]
        parts = [body[a:b] for a, b in pairwise(cuts)]
        tags: list[Tag] = [(258, SHORT, 1), (259, SHORT, compression)]
        if compression == 65002:
            tags += [(65007, SHORT, layout[0]), (65008, SHORT, layout[1]), (65009, SHORT, layout[2])]
        pages.append((parts, tags))
    if notes is not None and pages:
        pages[0][1].append((65001, UNDEFINED, notes))
    return _write_tiff(pages, pixels, big)


def _write_tiff(pages: Sequence[tuple[list[bytes], list[Tag]]], pixels: int, big: bool) -> bytes:
    content = bytearray(
        struct.pack("<2sHHHQ", b"II", 43, 8, 0, 0) if big else struct.pack("<2sHI", b"II", 42, 0)
    )
    link = 8 if big else 4
    for parts, tags in pages:
        places = []
        for part in parts:
            places.append(len(content))
            content += part
        rows = -(-pixels // len(parts))
        every: list[Tag] = [
            (256, SHORT, pixels),
            (257, SHORT, pixels),
            (262, SHORT, 1),
            (273, LONG8 if big else LONG, places),
            (278, SHORT, rows),
            (279, LONG, [len(part) for part in parts]),
            *tags,
        ]
        entries = [_entry(content, *tag, big) for tag in sorted(every, key=lambda tag: tag[0])]
        content += bytes(-len(content) % 8)
        struct.pack_into("<Q" if big else "<I", content, link, len(content))
        content += struct.pack("<Q" if big else "<H", len(entries)) + b"".join(entries)
        link = len(content)
        content += bytes(8 if big else 4)
    return bytes(content)


def _entry(content: bytearray, tag: int, kind: int, value: int | list[int] | bytes, big: bool) -> bytes:
    if isinstance(value, bytes):
        data, count = value, len(value)
    else:
        numbers: list[int] = value if isinstance(value, list) else [value]
        data = b"".join(number.to_bytes(_WIDTH[kind], "little") for number in numbers)
        count = len(numbers)
    inline = 8 if big else 4
    if len(data) > inline:
        content += bytes(-len(content) % 8)
        place = len(content)
        content += data
        data = place.to_bytes(inline, "little")
    return struct.pack("<HHQ" if big else "<HHI", tag, kind, count) + data.ljust(inline, b"\0")
