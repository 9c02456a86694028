"""Exact byte ranges of a remote file, several at once, into memory that the caller owns.

Every answer is checked before a byte of it is used: status 206, the very range asked for, no compression,
the same version of the file as before. Never are several ranges put into one request, which Apache may
answer with the whole file.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from empiarreader.answers import FileVersion as FileVersion
from empiarreader.errors import DamagedDataError
from empiarreader.hedging import fetch_parts
from empiarreader.parts import Part
from empiarreader.transport import CONNECTIONS_PER_HOST

MIB = 1024 * 1024
_SMALLEST_PART = MIB
_LARGEST_PART = 8 * MIB
Spans = Sequence[tuple[int, int]]


def fetch_range(
    url: str,
    start: int,
    view: memoryview,
    *,
    known: FileVersion | None = None,
) -> tuple[FileVersion, int]:
    """Fill ``view`` with the bytes of a remote file from ``start`` on, in one request.

    Parameters
    ----------
    url, start, view
        What to read, from where, and where to put it; ``view`` is writable bytes.
    known
        The version of the file that earlier ranges came from.

    Returns
    -------
    FileVersion, int
        The version read from, and how many bytes there were: fewer than asked for where the file ends.

    Raises
    ------
    FileChangedError
        If the file is no longer the version known.
    ServiceError, ArchiveFileNotFoundError
        If it could not be asked for, or is not there.
    """
    part = Part(url, start, len(view), view, known)
    fetch_parts([part])
    assert part.version is not None
    return part.version, part.count


def fetch_spans(url: str, spans: Sequence[tuple[int, int]], view: memoryview, *, known: FileVersion) -> None:
    """Fill ``view`` with the bytes of several ``(start, length)`` spans, one after the other in memory.

    They move in parts of 1 to 8 MiB, up to 16 at once in a process; the call returns when none is under way.

    Raises
    ------
    DamagedDataError
        If the file ends before a span does, or has changed.
    ServiceError
        If a part could not be had after several attempts.
    """
    parts = [Part(url, start, len(part), part, known) for start, part in _split(spans, view)]
    fetch_parts(parts, deliver=_check_length)


def fetch_file(url: str, file: BinaryIO, *, known: FileVersion) -> None:
    """Write the whole of that version of a remote file to an open file, in bounded memory.

    Raises what :func:`fetch_spans` does; what has been written then is of no use.
    """
    descriptor = file.fileno()

    def write(part: Part) -> None:
        _check_length(part)
        assert part.view is not None
        written = 0
        while written < part.length:
            written += os.pwrite(descriptor, part.view[written:], part.start + written)
        part.view = None

    count = -(-known.size // part_size(known.size))
    edges = [known.size * k // count for k in range(count + 1)]
    fetch_parts(
        [Part(url, start, stop - start, None, known) for start, stop in itertools.pairwise(edges)],
        deliver=write,
    )


def join_spans(spans: Spans, nearby_bytes: int) -> list[tuple[int, int]]:
    """Return the spans sorted, with those joined that overlap or lie no more than ``nearby_bytes`` apart.

    Examples
    --------
    >>> join_spans([(50, 10), (0, 10), (12, 8), (5, 2)], 4)
    [(0, 20), (50, 10)]
    """
    joined: list[tuple[int, int]] = []
    for start, length in sorted(span for span in spans if span[1]):
        if joined and start <= sum(joined[-1]) + nearby_bytes:
            first = joined[-1][0]
            joined[-1] = (first, max(sum(joined[-1]), start + length) - first)
        else:
            joined.append((start, length))
    return joined


def part_size(total_bytes: int) -> int:
    """Return how many bytes one request should ask for, when ``total_bytes`` are wanted in all."""
    return min(_LARGEST_PART, max(_SMALLEST_PART, -(-total_bytes // CONNECTIONS_PER_HOST)))


def _split(spans: Sequence[tuple[int, int]], view: memoryview) -> Iterator[tuple[int, memoryview]]:
    size = part_size(len(view))
    place = 0
    for start, length in spans:
        count = max(1, round(length / size)) if length else 0
        for k in range(count):
            begin, end = length * k // count, length * (k + 1) // count
            yield start + begin, view[place + begin : place + end]
        place += length


def _check_length(part: Part) -> None:
    if part.count != part.length:
        end = part.start + part.count
        raise DamagedDataError(f"{part.url} ends at byte {end}, before byte {part.start + part.length}")
