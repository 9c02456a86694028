"""What an answer must be before a byte of it is used: the range asked for, of the version asked for.

Status 206 and ``Content-Range`` are checked, and that nothing was compressed and no web page came instead. A
whole file (status 200) is accepted in place of a range only near its beginning.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple
from urllib.parse import urlsplit

from empiarreader.errors import DamagedDataError, FileChangedError, ServiceError
from empiarreader.network.transport import Answered

# A server that ignores ranges sends files from their beginning; this much of one is still worth reading.
_PACKINGS = {
    ".gz": ("gzip", "x-gzip"),
    ".bz2": ("bzip2", "x-bzip2"),
    ".xz": ("xz", "x-xz"),
    ".z": ("compress", "x-compress"),
}
_MOST_READ_WITHOUT_RANGES = 8 * 1024 * 1024
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


class ContentRange(NamedTuple):
    """First and last byte that came, and the size of the whole file."""

    first: int
    last: int
    size: int


class Coming(NamedTuple):
    """What an answer is about to bring."""

    version: FileVersion
    length: int  # of what is wanted of it
    skip: int  # bytes that come before that


def accept(answer: Answered, start: int, wanted: int, known: FileVersion | None) -> Coming:
    """Return what an answer to the request for ``wanted`` bytes from ``start`` on is about to bring.

    Raises
    ------
    FileChangedError
        If it is of another version than the one known.
    DamagedDataError
        If the file ends before ``start``.
    ServiceError
        If it is anything else than what was asked for.
    """
    if answer.status == 416:
        raise DamagedDataError(f"{answer.url} ends before byte {start}; it is empty or has been cut")
    refuse_page_or_compression(answer)
    if answer.status == 206:
        return _check_range(answer, start, wanted, known)
    return _check_whole(answer, start, wanted, known)


def _check_range(answer: Answered, start: int, wanted: int, known: FileVersion | None) -> Coming:
    found = parse_content_range(answer)
    version = version_of(answer, found.size)
    _check_version(answer.url, version, known)
    if found.first != start or found.last != min(start + wanted, found.size) - 1:
        raise ServiceError(
            f"{answer.url} came with bytes {found.first}-{found.last}, not {start}-{start + wanted - 1}",
            retryable=True,
        )
    length = found.last - found.first + 1
    if answer.length is not None and answer.length < length:
        raise ServiceError(f"{answer.url} comes with {answer.length} of {length} bytes", retryable=True)
    return Coming(version, length, 0)


def _check_whole(answer: Answered, start: int, wanted: int, known: FileVersion | None) -> Coming:
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
    return Coming(version, stop - start, start)


def refuse_page_or_compression(answer: Answered) -> None:
    """Raise a :class:`ServiceError` where an answer is a web page, or is compressed though it must not be."""
    kind = answer.headers.get("Content-Type", "").split(";")[0].strip().lower()
    encoding = answer.headers.get("Content-Encoding", "identity").lower()
    if encoding == "identity" and not kind.startswith(("text/", "multipart/")):
        return  # as nearly always, and before the address is taken apart
    path = urlsplit(answer.url).path.lower()
    if kind == "text/html" and not path.endswith((".html", ".htm")):
        raise ServiceError(f"a web page came instead of {answer.url}", retryable=True)
    if kind == "multipart/byteranges":
        raise ServiceError(f"several ranges came instead of the one asked of {answer.url}", retryable=True)
    # Some servers call a .gz file "encoded"; its bytes are the file's own all the same. Called by another
    # packing than that of its name it was packed once more.
    own = next((names for suffix, names in _PACKINGS.items() if path.endswith(suffix)), ())
    if encoding not in {"", "identity", *own}:
        raise ServiceError(f"{answer.url} came compressed ({encoding}), which was not asked", retryable=True)


def _check_version(url: str, version: FileVersion, known: FileVersion | None) -> None:
    if known is not None and version.differs_from(known):
        raise FileChangedError(
            f"{url} has changed since reading of it began ({known.size} bytes then, {version.size} now); "
            "open it again"
        )


def parse_content_range(answer: Answered) -> ContentRange:
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


def version_of(answer: Answered, size: int) -> FileVersion:
    """Return the version that an answer belongs to, of a file of ``size`` bytes in all."""
    return FileVersion(
        size=size, etag=answer.headers.get("ETag"), last_modified=answer.headers.get("Last-Modified")
    )
