"""Conditional and range requests, as Apache answers them."""

from __future__ import annotations

import email.utils
import re
import secrets
from dataclasses import dataclass
from pathlib import Path

from perc_archive.protocol import Request, Response, html_page

LIMIT_RANGES = 200  # Apache's MaxRanges; more are answered with the whole file


@dataclass(frozen=True, kw_only=True)
class FileSlice:
    """Bytes of a file on disk: `length` of them from `offset`."""

    path: Path
    offset: int
    length: int


Segment = bytes | FileSlice


@dataclass(kw_only=True)
class Answer:
    """A response whose status, fields and bytes are settled."""

    status: int
    headers: list[tuple[str, str]]
    segments: list[Segment]

    @property
    def length(self) -> int:
        """Bytes of the body."""
        return sum(len(part) if isinstance(part, bytes) else part.length for part in self.segments)


def file_etag(path: Path) -> str:
    """Apache's validator: size and modification time in microseconds, in hexadecimal."""
    found = path.stat()
    return f'"{found.st_size:x}-{found.st_mtime_ns // 1000:x}"'


def http_date(seconds: float) -> str:
    """Moment in the form of HTTP header fields.

    >>> http_date(0)
    'Thu, 01 Jan 1970 00:00:00 GMT'
    """
    return email.utils.formatdate(seconds, usegmt=True)


def settle(request: Request, response: Response) -> Answer:
    """Turn a response into the answer to this request: 304, 412, 206, 416 or the whole."""
    whole: Segment = response.body
    size = len(response.body)
    if response.file is not None:
        size = response.file.stat().st_size
        whole = FileSlice(path=response.file, offset=0, length=size)
    answer = Answer(status=response.status, headers=list(response.headers), segments=[whole])
    if response.status != 200 or request.method not in ("GET", "HEAD"):
        return answer
    verdict = _condition(request, response.header("ETag"), response.header("Last-Modified"))
    if verdict == 304:
        kept = ("etag", "last-modified", "cache-control", "vary", "server", "expires")
        return Answer(status=304, headers=[h for h in answer.headers if h[0].lower() in kept], segments=[])
    if verdict == 412:
        return settle(request, html_page(412, "412 Precondition Failed", "The precondition failed."))
    if response.ranges:
        answer.headers.append(("Accept-Ranges", "bytes"))
        if "Range" in request.headers and _range_still_valid(request, response):
            return _partial(request.headers["Range"], answer, whole, size)
    return answer


def _condition(request: Request, etag: str | None, modified: str | None) -> int | None:
    headers = request.headers
    if "If-Match" in headers and etag is not None and not _listed(etag, headers["If-Match"]):
        return 412
    if "If-None-Match" in headers:
        return 304 if etag is not None and _listed(etag, headers["If-None-Match"]) else None
    if "If-Modified-Since" in headers and modified is not None:
        since, last = _moment(headers["If-Modified-Since"]), _moment(modified)
        return 304 if since is not None and last is not None and last <= since else None
    return None


def _listed(etag: str, field: str) -> bool:
    wanted = {tag.strip().removeprefix("W/") for tag in field.split(",")}
    return "*" in wanted or etag.removeprefix("W/") in wanted


def _moment(text: str) -> float | None:
    try:
        return email.utils.parsedate_to_datetime(text).timestamp()
    except ValueError:
        return None


def _range_still_valid(request: Request, response: Response) -> bool:
    condition = request.headers.get("If-Range")
    if not condition:
        return True
    if condition.startswith(('"', "W/")):
        return condition == response.header("ETag") and not condition.startswith("W/")
    return condition == response.header("Last-Modified")


def parse_ranges(field: str, size: int) -> list[tuple[int, int]] | None:
    """Satisfiable ``(start, stop)`` of a Range field; None where the field is to be ignored.

    >>> parse_ranges("bytes=0-3,-2", 10)
    [(0, 4), (8, 10)]
    >>> parse_ranges("bytes=12-", 10)
    []
    >>> parse_ranges("bytes=nonsense", 10) is None
    True
    """
    unit, _, specs = field.partition("=")
    if unit.strip().lower() != "bytes":
        return None
    found = []
    for spec in specs.split(","):
        match = re.fullmatch(r"\s*(\d{0,20})-(\d{0,20})\s*", spec)
        if match is None or match[0].strip() == "-":
            return None
        first, last = match[1], match[2]
        if first and last and int(last) < int(first):
            return None
        start = int(first) if first else max(0, size - int(last))
        stop = min(size, int(last) + 1) if first and last else size
        if start < stop:
            found.append((start, stop))
    return found


def _partial(field: str, answer: Answer, whole: Segment, size: int) -> Answer:
    wanted = parse_ranges(field, size)
    if wanted is None or len(wanted) > LIMIT_RANGES:
        return answer
    if not wanted:
        page = html_page(
            416,
            "416 Requested Range Not Satisfiable",
            "None of the range-specifier values in the Range request-header field overlap the current extent "
            "of the selected resource.",
        )
        headers = [*page.headers, ("Content-Range", f"bytes */{size}")]
        return Answer(status=416, headers=headers, segments=[page.body])
    answer.status = 206
    if len(wanted) == 1:
        start, stop = wanted[0]
        answer.headers.append(("Content-Range", f"bytes {start}-{stop - 1}/{size}"))
        answer.segments = [_slice(whole, start, stop)]
        return answer
    return _multipart(answer, whole, wanted, size)


def _slice(whole: Segment, start: int, stop: int) -> Segment:
    if isinstance(whole, bytes):
        return whole[start:stop]
    return FileSlice(path=whole.path, offset=whole.offset + start, length=stop - start)


def _multipart(answer: Answer, whole: Segment, wanted: list[tuple[int, int]], size: int) -> Answer:
    boundary = secrets.token_hex(8)
    kind = next((value for name, value in answer.headers if name.lower() == "content-type"), "")
    answer.segments = []
    for start, stop in wanted:
        place = f"Content-range: bytes {start}-{stop - 1}/{size}"
        head = f"\r\n--{boundary}\r\nContent-type: {kind}\r\n{place}\r\n\r\n"
        answer.segments += [head.encode("latin-1"), _slice(whole, start, stop)]
    answer.segments.append(f"\r\n--{boundary}--\r\n".encode())
    answer.headers = [h for h in answer.headers if h[0].lower() != "content-type"]
    answer.headers.append(("Content-Type", f"multipart/byteranges; boundary={boundary}"))
    return answer
