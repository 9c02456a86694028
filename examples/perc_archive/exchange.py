"""One request, one answer: routing, faults, shaping, and the bytes on their way out."""

from __future__ import annotations

import gzip
import logging
import os
import select
import socket
import ssl
import time
from dataclasses import dataclass, field
from email.utils import formatdate

from perc_archive import services
from perc_archive.faults import Fault
from perc_archive.journal import Entry, Journal
from perc_archive.protocol import Headers, Request, decode_path, html_page, phrase
from perc_archive.ranges import Answer, FileSlice, settle
from perc_archive.settings import HOSTS
from perc_archive.shaping import Pace, Shape
from perc_archive.site import Site

logger = logging.getLogger("perc_archive")
_STALL_SECONDS = 600.0
_MORE = getattr(socket, "MSG_MORE", 0)
_HAS_SENDFILE = hasattr(os, "sendfile")


@dataclass(kw_only=True)
class State:
    """All that connections share."""

    site: Site
    journal: Journal = field(default_factory=Journal)
    shape: Shape = field(default_factory=Shape)


def route(method: str, target: str, headers: Headers, body: bytes, *, version: str, secure: bool) -> Request:
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
    )


class Gone(Exception):
    """The client went away, or a fault wants the connection closed."""


class Exchange:
    """Answers requests of one connection."""

    def __init__(self, connection: socket.socket, state: State) -> None:
        self._connection = connection
        self._state = state
        self._secure = isinstance(connection, ssl.SSLSocket)
        self._answered = 0

    def answer(self, request: Request) -> None:
        """Answer one request and write it down. Raises `Gone` when the connection is of no further use."""
        state = self._state
        # One round trip for the request, and one for opening the connection.
        pace = Pace(state.shape, round_trips=1 if self._answered else 2)
        self._answered += 1
        entry = state.journal.begin(request)
        try:
            fault = state.site.faults.choose(request.place, has_range="Range" in request.headers)
            if fault is not None and fault.kind == "refuse":
                raise Gone
            answer = self._settle(request, fault)
            entry.status = answer.status
            self._send(request, answer, fault, pace, entry)
        finally:
            state.journal.end(entry)

    def _settle(self, request: Request, fault: Fault | None) -> Answer:
        if fault is not None and fault.kind == "status":
            page = html_page(
                fault.status, f"{fault.status} {phrase(fault.status)}", "No server is available."
            )
            if fault.retry_after is not None:
                page.headers.append(("Retry-After", fault.retry_after))
            return settle(request, page)
        if fault is not None and fault.kind == "html":
            return settle(request, html_page(200, "Service notice", "Please try again in a few minutes."))
        try:
            response = services.answer(request, self._state.site)
        except Exception:
            logger.exception("answering %s %s failed", request.method, request.place)
            response = html_page(500, "500 Internal Server Error", "The archive has an error of its own.")
        if fault is not None and (
            fault.kind == "ignore_range" or (fault.kind == "gzip" and not _is_gz(request))
        ):
            response.ranges = False
        answer = settle(request, response)
        if fault is not None and fault.kind == "gzip":
            _encode(request, answer)
        return answer

    def _send(self, request: Request, answer: Answer, fault: Fault | None, pace: Pace, entry: Entry) -> None:
        kind = fault.kind if fault is not None else ""
        length = answer.length
        stated = length + 1000 if kind == "wrong_length" else length
        closes = not request.keep_alive or kind in ("wrong_length", "drop", "stall")
        has_body = request.method != "HEAD" and answer.status not in (204, 304)
        head = _head(answer, stated, closes=closes)
        limit = min(length, fault.after_bytes) if fault is not None and kind in ("stall", "drop") else length
        pace.wait(0)
        if not has_body:
            self._connection.sendall(head)
        else:
            self._send_body(head, answer, limit, pace, entry)
        if kind == "stall":
            self._hang(entry)
        if closes:
            raise Gone

    def _send_body(self, head: bytes, answer: Answer, limit: int, pace: Pace, entry: Entry) -> None:
        pending = head
        left = limit
        for segment in answer.segments:
            if isinstance(segment, bytes):
                part = segment[:left]
                for at in range(0, len(part), pace.chunk):
                    chunk = part[at : at + pace.chunk]
                    pace.wait(len(chunk))
                    self._connection.sendall(pending + chunk)
                    pending = b""
                    entry.sent += len(chunk)
                left -= len(part)
            else:
                pending = self._flush(pending)
                left -= self._send_slice(segment, min(left, segment.length), pace, entry)
        self._flush(pending)

    def _flush(self, pending: bytes) -> bytes:
        if pending and self._secure:
            self._connection.sendall(pending)
        elif pending:
            view = memoryview(pending)
            while view:
                view = view[self._connection.send(view, _MORE) :]
        return b""

    def _send_slice(self, piece: FileSlice, count: int, pace: Pace, entry: Entry) -> int:
        sent = 0
        descriptor = os.open(piece.path, os.O_RDONLY)
        try:
            while sent < count:
                wanted = min(pace.chunk, count - sent)
                pace.wait(wanted)
                done = self._send_chunk(descriptor, piece.offset + sent, wanted, entry)
                if done == 0:
                    raise Gone  # the file became shorter under our hands
                sent += done
        finally:
            os.close(descriptor)
        return sent

    def _send_chunk(self, descriptor: int, offset: int, wanted: int, entry: Entry) -> int:
        done = 0
        if self._secure or not _HAS_SENDFILE:
            data = os.pread(descriptor, wanted, offset)
            self._connection.sendall(data)
            entry.sent += len(data)
            return len(data)
        while done < wanted:
            count = os.sendfile(self._connection.fileno(), descriptor, offset + done, wanted - done)
            if count == 0:
                break
            done += count
            entry.sent += count
        return done

    def _hang(self, entry: Entry) -> None:
        """Send nothing more until the client leaves, the log is cleared, or ten minutes are over."""
        journal = self._state.journal
        journal.stall(entry)
        deadline = time.monotonic() + _STALL_SECONDS
        while time.monotonic() < deadline and entry.generation == journal.generation:
            readable, _, _ = select.select([self._connection], [], [], 0.05)
            if readable:
                return  # closed, or something that will not be answered


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
