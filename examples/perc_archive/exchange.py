"""One request, one answer: routing, faults, shaping, and the bytes on their way out."""

from __future__ import annotations

import gzip
import logging
import socket
from dataclasses import dataclass, field
from email.utils import formatdate

from perc_archive import services
from perc_archive.faults import Fault
from perc_archive.journal import Entry, Journal
from perc_archive.protocol import Headers, Request, Response, decode_path, html_page, phrase
from perc_archive.ranges import Answer, FileSlice, settle
from perc_archive.sending import GoneError, Sender, hang
from perc_archive.settings import HOSTS
from perc_archive.shaping import Pace, Shape
from perc_archive.site import Site

logger = logging.getLogger("perc_archive")
_MISSING_BYTES = 1000  # by which a wrong length is too large


@dataclass(kw_only=True)
class State:
    """All that connections share."""

    site: Site
    journal: Journal = field(default_factory=Journal)
    shape: Shape = field(default_factory=Shape)


def route(
    method: str,
    target: str,
    headers: Headers,
    body: bytes,
    *,
    version: str,
    secure: bool,
    connection: int,
) -> Request:
    """Request for the real host it means: by its Host field, else by the first component of its path."""
    scheme = "https" if secure else "http"
    authority = headers.get("Host")
    raw, _, query = target.partition("?")
    if "://" in raw:  # absolute form, as to a proxy
        authority, _, raw = raw.partition("://")[2].partition("/")
        raw = "/" + raw
    host = authority.partition(":")[0].lower()
    prefix, base = "", None
    if host not in HOSTS:
        first, _, rest = raw.lstrip("/").partition("/")
        host, raw = decode_path(first).lower(), "/" + rest
        prefix, base = f"/{first}", f"{scheme}://{authority}"
    wish = headers.get("Connection").lower()
    return Request(
        method=method,
        host=host,
        path=decode_path(raw),
        query=query,
        headers=headers,
        body=body,
        prefix=prefix,
        base=base,
        origin=f"{scheme}://{authority}",
        keep_alive="keep-alive" in wish if version == "HTTP/1.0" else "close" not in wish,
        connection=connection,
    )


class Exchange:
    """Answers requests of one connection."""

    def __init__(self, connection: socket.socket, state: State) -> None:
        self._connection = connection
        self._state = state
        self._answered = 0

    def answer(self, request: Request) -> None:
        """Answer one request and write it down. Raises `GoneError` when the connection is of no more use."""
        state = self._state
        # One round trip for the request, and one for opening the connection.
        pace = Pace(state.shape, round_trips=1 if self._answered else 2)
        self._answered += 1
        entry = state.journal.begin(request)
        try:
            fault = state.site.faults.choose(request.place, has_range="Range" in request.headers)
            if fault is not None and fault.kind == "refuse":
                raise GoneError
            answer = self._settle(request, fault)
            entry.status = answer.status
            self._send(request, answer, fault, pace, entry)
        finally:
            state.journal.end(entry)

    def _settle(self, request: Request, fault: Fault | None) -> Answer:
        kind = fault.kind if fault is not None else ""
        if fault is not None and kind == "status":
            return settle(request, _failure(fault))
        if kind == "html":
            return settle(request, html_page(200, "Service notice", "Please try again in a few minutes."))
        try:
            response = services.answer(request, self._state.site)
        except Exception:
            logger.exception("answering %s %s failed", request.method, request.place)
            response = html_page(500, "500 Internal Server Error", "The archive has an error of its own.")
        if kind == "ignore_range" or (kind == "gzip" and not _is_gz(request)):
            response.ranges = False
        answer = settle(request, response)
        if kind == "gzip":
            _encode(request, answer)
        return answer

    def _send(self, request: Request, answer: Answer, fault: Fault | None, pace: Pace, entry: Entry) -> None:
        kind = fault.kind if fault is not None else ""
        length = answer.length
        # The header does not give a fault away: it says what a well-behaved answer would say.
        stated = length + _MISSING_BYTES * (kind == "wrong_length")
        head = _head(answer, stated, closes=not request.keep_alive)
        has_body = request.method != "HEAD" and answer.status not in (204, 304)
        limit = length if has_body else 0
        if fault is not None and kind in ("stall", "drop"):
            limit = min(limit, fault.after_bytes)
        pace.wait(0)
        Sender(self._connection, pace, entry).send(head, answer.segments, limit)
        if kind == "stall":
            hang(self._connection, entry, self._state.journal)
        if not request.keep_alive or kind in ("wrong_length", "drop", "stall"):
            raise GoneError


def _failure(fault: Fault) -> Response:
    page = html_page(fault.status, f"{fault.status} {phrase(fault.status)}", "No server is available.")
    if fault.retry_after is not None:
        page.headers.append(("Retry-After", fault.retry_after))
    return page


def _head(answer: Answer, stated: int, *, closes: bool) -> bytes:
    lines = [f"HTTP/1.1 {answer.status} {phrase(answer.status)}", f"Date: {formatdate(usegmt=True)}"]
    lines += [f"{name}: {value}" for name, value in answer.headers]
    if answer.status not in (204, 304):
        lines.append(f"Content-Length: {stated}")
    lines.append(f"Connection: {'close' if closes else 'keep-alive'}")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1", errors="replace")


def _is_gz(request: Request) -> bool:
    return request.path.endswith(".gz")


def _encode(request: Request, answer: Answer) -> None:
    """Claim gzip: bodies are compressed, but a name that ends in .gz is only labelled, as some servers do."""
    if answer.status not in (200, 206) or any(
        name.lower() == "content-encoding" for name, _ in answer.headers
    ):
        return
    if not _is_gz(request):
        parts = []
        for segment in answer.segments:
            if isinstance(segment, FileSlice):
                with segment.path.open("rb") as file:
                    file.seek(segment.offset)
                    parts.append(file.read(segment.length))
            else:
                parts.append(segment)
        answer.segments = [gzip.compress(b"".join(parts), compresslevel=1, mtime=0)]
    answer.headers.append(("Content-Encoding", "gzip"))
