"""Exact byte ranges of a remote file, several at once, into memory that the caller owns.

Every answer is checked before a byte of it is used: status 206, the very range asked for, no compression,
the same version of the file as before. Never are several ranges put into one request, which Apache may
answer with the whole file.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple
from urllib.parse import urlsplit

from empiarreader.errors import DamagedDataError, FileChangedError, ServiceError
from empiarreader.transport import CONNECTIONS_PER_HOST, Answer, on_fork, open_answer, with_retries

MIB = 1024 * 1024
_SMALLEST_PART = MIB
_LARGEST_PART = 8 * MIB
# A server that ignores ranges sends files from their beginning; this much of one is still worth reading.
_MOST_READ_WITHOUT_RANGES = 8 * MIB
_READ_AT_ONCE = 256 * 1024
_WRITTEN_AT_ONCE = 128 * MIB
_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")


@dataclass(frozen=True, kw_only=True)
class FileVersion:
    """What tells one state of a remote file from another: size in bytes and what the server says of it."""

    size: int
    etag: str | None = None
    last_modified: str | None = None

    def differs_from(self, other: FileVersion) -> bool:
        """Return whether the two cannot be the same; what either does not know is no proof."""
        return self.size != other.size or any(
            ours is not None and theirs is not None and ours != theirs
            for ours, theirs in ((self.etag, other.etag), (self.last_modified, other.last_modified))
        )


Spans = Sequence[tuple[int, int]]


class ContentRange(NamedTuple):
    """First and last byte that came, and the size of the whole file."""

    first: int
    last: int
    size: int


def fetch_range(
    url: str,
    start: int,
    view: memoryview,
    *,
    known: FileVersion | None = None,
    cancelled: threading.Event | None = None,
) -> tuple[FileVersion, int]:
    """Fill ``view`` with the bytes of a remote file from ``start`` on, in one request.

    Parameters
    ----------
    url, start, view
        What to read, from where, and where to put it; ``view`` is writable bytes.
    known
        The version of the file that earlier ranges came from.
    cancelled
        Set from elsewhere when the result is no longer wanted.

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

    def ask(attempt: int) -> tuple[FileVersion, int]:
        return _fetch_once(url, start, view, known, attempt, cancelled)

    return with_retries(ask, cancelled=cancelled)


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
    parts = list(_split(spans, view))
    cancelled = threading.Event()

    def move(start: int, part: memoryview) -> None:
        if cancelled.is_set():
            return
        _, count = fetch_range(url, start, part, known=known, cancelled=cancelled)
        if count != len(part):
            raise DamagedDataError(f"{url} ends at byte {start + count}, before byte {start + len(part)}")

    if len(parts) == 1:
        move(*parts[0])
        return
    futures = [_workers().submit(move, start, part) for start, part in parts]
    try:
        done, _ = wait(futures, return_when=FIRST_EXCEPTION)
        for future in done:
            future.result()
    finally:
        # The memory is the caller's: nobody may write to it after this call has returned or raised.
        cancelled.set()
        wait(futures)


def fetch_file(url: str, file: BinaryIO, *, known: FileVersion) -> None:
    """Write the whole of that version of a remote file to an open file, in bounded memory.

    Raises what :func:`fetch_spans` does; what has been written then is of no use.
    """
    for start in range(0, known.size, _WRITTEN_AT_ONCE):
        buffer = bytearray(min(_WRITTEN_AT_ONCE, known.size - start))
        fetch_spans(url, [(start, len(buffer))], memoryview(buffer), known=known)
        view = memoryview(buffer)
        while view:
            view = view[file.write(view) :]


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


def _fetch_once(
    url: str,
    start: int,
    view: memoryview,
    known: FileVersion | None,
    attempt: int,
    cancelled: threading.Event | None,
) -> tuple[FileVersion, int]:
    headers = {"Range": f"bytes={start}-{start + len(view) - 1}"}
    if known is not None and known.etag is not None and not known.etag.startswith("W/"):
        headers["If-Range"] = known.etag
    with open_answer("GET", url, headers=headers, attempt=attempt, statuses=(200, 206, 416)) as answer:
        if answer.status == 416:
            raise DamagedDataError(f"{url} ends before byte {start}; it is empty or has been cut")
        refuse_page_or_compression(answer)
        if answer.status == 206:
            version, count = _check_range(answer, start, len(view), known)
            skip = 0
        else:
            version, count = _check_whole(answer, start, len(view), known)
            skip = start
        _fill(answer, view[:count], skip, cancelled)
    return version, count


def _check_range(
    answer: Answer, start: int, wanted: int, known: FileVersion | None
) -> tuple[FileVersion, int]:
    found = parse_content_range(answer)
    version = version_of(answer, found.size)
    _check_version(answer.url, version, known)
    if found.first != start or found.last != min(start + wanted, found.size) - 1:
        raise ServiceError(
            f"{answer.url} came with bytes {found.first}-{found.last}, not {start}-{start + wanted - 1}",
            retryable=True,
        )
    return version, found.last - found.first + 1


def _check_whole(
    answer: Answer, start: int, wanted: int, known: FileVersion | None
) -> tuple[FileVersion, int]:
    """Accept a whole file in place of a range, if it is the same file and the range is near its beginning."""
    if answer.length is None:
        raise ServiceError(f"{answer.url} came whole and without its size instead of a range", retryable=True)
    version = version_of(answer, answer.length)
    _check_version(answer.url, version, known)
    if start >= version.size:
        raise DamagedDataError(f"{answer.url} ends at byte {version.size}, before byte {start}")
    stop = min(start + wanted, version.size)
    if stop > _MOST_READ_WITHOUT_RANGES:
        raise ServiceError(
            f"{urlsplit(answer.url).netloc} ignores ranges and would send {version.size} bytes for the "
            f"{wanted} asked of {answer.url}; download the file instead",
            retryable=True,
        )
    return version, stop - start


def refuse_page_or_compression(answer: Answer) -> None:
    """Raise a :class:`ServiceError` where an answer is a web page, or is compressed though it must not be."""
    path = urlsplit(answer.url).path.lower()
    kind = answer.headers.get("Content-Type", "").split(";")[0].strip().lower()
    if kind == "text/html" and not path.endswith((".html", ".htm")):
        raise ServiceError(f"a web page came instead of {answer.url}", retryable=True)
    if kind == "multipart/byteranges":
        raise ServiceError(f"several ranges came instead of the one asked of {answer.url}", retryable=True)
    encoding = answer.headers.get("Content-Encoding", "identity").lower()
    # Some servers call a .gz file "encoded"; its bytes are the file's own all the same.
    if encoding not in {"", "identity"} and not path.endswith((".gz", ".bz2", ".xz", ".z")):
        raise ServiceError(f"{answer.url} came compressed ({encoding}), which was not asked", retryable=True)


def _check_version(url: str, version: FileVersion, known: FileVersion | None) -> None:
    if known is not None and version.differs_from(known):
        raise FileChangedError(
            f"{url} has changed since reading of it began ({known.size} bytes then, {version.size} now); "
            "open it again"
        )


def parse_content_range(answer: Answer) -> ContentRange:
    """Return what an answer says it holds of a file.

    Raises
    ------
    ServiceError
        If it says nothing that can be understood.
    """
    stated = answer.headers.get("Content-Range", "")
    match = _CONTENT_RANGE.fullmatch(stated)
    if match is None:
        raise ServiceError(f"{answer.url} came with the range {stated!r}, which says nothing", retryable=True)
    return ContentRange(*(int(number) for number in match.groups()))


def version_of(answer: Answer, size: int) -> FileVersion:
    """Return the version that an answer belongs to, of a file of ``size`` bytes in all."""
    return FileVersion(
        size=size, etag=answer.headers.get("ETag"), last_modified=answer.headers.get("Last-Modified")
    )


def _fill(answer: Answer, view: memoryview, skip: int, cancelled: threading.Event | None) -> None:
    filled = 0
    for chunk in answer.chunks(_READ_AT_ONCE):
        if filled == len(view):
            return  # more than was promised: leaving early closes the connection
        if cancelled is not None and cancelled.is_set():
            raise ServiceError(f"reading {answer.url} was given up")
        if skip:
            dropped = min(skip, len(chunk))
            skip -= dropped
            chunk = chunk[dropped:]
        chunk = chunk[: len(view) - filled]
        view[filled : filled + len(chunk)] = chunk
        filled += len(chunk)
        if filled == len(view) and answer.status == 200:
            return
    if filled < len(view):
        raise ServiceError(f"{answer.url} broke off after {filled} of {len(view)} bytes", retryable=True)


class _Workers:
    """The threads of this process that fetch parts."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.pool: ThreadPoolExecutor | None = None


_process = _Workers()


def _workers() -> ThreadPoolExecutor:
    with _process.lock:
        if _process.pool is None:
            _process.pool = ThreadPoolExecutor(CONNECTIONS_PER_HOST, thread_name_prefix="empiarreader")
        return _process.pool


def _begin_again_after_fork() -> None:
    global _process
    _process = _Workers()


on_fork(_begin_again_after_fork)
