"""Exact byte ranges of a remote file, several at once, into memory that the caller owns.

Every answer is checked before a byte of it is used: status 206, the very range asked for, no compression,
the same version of the file as before. Never are several ranges put into one request, which Apache may
answer with the whole file.
"""

from __future__ import annotations

import itertools
import os
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from typing import BinaryIO

from empiarreader.errors import DamagedDataError, FileChangedError, ServiceError
from empiarreader.network.answers import FileVersion as FileVersion
from empiarreader.network.answers import refuse_page_or_compression, version_of
from empiarreader.network.connections import CONNECTIONS_PER_HOST, answer_times
from empiarreader.network.hedging import fetch_parts
from empiarreader.network.parts import Part
from empiarreader.network.transport import open_answer, with_retries

MIB = 1024 * 1024
_SMALLEST_PART = MIB
_LARGEST_PART = 8 * MIB
_LARGEST_PART_NEARBY = 32 * MIB
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
    size = _part_size(url, len(view))
    parts = [Part(url, start, len(part), part, known) for start, part in _split(spans, view, size)]
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

    count = max(1, -(-known.size // part_size(known.size)))
    edges = [known.size * k // count for k in range(count + 1)]
    fetch_parts(
        [
            Part(url, start, stop - start, None, known)
            for start, stop in itertools.pairwise(edges)
            if start < stop
        ],
        deliver=write,
    )


def ask_version(url: str) -> FileVersion:
    """Return which version of a file the archive has, and so its size: one request without a body.

    Raises
    ------
    ArchiveFileNotFoundError
        If there is no such file.
    ServiceError
        If the archive cannot be asked, or does not say how large the file is.
    """

    def ask(attempt: int) -> FileVersion:
        with open_answer("HEAD", url, attempt=attempt) as answer:
            refuse_page_or_compression(answer)
            if answer.length is None:
                raise ServiceError(f"{url} came without its size; it could not be checked", retryable=True)
            return version_of(answer, answer.length)

    return with_retries(ask)


def fetch_loose(wanted: Mapping[str, Spans], *, nearby_bytes: int = 0) -> dict[str, list[memoryview]]:
    """Return spans of several files, whatever versions they have, all fetched together.

    Nothing is asked first: what comes of one file must be of one version, which is checked afterwards.

    Raises
    ------
    FileChangedError
        If a file changed meanwhile.
    DamagedDataError
        If a file ends before a span of it does.
    """
    joined = {url: JoinedSpans(spans, nearby_bytes) for url, spans in wanted.items()}
    views = {url: memoryview(bytearray(spans.total_bytes)) for url, spans in joined.items()}
    parts = [
        Part(url, start, len(view), view, None)
        for url, spans in joined.items()
        for start, view in _split(spans.spans, views[url], part_size(len(views[url])))
    ]
    fetch_parts(parts, deliver=_check_length)
    first = {part.url: part.version for part in reversed(parts)}
    for part in parts:
        version = first[part.url]
        if part.version is None or version is None or part.version.differs_from(version):
            raise FileChangedError(f"{part.url} changed while it was read; open it again")
    return {url: spans.cut(views[url]) for url, spans in joined.items()}


class JoinedSpans:
    """Spans of a file as they are fetched: sorted, with those joined that overlap or lie near each other.

    Parameters
    ----------
    wanted
        ``(start, length)`` of each, in any order.
    nearby_bytes
        How far apart spans may lie that are joined.

    Examples
    --------
    >>> JoinedSpans([(50, 10), (0, 10), (12, 8), (5, 2)], 4).spans
    [(0, 20), (50, 10)]
    """

    def __init__(self, wanted: Spans, nearby_bytes: int) -> None:
        self._wanted = wanted
        self.spans: list[tuple[int, int]] = []
        for start, length in sorted(span for span in wanted if span[1]):
            if self.spans and start <= sum(self.spans[-1]) + nearby_bytes:
                first = self.spans[-1][0]
                self.spans[-1] = (first, max(sum(self.spans[-1]), start + length) - first)
            else:
                self.spans.append((start, length))
        self.total_bytes = sum(length for _, length in self.spans)

    def cut(self, view: memoryview) -> list[memoryview]:
        """Return the spans that were wanted, in their order, out of the memory that the joined ones fill."""
        starts = [start for start, _ in self.spans]
        places = list(itertools.accumulate((length for _, length in self.spans), initial=0))
        cut = []
        for start, length in self._wanted:
            k = bisect_right(starts, start) - 1
            place = places[k] + start - starts[k] if length else 0
            cut.append(view[place : place + length])
        return cut


def part_size(total_bytes: int) -> int:
    """Return how many bytes one request should ask for, when ``total_bytes`` are wanted in all."""
    return min(_LARGEST_PART, max(_SMALLEST_PART, -(-total_bytes // CONNECTIONS_PER_HOST)))


def _part_size(url: str, total_bytes: int) -> int:
    # From near by, one connection brings what a hundred milliseconds of round trips would take sixteen for;
    # more only cost the work of keeping them apart.
    return _LARGEST_PART_NEARBY if answer_times(url).is_near() else part_size(total_bytes)


def _split(spans: Spans, view: memoryview, size: int) -> Iterator[tuple[int, memoryview]]:
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
